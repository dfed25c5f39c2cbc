use crate::domain::event::{EventRef, first_chars};

/// How much of a message is its reason.
const MOST_CHARS: usize = 160;

/// Hexadecimal words of this length and more are ids.
const ID_CHARS: usize = 8;

/// The message without what differs from one signal to the next: `<symbol>`, `<side>`, `<id>` and `<n>` stand for
/// symbols, decisions, ids and numbers. Messages that say the same thing become the same text.
pub fn of(event: &EventRef<'_>) -> String {
    let message = first_chars(event.message, MOST_CHARS);
    let mut reason = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            first if in_word(first) => rest.find(|c| !in_word(c)).unwrap_or(rest.len()),
            first => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        if !in_word(first) {
            reason.push_str(word);
            continue;
        }
        // Punctuation that ends a sentence is no part of its last word.
        let bare = word.trim_end_matches(['.', '-']);
        push_word(event, bare, &mut reason);
        reason.push_str(&word[bare.len()..]);
    }
    reason
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn push_word(event: &EventRef<'_>, word: &str, reason: &mut String) {
    if event.symbol == Some(word) {
        reason.push_str("<symbol>");
    } else if event.correlation_id == Some(word) {
        reason.push_str("<id>");
    } else if matches!(word, "BUY" | "SELL" | "HOLD") {
        reason.push_str("<side>");
    } else if !word.bytes().any(|byte| byte.is_ascii_digit()) {
        reason.push_str(word);
    } else if word.len() >= ID_CHARS
        && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
    {
        reason.push_str("<id>");
    } else {
        // Letters stay, so `conf0.7` and `top3` are told apart; each number in between becomes one mark.
        let mut within = false;
        for c in word.chars() {
            let number = c.is_ascii_digit() || (matches!(c, '.' | '-') && (within || word.len() == 1));
            match (number, within) {
                (true, false) => reason.push_str("<n>"),
                (false, _) => reason.push(c),
                (true, true) => {}
            }
            within = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Level;
    use crate::domain::id::EventId;
    use crate::domain::time::Micros;

    fn reason(message: &str) -> String {
        of(&EventRef {
            id: EventId::ZERO,
            ts: Micros(0),
            unit: "u",
            source: "risk",
            host: "h",
            level: Level::INFO,
            message,
            symbol: Some("1000PEPEUSDT"),
            correlation_id: Some("job_7.a"),
            decision: None,
            confidence: None,
            fields: None,
        })
    }

    #[test]
    fn what_differs_is_replaced() {
        for (message, expect) in [
            ("", ""),
            ("exposure limit reached", "exposure limit reached"),
            ("1000PEPEUSDT SELL blocked: exposure 12.5% > 10%.", "<symbol> <side> blocked: exposure <n>% > <n>%."),
            ("correlation_id=job_7.a rejected", "correlation_id=<id> rejected"),
            ("order 60965827-3887-45f4-9153-cca5cf1c301f failed", "order <id> failed"),
            ("retry 3 of 5, code -2019, top3, v2.1", "retry <n> of <n>, code -<n>, top<n>, v<n>"),
            ("at 2026-01-17T03:46:06Z", "at <n>T<n>:<n>:<n>Z"),
            ("deadbeef cafe", "deadbeef cafe"),
            ("größer als 5 µs…", "größer als <n> µs…"),
        ] {
            assert_eq!(reason(message), expect, "{message}");
        }
        assert_eq!(reason(&"é".repeat(500)).chars().count(), MOST_CHARS);
    }
}
