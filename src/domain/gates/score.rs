use crate::domain::model::{Figure, PlainFigures};

/// The most that a version that fails a gate can score.
const FAILED_MOST: f64 = 49.9;

/// The score, 0 to 100: Sharpe ratio 50 %, win rate 30 %, profit factor 20 %, each rising piecewise-linearly from 0 at
/// no edge through 50 at its gate to 100 at excellence. A figure that is not known counts as no edge. Under 50 for a
/// version that `failed` a gate, whichever.
pub fn score(figures: &PlainFigures, failed: bool) -> f64 {
    let sharpe = points(figures.sharpe_ratio, [0.0, 1.0, 2.0]);
    let win_rate = points(figures.win_rate, [0.50, 0.52, 0.60]);
    let profit_factor = points(figures.profit_factor, [1.0, 1.3, 2.0]);
    let score = (0.5 * sharpe + 0.3 * win_rate + 0.2 * profit_factor).clamp(0.0, 100.0);
    if failed { score.min(FAILED_MOST) } else { score }
}

fn points(figure: Option<Figure>, [none, gate, excellent]: [f64; 3]) -> f64 {
    let Some(Figure { value, .. }) = figure else { return 0.0 };
    let points = if value < gate {
        50.0 * (value - none) / (gate - none)
    } else {
        50.0 + 50.0 * (value - gate) / (excellent - gate)
    };
    points.clamp(0.0, 100.0)
}
