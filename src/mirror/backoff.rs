use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

/// Growing pauses with jitter, so that many who lost one Redis do not all come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
    random: RandomState,
    drawn: u64,
}

impl Backoff {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first, random: RandomState::new(), drawn: 0 }
    }

    /// It works again.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// The next pause: between half and all of a step that doubles.
    pub(super) fn pause(&mut self) -> Duration {
        let step = self.next.min(self.most);
        self.next = (step * 2).min(self.most);
        self.drawn += 1;
        // RandomState is seeded by the system: enough for jitter, and no dependency.
        let thousandths = (self.random.hash_one(self.drawn) % 501) as u32;
        step / 2 + step * thousandths / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let (first, most) = (Duration::from_millis(200), Duration::from_secs(30));
        let mut backoff = Backoff::new(first, most);
        let mut step = first;
        for _ in 0..20 {
            let pause = backoff.pause();
            assert!(pause >= step / 2 && pause <= step, "{pause:?} for a step of {step:?}");
            step = (step * 2).min(most);
        }
        backoff.reset();
        assert!(backoff.pause() <= first);
    }
}
