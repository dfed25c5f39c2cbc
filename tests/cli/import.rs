//! `import clm3`, through the real binary and a real daemon's socket.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use super::bed::Bed;
use crate::support::clm3::{Predecessor, write};

const MODEL: &str = "xgboost_BTCUSDT_1h";
const OTHER: &str = "lightgbm_ETHUSDT_1h";

/// A registry in `registry`, whose versions' own files are in `files`: one that is whole, one without content, one that is
/// not there, and one that the registry has no business with.
fn sample(bed: &Bed) -> Predecessor {
    let models_dir = bed.path().join("files");
    fs::create_dir(&models_dir).unwrap();
    let mut predecessor = Predecessor::new(7, &models_dir.display().to_string());
    for (model_type, symbol, rounds) in [("xgboost", "BTCUSDT", 2), ("lightgbm", "ETHUSDT", 2)] {
        for round in 0..rounds {
            let name = predecessor.train(model_type, symbol, round);
            predecessor.evaluate(model_type, symbol, &name);
            predecessor.promote(model_type, symbol, &name);
        }
    }
    fs::write(models_dir.join(format!("{MODEL}_1.0.0.pkl")), "weights").unwrap();
    fs::write(models_dir.join(format!("{MODEL}_v1.pkl")), "").unwrap();
    let secret = bed.path().join("secret");
    fs::write(&secret, "not for the registry").unwrap();
    predecessor.version(OTHER, "1.0.0")["model_path"] = json!(secret);
    predecessor
}

/// What lies in a registry besides, after some years.
fn litter(registry: &Path) {
    let models = registry.join("models").join(MODEL);
    fs::write(models.join("v3.json"), "").unwrap();
    fs::write(models.join("v4.json"), "{\n  \"model_id\": \"xgb").unwrap();
    fs::copy(models.join("v1.json"), models.join("v5.json")).unwrap();
    fs::write(models.join("v1.json.tmp"), "{").unwrap();
    fs::create_dir(models.join("old")).unwrap();
    fs::write(registry.join("notes.txt"), "call Otto").unwrap();
    symlink("/etc/passwd", models.join("v6.json")).unwrap();
}

fn import(bed: &Bed, more: &[&str]) -> (i32, Value) {
    let (code, out, err) = bed.run(&[&["--json", "import", "clm3", "registry"], more].concat());
    assert_eq!(err, "", "{out}");
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}")))
}

