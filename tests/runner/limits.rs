//! Programs that go too far.

use std::time::{Duration, Instant};

use quantum_clm::domain::job::FailureKind;
use quantum_clm::runner::{How, Limits, Status, Verdict};

use super::bed::Bed;

const SHORT: Duration = Duration::from_millis(1_500);

#[test]
fn eating_memory() {
    let bed = Bed::new();
    let limits = Limits { memory: Some(100 << 20), ..Limits::default() };
    // It keeps the last line, and there is but one.
    let record = bed.end_of(&mut bed.start_with("head -c 4G /dev/zero | tail -n 1 | wc -c", limits));
    assert_eq!(record.how, How::OutOfMemory { limit: Some(100 << 20) }, "{record:?}");
    assert!(record.resources.memory_peak.is_some_and(|peak| peak > 50 << 20), "{record:?}");
    let Verdict::Failed(failure) = record.verdict() else { panic!("{record:?}") };
    assert_eq!(failure.kind, FailureKind::OutOfMemory);
    assert!(failure.why.contains("100 MiB"), "{failure:?}");
}

#[test]
fn memory_that_processes_share_counts_once() {
    let bed = Bed::new();
    let limits = Limits { memory: Some(200 << 20), ..Limits::default() };
    let script = "exec perl -e '$n = 80 << 20; $data = \"x\" x $n; for (1..5) { fork or sleep 1000 } sleep 3'";
    let record = bed.end_of(&mut bed.start_with(script, limits));
    assert_eq!(record.how, How::Exit { code: 0 }, "{record:?} {:?}", bed.log());
}

#[test]
fn going_on_for_too_long() {
    let bed = Bed::new();
    let limits = Limits { time: Some(SHORT), grace: Duration::from_millis(200), ..Limits::default() };
    let record = bed.end_of(&mut bed.start_with("trap '' TERM; while :; do sleep 1000; done", limits));
    assert_eq!(record.how, How::TimeLimit { seconds: 1 });
    assert_eq!(record.status, Some(Status::Signal(9)));
}

#[test]
fn hanging_without_a_word() {
    let bed = Bed::new();
    let limits = Limits { no_progress: Some(SHORT), ..Limits::default() };
    let began = Instant::now();
    // It writes, and says of its progress what it said before it was started.
    let script = "echo '{}' > progress.json; while :; do echo output; sleep 0.05; done";
    let record = bed.end_of(&mut bed.start_with(script, limits));
    assert_eq!(record.how, How::NoProgress { seconds: 1 });
    assert!(began.elapsed() >= SHORT);
    assert_eq!(record.status, Some(Status::Signal(15)), "there was time to end by itself");
}

#[test]
fn who_says_that_it_goes_on_may_go_on() {
    let bed = Bed::new();
    // It takes half as long again as it may be silent, and each of its silences a tenth of that: a machine under load may stall it.
    let limits = Limits { no_progress: Some(Duration::from_secs(4)), ..Limits::default() };
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo \"{\\\"progress\\\": 0.$((i + 10))}\" > progress.json; sleep 0.4; done";
    assert_eq!(bed.end_of(&mut bed.start_with(script, limits)).how, How::Exit { code: 0 });
}

#[test]
fn too_large_a_file() {
    let bed = Bed::new();
    let limits = Limits { file_bytes: Some(1 << 20), ..Limits::default() };
    let record = bed.end_of(&mut bed.start_with("exec head -c 2M /dev/zero > large", limits));
    assert_eq!(record.how, How::Signal { signal: 25 }, "{record:?}");
    let Verdict::Failed(failure) = record.verdict() else { panic!("{record:?}") };
    assert!(failure.why.contains("a file became larger"), "{failure:?}");
}

#[test]
fn processors_are_counted() {
    let bed = Bed::new();
    let limits = Limits { cpus: Some(0.5), open_files: Some(64), ..Limits::default() };
    bed.end_of(&mut bed.start_with("nproc; ulimit -n", limits));
    assert_eq!(bed.said(), ["1", "64"]);
}

#[test]
fn what_is_faster_than_a_look_meets_a_limit_of_the_kernels() {
    let [bed, _] = Bed::both();
    let limits = Limits { memory: Some(100 << 20), tasks: Some(60), open_files: Some(64), ..Limits::default() };
    bed.end_of(&mut bed.start_with("cat /proc/self/limits", limits));
    let said = bed.said();
    let limit = |name: &str| {
        let line = said.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{said:?}"));
        let words: Vec<_> = line.split_whitespace().take(2).collect();
        assert_eq!(words[0], words[1], "{name} could be raised again");
        words[0].parse::<u64>().unwrap_or(u64::MAX)
    };
    assert_eq!(limit("Max data size"), (200 << 20) + (1 << 30));
    assert_eq!((limit("Max open files"), limit("Max core file size")), (64, 0));
    // Those of the same user who are not of the run count as well.
    assert!((120..1_000_000).contains(&limit("Max processes")), "{said:?}");
}
