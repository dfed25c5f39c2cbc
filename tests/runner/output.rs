//! Everything that a program writes is taken from it, and what is kept is bounded.

use std::fs;
use std::process::Command;

use quantum_clm::joblog::{LogReader, Record, Stream};
use quantum_clm::runner::{How, Spec};

use super::bed::Bed;
use crate::support::daemon::Disk;
use crate::support::wait_for;

#[test]
fn both_streams_in_lines() {
    let bed = Bed::new();
    let script = "echo one; sleep 0.2; echo two >&2; sleep 0.2; printf '10%%\\r50%%\\r100%%\\nno end'";
    assert_eq!(bed.end_of(&mut bed.start(script)).how, How::Exit { code: 0 });
    let texts =
        |wanted| -> Vec<_> { bed.log().into_iter().filter(|(s, _)| *s == wanted).map(|(_, text)| text).collect() };
    assert_eq!(texts(Stream::Out), ["one", "100%", "no end"]);
    assert_eq!(texts(Stream::Err), ["two"]);
    let notes = texts(Stream::Note);
    assert!(notes[0].starts_with("train begins: /bin/sh -c"), "{notes:?}");
    assert_eq!(notes.last().unwrap(), "the program ended with exit code 0");
}

#[test]
fn the_next_program_of_a_job_writes_on() {
    let bed = Bed::new();
    bed.end_of(&mut bed.start("echo first"));
    let end = LogReader::open(bed.path().join("log")).end().unwrap();
    let spec = bed.spec("echo second");
    let mut next = bed.runner.start(&bed.path().join("next"), spec, super::bed::until(super::bed::LEASE)).unwrap();
    bed.end_of(&mut next);
    assert_eq!(bed.said(), ["first", "second"]);
    let lines = LogReader::open(bed.path().join("log")).read(end, 1 << 20).unwrap();
    assert!(String::from_utf8(lines.bytes).unwrap().contains("second"));
}

/// The most memory that a process ever had.
fn most_memory(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? << 10)
}

#[test]
fn a_gibibyte_in_one_line() {
    let bed = Bed::new();
    let mut running =
        bed.start("head -c 1G /dev/zero | tr '\\0' x; touch ready; while [ ! -e done ]; do sleep 0.05; done");
    bed.wait_file("ready");
    let most = most_memory(bed.pid("supervisor")).unwrap();
    assert!(most < 64 << 20, "the supervisor took {most} bytes");
    fs::write(bed.work().join("done"), "").unwrap();
    let record = bed.end_of(&mut running);
    assert_eq!((record.how, record.resources.output_bytes), (How::Exit { code: 0 }, 1 << 30));
    let said = bed.said();
    let [line] = said.as_slice() else { panic!("{} lines", said.len()) };
    assert!(line.ends_with(&format!("x [… {} more bytes]", (1 << 30) - (16 << 10))), "{}", &line[line.len() - 99..]);
}

#[test]
fn more_than_is_kept() {
    let bed = Bed::new();
    let spec = Spec { log_bytes: 1 << 20, ..bed.spec("seq 1 400000") };
    bed.end_of(&mut bed.start_spec(spec));
    let size: u64 = fs::read_dir(bed.path().join("log")).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(size <= 1 << 20, "{size} bytes");
    let reader = LogReader::open(bed.path().join("log"));
    let head = reader.read(0, 256 << 10).unwrap();
    let head = String::from_utf8(head.bytes).unwrap();
    assert!(head.lines().nth(1).unwrap().ends_with(" out 1"), "{:?}", head.lines().nth(1));
    let last = reader.read(reader.last(2, 64 << 10).unwrap(), 64 << 10).unwrap();
    let last = String::from_utf8(last.bytes).unwrap();
    assert!(last.lines().next().unwrap().ends_with(" out 400000"), "{last}");
    assert_eq!(reader.search(" out 400000", reader.last(99, 64 << 10).unwrap(), 9).unwrap().found.len(), 1);
}

