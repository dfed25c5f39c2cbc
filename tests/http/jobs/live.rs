//! The log as it is written: by server-sent events from the real binary, to which the test speaks as a worker does.

use serde_json::json;

use super::training;
use crate::support::ask::{Listener, Told};
use crate::support::daemon::Bed;
use crate::support::work::{Trainer, failed, record};

fn train(trainer: &Trainer) -> String {
    trainer.say("/api/jobs", &training("BTCUSDT"))["job_id"].as_str().unwrap().to_owned()
}

fn live(bed: &Bed, job: &str, headers: &[(&str, &str)]) -> Listener {
    Listener::new(&bed.socket(), &format!("/api/jobs/{job}/log/live"), headers)
}

/// The next lines' texts.
#[track_caller]
fn texts(told: Option<Told>) -> Vec<String> {
    let told = told.expect("lines");
    assert_eq!(told.event, "lines", "{told:?}");
    let lines = told.json();
    lines.as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn lines_arrive_as_they_are_written_and_a_reader_comes_back_to_where_it_was() {
    let bed = Bed::new("", &[]);
    let daemon = bed.start();
    let trainer = Trainer::new(&bed.socket());
    let job = train(&trainer);
    // Who looks before a worker has it waits for its first line.
    let mut early = live(&bed, &job, &[]);
    let assignment = trainer.lease();
    assert_eq!(assignment["job"], job.as_str());
    let first = trainer.write(&job, 1, 0, &record("one"));
    assert_eq!(texts(early.next()), ["one"]);
    assert_eq!(early.last_id, first.to_string());
    let second = trainer.write(&job, 1, first, &(record("two") + &record("</script><b>three")));
    assert_eq!(texts(early.next()), ["two", "</script><b>three"]);

    // A browser that was cut off says where it was; one that never was begins at the beginning.
    let mut resumed = live(&bed, &job, &[("last-event-id", &first.to_string())]);
    assert_eq!(texts(resumed.next()), ["two", "</script><b>three"]);
    assert_eq!(texts(live(&bed, &job, &[]).next()), ["one", "two", "</script><b>three"]);

    // The daemon stops, which ends the stream without an end of the log; behind it the reader goes on.
    daemon.stop();
    assert_eq!(early.next(), None);
    let _daemon = bed.start();
    let mut back = live(&bed, &job, &[("last-event-id", &early.last_id)]);
    trainer.write(&job, 1, second, &record("four"));
    assert_eq!(texts(back.next()), ["four"]);

    let over = trainer.report(&assignment, &failed("the loss is NaN"));
    assert_eq!(over["ending"], "failed");
    let end = back.next().expect("an end");
    assert_eq!((end.event.as_str(), end.json()), ("end", json!({ "in_words": "The job is failed" })));
    assert_eq!(back.next(), None, "nothing follows the end");
    // Of a job that is over everything comes at once.
    let mut late = live(&bed, &job, &[]);
    assert_eq!(texts(late.next()).len(), 4);
    assert_eq!(late.next().expect("an end").event, "end");
}

#[test]
fn a_try_that_is_over_ends_its_log_and_a_gap_is_told() {
    let bed = Bed::new("", &["jobs.backoff = \"1s\"", "jobs.log_bytes = \"1MiB\""]);
    let _daemon = bed.start();
    let trainer = Trainer::new(&bed.socket());
    let job = train(&trainer);
    trainer.lease();
    let mut reader = live(&bed, &job, &[]);
    let line = |number| record(&format!("line {number}{}", ".".repeat(300)));
    let mut all = 0;
    for thousand in 0..5 {
        let many: String = (1_000 * thousand..1_000 * (thousand + 1)).map(line).collect();
        all = trainer.write(&job, 1, all, &many);
    }
    // Its middle is not kept: a reader from the beginning is told how much that is.
    let mut late = live(&bed, &job, &[]);
    let mut told = Vec::new();
    while told.last().is_none_or(|told: &Told| told.event != "gap") {
        told.push(late.next().expect("a gap"));
    }
    let skipped = told.pop().unwrap().json()["skipped"].as_u64().unwrap();
    assert!(skipped > 0 && skipped < all, "{skipped} of {all}");

    // The worker comes back without the job: its processes are gone, and this try is over.
    trainer.say(
        "/api/work/lease",
        &json!({ "worker": "trainer-1", "instance": "trainer-1", "host": "gpu-7", "programs": {}, "hook": true,
        "held": [], "boot": "b1", "sent": 0, "wait_seconds": 0 }),
    );
    let end = loop {
        let told = reader.next().expect("an end");
        if told.event == "end" {
            break told.json();
        }
    };
    assert_eq!(end, json!({ "in_words": "This try is over: the job is tried again" }));
}
