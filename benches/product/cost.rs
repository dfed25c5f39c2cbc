use std::time::{Duration, Instant};

use crate::daemon::Setup;
use crate::journal::{Live, now};
use crate::redis::Server;
use crate::table::Table;
use crate::{Bench, Result};

/// journald tells readers of new entries four times a second.
const PAUSE: f64 = 0.25;
const LINES: u64 = 75;
const SETTLE: f64 = 10.0;

/// What 300 events a second cost: journal, store, rules, mirror, everything on.
pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let server = Server::start()?;
    let mut journal = Live::new(bench.directory.join("journal-cost"))?;
    journal.append(bench, None)?;
    let setup = Setup::new(bench, "cost", &journal.directory, &server.config(200_000))?;
    let mut daemon = setup.start()?;
    daemon.stored(1)?;
    let begun = Instant::now();
    let (mut number, mut text) = (0_u64, Vec::new());
    let mut write_until = |end: f64| -> Result<()> {
        while begun.elapsed().as_secs_f64() < end {
            for _ in 0..LINES {
                journal.entry(bench, now(), None, &mut text);
            }
            journal.write(&text)?;
            text.clear();
            number += 1;
            let due = Duration::from_secs_f64(number as f64 * PAUSE);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        Ok(())
    };
    let mut watch = |from: f64| -> Result<[f64; 4]> {
        write_until(from)?;
        let stored = daemon.metric("quantum_clm_events_stored_total")?;
        Ok([daemon.cpu()?, daemon.written()?, daemon.sleeps(), stored])
    };
    let before = watch(SETTLE)?;
    let seconds = bench.seconds as f64;
    let after = watch(SETTLE + seconds)?;
    let each = |at: usize| (after[at] - before[at]) / seconds;
    let remark = format!(
        "{:.0} events/s in bursts of 0.25 s as journald shows them, mirror on, journalctl included; {:.0} sleeps a second",
        each(3),
        each(2)
    );
    table.at_most("CPU at 300 events/s", 1.0, "% of a core", each(0) * 100.0, &remark);
    let remark = format!("{:.0} bytes a second over {seconds} s", each(1));
    table.at_most("bytes written a day", 5.0, "GB", each(1) * 86_400.0 / 1e9, &remark);
    table.known("resident memory at 300 events/s", "MiB", daemon.memory("VmRSS")?, "");
    daemon.stop()
}
