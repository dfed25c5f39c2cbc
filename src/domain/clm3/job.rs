use super::field::Fields;
use super::json::Json;
use super::record::JobRecord;

/// Reads `training_jobs/<id>.json`.
pub(super) fn read(id: &str, json: &Json) -> Result<(JobRecord, Vec<String>), String> {
    let mut fields = Fields::of(json)?;
    // `id` in the file, `job_id` in what its API answered.
    for field in ["id", "job_id"] {
        if let Some(said) = fields.text(field).filter(|said| !said.eq_ignore_ascii_case(id)) {
            let found = format!("it says {field} {said:?}, but the file's name says {id:?}");
            return Err(format!("{found}: put it in its place, or mend it"));
        }
    }
    let job = JobRecord {
        id: id.to_owned(),
        trigger_reason: fields.word("trigger_reason"),
        triggered_by: fields.text("triggered_by"),
        triggered_at: fields.time("triggered_at"),
        started_at: fields.time("started_at"),
        completed_at: fields.time("completed_at"),
        status: fields.word("status"),
        error: fields.text("error_message"),
        symbol: fields.text("symbol"),
        timeframe: fields.text("timeframe"),
        regime: fields.text("regime"),
    };
    Ok((job, fields.notes))
}
