//! `train` and `jobs`, through the real binary: over the socket of a real daemon, to which the test speaks as a worker does.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use serde_json::json;

use super::bed::{Bed, Serving};
use crate::support::wait_for;
use crate::support::work::{Trainer, failed, record};

const TRAIN: [&str; 4] = ["train", "xgboost", "--symbol", "BTCUSDT"];

fn serving() -> (Bed, Serving, Trainer) {
    let bed = Bed::for_daemon("");
    let serving = bed.serve(&["serve", "--demo"]);
    let trainer = Trainer::new(&bed.socket());
    (bed, serving, trainer)
}

/// With every instant, span and version's name of the run replaced by one of the same width, so that tables stay as they are.
fn shown(text: &str) -> String {
    let replaced = [
        (r"20(?:2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "YYYY-MM-DDThh:mm:ss.mmmZ"),
        (r"v20\d{6}_\d{6}", "vYYYYMMDD_hhmmss"),
        (r"Z  +(\d+ ms|\d+\.\d s|\d+ min \d+ s)", "Z  TOOK"),
        (r"TOOK +", "TOOK  "),
    ];
    replaced.iter().fold(text.to_owned(), |text, (pattern, with)| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
    })
}

/// A command that goes on, with what it prints.
struct Going {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Going {
    fn start(bed: &Bed, arguments: &[&str]) -> Self {
        let mut child =
            bed.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary");
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that it prints.
    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "it printed nothing more: {}", self.err());
        line.trim_end().to_owned()
    }

    fn err(&mut self) -> String {
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        err
    }

    /// How it ends, and what else it printed.
    fn end(mut self) -> (i32, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), rest)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_jobs_life_by_commands() {
    let (bed, serving, trainer) = serving();
    let out = |arguments: &[&str]| shown(&bed.out(arguments));
    assert_eq!(out(&["jobs"]).lines().count(), 1, "there is a job before any was asked for");
    fs::write(bed.path().join("parameters.json"), "{\"max_depth\": 6, \"eta\": 0.1}").unwrap();
    let more = ["--parameters", "parameters.json", "--days", "180", "--priority", "high", "--why", "the fees changed"];
    assert_eq!(out(&[&TRAIN[..], &more].concat()), "job-1 is in the queue: training of xgboost_btcusdt_1h\n");
    let (code, _, err) = bed.run(&TRAIN);
    assert!(code == 2 && err.contains("job-1 trains this model already"), "{code}: {err}");
    assert_eq!(out(&["train", "--model", "tft_multi_4h"]), "job-2 is in the queue: training of tft_multi_4h\n");
    insta::assert_snapshot!("jobs__waiting", out(&["jobs"]));

    let first = trainer.lease();
    let beat = json!({
        "epoch": 1, "progress": 0.25, "message": "page 3 of 12",
        "resources": { "memory_peak": 1_048_576, "cpu_ms": 250, "output_bytes": 120 },
    });
    trainer.say("/api/work/jobs/job-1/beat", &beat);
    insta::assert_snapshot!("jobs__running", out(&["jobs", "list", "--state", "held"]));
    let refused = bed.run(&["jobs", "retry", "job-1"]);
    assert!(refused.0 == 2 && refused.2.contains("job-1 is running"), "{refused:?}");
    assert_eq!(
        out(&["jobs", "cancel", "job-1", "--why", "the data is of no use"]),
        "job-1 is being called off: trainer-1 ends its processes, and it is cancelled when none is left\n"
    );
    trainer.report(&first, &json!({ "outcome": "cancelled" }));
    insta::assert_snapshot!("jobs__cancelled", out(&["jobs", "show", "job-1"]));
    assert_eq!(out(&["jobs", "cancel", "job-2", "--why", "nobody trains this"]), "job-2 is cancelled\n");

    assert_eq!(out(&["jobs", "retry", "job-1"]), "job-3 is in the queue: training of xgboost_btcusdt_1h\n");
    trainer.complete(&trainer.lease());
    insta::assert_snapshot!("jobs__completed", out(&["jobs", "show", "job-3"]));
    insta::assert_snapshot!("jobs__list", out(&["jobs"]));
    assert_eq!(out(&["jobs", "--type", "tft", "--state", "over", "-n", "1"]).lines().count(), 2);
    serving.stop();

    // The same offline, but for what only the daemon knows.
    let offline = |arguments: &[&str]| shown(&bed.out(&[arguments, &["--data-file", "d.redb"]].concat()));
    insta::assert_snapshot!("jobs__list", offline(&["jobs"]));
    insta::assert_snapshot!("jobs__completed", offline(&["jobs", "show", "job-3"]));
    for change in [&TRAIN[..], &["jobs", "cancel", "job-3", "--why", "x"], &["jobs", "retry", "job-1"]] {
        let (code, text, err) = bed.run(&[change, &["--data-file", "d.redb"]].concat());
        assert!(code == 2 && text.is_empty() && err.contains("running daemon"), "{err}");
    }
}

