//! A job's way from `POST /clm/train` to its end, through a worker that is a process of its own.

use rustix::process::Signal;
use serde_json::Value;

use super::bed::Scene;
use super::border::Border;
use crate::support::receiver::Certificates;
use crate::support::wait_for;

/// What every job that came to a version has to have.
#[track_caller]
fn assert_done(scene: &Scene, id: &str, job: &Value) {
    for step in job["steps"].as_array().unwrap() {
        assert_eq!(step["state"], "done", "{step:#}");
    }
    let (model, version) = (job["model_id"].as_str().unwrap(), job["version"].as_str().unwrap());
    for (path, content) in [("model.bin", "model"), ("parts/a%20b.bin", "part")] {
        let file = scene.daemon().get(&format!("/api/models/{model}/versions/{version}/artifacts/{path}"));
        assert_eq!(file.as_deref(), Some(format!("{content} of {id}\n").as_str()), "{path}");
    }
    let log = scene.log_of(id);
    for program in ["data", "train", "evaluate"] {
        assert!(log.contains(&format!(" out {program} of {id} is done")), "{log}");
    }
    assert!(log.contains(" err and complains"), "{log}");
    scene.wait_no_process();
    assert_eq!(scene.lines("trained"), [id]);
}

#[test]
fn a_job_becomes_a_gated_version_with_its_files() {
    let scene = Scene::new(&[]);
    let _worker = scene.worker("worker-a", &[]);
    let id = scene.train("BTCUSDT");
    let job = scene.wait_state(&id, "completed");
    assert_done(&scene, &id, &job);
    assert_eq!((&job["epoch"], &job["outcome"]["version"]), (&1.into(), &job["version"]));
    assert!(job["outcome"]["evaluation"].is_string() || job["outcome"]["evaluation"].is_number(), "{job:#}");
    wait_for("the worker clears the job's directory", || scene.jobs_of("worker-a").is_empty());
}

#[test]
fn a_worker_on_another_machine_comes_over_https_with_a_token() {
    let certificates = Certificates::new();
    let border = Border::start_tls(&certificates);
    let scene = Scene::new(&[&border.hosts()]);
    border.lead_to(scene.daemon().tcp());
    let (token, ca) = (scene.token("worker-a"), certificates.file("ca.pem"));
    let lines = format!(
        "url = \"{}\"\ntoken_file = \"{}\"\nca_file = \"{}\"",
        border.url("https"),
        token.display(),
        ca.display()
    );
    scene.configure("worker-a", &[], &lines);
    let _worker = scene.start("worker-a", &[]);
    let id = scene.train("BTCUSDT");
    let job = scene.wait_state(&id, "completed");
    assert_done(&scene, &id, &job);
}

#[test]
fn a_worker_of_this_machine_may_come_over_http_with_a_token() {
    let scene = Scene::new(&[]);
    let token = scene.token("worker-a");
    let lines = format!("url = \"{}\"\ntoken_file = \"{}\"", scene.daemon().url(), token.display());
    scene.configure("worker-a", &[], &lines);
    let _worker = scene.start("worker-a", &[]);
    let id = scene.train("BTCUSDT");
    let job = scene.wait_state(&id, "completed");
    assert_done(&scene, &id, &job);
}

#[test]
fn a_file_that_is_larger_than_memory_should_be_goes_as_a_stream() {
    let scene = Scene::new(&[]);
    let worker = scene.worker("worker-a", &[("train", "big")]);
    let id = scene.train("BTCUSDT");
    let job = scene.wait_state(&id, "completed");
    assert!(worker.memory() < 128 << 20, "the worker took {} bytes", worker.memory());
    let path =
        format!("/api/models/{}/versions/{}", job["model_id"].as_str().unwrap(), job["version"].as_str().unwrap());
    let version = scene.daemon().get(&path).unwrap();
    assert!(version.contains("268435456"), "{version}");
    assert_done(&scene, &id, &job);
}

