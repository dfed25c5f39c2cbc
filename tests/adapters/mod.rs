//! The reference adapters of `packaging/adapters`: their own tests in Python, and that both sides of the contract mean
//! the same. What they import and real prices are put under `target/adapters` by `make setup-test`.

use std::path::{Path, PathBuf};
use std::process::Command;

mod bed;
mod contract;
mod end_to_end;
mod python;
mod tutorial;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The Python that operators' `setup-adapters` makes.
fn interpreter() -> PathBuf {
    let path = here("target/adapters/python/bin/python");
    assert!(path.exists(), "{} is missing: run `make setup-test`", path.display());
    path
}

/// A directory with GOOG's daily bars (and EURUSD's hourly ones).
fn prices() -> PathBuf {
    let script = "import importlib.util as i; print(i.find_spec('backtesting').submodule_search_locations[0])";
    let output = Command::new(interpreter()).args(["-c", script]).output().expect("Python");
    assert!(output.status.success(), "no prices: run `make setup-test`: {}", String::from_utf8_lossy(&output.stderr));
    let prices = Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("test");
    assert!(prices.join("GOOG.csv").exists(), "no GOOG.csv in {}", prices.display());
    prices
}
