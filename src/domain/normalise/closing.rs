use super::words::{Number, Word, first_word, is_any, last_word, starts_with_ignore_case, trim_end, trim_start};

/// Signs that an order closes a position, so that its side is no decision.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Closing {
    /// Said outright, wherever it stands.
    outright: bool,
    /// The first word that means closing only to what comes after it: `EXIT`, `SL`, `take-profit`.
    from: Option<usize>,
}

impl Closing {
    /// Takes note of what `word` says; `content` is where the text begins after time, logger and level.
    pub(super) fn see(&mut self, word: Word<'_>, content: usize) {
        let name = word.as_str();
        let after = word.after();
        if is_any(name, &["reduceonly", "reduce_only", "closeposition", "close_position"])
            || name.eq_ignore_ascii_case("reduce") && starts_with_ignore_case(after, "-only")
        {
            let value = after.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '\n');
            self.outright |= !starts_with_ignore_case(value, "false") && !value.starts_with('0');
        } else if has_value(after) {
            // A price or a score under that name: `sl=99.5`, `close: 101`, `exit=0`.
        } else if is_any(name, &["closing", "closed", "close_long", "close_short", "partial_close", "close_order"])
            || starts_with_ignore_case(name, "liquidat")
            || starts_with_ignore_case(name, "flatten")
            || starts_with_ignore_case(name, "unwind")
            || !word.has_lower() && name.split('_').any(|part| part == "CLOSE")
            || is_any(name, &["stop_market", "take_profit_market", "trailing_stop_market", "full_close"])
        {
            self.outright = true;
        } else if is_any(name, &["close", "closes", "close_side"]) {
            // In small letters it is as often a candle's last price.
            let what = first_word(trim_start(after));
            let purpose = last_word(trim_end(word.before()));
            self.outright |= !word.has_lower()
                || purpose.eq_ignore_ascii_case("to")
                || is_any(what, &["position", "order", "long", "short", "all", "side"]);
            self.note(word);
        } else if is_protective(word) || is_exit(word, content) {
            let next = first_word(trim_start(after));
            let is_reason =
                word.key().is_some_and(|key| is_any(key, &["reason", "type", "kind", "order_type", "purpose"]));
            self.outright |= is_reason
                || is_any(next, &["hit", "triggered", "reached"])
                || is_any(name, &["exit", "exits"]) && is_any(next, &["order", "filled"]);
            self.note(word);
        }
    }

    fn note(&mut self, word: Word<'_>) {
        self.from = self.from.or(Some(word.start));
    }

    /// Whether the side named at `at` belongs to the closing of a position.
    pub(super) fn covers(&self, at: usize) -> bool {
        self.outright || self.from.is_some_and(|from| from < at)
    }
}

fn is_exit(word: Word<'_>, content: usize) -> bool {
    let name = word.as_str();
    // `ExitManager`, `EXIT_BRAIN` as a tag speak for the line, `exit_price` does not. Before the content it is a logger.
    let is_tag = starts_with_ignore_case(name, "exit") && name.starts_with('E') && in_brackets(word);
    // `entry/exit` is both.
    let alone = !word.before().ends_with('/');
    is_any(name, &["exit", "exits", "exiting", "exited"]) && alone && (word.start >= content || in_brackets(word))
        || is_tag
}

fn in_brackets(word: Word<'_>) -> bool {
    let mut before = word.before();
    for _ in 0..3 {
        let Some(part) = before.strip_suffix('-') else { break };
        before = &part[..part.len() - last_word(part).len()];
    }
    before.ends_with('[')
}

fn is_protective(word: Word<'_>) -> bool {
    let name = word.as_str();
    let before = word.before();
    let numbered = name.trim_end_matches(|c: char| c.is_ascii_digit());
    is_any(numbered, &["sl", "tp", "stop_loss", "take_profit", "stoploss", "takeprofit", "trailing_stop"])
        || name.eq_ignore_ascii_case("stop")
            && [" loss", "-loss", "ped out"].iter().any(|rest| starts_with_ignore_case(word.after(), rest))
        || name.eq_ignore_ascii_case("stopped") && starts_with_ignore_case(word.after(), " out")
        || name.eq_ignore_ascii_case("profit")
            && before.ends_with([' ', '-'])
            && last_word(&before[..before.len() - 1]).eq_ignore_ascii_case("take")
}

/// Whether a number stands under that name.
fn has_value(after: &str) -> bool {
    let after = after.trim_start_matches(['\'', '"']);
    let after = after.strip_prefix("-loss").unwrap_or(after);
    let Some(value) = trim_start(after).strip_prefix(['=', ':', '@', '$']) else { return false };
    let value = value.trim_start_matches([' ', '$', '-', '+', '\'', '"', '@', '(']);
    Number::leading(value).is_some() || is_any(first_word(value), &["none", "null"])
}
