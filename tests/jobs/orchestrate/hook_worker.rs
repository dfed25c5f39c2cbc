//! The hook by a real worker: the operator's own program is run, and how it went is told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::ask::ask;
use crate::support::daemon::Bed;
use crate::support::models::{MODEL, file, registered};

/// Takes down what it is told; where there is a file `broken`, it ends with 3.
const HOOK: &str = r#"#!/bin/sh
sed -n 's/^ *"version": "\([^"]*\)".*/\1/p' job.json >> "$1/hooked"
test ! -e "$1/broken" || { echo "nobody listens" >&2; exit 3; }
"#;

#[test]
fn a_worker_runs_the_hook_and_tells_how_it_went() {
    let bed = Bed::new("", &[]);
    let at = bed.data_file().parent().unwrap().parent().unwrap().to_owned();
    let program = at.join("hook.sh");
    fs::write(&program, HOOK).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    bed.set(&format!("promotion.hook = [\"{}\", \"{}\"]", program.display(), at.display()));
    bed.set(&format!("worker.directory = \"{}\"\nworker.name = \"w1\"", at.join("worker").display()));
    registered(&bed, &["v1", "v2"]);
    let daemon = bed.start();
    let promote = |version: &str| {
        assert_eq!(
            ask(&bed.socket(), "PUT", &file(version, "model.bin"), &[], version).expect("an answer").status,
            201
        );
        let body = json!({ "why": "whether somebody hears of it at all", "force": true });
        let (status, answer) = daemon.ask("POST", &format!("/api/models/{MODEL}/versions/{version}/promote"), &body);
        assert_eq!(status, 200, "{answer}");
    };
    let work = |code: i32| {
        let said = bed.run(&["worker", "--once"]);
        assert_eq!(said.code, Some(code), "{said:?}");
    };
    let hooked = || fs::read_to_string(at.join("hooked")).unwrap();
    promote("v1");
    work(0);
    assert_eq!(hooked(), "v1\n");
    fs::write(at.join("broken"), "").unwrap();
    promote("v2");
    work(1);
    let (_, failed) = daemon.ask("GET", "/api/hooks?state=failed", &Value::Null);
    let row = &failed["hooks"][0];
    let why = row["why"].as_str().unwrap_or_else(|| panic!("{failed}"));
    assert!(row["version"] == "v2" && why.contains("exit code 3"), "{failed}");
    fs::remove_file(at.join("broken")).unwrap();
    let (status, retry) =
        daemon.ask("POST", &format!("/api/jobs/{}/retry", row["job"].as_str().unwrap()), &Value::Null);
    assert_eq!(status, 201, "{retry}");
    work(0);
    let (_, done) = daemon.ask("GET", "/api/hooks?state=done", &Value::Null);
    assert_eq!((hooked().as_str(), done["hooks"].as_array().unwrap().len()), ("v1\nv2\nv2\n", 2), "{done}");
    daemon.stop();
}
