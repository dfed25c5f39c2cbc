use std::process::ExitCode;

use clap::Args;

use serde_json::Value;

use super::Global;
use super::ask::Source;
use super::output::{self, visible};
use crate::app::answers::StatusAnswer;
use crate::observe::now;

#[derive(Args)]
pub(crate) struct StatusArgs {}

pub(crate) fn run(_args: StatusArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let answer: Value = match Source::of(global)? {
        Source::Daemon(daemon) => daemon.get("/api/status", &())?,
        Source::File(store) => {
            let answer = serde_json::to_value(StatusAnswer::find(&store, None, None, now())?)?;
            store.close();
            answer
        }
    };
    if global.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for (name, value) in answer.as_object().into_iter().flatten() {
        let value = match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        text.push_str(&format!("{:<20} {}\n", name.replace('_', " "), visible(&value)));
    }
    output::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
