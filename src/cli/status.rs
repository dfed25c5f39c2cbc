use std::process::ExitCode;

use chrono::DateTime;
use clap::Args;
use serde_json::Value;

use super::Global;
use super::ask::Source;
use super::output::{self, bytes, visible};
use super::time::age;
use crate::app::answers::StatusAnswer;
use crate::domain::time::Micros;
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
    output::print(told(&answer, now()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The answer in an order that a reader asks in. What an older or newer daemon does not say is left out.
fn told(answer: &Value, now: Micros) -> String {
    let word = |key: &str| answer[key].as_str().map(str::to_owned);
    let number = |key: &str| answer[key].as_u64();
    let at = |key: &str| {
        let text = answer[key].as_str()?;
        let then = DateTime::parse_from_rfc3339(text).ok()?;
        Some(format!("{text}, {} ago", age(now, then.to_utc().into())))
    };
    let stored = number("events").filter(|events| *events > 0);
    let lines = [
        ("version", word("version")),
        ("started", Some(at("started").unwrap_or_else(|| "not running: this is the file alone".into()))),
        ("data file", word("data_file")),
        ("size", number("data_file_bytes").map(bytes)),
        (
            "events",
            number("events").map(|all| match number("events_kept") {
                Some(kept) if kept != all => format!("{all}, of which {kept} are kept"),
                _ => all.to_string(),
            }),
        ),
        ("this hour", number("events_this_hour").map(|count| count.to_string())),
        ("last hour", number("events_last_hour").map(|count| count.to_string())),
        ("last event", stored.and_then(|_| at("last_event_at")).or_else(|| Some("none yet".into()))),
        ("journal read to", Some(at("journal_at").unwrap_or_else(|| "nothing was read yet".into()))),
        ("rules know up to", Some(at("tick").unwrap_or_else(|| "nothing yet".into()))),
        ("mirror lag", Some(number("mirror_lag_events").map_or("no mirror".into(), |lag| format!("{lag} events")))),
        ("intents open", number("intents_open").map(|count| count.to_string())),
        ("gaps", number("gaps").map(|count| count.to_string())),
    ];
    let told = lines.into_iter().filter_map(|(name, value)| Some(format!("{name:<17} {}\n", visible(&value?))));
    told.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn in_words() {
        let now: Micros = DateTime::parse_from_rfc3339("2026-01-17T03:46:06Z").unwrap().to_utc().into();
        let running = json!({
            "version": "0.1.0", "started": "2026-01-17T00:46:06.000Z", "data_file": "/d\n.redb", "data_file_bytes": 3_145_728,
            "events": 12, "events_kept": 10, "events_this_hour": 4, "events_last_hour": 6,
            "last_event_at": "2026-01-17T03:46:00.000Z", "journal_at": "2026-01-17T03:45:59.000Z",
            "tick": null, "mirror_lag_events": 3, "intents_open": 1, "gaps": 0,
        });
        assert_eq!(
            told(&running, now),
            "version           0.1.0\n\
             started           2026-01-17T00:46:06.000Z, 3 h ago\n\
             data file         /d\\n.redb\n\
             size              3.0 MiB\n\
             events            12, of which 10 are kept\n\
             this hour         4\n\
             last hour         6\n\
             last event        2026-01-17T03:46:00.000Z, 6 s ago\n\
             journal read to   2026-01-17T03:45:59.000Z, 7 s ago\n\
             rules know up to  nothing yet\n\
             mirror lag        3 events\n\
             intents open      1\n\
             gaps              0\n"
        );
        let file = json!({"version": "0.1.0", "started": null, "events": 0, "last_event_at": "1970-01-01T00:00:00Z"});
        let text = told(&file, now);
        assert!(
            text.contains("not running") && text.contains("last event        none yet") && text.contains("no mirror"),
            "{text}"
        );
    }
}
