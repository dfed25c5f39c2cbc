use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

/// What the worker tells the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Go on.
    Run,
    /// End it, with time to end by itself.
    Cancel,
    /// End it now.
    Kill,
}

/// The file `order`. It has one size and is written in place, so that a lease is renewed and a program called off on a disk
/// that is full. What is half written is seen by its two halves: both say the same, or it is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Until when the supervisor may go on, in milliseconds since the boot.
    pub(super) until: u64,
    pub(super) word: Word,
    /// How long the program has to end by itself, in milliseconds.
    pub(super) grace: u64,
}

const HALF: usize = 48;

impl Order {
    pub(super) fn run(until: u64) -> Self {
        Self { until, word: Word::Run, grace: 0 }
    }

    pub(super) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace)
    }

    /// Writes it, over the one before.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let half = self.half();
        file.write_all_at(format!("{half}{half}").as_bytes(), 0)
    }

    /// Reads it; none while it is being written.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut bytes = [0; 2 * HALF];
        match File::open(path)?.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let (first, second) = bytes.split_at(HALF);
        Ok(std::str::from_utf8(first).ok().filter(|_| first == second).and_then(Self::parse))
    }

    fn half(&self) -> String {
        let word = match self.word {
            Word::Run => "run",
            Word::Cancel => "cancel",
            Word::Kill => "kill",
        };
        format!("{:020} {word:<6} {:019}\n", self.until, self.grace.min(1 << 60))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let until = words.next()?.parse().ok()?;
        let word = match words.next()? {
            "run" => Word::Run,
            "cancel" => Word::Cancel,
            "kill" => Word::Kill,
            _ => return None,
        };
        Some(Self { until, word, grace: words.next()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written_and_half_of_one_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("order");
        assert!(Order::read(&path).is_err());
        for order in [
            Order::run(0),
            Order { until: u64::MAX, word: Word::Cancel, grace: 30_000 },
            Order { until: 12, word: Word::Kill, grace: u64::MAX },
        ] {
            order.write(&path).unwrap();
            let read = Order::read(&path).unwrap().unwrap();
            assert_eq!((read.until, read.word), (order.until, order.word));
        }
        let written = std::fs::read(&path).unwrap();
        assert_eq!(written.len(), 2 * HALF);
        let mut torn = written.clone();
        torn[..HALF].copy_from_slice(Order::run(99).half().as_bytes());
        std::fs::write(&path, &torn).unwrap();
        assert_eq!(Order::read(&path).unwrap(), None);
        std::fs::write(&path, &written[..HALF]).unwrap();
        assert_eq!(Order::read(&path).unwrap(), None);
    }
}
