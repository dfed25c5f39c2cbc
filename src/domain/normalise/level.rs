use super::words::{Word, first_word, is_any, is_word, trim_start};
use crate::domain::event::Level;

/// How far from its start a line may name its level.
const HEAD_BYTES: usize = 256;

/// How many times, loggers and tags may precede the level.
const HEAD_PARTS: usize = 16;

/// What stands before a line's own words.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Head {
    /// The formal level.
    pub(super) level: Option<Level>,
    /// Where the content begins.
    pub(super) content: usize,
}

/// The level of that name, whatever its case.
pub(super) fn named(name: &str) -> Option<Level> {
    const NAMES: [(&str, Level); 16] = [
        ("info", Level::INFO),
        ("warning", Level::WARNING),
        ("error", Level::ERROR),
        ("debug", Level::DEBUG),
        ("warn", Level::WARNING),
        ("critical", Level::CRITICAL),
        ("fatal", Level::CRITICAL),
        ("notice", Level::NOTICE),
        ("trace", Level::DEBUG),
        ("success", Level::INFO),
        ("exception", Level::ERROR),
        ("crit", Level::CRITICAL),
        ("err", Level::ERROR),
        ("inf", Level::INFO),
        ("wrn", Level::WARNING),
        ("dbg", Level::DEBUG),
    ];
    NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, level)| *level)
}

/// The level after a key: `level=error`, `"levelname": "INFO"` in an object that was cut short.
pub(super) fn keyed(word: Word<'_>) -> Option<Level> {
    if !is_any(word.as_str(), &["level", "levelname", "lvl", "log_level", "loglevel"]) {
        return None;
    }
    let after = word.after();
    let value = match after.strip_prefix('=') {
        Some(value) => value,
        // In prose, `level: WARNING` is some other level.
        None => trim_start(after.strip_prefix("\":")?),
    };
    let value = value.trim_start_matches(['"', '\'']);
    named(first_word(value))
}

/// Reads times, loggers, tags and the level off the start of a line.
pub(super) fn head(text: &str) -> Head {
    let mut reader = Reader { text, at: 0, content: 0, timed: false };
    for _ in 0..HEAD_PARTS {
        match reader.part() {
            Part::Passed if reader.at < HEAD_BYTES => {}
            Part::Level(level) => return Head { level: Some(level), content: reader.at },
            Part::Passed | Part::End => break,
        }
    }
    Head { level: None, content: reader.content }
}

enum Part {
    Passed,
    Level(Level),
    End,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// After everything that is certainly no content.
    content: usize,
    /// A time was read, which makes a log line of the text.
    timed: bool,
}

impl<'a> Reader<'a> {
    fn part(&mut self) -> Part {
        self.skip_ornaments();
        let rest = &self.text[self.at..];
        match rest.as_bytes().first() {
            None => Part::End,
            Some(b'[') => self.bracket(rest, b']'),
            Some(b'(') if self.timed => self.bracket(rest, b')'),
            Some(byte) if is_word(*byte) => self.token(rest),
            Some(_) => Part::End,
        }
    }

