//! From a log line to the fields of an event (SPEC §4.1).

use super::event::{Decision, Level};

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
pub struct Normaliser {}

impl Normaliser {
    /// Compiles the automata for `config`.
    pub fn new(_config: &NormaliseConfig) -> Self {
        Self {}
    }

    /// The fields of one line. Total: any text gives an answer.
    pub fn normalise<'a>(&self, line: &'a str, _scratch: &'a mut Scratch) -> Normalised<'a> {
        Normalised { message: line, level: None, symbol: None, decision: None, confidence: None, correlation_id: None }
    }
}
