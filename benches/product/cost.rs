use std::time::{Duration, Instant};

use crate::daemon::Setup;
use crate::journal::Live;
use crate::redis::Server;
use crate::table::Table;
use crate::{Bench, Result};

const RATE: f64 = 300.0;
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
    let mut number = 0_u64;
    let mut write_until = |end: f64| -> Result<()> {
        while begun.elapsed().as_secs_f64() < end {
            journal.append(bench, None)?;
            number += 1;
            let due = Duration::from_secs_f64(number as f64 / RATE);
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
    let remark = format!("{:.0} events/s, mirror on, journalctl included; {:.0} sleeps a second", each(3), each(2));
    table.at_most("CPU at 300 events/s", 1.0, "% of a core", each(0) * 100.0, &remark);
    let remark = format!("{:.0} bytes a second over {seconds} s", each(1));
    table.at_most("bytes written a day", 5.0, "GB", each(1) * 86_400.0 / 1e9, &remark);
    table.known("resident memory at 300 events/s", "MiB", daemon.memory("VmRSS")?, "");
    daemon.stop()
}
