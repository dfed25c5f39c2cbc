use std::io;

use crate::config::SecretError;
use crate::names::Unresolved;
use crate::store::StoreError;

/// Why the mirror does not get on.
#[derive(Debug, thiserror::Error)]
pub(super) enum MirrorError {
    #[error("Redis at {at} cannot be reached: {source}")]
    Unreachable { at: String, source: io::Error },
    #[error("redis.url: {0}")]
    Unresolved(#[source] Unresolved),
    #[error("the connection to Redis broke: {0}")]
    Broken(#[from] io::Error),
    #[error("Redis did not answer within {0} s")]
    Silent(u64),
    #[error("what answers at redis.url does not speak Redis' protocol: {0}")]
    NotRedis(String),
    #[error("redis.password_file: {0}")]
    Password(#[source] SecretError),
    #[error("redis.url is empty")]
    NoTarget,
    #[error("Redis says: {0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a part of the mirror stopped: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl MirrorError {
    /// Whether Redis answered, so that the connection is still of use.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether it is one key that Redis does not let us write to, so that others may work.
    pub(super) fn is_of_one_key(&self) -> bool {
        let Self::Refused(line) = self else { return false };
        line.starts_with("WRONGTYPE ")
            || line.starts_with("NOPERM ")
            || line.contains("last possible ID")
            || line.contains("equal or smaller than the target stream top item")
    }

    /// One sentence for health.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Refused(line) => match refusal(line) {
                Some((what, _)) => format!("{what}: {line}"),
                None => self.to_string(),
            },
            _ => self.to_string(),
        }
    }

    /// What to do about it.
    pub(super) fn remedy(&self) -> String {
        match self {
            Self::Unreachable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "let the user of quantum-clm use the socket: add it to Redis' group, or set unixsocketperm".into()
            }
            Self::Unreachable { .. } | Self::Broken(_) | Self::Silent(_) => {
                "start Redis (systemctl status redis-server) or correct redis.url; nothing is lost meanwhile, the \
                 mirror catches up by itself"
                    .into()
            }
            Self::Unresolved(_) => {
                "correct the host in redis.url, or name it in /etc/hosts or by its IP address".into()
            }
            Self::NotRedis(_) => "correct the port in redis.url".into(),
            Self::Password(_) | Self::NoTarget => {
                "make the file readable for the user of quantum-clm, or set another redis.password_file".into()
            }
            Self::Refused(line) => match refusal(line) {
                Some((_, remedy)) => remedy.into(),
                None => "look into Redis' log; the mirror tries again by itself".into(),
            },
            Self::Store(_) => "see the component `store`".into(),
            Self::Task(_) => "see the log for the panic, and report it".into(),
        }
    }
}

/// What an error line of Redis means, and what to do.
fn refusal(line: &str) -> Option<(&'static str, &'static str)> {
    let password = "set the password in redis.password_file (or in redis.url), and a user, where Redis has one, in \
                    redis.url";
    let code = line.split(' ').next().unwrap_or_default();
    Some(match code {
        "NOAUTH" => ("Redis wants a password", password),
        "WRONGPASS" => ("Redis does not take the password", password),
        "NOPERM" => (
            "Redis does not let this user do what the mirror does",
            "allow it: ACL SETUSER <user> ~quantum:* +@connection +@transaction +@stream +set +time +ping",
        ),
        "READONLY" => (
            "Redis is a read-only replica",
            "point redis.url to the master, or make this one master (REPLICAOF NO ONE)",
        ),
        "OOM" => (
            "Redis is at its memory limit",
            "raise maxmemory (CONFIG SET maxmemory …), set a maxmemory-policy that evicts, or lower redis.maxlen",
        ),
        "LOADING" => ("Redis is loading its data", "wait: the mirror goes on by itself when Redis is ready"),
        "MISCONF" => (
            "Redis cannot save to its disk and refuses writes",
            "free space on Redis' disk and look into its log, or CONFIG SET stop-writes-on-bgsave-error no",
        ),
        "WRONGTYPE" => (
            "the key of a stream or counter holds something else",
            "find it with TYPE, then RENAME or DEL it, or, where it is one of those, set another redis.stream or \
             redis.intent_stream",
        ),
        "MASTERDOWN" | "NOREPLICAS" => {
            ("Redis is a replica without its master, or a master without replicas", "repair the replication")
        }
        "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" => (
            "Redis is a cluster, which the mirror does not speak to",
            "point redis.url to a Redis without cluster mode",
        ),
        "BUSY" => ("Redis is busy with a script", "end it with SCRIPT KILL"),
        _ if line.contains("without any password configured") => (
            "Redis has no password, and one is configured",
            "remove it from redis.url and redis.password_file, or set requirepass in Redis",
        ),
        _ if line.contains("invalid password") => ("Redis does not take the password", password),
        _ if line.contains("DB index is out of range") => {
            ("Redis does not have this database", "correct the number at the end of redis.url")
        }
        _ if line.contains("max number of clients") => {
            ("Redis has no room for another client", "raise maxclients, or find who holds them (CLIENT LIST)")
        }
        _ if line.contains("exhausted the last possible ID") || line.contains("reached the last possible ID") => (
            "somebody wrote the largest possible id to the stream, so that nothing can follow it",
            "find who did, then DEL the stream: the mirror fills it again",
        ),
        _ if line.contains("unknown command") || line.contains("unknown subcommand") => {
            ("Redis does not know a command of the mirror", "use Redis 5 or later without renamed commands")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_refusal_has_its_own_remedy() {
        for (line, summary, remedy) in [
            ("NOAUTH Authentication required.", "wants a password", "redis.password_file"),
            ("WRONGPASS invalid username-password pair", "does not take", "redis.password_file"),
            ("READONLY You can't write against a read only replica.", "replica", "REPLICAOF NO ONE"),
            ("OOM command not allowed when used memory > 'maxmemory'.", "memory limit", "maxmemory"),
            ("LOADING Redis is loading the dataset in memory", "loading", "wait"),
            ("MISCONF Redis is configured to save RDB snapshots", "disk", "free space"),
            ("WRONGTYPE Operation against a key", "holds something else", "TYPE"),
            ("MOVED 1 h:1", "cluster", "without cluster"),
            ("ERR something new", "ERR something new", "log"),
        ] {
            let error = MirrorError::Refused(line.into());
            assert!(error.summary().contains(summary), "{}", error.summary());
            assert!(error.remedy().contains(remedy), "{}", error.remedy());
        }
    }
}
