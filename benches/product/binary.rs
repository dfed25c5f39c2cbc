use std::path::PathBuf;
use std::process::Command;

use crate::table::Table;
use crate::{Bench, Result};

/// The binary to measure.
pub(crate) fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("QUANTUM_CLM_BINARY") {
        return Ok(PathBuf::from(path).canonicalize()?);
    }
    // Not the one below target/: `cargo bench` leaves a binary of its own profile there.
    let path = PathBuf::from("dist/quantum-clm");
    Ok(path.canonicalize().map_err(|_| "no dist/quantum-clm: make build, or name a binary in QUANTUM_CLM_BINARY")?)
}

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let said = Command::new("ldd").arg(&bench.binary).output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let is_static = said.contains("statically linked");
    let size = std::fs::metadata(&bench.binary)?.len() as f64 / 1e6;
    table.at_most(
        "binary",
        15.0,
        "MB",
        size,
        if is_static { "statically linked" } else { "**not** statically linked" },
    );
    Ok(())
}
