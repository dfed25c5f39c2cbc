//! How many events a batch has.

use std::time::Duration;

/// After an interrupted batch, the next is as small as this; it grows again by itself. A busy foreign writer leaves
/// Redis to us for a millisecond at a time.
const CONTENDED: usize = 100;

/// No batch is made smaller than this: a link that does not carry so few is none.
const FEWEST: usize = 10;

/// The size of the next batch. A link that is too slow for a whole one gets smaller ones, instead of the same one again
/// and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchSize {
    most: usize,
    /// How long an answer is waited for.
    answer: Duration,
}

impl BatchSize {
    /// No limit at first: only what Redis should carry out in one go.
    pub(super) fn new(answer: Duration) -> Self {
        Self { most: usize::MAX, answer }
    }

    /// As many events at most.
    pub(super) fn most(self) -> usize {
        self.most
    }

    /// A batch of `events` was carried out within `took`. It shrinks before it takes too long: a timeout costs a
    /// connection and all that was sent.
    pub(super) fn landed(&mut self, events: usize, took: Duration) {
        if took < self.answer / 4 {
            self.most = self.most.saturating_mul(2);
        } else if took > self.answer / 2 {
            self.halve(events);
        }
    }

    /// Somebody else wrote meanwhile.
    pub(super) fn contended(&mut self) {
        self.most = CONTENDED;
    }

    /// The answer to a batch of `events` did not come.
    pub(super) fn lost(&mut self, events: usize) {
        self.halve(events);
    }

    fn halve(&mut self, events: usize) {
        self.most = (events / 2).max(FEWEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: Duration = Duration::from_secs(10);

    /// Sends batches of at most 2,000 events over a link that carries `rate` a second; the sizes, and how many failed.
    fn send(size: &mut BatchSize, rate: f64, batches: usize) -> (Vec<usize>, usize) {
        let (mut sizes, mut lost) = (Vec::new(), 0);
        for _ in 0..batches {
            let events = size.most().min(2_000);
            let took = Duration::from_secs_f64(events as f64 / rate);
            if took > ANSWER {
                size.lost(events);
                lost += 1;
            } else {
                size.landed(events, took);
            }
            sizes.push(events);
        }
        (sizes, lost)
    }

    #[test]
    fn batches_fit_the_link() {
        for (rate, most_lost) in [(1_000_000.0, 0), (150.0, 1), (20.0, 4), (1.5, 8)] {
            let mut size = BatchSize::new(ANSWER);
            let (_, lost) = send(&mut size, rate, 20);
            assert!(lost <= most_lost, "{lost} lost at {rate} events a second");
            let (sizes, lost) = send(&mut size, rate, 100);
            assert_eq!(lost, 0, "at {rate} events a second, once the size is found: {sizes:?}");
            // When the link is good again, so are the batches.
            let (sizes, _) = send(&mut size, 1_000_000.0, 20);
            assert_eq!(sizes.last(), Some(&2_000));
        }
    }

    #[test]
    fn a_link_that_carries_nothing_and_a_busy_writer() {
        let mut size = BatchSize::new(ANSWER);
        send(&mut size, 0.1, 50);
        assert_eq!(size.most(), FEWEST);
        size.contended();
        assert_eq!(size.most(), CONTENDED);
    }
}
