use super::key::{Key, key};
use super::number::{Fraction, OrOff};
use super::value::{self, Switch, Whole, within};
use crate::domain::gates::Terms;

/// `[gates]`: what a version has to show before it goes on.
pub type Gates = Terms;

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            gates.sharpe_min,
            OrOff<Fraction>,
            |least| between(*least, -100.0, 100.0),
            "The least annual Sharpe ratio of a version that goes on, or \"off\". docs/GATES.md explains all gates."
        ),
        key!(
            gates.win_rate_min,
            OrOff<Fraction>,
            |least| between(*least, 0.0, 1.0),
            "The least share of trades that won, 0 to 1, or \"off\"."
        ),
        key!(
            gates.profit_factor_min,
            OrOff<Fraction>,
            |least| between(*least, 0.0, 1000.0),
            "The least profit factor (what was won over what was lost), or \"off\"."
        ),
        key!(
            gates.max_drawdown_max,
            OrOff<Fraction>,
            |most| between(*most, 0.0, 1.0),
            "The largest loss from a peak of the capital that is let pass, as a share of it, 0 to 1, or \"off\"."
        ),
        key!(
            gates.trades_min,
            OrOff<Whole<u64>>,
            |least| at_most(*least, 1_000_000_000),
            "The fewest trades of an evaluation that is let pass, or \"off\"."
        ),
        key!(
            gates.candidate_psr,
            OrOff<Fraction>,
            probability,
            "The probability that the true Sharpe ratio of the out-of-sample returns is above zero, which a candidate \
             needs at least: 0.5 to 0.9999, or \"off\"."
        ),
        key!(
            gates.candidate_dsr,
            OrOff<Fraction>,
            probability,
            "The same after deflation by the number of trials: 0.5 to 0.9999, or \"off\"."
        ),
        key!(
            gates.production_psr,
            OrOff<Fraction>,
            probability,
            "The probability that the true Sharpe ratio of out-of-sample and shadow returns together is above zero, \
             which production needs at least: 0.5 to 0.9999, or \"off\"."
        ),
        key!(
            gates.shadow_trades,
            OrOff<Whole<u64>>,
            |least| at_most(*least, 1_000_000_000),
            "The fewest trades of the shadow test that production needs where promotion.require_shadow is true, or \
             \"off\"."
        ),
        key!(
            gates.shadow_days,
            OrOff<Whole<u64>>,
            |least| at_most(*least, 3650),
            "The fewest days of the shadow test that production needs where promotion.require_shadow is true, or \
             \"off\"."
        ),
        key!(
            gates.min_periods,
            Whole<u64>,
            |least| within(*least, 2, 3650),
            "The fewest days of returns at which a probability is believed, 2 to 3650."
        ),
        key!(
            gates.accept_reported,
            Switch,
            value::anything,
            "Whether figures that a program merely reports may stand in for the evidence of returns: true or false. \
             With true, nobody can tell skill from luck."
        ),
    ]
}

fn between(value: Option<f64>, least: f64, most: f64) -> Result<(), String> {
    match value {
        Some(value) if !(least..=most).contains(&value) => Err(format!("must be from {least} to {most}, or \"off\"")),
        _ => Ok(()),
    }
}

fn probability(value: &Option<f64>) -> Result<(), String> {
    between(*value, 0.5, 0.9999)
}

fn at_most(value: Option<u64>, most: u64) -> Result<(), String> {
    value.map_or(Ok(()), |value| within(value, 0, most))
}
