use super::closing::Closing;
use super::words::{
    Few, Number, Word, first_word, is_any, last_word, starts_with_ignore_case, strip_arrow, strip_arrow_end, trim_end,
    trim_start,
};
use crate::domain::event::Decision;

/// Models that vote in an ensemble, as lines call them.
const MODELS: [&str; 21] = [
    "xgb",
    "xgboost",
    "lgbm",
    "lightgbm",
    "lgb",
    "nh",
    "nhits",
    "hits",
    "n_hits",
    "pt",
    "patchtst",
    "tft",
    "lstm",
    "gru",
    "dlinear",
    "catboost",
    "rf",
    "ppo",
    "dqn",
    "transformer",
    "tcn",
];

/// Keys whose value is a decision, the more final first.
const FINAL_KEYS: [&str; 8] =
    ["decision", "action", "final", "final_action", "final_decision", "final_signal", "override", "consensus"];
const SIGNAL_KEYS: [&str; 9] =
    ["signal", "recommendation", "intent", "prediction", "ensemble", "pred", "verdict", "result", "proposal"];
const SIDE_KEYS: [&str; 6] = ["side", "direction", "order", "order_side", "trade", "type"];

/// Nouns that make a side part of a name or a statistic: `HOLD lease`, `BUY pressure`, `SELL signals`.
const NOUNS: [&str; 34] = [
    "lease",
    "leases",
    "lock",
    "time",
    "period",
    "duration",
    "window",
    "rate",
    "ratio",
    "share",
    "bias",
    "count",
    "counts",
    "signals",
    "orders",
    "votes",
    "vote",
    "trades",
    "positions",
    "pressure",
    "volume",
    "wall",
    "zone",
    "threshold",
    "thresholds",
    "prob",
    "probability",
    "score",
    "dominance",
    "decisions",
    "class",
    "side",
    "bar",
    "bars",
];

/// A BUY, SELL or HOLD that may be what the line decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stated {
    pub(super) decision: Decision,
    pub(super) start: usize,
    pub(super) end: usize,
    rank: Rank,
}

/// How much a mention weighs, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// A member of an ensemble says so.
    Vote,
    /// With a number after it, as a list of counts or shares has it.
    Share,
    Side,
    Plain,
    Final,
}

/// All mentions of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decisions {
    mentions: Few<Stated>,
}

impl Decisions {
    pub(super) fn new() -> Self {
        Self { mentions: Few::new() }
    }

    /// Takes note of `word` if it states a decision.
    pub(super) fn see(&mut self, word: Word<'_>) {
        let Some(decision) = named(word.as_str()) else { return };
        let key = word.key();
        if !is_statement(word, key) {
            return;
        }
        self.mentions.push(Stated { decision, start: word.start, end: word.end, rank: rank(word, key) });
    }

    /// The decision of the text: the most final mention that is neither a vote, an alternative nor the side of a
    /// closing order.
    pub(super) fn resolve(&self, text: &str, closing: &Closing) -> Option<Stated> {
        let mut chosen: Option<Stated> = None;
        let mut disputed = false;
        let mut votes = 0;
        let mut all_numbered = true;
        let mut previous: Option<Stated> = None;
        for (mention, next) in self.mentions.iter().zip(self.mentions.iter().skip(1).map(Some).chain([None])) {
            let listed = previous.is_some_and(|previous| is_list(&text[previous.end..mention.start]))
                || next.is_some_and(|next| is_list(&text[mention.end..next.start]));
            let replaced = next.is_some_and(|next| is_arrow(&text[mention.end..next.start]));
            previous = Some(mention);
            if listed || replaced {
                continue;
            }
            let after = &text[mention.end..];
            all_numbered &= mention.rank == Rank::Vote || Number::leading(trim_start(after)).is_some();
            votes += usize::from(mention.rank == Rank::Vote);
            match chosen {
                Some(best) if best.rank >= mention.rank => {
                    disputed |= best.rank == mention.rank && best.decision != mention.decision;
                }
                _ => {
                    chosen = Some(mention);
                    disputed = false;
                }
            }
        }
        let chosen = chosen?;
        let undecided = match chosen.rank {
            Rank::Vote => votes > 1,
            Rank::Final | Rank::Side | Rank::Share => disputed,
            // Prose names its decision first and what it is compared with later; `HOLD 90%, BUY 10%` is a distribution.
            Rank::Plain => disputed && all_numbered,
        };
        if undecided || becomes_closing(&text[chosen.end..]) {
            return None;
        }
        // A monitor that holds a position says so among exits; an order's side among them is no decision.
        (chosen.decision == Decision::Hold || !closing.covers(chosen.start)).then_some(chosen)
    }
}

fn named(word: &str) -> Option<Decision> {
    let core = ["strong_", "weak_", "signal_"].iter().find(|prefix| starts_with_ignore_case(word, prefix));
    let word = core.map_or(word, |prefix| &word[prefix.len()..]);
    let word = word.strip_suffix("_SIGNAL").unwrap_or(word);
    [("buy", Decision::Buy), ("sell", Decision::Sell), ("hold", Decision::Hold)]
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, decision)| decision)
}

