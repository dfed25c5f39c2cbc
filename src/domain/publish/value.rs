use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::domain::event::{Decision, Level};
use crate::domain::time::Micros;

/// A string.
pub(super) fn text(raw: &RawValue) -> Result<Cow<'_, str>, String> {
    let text = raw.get();
    let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Err("must be a string".to_owned());
    };
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inside));
    }
    serde_json::from_str(text).map(Cow::Owned).map_err(|error| super::line::json_error(&error, false))
}

/// A name: of a unit, a host, a trading pair. It stands in keys and on one line with others, so it has no blanks.
pub(super) fn name(raw: &RawValue, most: usize) -> Result<Cow<'_, str>, String> {
    let name = text(raw)?;
    if name.is_empty() || name.len() > most {
        return Err(format!("must have 1 to {most} bytes"));
    }
    if name.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return Err("must have neither blanks nor control characters".to_owned());
    }
    Ok(name)
}

/// An instant within what is taken.
pub(super) fn instant(raw: &RawValue, oldest: Micros, newest: Micros) -> Result<Micros, String> {
    let number = raw.get();
    let at: Micros = if number.starts_with('"') { text(raw)?.parse() } else { number.parse() }
        .map_err(|_| "must be microseconds since the epoch or RFC 3339".to_owned())?;
    if at < oldest {
        return Err(format!(
            "{} is older than {}, the oldest that is kept (microseconds since the epoch are expected)",
            at.rfc3339(),
            oldest.rfc3339()
        ));
    }
    if at > newest {
        return Err(format!("{} is more than a day ahead of this machine's clock", at.rfc3339()));
    }
    Ok(at)
}

/// A severity: a name, or a syslog priority as a string or a number.
pub(super) fn level(raw: &RawValue) -> Result<Level, String> {
    let number = raw.get();
    let level = if number.starts_with('"') { text(raw)?.parse() } else { number.parse() };
    level.map_err(|error: crate::domain::event::BadLevel| error.to_string())
}

/// A decision.
pub(super) fn decision(raw: &RawValue) -> Result<Decision, String> {
    text(raw)?.parse().map_err(|error: crate::domain::event::BadDecision| error.to_string())
}

/// A confidence.
pub(super) fn confidence(raw: &RawValue) -> Result<f64, String> {
    let confidence = serde_json::from_str(raw.get()).ok().filter(|confidence| (0.0..=1.0).contains(confidence));
    confidence.ok_or_else(|| "must be a number from 0 to 1".to_owned())
}
