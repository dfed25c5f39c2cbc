use bincode::{Decode, Encode};

use super::plan::Known;
use crate::domain::job::JobId;
use crate::domain::model::EvaluationId;
use crate::domain::time::Micros;

/// When the scheduler first saw that a model was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Seen {
    /// Since when it was due.
    pub due: Micros,
    /// When that was seen.
    pub at: Micros,
}

/// Where the scheduler stands with a model: what follows from nothing else that is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Standing {
    /// Since when the model is known.
    pub since: Micros,
    /// When a job was last created for it by the scheduler. A job that was called off counts: it is not asked for again at
    /// once.
    pub started: Option<Micros>,
    /// Trades since the training job before which they are too old: [`Self::counted_for`].
    pub trades: u64,
    /// The newest training job that is known; trades are counted from its creation on.
    pub counted_for: Option<JobId>,
    /// Triggers that wait, oldest first; at most one of each reason.
    pub waiting: Vec<u64>,
    /// The trigger that was last decided.
    pub decided: Option<u64>,
    /// When it was seen that the model is due.
    pub seen: Option<Seen>,
    /// The clock was set back to before the last training: that instant, and the one that counts instead.
    pub set_back: Option<(Micros, Micros)>,
    /// The model's revision when the registry was last asked about it; 0 where it is not there.
    pub revision: u64,
    /// When its newest version was made, as of then.
    pub made: Option<Micros>,
    /// The newest shadow test of its production version that was looked at.
    pub judged: Option<EvaluationId>,
}

impl Standing {
    /// Of a model that is new.
    pub fn new(since: Micros) -> Self {
        Self { since, ..Self::default() }
    }

    /// The last training, for what is counted from it. One that lies ahead was written before the clock was set back: what
    /// counts from it begins at the moment of which that is known, so nothing is trained because of the clock, and nothing is
    /// forgotten for years.
    pub fn last(&self, known: &Known, now: Micros) -> Option<Micros> {
        let last = known.trained.max(self.started)?;
        if last <= now {
            return Some(last);
        }
        match self.set_back {
            Some((of, instead)) if of == last && instead <= now => Some(instead),
            _ => Some(now),
        }
    }

    /// Notes what the clock, the trainings and `due` make different; whether anything is.
    pub fn note(&mut self, known: &Known, due: Option<Micros>, now: Micros) -> bool {
        let before = self.clone();
        self.since = self.since.min(now);
        let last = known.trained.max(self.started);
        self.set_back = match (last.filter(|last| *last > now), self.set_back) {
            (None, _) => None,
            (Some(last), Some((of, instead))) if of == last && instead <= now => Some((of, instead)),
            (Some(last), _) => Some((last, now)),
        };
        self.count_for(known.newest);
        self.seen = match (due.filter(|due| *due <= now), self.seen) {
            (None, _) => None,
            (Some(due), Some(seen)) if seen.due == due && seen.at <= now => Some(seen),
            (Some(due), _) => Some(Seen { due, at: now }),
        };
        *self != before
    }

    /// Trades from before the newest training job are too old to count.
    pub fn count_for(&mut self, newest: Option<JobId>) {
        if newest > self.counted_for {
            (self.counted_for, self.trades) = (newest, 0);
        }
    }

    /// A job was created: everything that spoke for it is served.
    pub fn begin(&mut self, job: JobId, now: Micros) {
        self.started = Some(now);
        (self.counted_for, self.trades) = (Some(job), 0);
        (self.seen, self.set_back) = (None, None);
        self.waiting.clear();
    }
}

/// How far ahead a start may lie that was not before the clock was set back: what a decision may wait for the data file.
const AHEAD: u64 = Micros::HOUR / 6;

/// What the scheduler knows over all models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Books {
    /// When it began trainings that nobody asked for by hand, in the last hour.
    pub starts: Vec<Micros>,
    /// The newest intent that was looked at; none before the first look.
    pub intents: Option<u64>,
}

impl Books {
    /// From when on another one may begin, with `most` an hour. Starts that lie far ahead were before the clock was set back.
    pub fn free_from(&self, most: u32, now: Micros) -> Micros {
        let mut recent: Vec<Micros> = self.starts.iter().copied().filter(|at| Self::is_recent(*at, now)).collect();
        recent.sort_unstable();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        match recent.len().checked_sub(most).and_then(|over| recent.get(over)) {
            Some(at) => at.plus(Micros::HOUR),
            None => now,
        }
    }

    /// One began.
    pub fn begin(&mut self, now: Micros) {
        self.starts.retain(|at| Self::is_recent(*at, now));
        self.starts.push(now);
    }

    /// Whoever decides now may have looked at the clock before another who has decided already: a message and a step of the
    /// scheduler meet in the data file.
    fn is_recent(at: Micros, now: Micros) -> bool {
        at <= now.plus(AHEAD) && now < at.plus(Micros::HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_an_hour() {
        let minute = |minutes: u64| Micros(minutes * 60 * Micros::SECOND);
        let mut books = Books::default();
        for at in [100, 110, 120] {
            assert_eq!(books.free_from(3, minute(at)), minute(at), "one may begin at once");
            books.begin(minute(at));
        }
        assert_eq!(books.free_from(3, minute(121)), minute(160), "an hour after the first of three");
        assert_eq!(
            books.free_from(2, minute(121)),
            minute(170),
            "the limit was lowered: two of the last hour are enough"
        );
        assert_eq!(books.free_from(3, minute(160)), minute(160));
        assert_eq!(books.free_from(3, minute(50)), minute(50), "the clock was set back");
        assert_eq!(books.free_from(1, minute(119)), minute(180), "somebody else decided meanwhile");
    }
}