fn is_statement(word: Word<'_>, key: Option<&str>) -> bool {
    let before = trim_end(word.before());
    let after = word.after();
    let previous = last_word(before);
    let gap = before.len() < word.start;
    let next = if after.starts_with([' ', '_']) { first_word(trim_start(after)) } else { "" };
    if word.has_lower() {
        // In small letters they are English, save as a value or as what a signal or an order is called by.
        let is_value = key.is_some_and(|key| {
            [&FINAL_KEYS[..], &SIGNAL_KEYS, &SIDE_KEYS].iter().any(|keys| is_any(unprefixed(key), keys))
        });
        let is_called =
            is_any(next, &["signal", "order", "intent"]) && !is_any(previous, &["a", "the", "no", "any", "each"]);
        if !(is_value || is_called) {
            return false;
        }
    }
    if maps_a_class(before, key) {
        return false;
    }
    // `prev_action=SELL`, `position_side=SELL`.
    if key.is_some_and(|key| {
        ["prev", "last_", "old_", "position", "pos_", "pos", "opposite", "close_", "exit_"]
            .iter()
            .any(|start| starts_with_ignore_case(key, start))
    }) {
        return false;
    }
    let hyphenated = after.starts_with("-") && after[1..].starts_with(|c: char| c.is_ascii_alphabetic());
    if hyphenated || is_any(next, &NOUNS) && !(next == "side" && key.is_some()) {
        return false;
    }
    let negated =
        is_any(previous, &["no", "not", "non", "without", "neither", "nor", "if", "min", "max", "lease", "on"]);
    if gap && negated || before.ends_with("non-") || is_counted(before, previous, gap) {
        return false;
    }
    !is_counter(after)
}

/// `0=SELL`, `{0: 'SELL'}`, `action == "SELL"`: a legend or source code.
fn maps_a_class(before: &str, key: Option<&str>) -> bool {
    let before = before.trim_end_matches(['\'', '"', ' ']);
    if before.ends_with("==") || before.ends_with("!=") {
        return true;
    }
    let Some(key) = key.filter(|key| key.bytes().all(|byte| byte.is_ascii_digit())) else { return false };
    let item = trim_end(before.trim_end_matches([':', '=', ' ', '\'', '"']).strip_suffix(key).unwrap_or_default());
    before.ends_with('=') || item.ends_with(['{', ','])
}

/// `3 BUY`: a count of votes. An amount before a side has a point, a unit or a key.
fn is_counted(before: &str, previous: &str, gap: bool) -> bool {
    let is_number = !previous.is_empty() && previous.len() <= 4 && previous.bytes().all(|byte| byte.is_ascii_digit());
    let leading = &before[..before.len() - previous.len()];
    gap && is_number && !leading.ends_with([':', '.', ',', '/', '=', '$', '-', '+', '#'])
}

/// `BUY=3`, `'SELL': 0.2`, `HOLD: 4`: how many or how much of it.
fn is_counter(after: &str) -> bool {
    let quoted = after.starts_with(['\'', '"']);
    let Some(value) = trim_start(after.trim_start_matches(['\'', '"'])).strip_prefix(['=', ':']) else { return false };
    let equals = trim_start(after).starts_with('=');
    Number::leading(trim_start(value)).is_some_and(|number| quoted || equals || !number.percent && !number.has_point)
}

fn rank(word: Word<'_>, key: Option<&str>) -> Rank {
    if let Some(key) = key {
        if is_model(key) {
            return Rank::Vote;
        }
        let key = unprefixed(key);
        if is_any(key, &FINAL_KEYS) {
            return Rank::Final;
        }
        if is_any(key, &SIDE_KEYS) {
            return Rank::Side;
        }
    } else {
        let before = word.before();
        let before = strip_arrow_end(before).unwrap_or_else(|| trim_end(before));
        let direct = before.len() < word.start && is_model(last_word(before));
        if direct {
            return Rank::Vote;
        }
    }
    let after = word.after();
    let listed = after.strip_prefix([':', ' ']).map(trim_start).and_then(Number::leading).is_some_and(|number| {
        let rest = number.after.trim_start_matches(' ');
        after.starts_with(':') || !number.percent && (rest.is_empty() || rest.starts_with([',', '|', ')', ';']))
    });
    if listed { Rank::Share } else { Rank::Plain }
}

/// `xgb`, `xgb_action`.
fn is_model(name: &str) -> bool {
    let stem = name.split('_').next().unwrap_or(name);
    is_any(stem, &MODELS) || is_any(name, &MODELS)
}

/// `signal_side` without what it is the side of.
fn unprefixed(key: &str) -> &str {
    match key.rsplit_once('_') {
        Some((_, last)) if !is_any(key, &FINAL_KEYS) => last,
        _ => key,
    }
}

/// Whether what stands between two mentions makes them alternatives or items.
fn is_list(between: &str) -> bool {
    let between = between.trim_matches(['\'', '"', ' ']);
    is_any(between, &["/", "|", ",", "or", "and", "vs", "&", "vs.", "', '"])
}

/// Whether it makes the later one replace the earlier.
fn is_arrow(between: &str) -> bool {
    let between = between.trim_matches(['\'', '"', ' ']);
    strip_arrow(between).is_some_and(|rest| rest.trim_matches(['\'', '"', ' ']).is_empty())
}

/// `HOLD → CLOSE`.
fn becomes_closing(after: &str) -> bool {
    strip_arrow(after).is_some_and(|rest| {
        let word = first_word(rest);
        ["close", "exit", "partial_close"].iter().any(|start| starts_with_ignore_case(word, start))
    })
}
