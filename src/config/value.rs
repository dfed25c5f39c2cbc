//! How values are written: in the file, in a variable, and shown.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::redis_target::redacted;
use crate::domain::event::Level;

/// What is wrong with a value of the file.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    /// The offset in the file's bytes, where it is known.
    pub(super) at: Option<usize>,
    /// What, in the words that follow the key's name.
    pub(super) message: String,
}

impl Fault {
    pub(super) fn at<T>(place: &Spanned<T>, message: impl Into<String>) -> Self {
        Self { at: Some(place.span().start), message: message.into() }
    }

    pub(super) fn because(self, message: String) -> Self {
        Self { message, ..self }
    }
}

/// How a value is read and shown.
pub(super) trait Codec: 'static {
    /// What it is in [`super::Config`].
    type Value: 'static;

    /// Reads what a variable or a flag holds.
    fn text(text: &str) -> Result<Self::Value, String>;

    /// Reads what the file holds: text, unless the codec knows better.
    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Fault> {
        Self::text(string(value, "text in quotes")?).map_err(|message| Fault::at(value, message))
    }

    /// The value as JSON, which the file could hold too.
    fn show(value: &Self::Value) -> Value;
}

pub(super) fn wrong<T>(value: &Spanned<DeValue<'_>>, expected: &str) -> Result<T, Fault> {
    let found = match value.get_ref() {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Err(Fault::at(value, format!("expected {expected}, found {found}")))
}

fn string<'a>(value: &'a Spanned<DeValue<'_>>, expected: &str) -> Result<&'a str, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        _ => wrong(value, expected),
    }
}

pub(super) fn table<'a, 'i>(value: &'a Spanned<DeValue<'i>>) -> Result<&'a DeTable<'i>, Fault> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(table),
        _ => wrong(value, "a table"),
    }
}

/// The check of a value whose type says it all.
pub(super) fn anything<T>(_: &T) -> Result<(), String> {
    Ok(())
}

/// The check of a path that must be there.
pub(super) fn a_file(path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() { Err("is empty: name a file".into()) } else { Ok(()) }
}

/// The check of a number's range.
pub(super) fn within(number: u64, least: u64, most: u64) -> Result<(), String> {
    if (least..=most).contains(&number) { Ok(()) } else { Err(format!("must be from {least} to {most}")) }
}

/// Text as it is.
pub(super) struct Text;

impl Codec for Text {
    type Value = String;

    fn text(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn show(text: &String) -> Value {
        json!(text)
    }
}

/// A Redis URL, shown without its password.
pub(super) struct RedisUrl;

impl Codec for RedisUrl {
    type Value = String;

    fn text(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn show(url: &String) -> Value {
        json!(redacted(url))
    }
}

/// A path.
pub(super) struct File;

impl Codec for File {
    type Value = PathBuf;

    fn text(text: &str) -> Result<PathBuf, String> {
        if text.contains('\0') { Err("is not a path: it holds a NUL".into()) } else { Ok(PathBuf::from(text)) }
    }

    fn show(path: &PathBuf) -> Value {
        json!(path.to_string_lossy())
    }
}

/// A path, or `""` for none.
pub(super) struct OptionalFile;

impl Codec for OptionalFile {
    type Value = Option<PathBuf>;

    fn text(text: &str) -> Result<Option<PathBuf>, String> {
        Ok(Some(File::text(text)?).filter(|path| !path.as_os_str().is_empty()))
    }

    fn show(path: &Option<PathBuf>) -> Value {
        json!(path.as_ref().map_or_else(String::new, |path| path.to_string_lossy().into_owned()))
    }
}

/// A whole number, with `_` between digits if it helps.
pub(super) struct Whole<T>(PhantomData<T>);

impl<T: TryFrom<u64> + Into<u64> + Copy + 'static> Codec for Whole<T> {
    type Value = T;

    fn text(text: &str) -> Result<T, String> {
        let digits = text.trim().replace('_', "");
        let number = digits.parse::<u64>().map_err(|_| format!("expected a whole number, found {}", quoted(text)))?;
        T::try_from(number).map_err(|_| format!("{number} is too large"))
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<T, Fault> {
        let DeValue::Integer(digits) = value.get_ref() else { return wrong(value, "a whole number") };
        u64::from_str_radix(digits.as_str(), digits.radix())
            .ok()
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| Fault::at(value, format!("{digits} is negative or too large")))
    }

