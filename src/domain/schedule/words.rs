//! How evidence and decisions are written. They are read later, and elsewhere, so instants are whole and in UTC.

use crate::domain::time::Micros;

const MINUTE: u64 = 60 * Micros::SECOND;

/// `2026-01-17 03:46 UTC`. A minute that has begun is counted, so that nothing happens before what was said.
pub fn instant(at: Micros) -> String {
    Micros(at.0.div_ceil(MINUTE) * MINUTE).datetime().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `7 days`, `36 hours`, `5 minutes`: in the largest unit that leaves no rest, or in two.
pub fn span(micros: u64) -> String {
    let units = [(Micros::DAY, "day"), (Micros::HOUR, "hour"), (MINUTE, "minute")];
    let named = |count: u64, unit: &str| if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") };
    if let Some((unit, name)) = units.into_iter().find(|(unit, _)| micros >= *unit && micros.is_multiple_of(*unit)) {
        return named(micros / unit, name);
    }
    match micros {
        0..MINUTE => "less than a minute".to_owned(),
        MINUTE..Micros::HOUR => named(micros / MINUTE, "minute"),
        Micros::HOUR..Micros::DAY => {
            let (hours, minutes) = (micros / Micros::HOUR, micros % Micros::HOUR / MINUTE);
            if minutes == 0 {
                named(hours, "hour")
            } else {
                format!("{} {}", named(hours, "hour"), named(minutes, "minute"))
            }
        }
        _ => {
            let (days, hours) = (micros / Micros::DAY, micros % Micros::DAY / Micros::HOUR);
            if hours == 0 { named(days, "day") } else { format!("{} {}", named(days, "day"), named(hours, "hour")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_instants() {
        for (micros, text) in [
            (7 * Micros::DAY, "7 days"),
            (36 * Micros::HOUR, "36 hours"),
            (36 * Micros::HOUR + 1, "1 day 12 hours"),
            (Micros::DAY, "1 day"),
            (90 * MINUTE, "90 minutes"),
            (90 * MINUTE + 1, "1 hour 30 minutes"),
            (Micros::HOUR + 1, "1 hour"),
            (MINUTE + 1, "1 minute"),
            (59 * Micros::SECOND, "less than a minute"),
        ] {
            assert_eq!(span(micros), text);
        }
        let at: Micros = "2026-01-17T03:46:06Z".parse().expect("an instant");
        assert_eq!(instant(at), "2026-01-17 03:47 UTC");
    }
}
