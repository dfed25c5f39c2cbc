/// How many candidates of one kind a line may have; a line with more is a listing, of which the first ones tell enough.
const FEW: usize = 16;

/// How far a word beside another one is read. Whatever looks around a word must be bounded or stop at the next one:
/// a line may be a megabyte of the same word.
const LONGEST_WORD: usize = 64;

/// A run of ASCII letters, digits and underscores within a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl<'a> Word<'a> {
    /// The word around `start..end`, which must itself be made of ASCII word characters.
    pub(super) fn around(text: &'a str, start: usize, end: usize) -> Self {
        let bytes = text.as_bytes();
        let left = bytes[..start].iter().rev().take_while(|byte| is_word(**byte)).count();
        let right = bytes[end..].iter().take_while(|byte| is_word(**byte)).count();
        Self { text, start: start - left, end: end + right }
    }

    pub(super) fn as_str(&self) -> &'a str {
        &self.text[self.start..self.end]
    }

    pub(super) fn before(&self) -> &'a str {
        &self.text[..self.start]
    }

    pub(super) fn after(&self) -> &'a str {
        &self.text[self.end..]
    }

    /// Whether any letter is a small one.
    pub(super) fn has_lower(&self) -> bool {
        self.as_str().bytes().any(|byte| byte.is_ascii_lowercase())
    }

    /// `key=`, `key: `, `'key': '` before it: the key.
    pub(super) fn key(&self) -> Option<&'a str> {
        let before = self.before();
        // `side=OrderSide.BUY` names the enumeration as well.
        let before = match before.strip_suffix('.') {
            Some(path) => &path[..path.len() - last_word(path).len()],
            None => before,
        };
        let before = before.trim_end_matches(['\'', '"', '<', '(', '[']);
        let before = before.strip_suffix("=b").or_else(|| before.strip_suffix(": b")).unwrap_or(before);
        let before = trim_end(before).strip_suffix([':', '=']).or_else(|| before.strip_suffix(['=', ':']))?;
        let before = trim_end(before).trim_end_matches(['\'', '"', '*']);
        let key = last_word(before);
        (!key.is_empty()).then_some(key)
    }
}

/// Up to [`FEW`] things without allocation; what comes after is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Few<T> {
    items: [Option<T>; FEW],
    len: usize,
}

impl<T: Copy> Few<T> {
    pub(super) fn new() -> Self {
        Self { items: [None; FEW], len: 0 }
    }

    pub(super) fn push(&mut self, item: T) {
        if let Some(place) = self.items.get_mut(self.len) {
            *place = Some(item);
            self.len += 1;
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = T> + '_ {
        self.items[..self.len].iter().copied().flatten()
    }
}

/// A number as a line writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number<'a> {
    pub(super) value: f64,
    pub(super) has_point: bool,
    pub(super) percent: bool,
    pub(super) after: &'a str,
}

impl<'a> Number<'a> {
    /// The unsigned number that `text` begins with.
    pub(super) fn leading(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let whole = digits(bytes);
        let mut end = whole;
        if bytes.get(whole) == Some(&b'.') {
            let fraction = digits(&bytes[whole + 1..]);
            if fraction > 0 {
                end = whole + 1 + fraction;
            }
        }
        if end == 0 || bytes.get(end).is_some_and(|byte| is_word(*byte)) {
            return None;
        }
        let value = text[..end].parse().ok()?;
        let after = &text[end..];
        let unit = after.strip_prefix('%').or_else(|| after.strip_prefix(" %"));
        Some(Self { value, has_point: end > whole, percent: unit.is_some(), after: unit.unwrap_or(after) })
    }

    /// As a fraction from 0 to 1: of 1 as it stands, of 100 with a percent sign or where it cannot be of 1.
    pub(super) fn fraction(self) -> Option<f64> {
        let value = if self.percent || self.value > 1.0 { self.value / 100.0 } else { self.value };
        (0.0..=1.0).contains(&value).then_some(value)
    }
}

fn digits(bytes: &[u8]) -> usize {
    // Longer ones are ids, and no confidence or count.
    bytes.iter().take(24).take_while(|byte| byte.is_ascii_digit()).count()
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Without the blanks at the end; ASCII ones only, which is faster and all that logs have.
pub(super) fn trim_end(text: &str) -> &str {
    text.trim_end_matches([' ', '\t', '\r', '\n'])
}

pub(super) fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

/// The word that `text` ends with, which may be empty.
pub(super) fn last_word(text: &str) -> &str {
    let len = text.bytes().rev().take(LONGEST_WORD).take_while(|byte| is_word(*byte)).count();
    &text[text.len() - len..]
}

/// The word that `text` begins with, which may be empty.
pub(super) fn first_word(text: &str) -> &str {
    let len = text.bytes().take(LONGEST_WORD).take_while(|byte| is_word(*byte)).count();
    &text[..len]
}

/// Whether `word` is one of `words`, which are in small letters.
pub(super) fn is_any(word: &str, words: &[&str]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other))
}

pub(super) fn starts_with_ignore_case(text: &str, prefix: &str) -> bool {
    text.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// The arrows of logs; the last two are `→` read as code page 437 and 1252.
const ARROWS: [&str; 6] = ["→", "->", "=>", "➜", "ΓåÆ", "â†’"];

/// What follows the arrow that `text` begins with.
pub(super) fn strip_arrow(text: &str) -> Option<&str> {
    let text = trim_start(text);
    ARROWS.iter().find_map(|arrow| text.strip_prefix(arrow)).map(trim_start)
}

/// What precedes the arrow that `text` ends with.
pub(super) fn strip_arrow_end(text: &str) -> Option<&str> {
    let text = trim_end(text);
    ARROWS.iter().find_map(|arrow| text.strip_suffix(arrow)).map(trim_end)
}