    fn show(number: &T) -> Value {
        json!((*number).into())
    }
}

/// Bytes: `"8GiB"`, `"500 MB"`, or a plain number.
pub(super) struct Size;

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Codec for Size {
    type Value = u64;

    fn text(text: &str) -> Result<u64, String> {
        let bad = || format!("expected a size such as \"500MiB\" or \"8GiB\", found {}", quoted(text));
        let (number, unit) = number_and_unit(text).ok_or_else(bad)?;
        let scale = match unit {
            "" => 1,
            _ => SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(bad)?.1,
        };
        number.checked_mul(scale).ok_or_else(|| format!("{text} is too large"))
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<u64, Fault> {
        match value.get_ref() {
            DeValue::Integer(_) => Whole::<u64>::toml(value),
            _ => Self::text(string(value, "a size such as \"8GiB\"")?).map_err(|message| Fault::at(value, message)),
        }
    }

    fn show(bytes: &u64) -> Value {
        json!(with_unit(*bytes, &SIZE_UNITS))
    }
}

/// A duration: `"500ms"`, `"2s"`, `"1m"`.
pub(super) struct Time;

const TIME_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Codec for Time {
    type Value = Duration;

    fn text(text: &str) -> Result<Duration, String> {
        let bad = || format!("expected a duration such as \"500ms\" or \"2s\", found {}", quoted(text));
        let (number, unit) = number_and_unit(text).ok_or_else(bad)?;
        let (_, millis) = TIME_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        number.checked_mul(*millis).map(Duration::from_millis).ok_or_else(|| format!("{text} is too long"))
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Duration, Fault> {
        let text = string(value, "a duration in quotes, with its unit, such as \"500ms\"")?;
        Self::text(text).map_err(|message| Fault::at(value, message))
    }

    fn show(duration: &Duration) -> Value {
        json!(with_unit(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &TIME_UNITS))
    }
}

/// `number` in the largest of `units` (in falling order) that leaves no rest.
fn with_unit(number: u64, units: &[(&str, u64)]) -> String {
    units
        .iter()
        .find(|(_, scale)| number >= *scale && number.is_multiple_of(*scale))
        .map_or_else(|| number.to_string(), |(unit, scale)| format!("{}{unit}", number / scale))
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    Some((text[..end].replace('_', "").parse().ok()?, text[end..].trim()))
}

/// A word of a fixed set.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// Each word with what it means.
    const ALL: &'static [(&'static str, Self)];
}

/// One of a [`Choice`]'s words.
pub(super) struct OneOf<T>(PhantomData<T>);

impl<T: Choice> Codec for OneOf<T> {
    type Value = T;

    fn text(text: &str) -> Result<T, String> {
        T::ALL.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = T::ALL.iter().map(|(word, _)| format!("{word:?}")).collect();
            format!("expected one of {}, found {}", words.join(", "), quoted(text))
        })
    }

    fn show(value: &T) -> Value {
        json!(T::ALL.iter().find(|(_, other)| other == value).map_or("", |(word, _)| word))
    }
}

/// Yes or no.
pub(super) struct Switch;

impl Codec for Switch {
    type Value = bool;

    fn text(text: &str) -> Result<bool, String> {
        text.trim().parse().map_err(|_| format!("expected true or false, found {}", quoted(text)))
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<bool, Fault> {
        match value.get_ref() {
            DeValue::Boolean(is) => Ok(*is),
            _ => wrong(value, "true or false"),
        }
    }

    fn show(is: &bool) -> Value {
        json!(is)
    }
}

/// A syslog severity, by name or by number.
pub(super) struct Severity;

impl Codec for Severity {
    type Value = Level;

    fn text(text: &str) -> Result<Level, String> {
        text.parse().map_err(|error: crate::domain::event::BadLevel| error.to_string())
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Level, Fault> {
        match value.get_ref() {
            DeValue::Integer(digits) => Self::text(digits.as_str()),
            _ => Self::text(string(value, "a severity such as \"warning\"")?),
        }
        .map_err(|message| Fault::at(value, message))
    }

    fn show(level: &Level) -> Value {
        json!(level.name())
    }
}

/// A list of words; in a variable with blanks or commas between them.
pub(super) struct Words;

impl Codec for Words {
    type Value = Vec<String>;

    fn text(text: &str) -> Result<Vec<String>, String> {
        Ok(words(text).map(str::to_owned).collect())
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Fault> {
        let DeValue::Array(items) = value.get_ref() else { return wrong(value, "a list such as [\"one\", \"two\"]") };
        items.iter().map(|item| string(item, "text in quotes").map(str::to_owned)).collect()
    }

    fn show(items: &Vec<String>) -> Value {
        json!(items)
    }
}

/// What can stand in a [`ListOf`].
pub(super) trait Item: Sized + 'static {
    /// Reads one word; what is wrong with it otherwise.
    fn parse(word: &str) -> Result<Self, String>;

    /// The word.
    fn show(&self) -> String;
}

/// A list of things that are written as words; in a variable with blanks or commas between them.
pub(super) struct ListOf<T>(PhantomData<T>);

impl<T: Item> Codec for ListOf<T> {
    type Value = Vec<T>;

