//! `packaging/kubernetes`: the manifests are what Kubernetes and KEDA take, ask for nothing that they do not need, and name
//! what there is in this binary.

mod manifests;
mod schema;
mod works;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every manifest's file.
fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(here("packaging/kubernetes")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|kind| kind == "yaml")).collect();
    files.sort();
    files
}

/// Runs the schema checker.
fn check(files: &[PathBuf]) -> Output {
    let python = here("target/python/bin/python");
    assert!(python.exists(), "{} is missing: run `make setup-test`", python.display());
    let tests = here("tests/kubernetes");
    Command::new(python).arg(tests.join("check.py")).arg(tests.join("keda.schema.json")).args(files).output().unwrap()
}

/// An object and the file that it is in.
struct Manifest {
    file: String,
    object: Value,
}

impl Manifest {
    /// All of them.
    #[track_caller]
    fn all() -> Vec<Self> {
        let output = check(&files());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Vec<(String, Value)> = serde_json::from_slice(&output.stdout).unwrap();
        found.into_iter().map(|(file, object)| Self { file, object }).collect()
    }

    fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap()
    }

    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// The template of the pods that it makes.
    fn template(&self) -> Option<&Value> {
        let spec = &self.object["spec"];
        [&spec["template"], &spec["jobTargetRef"]["template"]].into_iter().find(|template| template.is_object())
    }

    fn pod(&self) -> Option<&Value> {
        Some(&self.template()?["spec"])
    }

    /// What its container is started with.
    fn arguments(&self) -> Option<Vec<String>> {
        let arguments = self.pod()?["containers"][0]["args"].as_array().unwrap();
        Some(arguments.iter().map(|argument| argument.as_str().unwrap().to_owned()).collect())
    }
}

/// The workers' configuration.
fn configuration(manifests: &[Manifest]) -> String {
    let map = manifests.iter().find(|manifest| manifest.kind() == "ConfigMap").expect("a ConfigMap");
    map.object["data"]["clm.toml"].as_str().unwrap().to_owned()
}
