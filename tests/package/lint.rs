//! What Debian's own checker says of the package.

use std::fs;
use std::process::Command;

use super::{here, package, run};

#[test]
fn lintian_finds_neither_errors_nor_warnings() {
    // It may not be given the settings of whoever runs the tests.
    let output = run(Command::new("lintian").args(["--no-cfg", "--fail-on", "error,warning"]).arg(package()));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let faults: Vec<_> = said.lines().filter(|line| line.starts_with("E:") || line.starts_with("W:")).collect();
    assert!(faults.is_empty() && output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_override_is_needed_and_has_its_reason() {
    let overrides = fs::read_to_string(here("debian/quantum-clm.lintian-overrides")).unwrap();
    let mut before = "";
    for line in overrides.lines() {
        assert!(line.starts_with('#') || before.starts_with('#'), "without a reason: {line}");
        before = line;
    }
    let output =
        run(Command::new("lintian").args(["--no-cfg", "--tags", "unused-override,mismatched-override"]).arg(package()));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("-override"), "{said}");
}
