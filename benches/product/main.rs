//! The table of the product's figures: `cargo bench --bench product -- [--events N] [--large N] [--seconds S] [section…]`.
//!
//! The sections are `catch-up`, `redis`, `latency`, `cost`, `large`, `web`, `models`, `upload`, `jobs`, `backup` and `binary`;
//! without one, all. They run the real release binary (`QUANTUM_CLM_BINARY`, else `dist/quantum-clm`) on real journal files that
//! systemd-journal-remote writes, and on a real redis-server. Files lie under `QUANTUM_CLM_BENCH_DIR` (else
//! `target/bench`), which should be a disk and not a tmpfs. Lines are made after those of the file that
//! `QUANTUM_CLM_BENCH_LINES` names (`unit<TAB>message` each), or after a few that are built in.

mod backup;
mod binary;
mod catch_up;
mod connection;
mod cost;
mod daemon;
mod jobs;
mod journal;
mod large;
mod latency;
mod lines;
mod models;
mod redis;
mod table;
mod upload;
mod web;

use std::path::PathBuf;

use lines::Lines;
use table::Table;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What all sections work with.
struct Bench {
    binary: PathBuf,
    directory: PathBuf,
    lines: Lines,
    /// Entries of the journal to catch up with, and events for Redis.
    events: u64,
    /// Events in the large data file.
    large: u64,
    /// How long the steady state is watched.
    seconds: u64,
}

type Section = fn(&Bench, &mut Table) -> Result<()>;

const SECTIONS: [(&str, Section); 11] = [
    ("catch-up", catch_up::run),
    ("redis", redis::run),
    ("latency", latency::run),
    ("cost", cost::run),
    ("large", large::run),
    ("web", web::run),
    ("models", models::run),
    ("upload", upload::run),
    ("jobs", jobs::run),
    ("backup", backup::run),
    ("binary", binary::run),
];

fn main() -> Result<()> {
    let mut bench = Bench {
        binary: binary::find()?,
        directory: std::env::var_os("QUANTUM_CLM_BENCH_DIR").map_or_else(|| "target/bench".into(), PathBuf::from),
        lines: Lines::load()?,
        events: 1_000_000,
        large: 10_000_000,
        seconds: 60,
    };
    std::fs::create_dir_all(&bench.directory)?;
    bench.directory = bench.directory.canonicalize()?;
    let mut wanted = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|word| word.parse().ok()).ok_or(format!("{arg} needs a number"));
        match arg.as_str() {
            "--events" => bench.events = number()?,
            "--large" => bench.large = number()?,
            "--seconds" => bench.seconds = number()?,
            // cargo's own.
            "--bench" => {}
            name => wanted
                .push(*SECTIONS.iter().find(|(known, _)| *known == name).ok_or(format!("{name:?} is not a section"))?),
        }
    }
    if wanted.is_empty() {
        wanted = SECTIONS.to_vec();
    }
    let mut table = Table::new(&bench);
    for (name, section) in wanted {
        eprintln!("{name} …");
        section(&bench, &mut table).map_err(|error| format!("{name}: {error}"))?;
    }
    table.print();
    Ok(())
}
