use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use quantum_clm::sources::journal::export::OUTPUT_FIELDS;

use crate::daemon::Setup;
use crate::table::{Table, median};
use crate::{Bench, Result, journal};

const ROUNDS: usize = 3;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let directory = journal::with_entries(bench, bench.events)?;
    let entry = journal::size(&directory)? as f64 / bench.events as f64;
    let (mut bare, mut ours, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
    let mut setup = Setup::new(bench, "catch-up", &directory, "url = \"\"")?;
    for round in 0..ROUNDS {
        let mut command = Command::new("journalctl");
        command.args(["-q", "-m", "-o", "export", "-D"]).arg(&directory);
        // No matches, as in the daemon, which filters by itself.
        command.arg(format!("--output-fields={OUTPUT_FIELDS}")).stdout(Stdio::null());
        let started = Instant::now();
        command.status()?;
        bare.push(bench.events as f64 / started.elapsed().as_secs_f64());

        setup = Setup::new(bench, "catch-up", &directory, "url = \"\"")?;
        let mut daemon = setup.start()?;
        ours.push(bench.events as f64 / daemon.stored(bench.events)?);
        peaks.push(daemon.memory("VmHWM")?);
        let cpu = daemon.cpu()? / bench.events as f64 * 1e6;
        eprintln!("  journalctl {:.0}/s, the daemon {:.0}/s, {cpu:.2} µs an event", bare[round], ours[round]);
        if round + 1 == ROUNDS {
            day(bench, table, &setup, &daemon)?;
        }
        daemon.stop()?;
    }
    let (bare, ours) = (median(&mut bare), median(&mut ours));
    let remark = format!("{ours:.0} beside {bare:.0} events/s; {entry:.0} bytes an entry in the journal");
    table.at_least("catch-up, durable, beside `journalctl -o export`", 0.9, "×", ours / bare, &remark);
    let peak = peaks.into_iter().fold(0.0, f64::max);
    table.at_most("resident memory, peak in catch-up", 96.0, "MiB", peak, "");
    let bytes = std::fs::metadata(&setup.data_file)?.len() as f64;
    table.at_most(
        "disk an event, settled",
        30.0,
        "bytes",
        bytes / bench.events as f64,
        "the whole file after a clean stop",
    );

    let mut daemon = setup.start()?;
    daemon.ready()?;
    std::thread::sleep(Duration::from_secs(3));
    table.at_most("resident memory, idle after start", 30.0, "MiB", daemon.memory("VmRSS")?, "");
    daemon.stop()
}

/// What a day's work leaves behind: the whole catch-up, then searches over everything.
fn day(bench: &Bench, table: &mut Table, setup: &Setup, daemon: &crate::daemon::Daemon<'_>) -> Result<()> {
    for args in [
        &["events", "--grep", "a text that is nowhere"][..],
        &["events", "--limit", "20000"],
        &["counters"],
        &["events", "--grep", "conf=0.7", "--limit", "2000"],
    ] {
        let output = setup.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
        if !output.status.success() {
            return Err(format!("{args:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
    }
    std::thread::sleep(Duration::from_secs(2));
    let remark = format!("{} events caught up with, then 4 searches", bench.events);
    table.at_most("resident memory after a day's work", 64.0, "MiB", daemon.memory("VmRSS")?, &remark);
    Ok(())
}
