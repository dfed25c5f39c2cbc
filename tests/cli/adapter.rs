//! `quantum-clm adapter check`: shell scripts as the operator's programs, and what is said of each.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::bed::{Bed, told};
use crate::support::wait_for;

/// What each program does where a test says nothing else. They look whether they were given what they need.
const GOOD: [(&str, &str); 3] = [
    (
        "data",
        r#"grep -q '"symbol": "BTCUSDT"' job.json
           echo 'a,b' > bars.csv
           answer '{"data_range": {"from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z"}, "rows": 3,
                    "files": ["bars.csv"]}'"#,
    ),
    (
        "train",
        r#"test -s "$(named data)/bars.csv"
           mkdir parts; echo model > model.bin; echo part > parts/1
           answer '{"artifacts": ["model.bin", "parts/1"], "train_metrics": {"auc": 0.7}, "feature_count": 2,
                    "data_range": {"from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z"}}'"#,
    ),
    (
        "evaluate",
        r#"grep -q model "$(named artifacts)/model.bin"
           answer '{"kind": "walk_forward", "returns": {"first_day": "2025-06-02", "values": [0.01, -0.004, 0.006]}}'"#,
    ),
];

const HEAD: &str = r#"#!/bin/sh
set -eu
answer() { printf '%s' "$1" > result.tmp; mv result.tmp result.json; }
named() { sed -n "s/^ *\"$1\": \"\([^\"]*\)\".*/\1/p" job.json | tail -1; }
echo "this is $(basename "$0")"
"#;

struct Scene {
    bed: Bed,
}

/// A child that does not outlive its test: what it runs ends with its lease.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Scene {
    /// Programs that answer well.
    fn new(further: &str) -> Self {
        let bed = Bed::new();
        let at = bed.path().display().to_string();
        let programs: String =
            GOOD.iter().map(|(name, _)| format!("{name} = [\"{at}/programs/{name}\", \"x\"]\n")).collect();
        let text = format!("worker.grace = \"200ms\"\n[adapters.other]\n{programs}{further}");
        fs::write(bed.path().join("clm.toml"), text).unwrap();
        fs::create_dir(bed.path().join("programs")).unwrap();
        fs::create_dir(bed.path().join("tmp")).unwrap();
        let scene = Self { bed };
        GOOD.iter().for_each(|(name, text)| _ = scene.program(name, text));
        scene
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.bed.path().join("programs").join(name);
        fs::write(&path, format!("{HEAD}{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bed.command(&["adapter", "check", "other", "--symbol", "btcusdt"]);
        command.args(arguments).env("TMPDIR", self.bed.path().join("tmp"));
        command
    }

    #[track_caller]
    fn check(&self, arguments: &[&str]) -> (i32, String, String) {
        let outcome = told(self.command(arguments).output().unwrap());
        assert_eq!(self.left(), Vec::<PathBuf>::new(), "{outcome:?}");
        outcome
    }

    /// What checks left in the directory for temporary files.
    fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.bed.path().join("tmp")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Processes with this scene's path among their arguments.
    fn living(&self) -> Vec<String> {
        let mark = self.bed.path().display().to_string();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|l| l.contains(&mark)).collect()
    }
}

