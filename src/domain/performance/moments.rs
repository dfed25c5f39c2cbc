/// Mean, standard deviation, skewness and kurtosis of a series.
///
/// Two passes: the mean first (by Neumaier's compensated sum), then the powers of the distances from it. One pass over
/// powers of the values would cancel where the mean is large against the spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many.
    pub n: u64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation with n - 1 degrees of freedom. Never zero.
    pub deviation: f64,
    /// The third standardised moment over n (biased, as in the papers).
    pub skewness: f64,
    /// The fourth standardised moment over n (biased); 3 where the values are normal.
    pub kurtosis: f64,
}

impl Moments {
    /// Of at least two values that differ; none otherwise.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = u64::try_from(values.len()).ok().filter(|n| *n >= 2)?;
        let count = n as f64;
        let mean = sum(values.iter().copied()) / count;
        let largest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let spread = values.iter().fold(0.0_f64, |most, value| most.max((value - mean).abs()));
        // What is left of equal values when the mean is taken off is rounding, not spread.
        if !spread.is_finite() || spread <= largest * 1e-14 {
            return None;
        }
        // Powers of distances as shares of the largest neither overflow nor vanish.
        let powers = |power: i32| sum(values.iter().map(|value| ((value - mean) / spread).powi(power))) / count;
        let (second, third, fourth) = (powers(2), powers(3), powers(4));
        let moments = Self {
            n,
            mean,
            deviation: spread * (second * count / (count - 1.0)).sqrt(),
            skewness: third / second.powf(1.5),
            kurtosis: fourth / (second * second),
        };
        let finite = [moments.mean, moments.deviation, moments.skewness, moments.kurtosis];
        (finite.iter().all(|figure| figure.is_finite()) && moments.deviation > 0.0).then_some(moments)
    }

    /// The Sharpe ratio a period: mean over standard deviation, the riskless rate being zero.
    pub fn sharpe(&self) -> f64 {
        self.mean / self.deviation
    }
}

/// The sum of many values without the rounding of many additions (Neumaier 1974).
pub(super) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}
