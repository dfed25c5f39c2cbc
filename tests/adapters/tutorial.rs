//! What docs/ADAPTERS.md tells a newcomer to type in works as it stands there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quantum_clm::domain::adapter::Answer;
use quantum_clm::domain::job::Program;
use quantum_clm::domain::performance::evaluate;
use serde_json::json;

use super::bed::{Job, NOW};
use super::{here, interpreter};

/// Writes the file that the document shows under `name`.
#[track_caller]
fn written(directory: &Path, name: &str) -> PathBuf {
    let document = fs::read_to_string(here("docs/ADAPTERS.md")).unwrap();
    let begin = format!("```python file={name}\n");
    let (_, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("docs/ADAPTERS.md shows no {name}"));
    let (text, _) = rest.split_once("```").unwrap();
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_script_of_the_first_ten_minutes_keeps_to_the_contract_and_to_what_is_promised() {
    let directory = tempfile::tempdir().unwrap();
    let (program, python) = (written(directory.path(), "crossover.py"), interpreter());
    let made = Command::new(&python).arg(written(directory.path(), "prices.py")).output().unwrap();
    let closes = directory.path().join("closes.csv");
    fs::write(&closes, made.stdout).unwrap();

    let mut job = Job::new("other", "MYCOIN", json!({}));
    let (_, Answer::Data(data)) = job.run(Program::Data, &[&python, &program, &closes]) else { panic!("another's") };
    assert_eq!(data.rows, 2_200);
    let (_, Answer::Train(train)) = job.run(Program::Train, &[&python, &program]) else { panic!("another's") };
    assert_eq!(train.artifacts.len(), 1);
    let (_, Answer::Evaluate(input)) = job.run(Program::Evaluate, &[&python, &program]) else { panic!("another's") };
    let figures = evaluate(&input, NOW).expect("an evaluation").figures.plain;
    // The document shows these, and says that they open the plain gates.
    let said =
        [figures.total_trades, figures.sharpe_ratio, figures.win_rate, figures.profit_factor, figures.max_drawdown];
    assert_eq!(
        said.map(|figure| figure.map(|figure| format!("{:.2}", figure.value)).unwrap_or_default()),
        ["53.00", "4.74", "0.58", "9.97", "0.10"]
    );
}

/// The first commands that the document shows below a heading.
#[track_caller]
fn commands(heading: &str) -> String {
    let document = fs::read_to_string(here("docs/ADAPTERS.md")).unwrap();
    let (_, below) = document.split_once(heading).unwrap_or_else(|| panic!("docs/ADAPTERS.md has no {heading}"));
    let (_, rest) = below.split_once("```sh\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_configuration_that_is_shown_checks_as_it_is_shown() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["crossover.py", "prices.py"] {
        written(directory.path(), name);
    }
    let script = ["python3 prices.py > closes.csv\n".to_owned(), commands("### 3."), commands("### 4.")].concat();
    let binary = env!("CARGO_BIN_EXE_quantum-clm");
    let script = script.replace("quantum-clm adapter", &format!("{binary} --config clm.toml adapter"));
    let output = Command::new("sh")
        .args(["-euc", &script])
        .current_dir(directory.path())
        // Cargo's variables of this build are none of the product's.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    // But for how long each took.
    let bare = |text: &str| text.lines().map(|line| line.split(" (").next().unwrap().to_owned()).collect::<Vec<_>>();
    let document = fs::read_to_string(here("docs/ADAPTERS.md")).unwrap();
    let (_, below) = document.split_once("### 4.").unwrap();
    let (_, shown) = below.split_once("\n\n```\n").expect("what it says");
    assert_eq!(bare(&said), bare(shown.split_once("```").unwrap().0));
}

#[test]
fn the_script_is_shown_before_as_it_is_used_after() {
    let document = fs::read_to_string(here("docs/ADAPTERS.md")).unwrap();
    let (_, rest) = document.split_once("```python\n").expect("the script as somebody has it");
    let (script, _) = rest.split_once("```").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let adapter = fs::read_to_string(written(directory.path(), "crossover.py")).unwrap();
    assert!(adapter.contains(script.trim()), "the two functions are in the adapter as they were");
}
