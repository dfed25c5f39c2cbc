use super::cadence::Cadence;
use super::rules::Rules;
use super::standing::{Books, Standing};
use super::words::{instant, span};
use crate::domain::job::{JobId, Trigger};
use crate::domain::model::{ModelId, ModelType};
use crate::domain::time::Micros;

/// A model that is seen to be due later than this was not looked at in time, as after a night of being off.
pub const LATE: u64 = Micros::HOUR / 4;

/// The time over which those are spread.
pub const SPREAD: u64 = Micros::HOUR;

/// What is known of a model, besides where the scheduler stands with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub model: ModelId,
    /// What kind of program.
    pub kind: ModelType,
    /// The training job of it that is not over.
    pub open: Option<JobId>,
    /// The newest training job of it.
    pub newest: Option<JobId>,
    /// Its last training: the newest training job that was completed or failed, or the newest version.
    pub trained: Option<Micros>,
    /// Whether a worker that has its programs was heard of lately.
    pub worker: bool,
    /// Whether as many jobs are open as may be.
    pub full: bool,
}

/// A trigger that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub number: u64,
    /// Why.
    pub reason: Trigger,
    /// Who or what said so.
    pub by: String,
    /// What was seen.
    pub evidence: String,
}

/// Why what speaks for a training waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// No-training hours.
    Quiet,
    /// The last training was a short time ago.
    Cooldown {
        /// When.
        last: Micros,
        /// How long it has to be.
        cooldown: u64,
    },
    /// Several models may be overdue, and do not start together.
    Spread {
        /// Since when it is due.
        due: Micros,
    },
    /// As many trainings as may began by themselves in the last hour.
    Rate {
        /// How many may.
        most: u32,
    },
    /// As many jobs are open as may be.
    Full,
    /// Nobody would do it.
    NoWorker {
        /// What kind of program.
        kind: ModelType,
    },
}

impl Hold {
    /// The words behind "not yet, because".
    pub fn words(&self, until: Option<Micros>) -> String {
        let why = match self {
            Self::Quiet => "these are no-training hours".to_owned(),
            Self::Cooldown { last, cooldown } => format!(
                "the last training was at {}, and {} have to lie between two (scheduler.cooldown)",
                instant(*last),
                span(*cooldown)
            ),
            Self::Spread { due } => format!(
                "it is due since {} and was not looked at then, and what is overdue does not start together",
                instant(*due)
            ),
            Self::Rate { most } => {
                format!("{most} trainings an hour are enough (scheduler.starts_per_hour)")
            }
            Self::Full => "as many jobs are open as may be (jobs.waiting)".to_owned(),
            Self::NoWorker { kind } => format!("no worker that trains {kind} was heard of lately"),
        };
        until.map_or(why.clone(), |until| format!("{why}; not before {}", instant(until)))
    }
}

/// What is to be done about a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Train it.
    Start {
        /// Why, above all.
        reason: Trigger,
        /// Who or what said so; none for a condition.
        by: Option<String>,
        /// Everything that speaks for it.
        evidence: String,
    },
    /// Not yet.
    Hold {
        /// Because.
        why: Hold,
        /// Until then, or longer.
        until: Option<Micros>,
    },
    /// A training job of it is open. It serves whatever waits.
    Open(JobId),
    /// Nothing speaks for it.
    NotDue {
        /// When its time comes.
        due: Option<Micros>,
    },
    /// The scheduler is off: what waits is dropped.
    Off,
}

/// What is to be done about a model, and when there is something to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// What is to be done now.
    pub verdict: Verdict,
    /// When a training may begin next, as far as is known now; none where only something from outside can make one begin.
    pub next: Option<Micros>,
    /// When it is due by the clock.
    pub due: Option<Micros>,
}

impl Outlook {
    /// In a sentence without its full stop.
    pub fn words(&self) -> String {
        match &self.verdict {
            Verdict::Start { evidence, .. } => format!("starts now: {evidence}"),
            Verdict::Hold { why, until } => format!("not yet, because {}", why.words(*until)),
            Verdict::Open(job) => format!("not yet, because {job} of the model is open"),
            Verdict::NotDue { due: Some(due) } => format!("not yet, because it is due at {}", instant(*due)),
            Verdict::NotDue { due: None } => {
                "not by the clock: no interval is configured for it (scheduler.intervals)".to_owned()
            }
            Verdict::Off => "not by itself: the scheduler is off (scheduler.enabled)".to_owned(),
        }
    }
}

/// Looks at one model: notes in `standing` what has become different, and decides. Answers whether anything was noted.
pub fn look(
    rules: &Rules,
    known: &Known,
    standing: &mut Standing,
    waiting: &[Pending],
    books: &Books,
    now: Micros,
) -> (Outlook, bool) {
    let noted = standing.note(known, due(rules, known, standing, now), now);
    (decide(rules, known, standing, waiting, books, now), noted)
}

/// When it is due by the clock.
fn due(rules: &Rules, known: &Known, standing: &Standing, now: Micros) -> Option<Micros> {
    let cadence = rules.cadence(&known.model, known.kind);
    if rules.enabled { cadence.due(standing.last(known, now), standing.since.min(now)) } else { None }
}

