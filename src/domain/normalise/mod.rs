//! From a log line to the fields of an event (SPEC §4.1).
//!
//! One automaton pass finds the words that can matter; each such word is then judged by what stands around it. The
//! formal level is read apart from that, from the head of the line. Nothing here fails: any text gives an answer.

/// Words that mean a position is being closed rather than opened.
mod closing;
/// How sure a decision is.
mod confidence;
/// The id that ties lines together.
mod correlation;
/// BUY, SELL and HOLD, and what only looks like them.
mod decision;
/// The JSON object that some services wrap a line in.
mod envelope;
/// Severity of a text without a formal level.
mod failure;
/// The formal level at the head of a line.
mod level;
/// The one pass over a text.
mod scan;
/// Trading pairs.
mod symbol;
/// Words, numbers and what stands around them.
mod words;

#[cfg(test)]
mod tests;

use super::event::{Decision, Level};
use envelope::Envelope;
use scan::Scanner;

/// What the normaliser is told by the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormaliseConfig {
    /// Quote currencies that end a trading pair: `USDT`, `USDC`, ….
    pub quote_currencies: Vec<String>,
}

/// The fields that a line's text gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalised<'a> {
    /// The text: the inner message of a JSON-wrapped line, else the line itself.
    pub message: &'a str,
    /// The severity that the text names.
    pub level: Option<Level>,
    /// The one pair it is about.
    pub symbol: Option<&'a str>,
    /// The decision it states.
    pub decision: Option<Decision>,
    /// The confidence of that decision, 0 to 1.
    pub confidence: Option<f64>,
    /// The correlation id it names.
    pub correlation_id: Option<&'a str>,
}

/// Memory that is used again from line to line (an unescaped JSON string has nowhere else to live).
#[derive(Debug, Default)]
pub struct Scratch {
    /// The unescaped inner message.
    pub text: String,
    /// The unescaped correlation id.
    pub correlation_id: String,
}

/// The compiled automata.
#[derive(Debug)]
pub struct Normaliser {
    scanner: Scanner,
}

impl Normaliser {
    /// Compiles the automata for `config`.
    pub fn new(config: &NormaliseConfig) -> Self {
        Self { scanner: Scanner::new(&config.quote_currencies) }
    }

    /// The fields of one line. Total: any text gives an answer.
    pub fn normalise<'a>(&self, line: &'a str, scratch: &'a mut Scratch) -> Normalised<'a> {
        let Some(envelope) = Envelope::parse(line) else {
            return self.plain(line);
        };
        let Some(message) = envelope.message else {
            // An object without a message is its own text, yet its level and id are formal all the same.
            let plain = self.plain(line);
            return Normalised {
                level: envelope.level.or(plain.level),
                correlation_id: envelope.correlation_id(&mut scratch.correlation_id).or(plain.correlation_id),
                ..plain
            };
        };
        let inner = self.plain(message.resolve(&mut scratch.text));
        let mut result = Normalised {
            level: envelope.level.or(inner.level),
            correlation_id: envelope.correlation_id(&mut scratch.correlation_id).or(inner.correlation_id),
            ..inner
        };
        if envelope.structured && inner.symbol.is_none() && inner.decision.is_none() {
            let outer = self.plain(line);
            result.symbol = outer.symbol;
            result.decision = outer.decision;
            result.confidence = outer.confidence;
        }
        result
    }

    fn plain<'a>(&self, text: &'a str) -> Normalised<'a> {
        let head = level::head(text);
        let found = self.scanner.scan(text, head.content);
        let symbol = found.symbols.the_one();
        // Several pairs and no main one: whose decision it would be is anybody's guess.
        let stated =
            if symbol.is_none() && found.symbols.any() { None } else { found.decisions.resolve(text, &found.closing) };
        Normalised {
            message: text,
            level: head.level.or(found.level).or(found.failure),
            symbol,
            decision: stated.map(|stated| stated.decision),
            confidence: stated.and_then(|stated| found.confidences.of(text, stated, found.is_order)),
            correlation_id: found.correlation_id,
        }
    }
}
