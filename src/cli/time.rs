use chrono::Utc;

use crate::domain::instant;
use crate::domain::time::Micros;

/// How long ago, roughly: `40 s`, `12 min`, `3 h`, `9 d`.
pub(super) fn age(now: Micros, then: Micros) -> String {
    let seconds = now.minus(then.0).seconds();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// What `--since` and `--until` hold.
pub(super) fn instant(text: &str) -> Result<Micros, String> {
    instant::parse(text, Micros::from(Utc::now())).map_err(|error| error.to_string())
}