#[test]
fn what_is_called_off_is_ended_with_all_that_it_started() {
    let scene = Scene::new(&[]);
    let _worker = scene.worker("worker-a", &[("train", "stubborn")]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("grandchild");
    assert!(scene.processes().len() >= 3, "{:?}", scene.processes());
    scene.cancel(&id, "the exchange is closed");
    let job = scene.wait_state(&id, "cancelled");
    // Nothing is said of it before none of its processes is left; the supervisor itself is on its way out.
    let left: Vec<_> = scene.processes().into_iter().filter(|(_, line)| !line.contains("run-program")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(job["cancel"]["why"], "the exchange is closed", "{job:#}");
    let log = scene.log_of(&id);
    assert!(log.contains("the exchange is closed"), "{log}");
    scene.wait_no_process();
    // Its place is free again.
    scene.configure("worker-b", &[], "");
    let _other = scene.start("worker-b", &[]);
    let next = scene.train("BTCUSDT");
    scene.wait(&next, "begun", |job| job["state"] != "pending");
    scene.cancel(&next, "enough");
    scene.wait(&next, "over", |job| job["ended_at"].is_string());
    assert_eq!(scene.lines("trained"), Vec::<String>::new());
}

#[test]
fn a_program_that_fails_fails_its_job_and_nothing_else() {
    let scene = Scene::new(&[]);
    scene.configure_types("worker-a", &[("other", &[("train", "fail")], ""), ("xgboost", &[], "")], "");
    let _worker = scene.start("worker-a", &[]);
    let (bad, good) = (scene.train("BTCUSDT"), scene.train_type("xgboost", "BTCUSDT"));
    let job = scene.wait_state(&bad, "failed");
    assert_eq!(job["failure"]["kind"], "program", "{job:#}");
    assert!(job["failure"]["why"].as_str().unwrap().contains("exit code 7"), "{job:#}");
    assert_eq!((&job["epoch"], Scene::tries(&job, "train").len()), (&1.into(), 1), "it is tried again");
    let log = scene.log_of(&bad);
    assert!(log.contains(" err it does not work"), "{log}");
    scene.wait_state(&good, "completed");
    assert_eq!(scene.lines("trained"), [good]);
}

#[test]
fn a_worker_that_is_stopped_leaves_its_program_to_the_next() {
    let scene = Scene::new(&["jobs.heartbeat = \"15s\""]);
    let mut worker = scene.worker("worker-a", &[("train", "wait")]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("waits");
    worker.signal(Signal::TERM);
    let status = worker.wait_end();
    assert_eq!(status.code(), Some(0), "{status}: {}", worker.log());
    assert!(worker.log().contains("what runs goes on"), "{}", worker.log());
    assert!(scene.processes().iter().any(|(_, line)| line.contains("adapter.sh")), "{:?}", scene.processes());
    scene.touch("go");
    let worker = scene.start("worker-a", &[]);
    let job = scene.wait_state(&id, "completed");
    assert!(worker.log().contains("taken over from before"), "{}", worker.log());
    assert_eq!(job["epoch"], 1);
    assert_done(&scene, &id, &job);
}

#[test]
fn a_worker_that_drains_finishes_what_it_has_and_takes_nothing_new() {
    let scene = Scene::new(&[]);
    scene.configure("worker-a", &[("train", "wait")], "");
    let mut worker = scene.start("worker-a", &["--drain"]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("waits");
    worker.signal(Signal::TERM);
    wait_for("the worker says that it waits", || worker.log().contains("it is waited for what runs"));
    let next = scene.train("ETHUSDT");
    scene.touch("go");
    let status = worker.wait_end();
    assert_eq!(status.code(), Some(0), "{status}: {}", worker.log());
    let job = scene.wait_state(&id, "completed");
    assert_done(&scene, &id, &job);
    assert_eq!(scene.job(&next).unwrap()["state"], "pending");
}

#[test]
fn one_job_and_an_exit_code_that_says_how_it_went() {
    let scene = Scene::new(&[]);
    scene.configure("worker-a", &[], "");
    let (code, log) = scene.run("worker-a", &["--once", "--wait", "0"]);
    assert_eq!(code, Some(3), "there was none: {log}");
    let jobs = [scene.train("BTCUSDT"), scene.train("ETHUSDT")];
    let (code, log) = scene.run("worker-a", &["--once"]);
    assert_eq!(code, Some(0), "{log}");
    scene.wait_state(&jobs[0], "completed");
    assert_eq!(scene.job(&jobs[1]).unwrap()["state"], "pending", "it took two: {log}");
    scene.configure("worker-a", &[("data", "fail")], "");
    let (code, log) = scene.run("worker-a", &["--once"]);
    assert_eq!(code, Some(1), "{log}");
    scene.wait_state(&jobs[1], "failed");
    scene.wait_no_process();
}

#[test]
fn one_job_that_is_stopped_is_ended_and_given_back() {
    let scene = Scene::new(&["jobs.backoff = \"30m\""]);
    scene.configure("worker-a", &[("train", "stubborn")], "");
    let mut worker = scene.start("worker-a", &["--once"]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("grandchild");
    worker.signal(Signal::TERM);
    let status = worker.wait_end();
    assert_eq!(status.code(), Some(1), "{status}: {}", worker.log());
    scene.wait_no_process();
    let job = scene.job(&id).unwrap();
    assert_eq!((&job["state"], &job["waiting"]["reason"]), (&"pending".into(), &"backoff".into()), "{job:#}");
}
