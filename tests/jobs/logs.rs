//! How much is kept of what jobs' programs wrote.

use quantum_clm::config;
use quantum_clm::domain::job::{Assignment, FailureKind, Held, JobId};

use super::bed::{Bed, failed, over, report, request};

const LINE: &[u8] = b"2026-06-01T00:00:00.000Z out a line of a program that says much of itself, and then more\n";

#[test]
fn the_oldest_logs_of_what_is_over_go_when_all_are_too_large() {
    let limit = 2 * LINE.len() as u64;
    let bed = Bed::with(config::Jobs { logs_bytes: limit, running: 4, ..config::Jobs::default() });
    let begin = |symbol: &str, held: &[Held]| -> Assignment {
        bed.create(symbol);
        let given = bed.jobs().lease(&request("w1", held)).unwrap().expect("work");
        bed.jobs().append_log(given.job, given.epoch, 0, LINE).expect("room");
        given
    };
    let is_kept = |job: JobId| bed.jobs().log_directory(job).exists();
    // The oldest is still at work: its log is nobody's to take.
    let first = begin("a", &[]);
    let held = [Held { job: first.job, epoch: first.epoch }];
    let [second, third] = ["b", "c"].map(|symbol| {
        let given = begin(symbol, &held);
        over(bed.jobs().report(given.job, &report(&given, failed(FailureKind::Program))).unwrap());
        given.job
    });
    for _ in 0..2 {
        bed.jobs().trim(bed.now()).unwrap();
        assert_eq!([first.job, second, third].map(is_kept), [true, false, true]);
    }
}
