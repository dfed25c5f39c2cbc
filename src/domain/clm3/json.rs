//! JSON as Python's `json` module writes it: with `NaN`, `Infinity` and `-Infinity`, which JSON does not have and
//! serde_json refuses, and with lone surrogates. What is wrong is told with line and column.

use std::collections::BTreeMap;
use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// How deep lists and objects may stand in each other: the reader recurses, and nothing that was written went past three.
const DEPTH: usize = 64;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written: a seed of 64 bits is not rounded.
    Number(String),
    /// A number that is none: `NaN`, `Infinity`, `-Infinity`.
    NotFinite(&'static str),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object; of a key that stands twice the last one counts, as it did for the predecessor.
    Object(BTreeMap<String, Json>),
}

/// What is wrong with a text that is no JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {what}")]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// A few words.
    pub what: &'static str,
}

impl Json {
    /// Reads one value, and nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Err(fault(bytes, error.valid_up_to(), "this is not UTF-8")),
        };
        let mut reader = Reader { text, at: 0 };
        let read = reader.document();
        read.map_err(|what| fault(bytes, reader.at, what))
    }

    /// The value as other programs read JSON: what is not finite becomes a text of that name.
    pub fn portable(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, into: &mut String) {
        match self {
            Self::Null => into.push_str("null"),
            Self::Bool(value) => into.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => into.push_str(digits),
            Self::NotFinite(name) => write_text(name, into),
            Self::Text(text) => write_text(text, into),
            Self::List(items) => {
                into.push('[');
                for (index, item) in items.iter().enumerate() {
                    into.push_str(if index == 0 { "" } else { "," });
                    item.write(into);
                }
                into.push(']');
            }
            Self::Object(members) => {
                into.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    into.push_str(if index == 0 { "" } else { "," });
                    write_text(key, into);
                    into.push(':');
                    value.write(into);
                }
                into.push('}');
            }
        }
    }
}

fn write_text(text: &str, into: &mut String) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            c if u32::from(c) < 0x20 => drop(write!(into, "\\u{:04x}", u32::from(c))),
            c => into.push(c),
        }
    }
    into.push('"');
}

fn fault(bytes: &[u8], at: usize, what: &'static str) -> Fault {
    let before = &bytes[..at.min(bytes.len())];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    Fault { line, column, what }
}

/// Reads along a text; where it stops on an error, `at` is the place of it.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

type Read<T> = Result<T, &'static str>;

impl<'a> Reader<'a> {
    fn document(&mut self) -> Read<Json> {
        self.blanks();
        if self.peek().is_none() {
            return Err(if self.text.is_empty() { "the file is empty" } else { "the file holds nothing but blanks" });
        }
        let value = self.value(0)?;
        self.blanks();
        if self.peek().is_some() { Err("something stands behind the end") } else { Ok(value) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Whether `word` stood here; then it is passed.
    fn passes(&mut self, word: &str) -> bool {
        let here = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if here { word.len() } else { 0 };
        here
    }

    fn value(&mut self, depth: usize) -> Read<Json> {
        if depth > DEPTH {
            return Err("it nests too deep");
        }
        match self.peek() {
            None => Err("the file ends in the middle"),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'0'..=b'9') => Ok(Json::Number(self.number()?)),
            Some(b'-') if self.passes("-Infinity") => Ok(Json::NotFinite("-Infinity")),
            Some(b'-') => Ok(Json::Number(self.number()?)),
            Some(b'N') if self.passes("NaN") => Ok(Json::NotFinite("NaN")),
            Some(b'I') if self.passes("Infinity") => Ok(Json::NotFinite("Infinity")),
            Some(b'n') if self.passes("null") => Ok(Json::Null),
            Some(b't') if self.passes("true") => Ok(Json::Bool(true)),
            Some(b'f') if self.passes("false") => Ok(Json::Bool(false)),
            Some(b'a'..=b'z' | b'A'..=b'Z') if self.is_last_word() => Err("the file ends in the middle"),
            Some(_) => Err("a value was expected"),
        }
    }

    /// Whether the file ends within the word that begins here.
    fn is_last_word(&self) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        rest.iter().all(u8::is_ascii_alphabetic)
    }

