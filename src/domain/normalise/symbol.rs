use super::words::{Word, is_any, last_word};

/// Longest base of a pair, in bytes.
const LONGEST_BASE: usize = 24;

/// The pairs of a text: the first, and whether it stands out among the others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Symbols<'a> {
    first: Option<&'a str>,
    /// The first is the line's heading: `[PAIR]`, `PAIR:`.
    first_heads: bool,
    several: bool,
    /// Another one is introduced in the same way.
    other_heads: bool,
    /// The one that a key names: `symbol=PAIR`.
    keyed: Option<&'a str>,
    keyed_several: bool,
}

impl<'a> Symbols<'a> {
    /// Takes note of the pairs in `word`; whether it has any.
    pub(super) fn see(&mut self, word: Word<'a>, quotes: &[Box<str>]) -> bool {
        let mut any = false;
        let mut start = word.start;
        for segment in word.as_str().split('_') {
            let end = start + segment.len();
            if let Some(pair_start) = pair(word, start, end, quotes) {
                any = true;
                self.add(Word { text: word.text, start: pair_start, end });
            }
            start = end + 1;
        }
        any
    }

    fn add(&mut self, pair: Word<'a>) {
        let name = pair.as_str();
        if pair.key().is_some_and(|key| is_any(key, &["symbol", "pair", "ticker", "instrument"])) {
            self.keyed_several |= self.keyed.is_some_and(|keyed| keyed != name);
            self.keyed = self.keyed.or(Some(name));
        }
        let bracketed = pair.before().ends_with('[') && pair.after().starts_with(']');
        let heads = bracketed || pair.after().starts_with(':');
        match self.first {
            None => {
                self.first = Some(name);
                self.first_heads = heads;
            }
            Some(first) if first != name => {
                self.several = true;
                self.other_heads |= heads;
            }
            Some(_) => {}
        }
    }

    /// Whether the text names any pair.
    pub(super) fn any(&self) -> bool {
        self.first.is_some()
    }

    /// The pair that the text is about.
    pub(super) fn the_one(&self) -> Option<&'a str> {
        if !self.several {
            self.first
        } else if self.keyed.is_some() && !self.keyed_several {
            self.keyed
        } else {
            self.first.filter(|_| self.first_heads && !self.other_heads)
        }
    }
}

/// Where the pair that ends with the segment `start..end` of `word` begins.
fn pair(word: Word<'_>, start: usize, end: usize, quotes: &[Box<str>]) -> Option<usize> {
    let text = word.text;
    let segment = &text[start..end];
    let before = &text[..start];
    if quotes.iter().any(|quote| segment.eq_ignore_ascii_case(quote)) {
        return bare(word, start, end);
    }
    let quote = quotes.iter().find(|quote| {
        segment.len().checked_sub(quote.len()).is_some_and(|at| segment[at..].eq_ignore_ascii_case(quote))
    })?;
    let base = &segment[..segment.len() - quote.len()];
    if base.len() > LONGEST_BASE {
        return None;
    }
    let has_lower = segment.bytes().any(|byte| byte.is_ascii_lowercase());
    let has_upper = segment.bytes().any(|byte| byte.is_ascii_uppercase());
    // Exchanges write pairs in capitals, their streams in small letters; `sizeUSDT` and `pnl_usdt` are amounts.
    if has_lower && (has_upper || before.ends_with('_')) {
        return None;
    }
    if base.bytes().all(|byte| byte.is_ascii_digit()) && (has_lower || is_amount(base, before)) {
        return None;
    }
    Some(ideographs(before))
}

/// A quote currency by itself ends a pair in `币安人生USDT`, `BTC/USDT`, `BTC-USDT` and `BTC_USDT`.
fn bare(word: Word<'_>, start: usize, end: usize) -> Option<usize> {
    let before = &word.text[..start];
    let begin = ideographs(before);
    if begin < start {
        return Some(begin);
    }
    let separator = before.chars().next_back().filter(|c| matches!(c, '/' | '-' | '_'))?;
    let base = last_word(&before[..before.len() - 1]);
    let is_base = (2..=10).contains(&base.len())
        && base.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && base.bytes().any(|byte| byte.is_ascii_uppercase())
        && !base.starts_with("USD");
    // `SIZE_USDT=100` is a setting.
    let is_setting = separator == '_' && (base.len() > 5 || word.end != end || word.after().starts_with('='));
    (is_base && !is_setting && word.text[start..end].bytes().all(|byte| byte.is_ascii_uppercase()))
        .then(|| start - 1 - base.len())
}

/// Where the run of ideographs and the like that `before` ends with begins. Other letters beyond ASCII do not count:
/// in logs they are mojibake.
fn ideographs(before: &str) -> usize {
    let run = before.chars().rev().take(LONGEST_BASE).take_while(|c| *c >= '\u{2E80}' && c.is_alphanumeric());
    before.len() - run.map(char::len_utf8).sum::<usize>()
}

/// Whether digits before a quote currency are an amount: `12.5USDT`, `$30USDT`, `size=100USDT`, as against `42USDT`.
fn is_amount(digits: &str, before: &str) -> bool {
    let is_round = digits.ends_with(['0', '5']) || digits == "1";
    is_round
        || before.ends_with(['.', '$', '+', '-', '<', '>', '~', '=', '≈', '≥', '≤']) && !before.ends_with("symbol=")
}
