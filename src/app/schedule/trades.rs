use super::{Schedule, ScheduleError, Subject};
use crate::domain::model::ModelId;
use crate::domain::schedule::Standing;
use crate::domain::time::Micros;
use crate::store::{Scheduled as _, WriteTxn};

/// Closed trades that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trades<'a> {
    /// The model that decided them, where it is named.
    pub model: Option<&'a ModelId>,
    /// What was traded, in lower case and without separators.
    pub symbol: Option<&'a str>,
    /// How many.
    pub count: u64,
}

impl Trades<'_> {
    /// Whether they are new data for this model: those that it decided; of nobody that is known, those of its symbol, and
    /// all for a model of several.
    fn are_for(&self, subject: &Subject, is_known: bool) -> bool {
        match (self.model, self.symbol, &subject.name.symbol) {
            (Some(model), ..) if is_known => subject.id == *model,
            (_, Some(_), None) => true,
            (_, Some(symbol), Some(own)) => symbol.eq_ignore_ascii_case(own),
            (_, None, _) => false,
        }
    }
}

impl Schedule {
    /// Counts closed trades towards the next training, in the caller's transaction. Whether they are enough is the next
    /// step's to see.
    pub fn count_trades(&self, txn: &WriteTxn, trades: &[Trades<'_>], now: Micros) -> Result<(), ScheduleError> {
        let subjects = self.subjects(txn)?;
        let is_known = |model: &ModelId| subjects.iter().any(|subject| subject.id == *model);
        for subject in &subjects {
            let are_for = |of: &&Trades<'_>| of.are_for(subject, of.model.is_some_and(is_known));
            let count: u64 = trades.iter().filter(are_for).map(|of| of.count).sum();
            if count == 0 {
                continue;
            }
            let mut standing = txn.standing(&subject.id)?.unwrap_or_else(|| Standing::new(now));
            standing.count_for(txn.trainings(&subject.id)?.newest);
            standing.trades = standing.trades.saturating_add(count);
            txn.put_standing(&subject.id, &standing)?;
        }
        Ok(())
    }
}
