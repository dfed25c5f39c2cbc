use super::words::{
    Number, Word, first_word, is_any, is_word, last_word, starts_with_ignore_case, trim_end, trim_start,
};
use crate::domain::event::Level;

/// Longest dotted path before an exception's name.
const LONGEST_PATH: usize = 96;

/// Failure told by the first words of the content, where none of them is one that the scan looks for.
pub(super) fn at_head(content: &str) -> Option<Level> {
    let content = trim_start(content);
    let is_frame = content.strip_prefix("File \"").is_some_and(|rest| {
        let line = rest.find('"').map_or("", |end| &rest[end..]);
        line.starts_with("\", line ")
    });
    let told = ["Segmentation fault", "Task exception was never retrieved", "Unable to ", "Could not ", "Cannot "];
    (is_frame || told.iter().any(|start| content.starts_with(start))).then_some(Level::ERROR)
}

/// Whether `word` tells of a failure, by what stands around it; `content` is where the text's own words begin.
pub(super) fn told(word: Word<'_>, content: usize) -> Option<Level> {
    let name = word.as_str();
    let after = word.after();
    if is_source(&word.text[content..]) {
        return None;
    }
    if let Some(level) = exception_name(word, content) {
        return Some(level);
    }
    // `last_error=`, `harvest_failed:` and other names are what a value is of.
    let failed = match name.to_ascii_lowercase_in(&mut [0; 16])? {
        "traceback" => starts_with_ignore_case(after, " (most recent call last)"),
        "error" => error(word, content),
        "failed" => failure(word, content),
        "failure" => states(after) || after.starts_with('\'') || word.before().ends_with('/'),
        "fail" => states(after) || word.before().ends_with('[') && after.starts_with(']') && !word.has_lower(),
        "exception" => exception(word, content),
        // `requests.exceptions.ReadTimeout: …`: a library's exceptions need no suffix.
        "exceptions" => after.strip_prefix('.').is_some_and(|name| states(&name[first_word(name).len()..])),
        "refused" | "dumped" => {
            is_any(last_word(trim_end(word.before())), &["connection", "core"]) || name == "refused" && states(after)
        }
        _ => false,
    };
    failed.then_some(Level::ERROR)
}

/// Whether a line is source code, as tracebacks quote it: it names failures without telling of one.
fn is_source(content: &str) -> bool {
    const STARTS: [&str; 12] = [
        "logger.", "logging.", "log.", "print(", "raise ", "except ", "return ", "await ", "self.", "assert ",
        "yield ", "def ",
    ];
    let content = trim_start(content);
    STARTS.iter().any(|start| content.starts_with(start))
}

/// `TypeError: …`, `foo.BarException: …`, `APIError(code=…)`; of a warning, its own level.
fn exception_name(word: Word<'_>, content: usize) -> Option<Level> {
    let name = word.as_str();
    let kind = ["Error", "Exception", "Warning", "Interrupt"].iter().find(|kind| name.ends_with(*kind))?;
    let is_camel = name.starts_with(|c: char| c.is_ascii_uppercase()) && name.len() > kind.len() && !name.contains('_');
    let before = word.before();
    let mut path = before;
    while let Some(parent) = path.strip_suffix('.').filter(|_| before.len() - path.len() < LONGEST_PATH) {
        path = &parent[..parent.len() - last_word(parent).len()];
    }
    // Source code names exceptions too.
    if !is_camel || is_any(last_word(trim_end(path)), &["raise", "except", "class", "import"]) {
        return None;
    }
    let after = word.after();
    let alone = trim_start(after).is_empty() && content <= path.len() && path[content..].bytes().all(|b| !is_word(b));
    let raised = before.ends_with("exception=") || before.ends_with("error=");
    let told = states(after) || after.starts_with('(') && (alone_call(after) || raised) || alone;
    told.then_some(if *kind == "Warning" { Level::WARNING } else { Level::ERROR })
}

/// `(code=-1021)`, `('reason')`: the arguments of an exception as `repr` writes them.
fn alone_call(after: &str) -> bool {
    ["(code=", "('", "(\""].iter().any(|start| after.starts_with(start))
}

