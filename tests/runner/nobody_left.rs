//! Whatever a program starts, nobody of it survives.

use std::fs;
use std::time::Duration;

use quantum_clm::runner::{Adopted, How, Limits};

use super::bed::{Bed, kill};
use crate::support::{Random, wait_for};

const CLEARED: &str = "env -i PATH=$PATH";

/// Starts somebody who ignores SIGTERM, in a session of its own, whose parent is gone; `with` goes before the command.
fn stray(with: &str) -> String {
    // The directory among its arguments is how the bed finds it, with whatever environment.
    format!(
        "({with} setsid sh -c 'trap \"\" TERM HUP INT; touch $1/stray; while :; do sleep 1000; done' sh $PWD &)\n\
         while [ ! -e stray ]; do sleep 0.01; done\n"
    )
}

fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

#[test]
fn a_grandchild_that_double_forked_goes_with_the_program() {
    for with in ["", CLEARED] {
        for bed in Bed::both() {
            let record = bed.end_of(&mut bed.start(&format!("{}exit 4", stray(with))));
            assert_eq!(record.how, How::Exit { code: 4 }, "{with}");
        }
    }
}

#[test]
fn a_grandchild_that_ignores_sigterm_goes_when_the_program_is_called_off() {
    for bed in Bed::both() {
        let mut running = bed.start(&format!("{}touch ready; exec sleep 1000", stray(CLEARED)));
        bed.wait_file("ready");
        assert!(bed.living().len() >= 2, "{:?}", bed.living());
        running.cancel("not wanted", Duration::from_millis(100)).unwrap();
        assert_eq!(bed.end_of(&mut running).how, How::Cancelled);
    }
}

#[test]
fn nobody_who_is_not_of_the_run_is_touched() {
    let bed = Bed::new();
    let other = Bed::new();
    let mut sleeping = other.start("touch ready; exec sleep 1000");
    other.wait_file("ready");
    assert_eq!(bed.end_of(&mut bed.start(&format!("{}exit 0", stray("")))).how, How::Exit { code: 0 });
    assert_eq!(sleeping.poll().unwrap(), None);
    assert!(!other.living().is_empty());
    sleeping.kill().unwrap();
    assert_eq!(other.end_of(&mut sleeping).how, How::Cancelled);
}

#[test]
fn a_fork_bomb_is_put_out() {
    // Each generation is two of the last, half of them in sessions of their own. Should nobody put it out, it stops growing.
    let bomb = "cat > bomb <<'END'\n[ $(ls /proc | grep -c '^[0-9]') -gt 1500 ] && exec sleep 1000\n\
                setsid sh bomb $1 & sh bomb $1 & wait\nEND\nsh bomb $PWD";
    for bed in Bed::both() {
        let limits = Limits { tasks: Some(60), ..Limits::default() };
        let record = bed.end_of(&mut bed.start_with(bomb, limits));
        assert_eq!(record.how, How::TooManyTasks { limit: 60 }, "{record:?}");
    }
}

#[test]
fn the_program_dies_with_its_supervisor_and_the_rest_is_ended_by_whoever_looks() {
    for with in ["", CLEARED] {
        for bed in Bed::both() {
            // Who clears its environment and leaves the session is known by the control group alone.
            let with = if bed.runner.has_groups() { with } else { "" };
            let mut running = bed.start(&format!("{}touch ready; exec sleep 1000", stray(with)));
            bed.wait_file("ready");
            let program = bed.pid("program");
            kill("KILL", bed.pid("supervisor"));
            wait_for("the program's end", || has_ended(program));
            let record = bed.end_of(&mut running);
            assert_eq!(record.how, How::Lost);
            assert!(matches!(bed.adopt(), Adopted::Exited(again) if again == record));
        }
    }
}

#[test]
fn who_stays_in_the_session_is_found_without_its_environment() {
    let script = "(env -i PATH=$PATH sh -c 'trap \"\" TERM HUP; touch $1/stray; while :; do sleep 1000; done' sh $PWD &)\n\
                  while [ ! -e stray ]; do sleep 0.01; done; touch ready; exec sleep 1000";
    for bed in Bed::both() {
        let mut running = bed.start(script);
        bed.wait_file("ready");
        kill("KILL", bed.pid("supervisor"));
        assert_eq!(bed.end_of(&mut running).how, How::Lost);
    }
}

#[test]
fn whoever_is_killed_at_whatever_moment_there_is_one_record_and_nobody_is_left() {
    let mut random = Random(17);
    for round in 0..20 {
        let [without, with] = Bed::both();
        let bed = if round % 2 == 0 { without } else { with };
        let mut running = bed.start(&format!("{}sleep 0.2; exit 4", stray("")));
        let pause = Duration::from_millis(random.below(250));
        let ended = running.wait(pause).unwrap();
        let victim = ["supervisor", "program"][random.below(2) as usize];
        let killed = ended.is_none() && {
            kill("KILL", bed.pid(victim));
            true
        };
        let record = bed.end_of(&mut running);
        let expected = match victim {
            _ if !killed => vec![How::Exit { code: 4 }],
            // It may have been over before the signal came.
            "supervisor" => vec![How::Lost, How::Exit { code: 4 }],
            _ => vec![How::Signal { signal: 9 }, How::Exit { code: 4 }],
        };
        assert!(expected.contains(&record.how), "round {round}, {victim} after {pause:?}: {record:?}");
        assert!(matches!(bed.adopt(), Adopted::Exited(again) if again == record), "round {round}");
    }
}
