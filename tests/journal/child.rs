//! A child that does not do its work. Here journalctl is a script: the real one cannot be made to do these things.

use std::path::{Path, PathBuf};

use quantum_clm::domain::event::Level;
use quantum_clm::domain::feed::{GapCause, Progress};
use quantum_clm::observe::status::State;

use super::{Running, Taken, UNIT, config, directory, program};
use crate::support::journal::{JournalWriter, Line};
use crate::support::wait_for;

/// A journalctl that is the real one for probes, and `follow` (shell) for the child that follows. `$state` is a file of
/// its own, `real` runs the real one.
fn script(directory: &Path, follow: &str) -> PathBuf {
    let state = directory.join("state");
    let text = format!(
        "state={}\nreal() {{ exec journalctl \"$@\"; }}\n\
         for arg; do if [ \"$arg\" = -f ]; then\n{follow}\nexit 9\nfi; done\nreal \"$@\"\n",
        state.display()
    );
    program(directory, &text)
}

/// Ten numbers are there; the child behaves as `follow` says; all of them must come, once.
fn survives(follow: &str) -> Taken {
    let (guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    writer.number(UNIT, 0..10);
    writer.sync();
    let mut config = config(&path);
    config.journalctl = script(guard.path(), follow);
    let running = Running::start(&config, Taken::default());
    running.wait_events(10);
    wait_for("health", || running.component().state == State::Ok);
    assert!(running.component().restarts > 0, "the child was never started again");
    assert!(running.component().last_error.is_some());
    let taken = running.stop();
    assert_eq!(taken.numbers(), (0..10).collect::<Vec<_>>());
    taken
}

#[test]
fn exits() {
    survives("n=$(cat $state 2>/dev/null || echo 0); echo $((n + 1)) >$state; [ $n -lt 3 ] && exit 1; real \"$@\"");
}

#[test]
fn exits_in_the_middle_of_an_entry() {
    survives("[ -e $state ] && real \"$@\"; touch $state; journalctl \"${@/-f/-q}\" | head -c 1500; exit 1");
}

#[test]
fn hangs() {
    survives("[ -e $state ] && real \"$@\"; touch $state; exec sleep 1000");
}

#[test]
fn prints_rubbish_once() {
    let taken = survives("[ -e $state ] && real \"$@\"; touch $state; echo what is this; sleep 1000");
    assert_eq!(taken.gaps, []);
}

#[test]
fn prints_rubbish_without_end() {
    survives("[ -e $state ] && real \"$@\"; touch $state; exec yes rubbish");
}

#[test]
fn prints_the_same_rubbish_again() {
    let (guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    writer.number(UNIT, 0..10);
    writer.sync();
    let mut config = config(&path);
    config.journalctl = script(guard.path(), "echo rubbish; journalctl \"$@\"");
    let running = Running::start(&config, Taken::default());
    running.wait_events(11);
    let taken = running.stop();
    assert_eq!(taken.numbers(), (0..10).collect::<Vec<_>>());
    assert_eq!(taken.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [GapCause::Garbled]);
}

#[test]
fn is_not_installed() {
    let (guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    writer.number(UNIT, 0..10);
    writer.sync();
    let mut config = config(&path);
    config.journalctl = guard.path().join("journalctl");
    let running = Running::start(&config, Taken::default());
    wait_for("health", || running.component().state == State::Failed);
    let remedy = running.component().remedy.unwrap();
    assert!(remedy.contains("install systemd"), "{remedy}");
    running.wait("a delivery", |taken| taken.deliveries > 0 && taken.progress == Progress::Unknown);
    std::os::unix::fs::symlink("/usr/bin/journalctl", &config.journalctl).unwrap();
    running.wait_events(10);
}

/// A child that leaves an entry out.
fn leaves_out(follow: &str, numbers: impl Iterator<Item = u64>) -> Taken {
    let (guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    writer.number(UNIT, 0..10);
    writer.sync();
    let mut config = config(&path);
    config.journalctl = script(guard.path(), follow);
    let running = Running::start(&config, Taken::default());
    let expected: Vec<_> = numbers.collect();
    wait_for("the last number", || running.taken().numbers().last() == Some(&9));
    let taken = running.stop();
    assert_eq!(taken.numbers(), expected);
    taken
}

const LEAVE_OUT_5: &str = r#"
journalctl "$@" | while IFS= read -r line; do
    entry+="$line"$'\n'
    if [ -z "$line" ]; then
        case $entry in *"MESSAGE=n 5"*) ;; *) printf %s "$entry" ;; esac
        entry=
    fi
done"#;

#[test]
fn an_entry_that_was_passed_over_is_read_after_all() {
    let taken = leaves_out(&format!("[ -e $state ] && real \"$@\"; touch $state\n{LEAVE_OUT_5}"), 0..10);
    assert!(taken.gaps.is_empty(), "nothing was lost");
}

#[test]
fn an_entry_that_no_child_prints_is_a_gap() {
    let taken = leaves_out(LEAVE_OUT_5, (0..10).filter(|number| *number != 5));
    assert_eq!(taken.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [GapCause::Garbled]);
}

/// journalctl 252 passes over a value of an entry that is being written just then.
#[test]
fn prints_entries_that_are_not_finished() {
    let (guard, path) = directory();
    let mut writer = JournalWriter::new(&path);
    let numbered = |number: u64| Line::new(UNIT, format!("n {number}")).set("_SYSTEMD_SLICE", "system.slice");
    writer.append((0..9).map(numbered));
    // The last one is the newest of all when it is found unfinished, and two lack something for good.
    writer.append([
        numbered(9).set("PRIORITY", "3"),
        numbered(10).without("PRIORITY"),
        numbered(11).without("MESSAGE"),
        numbered(12),
    ]);
    writer.sync();
    let mut config = config(&path);
    let lacking = "perl -e '$| = 1; $/ = \"\\n\\n\"; while (<STDIN>) { s/\\nMESSAGE=.*// if /=n (5|12)\\n/; \
                   s/\\n_SYSTEMD_UNIT=.*// if /=n 7\\n/; s/\\nPRIORITY=.*// if /=n 9\\n/; print }'";
    config.journalctl = script(guard.path(), &format!("exec journalctl \"$@\" > >(exec {lacking})"));
    let running = Running::start(&config, Taken::default());
    running.wait_events(12);
    assert_eq!(running.component().restarts, 0, "an unfinished entry is no reason to start journalctl again");
    let taken = running.stop();
    assert_eq!(taken.numbers(), (0..11).chain([12]).collect::<Vec<_>>());
    assert_eq!(taken.events[9].level, Level::ERROR);
}
