use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Missing, reason};
use super::evaluate::Judged;
use super::judge::verdict_for;
use super::{Ask, Registry, RegistryError};
use crate::domain::access::{Grant, Scope};
use crate::domain::gates::{Gate, GateOutcome, Goal};
use crate::domain::model::{ModelId, ModelStatus, Stage, VersionName, may_move};
use crate::store::StoredVerdicts;

/// A version that went from one status to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// The model.
    pub model: ModelId,
    /// The version.
    pub version: VersionName,
    /// Where it stood.
    pub from: ModelStatus,
    /// Where it stands.
    pub status: ModelStatus,
    /// The model's revision since.
    pub revision: u64,
}

impl Registry {
    /// Moves a version one step: to shadow or candidate where its gates let it, or to failed. A worker may only say that
    /// what is being made has failed.
    pub fn advance(
        &self,
        ask: &Ask,
        id: &ModelId,
        name: &VersionName,
        to: ModelStatus,
        why: &str,
    ) -> Result<Moved, RegistryError> {
        let why = reason(why)?;
        let request = format!("model.status {id} {name} {to}: {why}");
        self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = change.version(name)?;
            let from = change.model.status(&version);
            let (stage, goal) = match to {
                ModelStatus::Shadow => (Stage::Shadow, Some(Goal::Shadow)),
                ModelStatus::Candidate => (Stage::Candidate, Some(Goal::Candidate)),
                ModelStatus::Failed => (Stage::Failed, None),
                ModelStatus::Training | ModelStatus::Production | ModelStatus::Retired => {
                    may_move(from, to)?;
                    return Err(RegistryError::Conflict(format!(
                        "a version becomes {to} by promoting one, or by rolling back"
                    )));
                }
            };
            let worker = ask.grant == Grant::Scope(Scope::Worker);
            if worker && (from, to) != (ModelStatus::Training, ModelStatus::Failed) {
                return Err(RegistryError::Forbidden(
                    "a worker's token may only say that a version in training has failed".into(),
                ));
            }
            may_move(from, to)?;
            let verdict = match goal {
                None => None,
                Some(goal) => {
                    let verdicts = self.judge(change.txn, &change.model, &version)?;
                    let verdict = verdict_for(&verdicts, goal).cloned();
                    if let Some(closed) = verdict.as_ref().filter(|verdict| !verdict.passed) {
                        return Err(RegistryError::Gates(closed.obstacles()));
                    }
                    verdict
                }
            };
            change.step_to(&mut version, stage, why, verdict)?;
            if stage == Stage::Failed {
                change.drop_approval(name)?;
            }
            change.txn.put_version(&version)?;
            change.audit("model.status", name, &format!("from {from} to {to}: {why}"))?;
            Ok(Moved {
                model: id.clone(),
                version: name.clone(),
                from,
                status: change.model.status(&version),
                revision: change.model.revision,
            })
        })
    }

    /// Applies the gates after an evaluation of a training job: moves the version on as far as they let it, and lets a
    /// version in training fail that a plain gate closes for. Too little data is no failure.
    pub fn apply_gates(&self, ask: &Ask, id: &ModelId, name: &VersionName) -> Result<Judged, RegistryError> {
        let request = format!("model.gates {id} {name}");
        let judged = self.change(ask, id, Missing::Refuse, &request, |change| {
            let mut version = change.version(name)?;
            let from = change.model.status(&version);
            let verdicts = self.judge(change.txn, &change.model, &version)?;
            let plain = verdict_for(&verdicts, Goal::Shadow).cloned();
            let fails = plain.as_ref().is_some_and(|verdict| {
                verdict.gates.iter().any(|answer| answer.outcome == GateOutcome::Fail && answer.gate != Gate::Artifacts)
            });
            if version.stage == Stage::Training && fails {
                let why = plain.as_ref().map_or_else(String::new, |verdict| verdict.obstacles());
                change.step_to(&mut version, Stage::Failed, &why, plain.clone())?;
                change.drop_approval(name)?;
            } else {
                self.move_on(change, &mut version, &verdicts, "the gates were applied")?;
            }
            let production = verdict_for(&verdicts, Goal::Production);
            if self.promotion.auto_production
                && !self.promotion.approval
                && version.stage == Stage::Candidate
                && let Some(verdict) = production.filter(|verdict| verdict.passed)
            {
                match self.has_its_files(&version) {
                    Ok(()) => {
                        let why = "the gates let it pass, and promotion.auto_production is on";
                        self.put_into_production(change, &mut version, why, verdict.clone(), false)?;
                        change.audit("model.promote", name, why)?;
                    }
                    // It stays a candidate, and the record says why.
                    Err(RegistryError::Conflict(why)) => change.audit("model.promote.held", name, &why)?,
                    Err(error) => return Err(error),
                }
            }
            change.txn.put_version(&version)?;
            change.txn.put_verdicts(id, name, &StoredVerdicts { at: change.at, verdicts: verdicts.clone() })?;
            let status = change.model.status(&version);
            change.audit("model.gates", name, &format!("from {from} to {status}"))?;
            Ok(Judged {
                model: id.clone(),
                version: name.clone(),
                evaluation: None,
                passed: plain.as_ref().is_some_and(|verdict| verdict.passed),
                score: plain.as_ref().map_or(0.0, |verdict| verdict.score),
                failure_reason: plain.filter(|verdict| !verdict.passed).map_or_else(String::new, |v| v.obstacles()),
                from,
                status,
                verdicts,
                revision: change.model.revision,
            })
        })?;
        if judged.status == ModelStatus::Production {
            crate::failpoint!("registry.promote.committed");
            let _ = self.deployment.reconcile(id);
        }
        Ok(judged)
    }
}