/// Paths of one outcome, or `path: note` where there is something to say.
fn files(report: &Value, outcome: &str) -> Vec<String> {
    let of_it = report["files"].as_array().unwrap().iter().filter(|file| file["outcome"] == outcome);
    of_it
        .map(|file| {
            let notes: Vec<_> = file["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
            format!("{}: {}", file["path"].as_str().unwrap(), notes.join("; "))
        })
        .collect()
}

#[test]
fn a_registry_is_taken_over() {
    let bed = Bed::for_daemon("");
    let registry = bed.path().join("registry");
    let predecessor = sample(&bed);
    write(&registry, &predecessor.files());
    litter(&registry);
    let serving = bed.serve(&["serve", "--demo"]);

    // What would be.
    let (code, dry) = import(&bed, &["--artifacts", "files"]);
    assert_eq!((code, &dry["dry_run"]), (1, &json!(true)), "{dry:#}");
    assert_eq!(bed.json(&["models"])["models"], json!([]), "a dry run changed something");
    let not_taken = files(&dry, "not_taken");
    let at = |name: &str| format!("models/{MODEL}/{name}");
    assert_eq!(
        not_taken,
        [
            format!("{}: line 1, column 1: the file is empty", at("v3.json")),
            format!("{}: line 2, column 19: the file ends within a text", at("v4.json")),
            format!(
                "{}: it says version \"v1\", but the file's name says \"v5\": put it in its place, or mend it",
                at("v5.json")
            ),
            format!("{}: it is a symbolic link, which is not followed", at("v6.json")),
        ]
    );
    let (code, text, err) = bed.run(&["import", "clm3", "registry", "--artifacts", "files", "--dry-run"]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(text.ends_with("This was a dry run: nothing has changed. Say --apply to do it.\n"), "{text}");
    let whole = bed.path().canonicalize().unwrap().display().to_string();
    let text = text.replace(&whole, "[DIR]").replace(&bed.path().display().to_string(), "[DIR]");
    insta::assert_snapshot!("import_dry_run", text);

    // What is.
    let (code, done) = import(&bed, &["--artifacts", "files", "--apply"]);
    assert_eq!(code, 1);
    assert_eq!(files(&done, "not_taken"), not_taken);
    assert_eq!(done["files"], dry["files"], "a dry run tells the truth");
    assert_eq!(done["artifacts"], json!({ "sent": 1, "bytes": 7, "failed": 0 }));
    let path = |version: &str| format!("/api/models/{MODEL}/versions/{version}/artifacts");
    let model = bed.json(&["models", "show", MODEL]);
    assert_eq!(model["production"]["version"], "1.0.0", "{model:#}");
    let pointer = bed.path().join("production").join(MODEL);
    let file = pointer.join(format!("{MODEL}_1.0.0.pkl"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "weights", "{} {}", file.display(), path("1.0.0"));
    for (model, version, why) in [(MODEL, "v1", "roll back to it"), (OTHER, "1.0.0", "in production already")] {
        let (code, out, err) =
            bed.run(&["models", "promote", model, version, "--why", "because it was good before", "--force"]);
        assert!(code != 0 && (out + &err).contains(why), "{model} {version}: {err}");
    }
    let empty = bed.json(&["models", "show", MODEL, "v1"]);
    assert_eq!(empty["artifacts"]["state"], "empty", "{empty:#}");
    let gone = bed.json(&["models", "show", OTHER, "1.0.0"]);
    assert_eq!(gone["artifacts"]["state"], "gone", "a file from elsewhere: {gone:#}");
    let audit = bed.json(&["audit", "--action", "import."]);
    assert_eq!(audit["records"].as_array().unwrap().len(), 2, "{audit:#}");

    // Once is enough.
    let (code, again) = import(&bed, &["--artifacts", "files", "--apply"]);
    assert_eq!((code, &again["counts"]["taken"]), (1, &json!(0)), "{again:#}");
    assert_eq!(again["counts"]["already"], done["counts"]["taken"]);
    assert_eq!(again["artifacts"]["sent"], 0);
    assert_eq!(bed.json(&["models", "show", MODEL]), model);
    let audit_again = bed.json(&["audit", "--action", "import."]);
    assert_eq!(audit_again, audit);

    // Mended, and the file that was not there found.
    for name in ["v3.json", "v4.json", "v5.json", "v6.json"] {
        fs::remove_file(registry.join("models").join(MODEL).join(name)).unwrap();
    }
    fs::write(bed.path().join("files").join(format!("{OTHER}_v1.pkl")), "found").unwrap();
    let (code, last) = import(&bed, &["--artifacts", "files", "--apply"]);
    assert_eq!((code, &last["counts"]["not_taken"]), (0, &json!(0)), "{last:#}");
    assert_eq!(last["artifacts"], json!({ "sent": 1, "bytes": 5, "failed": 0 }));
    serving.stop();
}

#[test]
fn files_stay_where_they_are_on_request() {
    let bed = Bed::for_daemon("");
    let predecessor = sample(&bed);
    write(&bed.path().join("registry"), &predecessor.files());
    // Never beside the data file.
    let data = tempfile::tempdir().unwrap();
    let data_file = data.path().join("d.redb");
    let serve = ["serve", "--demo", "--data-file", data_file.to_str().unwrap()];
    let serving = bed.serve(&serve);
    let (code, report) = import(&bed, &["--artifacts", "files", "--in-place", "--apply"]);
    assert_eq!((code, &report["artifacts"]["failed"]), (1, &json!(1)), "not yet allowed: {report:#}");
    serving.stop();
    let path = bed.path().join("clm.toml");
    let settings = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{settings}artifacts.in_place = [{:?}]\n", bed.path().join("files"))).unwrap();
    let serving = bed.serve(&serve);
    let (code, report) = import(&bed, &["--artifacts", "files", "--in-place", "--apply"]);
    assert_eq!((code, &report["artifacts"]["sent"]), (0, &json!(1)), "{report:#}");
    let files = bed.path().join("files").canonicalize().unwrap();
    let version = bed.json(&["models", "show", MODEL, "1.0.0"]);
    assert_eq!(version["artifacts"]["in_place"], json!(files), "{version:#}");
    serving.stop();
}

#[test]
fn a_file_that_is_not_what_it_was_stays_outside() {
    let bed = Bed::for_daemon("");
    let mut predecessor = sample(&bed);
    predecessor.version(MODEL, "1.0.0")["model_hash"] = json!("ab".repeat(32));
    write(&bed.path().join("registry"), &predecessor.files());
    let serving = bed.serve(&["serve", "--demo"]);
    let (code, report) = import(&bed, &["--artifacts", "files", "--apply"]);
    assert_eq!((code, &report["artifacts"]["sent"]), (0, &json!(0)), "{report:#}");
    let told = files(&report, "taken").into_iter().find(|file| file.contains("is not what it was")).unwrap();
    assert!(told.contains("SHA-256") && told.contains("cannot be promoted"), "{told}");
    serving.stop();
}

#[test]
fn what_is_no_registry() {
    let bed = Bed::for_daemon("");
    fs::create_dir(bed.path().join("empty")).unwrap();
    fs::write(bed.path().join("file"), "").unwrap();
    fs::create_dir_all(bed.path().join("registry/models")).unwrap();
    for (arguments, expected) in [
        (&["import"][..], "see quantum-clm --help"),
        (&["import", "clm3"], "<DIR>"),
        (&["import", "clm3", "none"], "none: No such file or directory"),
        (&["import", "clm3", "file"], "file: Not a directory"),
        (&["import", "clm3", "empty"], "is no registry: it has no directory models"),
        (&["import", "clm3", "registry", "--artifacts", "none"], "none: No such file or directory"),
        (&["import", "clm3", "registry", "--apply", "--dry-run"], "cannot be used with"),
        (&["import", "clm3", "registry", "--data-file", "d.redb"], "leave out --data-file"),
    ] {
        let (code, out, err) = bed.run(arguments);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    // Nothing to take needs nobody to take it; with something to take, somebody has to be there.
    assert_eq!(bed.run(&["import", "clm3", "registry"]).0, 0);
    let mut predecessor = Predecessor::new(7, "/srv");
    predecessor.train("xgboost", "BTCUSDT", 0);
    write(&bed.path().join("registry"), &predecessor.files());
    let (code, out, err) = bed.run(&["import", "clm3", "registry", "--apply"]);
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("It broke off.") && err.contains("no daemon answers"), "{out} {err}");
}
