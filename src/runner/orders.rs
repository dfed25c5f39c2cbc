//! What a supervisor makes of its worker's orders: whether the program has to be ended, and until when it may go on.

use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::identity::millis_since_boot;
use super::name;
use super::order::{Order, Word};
use super::record::How;

/// How long the first order may take to be whole: it may just be renewed.
const FIRST: (u32, Duration) = (100, Duration::from_millis(10));

/// Why a program is ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) how: How,
    /// The time that it has to end by itself.
    pub(super) grace: Duration,
}

/// The orders of a run, as its supervisor reads them.
#[derive(Debug)]
pub(super) struct Orders {
    path: PathBuf,
    /// As the last order said that could be read: one that cannot be read puts nothing off.
    until: u64,
}

impl Orders {
    /// Those in a run's directory.
    pub(super) fn of(directory: &Path) -> Self {
        Self { path: directory.join(name::ORDER), until: 0 }
    }

    /// Whether the program may begin at all.
    pub(super) fn may_begin(&mut self) -> Result<(), How> {
        for _ in 0..FIRST.0 {
            let stop = self.look(millis_since_boot());
            match stop {
                None => return Ok(()),
                Some(stop) if self.until > 0 => return Err(stop.how),
                Some(_) => thread::sleep(FIRST.1),
            }
        }
        Err(How::Fenced)
    }

    /// What the worker wants, or no longer allows.
    pub(super) fn look(&mut self, now: u64) -> Option<Stop> {
        let stop = |how, grace| Some(Stop { how, grace });
        let order = match Order::read(&self.path) {
            Ok(order) => order,
            // Whoever removes a run's directory wants nothing of it any more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return stop(How::Fenced, Duration::ZERO),
            Err(_) => None,
        };
        self.until = order.map_or(self.until, |order| order.until);
        match order {
            Some(Order { word: Word::Kill, .. }) => stop(How::Cancelled, Duration::ZERO),
            _ if now > self.until => stop(How::Fenced, Duration::ZERO),
            Some(order @ Order { word: Word::Cancel, .. }) => stop(How::Cancelled, order.grace()),
            // It goes on, or its next order is being written at this moment.
            Some(Order { word: Word::Run, .. }) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_order_that_cannot_be_read_puts_nothing_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name::ORDER);
        let mut orders = Orders::of(directory.path());
        Order::run(1_000).write(&path).unwrap();
        assert_eq!(orders.look(1_000), None);
        let fenced = Some(Stop { how: How::Fenced, grace: Duration::ZERO });
        // Half of one; nonsense; what is no file.
        fs::write(&path, "0000").unwrap();
        assert_eq!((orders.look(999), orders.look(1_001)), (None, fenced));
        fs::write(&path, [b'x'; 200]).unwrap();
        assert!(orders.look(1_000).is_none() && orders.look(1_001).is_some());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(orders.look(1_000).is_none() && orders.look(1_001).is_some());
        fs::remove_dir(&path).unwrap();
        Order::run(2_000).write(&path).unwrap();
        assert_eq!(orders.look(1_001), None);
        fs::remove_file(&path).unwrap();
        assert!(orders.look(1_001).is_some(), "nobody wants it any more");
    }

    #[test]
    fn nothing_begins_when_its_lease_is_over_or_nobody_can_say() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name::ORDER);
        let may = || Orders::of(directory.path()).may_begin();
        Order::run(1).write(&path).unwrap();
        assert_eq!(may(), Err(How::Fenced));
        Order { word: Word::Cancel, ..Order::run(u64::MAX) }.write(&path).unwrap();
        assert_eq!(may(), Err(How::Cancelled));
        Order::run(u64::MAX).write(&path).unwrap();
        assert_eq!(may(), Ok(()));
        fs::write(&path, "0000").unwrap();
        assert_eq!(may(), Err(How::Fenced));
    }
}
