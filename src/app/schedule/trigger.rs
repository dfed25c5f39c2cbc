use super::apply::row;
use super::{Recorded, Schedule, ScheduleError, Subject};
use crate::domain::schedule::{Decision, NewTrigger};
use crate::domain::time::Micros;
use crate::store::WriteTxn;

impl Schedule {
    /// Something speaks for a training: in the caller's transaction it is written down for each model that is meant,
    /// decided, and followed by its job. After the commit the caller hands the answer to [`Schedule::announce`].
    pub fn trigger(&self, txn: &WriteTxn, new: &NewTrigger, now: Micros) -> Result<Recorded, ScheduleError> {
        let mut meant = self.subjects(txn)?;
        meant.retain(|subject| new.target.means(&subject.id, &subject.name));
        if meant.is_empty() {
            let wanted = new.target.wanted();
            meant.extend(wanted.map(|name| Subject { id: name.id(), name: name.clone(), revision: 0 }));
        }
        if meant.is_empty() {
            let decision = Decision::Dropped { why: new.target.words() };
            let said = (new.reason, super::plain(&new.by, 128), new.evidence.as_str());
            let record = row(txn, None, said, decision, now)?;
            return Ok(Recorded { triggers: vec![record], jobs: Vec::new() });
        }
        let workers = self.trainable()?;
        let mut recorded = Recorded::default();
        for subject in &meant {
            recorded.add(self.apply(txn, subject, Some(new), &workers, now)?);
        }
        Ok(recorded)
    }
}
