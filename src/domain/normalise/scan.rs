use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::closing::Closing;
use super::confidence::Confidences;
use super::decision::Decisions;
use super::symbol::Symbols;
use super::words::Word;
use super::{correlation, failure, level};
use crate::domain::event::Level;

/// Parts of the words that matter. A word with none of them is passed over at the automaton's speed.
const PARTS: [&str; 31] = [
    "buy",
    "sell",
    "hold",
    "conf",
    "correlation",
    "corr_id",
    "corrid",
    "level",
    "lvl",
    "error",
    "exception",
    "warning",
    "fail",
    "refused",
    "dumped",
    "traceback",
    "interrupt",
    "clos",
    "exit",
    "reduce",
    "stop",
    "profit",
    "sl",
    "tp",
    "liquidat",
    "flatten",
    "unwind",
    "order",
    "qty",
    "quantity",
    "fill",
];

/// Words that make a line one about an order, in which a bare number beside the side is a quantity or a price.
const ORDER_WORDS: [&str; 8] = ["order", "orders", "qty", "quantity", "filled", "fill", "order_id", "orderid"];

/// Finds everything that a text states, in one pass.
#[derive(Debug)]
pub(super) struct Scanner {
    automaton: Option<AhoCorasick>,
    quotes: Box<[Box<str>]>,
}

/// What a text states, before it is weighed.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) symbols: Symbols<'a>,
    pub(super) decisions: Decisions,
    pub(super) confidences: Confidences,
    pub(super) closing: Closing,
    pub(super) correlation_id: Option<&'a str>,
    /// A formal level as a key and its value, `level=error`.
    pub(super) level: Option<Level>,
    /// A failure told in words.
    pub(super) failure: Option<Level>,
    /// Whether it is about an order.
    pub(super) is_order: bool,
}

impl Scanner {
    pub(super) fn new(quote_currencies: &[String]) -> Self {
        let quotes: Box<[Box<str>]> = quote_currencies
            .iter()
            .filter(|quote| !quote.is_empty() && quote.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            .map(|quote| quote.to_ascii_uppercase().into())
            .collect();
        let parts = PARTS.iter().copied().chain(quotes.iter().map(|quote| &**quote));
        // It fails only on gigabytes of patterns; then there is nothing to find.
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostFirst)
            .kind(Some(AhoCorasickKind::DFA))
            .build(parts)
            .ok();
        Self { automaton, quotes }
    }

    /// Reads `text`, whose content begins at `content` (before it: time, logger, tags).
    pub(super) fn scan<'a>(&self, text: &'a str, content: usize) -> Found<'a> {
        let mut found = Found {
            symbols: Symbols::default(),
            decisions: Decisions::new(),
            confidences: Confidences::new(),
            closing: Closing::default(),
            correlation_id: None,
            level: None,
            failure: failure::at_head(&text[content..]),
            is_order: false,
        };
        let Some(automaton) = &self.automaton else { return found };
        let mut done = 0;
        for hit in automaton.find_iter(text) {
            // Each word is judged once and as a whole, whichever part of it was seen first: that keeps the pass linear.
            if hit.start() >= done {
                let word = Word::around(text, hit.start(), hit.end());
                done = word.end;
                self.judge(word, content, &mut found);
            }
        }
        found
    }

    fn judge<'a>(&self, word: Word<'a>, content: usize, found: &mut Found<'a>) {
        if found.symbols.see(word, &self.quotes) {
            return;
        }
        found.decisions.see(word);
        found.confidences.see(word);
        found.closing.see(word, content);
        found.is_order |= ORDER_WORDS.iter().any(|order| word.as_str().eq_ignore_ascii_case(order));
        found.correlation_id = found.correlation_id.or_else(|| correlation::id(word));
        found.level = found.level.or_else(|| level::keyed(word));
        found.failure = found.failure.or_else(|| failure::told(word, content));
    }
}
