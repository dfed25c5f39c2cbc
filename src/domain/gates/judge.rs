use super::note::count;
use super::record::Record;
use super::{
    Evidence, Gate, GateAnswer, GateOutcome, Goal, Shadow, Terms, Trials, Verdict, passed, plain, score, together,
    trials,
};
use crate::domain::model::FigureOrigin;
use crate::domain::performance::expected_best;

/// What the gates on the way to `goal` say of a version.
pub fn judge(goal: Goal, evidence: &Evidence<'_>, terms: &Terms) -> Verdict {
    judge_by(goal, evidence, terms, (goal >= Goal::Candidate).then(|| trials_of(evidence, terms)))
}

/// The verdict for each goal, in the order of the way. The trials are compared once for all of them.
pub fn judge_all(evidence: &Evidence<'_>, terms: &Terms) -> [Verdict; 3] {
    let trials = trials_of(evidence, terms);
    [Goal::Shadow, Goal::Candidate, Goal::Production]
        .map(|goal| judge_by(goal, evidence, terms, (goal >= Goal::Candidate).then_some(trials)))
}

fn trials_of(evidence: &Evidence<'_>, terms: &Terms) -> Trials {
    trials(evidence.trials, evidence.out_of_sample.map_or(0, |daily| daily.returns.len()), terms.min_periods)
}

/// `of` is there from candidate on.
fn judge_by(goal: Goal, evidence: &Evidence<'_>, terms: &Terms, of: Option<Trials>) -> Verdict {
    let mut gates = plain(evidence.plain, terms);
    let mut waits = Vec::new();
    if let Some(trials) = of {
        let record = evidence.out_of_sample.map(|daily| Record::of(&daily.returns));
        for (gate, least, benchmark) in
            [(Gate::Psr, terms.candidate_psr, 0.0), (Gate::Dsr, terms.candidate_dsr, trials.benchmark)]
        {
            let Some(least) = least else { continue };
            let (answer, wait) = probability(gate, record.as_ref(), [benchmark, benchmark], least, evidence, terms);
            waits.push((answer.outcome, wait));
            gates.push(answer);
        }
    }
    if goal == Goal::Production {
        if let Some(least) = terms.production_psr {
            let shadow = evidence.shadow.and_then(|shadow| shadow.daily);
            let all = evidence.out_of_sample.map(|daily| together(daily, shadow));
            let record = all.as_deref().map(Record::of);
            let chosen = evidence.out_of_sample.map_or(0, |daily| daily.returns.len()) as f64;
            let days = all.map_or(0, |all| all.len()) as f64;
            let luck = of.map_or(0.0, |trials| luck_of_choice(&trials, chosen, days));
            let (answer, wait) = probability(Gate::PsrWithShadow, record.as_ref(), [0.0, luck], least, evidence, terms);
            waits.push((answer.outcome, wait));
            gates.push(answer);
        }
        if evidence.require_shadow {
            let least = |least: Option<u64>| least.map(|least| least as f64);
            gates.extend(least(terms.shadow_trades).map(|least| shadow_trades(evidence, least, terms)));
            gates.extend(least(terms.shadow_days).map(|least| shadow_days(evidence, least, terms)));
        }
        gates.push(artifacts(evidence.artifacts_ok));
    }
    let passed = passed(&gates);
    let score = score(evidence.plain, !passed);
    Verdict { goal, gates, passed, score, trials: of, wait_days: longest(&waits) }
}

/// The Sharpe ratio a period that a record of `days` may owe to having been chosen by its first `chosen` days among the
/// trials. The days of the shadow test owe nothing to that.
///
/// The trials are taken to differ by the error of their estimates alone, other than for DSR: that a bad trial was far
/// worse does not make the best one luckier.
fn luck_of_choice(trials: &Trials, chosen: f64, days: f64) -> f64 {
    if chosen < 2.0 { 0.0 } else { expected_best(trials.effective, 1.0 / (chosen - 1.0)) * chosen / days }
}

/// The longest of the waits that are left; none where nothing is to be waited for, or one has no end.
fn longest(waits: &[(GateOutcome, Option<u64>)]) -> Option<f64> {
    let mut left = waits.iter().filter(|(outcome, _)| *outcome != GateOutcome::Pass).map(|(_, wait)| *wait);
    let first = left.next()?;
    left.fold(first, |longest, wait| Some(longest?.max(wait?))).map(|days| days as f64)
}

