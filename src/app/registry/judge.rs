//! What the gates say of a version, from what the store holds.

use crate::domain::gates::{Goal, Verdict};
use crate::domain::model::{Model, Version};
use crate::store::{Evaluations, StoreError};

use super::Registry;

impl Registry {
    /// The verdict for each goal, in the order of the way.
    pub(super) fn judge(
        &self,
        txn: &impl Evaluations,
        model: &Model,
        version: &Version,
    ) -> Result<Vec<Verdict>, StoreError> {
        let newest = txn.of(&model.id, &version.name)?.into_iter().next();
        let verdict = |goal| Verdict {
            goal,
            gates: Vec::new(),
            passed: newest.as_ref().is_some_and(|evaluation| evaluation.passed),
            score: newest.as_ref().map_or(0.0, |evaluation| evaluation.score),
            trials: None,
            wait_days: None,
        };
        Ok([Goal::Shadow, Goal::Candidate, Goal::Production].map(verdict).to_vec())
    }
}

/// The verdict for `goal`.
pub(super) fn verdict_for(verdicts: &[Verdict], goal: Goal) -> Option<&Verdict> {
    verdicts.iter().find(|verdict| verdict.goal == goal)
}
