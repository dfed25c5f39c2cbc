//! How figures stand in notes.

/// A figure with three decimals, or as many more as it takes to tell it from the threshold that it is held against:
/// 0.9499 is not "0.950, below 0.95".
pub(super) fn figure(value: f64, threshold: f64) -> String {
    let text = |decimals: usize| format!("{value:.decimals$}");
    let differs = |text: &String| value == threshold || text.parse() != Ok(threshold);
    (3..=12).map(text).find(differs).unwrap_or_else(|| format!("{value}"))
}

/// A probability with three decimals, more near its ends: nothing is certain.
pub(super) fn probability(value: f64, threshold: f64) -> String {
    let text = figure(value, threshold);
    match text.as_str() {
        "1.000" => "over 0.999".to_owned(),
        "0.000" => "under 0.001".to_owned(),
        _ => text,
    }
}

/// A threshold as the configuration writes it: 1.0, 0.52.
pub(super) fn threshold(value: f64) -> String {
    format!("{value:?}")
}

/// A number of things: "1 day", "14 days".
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_show_on_which_side_of_the_threshold_they_are() {
        for (value, threshold, shown) in [
            (1.45, 1.0, "1.450"),
            (0.9499, 0.95, "0.9499"),
            (0.999_999_9, 1.0, "0.9999999"),
            (0.95, 0.95, "0.950"),
            (1e-13, 0.0, "0.0000000000001"),
        ] {
            assert_eq!(figure(value, threshold), shown);
        }
        assert_eq!(probability(0.999_99, 0.95), "over 0.999");
        assert_eq!(probability(1e-9, 0.95), "under 0.001");
        assert_eq!((count(1, "day"), count(14, "day")), ("1 day".to_owned(), "14 days".to_owned()));
    }
}