fn probability(
    gate: Gate,
    record: Option<&Record>,
    [benchmark, luck]: [f64; 2],
    least: f64,
    evidence: &Evidence<'_>,
    terms: &Terms,
) -> (GateAnswer, Option<u64>) {
    if let Some(record) = record {
        let (mut answer, wait) = record.answer(gate, benchmark, luck, least, terms);
        if evidence.trained_on > 0 {
            let days = count(evidence.trained_on, "day");
            answer.note =
                format!("{}; {days} of the backtest were left out: the version was trained on them", answer.note);
        }
        return (answer, wait);
    }
    let reported = [evidence.plain.sharpe_ratio, evidence.plain.total_trades]
        .iter()
        .flatten()
        .any(|figure| figure.origin == FigureOrigin::Reported);
    let (outcome, note) = match (reported, terms.accept_reported) {
        _ if evidence.trained_on > 0 => (
            GateOutcome::NotEnoughData,
            format!(
                "no out-of-sample returns: all {} of the backtest are before the end of the data that the version was \
                 trained on; send one of later days",
                count(evidence.trained_on, "day")
            ),
        ),
        (true, true) => (
            GateOutcome::Pass,
            "accepted as reported (gates.accept_reported): there are no returns to tell skill from luck by".to_owned(),
        ),
        (true, false) => (
            GateOutcome::NotEnoughData,
            "no out-of-sample returns: reported figures are no evidence; send a backtest or walk_forward with `returns` \
             or `trades`"
                .to_owned(),
        ),
        (false, _) => (
            GateOutcome::NotEnoughData,
            "no out-of-sample returns: send a backtest or walk_forward with `returns` or `trades`".to_owned(),
        ),
    };
    let answer = GateAnswer {
        gate,
        value: None,
        threshold: least,
        margin: None,
        outcome,
        reported: outcome == GateOutcome::Pass,
        note,
    };
    (answer, None)
}

/// A number that a shadow test has to reach.
struct Counted {
    value: Option<f64>,
    reported: bool,
    /// Whether it counts though nobody accepts what is merely reported.
    believed: bool,
    /// Why it does not count, where something makes the whole test void.
    void: Option<&'static str>,
}

/// The trades of the shadow test. Their number counts as reported, too, where its returns vouch for the test; it does not
/// count where the test begins among the out-of-sample days: which trades are new cannot be told.
fn shadow_trades(evidence: &Evidence<'_>, least: f64, terms: &Terms) -> GateAnswer {
    let counted = |shadow: Shadow<'_>| {
        let reported = shadow.trades.is_none_or(|trades| trades.origin == FigureOrigin::Reported);
        let value = shadow.trades.map(|trades| trades.value);
        let void = shadow.overlaps(evidence.out_of_sample).then_some(
            "the shadow test begins before the out-of-sample days end, so its trades are not counted: send one of later days",
        );
        Counted { value, reported, believed: !reported || shadow.daily.is_some(), void }
    };
    count_gate(Gate::ShadowTrades, "trade", evidence.shadow.map(counted), least, terms)
}

/// The days of the shadow test, those after the out-of-sample ones.
fn shadow_days(evidence: &Evidence<'_>, least: f64, terms: &Terms) -> GateAnswer {
    let counted = |shadow: Shadow<'_>| match shadow.days_after(evidence.out_of_sample) {
        Some(days) => Counted { value: Some(days as f64), reported: false, believed: true, void: None },
        None => Counted { value: Some(shadow.period_days), reported: true, believed: false, void: None },
    };
    let mut answer = count_gate(Gate::ShadowDays, "day", evidence.shadow.map(counted), least, terms);
    if evidence.shadow.is_some_and(|shadow| shadow.overlaps(evidence.out_of_sample)) {
        answer.note.push_str("; days that the out-of-sample returns reach are not counted");
    }
    answer
}

fn count_gate(gate: Gate, what: &str, counted: Option<Counted>, least: f64, terms: &Terms) -> GateAnswer {
    let asked = count(least as u64, what);
    let tested = counted.is_some();
    let Counted { value, reported, believed, void } =
        counted.unwrap_or(Counted { value: None, reported: false, believed: false, void: None });
    let (outcome, note) = match value {
        _ if void.is_some() => (GateOutcome::NotEnoughData, void.unwrap_or_default().to_owned()),
        None if !tested => (GateOutcome::NotEnoughData, format!("no shadow test yet: {asked} are asked for")),
        None => (GateOutcome::NotEnoughData, format!("the shadow test does not say how many {what}s it has")),
        Some(_) if !believed && !terms.accept_reported => (
            GateOutcome::NotEnoughData,
            format!("the shadow test's {what}s are merely reported: send it with `returns` or `trades`"),
        ),
        Some(value) if value < least => {
            let missing = count((least - value).ceil() as u64, what);
            (GateOutcome::NotEnoughData, format!("the shadow test has {value} of {asked}: {missing} to go"))
        }
        Some(value) => {
            let how = if believed { "" } else { ", accepted as reported (gates.accept_reported)" };
            (GateOutcome::Pass, format!("the shadow test has {value} of {asked}{how}"))
        }
    };
    let margin = value.map(|value| value - least);
    GateAnswer { gate, value, threshold: least, margin, outcome, reported: value.is_some() && reported, note }
}

fn artifacts(ok: bool) -> GateAnswer {
    let value = f64::from(u8::from(ok));
    let (outcome, note) = match ok {
        true => (GateOutcome::Pass, "its files are there".to_owned()),
        false => (GateOutcome::Fail, "its files are missing or empty: upload them".to_owned()),
    };
    GateAnswer {
        gate: Gate::Artifacts,
        value: Some(value),
        threshold: 1.0,
        margin: Some(value - 1.0),
        outcome,
        reported: false,
        note,
    }
}
