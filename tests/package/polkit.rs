//! What the polkit rule grants: one verb on one unit to one user.

use std::fs;
use std::process::Command;

use super::{here, succeed};

/// polkit as far as the rule knows it; then each question, and a line for each answer.
const POLKIT: &str = r#"
var rule;
var polkit = { Result: { YES: "yes" }, addRule: function (given) { rule = given; } };
"#;

const QUESTIONS: &[(&str, &str, &str, &str, bool)] = &[
    ("org.freedesktop.systemd1.manage-units", "quantum-ai-engine.service", "restart", "quantum-worker", true),
    ("org.freedesktop.systemd1.manage-units", "quantum-ai-engine.service", "restart", "quantum-clm", false),
    ("org.freedesktop.systemd1.manage-units", "quantum-ai-engine.service", "restart", "nobody", false),
    ("org.freedesktop.systemd1.manage-units", "quantum-ai-engine.service", "stop", "quantum-worker", false),
    ("org.freedesktop.systemd1.manage-units", "quantum-ai-engine.service", "start", "quantum-worker", false),
    ("org.freedesktop.systemd1.manage-units", "quantum-ai-engine.service", "set-property", "quantum-worker", false),
    ("org.freedesktop.systemd1.manage-units", "quantum-execution.service", "restart", "quantum-worker", false),
    ("org.freedesktop.systemd1.manage-units", "quantum-ai-engine.service.d", "restart", "quantum-worker", false),
    ("org.freedesktop.systemd1.manage-unit-files", "quantum-ai-engine.service", "restart", "quantum-worker", false),
    ("org.freedesktop.systemd1.reload-daemon", "", "", "quantum-worker", false),
];

#[test]
fn the_worker_may_restart_the_engine_and_nothing_else() {
    let mut script = format!("{POLKIT}{}", fs::read_to_string(here("packaging/polkit/50-quantum-clm.rules")).unwrap());
    for (action, unit, verb, user, _) in QUESTIONS {
        script.push_str(&format!(
            "print(rule({{ id: {action:?}, lookup: function (key) {{ return {{ unit: {unit:?}, verb: {verb:?} }}[key]; }} }}, \
             {{ user: {user:?} }}));\n"
        ));
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("questions.js");
    fs::write(&file, script).unwrap();
    // The interpreter that polkitd of Debian 12 has in it.
    let said = succeed(Command::new("duk").arg(&file));
    let answers: Vec<_> = said.lines().collect();
    assert_eq!(answers.len(), QUESTIONS.len(), "{said}");
    for (question, answer) in QUESTIONS.iter().zip(answers) {
        assert_eq!(answer, if question.4 { "yes" } else { "undefined" }, "{question:?}");
    }
}
