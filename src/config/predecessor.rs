use std::collections::BTreeMap;

use crate::domain::source::has_unit_type;

/// The predecessor's variables and the keys they become.
pub(super) const VARIABLES: [(&str, &str); 7] = [
    ("UTF_REDIS_URL", "redis.url"),
    ("UTF_STREAM", "redis.stream"),
    ("UTF_MAXLEN", "redis.maxlen"),
    ("UTF_UNITS", "journal.units"),
    ("CLM_INTENT_STREAM", "redis.intent_stream"),
    ("CLM_ERROR_THRESHOLD_PER_HOUR", "rules.error_rate.threshold_per_hour"),
    ("CLM_CONSUMER", "redis.consumer"),
];

/// Its variables that have no effect here, and why.
pub(super) const WITHOUT_EFFECT: [(&str, &str); 2] = [
    ("UTF_POLL_SEC", "the journal is followed, not polled"),
    ("CLM_GROUP", "intents come from the data file, not from a consumer group"),
];

/// Its files, in the directory that holds them.
pub(super) const FILES: [&str; 2] = ["utf.env", "clm.env"];

/// What a variable's value is for us: it handed units to `journalctl -u`, which adds the type that is missing.
pub(super) fn translated(key: &str, value: &str) -> String {
    if key != "journal.units" {
        return value.to_owned();
    }
    value
        .split_ascii_whitespace()
        .map(|unit| if has_unit_type(unit) { unit.to_owned() } else { format!("{unit}.service") })
        .collect::<Vec<_>>()
        .join(" ")
}

/// A variable of an environment file.
#[derive(Debug, PartialEq)]
pub(super) struct Variable {
    pub(super) value: String,
    pub(super) line: usize,
}

enum State {
    BeforeKey,
    Comment,
    Key,
    BeforeValue,
    Value,
    SingleQuotes,
    DoubleQuotes,
}

/// Reads an environment file as systemd does (`EnvironmentFile=`): comments with `#` or `;`, quotes around all of a
/// value or a part, `\` before a line end joins lines, no expansion. The last of equal names holds.
pub(super) fn parse(text: &str) -> BTreeMap<String, Variable> {
    let mut variables = BTreeMap::new();
    let (mut state, mut name, mut value) = (State::BeforeKey, String::new(), String::new());
    // How much of the value stays when blanks at its end go.
    let mut kept = 0;
    let (mut line, mut started) = (1, 1);
    let mut characters = text.chars().chain(std::iter::once('\n')).peekable();
    while let Some(c) = characters.next() {
        let ends_line = c == '\n' || c == '\r';
        match state {
            State::BeforeKey if c == '#' || c == ';' => state = State::Comment,
            State::BeforeKey if c.is_ascii_whitespace() => {}
            State::BeforeKey => {
                (name, started, state) = (c.to_string(), line, State::Key);
            }
            // A comment, too, goes on behind a backslash.
            State::Comment if c == '\\' => line += usize::from(characters.next() == Some('\n')),
            State::Comment if ends_line => state = State::BeforeKey,
            State::Comment => {}
            State::Key if ends_line => state = State::BeforeKey,
            State::Key if c == '=' => {
                (value, kept, state) = (String::new(), 0, State::BeforeValue);
            }
            State::Key => name.push(c),
            State::BeforeValue | State::Value if ends_line => {
                value.truncate(kept);
                variables
                    .insert(name.trim_end().to_owned(), Variable { value: std::mem::take(&mut value), line: started });
                state = State::BeforeKey;
            }
            State::BeforeValue if c == '\'' => state = State::SingleQuotes,
            State::BeforeValue if c == '"' => state = State::DoubleQuotes,
            State::BeforeValue if c.is_ascii_whitespace() => {}
            State::BeforeValue | State::Value => {
                state = State::Value;
                if c == '\\' {
                    match characters.next() {
                        Some('\n') => line += 1,
                        Some(next) => value.push(next),
                        None => {}
                    }
                    kept = value.len();
                } else {
                    value.push(c);
                    if !c.is_ascii_whitespace() {
                        kept = value.len();
                    }
                }
            }
            State::SingleQuotes if c == '\'' => (state, kept) = (State::BeforeValue, value.len()),
            State::SingleQuotes => value.push(c),
            State::DoubleQuotes if c == '"' => (state, kept) = (State::BeforeValue, value.len()),
            State::DoubleQuotes if c == '\\' => match characters.next() {
                Some(next @ ('"' | '\\' | '`' | '$')) => value.push(next),
                Some('\n') => line += 1,
                Some(next) => value.extend(['\\', next]),
                None => {}
            },
            State::DoubleQuotes => value.push(c),
        }
        line += usize::from(c == '\n');
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_files_as_systemd_reads_them() {
        for (text, expected) in [
            ("A=1\nB = 2 \n", vec![("A", "1", 1), ("B", "2", 2)]),
            ("# A=1\n;B=2\n  # C=3\nD=4", vec![("D", "4", 4)]),
            ("A=\"x y\"\r\nB='$z \"q\"'", vec![("A", "x y", 1), ("B", "$z \"q\"", 2)]),
            ("A=\"a\\\"b\\\\c\\d\"", vec![("A", "a\"b\\c\\d", 1)]),
            ("A=one \\\n  two\nB=3", vec![("A", "one   two", 1), ("B", "3", 3)]),
            ("A=\"one\ntwo\"\nB=3", vec![("A", "one\ntwo", 1), ("B", "3", 3)]),
            ("A='x'y\nA=z # no comment", vec![("A", "z # no comment", 2)]),
            ("no equals sign\nA=", vec![("A", "", 2)]),
            ("# a comment \\\nA=hidden\nB=1", vec![("B", "1", 3)]),
            ("A=\"never closed\nB=1", vec![]),
        ] {
            let parsed = parse(text);
            let parsed: Vec<_> = parsed.iter().map(|(name, v)| (name.as_str(), v.value.as_str(), v.line)).collect();
            assert_eq!(parsed, expected, "{text:?}");
        }
    }

    #[test]
    fn units_get_the_type_that_journalctl_adds() {
        assert_eq!(translated("journal.units", " a  b.service "), "a.service b.service");
        assert_eq!(translated("redis.stream", "a"), "a");
    }
}