/// Decides about one model. `waiting` are its triggers that wait, oldest first.
///
/// What somebody asks for by hand begins at once, whatever the hour, if there is room for a job: who asks decides. Every
/// other trigger waits for the end
/// of no-training hours and of the cooldown, and a condition also for its turn among the models and for a worker.
fn decide(
    rules: &Rules,
    known: &Known,
    standing: &Standing,
    waiting: &[Pending],
    books: &Books,
    now: Micros,
) -> Outlook {
    let cadence = rules.cadence(&known.model, known.kind);
    let last = standing.last(known, now);
    let due = due(rules, known, standing, now);
    let manual = waiting.iter().any(|trigger| trigger.reason == Trigger::Manual);
    let free = |at: Micros| rules.calendar.free_from(last.map_or(at, |last| at.max(last.plus(rules.cooldown))));
    let outlook = |verdict, next| Outlook { verdict, next, due };
    if let Some(job) = known.open {
        let next = cadence.due(Some(now), now).filter(|_| rules.enabled).map(free);
        return outlook(Verdict::Open(job), next);
    }
    if !rules.enabled && !manual {
        return outlook(Verdict::Off, None);
    }
    let came = due.filter(|due| *due <= now);
    let enough = rules.enabled && rules.trades > 0 && standing.trades >= rules.trades;
    if waiting.is_empty() && came.is_none() && !enough {
        return outlook(Verdict::NotDue { due }, due.map(free));
    }
    let start = || {
        let first = waiting.iter().find(|trigger| trigger.reason == Trigger::Manual).or(waiting.first());
        let condition = if came.is_some() { Trigger::Periodic } else { Trigger::DataThreshold };
        let mut evidence: Vec<String> = waiting.iter().map(|trigger| trigger.evidence.clone()).collect();
        evidence.extend(came.map(|due| its_time(cadence, last, due)));
        evidence.extend(enough.then(|| trades(standing.trades, rules.trades)));
        Verdict::Start {
            reason: first.map_or(condition, |trigger| trigger.reason),
            by: first.map(|trigger| trigger.by.clone()),
            evidence: evidence.join("; "),
        }
    };
    if known.full {
        return outlook(Verdict::Hold { why: Hold::Full, until: None }, None);
    }
    if manual {
        return outlook(start(), Some(now));
    }
    let on_condition = waiting.is_empty();
    if on_condition && !known.worker {
        return outlook(Verdict::Hold { why: Hold::NoWorker { kind: known.kind }, until: None }, None);
    }
    let mut held = Held { until: now, why: None };
    if let Some(last) = last {
        held.back_to(last.plus(rules.cooldown), Hold::Cooldown { last, cooldown: rules.cooldown });
    }
    if on_condition && let Some(due) = came {
        // What was never trained has no time of its own, and may be one of many that were configured together.
        let together = last.is_none() && matches!(cadence, Cadence::Every(_));
        held.back_to(turn(&known.model, standing, due, together, now), Hold::Spread { due });
    }
    // Also for triggers: a program that sends a message for each of 500 models must not fill the queue with them.
    let most = rules.starts_per_hour;
    held.back_to(books.free_from(most, now), Hold::Rate { most });
    held.back_to(rules.calendar.free_from(held.until), Hold::Quiet);
    match held.why {
        None => outlook(start(), Some(now)),
        Some(why) => outlook(Verdict::Hold { why, until: Some(held.until) }, Some(held.until)),
    }
}

/// What holds a training back the longest.
struct Held {
    until: Micros,
    why: Option<Hold>,
}

impl Held {
    fn back_to(&mut self, until: Micros, why: Hold) {
        if until > self.until {
            *self = Self { until, why: Some(why) };
        }
    }
}

/// When a model that is due since `due` takes its turn: at once if that was seen in time, otherwise, and where it is due
/// `together` with others, within [`SPREAD`], each model at a place of its own.
fn turn(model: &ModelId, standing: &Standing, due: Micros, together: bool, now: Micros) -> Micros {
    let seen = standing.seen.filter(|seen| seen.due == due && seen.at <= now).map_or(now, |seen| seen.at);
    if !together && seen.0.saturating_sub(due.0) <= LATE {
        return due;
    }
    // FNV-1a: the same for a model on every start, and spread well enough over names that differ in a letter.
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let place = model.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    seen.plus(place % SPREAD)
}

fn its_time(cadence: &Cadence, last: Option<Micros>, due: Micros) -> String {
    match (cadence, last) {
        (Cadence::Cron(times), _) => format!("its time by \"{times}\" was {}", instant(due)),
        (_, Some(last)) => format!("the last training was at {}; it is trained {cadence}", instant(last)),
        (_, None) => format!("it was never trained; it is trained {cadence}"),
    }
}

fn trades(count: u64, enough: u64) -> String {
    format!("{count} new trades since the last training; {enough} are enough")
}

/// Why nothing follows from a trigger, whatever the hour.
pub fn refused(rules: &Rules, reason: Trigger, figure: Option<f64>) -> Option<String> {
    if reason == Trigger::Manual {
        return None;
    }
    if !rules.enabled {
        return Some("the scheduler is off (scheduler.enabled)".to_owned());
    }
    match (reason, figure) {
        (Trigger::DriftDetected, Some(score)) if score < rules.drift => {
            Some(format!("a drift score of {score:.3} is below {} (scheduler.drift)", rules.drift))
        }
        // A figure that is no number is no reason to look away.
        (Trigger::PerformanceDegraded, Some(sharpe)) if sharpe >= rules.sharpe => {
            Some(format!("a Sharpe ratio of {sharpe:.3} is not below {} (scheduler.sharpe)", rules.sharpe))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
