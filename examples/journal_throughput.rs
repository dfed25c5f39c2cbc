//! `journal_throughput DIR [UNIT…]`: how fast the journal source reads a directory, beside `journalctl -o export` with
//! the same fields and matches into /dev/null.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use quantum_clm::config::{Config, Journal, JournalStart};
use quantum_clm::domain::feed::Progress;
use quantum_clm::domain::normalise::{NormaliseConfig, Normaliser};
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::process::StopFlag;
use quantum_clm::sources::journal::JournalSource;
use quantum_clm::sources::journal::export::OUTPUT_FIELDS;
use quantum_clm::sources::journal::matches::Units;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let directory = PathBuf::from(args.next().ok_or("usage: journal_throughput DIR [UNIT…]")?);
    let defaults = Config::default();
    let mut units: Vec<String> = args.collect();
    if units.is_empty() {
        units = defaults.journal.units.clone();
    }
    let config = Journal { units, directory: Some(directory.clone()), start: JournalStart::Head, ..defaults.journal };
    let normalise = NormaliseConfig { quote_currencies: defaults.events.quote_currencies };
    for round in 1..=3 {
        let started = Instant::now();
        let mut command = Command::new("journalctl");
        command.args(["-q", "-m", "-o", "export", "-D"]).arg(&directory);
        command.arg(format!("--output-fields={OUTPUT_FIELDS}")).args(Units::parse(&config.units)?.match_args());
        command.stdout(Stdio::null()).status()?;
        let bare = started.elapsed().as_secs_f64();

        let reporter = StatusBoard::new().reporter("journal");
        let source = JournalSource::new(&config, Arc::new(Normaliser::new(&normalise)), "host", reporter)?;
        let (mut events, mut deliveries) = (0_usize, 0_usize);
        let started = Instant::now();
        let mut last = started;
        source.run(None, &StopFlag::new()?, |delivery| {
            if !delivery.events.is_empty() {
                events += delivery.events.len();
                deliveries += 1;
                last = Instant::now();
            }
            if matches!(delivery.progress, Progress::CaughtUp(_)) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let read = last.duration_since(started).as_secs_f64();
        let rate = |seconds: f64| events as f64 / seconds;
        println!(
            "round {round}: {events} events in {deliveries} deliveries; reader {:.0}/s, journalctl > /dev/null {:.0}/s, \
             ratio {:.2}",
            rate(read),
            rate(bare),
            bare / read
        );
    }
    Ok(())
}
