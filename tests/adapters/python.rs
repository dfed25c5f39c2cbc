//! The tests that are in Python, a test a file: so they run side by side, and a failure says in which.

use std::process::Command;

use super::{here, interpreter};

#[track_caller]
fn passes(module: &str) {
    // Programs write beside themselves what they answer.
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(interpreter())
        .args(["-W", "error", "-m", "unittest", "--verbose", module])
        .env("PYTHONPATH", std::env::join_paths([here("packaging/adapters"), here("tests/adapters/python")]).unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(directory.path())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{module}: {}\n{out}{err}", output.status);
    // An empty module passes, too.
    assert!(err.contains(" ... ok"), "{module} tested nothing:\n{out}{err}");
}

#[test]
fn nothing_of_the_future_reaches_the_past() {
    passes("test_look_ahead");
}

#[test]
fn costs_are_paid_and_trades_add_up() {
    passes("test_costs");
}

#[test]
fn prices_are_loaded_as_people_have_them_or_refused_with_the_place() {
    passes("test_ohlcv");
}

#[test]
fn the_programs_work_one_after_the_other() {
    passes("test_programs");
}