    fn text(text: &str) -> Result<Vec<T>, String> {
        words(text).map(T::parse).collect()
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Vec<T>, Fault> {
        let DeValue::Array(items) = value.get_ref() else { return wrong(value, "a list such as [\"one\", \"two\"]") };
        let read = |item| T::parse(string(item, "text in quotes")?).map_err(|message| Fault::at(item, message));
        items.iter().map(read).collect()
    }

    fn show(items: &Vec<T>) -> Value {
        json!(items.iter().map(T::show).collect::<Vec<_>>())
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

/// A table of names and words; in a variable `name=word`, with blanks or commas between them.
pub(super) struct Pairs;

impl Codec for Pairs {
    type Value = BTreeMap<String, String>;

    fn text(text: &str) -> Result<Self::Value, String> {
        let mut pairs = BTreeMap::new();
        for pair in words(text) {
            let (name, word) =
                pair.split_once('=').ok_or_else(|| format!("expected name=value, found {}", quoted(pair)))?;
            if pairs.insert(name.to_owned(), word.to_owned()).is_some() {
                return Err(format!("{name:?} is given twice: remove one"));
            }
        }
        Ok(pairs)
    }

    fn toml(value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Fault> {
        let mut pairs = BTreeMap::new();
        for (name, value) in table(value)? {
            let name = name.get_ref();
            let word = string(value, "text in quotes").map_err(|fault| match value.get_ref() {
                DeValue::Table(_) => Fault::at(
                    value,
                    format!("{name:?} is a table: a name with a dot needs quotes, \"name.service\" = \"word\""),
                ),
                _ => fault,
            })?;
            pairs.insert(name.to_string(), word.to_owned());
        }
        Ok(pairs)
    }

    fn show(pairs: &Self::Value) -> Value {
        json!(pairs)
    }
}

/// `text` in quotes, cut where it is long and with control characters escaped.
pub(super) fn quoted(text: &str) -> String {
    let start: String = text.chars().take(64).collect();
    if start.len() < text.len() { format!("{start:?}…") } else { format!("{start:?}") }
}

/// `value` as the file writes it on one line.
pub(super) fn to_toml(value: &Value) -> String {
    match value {
        // JSON's escapes are TOML's, but for DEL, which TOML wants escaped.
        Value::String(text) => Value::from(text.as_str()).to_string().replace('\u{7f}', "\\u007f"),
        Value::Array(items) => format!("[{}]", items.iter().map(to_toml).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let pairs: Vec<_> = map
                .iter()
                .map(|(name, value)| {
                    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    let name = if !name.is_empty() && name.chars().all(bare) {
                        name.clone()
                    } else {
                        to_toml(&Value::from(name.as_str()))
                    };
                    format!("{name} = {}", to_toml(value))
                })
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("8GiB", Ok(8 << 30)),
            ("8 gib", Ok(8 << 30)),
            ("500MB", Ok(500_000_000)),
            ("1_024", Ok(1024)),
            ("12B", Ok(12)),
            ("8G", Err("expected a size such as \"500MiB\" or \"8GiB\", found \"8G\"".to_owned())),
            ("", Err("expected a size such as \"500MiB\" or \"8GiB\", found \"\"".to_owned())),
            ("99999999999TiB", Err("99999999999TiB is too large".to_owned())),
        ] {
            assert_eq!(Size::text(text), expected);
        }
        for (bytes, shown) in [(8 << 30, "8GiB"), (500_000_000, "500MB"), (1, "1B"), (0, "0"), (1536, "1536B")] {
            assert_eq!(Size::show(&bytes), json!(shown));
            assert_eq!(Size::text(shown), Ok(bytes));
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in
            [("500ms", Some(500)), ("2s", Some(2000)), ("1m", Some(60_000)), ("5", None), ("s", None), ("1 y", None)]
        {
            assert_eq!(Time::text(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
        for (millis, shown) in [(500, "500ms"), (2000, "2s"), (90_000, "90s"), (3_600_000, "1h"), (0, "0")] {
            assert_eq!(Time::show(&Duration::from_millis(millis)), json!(shown));
        }
    }

    #[test]
    fn pairs() {
        let expected = BTreeMap::from([("a.service".to_owned(), "x".to_owned())]);
        assert_eq!(Pairs::text(" a.service=x, "), Ok(expected));
        assert!(Pairs::text("a.service").is_err());
        assert!(Pairs::text("a=1 a=2").is_err());
    }

    #[test]
    fn toml_text() {
        for (value, text) in [
            (json!("a\"b\\\u{1b}\u{7f}é"), r#""a\"b\\\u001b\u007fé""#),
            (json!(["a", 1]), r#"["a", 1]"#),
            (json!({}), "{}"),
            (json!({"a.b": {"c-d": 1}}), r#"{ "a.b" = { c-d = 1 } }"#),
        ] {
            assert_eq!(to_toml(&value), text);
            assert!(DeTable::parse(&format!("x = {text}")).is_ok(), "{text}");
        }
    }
}