    /// Blanks, separators, colour escapes, and whatever is not ASCII: emoji, arrows, mojibake.
    fn skip_ornaments(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let separators =
                rest.bytes().take_while(|byte| !byte.is_ascii() || b" \t-|:#*>~.,+`".contains(byte)).count();
            let colour = colour_len(&rest[separators..]);
            self.at += separators + colour;
            if colour == 0 {
                return;
            }
        }
    }

    /// `[INFO]`, `[debug    ]`, `[2026-01-31 10:00:00,123]`, `[I 2026-01-31 …]`, `[Some-Tag]`.
    fn bracket(&mut self, rest: &'a str, close: u8) -> Part {
        let window = &rest.as_bytes()[..rest.len().min(HEAD_BYTES)];
        let Some(end) = memchr::memchr(close, window) else { return Part::End };
        let mut inside = trim_start(&rest[1..end]);
        while colour_len(inside) > 0 {
            inside = &inside[colour_len(inside)..];
        }
        self.at += end + 1;
        // Celery writes `[time: LEVEL/process]`.
        let last = inside.rsplit(": ").next().unwrap_or(inside);
        let name = first_word(last);
        let after = last[name.len()..].trim_start();
        let ends =
            after.is_empty() || after.starts_with('\u{1b}') || after.starts_with('/') && last.len() < inside.len();
        let level = match named(name) {
            Some(level) => ends.then_some(level),
            None => initial(name).filter(|_| after.starts_with(|c: char| c.is_ascii_digit())),
        };
        if let Some(level) = level {
            return Part::Level(level);
        }
        self.timed |= inside.starts_with(|c: char| c.is_ascii_digit()) && inside.contains(':');
        self.content = self.at;
        Part::Passed
    }

    fn token(&mut self, rest: &'a str) -> Part {
        let token = token_of(rest);
        if is_time(token) {
            self.at += token.len();
            self.content = self.at;
            self.timed |= token.len() >= 8 && token.contains(':');
            return Part::Passed;
        }
        if is_date_word(token, &rest[token.len()..]) {
            self.at += token.len();
            return Part::Passed;
        }
        if let Some(level) = self.level(token, rest) {
            self.at += first_word(token).len();
            return Part::Level(level);
        }
        self.logger(token, rest)
    }

    /// A level in the open: `WARNING`, `WARNING:root:`, `Error: …`.
    fn level(&self, token: &str, rest: &str) -> Option<Level> {
        let name = first_word(token);
        let after = &rest[name.len()..];
        let Some(level) = named(name) else {
            return initial(name).filter(|_| self.timed && is_source_path(after));
        };
        let is_capital = name.bytes().all(|byte| byte.is_ascii_uppercase());
        let colon = after.starts_with(':');
        let clear = after.is_empty() || colon || after.starts_with([' ', '\t', '|', ']', '\u{1b}', '[']);
        let separated = colon || self.timed && trim_start(after).starts_with(['-', '|', '[']);
        // `EXCEPTION`, `ERR` and the like are levels to a machine; to a reader of prose, only with their separator.
        let certain = !is_any(name, &["exception", "err", "success", "crit", "trace", "inf"]);
        (clear && (is_capital && certain || separated && !name.eq_ignore_ascii_case("exception"))).then_some(level)
    }

    /// The name of a logger, process or container, after which the level may still come.
    fn logger(&mut self, token: &str, rest: &str) -> Part {
        let name = token.trim_end_matches(':');
        if !name.bytes().all(|byte| is_word(byte) || b".-@/$<>:".contains(&byte)) {
            return Part::End;
        }
        let after = &rest[token.len()..];
        let next = trim_start(after);
        let dashed = ["- ", "| ", "|"].iter().any(|separator| next.starts_with(separator));
        let process = after.starts_with('[') && after[1..].starts_with(|c: char| c.is_ascii_digit());
        let colon = token.ends_with(':');
        let dotted = name.contains(['.', '_']);
        // `2026-01-31 10:00:00 some.logger ERROR …` has no separator; the level itself then tells.
        let bracketed = next.strip_prefix('[').map(|inside| first_word(trim_start(inside)));
        let next_word = first_word(bracketed.unwrap_or(next));
        let next_is_level = named(next_word).is_some()
            && (bracketed.is_some() || next_word.bytes().all(|byte| byte.is_ascii_uppercase()));
        if colon && next_is_level && bracketed.is_none() {
            // `Status: ERROR` is a statement, `some.module: ERROR: …` a format.
            let separator = trim_start(&next[next_word.len()..]);
            if !separator.starts_with([':', '-', '|']) {
                return Part::End;
            }
        }
        // `host ident[pid]:`, what is left of a syslog line.
        let ident = token_of(next).len();
        let host = self.timed && next[ident..].starts_with('[') && token_of(&next[ident + 1..]).ends_with("]:");
        if !(dashed || process || host || colon || next_is_level && (self.timed || dotted)) {
            return Part::End;
        }
        self.at += token.len();
        if dashed || process {
            self.content = self.at;
        }
        Part::Passed
    }
}

/// Up to a blank or a bracket.
fn token_of(rest: &str) -> &str {
    let len = rest.bytes().take(HEAD_BYTES).take_while(|byte| byte.is_ascii() && !b" \t\r\n|[(,\x1b".contains(byte));
    // A time's milliseconds come after a comma.
    let mut len = len.count();
    if is_time(&rest[..len]) && rest[len..].starts_with(',') {
        len += 1 + rest[len + 1..].bytes().take_while(u8::is_ascii_digit).count();
    }
    &rest[..len]
}

fn is_time(token: &str) -> bool {
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let is_clock = token.bytes().all(|byte| byte.is_ascii_digit() || b":.,-/TZ+".contains(&byte));
    is_clock && digits > 0 && token.starts_with(|c: char| c.is_ascii_digit())
}

/// A month, a weekday or a zone beside a date.
fn is_date_word(token: &str, after: &str) -> bool {
    const WORDS: [&str; 20] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu",
        "Fri", "Sat", "Sun", "UTC",
    ];
    WORDS.contains(&token) && (token == "UTC" || trim_start(after).starts_with(|c: char| c.is_ascii_alphanumeric()))
}

/// The level that one capital stands for in the logs of C++ libraries and of Optuna.
fn initial(name: &str) -> Option<Level> {
    match name {
        "I" => Some(Level::INFO),
        "W" => Some(Level::WARNING),
        "E" => Some(Level::ERROR),
        "F" | "C" => Some(Level::CRITICAL),
        "D" => Some(Level::DEBUG),
        _ => None,
    }
}

/// ` tensorflow/core/util/port.cc:153]` after an initial.
fn is_source_path(after: &str) -> bool {
    let path = token_of(trim_start(after));
    path.contains('/') && path.contains('.')
}

/// The length of the colour escape that `text` begins with.
fn colour_len(text: &str) -> usize {
    let Some(inside) = text.strip_prefix("\u{1b}[") else { return 0 };
    let len = inside.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if inside[len..].starts_with('m') { len + 3 } else { 0 }
}
