//! Colours are for terminals.

use std::process::{Command, Stdio};

use super::bed::{Bed, told};

/// What a command prints to a terminal, which script(1) makes.
fn on_a_terminal(bed: &Bed, command: &str, environment: &[(&str, &str)]) -> String {
    let program = env!("CARGO_BIN_EXE_quantum-clm");
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{program} {command}"), "/dev/null"]).current_dir(bed.path()).env_clear();
    script.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("QUANTUM_CLM_CONFIG", "clm.toml");
    script.envs(environment.iter().copied()).stdin(Stdio::null());
    let (code, out, err) = told(script.output().expect("script(1), of the package bsdutils"));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    out
}

#[test]
fn colours_only_on_a_terminal_that_wants_them() {
    let bed = Bed::for_daemon("");
    let coloured = on_a_terminal(&bed, "config show", &[("TERM", "xterm")]);
    assert!(coloured.contains("\x1b[1mKEY\x1b[0m"), "{coloured:?}");
    for environment in [&[("TERM", "xterm"), ("NO_COLOR", "1")][..], &[("TERM", "dumb")], &[]] {
        let plain = on_a_terminal(&bed, "config show", environment);
        assert!(plain.contains("KEY") && !plain.contains('\x1b'), "{environment:?}: {plain:?}");
    }
    assert!(!bed.out(&["config", "show"]).contains('\x1b'));
}
