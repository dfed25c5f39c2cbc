//! How a program ends is told apart, and what it is given is what it should be given.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use quantum_clm::domain::job::FailureKind;
use quantum_clm::runner::{ExitRecord, How, RunError, Spec, Status, Verdict};

use super::bed::{Bed, LEASE, until};

fn end_of(script: &str) -> ExitRecord {
    let bed = Bed::new();
    bed.end_of(&mut bed.start(script))
}

#[test]
fn exit_codes_and_signals() {
    let record = end_of("exit 0");
    assert_eq!((&record.how, record.verdict()), (&How::Exit { code: 0 }, Verdict::Answered));
    assert_eq!((record.job.0, record.epoch, record.status), (17, 3, Some(Status::Exit(0))));
    assert!(record.began_at <= record.ended_at);
    assert_eq!(end_of("exit 3").how, How::Exit { code: 3 });
    assert_eq!(end_of("exit 126").how, How::Exit { code: 126 });
    let record = end_of("kill -SEGV $$");
    assert_eq!((record.how, record.status), (How::Signal { signal: 11 }, Some(Status::Signal(11))));
    assert_eq!(end_of("kill -KILL $$").how, How::Signal { signal: 9 });
}

#[test]
fn a_program_that_cannot_be_started_says_why() {
    let check = |command: &str, prepare: &dyn Fn(&Bed), expected: &str| {
        let bed = Bed::new();
        prepare(&bed);
        let command = command.replace("WORK", bed.work().to_str().unwrap());
        let spec = Spec { command: vec![command], ..bed.spec("") };
        let record = bed.end_of(&mut bed.start_spec(spec));
        let Verdict::Failed(failure) = record.verdict() else { panic!("{record:?}") };
        assert_eq!(failure.kind, FailureKind::Configuration, "{record:?}");
        assert!(failure.why.contains(expected), "{record:?}");
    };
    let script = |text: &'static str, mode| {
        move |bed: &Bed| {
            let path = bed.work().join("x");
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    check("/nowhere/train", &|_| {}, "/nowhere/train is not there");
    check("no-such-program-in-the-path", &|_| {}, "is not there");
    check("WORK/x", &script("#!/bin/sh\n", 0o644), "may not be executed");
    check("WORK/x", &script("#!/no/such/python\n", 0o755), "its first line names");
    check("WORK", &|_| {}, "may not be executed");
}

#[test]
fn a_run_that_cannot_begin_leaves_nothing_behind() {
    let bed = Bed::new();
    let spec = Spec { command: Vec::new(), ..bed.spec("") };
    assert!(matches!(bed.runner.start(&bed.run(), spec, until(LEASE)), Err(RunError::NoCommand)));
    fs::write(bed.run(), "no directory").unwrap();
    assert!(matches!(bed.runner.start(&bed.run(), bed.spec(""), until(LEASE)), Err(RunError::Io { .. })));
    fs::remove_file(bed.run()).unwrap();
    let mut running = bed.start("exit 0");
    assert!(matches!(bed.runner.start(&bed.run(), bed.spec(""), until(LEASE)), Err(RunError::Begun(_))));
    assert_eq!(bed.end_of(&mut running).how, How::Exit { code: 0 });
}

#[test]
fn no_working_directory_is_the_machines_fault() {
    let bed = Bed::new();
    fs::remove_dir(bed.work()).unwrap();
    fs::write(bed.work(), "a file").unwrap();
    let record = bed.end_of(&mut bed.start("exit 0"));
    let Verdict::Failed(failure) = record.verdict() else { panic!("{record:?}") };
    assert_eq!(failure.kind, FailureKind::Infrastructure, "{record:?}");
}

/// Open files of this process, beyond the three, that whoever started it did not mark as its own (`O_CLOEXEC`).
fn passed_on() -> usize {
    let is_passed_on = |number: &str| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("02000000").trim();
        number.parse::<u32>().unwrap() > 2 && u32::from_str_radix(flags, 8).unwrap() & 0o2_000_000 == 0
    };
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter(|e| is_passed_on(e.as_ref().unwrap().file_name().to_str().unwrap()))
        .count()
}

#[test]
fn what_a_program_is_given() {
    let bed = Bed::new();
    let mut spec = bed.spec(
        "env | cut -d= -f1 | sort | tr '\\n' ' '; echo; echo $EXTRA $KEY_FILE; pwd; echo $HOME; echo $TMPDIR; ls -d $TMPDIR\n\
         umask; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; ulimit -c; id -u > /dev/null; cut -d' ' -f6 /proc/$$/stat; \
         echo $$; grep NoNewPrivs /proc/self/status",
    );
    spec.environment.insert("EXTRA".to_owned(), "added value".to_owned());
    spec.secrets.insert("KEY".to_owned(), "/etc/key".into());
    let record = bed.end_of(&mut bed.start_spec(spec));
    assert_eq!(record.how, How::Exit { code: 0 });
    let work = bed.work().display().to_string();
    let temporary = format!("{work}/tmp");
    let said = bed.said();
    let (fixed, rest) = said.split_at(9);
    assert_eq!(
        fixed,
        [
            "EXTRA HOME KEY_FILE LC_ALL PATH PWD QUANTUM_CLM_RUN TMPDIR ",
            "added value /etc/key",
            &work,
            &work,
            &temporary,
            &temporary,
            "0077",
            "/dev/null",
            // The three, the one with which ls reads the directory, and what this process was handed to pass on.
            &(4 + passed_on()).to_string(),
        ]
    );
    assert_eq!(rest[0], "0");
    assert_eq!(rest[1], rest[2], "it leads a session of its own");
    assert_eq!(rest[3], "NoNewPrivs:\t1");
}

#[test]
fn resources_are_counted() {
    let bed = Bed::new();
    // Some work in a child that is waited for, and some in one that is not.
    let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; (i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); echo 12345";
    let record = bed.end_of(&mut bed.start(script));
    assert!(record.resources.memory_peak.is_some_and(|bytes| bytes > 100_000), "{record:?}");
    assert!(record.resources.cpu_ms.is_some_and(|ms| ms >= 20), "{record:?}");
    assert_eq!(record.resources.output_bytes, 6);
}