#[test]
fn a_full_disk_stops_neither_the_program_nor_its_record() {
    let bed = Bed::new();
    fs::create_dir(bed.path().join("disk")).unwrap();
    let disk = Disk::at(&bed.path().join("disk"), 4);
    let run = bed.path().join("disk/run");
    let script = "echo before; touch ready; while [ ! -e filled ]; do sleep 0.05; done\n\
                  seq 1 300000; touch written; while [ ! -e done ]; do sleep 0.05; done; exit 7";
    let spec = Spec { log: bed.path().join("disk/log"), log_bytes: 64 << 20, ..bed.spec(script) };
    let mut running = bed.runner.start(&run, spec, super::bed::until(super::bed::LEASE)).unwrap();
    bed.wait_file("ready");
    disk.fill();
    fs::write(bed.work().join("filled"), "").unwrap();
    bed.wait_file("written");
    // Leases are renewed on a full disk.
    running.renew_lease(super::bed::until(super::bed::LEASE)).unwrap();
    fs::write(bed.work().join("done"), "").unwrap();
    let record = bed.end_of(&mut running);
    assert_eq!(record.how, How::Exit { code: 7 });
    assert!(record.notes.iter().any(|note| note.contains("lines of its output are lost")), "{record:?}");
    let output = (1..=300_000).map(|n: u32| n.to_string().len() as u64 + 1).sum::<u64>() + 7;
    assert_eq!(record.resources.output_bytes, output);
    let log = LogReader::open(bed.path().join("disk/log")).read(0, 1 << 20).unwrap();
    assert!(String::from_utf8(log.bytes).unwrap().contains(" out before\n"));
}

#[test]
fn what_a_full_disk_took_is_told_where_it_is_missing() {
    let bed = Bed::new();
    fs::create_dir(bed.path().join("disk")).unwrap();
    let disk = Disk::at(&bed.path().join("disk"), 32);
    // More than fits into a pipe: some of it meets the full disk.
    let script = "touch ready; while [ ! -e filled ]; do sleep 0.05; done; seq 1 300000; touch written\n\
                  while [ ! -e freed ]; do sleep 0.05; done; echo after";
    let spec = Spec { log: bed.path().join("disk/log"), log_bytes: 64 << 20, ..bed.spec(script) };
    let mut running = bed.start_spec(spec);
    bed.wait_file("ready");
    disk.fill();
    fs::write(bed.work().join("filled"), "").unwrap();
    bed.wait_file("written");
    disk.free();
    fs::write(bed.work().join("freed"), "").unwrap();
    bed.end_of(&mut running);
    let log = LogReader::open(bed.path().join("disk/log")).read(0, 64 << 20).unwrap();
    let log = String::from_utf8(log.bytes).unwrap();
    let records: Vec<_> = log.lines().map(|line| Record::parse(line).unwrap()).collect();
    let missing = records.iter().filter_map(|record| record.text.split_once(" lines are missing here: No space left"));
    let missing: usize = missing.map(|(count, _)| count.parse::<usize>().unwrap()).sum();
    let mut written = records.iter().filter(|record| record.stream == Stream::Out);
    assert!(missing > 0);
    assert_eq!(written.clone().count() + missing, 300_001);
    assert_eq!(written.next_back().unwrap().text, "after");
}

#[test]
fn nothing_is_begun_on_a_full_disk() {
    let bed = Bed::new();
    fs::create_dir(bed.path().join("disk")).unwrap();
    let disk = Disk::at(&bed.path().join("disk"), 4);
    disk.fill();
    let run = bed.path().join("disk/run");
    let start = || bed.runner.start(&run, bed.spec("exit 0"), super::bed::until(super::bed::LEASE));
    let error = start().unwrap_err();
    assert!(error.to_string().contains("No space left"), "{error}");
    disk.free();
    assert_eq!(bed.end_of(&mut start().unwrap()).how, How::Exit { code: 0 });
}

#[test]
fn somebody_else_who_holds_the_output_does_not_hold_the_run() {
    let bed = Bed::new();
    let mut running = bed.start("touch ready; while [ ! -e done ]; do sleep 0.05; done; exit 0");
    bed.wait_file("ready");
    let pipe = format!("/proc/{}/fd/1", bed.pid("program"));
    let mut holder =
        Command::new("sleep").arg("1000").stdout(fs::File::options().write(true).open(pipe).unwrap()).spawn().unwrap();
    fs::write(bed.work().join("done"), "").unwrap();
    let record = bed.end_of(&mut running);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(record.how, How::Exit { code: 0 });
    assert!(record.notes.iter().any(|note| note.contains("holds its output open")), "{record:?}");
    wait_for("the supervisor's end", || bed.living().is_empty());
}
