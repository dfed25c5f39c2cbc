use proptest::prelude::*;

use super::*;
use crate::domain::event::Level;

const HOUR: u64 = Micros::HOUR;
const START: u64 = 1_000 * HOUR;

/// id, microseconds after the start, source, correlation id, decision, symbol.
type Line = (u64, u64, &'static str, Option<&'static str>, Option<Decision>, Option<&'static str>);

fn fold(lines: &[Line]) -> TradePath {
    let mut path = TradePath::default();
    for (id, after, source, correlation_id, decision, symbol) in lines {
        path.fold(&EventRef {
            id: EventId(*id),
            ts: Micros(START + after),
            unit: "u",
            source,
            host: "h",
            level: Level::INFO,
            message: &format!("[{source}] says {id}"),
            symbol: *symbol,
            correlation_id: *correlation_id,
            decision: *decision,
            confidence: None,
            fields: None,
        });
    }
    path
}

fn whole(path: &TradePath) -> Summary {
    path.summary(Micros(START), None, 20)
}

use Decision::{Buy, Hold, Sell};

/// Four signals: one traded without a word from risk, one stopped at risk, one left after the AI engine, one HOLD.
const LINES: [Line; 9] = [
    (1, 0, "ai_engine", Some("a"), Some(Buy), Some("BTCUSDT")),
    (2, 1, "strategy", Some("a"), Some(Buy), Some("BTCUSDT")),
    (3, 2, "execution", Some("a"), None, None),
    (4, 3, "ai_engine", Some("b"), Some(Sell), Some("ETHUSDT")),
    (5, 4, "strategy", Some("b"), Some(Sell), None),
    (6, 5, "risk", Some("b"), Some(Sell), None),
    (7, 6, "ai_engine", Some("c"), Some(Buy), Some("ETHUSDT")),
    (8, 7, "ai_engine", Some("d"), Some(Hold), Some("ETHUSDT")),
    (9, 8, "portfolio", None, Some(Hold), None),
];

#[test]
fn signals_are_seen_go_on_and_stop() {
    let summary = whole(&fold(&LINES));
    let flow = summary.flow.map(|at| (at.stage.source(), at.seen, at.began, at.next, at.on, at.stopped));
    assert_eq!(
        flow,
        [
            ("ai_engine", 3, 3, 2, 2, 1),
            ("strategy", 2, 0, 1, 2, 0),
            ("risk", 1, 0, 0, 0, 1),
            ("execution", 1, 0, 0, 0, 1)
        ]
    );
    assert_eq!((summary.to_trade, summary.others), (3, (1, 0)));
    assert_eq!(summary.decisions, [[2, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]);
    let reasons: Vec<_> = summary.reasons.iter().map(|r| (r.stage, r.text.as_deref(), r.count, r.example)).collect();
    assert_eq!(
        reasons,
        [
            (Some(Stage::AiEngine), Some("[ai_engine] says <n>"), 1, Some(EventId(8))),
            (Some(Stage::Risk), Some("[risk] says <n>"), 1, Some(EventId(6))),
        ]
    );
    assert_eq!(summary.symbols.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["ETHUSDT", "BTCUSDT"]);
}

#[test]
fn one_symbol() {
    let path = fold(&LINES);
    let summary = path.summary(Micros(START), Some("ETHUSDT"), 20);
    assert_eq!(summary.flow.map(|at| at.seen), [2, 1, 1, 0]);
    assert_eq!(summary.decisions[0], [1, 1, 1]);
    let nothing = path.summary(Micros(START), Some("DOGEUSDT"), 20);
    assert_eq!((nothing.to_trade, nothing.reasons.len(), nothing.symbols.len()), (0, 0, 2));
}

#[test]
fn a_window_begins_with_the_piece_of_time_it_was_asked_for() {
    let path = fold(&[
        (1, 0, "ai_engine", Some("a"), Some(Buy), None),
        (2, SLOT, "ai_engine", Some("b"), Some(Buy), None),
        // Of the signal that began before it, although the event lies within.
        (3, SLOT + 1, "risk", Some("a"), None, None),
    ]);
    let summary = path.summary(Micros(START + SLOT + 5), None, 20);
    assert_eq!((summary.since, summary.flow.map(|at| at.seen)), (Micros(START + SLOT), [1, 0, 0, 0]));
}

#[test]
fn age_merges_and_drops_and_later_lines_still_find_their_signal() {
    let mut path = fold(&LINES);
    let before = whole(&path);
    path.age(Micros(START + 20 * HOUR));
    assert_eq!(whole(&path), before, "merged into hours, the figures are the same");
    let late = |path: &mut TradePath, id, ts| {
        let [.., line] = [(id, ts, "execution", Some("c"), None, None)] as [Line; 1];
        let (id, after, source, correlation_id, ..) = line;
        path.fold(&EventRef {
            id: EventId(id),
            ts: Micros(START + after),
            unit: "u",
            source,
            host: "h",
            level: Level::INFO,
            message: "filled",
            symbol: None,
            correlation_id,
            decision: None,
            confidence: None,
            fields: None,
        });
    };
    late(&mut path, 20, 19 * HOUR);
    let after = whole(&path);
    assert_eq!((after.to_trade, after.flow[3].seen, after.flow[0].stopped), (3, 2, 0));
    path.age(Micros(START + KEPT + 2 * HOUR));
    let gone = whole(&path);
    assert_eq!((gone.to_trade, gone.reasons.len(), path.rows.len(), path.blocked.len()), (0, 0, 0, 0));
}

#[test]
fn what_services_invent_is_bounded() {
    let mut path = TradePath::default();
    let count = MAX_SIGNALS as u64 * 2 + 100;
    for number in 1..=count {
        path.fold(&EventRef {
            id: EventId(number),
            ts: Micros(START),
            unit: "u",
            source: "risk",
            host: "h",
            level: Level::INFO,
            message: &format!(
                "reason {}",
                "x".repeat(number as usize % 1_500 % 150)
                    .replace('x', &char::from(b'a' + (number % 26) as u8).to_string())
            ),
            symbol: Some(&format!("S{}USDT", number % 1_000)),
            correlation_id: Some(&number.to_string()),
            decision: Some(Sell),
            confidence: None,
            fields: None,
        });
    }
    assert!(path.rows.len() <= MAX_SYMBOLS + 1, "{} rows", path.rows.len());
    assert!(path.blocked.len() <= MAX_BLOCKED + MAX_SYMBOLS + 1, "{} lines of reasons", path.blocked.len());
    assert!(path.young.len() + path.old.len() <= 2 * MAX_SIGNALS);
    let summary = whole(&path);
    assert_eq!((summary.to_trade, summary.reasons.len(), summary.symbols.len()), (count, 20, MAX_SYMBOLS));
}

proptest! {
    #[test]
    fn the_order_does_not_matter(order in Just((0..LINES.len()).collect::<Vec<_>>()).prop_shuffle()) {
        let shuffled: Vec<Line> = order.into_iter().map(|at| LINES[at]).collect();
        let (one, other) = (whole(&fold(&LINES)), whole(&fold(&shuffled)));
        prop_assert_eq!(one.flow, other.flow);
        prop_assert_eq!(one.decisions, other.decisions);
        let stopped = |summary: &Summary| summary.reasons.iter().map(|r| (r.stage, r.count)).collect::<Vec<_>>();
        prop_assert_eq!(stopped(&one), stopped(&other));
        prop_assert_eq!(one.symbols.len(), other.symbols.len());
    }
}
