//! Killed and cut off again and again, under the sandbox, on the system's real journal.

use super::package::VERSION;
use super::system::{BOOKWORM, System};
use super::traders::{self, LIST};
use crate::support::Random;
use crate::support::daemon::UNITS;

/// Half of them kills, half of them power cuts. `make soak` does twice as many.
const ROUNDS: u32 = 20;

#[test]
fn nothing_is_lost_and_nothing_is_twice_whatever_is_killed() {
    let system = System::new(BOOKWORM);
    traders::start(&system);
    system.configure("");
    system.install(VERSION);
    let mut random = Random(0x6275_7264_656e);
    let rounds = std::env::var("QUANTUM_CLM_SOAK_CUTS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        system.wait("events are stored", "quantum-clm --json events --limit 1 | grep -q signal:");
        std::thread::sleep(std::time::Duration::from_millis(random.below(700)));
        if round % 2 == 0 {
            let pid = system.property("quantum-clm.service", "MainPID");
            system.sh(&format!("kill -9 {pid}"));
            // Asked meanwhile, it answers: the socket holds the request until the next daemon is there.
            system.sh("curl -fsS --max-time 60 http://127.0.0.1:8000/health >/dev/null");
        } else {
            system.cut();
            system.boot();
        }
        system.wait_active("quantum-clm.service");
    }
    traders::stop(&system);
    traders::wait_for_all(&system);
    let lines: u32 = system.sh(&format!("{LIST} of_journal | wc -l")).parse().unwrap();
    assert!(lines > rounds * 50, "the services hardly said anything: {lines} lines");
    let names = system.sh(&format!("{LIST} of_store | cut -d: -f2 | sort -u"));
    assert_eq!(names.lines().count(), UNITS.len(), "{names}");
    system.sh("quantum-clm audit verify");
}
