use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{JobError, Jobs};
use crate::domain::job::{AdapterRequest, Assignment, Job, JobKind, JobStep, JsonText, Program, Trigger};
use crate::domain::model::{Digest, ModelName, VersionName};
use crate::store::WriteTxn;

/// The version of the contract with the adapters.
const CONTRACT: u32 = 1;

impl Jobs {
    /// Gives the job's worker a program: begins its step. Given again where it has begun already.
    pub(super) fn assign(&self, txn: &WriteTxn, job: &mut Job, program: Program) -> Result<Assignment, JobError> {
        let request = request(txn, job, program)?;
        let inputs = inputs(job, &request)?;
        let worker = job.lease.as_ref().map(|lease| lease.worker.clone());
        job.begin_step(job.epoch, program.step(), worker.as_deref(), inputs, (self.now)())?;
        Ok(Assignment {
            job: job.id,
            epoch: job.epoch,
            model: job.model.clone(),
            program,
            root: job.root,
            inputs: Digest(inputs),
            request,
            lease_seconds: self.lease_seconds(),
        })
    }

    /// How long a worker may be silent.
    pub(super) fn lease_seconds(&self) -> u32 {
        u32::try_from(self.config.lease().as_secs()).unwrap_or(u32::MAX)
    }
}

/// SHA-256 over what a program is asked, but for who asked and under which number: a retry asks the same.
fn inputs(job: &Job, request: &AdapterRequest) -> Result<[u8; 32], JobError> {
    let same = AdapterRequest {
        job_id: job.root,
        trigger_reason: Trigger::Manual,
        triggered_by: String::new(),
        ..request.clone()
    };
    Ok(Sha256::digest(serde_json::to_vec(&same)?).into())
}

fn request(txn: &WriteTxn, job: &Job, program: Program) -> Result<AdapterRequest, JobError> {
    let (name, training, hook) = match &job.kind {
        JobKind::Training(training) => (training.name.clone(), Some(training), None),
        JobKind::Hook(hook) => {
            let name = txn.model(&job.model)?.map(|model| model.name);
            let name = name.map_or_else(|| ModelName::of(&job.model), Ok);
            (name.map_err(|error| JobError::bad("model", error.to_string()))?, None, Some(hook.clone()))
        }
    };
    let mut results = BTreeMap::new();
    for before in before(program) {
        if let Some(finished) = txn.job_result(job.id, *before)? {
            results.insert(before.as_str().to_owned(), finished.result);
        }
    }
    // The version counts once its files are in: until then a program would read what is being sent.
    let version = job.version.clone().filter(|_| job.stands(Some(JobStep::Register)) && program == Program::Evaluate);
    let value = |text: Option<&JsonText>| text.map(JsonText::value);
    Ok(AdapterRequest {
        contract: CONTRACT,
        job_id: job.id,
        program,
        model_id: job.model.clone(),
        model_type: name.model_type,
        symbol: name.symbol.map(|symbol| symbol.to_ascii_uppercase()),
        timeframe: name.timeframe,
        regime: name.regime,
        dataset_span_days: training.map_or(0, |training| training.span_days),
        training_params: training.and_then(|training| value(training.params.as_ref())),
        feature_config: training.and_then(|training| value(training.feature_config.as_ref())),
        trigger_reason: job.trigger,
        triggered_by: job.triggered_by.clone(),
        parent_version: training.and_then(|training| training.parent.clone()),
        strategy_candidate_id: training.and_then(|training| training.candidate.clone()),
        artifacts: version.as_ref().map(|version| artifacts(txn, job, version)).transpose()?.unwrap_or_default(),
        version,
        hook,
        results,
    })
}

/// The programs whose answers a program is given.
fn before(program: Program) -> &'static [Program] {
    match program {
        Program::Data | Program::Hook => &[],
        Program::Train => &[Program::Data],
        Program::Evaluate => &[Program::Data, Program::Train],
    }
}

fn artifacts(txn: &WriteTxn, job: &Job, version: &VersionName) -> Result<BTreeMap<String, Digest>, JobError> {
    let files = txn.version(&job.model, version)?.and_then(|version| version.artifacts);
    let files = files.into_iter().flat_map(|artifacts| artifacts.files);
    Ok(files.map(|file| (file.path.to_string(), file.sha256)).collect())
}

impl Jobs {
    /// The answers that a retry needs are there.
    pub(super) fn has_results(&self, txn: &WriteTxn, job: &Job) -> Result<bool, JobError> {
        for program in [Program::Data, Program::Train, Program::Evaluate] {
            if job.stands(program.step()) && txn.job_result(job.id, program)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Copies what the programs of a job answered to its retry.
    pub(super) fn take_over_results(&self, txn: &WriteTxn, from: &Job, to: &Job) -> Result<(), JobError> {
        for program in [Program::Data, Program::Train, Program::Evaluate] {
            if let Some(finished) = txn.job_result(from.id, program)? {
                txn.put_job_result(to.id, program, &finished)?;
            }
        }
        Ok(())
    }
}

/// A value that may be a JSON object, and nothing else.
pub(super) fn object(field: &str, text: Option<&JsonText>) -> Result<(), JobError> {
    let Some(text) = text else { return Ok(()) };
    if text.as_str().len() > 64 << 10 {
        return Err(JobError::bad(field, "has more than 64 KiB"));
    }
    match text.value() {
        Value::Object(_) => Ok(()),
        _ => Err(JobError::bad(field, "must be an object")),
    }
}