#[test]
fn programs_that_keep_to_the_contract() {
    let scene = Scene::new("");
    let (code, out, err) = scene.check(&[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for expected in [
        "data: keeps to the contract (",
        "  3 rows, 2025-01-01T00:00:00Z to 2025-06-01T00:00:00Z\n  file bars.csv\n",
        "train: keeps to the contract (",
        "  2 features, 2025-01-01T00:00:00Z to 2025-06-01T00:00:00Z\n  artifact model.bin, SHA-256 ",
        "  training: auc 0.7\n",
        "evaluate: keeps to the contract (",
        "  walk_forward over 3 days\n  Sharpe ratio ",
        "  it would fail the plain gates: ",
    ] {
        assert!(out.contains(expected), "{expected} is not in:\n{out}");
    }
    assert!(!out.contains("this is"), "who keeps to the contract need not be read: {out}");
}

#[test]
fn the_same_for_programs_that_check() {
    let scene = Scene::new("");
    let output = scene.command(&["--json", "--program", "train"]).output().unwrap();
    let (code, out, err) = told(output);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(said["ok"], true);
    let programs: Vec<_> = said["programs"].as_array().unwrap().iter().map(|one| one["program"].clone()).collect();
    assert_eq!(programs, ["data", "train"]);
    assert_eq!(said["programs"][1]["artifacts"].as_object().unwrap().len(), 2);
}

/// What a program does, and what is said of it.
#[test]
fn an_answer_that_breaks_the_contract_is_told_with_its_place() {
    let train = |more: &str| {
        format!(
            "echo model > model.bin; ln -s model.bin link; answer '{{\"artifacts\": [\"model.bin\"], \"feature_count\": 2, \
             \"data_range\": {{\"from\": \"2025-01-01T00:00:00Z\", \"until\": \"2025-06-01T00:00:00Z\"}}{more}}}'"
        )
    };
    let replaced = |of: &str, by: &str| train("").replace(of, by);
    for (program, text, expected) in [
        ("data", "true".into(), "ended with exit code 0 and left no result.json".into()),
        ("data", "printf '{\"rows\": 3, \"da' > result.json".into(), "breaks off".into()),
        ("data", "truncate -s 200M result.json".into(), "has 209715200 bytes, and 16777216 are read at most".into()),
        ("data", "ln -s /etc/passwd result.json".into(), "is no regular file".into()),
        ("data", "answer '[1]'".into(), "is a list".into()),
        ("data", GOOD[0].1.replace("\"rows\": 3", "\"rows\": 0"), "result.json of data: /rows: ".into()),
        ("data", GOOD[0].1.replace("echo 'a,b' > bars.csv", ""), "/files/0: bars.csv: is not there".into()),
        (
            "train",
            train(", \"featurecount\": 3"),
            "/featurecount: is not known here: did you mean `feature_count`?".into(),
        ),
        ("train", replaced("\"feature_count\": 2, ", ""), "lacks `feature_count`".into()),
        ("train", replaced("count\": 2", "count\": \"two\""), "/feature_count: ".into()),
        ("train", replaced("[\"model.bin\"]", "[\"link\"]"), "/artifacts/0: link: is no regular file".into()),
        (
            "train",
            replaced("[\"model.bin\"]", "[\"model.bin\", \"other\"]"),
            "/artifacts/1: other: is not there".into(),
        ),
        ("train", replaced("[\"model.bin\"]", "[\"../model.bin\"]"), "/artifacts/0".into()),
        ("train", train(", \"train_metrics\": {\"auc\": NaN}"), "NaN and Infinity are no JSON".into()),
        ("evaluate", "answer '{\"kind\": \"backtest\"}'".into(), "holds nothing to judge by".into()),
        ("evaluate", GOOD[2].1.replace("-0.004", "-1.5"), "/returns/values/1".into()),
    ] as [(&str, String, String); 16]
    {
        let scene = Scene::new("");
        scene.program(program, &text);
        let (code, out, err) = scene.check(&[]);
        assert_eq!((code, err.as_str()), (1, ""), "{program} {text}: {out}");
        let said = out.lines().find(|line| line.starts_with(&format!("{program}: "))).unwrap_or_default();
        assert!(said.contains(&expected), "{program} {text}:\n{out}");
        assert!(out.contains(&format!("  | this is {program}\n")), "{out}");
        let last = out.lines().filter(|line| line.contains(": keeps to the contract")).count();
        assert_eq!(last, GOOD.iter().position(|(name, _)| *name == program).unwrap(), "nothing runs behind it: {out}");
    }
}

#[test]
fn a_program_that_fails_is_told_with_what_it_wrote() {
    for (text, further, kind, expected) in [
        ("echo 'there are no prices' >&2; exit 7", "", "program", "the program ended with exit code 7"),
        ("kill -SEGV $$", "", "signal", "signal 11 (SIGSEGV)"),
        ("sleep 1000", "time_limit = \"1s\"\n", "time_limit", "longer than its 1 seconds"),
        ("sleep 1000", "no_progress = \"1s\"\n", "no_progress", "did not change for 1 seconds"),
    ] {
        let scene = Scene::new(further);
        scene.program("data", text);
        let (code, out, _) = told(scene.command(&["--json"]).output().unwrap());
        assert_eq!(code, 1, "{text}: {out}");
        let said: Value = serde_json::from_str(&out).unwrap();
        let one = &said["programs"][0];
        assert_eq!((&said["ok"], &one["ok"], one["kind"].as_str()), (&false.into(), &false.into(), Some(kind)));
        assert!(one["why"].as_str().unwrap().contains(expected), "{one}");
        let lines = one["lines"].as_array().unwrap();
        assert!(lines.iter().any(|line| line == "this is data"), "{one}");
        assert!(!text.contains(">&2") || lines.iter().any(|line| line == "there are no prices"), "{one}");
        assert_eq!(scene.left(), Vec::<PathBuf>::new());
        wait_for("nobody of it lives", || scene.living().is_empty());
    }
}

#[test]
fn what_is_not_there_is_told_before_anything_runs() {
    let scene = Scene::new("");
    let ran = scene.bed.path().join("ran");
    scene.program("data", &format!("touch {}; {}", ran.display(), GOOD[0].1));
    fs::remove_file(scene.bed.path().join("programs/evaluate")).unwrap();
    let (code, out, err) = scene.check(&[]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("evaluate: ") && err.contains("programs/evaluate: No such file"), "{err}");
    let (code, _, err) = scene.check(&["--", "/nowhere/evaluate"]);
    assert!(code == 2 && err.contains("/nowhere/evaluate: No such file"), "{err}");
    let (code, _, err) = told(scene.bed.command(&["adapter", "check", "xgboost"]).output().unwrap());
    assert!(code == 2 && err.contains("no adapters.xgboost.data in its configuration"), "{err}");
    fs::set_permissions(scene.program("train", ""), fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, err) = scene.check(&["--program", "train"]);
    assert!(code == 2 && err.contains("train: ") && err.contains("chmod +x"), "{err}");
    assert!(!ran.exists(), "something ran all the same");
    assert_eq!(scene.check(&["--program", "data"]).0, 0);
    assert!(ran.exists());
}

#[test]
fn a_sample_job_that_cannot_be_one_is_refused() {
    let scene = Scene::new("");
    for (arguments, expected) in [
        (&["--params", "[1]"][..], "--params is no JSON object"),
        (&["--params", "{"], "--params"),
        (&["--timeframe", "one hour"], "timeframe"),
        (&["--program", "hook"], "invalid value 'hook'"),
    ] {
        let (code, out, err) = scene.check(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

#[test]
fn what_the_sample_job_is_about_and_another_program() {
    let scene = Scene::new("secrets = { KEY = \"KEY_PATH\" }\n");
    let key = scene.bed.path().join("key");
    let configuration = scene.bed.path().join("clm.toml");
    let text = fs::read_to_string(&configuration).unwrap().replace("KEY_PATH", &key.display().to_string());
    fs::write(&configuration, text).unwrap();
    fs::write(&key, "word").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, err) = scene.check(&[]);
    assert!(code == 2 && err.contains("can be used by everybody"), "{err}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    // Exit code 9, and with it failure, where something is not as it should be.
    let other = scene.program(
        "other",
        "grep -q '\"timeframe\": \"1d\"' job.json && grep -q '\"dataset_span_days\": 30' job.json || exit 9\n\
         grep -q '\"max_depth\": 6' job.json && test \"$(cat \"$KEY_FILE\")\" = word && test \"$1\" = argument || exit 9\n\
         answer '{\"data_range\": {\"from\": \"2025-01-01T00:00:00Z\", \"until\": \"2025-06-01T00:00:00Z\"}, \"rows\": 3}'",
    );
    let arguments = ["--program", "data", "--timeframe", "1d", "--days", "30", "--params", "{\"max_depth\": 6}"];
    let replacing = [&arguments[..], &["--", other.to_str().unwrap(), "argument"]].concat();
    let (code, out, err) = scene.check(&replacing);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
}

#[test]
fn progress_that_is_not_understood_is_no_mistake_and_is_told() {
    let scene = Scene::new("");
    scene.program("data", &format!("echo '{{\"progress\": 7}}' > progress.json\n{}", GOOD[0].1));
    let (code, out, _) = scene.check(&["--program", "data"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("  note: progress.json: /progress: must be from 0 to 1\n"), "{out}");
}

#[test]
fn what_programs_left_can_be_kept() {
    let scene = Scene::new("");
    let (code, _, err) = told(scene.command(&["--keep"]).output().unwrap());
    assert_eq!(code, 0, "{err}");
    let left = scene.left();
    let [directory] = left.as_slice() else { panic!("{left:?}") };
    assert!(err.contains(&format!("is in {}", directory.display())), "{err}");
    assert!(directory.join("train/model.bin").exists(), "{directory:?}");
}

#[test]
fn who_has_seen_enough_leaves_nobody_behind() {
    let scene = Scene::new("");
    let ready = scene.bed.path().join("ready");
    // The scene's path among the arguments is how it is found.
    let stray = format!("setsid sh -c 'trap \"\" TERM INT; while :; do sleep 1; done' {} &", ready.display());
    scene.program("data", &format!("{stray}\ntouch {}\nexec sleep 1000", ready.display()));
    let log = scene.bed.path().join("log");
    let mut command = scene.command(&[]);
    let mut check = Killed(command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap());
    wait_for("the program runs", || ready.exists());
    kill_process(Pid::from_child(&check.0), Signal::INT).unwrap();
    let mut status = None;
    wait_for("its end", || {
        status = check.0.try_wait().unwrap();
        status.is_some()
    });
    let (code, err) = (status.unwrap().code().unwrap_or(-1), fs::read_to_string(&log).unwrap());
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("interrupted while data ran"), "{err}");
    assert_eq!(scene.living(), Vec::<String>::new());
    assert_eq!(scene.left(), Vec::<PathBuf>::new());
}

#[test]
fn its_help_says_what_it_does() {
    let (code, out, _) = Bed::new().run(&["adapter", "check", "--help"]);
    assert_eq!(code, 0);
    for word in ["Exit codes: 0 ", "1 one does not", "2 wrong usage", "docs/ADAPTERS.md", "--keep", "--params"] {
        assert!(out.contains(word), "{word} is not in {out}");
    }
}
