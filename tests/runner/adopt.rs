//! A worker that comes back finds what it left.

use std::fs;
use std::time::Duration;

use quantum_clm::runner::{Adopted, How, RunError, Running};
use serde_json::Value;

use super::bed::{Bed, LEASE, kill, until};
use crate::support::wait_for;

const SLEEPS: &str = "touch ready; while [ ! -e done ]; do sleep 0.05; done; exit 7";

fn running(adopted: Adopted) -> Running {
    match adopted {
        Adopted::Running(running) => *running,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_was_begun() {
    let bed = Bed::new();
    assert!(matches!(bed.adopt(), Adopted::Nothing));
    // It died between setting room aside and saying what to run.
    fs::create_dir(bed.run()).unwrap();
    fs::write(bed.run().join("exit.reserve"), [0; 99]).unwrap();
    assert!(matches!(bed.adopt(), Adopted::Nothing));
    assert_eq!(bed.end_of(&mut bed.start("exit 0")).how, How::Exit { code: 0 });
}

#[test]
fn it_is_running() {
    let bed = Bed::new();
    let first = bed.start(SLEEPS);
    bed.wait_file("ready");
    let mut second = running(bed.adopt());
    assert_eq!(second.spec(), first.spec());
    assert_eq!(second.poll().unwrap(), None);
    fs::write(bed.work().join("done"), "").unwrap();
    assert_eq!(bed.end_of(&mut second).how, How::Exit { code: 7 });
}

#[test]
fn it_was_called_off_and_stays_so() {
    let bed = Bed::new();
    let mut first = bed.start("trap '' TERM; touch ready; while :; do sleep 1000; done");
    bed.wait_file("ready");
    first.cancel("not wanted", Duration::from_secs(2)).unwrap();
    let mut second = running(bed.adopt());
    second.renew_lease(until(LEASE)).unwrap();
    assert_eq!(bed.end_of(&mut second).how, How::Cancelled);
}

#[test]
fn it_has_ended() {
    let bed = Bed::new();
    drop(bed.start("exit 7"));
    wait_for("its end", || bed.run().join("exit.json").exists());
    assert!(matches!(bed.adopt(), Adopted::Exited(record) if record.how == How::Exit { code: 7 }));
    assert!(matches!(bed.runner.start(&bed.run(), bed.spec(""), until(LEASE)), Err(RunError::Begun(_))));
}

#[test]
fn it_died_with_its_supervisor() {
    let bed = Bed::new();
    drop(bed.start("(setsid sleep 1000 &) ; touch ready; sleep 1000"));
    bed.wait_file("ready");
    kill("KILL", bed.pid("supervisor"));
    let mut adopted = bed.adopt();
    // A child that was just being started holds the lock for a moment longer.
    if let Adopted::Running(running) = &mut adopted {
        adopted = Adopted::Exited(bed.end_of(running));
    }
    let Adopted::Exited(record) = adopted else { panic!("{adopted:?}") };
    assert_eq!((record.how, record.job.0, record.epoch), (How::Lost, 17, 3));
    assert!(bed.living().is_empty(), "{:?}", bed.living());
}

#[test]
fn the_machine_was_started_anew() {
    let bed = Bed::new();
    let mut first = bed.start("touch ready; exec sleep 1000");
    bed.wait_file("ready");
    // A number of a process that is somebody else's today: nobody may be touched.
    let path = bed.run().join("run.json");
    let mut begun: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    begun["boot"] = "00000000-0000-0000-0000-000000000000".into();
    let before = fs::read(&path).unwrap();
    fs::write(&path, begun.to_string()).unwrap();
    let Adopted::Exited(record) = bed.adopt() else { panic!("it runs in another boot") };
    assert_eq!(record.how, How::Lost);
    assert!(!bed.living().is_empty(), "who is not of this boot is not ours to end");
    // The truth again, for the supervisor.
    fs::write(&path, before).unwrap();
    fs::remove_file(bed.run().join("exit.json")).unwrap();
    first.kill().unwrap();
    assert_eq!(bed.end_of(&mut first).how, How::Cancelled);
}

#[test]
fn a_supervisor_that_comes_late_begins_nothing() {
    let bed = Bed::new();
    let mut first = bed.start("touch ready; exec sleep 1000");
    bed.wait_file("ready");
    kill("KILL", bed.pid("supervisor"));
    assert_eq!(bed.end_of(&mut first).how, How::Lost);
    fs::remove_file(bed.work().join("ready")).unwrap();
    let late = std::process::Command::new(env!("CARGO_BIN_EXE_quantum-clm"))
        .args(["run-program", "--directory"])
        .arg(bed.run())
        .output()
        .unwrap();
    assert!(late.status.success(), "{late:?}");
    assert!(!bed.work().join("ready").exists());
}
