//! `models`, through the real binary: over the socket of a real daemon, and offline.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use super::bed::{Bed, Serving, told};

const MODEL: &str = "xgboost_btcusdt_1h";

/// A daemon that takes reported figures for evidence, so that a version gets through on its figures alone.
fn serving() -> (Bed, Serving) {
    serving_with("")
}

fn serving_with(more: &str) -> (Bed, Serving) {
    let bed = Bed::for_daemon(&format!("gates.accept_reported = true\npromotion.require_shadow = false\n{more}"));
    fs::write(bed.path().join("model.json"), "{\"trees\": []}").unwrap();
    fs::write(bed.path().join("scaler.bin"), vec![7; 300_000]).unwrap();
    fs::write(bed.path().join("parameters.json"), "{\"max_depth\": 6, \"eta\": 0.1}").unwrap();
    let figures = |sharpe: f64| {
        format!(
            "{{\"type\": \"backtest\", \"period_days\": 90, \"metrics\": {{\"sharpe_ratio\": {sharpe}, \"win_rate\": 0.58, \
             \"profit_factor\": 1.65, \"max_drawdown\": 0.08, \"total_trades\": 100}}}}"
        )
    };
    fs::write(bed.path().join("good.json"), figures(1.45)).unwrap();
    fs::write(bed.path().join("bad.json"), figures(0.6)).unwrap();
    let serving = bed.serve(&["serve", "--demo"]);
    (bed, serving)
}

const REGISTER: [&str; 17] = [
    "models",
    "register",
    "--type",
    "xgboost",
    "--symbol",
    "BTCUSDT",
    "--timeframe",
    "1h",
    "--job",
    "job-1",
    "--data-from",
    "2025-10-01",
    "--data-until",
    "2025-12-30",
    "--features",
    "49",
    "--tag=team=alpha",
];