#[test]
fn waiting_for_the_end_tells_the_way_and_how_it_came_out() {
    let (bed, serving, trainer) = serving();
    let mut waiting = Going::start(&bed, &[&TRAIN[..], &["--wait"]].concat());
    assert_eq!(waiting.line(), "job-1 is in the queue: training of xgboost_btcusdt_1h");
    assert_eq!(waiting.line(), "job-1 is pending, waits: no worker that was heard of lately has the program data");
    let first = trainer.lease();
    assert_eq!(waiting.line(), "job-1 is leased, 2 of 10 data");
    trainer.report(&first, &failed("ValueError: no rows\u{1b}[2J for BTCUSDT"));
    let (code, rest) = waiting.end();
    assert_eq!(code, 1, "{rest}");
    assert!(rest.ends_with("for BTCUSDT\n") && !rest.contains('\u{1b}'), "{rest:?}");

    let retried = Going::start(&bed, &["--json", "jobs", "retry", "job-1", "--wait"]);
    wait_for("the retry is asked for", || bed.json(&["jobs", "--state", "pending"])["jobs"][0]["job_id"] == "job-2");
    trainer.complete(&trainer.lease());
    let (code, rest) = retried.end();
    let told: serde_json::Value = serde_json::from_str(&rest).unwrap_or_else(|error| panic!("{error}: {rest}"));
    assert_eq!((code, &told["state"], &told["outcome"]["passed"].is_boolean()), (0, &json!("completed"), &true));
    serving.stop();
}

#[test]
fn a_log_is_printed_searched_and_followed() {
    let (bed, serving, trainer) = serving();
    bed.out(&TRAIN);
    let mut follower = Going::start(&bed, &["jobs", "log", "job-1", "--follow"]);
    let first = trainer.lease();
    let at = trainer.write("job-1", 1, 0, &record("round 1"));
    assert_eq!(follower.line(), "2026-06-01T00:00:00.000Z out  round 1");
    let at = trainer.write("job-1", 1, at, &(record("round 2") + "2026-06-01T00:00:00.000Z err it is slow\n"));
    assert_eq!(follower.line(), "2026-06-01T00:00:00.000Z out  round 2");
    assert_eq!(follower.line(), "2026-06-01T00:00:00.000Z err  it is slow");

    // The daemon is started anew: nothing is lost, and nothing comes twice.
    serving.stop();
    let serving = bed.serve(&["serve", "--demo"]);
    trainer.write("job-1", 1, at, &record("round 3"));
    assert_eq!(follower.line(), "2026-06-01T00:00:00.000Z out  round 3");
    trainer.report(&first, &failed("no rows"));
    assert_eq!(follower.end(), (0, String::new()), "it ends with the job");

    let out = |arguments: &[&str]| bed.out(arguments);
    assert_eq!(out(&["jobs", "log", "job-1", "-n", "1"]), "2026-06-01T00:00:00.000Z out  round 3\n");
    assert_eq!(out(&["jobs", "logs", "job-1", "--all"]).lines().count(), 4);
    assert_eq!(out(&["jobs", "log", "job-1", "--grep", "round"]).lines().count(), 3);
    assert_eq!(out(&["jobs", "log", "job-1", "--grep", "nothing"]), "");
    let json = out(&["--json", "jobs", "log", "job-1", "--grep", "slow"]);
    let line: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&line["stream"], &line["text"]), (&json!("err"), &json!("it is slow")));
    serving.stop();
    let offline = bed.out(&["jobs", "log", "job-1", "--data-file", "d.redb"]);
    assert_eq!(offline.lines().count(), 4, "{offline}");
}

#[test]
fn what_cannot_be_asked_for() {
    let (bed, serving, _trainer) = serving();
    fs::write(bed.path().join("list.json"), "[]").unwrap();
    for (arguments, expected) in [
        (&["train"][..], "<MODEL_TYPE>"),
        (&["train", "gpt"], "model type"),
        (&["train", "xgboost", "--model", "xgboost_btcusdt_1h"], "cannot be used with"),
        (&["train", "xgboost", "--days", "0"], "0 is not in 1..=36500"),
        (&["train", "xgboost", "--symbol", "BTC/USDT"], "symbol"),
        (&["train", "xgboost", "--priority", "urgent"], "use low, normal or high"),
        (&["train", "xgboost", "--parameters", "list.json"], "list.json is no JSON object"),
        (&["train", "xgboost", "--parameters", "none.json"], "none.json: No such file"),
        (&["train", "xgboost", "--parent", "v9"], "there is no version v9"),
        (&["train", "--model", "gpt_btcusdt_1h"], "model_id"),
        (&["jobs", "show", "17"], "a job's id is job- and its number"),
        (&["jobs", "show", "job-9"], "there is no job job-9"),
        (&["jobs", "log", "job-9"], "there is no job job-9"),
        (&["jobs", "log", "job-9", "--follow"], "there is no job job-9"),
        (&["jobs", "log", "job-9", "--follow", "--data-file", "d.redb"], "In use"),
        (&["jobs", "cancel", "job-9"], "--why"),
        (&["jobs", "cancel", "job-9", "--why", " "], "say why"),
        (&["jobs", "cancel", "job-9", "--why", "x"], "there is no job job-9"),
        (&["jobs", "retry", "job-9"], "there is no job job-9"),
        (&["jobs", "--state", "lost-ish"], "use pending"),
        (&["jobs", "--trigger", "boredom"], "boredom"),
    ] {
        let (code, out, err) = bed.run(arguments);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?}: {err}");
        assert!(err.to_lowercase().contains(&expected.to_lowercase()), "{arguments:?}: {err}");
    }
    assert_eq!(bed.json(&["jobs"])["jobs"], json!([]));
    serving.stop();
}
