use std::time::Duration;

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// How often, and after which pauses, a job is tried again that failed through no fault of its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// So many in a row are borne.
    pub setbacks: u32,
    /// The pause after the first; every further one is twice as long, up to 30 minutes.
    pub first: Duration,
}

impl Patience {
    /// The pause after the `setbacks`th in a row; `None` once there were too many.
    pub fn pause(&self, setbacks: u32) -> Option<Duration> {
        let doublings = setbacks.saturating_sub(1).min(31);
        (setbacks <= self.setbacks).then(|| self.first.saturating_mul(1 << doublings).min(LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_an_hour_and_come_to_an_end() {
        let patience = Patience { setbacks: 9, first: Duration::from_secs(30) };
        let pauses: Vec<_> = (1..=10).map(|n| patience.pause(n).map(|pause| pause.as_secs())).collect();
        let expected = [30, 60, 120, 240, 480, 960, 1_800, 1_800, 1_800].map(Some);
        assert_eq!(pauses[..9], expected);
        assert_eq!(pauses[9], None);
        let most = Patience { setbacks: u32::MAX, first: Duration::MAX };
        assert_eq!(most.pause(u32::MAX), Some(LONGEST), "it overflows");
    }
}
