//! Lines that differ as real ones do: times are those of the event, fractions and long numbers are other ones each time.
//! A few thousand lines repeated to the letter would be compressed away.

use regex::Regex;

use crate::Result;

pub(crate) struct Lines {
    lines: Vec<Line>,
    origin: String,
}

struct Line {
    unit: String,
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    /// Date and time to the second.
    Time,
    /// So many digits.
    Digits(usize),
}

/// Writes lines; remembers the text of the second it is in.
#[derive(Default)]
pub(crate) struct Writer {
    second: u64,
    time: String,
    pub(crate) text: String,
}

impl Lines {
    pub(crate) fn load() -> Result<Self> {
        let pattern = Regex::new(
            r"(?x) \\u[0-9a-f]{4} | (?<time> \d{4}-\d\d-\d\d[\ T]\d\d:\d\d:\d\d) | [,.] (?<part> \d{2,}) | (?<long> \d{4,})",
        )?;
        let (origin, text) = match std::env::var("QUANTUM_CLM_BENCH_LINES") {
            Ok(path) => (format!("like those of {path}"), std::fs::read_to_string(path)?),
            Err(_) => ("built in".to_owned(), BUILT_IN.to_owned()),
        };
        let lines: Vec<Line> = text
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(unit, message)| Line { unit: unit.to_owned(), pieces: pieces(message, &pattern) })
            .collect();
        if lines.is_empty() {
            return Err("no line is `unit<TAB>message`".into());
        }
        Ok(Self { lines, origin })
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    pub(crate) fn units(&self) -> Vec<String> {
        let mut units: Vec<String> = self.lines.iter().map(|line| line.unit.clone()).collect();
        units.sort();
        units.dedup();
        units
    }

    /// The line of that number as it would be written at `ts`: its unit; the text is the writer's.
    pub(crate) fn write(&self, number: u64, ts: u64, writer: &mut Writer) -> &str {
        let line = &self.lines[(number % self.lines.len() as u64) as usize];
        writer.text.clear();
        for (at, piece) in line.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => writer.text.push_str(text),
                Piece::Time => {
                    if writer.second != ts / 1_000_000 || writer.time.is_empty() {
                        writer.second = ts / 1_000_000;
                        let time = chrono::DateTime::from_timestamp(writer.second as i64, 0).unwrap_or_default();
                        writer.time = time.format("%Y-%m-%d %H:%M:%S").to_string();
                    }
                    writer.text.push_str(&writer.time);
                }
                Piece::Digits(count) => {
                    let mut noise = noise(number.wrapping_mul(64).wrapping_add(at as u64));
                    for _ in 0..*count {
                        writer.text.push(char::from(b'0' + (noise % 10) as u8));
                        noise /= 10;
                    }
                }
            }
        }
        &line.unit
    }
}

/// Steele, Lea and Flood 2014 (splitmix64).
pub(crate) fn noise(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn pieces(message: &str, pattern: &Regex) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for found in pattern.captures_iter(message) {
        let (piece, range) = if let Some(time) = found.name("time") {
            (Piece::Time, time.range())
        } else if let Some(digits) = found.name("part").or(found.name("long")) {
            (Piece::Digits(digits.len().min(19)), digits.range())
        } else {
            continue;
        };
        pieces.push(Piece::Text(message[from..range.start].to_owned()));
        pieces.push(piece);
        from = range.end;
    }
    pieces.push(Piece::Text(message[from..].to_owned()));
    pieces
}

const BUILT_IN: &str = "\
quantum-ai-engine.service\t2026-01-17 03:46:59,877 - ai.agents.xgb - INFO - XGB BTCUSDT: HOLD 94.61% (pred=1)
quantum-ai-engine.service\t2026-01-17 03:46:59,881 - ai.agents.nhits - INFO - N-HiTS ETHUSDT: BUY (conf=0.73, probs=[0.02, 0.25, 0.73])
quantum-ai-engine.service\t2026-01-17 03:46:59,905 - ai.agents.lgbm - INFO - LGBM SOLUSDT: SELL (conf=0.62, probs=[0.62, 0.16, 0.22])
quantum-ai-engine.service\t[TFT-Agent] [INFO] 2026-01-17 03:46:59 | OPUSDT \u{2192} BUY (TFT, conf=0.338)
quantum-strategy-brain.service\t[STRATEGY] INJUSDT: price 4.815, volume 162342, no signal
quantum-risk-brain.service\t2026-01-17 03:46:59,914 - risk - WARNING - exposure of BTCUSDT is 71.25% of the limit
quantum-execution.service\t2026-01-17 03:46:59,918 - execution - INFO - order 8812773 for ETHUSDT filled at 3301.25
quantum-execution.service\t2026-01-17 03:46:59,919 - execution - ERROR - order 8812774 for SOLUSDT refused: code=1021
";