    fn object(&mut self, depth: usize) -> Read<Json> {
        self.at += 1;
        let mut members = BTreeMap::new();
        self.blanks();
        if self.passes("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            let key = match self.peek() {
                Some(b'"') => self.string()?,
                None => return Err("the file ends in the middle"),
                Some(_) => return Err("a name in quotes was expected"),
            };
            self.blanks();
            self.expect(":", "a colon was expected")?;
            self.blanks();
            let value = self.value(depth + 1)?;
            members.insert(key, value);
            self.blanks();
            if self.passes("}") {
                return Ok(Json::Object(members));
            }
            self.expect(",", "a comma or a closing brace was expected")?;
        }
    }

    fn list(&mut self, depth: usize) -> Read<Json> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.passes("]") {
            return Ok(Json::List(items));
        }
        loop {
            self.blanks();
            items.push(self.value(depth + 1)?);
            self.blanks();
            if self.passes("]") {
                return Ok(Json::List(items));
            }
            self.expect(",", "a comma or a closing bracket was expected")?;
        }
    }

    fn expect(&mut self, word: &str, what: &'static str) -> Read<()> {
        if self.passes(word) {
            Ok(())
        } else if self.peek().is_none() {
            Err("the file ends in the middle")
        } else {
            Err(what)
        }
    }

    fn number(&mut self) -> Read<String> {
        let start = self.at;
        self.passes("-");
        if !self.passes("0") {
            self.digits()?;
        }
        if self.passes(".") {
            self.digits()?;
        }
        if self.passes("e") || self.passes("E") {
            let _ = self.passes("+") || self.passes("-");
            self.digits()?;
        }
        Ok(self.text[start..self.at].to_owned())
    }

    fn digits(&mut self) -> Read<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match (self.at > start, self.peek()) {
            (true, _) => Ok(()),
            (false, None) => Err("the file ends in the middle"),
            (false, Some(_)) => Err("a digit was expected"),
        }
    }

    fn string(&mut self) -> Read<String> {
        let text = self.text;
        self.at += 1;
        let mut read = String::new();
        loop {
            let rest = &text.as_bytes()[self.at..];
            let Some(plain) = rest.iter().position(|&byte| matches!(byte, b'"' | b'\\') || byte < 0x20) else {
                self.at = text.len();
                return Err("the file ends within a text");
            };
            // Quotes, backslashes and control characters are never a part of another character in UTF-8.
            read.push_str(&text[self.at..self.at + plain]);
            self.at += plain;
            match rest[plain] {
                b'"' => {
                    self.at += 1;
                    return Ok(read);
                }
                b'\\' => {
                    self.at += 1;
                    read.push(self.escaped()?);
                }
                _ => return Err("a control character stands in a text"),
            }
        }
    }

    /// The character behind a backslash.
    fn escaped(&mut self) -> Read<char> {
        let c = match self.peek().ok_or("the file ends within a text")? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unit(),
            _ => return Err("there is no such escape"),
        };
        self.at += 1;
        Ok(c)
    }

    /// A UTF-16 unit behind `\`, or two of them. Python writes halves of pairs as it finds them: they become U+FFFD.
    fn unit(&mut self) -> Read<char> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) {
            let after = self.at;
            if self.passes("\\") && self.peek() == Some(b'u') {
                let second = self.hex()?;
                if (0xdc00..0xe000).contains(&second) {
                    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
            }
            self.at = after;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// `u` and four digits.
    fn hex(&mut self) -> Read<u32> {
        self.at += 1;
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or("the file ends within a text")?;
        let digit = |sum: u32, byte: &u8| Some(sum * 16 + char::from(*byte).to_digit(16)?);
        let unit = digits.iter().try_fold(0, digit).ok_or("four hexadecimal digits were expected")?;
        self.at += 4;
        Ok(unit)
    }
}
