use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use super::{DataResult, EvaluateResult, HookResult, JobFile, Progress, TrainResult};

/// The JSON Schemas of the contract, each with the name of its file in `docs/schemas`.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("job.schema.json", schema::<JobFile>("job.json")),
        ("data-result.schema.json", schema::<DataResult>("result.json of data")),
        ("train-result.schema.json", schema::<TrainResult>("result.json of train")),
        ("evaluate-result.schema.json", schema::<EvaluateResult>("result.json of evaluate")),
        ("hook-result.schema.json", schema::<HookResult>("result.json of the promotion hook")),
        ("progress.schema.json", schema::<Progress>("progress.json")),
    ]
}

fn schema<T: JsonSchema>(title: &str) -> Schema {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}
