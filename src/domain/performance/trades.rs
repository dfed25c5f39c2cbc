use super::moments::sum;
use crate::domain::model::{Figure, FigureOrigin, PlainFigures};

/// A figure that was computed here; none where it would not be finite.
pub(super) fn computed(value: Option<f64>) -> Option<Figure> {
    value.filter(|value| value.is_finite()).map(|value| Figure { value, origin: FigureOrigin::Computed })
}

/// Win rate, profit factor, mean win and mean loss of `returns`; those that are zero count among `counted`, which the
/// win rate is a share of. No profit factor without a loss: it would be infinite, and knows nothing of losses.
pub(super) fn outcomes(returns: &[f64], counted: usize, figures: &mut PlainFigures) {
    let wins = returns.iter().filter(|gain| **gain > 0.0).count();
    let losses = returns.iter().filter(|gain| **gain < 0.0).count();
    let won = sum(returns.iter().copied().filter(|gain| *gain > 0.0));
    let lost = -sum(returns.iter().copied().filter(|gain| *gain < 0.0));
    figures.win_rate = computed((counted > 0).then(|| wins as f64 / counted as f64));
    figures.profit_factor = computed((losses > 0).then(|| won / lost));
    figures.avg_win = computed((wins > 0).then(|| won / wins as f64));
    figures.avg_loss = computed((losses > 0).then(|| -lost / losses as f64));
}
