use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::accept::Limits;

/// Files that are no connections: the data file, the listeners, the journal's pipes, Redis, copies on the way.
const RESERVE: u64 = 128;

/// How many files the limits on connections need.
pub fn wanted(limits: &Limits) -> u64 {
    let connections = limits.tcp_connections.saturating_add(limits.unix_connections);
    u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(RESERVE)
}

/// Lets this process open as many files as `limits` need, if the system allows it, and gives back limits that fit into what
/// it does allow. Above what is needed the soft limit is left alone, since children inherit it.
pub fn allow(limits: Limits) -> Limits {
    let wanted = wanted(&limits);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None is no limit at all.
    let current = current.unwrap_or(u64::MAX);
    let possible = wanted.min(maximum.unwrap_or(u64::MAX));
    let raised = current < possible && setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }).is_ok();
    let files = if raised { possible } else { current };
    if files >= wanted {
        return limits;
    }
    let fitting = fitting(limits, files);
    tracing::warn!(
        connections = fitting.tcp_connections,
        streams = fitting.streams,
        "only {files} files may be open at once, so fewer connections are taken: set LimitNOFILE={wanted} or more"
    );
    fitting
}

/// The same limits with as many connections as `files` leave; a few in any case.
fn fitting(limits: Limits, files: u64) -> Limits {
    let connections = usize::try_from(files.saturating_sub(RESERVE)).unwrap_or(usize::MAX);
    let unix_connections = limits.unix_connections.min(connections / 4).max(4);
    let tcp_connections = limits.tcp_connections.min(connections.saturating_sub(unix_connections)).max(8);
    let streams = limits.streams.min(tcp_connections / 4 * 3);
    Limits { tcp_connections, streams, unix_connections, ..limits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_the_files() {
        let limits = Limits::default();
        let enough = wanted(&limits);
        for (files, expected) in
            [(enough, (1024, 768, 64)), (1024, (832, 624, 64)), (256, (96, 72, 32)), (64, (8, 6, 4))]
        {
            let fit = fitting(limits, files);
            assert_eq!((fit.tcp_connections, fit.streams, fit.unix_connections), expected, "{files} files");
            assert!(files < 200 || wanted(&fit) <= files, "{files} files");
        }
    }
}
