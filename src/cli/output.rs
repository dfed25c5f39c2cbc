//! What commands print: tables for people, JSON for programs. Everything that comes from outside is made harmless for a
//! terminal on its way out.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Where output goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Columns; none where the output is no terminal and lines may be as long as they are.
    pub(crate) width: Option<usize>,
    /// Whether colours are welcome.
    pub(crate) colour: bool,
}

impl Screen {
    /// Standard output. Colours need a terminal that can show them and an absent or empty `NO_COLOR`.
    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return Self { width: None, colour: false };
        }
        let columns = rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col));
        Self {
            width: columns.filter(|&columns| columns > 0).or(Some(80)),
            colour: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && env::var_os("TERM").is_some_and(|term| term != "dumb"),
        }
    }

    /// `text` in that style, where colours are welcome. The text is made visible first.
    pub(crate) fn styled(&self, text: &str, style: Style) -> String {
        let text = visible(text);
        match style.code().filter(|_| self.colour) {
            Some(code) => format!("\x1b[{code}m{text}\x1b[0m"),
            None => text.into_owned(),
        }
    }
}

/// What a cell says besides its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Nothing.
    Plain,
    /// A heading.
    Strong,
    /// Less important than the rest.
    Faint,
    /// All is well.
    Good,
    /// Worth a look.
    Warning,
    /// Broken.
    Bad,
}

impl Style {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Faint => Some("2"),
            Self::Good => Some("32"),
            Self::Warning => Some("33"),
            Self::Bad => Some("31"),
        }
    }
}

/// `text` with every character escaped that would do something to a terminal instead of being seen: control characters
/// (line ends and the escape sequences' ESC among them) and those that turn the direction of writing.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c.is_ascii() && acts(c) => shown.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if acts(c) => shown.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}')
}

/// A size for people: `512 B`, `12.3 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut size = count as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1023.95 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", units[unit])
}

/// Rows under headings, in columns two blanks apart. One column takes what width is left and wraps.
pub(crate) struct Table {
    rows: Vec<Vec<(String, Style)>>,
    columns: usize,
    wrapping: usize,
}

/// The wrapping column is not made narrower than this; a line that is too long is the lesser evil.
const LEAST_WIDTH: usize = 16;