fn error(word: Word<'_>, content: usize) -> bool {
    let after = word.after();
    if is_negated(word) {
        return false;
    }
    if states(after) || after.starts_with(" (code") || after.starts_with(" [Errno") {
        return true;
    }
    let next = first_word(trim_start(after));
    if !after.starts_with(' ') || word.as_str().starts_with('e') && word.start == 0 {
        return false;
    }
    let told = is_any(next, &["occurred", "while", "during", "when", "encountered"]);
    let of_doing = next.ends_with("ing")
        && !is_any(
            next,
            &["handling", "logging", "tracking", "reporting", "monitoring", "checking", "during", "rating"],
        );
    let of_place = is_any(next, &["in", "on", "at", "from", "response", "with", "for"]);
    told || opens(word, content) && (of_doing || of_place)
}

fn failure(word: Word<'_>, content: usize) -> bool {
    let after = word.after();
    let before = trim_end(word.before());
    let previous = last_word(before);
    let is_count = before.len() > content && !previous.is_empty() && previous.bytes().all(|byte| byte.is_ascii_digit());
    if is_negated(word) || is_count || before.ends_with(['=', '_']) || is_any(previous, &["if", "when", "on", "of"]) {
        return false;
    }
    const TELLING: [&str; 14] = [
        "to", "with", "for", "after", "at", "because", "due", "on", "in", "while", "during", "loading", "from", "again",
    ];
    if states(after) || after.starts_with(' ') && is_any(first_word(trim_start(after)), &TELLING) {
        return true;
    }
    // At the end of a clause: `status: FAILED` is a value, `3/5 FAILED` a count.
    let is_value = before.ends_with([':', '/', '|']) && before.len() > content;
    let ends = after.starts_with(['!', '.', ';', ',']) && !after[1..].starts_with(|c: char| c.is_ascii_alphanumeric());
    let clause = [" (", " -", " —", " –"].iter().any(|rest| after.starts_with(rest));
    !is_value && (trim_start(after).is_empty() || (ends || clause) && !opens(word, content))
}

fn exception(word: Word<'_>, content: usize) -> bool {
    let before = trim_end(word.before());
    let after = word.after();
    let which = last_word(before);
    if is_any(which, &["unhandled", "uncaught", "unexpected"]) || before.ends_with("the above") || states(after) {
        return true;
    }
    let next = first_word(trim_start(after));
    after.starts_with(' ')
        && (is_any(next, &["occurred", "raised", "while", "during"]) || opens(word, content) && next == "in")
}

/// Whether the word begins the text's own words, ornaments aside.
fn opens(word: Word<'_>, content: usize) -> bool {
    word.text.get(content..word.start).is_some_and(|between| !between.bytes().any(is_word))
}

/// Whether a message follows after a colon: not a count, not nothing.
fn states(after: &str) -> bool {
    let Some(message) = after.strip_prefix(':') else { return false };
    let message = trim_start(message);
    if let Some(number) = Number::leading(message) {
        // `errors: 0`, `error: 3.2%`; but `error: 404 Not Found`.
        let rest = trim_start(number.after);
        return !number.percent && rest.starts_with(|c: char| c.is_ascii_alphabetic());
    }
    let first = first_word(message);
    let is_nothing = is_any(first, &["none", "null", "false", "nan"])
        || is_any(first, &["no", "n"]) && !message[first.len()..].starts_with(' ');
    !is_nothing
}

fn is_negated(word: Word<'_>) -> bool {
    is_any(last_word(trim_end(word.before())), &["no", "0", "without", "not", "never", "zero", "any", "none"])
}

/// Lower-casing of short ASCII words without allocation.
trait LowercaseIn {
    /// In `place`, if it fits.
    fn to_ascii_lowercase_in<'b>(&self, place: &'b mut [u8; 16]) -> Option<&'b str>;
}

impl LowercaseIn for str {
    fn to_ascii_lowercase_in<'b>(&self, place: &'b mut [u8; 16]) -> Option<&'b str> {
        let place = place.get_mut(..self.len())?;
        place.copy_from_slice(self.as_bytes());
        place.make_ascii_lowercase();
        std::str::from_utf8(place).ok()
    }
}
