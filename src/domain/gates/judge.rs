use super::{
    Evidence, Gate, GateAnswer, GateOutcome, Goal, Terms, Trials, Verdict, passed, plain, score, together, trials,
};
use crate::domain::performance::{Moments, psr};

/// What the gates on the way to `goal` say of a version.
pub fn judge(goal: Goal, evidence: &Evidence<'_>, terms: &Terms) -> Verdict {
    let mut gates = plain(evidence.plain, terms);
    let mut of: Option<Trials> = None;
    if goal >= Goal::Candidate {
        let trials = trials(evidence.trials);
        let returns = evidence.out_of_sample.map(|daily| daily.returns.as_slice());
        gates.extend(terms.candidate_psr.map(|least| probability(Gate::Psr, returns, 0.0, least, terms)));
        gates.extend(terms.candidate_dsr.map(|least| probability(Gate::Dsr, returns, trials.benchmark, least, terms)));
        of = Some(trials);
    }
    if goal == Goal::Production {
        let shadow = evidence.shadow.and_then(|shadow| shadow.daily);
        let all = evidence.out_of_sample.map(|daily| together(daily, shadow));
        gates.extend(
            terms.production_psr.map(|least| probability(Gate::PsrWithShadow, all.as_deref(), 0.0, least, terms)),
        );
    }
    let passed = passed(&gates);
    let failed = gates.iter().any(|answer| answer.outcome != GateOutcome::Pass);
    Verdict { goal, gates, passed, score: score(evidence.plain, failed), trials: of, wait_days: None }
}

fn probability(gate: Gate, returns: Option<&[f64]>, benchmark: f64, threshold: f64, terms: &Terms) -> GateAnswer {
    let enough = returns.filter(|returns| returns.len() as u64 >= terms.min_periods);
    let value = enough.and_then(Moments::of).map(|moments| psr(&moments, benchmark));
    let margin = value.map(|value| value - threshold);
    let outcome = match margin {
        Some(margin) if margin >= 0.0 => GateOutcome::Pass,
        Some(_) => GateOutcome::Fail,
        None => GateOutcome::NotEnoughData,
    };
    GateAnswer { gate, value, threshold, margin, outcome, reported: false, note: String::new() }
}
