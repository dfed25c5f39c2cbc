use super::field::Fields;
use super::json::Json;
use super::plan::Jobs;
use super::record::{ArtifactRecord, Found, JobRecord, Source, VersionRecord};
use crate::domain::model::{Digest, ModelId, ModelStatus, ModelType, VersionName};
use crate::domain::time::Micros;

/// The longest path of an artifact.
const PATH_BYTES: usize = 4_096;

/// Reads `models/<model>/<name>.json`. What cannot be kept of it is told, and why it cannot be taken at all.
pub(super) fn read(
    source: Source,
    (model, name): (&ModelId, &str),
    json: &Json,
    jobs: &Jobs,
) -> Result<(VersionRecord, Vec<String>), String> {
    let mut fields = Fields::of(json)?;
    agrees(&mut fields, "model_id", model.as_str(), "the directory")?;
    agrees(&mut fields, "version", name, "the file's name")?;
    let version: VersionName = name.parse().map_err(|error| format!("{error}"))?;
    let status = status(&mut fields)?;
    let model_type = model_type(&mut fields, model);
    let created_at = fields.time("created_at").or_else(|| born(&version));
    let (data_from, data_until) = data(&mut fields);
    let record = VersionRecord {
        source,
        model_type,
        status,
        created_at,
        promoted_at: fields.time("promoted_at"),
        retired_at: fields.time("retired_at"),
        parent: parent(&mut fields),
        job: job(&mut fields, jobs),
        regime: fields.text("regime"),
        data_from,
        data_until,
        feature_count: fields.whole("feature_count").and_then(|count| u32::try_from(count).ok()),
        parameters: fields.parameters("training_params"),
        train_metrics: fields.figures("train_metrics"),
        validation_metrics: fields.figures("validation_metrics"),
        artifact: artifact(&mut fields),
        version,
    };
    if matches!(status, ModelStatus::Production | ModelStatus::Retired) && record.promoted_at.is_none() {
        fields.notes.push("it does not say when it was promoted: the time that it was made stands in".to_owned());
    }
    Ok((record, fields.notes))
}

/// What a file says of itself must be what its place says: which of the two is wrong, nobody can tell from here. Where
/// it says nothing, its place counts.
pub(super) fn agrees(fields: &mut Fields<'_>, field: &str, expected: &str, place: &str) -> Result<(), String> {
    match fields.text(field) {
        Some(said) if said != expected => {
            Err(format!("it says {field} {said:?}, but {place} says {expected:?}: put it in its place, or mend it"))
        }
        _ => Ok(()),
    }
}

fn status(fields: &mut Fields<'_>) -> Result<ModelStatus, String> {
    let word = fields.word("status").ok_or("it has no status")?;
    let known = ModelStatus::ALL.into_iter().find(|status| status.as_str() == word);
    known.ok_or_else(|| {
        let all: Vec<_> = ModelStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("its status is {word:?}, which is none of {}", all.join(", "))
    })
}

/// The type that the file names, or else the one that the model's id begins with.
fn model_type(fields: &mut Fields<'_>, model: &ModelId) -> ModelType {
    let word = fields.word("model_type");
    let id = model.as_str().to_ascii_lowercase();
    let by_id = || ModelType::ALL.into_iter().find(|kind| id.starts_with(&format!("{kind}_")));
    match word {
        None => by_id().unwrap_or(ModelType::Other),
        Some(word) => word.parse().unwrap_or_else(|_| {
            fields.notes.push(format!("its model_type {word:?} is not known here: it becomes other"));
            ModelType::Other
        }),
    }
}

/// Names of versions tell their second.
fn born(version: &VersionName) -> Option<Micros> {
    let digits = version.as_str().strip_prefix('v').filter(|_| version.is_of_today())?;
    let at = chrono::NaiveDateTime::parse_from_str(digits, "%Y%m%d_%H%M%S").ok()?;
    Some(at.and_utc().into())
}

fn parent(fields: &mut Fields<'_>) -> Option<VersionName> {
    let text = fields.text("parent_version")?;
    let parsed = text.parse();
    if parsed.is_err() {
        fields.notes.push(format!("parent_version {text:?} is no version: left out"));
    }
    parsed.ok()
}

fn job(fields: &mut Fields<'_>, jobs: &Jobs) -> Option<JobRecord> {
    let id = fields.text("training_job_id")?;
    Some(jobs.get(&id).cloned().unwrap_or(JobRecord { id, ..JobRecord::default() }))
}

/// `training_data_range`: `{"start", "end"}`.
fn data(fields: &mut Fields<'_>) -> (Option<Micros>, Option<Micros>) {
    let Some(range) = fields.get("training_data_range") else { return (None, None) };
    let Ok(mut inner) = Fields::of(range) else {
        fields.notes.push("training_data_range is no object: left out".to_owned());
        return (None, None);
    };
    let (from, until) = (inner.time("start"), inner.time("end"));
    fields.notes.extend(inner.notes.into_iter().map(|note| format!("training_data_range: {note}")));
    match (from, until) {
        (Some(from), Some(until)) if from <= until => (Some(from), Some(until)),
        (None, None) => (None, None),
        _ => {
            fields.notes.push("training_data_range has no start, no end, or its end first: left out".to_owned());
            (None, None)
        }
    }
}

/// The artifact that the file names; whether it is there, somebody else has to look.
fn artifact(fields: &mut Fields<'_>) -> Option<ArtifactRecord> {
    let path = match fields.get("model_path")? {
        Json::Text(path) if (1..=PATH_BYTES).contains(&path.len()) && !path.contains('\0') => path.clone(),
        Json::Text(path) if path.is_empty() => return None,
        _ => {
            fields.notes.push("model_path is no path: left out".to_owned());
            return None;
        }
    };
    let hash = fields.text("model_hash");
    let sha256: Option<Digest> = hash.as_ref().and_then(|hash| hash.to_ascii_lowercase().parse().ok());
    if let (Some(hash), None) = (&hash, &sha256) {
        fields.notes.push(format!("model_hash {hash:?} is no SHA-256: left out"));
    }
    Some(ArtifactRecord { path, size: fields.whole("model_size_bytes"), sha256, found: Found::Gone, at: None })
}
