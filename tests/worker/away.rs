//! Workers and daemons that are away, for longer than anybody waits, and come back.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::bed::Scene;
use super::border::Border;
use crate::support::ask::ask;
use crate::support::wait_for;

/// Leases of eight seconds, and a fence of two.
const QUICK: [&str; 2] = ["jobs.heartbeat = \"2s\"", "jobs.fence = \"2s\""];

/// A job that `worker-a` had, and which `worker-b` has done: once, under the next lease.
#[track_caller]
fn assert_done_by_the_other(scene: &Scene, id: &str) -> Value {
    let job = scene.wait_state(id, "completed");
    assert_eq!(job["epoch"], 2, "{job:#}");
    let evaluated = Scene::tries(&job, "evaluate");
    assert_eq!(evaluated.last().unwrap()["worker"], "worker-b", "{job:#}");
    assert_eq!(scene.lines("trained"), [id]);
    job
}

/// Whatever is said under a lease that is over changes nothing.
#[track_caller]
fn assert_stale(scene: &Scene, id: &str, epoch: u64) {
    let before = scene.job(id).unwrap();
    let end = json!({ "outcome": "failed", "failure": { "kind": "program", "why": "it is late" } });
    let report = json!({
        "epoch": epoch, "program": "train", "inputs": "00".repeat(32), "end": end, "reused": false,
        "resources": { "memory_peak": null, "cpu_ms": null, "output_bytes": 0 },
    });
    let beat = json!({ "epoch": epoch, "progress": 0.9, "message": "late", "resources": report["resources"] });
    for (path, body) in [("beat", &beat), ("report", &report), ("continue", &json!({ "epoch": epoch }))] {
        let (status, answer) = scene.post(&format!("/api/work/jobs/{id}/{path}"), body);
        assert_eq!(status, 409, "{path}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(&format!("lease {epoch}")), "{path}: {answer}");
    }
    let digest = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    for (method, path, body) in [
        ("POST", format!("log?epoch={epoch}&offset=0"), "2026-01-17T03:46:06.500Z out late\n"),
        ("PUT", format!("artifacts/model.bin?epoch={epoch}&sha256={digest}"), "hello\n"),
    ] {
        let answer = ask(&scene.socket(), method, &format!("/api/work/jobs/{id}/{path}"), &[], body).unwrap();
        assert_eq!(answer.status, 409, "{path}: {answer:?}");
    }
    assert_eq!(scene.job(id).unwrap(), before);
}

#[test]
fn a_worker_that_is_cut_off_ends_its_programs_before_another_begins() {
    let border = Border::start();
    let scene = Scene::new(&[QUICK[0], QUICK[1], &border.hosts()]);
    border.lead_to(scene.daemon().tcp());
    let lines = format!("url = \"{}\"\ntoken_file = \"{}\"", border.url("http"), scene.token("worker-a").display());
    scene.configure("worker-a", &[("train", "stubborn")], &lines);
    let worker = scene.start("worker-a", &[]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("grandchild");
    border.cut(true);
    // Nobody has it before all of that is dead.
    let lost = scene.wait(&id, "lost", |job| job["state"] == "lost");
    assert_eq!(lost["epoch"], 1, "{lost:#}");
    let back = scene.wait(&id, "given back", |job| job["state"] != "lost");
    assert_eq!(back["state"], "pending", "{back:#}");
    let left: Vec<_> = scene.processes().into_iter().filter(|(_, line)| !line.contains("run-program")).collect();
    assert!(left.is_empty(), "it is given back, and these live: {left:?}");
    let _other = scene.worker("worker-b", &[]);
    assert_done_by_the_other(&scene, &id);
    assert_stale(&scene, &id, 1);
    border.cut(false);
    wait_for("the first one drops the job", || worker.log().contains("dropped, and none of its processes is left"));
    wait_for("its directory is in order", || {
        scene
            .jobs_of("worker-a")
            .iter()
            .all(|job| !scene.place("worker-a").join("jobs").join(job).join("task.json").exists())
    });
    // It works again.
    drop(_other);
    scene.configure("worker-a", &[], &lines);
    drop(worker);
    let _worker = scene.start("worker-a", &[]);
    let next = scene.train("ETHUSDT");
    scene.wait_state(&next, "completed");
    scene.wait_no_process();
}

#[test]
fn a_worker_that_sleeps_loses_its_job_and_its_programs() {
    let scene = Scene::new(&QUICK);
    let worker = scene.worker("worker-a", &[("train", "hang")]);
    let id = scene.train("BTCUSDT");
    scene.wait(&id, "training", |job| job["steps"][2]["state"] == "running");
    wait_for("the program runs", || scene.processes().iter().any(|(_, line)| line.contains("sleep 1000")));
    worker.signal(Signal::STOP);
    // Its supervisor is nobody's and needs nobody.
    scene.wait_no_process();
    let _other = scene.worker("worker-b", &[]);
    assert_done_by_the_other(&scene, &id);
    worker.signal(Signal::CONT);
    wait_for("the first one drops the job", || worker.log().contains("dropped, and none of its processes is left"));
    assert_stale(&scene, &id, 1);
    scene.wait_no_process();
    assert_eq!(scene.lines("trained"), [id]);
}

#[test]
fn what_one_worker_trained_another_tries_with_the_files_of_the_registry() {
    let scene = Scene::new(&QUICK);
    let worker = scene.worker("worker-a", &[("evaluate", "once")]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("waits");
    // Its machine dies, for good.
    worker.kill();
    scene.kill_processes();
    let _other = scene.worker("worker-b", &[]);
    let job = assert_done_by_the_other(&scene, &id);
    assert_eq!(Scene::tries(&job, "train").len(), 1, "{job:#}");
    let data = Scene::tries(&job, "data");
    assert_eq!(data.last().unwrap()["worker"], "worker-b", "the data is where it was fetched: {job:#}");
    scene.wait_no_process();
}

#[test]
fn a_daemon_that_is_down_for_long_finds_its_jobs_where_they_were() {
    let mut scene = Scene::new(&QUICK);
    let worker = scene.worker("worker-a", &[("train", "wait")]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("waits");
    scene.daemon.take().unwrap().kill();
    let down = Instant::now();
    // Longer than a lease, in which it must not be ended: nothing else could be waited for.
    while down.elapsed() < Duration::from_secs(11) {
        assert!(
            scene.processes().iter().any(|(_, line)| line.contains("adapter.sh")),
            "it was ended: {}",
            worker.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    scene.touch("go");
    wait_for("the program's end", || scene.processes().is_empty());
    scene.restart_daemon();
    let job = scene.wait_state(&id, "completed");
    assert_eq!(job["epoch"], 1, "{job:#}");
    assert_eq!(scene.lines("trained"), [id]);
}

#[test]
fn a_daemon_that_sleeps_counts_it_against_nobody_and_its_workers_take_no_risk() {
    let scene = Scene::new(&QUICK);
    let _worker = scene.worker("worker-a", &[("train", "once")]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("waits");
    let daemon = i32::try_from(scene.daemon().id()).unwrap();
    let signal =
        |signal| rustix::process::kill_process(rustix::process::Pid::from_raw(daemon).unwrap(), signal).unwrap();
    signal(Signal::STOP);
    // It may be that the daemon lives and counts: the supervisors do not wait for it.
    wait_for("the end of the program", || scene.processes().is_empty());
    signal(Signal::CONT);
    // The worker says itself that nothing is left of it, so nobody waits for a fence.
    let job = scene.wait_state(&id, "completed");
    assert_eq!(job["epoch"], 2, "{job:#}");
    assert_eq!(scene.lines("trained"), [id]);
}

#[test]
fn a_worker_that_is_killed_finds_what_runs_and_what_has_ended() {
    let scene = Scene::new(&["jobs.heartbeat = \"15s\""]);
    for (symbol, ends_meanwhile) in [("BTCUSDT", false), ("ETHUSDT", true)] {
        let worker = scene.worker("worker-a", &[("train", "wait")]);
        let id = scene.train(symbol);
        wait_for("the program waits", || scene.lines("waits").contains(&id));
        worker.kill();
        if ends_meanwhile {
            scene.touch("go");
            scene.wait_no_process();
        }
        let worker = scene.start("worker-a", &[]);
        wait_for("it is taken over", || worker.log().contains(&format!("taken over from before job={id}")));
        scene.touch("go");
        let job = scene.wait_state(&id, "completed");
        assert_eq!((&job["epoch"], Scene::tries(&job, "train").len()), (&1.into(), 1), "{job:#}");
        assert_eq!(scene.lines("trained").last(), Some(&id));
        std::fs::remove_file(scene.directory().join("go")).unwrap();
    }
    assert_eq!(scene.lines("trained").len(), 2);
    scene.wait_no_process();
}

#[test]
fn two_workers_and_one_job() {
    let scene = Scene::new(&[]);
    let _workers = ["worker-a", "worker-b"].map(|name| scene.worker(name, &[]));
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT"] {
        let id = scene.train(symbol);
        let job = scene.wait_state(&id, "completed");
        assert_eq!(job["epoch"], 1, "{job:#}");
        assert_eq!(scene.lines("trained").iter().filter(|line| **line == id).count(), 1);
    }
    scene.wait_no_process();
}
