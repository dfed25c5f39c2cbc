use super::decision::Stated;
use super::words::{
    Few, Number, Word, first_word, is_any, last_word, starts_with_ignore_case, strip_arrow, trim_end, trim_start,
};
use crate::domain::event::Decision;

/// What a confidence is of or for, where it is not a decision's: `min_conf`, `risk confidence`.
const NOT_OF_DECISION: [&str; 12] =
    ["min", "minimum", "max", "required", "require", "threshold", "floor", "mode", "regime", "risk", "prev", "old"];

/// Confidences under that name, with their place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confidences {
    named: Few<(usize, f64)>,
}

impl Confidences {
    pub(super) fn new() -> Self {
        Self { named: Few::new() }
    }

    /// Takes note of the number that `word` names a confidence.
    pub(super) fn see(&mut self, word: Word<'_>) {
        let name = word.as_str();
        let stem = name.rsplit('_').next().unwrap_or(name);
        if !is_any(stem, &["conf", "confidence", "confident"]) {
            return;
        }
        let mut qualifiers = name[..name.len() - stem.len()].split('_').filter(|part| !part.is_empty());
        let previous = last_word(trim_end(word.before()));
        if qualifiers.any(|part| is_any(part, &NOT_OF_DECISION)) || is_any(previous, &NOT_OF_DECISION) {
            return;
        }
        if let Some(value) = number_after(word.after()).or_else(|| number_before(word.before())) {
            self.named.push((word.start, value));
        }
    }

    /// The confidence of the decision `stated`.
    pub(super) fn of(&self, text: &str, stated: Stated, is_order: bool) -> Option<f64> {
        let beside = beside(text, stated);
        if let Some(Beside { value, sure: true }) = beside {
            return Some(value);
        }
        let later = self.named.iter().find(|(at, _)| *at > stated.start);
        let named = later.or_else(|| self.named.iter().last()).map(|(_, value)| value);
        named.or_else(|| beside.filter(|_| !is_order).map(|beside| beside.value))
    }
}

/// `=0.7`, `: 70%`, ` (0.7)`, ` too low: 0.7`, `': Decimal('0.70')`, `=0.45→0.70`.
fn number_after(after: &str) -> Option<f64> {
    let mut rest = after.trim_start_matches(['\'', '"', '*']);
    for filler in [" score", " level", " too low", " is", " of", " at", " only", " was"] {
        if starts_with_ignore_case(rest, filler) {
            rest = &rest[filler.len()..];
        }
    }
    let rest = trim_start(rest.trim_start_matches(['*', '`']));
    let rest = rest.strip_prefix([':', '=', '(', '@', '~']).unwrap_or(rest);
    let rest = trim_start(rest.trim_start_matches('*')).trim_start_matches(['\'', '"', '(', '~', '*', '`']);
    // `Decimal('0.7')`, `np.float64(0.7)`.
    let rest = match dotted(rest) {
        (kind, Some(inside)) if is_number_type(kind) => inside.trim_start_matches(['\'', '"']),
        _ => rest,
    };
    let mut number = Number::leading(rest)?;
    // A correction: what it was, what it is.
    while let Some(next) = strip_arrow(number.after).and_then(Number::leading) {
        number = next;
    }
    number.fraction()
}

/// `np.float64` and what follows its bracket.
fn dotted(text: &str) -> (&str, Option<&str>) {
    let first = first_word(text).len();
    let second = text[first..].strip_prefix('.').map_or(0, |rest| 1 + first_word(rest).len());
    let (name, rest) = text.split_at(first + second);
    (name, rest.strip_prefix('('))
}

fn is_number_type(kind: &str) -> bool {
    is_any(
        kind,
        &["decimal", "np.float64", "np.float32", "float", "numpy.float64", "float64", "tensor", "torch.tensor"],
    )
}

/// `70% confidence`, `0.70 confidence`.
fn number_before(before: &str) -> Option<f64> {
    let trimmed = trim_end(before);
    let digits = trimmed.strip_suffix('%').unwrap_or(trimmed);
    let len = digits.bytes().rev().take(8).take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let number = Number::leading(&trimmed[digits.len() - len..])?;
    (number.percent || number.has_point).then(|| number.fraction()).flatten()
}

/// A number right beside the decision.
#[derive(Clone, Copy)]
struct Beside {
    value: f64,
    /// Its form tells that it is a confidence, whatever the line is about.
    sure: bool,
}

/// `HOLD 94.6%`, `BUY(0.65)`, `SELL [0.7]`, `BUY/0.44`, `BUY @ 0.65`.
fn beside(text: &str, stated: Stated) -> Option<Beside> {
    let after = text[stated.end..].trim_start_matches(['\'', '"', '*']);
    let spaced = trim_start(after);
    let opener = spaced.chars().next().filter(|c| matches!(c, '(' | '[' | '/' | '@' | ':' | ',' | '|'));
    let rest = if opener.is_some() { trim_start(&spaced[1..]) } else { spaced };
    let number = Number::leading(rest)?;
    let next = first_word(trim_start(number.after));
    let enclosed = matches!(opener, Some('(' | '['));
    if number.percent {
        // A monitor's `HOLD (25%) R=0.4` is a share of the position to close.
        let is_share = enclosed
            && stated.decision == Decision::Hold
            && (number.value == 0.0 || text.contains(" R=") || text.contains("PnL"));
        let is_size = is_any(next, &["of", "size", "allocation", "balance", "equity", "position", "risk", "away"]);
        return (!is_share && !is_size).then(|| number.fraction()).flatten().map(|value| Beside { value, sure: true });
    }
    // Without the sign it is a confidence only as a fraction; a price or a quantity has its unit or its asset beside it.
    let is_fraction = number.value <= 1.0 && (number.has_point || enclosed && number.after.starts_with([')', ']']));
    let has_unit = next.starts_with(|c: char| c.is_ascii_uppercase()) && number.after.starts_with(' ')
        || is_any(next, &["of", "vs"]);
    if !is_fraction || has_unit {
        return None;
    }
    Some(Beside { value: number.value, sure: enclosed || opener == Some('/') })
}
