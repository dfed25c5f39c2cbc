//! A job as a worker runs it, but for the worker: `job.json` from the types, a program in its directory, its answer checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use quantum_clm::domain::adapter::{Answer, CONTRACT, Directories, JobFile, check};
use quantum_clm::domain::job::{AdapterRequest, JobId, Program, Trigger};
use quantum_clm::domain::time::Micros;
use serde_json::{Value, json};

/// When programs are asked; nothing that they answer lies behind it.
pub(super) const NOW: Micros = Micros(1_768_621_566_000_000);

/// What programs of `[adapters.<type>]` are asked, one after the other.
pub(super) struct Job {
    root: tempfile::TempDir,
    file: JobFile,
}

impl Job {
    pub(super) fn new(model_type: &str, symbol: &str, params: Value) -> Self {
        let request = AdapterRequest {
            contract: CONTRACT,
            job_id: JobId(1),
            program: Program::Data,
            model_id: format!("{model_type}_{}_1d", symbol.to_lowercase()).parse().unwrap(),
            model_type: model_type.parse().unwrap(),
            symbol: Some(symbol.into()),
            timeframe: "1d".into(),
            regime: None,
            dataset_span_days: 5_000,
            training_params: Some(params).filter(|params| params != &json!({})),
            feature_config: None,
            trigger_reason: Trigger::Manual,
            triggered_by: "a test".into(),
            parent_version: None,
            strategy_candidate_id: None,
            version: None,
            hook: None,
            results: BTreeMap::new(),
            artifacts: BTreeMap::new(),
        };
        Self { root: tempfile::tempdir().unwrap(), file: JobFile { request, directories: Directories::default() } }
    }

    /// Runs a program, and gives its answer back as it stands there and as it was checked.
    #[track_caller]
    pub(super) fn run(&mut self, program: Program, words: &[&Path]) -> (Value, Answer) {
        let place = |program: Program| self.root.path().join(program.as_str());
        let shown = |program: Program| place(program).display().to_string();
        let (work, name) = (place(program), program.as_str());
        self.file.request.program = program;
        self.file.request.version = (program == Program::Evaluate).then(|| "v20260117_034606".parse().unwrap());
        self.file.directories = Directories {
            work: shown(program),
            data: (program != Program::Data).then(|| shown(Program::Data)),
            artifacts: (program == Program::Evaluate).then(|| shown(Program::Train)),
        };
        fs::create_dir(&work).unwrap();
        fs::write(work.join("job.json"), serde_json::to_vec(&self.file).unwrap()).unwrap();
        let output = Command::new(words[0])
            .args(&words[1..])
            .current_dir(&work)
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("PYTHONDONTWRITEBYTECODE", "1")])
            .output()
            .unwrap();
        let log = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{name}: {}\n{}", output.status, String::from_utf8_lossy(&log));
        let bytes = fs::read(work.join("result.json")).unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap();
        let checked = check(program, &bytes, NOW).unwrap_or_else(|misfits| panic!("{name}: {misfits}"));
        self.file.request.results.insert(name.into(), answer.clone());
        (answer, checked)
    }
}
