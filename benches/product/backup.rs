//! Backups of the large data file: made at rest and under fire, verified, restored; beside what `cp` and `sha256sum` take.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, Setup};
use crate::journal::{Live, now};
use crate::large::fill;
use crate::table::{Table, median};
use crate::{Bench, Result};

const ROUNDS: usize = 3;

/// journald tells readers of new entries four times a second.
const PAUSE: f64 = 0.25;
/// 5,000 a second.
const LINES: u64 = 1_250;
/// Until the daemon keeps up evenly.
const SETTLE: f64 = 5.0;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let millions = format!("{} million events", bench.large as f64 / 1e6);
    let place = bench.directory.join("backups");
    let _ = std::fs::remove_dir_all(&place);
    let mut journal = Live::new(bench.directory.join("journal-backup"))?;
    journal.append(bench, None)?;
    let config = format!("url = \"\"\n[backup]\ndirectory = {place:?}\nkeep_last = 100\n");
    let setup = Setup::new(bench, "backup", &journal.directory, &config)?;
    fill(bench, &setup.data_file, bench.large, None)?;
    let mut daemon = setup.start()?;
    daemon.stored(1)?;

    let mut made = Vec::new();
    let mut backup = PathBuf::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        backup = place.join(make(&setup)?);
        made.push(begun.elapsed().as_secs_f64());
    }
    let (took, size) = (median(&mut made), length(&backup.join("quantum.redb"))? as f64 / 1e6);
    let remark = format!(
        "{millions}: copied, verified by a child, on the disk; the command from start to end, median of {ROUNDS}; the \
         data file has {:.0} MB, the backup {size:.0}; {:.0} MB resident at most",
        length(&setup.data_file)? as f64 / 1e6,
        daemon.memory("VmHWM")?
    );
    table.known("backup at rest", "s", took, &remark);
    table.known("backup at rest, of what it writes", "MB/s", size / took, "");
    let (copying, hashing) = by_hand(&setup.data_file)?;
    let remark = format!("of a data file that nobody writes to, which it could not be; sha256sum {hashing:.2} s more");
    table.known("beside it: cp --reflink=never, and sync", "s", copying, &remark);

    under_fire(bench, table, &setup, &mut daemon, &mut journal)?;

    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(timed(&mut setup.command(&["verify", &backup.to_string_lossy()]))?);
    }
    let remark = format!("{millions}: every digest, page and record; median of {ROUNDS}");
    table.known("`verify` of a backup", "s", median(&mut times), &remark);

    daemon.stop()?;
    let (mut times, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // What was there is kept beside it once.
        let _ = std::fs::remove_file(setup.data_file.with_extension("redb.pre-restore"));
        times.push(timed(&mut setup.command(&["restore", &backup.to_string_lossy()]))?);
        // Restored twice without a start in between, the second time has little to do.
        let mut daemon = setup.start()?;
        starts.push(daemon.ready()?);
        daemon.stop()?;
    }
    let remark = format!("{millions}: verified, copied, verified again, in its place; median of {ROUNDS}");
    table.known("`restore`", "s", median(&mut times), &remark);
    let remark = format!("process start to the first answer on the socket, median of {ROUNDS}");
    table.known("first start on it", "s", median(&mut starts), &remark);
    std::fs::remove_dir_all(&place)?;
    Ok(())
}

/// One backup while 5,000 lines a second come in, and as long without one beside it.
fn under_fire(
    bench: &Bench,
    table: &mut Table,
    setup: &Setup,
    daemon: &mut Daemon<'_>,
    journal: &mut Live,
) -> Result<()> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let firing = scope.spawn(|| fire(bench, journal, &over).map_err(|error| error.to_string()));
        let measure = || -> Result<_> {
            std::thread::sleep(Duration::from_secs_f64(SETTLE));
            let look = |daemon: &Daemon<'_>| -> Result<(f64, f64)> {
                Ok((length(&setup.data_file)? as f64 / 1e6, daemon.metric("quantum_clm_events_stored_total")?))
            };
            let (before, begun) = (look(daemon)?, Instant::now());
            make(setup)?;
            let took = begun.elapsed();
            let after = look(daemon)?;
            std::thread::sleep(took);
            let later = look(daemon)?;
            Ok((took.as_secs_f64(), before, after, later))
        };
        let measured = measure();
        over.store(true, Ordering::Relaxed);
        firing.join().map_err(|_| "the writer of the journal died")??;
        let (took, before, after, later) = measured?;
        let remark = format!(
            "{:.0} events/s stored meanwhile, {:.0} in the same time after it",
            (after.1 - before.1) / took,
            (later.1 - after.1) / took
        );
        table.known("backup under 5,000 lines a second", "s", took, &remark);
        let remark =
            format!("{:.1} MB in the same time after it, in which what was freed is used again", later.0 - after.0);
        table.known("growth of the data file during it", "MB", after.0 - before.0, &remark);
        Ok(())
    })
}

fn fire(bench: &Bench, journal: &mut Live, over: &AtomicBool) -> Result<()> {
    let (begun, mut number, mut text) = (Instant::now(), 0_u64, Vec::new());
    while !over.load(Ordering::Relaxed) {
        text.clear();
        for _ in 0..LINES {
            journal.entry(bench, now(), None, &mut text);
        }
        journal.write(&text)?;
        number += 1;
        let due = Duration::from_secs_f64(number as f64 * PAUSE);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    Ok(())
}

/// Has the daemon make a backup; its id.
fn make(setup: &Setup) -> Result<String> {
    let output = setup.command(&["backup", "--json"]).stderr(Stdio::inherit()).output()?;
    let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let id = said["attempt"]["backup"].as_str().filter(|_| output.status.success());
    Ok(id.ok_or_else(|| format!("backup: {}: {said}", output.status))?.to_owned())
}

/// What copying and hashing a file takes with the usual tools.
fn by_hand(path: &Path) -> Result<(f64, f64)> {
    let copy = path.with_extension("copy");
    let (mut copying, mut hashing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let _ = std::fs::remove_file(&copy);
        let begun = Instant::now();
        timed(Command::new("cp").arg("--reflink=never").arg(path).arg(&copy))?;
        timed(Command::new("sync").arg(&copy))?;
        copying.push(begun.elapsed().as_secs_f64());
        hashing.push(timed(Command::new("sha256sum").arg(&copy))?);
    }
    std::fs::remove_file(&copy)?;
    Ok((median(&mut copying), median(&mut hashing)))
}

/// The seconds that a command takes, which has to succeed.
fn timed(command: &mut Command) -> Result<f64> {
    let begun = Instant::now();
    let output = command.stdout(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status).into());
    }
    Ok(begun.elapsed().as_secs_f64())
}

fn length(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?.len())
}