fn register(more: &[&'static str]) -> Vec<&'static str> {
    [&REGISTER[..], more].concat()
}

/// With every instant of the run replaced by one of the same width, so that tables stay as they are.
fn shown(text: &str) -> String {
    let instant = regex::Regex::new(r"20(?:2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z").unwrap();
    instant.replace_all(text, "YYYY-MM-DDThh:mm:ss.mmmZ").into_owned()
}

#[test]
fn a_models_life_by_commands() {
    let (bed, serving) = serving();
    let out = |arguments: &[&str]| shown(&bed.out(arguments));
    assert_eq!(out(&["models"]).lines().count(), 1, "there is a model before any was registered");
    let registered = out(&register(&["--name", "v1", "--parameters", "parameters.json", "model.json", "scaler.bin"]));
    assert_eq!(registered, format!("{MODEL} v1 is registered with 2 files, 293.0 KiB\n"));
    out(&register(&["--name", "v2", "--parent", "v1", "--code-revision", "9c1f2ab", "model.json"]));

    insta::assert_snapshot!("models__evaluated", out(&["models", "evaluate", MODEL, "v1", "good.json"]));
    let mut child = bed
        .command(&["models", "evaluate", MODEL, "v2", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(bed.path().join("bad.json")).unwrap()).unwrap();
    let (code, text, err) = told(child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""), "{text}");
    assert!(text.contains("Sharpe 0.600 < 1.0") && text.contains("the version stays training"), "{text}");

    let promoted = out(&["models", "promote", MODEL, "v1", "--why", "the first one"]);
    assert_eq!(promoted, format!("{MODEL}: v1 is in production\n"));
    let (code, text, err) = bed.run(&["models", "promote", MODEL, "v2", "--why", "let it try"]);
    assert_eq!((code, text.as_str(), err.lines().count()), (2, "", 1), "{err}");
    assert!(err.contains("the gates are closed: annual Sharpe ratio 0.600"), "{err}");
    let (code, _, err) = bed.run(&["models", "promote", MODEL, "v2", "--force", "--why", "let it try"]);
    assert!(code == 2 && err.contains("20 characters"), "{err}");
    let forced = out(&["models", "promote", MODEL, "v2", "--force", "--why", "v1 reads a feature that ends tonight"]);
    assert_eq!(forced, format!("{MODEL}: v2 is in production, past its gates, v1 is retired\n"));
    let back = out(&["models", "rollback", MODEL, "--why", "drawdown of 9 %"]);
    assert_eq!(back, format!("{MODEL}: v1 is in production, v2 is retired\n"));
    let same = out(&["models", "rollback", MODEL, "--to", "v1", "--why", "once more"]);
    assert_eq!(same, format!("{MODEL}: v1 is in production already, nothing was changed\n"));

    insta::assert_snapshot!("models__list", out(&["models", "list"]));
    insta::assert_snapshot!("models__model", out(&["models", "show", MODEL]));
    insta::assert_snapshot!("models__version", out(&["models", "show", MODEL, "v2"]));
    insta::assert_snapshot!("models__history", out(&["models", "history", MODEL]));
    let (a, b) = (format!("{MODEL}/v1"), format!("{MODEL}/v2"));
    insta::assert_snapshot!("models__compared", out(&["models", "compare", &a, &b]));

    assert_eq!(out(&["models", "verify", MODEL, "v1"]), "2 files, each as it was\n");
    let deleted = out(&register(&["--name", "v3", "model.json"]));
    assert!(deleted.contains("v3 is registered"), "{deleted}");
    let deleted = out(&["models", "delete", MODEL, "v3", "--why", "a slip"]);
    assert_eq!(deleted, format!("{MODEL}: v3 is deleted; its name stays taken\n"));
    serving.stop();

    // The same offline, but for what only the daemon knows.
    let offline = |arguments: &[&str]| shown(&bed.out(&[arguments, &["--data-file", "d.redb"]].concat()));
    insta::assert_snapshot!("models__list", offline(&["models", "list"]));
    assert!(offline(&["models", "history", MODEL]).contains("a slip"));
    assert!(offline(&["models", "show", MODEL, "v2"]).contains("v1 reads a feature that ends tonight"));
    insta::assert_snapshot!("models__compared", offline(&["models", "compare", &a, &b]));
    let (code, text, err) = bed.run(&["models", "promote", MODEL, "v2", "--why", "x", "--data-file", "d.redb"]);
    assert!(code == 2 && text.is_empty() && err.contains("running daemon"), "{err}");
}

#[test]
fn programs_get_what_the_api_answers() {
    let (bed, serving) = serving();
    let registered = bed.json(&register(&["--name", "v1", "model.json"]));
    assert_eq!(registered["files"][0]["path"], "model.json", "{registered}");
    let judged = bed.json(&["models", "evaluate", MODEL, "v1", "good.json"]);
    assert_eq!((judged["passed"].as_bool(), judged["status"].as_str()), (Some(true), Some("candidate")), "{judged}");
    assert_eq!(bed.json(&["models", "promote", MODEL, "v1", "--why", "x"])["success"], true);
    let models = bed.json(&["models", "list", "--type", "xgboost", "--status", "production", "--symbol", "btcusdt"]);
    assert_eq!(models["models"][0]["production"]["version"], "v1", "{models}");
    assert_eq!(bed.json(&["models", "list", "--type", "tft"])["models"].as_array().unwrap().len(), 0);
    assert_eq!(bed.json(&["models", "show", MODEL])["model_id"], MODEL);
    assert_eq!(bed.json(&["models", "show", MODEL, "v1"])["status"], "production");
    assert_eq!(bed.json(&["models", "history", MODEL, "-n", "1"])["history"].as_array().unwrap().len(), 1);
    assert_eq!(bed.json(&["models", "verify", MODEL, "v1"])["sound"], true);
    serving.stop();
}

#[test]
fn files_that_stay_where_they_are() {
    let own = tempfile::tempdir().unwrap();
    let directory = fs::canonicalize(own.path()).unwrap();
    let (bed, serving) = serving_with(&format!("artifacts.in_place = [{directory:?}]\n"));
    let files = ["model.json", "scaler.bin"].map(|name| {
        fs::copy(bed.path().join(name), directory.join(name)).unwrap();
        directory.join(name).to_str().unwrap().to_owned()
    });
    let [model, scaler] = &files;
    let registered = bed.json(&[&REGISTER[..], &["--name", "v1", "--in-place", model, scaler]].concat());
    assert_eq!(registered["artifacts"]["in_place"], directory.to_str().unwrap(), "{registered}");
    assert_eq!(registered["files"].as_array().unwrap().len(), 2, "{registered}");
    fs::write(directory.join("scaler.bin"), "something else").unwrap();
    let (code, out, err) = bed.run(&["models", "verify", MODEL, "v1"]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(out.contains("scaler.bin is damaged"), "{out}");
    serving.stop();
}

#[test]
fn what_cannot_be_registered_leaves_nothing_behind() {
    let (bed, serving) = serving();
    fs::create_dir(bed.path().join("directory")).unwrap();
    fs::create_dir(bed.path().join("other")).unwrap();
    fs::write(bed.path().join("other/model.json"), "{}").unwrap();
    fs::write(bed.path().join("list.json"), "[]").unwrap();
    for (more, expected) in [
        (&["none.bin"][..], "none.bin: No such file"),
        (&["directory"], "directory is no file"),
        (&["model.json", "other/model.json"], "two files are called model.json"),
        (&["--parameters", "list.json", "model.json"], "list.json is no JSON object"),
        (&["--regime", "bull market"], "regime \"bull market\": use 1 to 32 of a-z and 0-9"),
        (&["--in-place"], "--in-place needs a file"),
        (&["--name", "../x"], "is no version"),
        (&["--tag", "team"], "use NAME=VALUE"),
    ] {
        let (code, out, err) = bed.run(&register(more));
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{more:?}: {err}");
        assert!(err.contains(expected), "{more:?}: {err}");
    }
    assert_eq!(bed.json(&["models"])["models"].as_array().unwrap().len(), 0);
    for (arguments, expected) in [
        (&["models", "show", "tft_multi_4h"][..], "there is no model tft_multi_4h"),
        (&["models", "show", "../x"], "is no model id"),
        (&["models", "compare", "a/b"], "2 values required"),
        (&["models", "compare", "a", "b"], "use MODEL/VERSION"),
        (&["models", "promote", MODEL, "v1"], "--why"),
        (&["models", "evaluate", MODEL, "v1", "good.json"], "there is no model"),
        (&["models", "evaluate", MODEL, "v1", "model.json"], "unknown field `trees`"),
        (&["models", "evaluate", MODEL, "v1", "none.json"], "none.json: No such file"),
        (&["models", "list", "--status", "lost"], "use training, shadow, candidate"),
    ] {
        let (code, out, err) = bed.run(arguments);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    serving.stop();
}
