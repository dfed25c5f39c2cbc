use crate::domain::performance::DailyReturns;

/// Common days from which on two trials' returns tell how alike they are.
const COMMON_DAYS: usize = 30;

/// The newest days of each that are held against those of others: a hundred records of a century each would otherwise keep
/// the writer waiting.
const COMPARED_DAYS: usize = 2_000;

/// The share of a series' own variation below which a stretch of it does not vary: what is left is rounding.
const FLAT: f64 = 1e-18;

/// Returns prepared for being held against many others: what a pair needs besides its products is a difference of two
/// sums, whichever days the two have in common. Four thousand pairs are a matter of milliseconds.
pub(super) struct Prepared {
    first_day: u32,
    /// The returns, less their mean, so that sums lose no digits.
    centred: Vec<f64>,
    /// Sums of the first `n` of them, and of their squares.
    sums: Vec<(f64, f64)>,
}

impl Prepared {
    pub(super) fn new(daily: &DailyReturns) -> Self {
        let older = daily.returns.len().saturating_sub(COMPARED_DAYS);
        let newest = daily.returns.get(older..).unwrap_or_default();
        let mean = newest.iter().sum::<f64>() / newest.len().max(1) as f64;
        let centred: Vec<f64> = newest.iter().map(|gain| gain - mean).collect();
        let mut sums = Vec::with_capacity(centred.len() + 1);
        let (mut sum, mut squares) = (0.0, 0.0);
        sums.push((sum, squares));
        for value in &centred {
            sum += value;
            squares += value * value;
            sums.push((sum, squares));
        }
        let first_day = daily.first_day.saturating_add(u32::try_from(older).unwrap_or(u32::MAX));
        Self { first_day, centred, sums }
    }

    /// The stretch of `days` days from `first` on: its values, their sum, and the sum of their squares.
    fn stretch(&self, first: u32, days: usize) -> Option<(&[f64], f64, f64)> {
        let from = usize::try_from(first.checked_sub(self.first_day)?).ok()?;
        let values = self.centred.get(from..from.checked_add(days)?)?;
        let (before, after) = (self.sums.get(from)?, self.sums.get(from + days)?);
        Some((values, after.0 - before.0, after.1 - before.1))
    }

    fn end(&self) -> u64 {
        u64::from(self.first_day) + self.centred.len() as u64
    }

    /// The correlation with another series over the days that they have in common; none where these are too few, or one
    /// of the two does not vary in them.
    pub(super) fn correlation(&self, other: &Self) -> Option<f64> {
        let first = self.first_day.max(other.first_day);
        let days = usize::try_from(self.end().min(other.end()).checked_sub(u64::from(first))?).ok()?;
        if days < COMMON_DAYS {
            return None;
        }
        let (one, one_sum, one_squares) = self.stretch(first, days)?;
        let (two, two_sum, two_squares) = other.stretch(first, days)?;
        let count = days as f64;
        let one_spread = one_squares - one_sum * one_sum / count;
        let two_spread = two_squares - two_sum * two_sum / count;
        if one_spread <= self.flat() || two_spread <= other.flat() {
            return None;
        }
        let products: f64 = one.iter().zip(two).map(|(one, two)| one * two).sum();
        let together = products - one_sum * two_sum / count;
        Some(together / (one_spread * two_spread).sqrt()).filter(|correlation| correlation.is_finite())
    }

    fn flat(&self) -> f64 {
        self.sums.last().map_or(0.0, |(_, squares)| squares * FLAT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(first_day: u32, returns: impl Iterator<Item = f64>) -> Prepared {
        Prepared::new(&DailyReturns { first_day, returns: returns.collect() })
    }

    fn wave(day: u32) -> f64 {
        f64::from(day % 7) * 0.01 - 0.02 + f64::from(day * day % 5) * 0.003
    }

    #[test]
    fn of_common_days_only() {
        let one = series(100, (100..160).map(wave));
        let scaled = series(120, (120..200).map(|day| 3.0 * wave(day) + 0.5));
        let against = series(90, (90..150).map(|day| -wave(day)));
        let close = |found: Option<f64>, expected: f64| found.is_some_and(|found| (found - expected).abs() < 1e-9);
        assert!(close(one.correlation(&scaled), 1.0), "{:?}", one.correlation(&scaled));
        assert!(close(against.correlation(&one), -1.0), "{:?}", against.correlation(&one));
        assert_eq!(one.correlation(&scaled), scaled.correlation(&one));
        // As the textbook has it, over the days 120 to 159.
        let (xs, ys): (Vec<f64>, Vec<f64>) = (120..160).map(|day| (wave(day), wave(day * 3 + 1))).unzip();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (x, y) = (mean(&xs), mean(&ys));
        let product =
            |a: &[f64], ma: f64, b: &[f64], mb: f64| -> f64 { a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum() };
        let expected = product(&xs, x, &ys, y) / (product(&xs, x, &xs, x) * product(&ys, y, &ys, y)).sqrt();
        let other = series(120, (120..300).map(|day| wave(day * 3 + 1)));
        assert!(close(one.correlation(&other), expected), "{:?}, not {expected}", one.correlation(&other));
    }

    #[test]
    fn of_the_newest_days_of_a_long_series() {
        let days = COMPARED_DAYS as u32;
        let changed = |day: u32| if day < 100 { -wave(day) } else { wave(day) };
        let (one, other) = (series(0, (0..days + 100).map(wave)), series(0, (0..days + 100).map(changed)));
        let found = one.correlation(&other);
        assert!(found.is_some_and(|found| (found - 1.0).abs() < 1e-9), "older days were compared: {found:?}");
    }

    #[test]
    fn none_where_too_little_is_known() {
        let one = series(100, (100..160).map(wave));
        assert_eq!(one.correlation(&series(131, (131..300).map(wave))), None, "29 days");
        assert!(one.correlation(&series(130, (130..300).map(wave))).is_some(), "30 days");
        assert_eq!(one.correlation(&series(160, (160..300).map(wave))), None, "no day");
        assert_eq!(one.correlation(&series(100, (100..160).map(|_| 0.01))), None, "it does not vary");
        let late = series(60, (60..160).map(|day| if day < 100 { wave(day) } else { 0.01 }));
        assert_eq!(one.correlation(&late), None, "it does not vary in those days");
        assert_eq!(one.correlation(&series(100, std::iter::empty())), None);
    }
}
