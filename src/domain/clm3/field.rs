use std::collections::BTreeMap;

use chrono::DateTime;

use super::json::Json;
use crate::domain::instant;
use crate::domain::time::Micros;

/// The longest text that is taken over.
const TEXT_BYTES: usize = 1_000;

/// The parameters of a version, names and JSON together.
const PARAMETERS_BYTES: usize = 64 << 10;

/// The most figures of a kind, and the most parameters.
const MOST: usize = 256;

/// The fields of an object, and what was wrong with those that were asked for. `null` is as good as absent.
pub(super) struct Fields<'a> {
    members: &'a BTreeMap<String, Json>,
    pub(super) notes: Vec<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(json: &'a Json) -> Result<Self, String> {
        match json {
            Json::Object(members) => Ok(Self { members, notes: Vec::new() }),
            _ => Err("it holds no JSON object".to_owned()),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Json> {
        self.members.get(name).filter(|value| **value != Json::Null)
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// A text that is not empty; one that is none is left out.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.get(name)? {
            Json::Text(text) => Some(cut(text.trim())).filter(|text| !text.is_empty()),
            _ => {
                self.note(format!("{name} is no text: left out"));
                None
            }
        }
    }

    /// A word of an enumeration, in lower case. Python writes `ModelStatus.PRODUCTION` where it is asked for the text of a
    /// member rather than for its value.
    pub(super) fn word(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let word = text.rsplit('.').next().unwrap_or(&text);
        Some(word.to_ascii_lowercase())
    }

    pub(super) fn time(&mut self, name: &str) -> Option<Micros> {
        let value = self.get(name)?;
        let at = match value {
            Json::Text(text) => time(text),
            _ => None,
        };
        if at.is_none() {
            self.note(format!("{name} is no time ({}): left out", shown(value)));
        }
        at
    }

    pub(super) fn whole(&mut self, name: &str) -> Option<u64> {
        let value = self.get(name)?;
        let whole = number(value).filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n));
        if whole.is_none() {
            self.note(format!("{name} is no whole number ({}): left out", shown(value)));
        }
        whole.map(|whole| whole as u64)
    }

    /// A figure from `least` to `most`.
    pub(super) fn figure(&mut self, name: &str, least: f64, most: f64) -> Option<f64> {
        let value = self.get(name)?;
        match number(value) {
            Some(figure) if (least..=most).contains(&figure) => Some(figure),
            Some(_) if least == 0.0 && most == 1.0 => {
                self.note(format!("{name} is {}, and not from 0 to 1: left out", shown(value)));
                None
            }
            _ => {
                self.note(format!("{name} is {}: left out", shown(value)));
                None
            }
        }
    }

    /// An object of figures; of those that are not finite, or no numbers at all, the names are told.
    pub(super) fn figures(&mut self, name: &str) -> BTreeMap<String, f64> {
        let mut figures = BTreeMap::new();
        match self.get(name) {
            None => {}
            Some(Json::Object(members)) => {
                for (key, value) in members.iter().filter(|(_, value)| **value != Json::Null) {
                    match number(value) {
                        Some(_) if key.len() > TEXT_BYTES || figures.len() >= MOST => {
                            self.note(format!("{name}.{} is too much: left out", cut_to(key, 60)));
                        }
                        Some(figure) => drop(figures.insert(key.clone(), figure)),
                        None => self.note(format!("{name}.{} is {}: left out", cut(key), shown(value))),
                    }
                }
            }
            Some(_) => self.note(format!("{name} is no object: left out")),
        }
        figures
    }

    /// An object of anything, each value as JSON that every program reads.
    pub(super) fn parameters(&mut self, name: &str) -> BTreeMap<String, String> {
        let mut parameters = BTreeMap::new();
        match self.get(name) {
            None => {}
            Some(Json::Object(members)) => {
                let mut bytes = 0;
                for (key, value) in members {
                    let json = value.portable();
                    let with_it = bytes + key.len() + json.len();
                    if with_it <= PARAMETERS_BYTES && parameters.len() < MOST {
                        bytes = with_it;
                        parameters.insert(key.clone(), json);
                    } else {
                        let most = PARAMETERS_BYTES >> 10;
                        let key = cut_to(key, 60);
                        self.note(format!("{name}.{key} is left out: more than {MOST} keys or {most} KiB"));
                    }
                }
            }
            Some(_) => self.note(format!("{name} is no object: left out")),
        }
        parameters
    }
}

/// A finite number.
fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(digits) => digits.parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// The instant that a time of the predecessor names. Without a zone it is UTC, which is what its programs took.
pub(super) fn time(text: &str) -> Option<Micros> {
    let text = text.trim();
    let text = text.strip_suffix("UTC").map_or(text, str::trim_end);
    let zoned = |format| DateTime::parse_from_str(&text.replacen('T', " ", 1), format).ok();
    let zoned = zoned("%Y-%m-%d %H:%M:%S%.f%#z").or_else(|| zoned("%Y-%m-%d %H:%M:%S%.f %#z"));
    zoned.map(|at| at.to_utc().into()).or_else(|| instant::calendar(text))
}

/// A value for a sentence.
fn shown(value: &Json) -> String {
    match value {
        Json::NotFinite(name) => (*name).to_owned(),
        Json::List(_) => "a list".to_owned(),
        Json::Object(_) => "an object".to_owned(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => cut_to(&value.portable(), 60),
    }
}

/// A text of a bearable length.
pub(super) fn cut(text: &str) -> String {
    cut_to(text, TEXT_BYTES)
}

pub(super) fn cut_to(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most - '…'.len_utf8()).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_the_predecessor_wrote_them() {
        for (text, expected) in [
            ("2026-01-17 03:46:06.123456", 1_768_621_566_123_456),
            ("2026-01-17T03:46:06.123456", 1_768_621_566_123_456),
            ("2026-01-17 03:46:06", 1_768_621_566_000_000),
            ("2026-01-17T03:46:06Z", 1_768_621_566_000_000),
            ("2026-01-17 04:46:06+01:00", 1_768_621_566_000_000),
            ("2026-01-17T04:46:06.5+0100", 1_768_621_566_500_000),
            ("2026-01-17 03:46:06 +00:00", 1_768_621_566_000_000),
            ("2026-01-17 03:46:06 UTC", 1_768_621_566_000_000),
            ("2026-01-17", 1_768_608_000_000_000),
        ] {
            assert_eq!(time(text), Some(Micros(expected)), "{text}");
        }
        for text in ["", "now", "yesterday", "-2h", "17.01.2026", "2026-13-01 00:00:00", "None"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut_to("ääää", 8), "ääää");
        assert_eq!(cut_to("äääää", 8), "ää…");
    }
}
