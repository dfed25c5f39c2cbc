//! A feed for newcomers: lines in the manner of the trading services, made here, so that events, counters and an intent
//! can be seen without a journal. The lines go through the same normaliser as the journal's.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::domain::batch::EventBatch;
use crate::domain::event::{EventRef, Level};
use crate::domain::feed::{Delivery, Progress};
use crate::domain::id::EventId;
use crate::domain::normalise::{Normaliser, Scratch};
use crate::domain::source::source_of;
use crate::domain::time::Micros;
use crate::process::StopFlag;

/// Time between two deliveries.
const EVERY: Duration = Duration::from_millis(200);

/// Hours of history that a new data file starts with, and events in each.
const HISTORY_HOURS: u64 = 3;
const HISTORY_EVENTS: u64 = 400;

const SYMBOLS: [&str; 6] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "1000PEPEUSDT", "OPUSDC"];

/// Runs until `stop` is set or `deliver` breaks. A new data file (`fresh`) gets some hours of history first.
pub fn run(
    normaliser: &Normaliser,
    fresh: bool,
    now: impl Fn() -> Micros,
    stop: &StopFlag,
    mut deliver: impl FnMut(Delivery) -> ControlFlow<()>,
) {
    let mut feed = Feed { normaliser, scratch: Scratch::default(), random: now().0 | 1, number: 0 };
    if fresh {
        let start = now().minus(HISTORY_HOURS * Micros::HOUR);
        let step = HISTORY_HOURS * Micros::HOUR / (HISTORY_HOURS * HISTORY_EVENTS);
        let mut events = EventBatch::new();
        for number in 0..HISTORY_HOURS * HISTORY_EVENTS {
            feed.decision(start.plus(number * step), &mut events);
        }
        if deliver(Delivery { events, progress: Progress::Until(now()), ..Delivery::default() }).is_break() {
            return;
        }
    }
    while !stop.sleep(EVERY) {
        let mut events = EventBatch::new();
        feed.decision(now(), &mut events);
        if deliver(Delivery { events, progress: Progress::CaughtUp(now()), ..Delivery::default() }).is_break() {
            return;
        }
    }
}

struct Feed<'a> {
    normaliser: &'a Normaliser,
    scratch: Scratch,
    random: u64,
    number: u64,
}

impl Feed<'_> {
    /// Marsaglia's xorshift64: a demo needs variety, not chance.
    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    /// One decision on its way through the services: some lines under one correlation id.
    fn decision(&mut self, at: Micros, events: &mut EventBatch) {
        self.number += 1;
        let symbol = SYMBOLS[self.below(SYMBOLS.len() as u64) as usize];
        let side = ["BUY", "SELL", "HOLD", "HOLD"][self.below(4) as usize];
        let confidence = 45 + self.below(50);
        let id = format!("{:08x}-0000-4000-8000-{:012x}", self.random >> 32, self.number);
        let json = |level: &str, text: &str| {
            serde_json::json!({"ts": at.rfc3339(), "level": level, "service": "ai_engine", "correlation_id": id, "msg": text})
                .to_string()
        };
        let signal = json("INFO", &format!("[AI-ENGINE] signal for {symbol}: {side} (confidence={confidence}%)"));
        self.line("quantum-ai-engine.service", at, &signal, events);
        if side == "HOLD" {
            return;
        }
        let plan = format!("[INFO] [STRATEGY] plan accepted: {symbol} {side} conf=0.{confidence} correlation_id={id}");
        self.line("quantum-strategy-brain.service", at.plus(2_000), &plan, events);
        if self.below(3) == 0 {
            let block =
                format!("[WARNING] [RISK] {symbol} {side} blocked: exposure limit reached, correlation_id={id}");
            self.line("quantum-risk-brain.service", at.plus(4_000), &block, events);
        } else {
            let order =
                format!("[INFO] [EXEC] order filled: {symbol} {side} qty={}, correlation_id={id}", self.below(900) + 1);
            self.line("quantum-execution.service", at.plus(6_000), &order, events);
        }
    }

    fn line(&mut self, unit: &str, at: Micros, line: &str, events: &mut EventBatch) {
        let fields = self.normaliser.normalise(line, &mut self.scratch);
        events.push(EventRef {
            id: EventId::ZERO,
            ts: at,
            unit,
            source: source_of(unit, &BTreeMap::new()),
            host: "demo",
            level: fields.level.unwrap_or(Level::INFO),
            message: fields.message,
            symbol: fields.symbol,
            correlation_id: fields.correlation_id,
            decision: fields.decision,
            confidence: fields.confidence,
            fields: None,
        });
    }
}
