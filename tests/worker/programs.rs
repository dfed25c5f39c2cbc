//! Programs that do what no program should, through a real worker (tests/runner has what their supervisor makes of it).

use std::fs;
use std::path::Path;

use super::bed::Scene;
use crate::support::daemon::Disk;
use crate::support::wait_for;

/// Bytes of everything below a directory.
fn bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| if entry.path().is_dir() { bytes(&entry.path()) } else { entry.metadata().unwrap().len() })
        .sum()
}

#[test]
fn each_fails_its_own_job_with_a_reason() {
    let scene = Scene::new(&["jobs.running = 8"]);
    let types: [(&str, &[(&str, &str)], &str); 8] = [
        ("xgboost", &[("data", "half")], ""),
        ("lightgbm", &[("data", "none")], ""),
        ("nhits", &[("data", "huge")], ""),
        ("patchtst", &[("data", "hang")], "no_progress = \"1s\""),
        ("tft", &[("data", "hang")], "time_limit = \"1s\""),
        ("dlinear", &[("data", "eat")], ""),
        ("rl_v2", &[("data", "fork")], ""),
        ("other", &[], ""),
    ];
    scene.configure_types("worker-a", &types, "slots = 8\nmemory = \"128MiB\"\ntasks = 60");
    let text = fs::read_to_string(scene.configuration("worker-a")).unwrap();
    fs::write(scene.configuration("worker-a"), text.replacen("slots = 4\n", "", 1)).unwrap();
    let _worker = scene.start("worker-a", &[]);
    let ends = [
        ("xgboost", "answer", "breaks off"),
        ("lightgbm", "answer", "left no result.json"),
        ("nhits", "answer", "has 209715200 bytes"),
        ("patchtst", "no_progress", "progress.json did not change for 1 seconds"),
        ("tft", "time_limit", "longer than its 1 seconds"),
        ("dlinear", "out_of_memory", "more than its 128 MiB"),
        ("rl_v2", "program", "more than its 60 processes"),
    ];
    let jobs = ends.map(|(model_type, ..)| scene.train_type(model_type, "BTCUSDT"));
    let good = scene.train("BTCUSDT");
    for ((model_type, kind, why), id) in ends.iter().zip(&jobs) {
        let job = scene.wait_state(id, "failed");
        assert_eq!((&job["failure"]["kind"], &job["epoch"]), (&(*kind).into(), &1.into()), "{model_type}: {job:#}");
        assert!(job["failure"]["why"].as_str().unwrap().contains(why), "{model_type}: {job:#}");
    }
    scene.wait_state(&good, "completed");
    scene.wait_no_process();
}

#[test]
fn however_much_it_writes_what_is_kept_is_bounded_on_both_sides() {
    let scene = Scene::new(&["jobs.log_bytes = \"1MiB\""]);
    scene.configure("worker-a", &[("data", "loud"), ("train", "wait")], "");
    let text = fs::read_to_string(scene.configuration("worker-a")).unwrap();
    fs::write(scene.configuration("worker-a"), format!("jobs.log_bytes = \"1MiB\"\n{text}")).unwrap();
    let _worker = scene.start("worker-a", &[]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("waits");
    let log = scene.place("worker-a").join("jobs").join(&id).join("log");
    assert!((64 << 10..=1 << 20).contains(&bytes(&log)), "{} bytes", bytes(&log));
    scene.touch("go");
    let job = scene.wait_state(&id, "completed");
    let written = Scene::tries(&job, "data")[0]["resources"]["output_bytes"].as_u64().unwrap();
    assert!(written > 70 << 20, "{job:#}");
    let copy = scene.directory().join("data/logs").join(&id);
    assert!((64 << 10..=(1 << 20) + (64 << 10)).contains(&bytes(&copy)), "{} bytes", bytes(&copy));
    let newest = scene.log_of(&id);
    assert!(newest.contains(&format!("evaluate of {id} is done")), "{newest}");
    let first = scene.daemon().get(&format!("/api/jobs/{id}/log?from=0&limit=50&format=text")).unwrap();
    assert!(first.contains(&format!(" out data of {id} begins")) && first.contains(" more bytes]"), "{first}");
}

#[test]
fn a_disk_that_is_full_under_the_worker_delays_a_job_and_trains_nothing_twice() {
    let scene = Scene::new(&["jobs.setbacks = 100"]);
    let place = scene.place("worker-a");
    fs::create_dir(&place).unwrap();
    let disk = Disk::at(&place, 16);
    let worker = scene.worker("worker-a", &[("train", "wait_loud")]);
    let id = scene.train("BTCUSDT");
    scene.wait_file("waits");
    disk.fill();
    scene.touch("go");
    // What it wrote is lost, and what comes next cannot be begun: the job is put back, and nobody is blamed.
    let job = scene.wait(&id, "put back", |job| job["failure"]["kind"] == "infrastructure");
    assert!(job["failure"]["why"].as_str().unwrap().contains("No space left on device"), "{job:#}");
    disk.free();
    let job = scene.wait_state(&id, "completed");
    assert_eq!(scene.lines("trained"), [id.clone()], "{job:#}\n{}", worker.log());
    wait_for("the worker clears the job's directory", || scene.jobs_of("worker-a").is_empty());
    drop(worker);
}
