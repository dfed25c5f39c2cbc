use std::fmt;
use std::io::{self, IsTerminal};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// The variable that says what to log: `debug`, `info,quantum_clm::mirror=debug`, ….
pub const FILTER_VARIABLE: &str = "QUANTUM_CLM_LOG";

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter does not parse.
    #[error("{FILTER_VARIABLE}={value:?} is no filter ({source}): write a level such as info, or module=level")]
    Filter {
        /// What it says.
        value: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else logs already.
    #[error("logging is set up already")]
    Twice,
}

/// Sends log lines to standard error: with priorities and nothing else where journald reads it, for people otherwise.
/// Panics become log lines too.
pub fn init() -> Result<(), LoggingError> {
    let value = std::env::var(FILTER_VARIABLE).ok().filter(|value| !value.is_empty());
    let value = value.unwrap_or_else(|| "info".to_owned());
    let filter = EnvFilter::try_new(&value).map_err(|source| LoggingError::Filter { value, source })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if journald_reads_stderr() {
        lines.event_format(ForJournal).try_init()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).with_target(false).try_init()
    }
    .map_err(|_| LoggingError::Twice)?;
    super::panics::log_panics();
    Ok(())
}

/// `$JOURNAL_STREAM` is `device:inode` of the stream to journald. It is inherited by everything that a service starts,
/// also by what writes elsewhere, so standard error is compared with it.
fn journald_reads_stderr() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// `<priority>message field=value`: sd-daemon(3)'s prefix, with the time left to journald.
struct ForJournal;

impl<S, N> FormatEvent<S, N> for ForJournal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        context.field_format().format_fields(Writer::new(&mut line), event)?;
        // A second line would reach journald as a record of its own, without a priority.
        let line = line.trim_end().replace('\n', "\\n");
        writeln!(out, "<{}>{line}", priority(*event.metadata().level()))
    }
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn journald_gets_one_line_with_a_priority_an_event() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_writer(move || writer.clone())
            .event_format(ForJournal)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(component = "mirror", "cannot\nreach {}", "redis");
            tracing::warn!("w");
            tracing::info!("i");
            tracing::debug!("d");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "<3>cannot\\nreach redis component=\"mirror\"\n<4>w\n<6>i\n<7>d\n");
    }
}