impl Table {
    /// A table with these headings, of which the last column wraps.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let rows = vec![headings.iter().map(|heading| ((*heading).to_owned(), Style::Strong)).collect()];
        Self { rows, columns: headings.len(), wrapping: headings.len().saturating_sub(1) }
    }

    /// Makes another column the one that wraps.
    pub(crate) fn wrapping(self, column: usize) -> Self {
        Self { wrapping: column, ..self }
    }

    /// Adds a row; each cell is made visible.
    pub(crate) fn row<'a>(&mut self, cells: impl IntoIterator<Item = (&'a str, Style)>) {
        let mut row: Vec<_> = cells.into_iter().map(|(text, style)| (visible(text).into_owned(), style)).collect();
        row.resize(self.columns, (String::new(), Style::Plain));
        self.rows.push(row);
    }

    /// The table's text, with a line end behind each line.
    pub(crate) fn render(&self, screen: &Screen) -> String {
        let mut widths: Vec<usize> = (0..self.columns)
            .map(|column| self.rows.iter().map(|row| row[column].0.width()).max().unwrap_or(0))
            .collect();
        if let (Some(width), Some(own)) = (screen.width, widths.get(self.wrapping).copied()) {
            let others = widths.iter().sum::<usize>() - own + 2 * (self.columns - 1);
            widths[self.wrapping] = own.min(width.saturating_sub(others).max(LEAST_WIDTH));
        }
        let mut text = String::new();
        for row in &self.rows {
            let parts = wrapped(&row[self.wrapping].0, widths[self.wrapping]);
            for (index, part) in parts.iter().enumerate() {
                let mut line = String::new();
                let mut owed = 0;
                for (column, (cell, style)) in row.iter().enumerate() {
                    let cell = match (column == self.wrapping, index) {
                        (true, _) => part,
                        (false, 0) => cell.as_str(),
                        (false, _) => "",
                    };
                    if !cell.is_empty() {
                        line.extend(std::iter::repeat_n(' ', owed));
                        owed = 0;
                        line.push_str(&screen.styled(cell, *style));
                    }
                    owed += widths[column].saturating_sub(cell.width()) + 2;
                }
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

/// `text` in parts of at most `width` columns, broken at blanks where there are any. At least one part.
fn wrapped(text: &str, width: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.width() > width {
        let mut columns = 0;
        let fits = rest
            .char_indices()
            .find(|(_, c)| {
                columns += c.width().unwrap_or(0);
                columns > width
            })
            .map_or(rest.len(), |(at, _)| at);
        // One character at least, or a wide one in a narrow column would never end.
        let fits = if fits == 0 { rest.chars().next().map_or(rest.len(), char::len_utf8) } else { fits };
        let blank = rest[..fits].rfind(' ').filter(|_| !rest[fits..].starts_with(' '));
        let end = blank.filter(|&at| at > 0).unwrap_or(fits);
        parts.push(rest[..end].trim_end());
        rest = rest[end..].trim_start();
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(rest);
    }
    parts
}

/// Standard output does not take what is written. Its own type, as a closed pipe there is no failure, while one to the
/// daemon is.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub(crate) struct PrintError(#[source] io::Error);

impl PrintError {
    /// Whether the reader has gone, as `head` does when it has its lines.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// Writes to standard output and flushes, so that what fails is known here and not lost at the end.
pub(crate) fn print(bytes: &[u8]) -> Result<(), PrintError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(PrintError)
}

/// Prints one JSON document, laid out for reading.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = json_visible(serde_json::to_string_pretty(value)?);
    text.push('\n');
    Ok(print(text.as_bytes())?)
}

/// Prints one JSON document on one line, as of a stream of them.
pub(crate) fn json_line(value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = json_visible(serde_json::to_string(value)?);
    text.push('\n');
    Ok(print(text.as_bytes())?)
}

/// JSON escapes the ASCII control characters but DEL; the others that act on a terminal get JSON's escape too. They can
/// stand in strings only, and the line ends of the layout stay.
fn json_visible(text: String) -> String {
    let raw = |c: char| c != '\n' && acts(c);
    if !text.contains(raw) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if raw(c) {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown() {
        for (text, shown) in [
            ("plain é 日本", "plain é 日本"),
            ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
            ("a\nb\r\tc\x7f", "a\\nb\\r\\tc\\x7f"),
            ("\u{9b}31m \u{202e}gpj", "\\u{9b}31m \\u{202e}gpj"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn json_stays_json() {
        let text = "a\n\x1b\x7f\u{9b}\u{202e}";
        let json = json_visible(serde_json::to_string_pretty(&[text]).unwrap());
        assert!(!json.contains(|c: char| c != '\n' && acts(c)), "{json:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), [text]);
    }

    #[test]
    fn sizes() {
        for (count, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (8 << 30, "8.0 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(bytes(count), shown);
        }
    }

    #[test]
    fn wrapping() {
        for (text, width, parts) in [
            ("", 5, &[""][..]),
            ("short", 5, &["short"]),
            ("two words", 5, &["two", "words"]),
            ("unbreakable", 5, &["unbre", "akabl", "e"]),
            ("日本語", 4, &["日本", "語"]),
            ("日本", 1, &["日", "本"]),
            ("abcde fgh", 5, &["abcde", "fgh"]),
        ] {
            assert_eq!(wrapped(text, width), parts, "{text}");
        }
    }

    #[test]
    fn tables() {
        let mut table = Table::new(&["KEY", "VALUE", "FROM"]).wrapping(1);
        table.row([("a", Style::Plain), ("one two three four five six", Style::Plain), ("default", Style::Faint)]);
        table.row([("long.key", Style::Plain), ("x\ny", Style::Plain), ("", Style::Plain)]);
        let plain = Screen { width: None, colour: false };
        assert_eq!(
            table.render(&plain),
            "KEY       VALUE                        FROM\n\
             a         one two three four five six  default\n\
             long.key  x\\ny\n"
        );
        let narrow = Screen { width: Some(36), colour: true };
        assert_eq!(
            table.render(&narrow),
            "\x1b[1mKEY\x1b[0m       \x1b[1mVALUE\x1b[0m              \x1b[1mFROM\x1b[0m\n\
             a         one two three      \x1b[2mdefault\x1b[0m\n          four five six\n\
             long.key  x\\ny\n"
        );
    }
}
