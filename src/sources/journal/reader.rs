use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::follow::{End, Follow, PassedOver};
use super::intake::Intake;
use super::journalctl::Journalctl;
use super::matches::{UnitError, Units};
use super::place::Surveyor;
use crate::config;
use crate::domain::feed::{Delivery, Position, Progress};
use crate::domain::history::Places;
use crate::domain::normalise::Normaliser;
use crate::observe::status::Reporter;
use crate::process::StopFlag;

/// The reader's times. Tests shorten them; nothing else has a reason to.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How often something is delivered while nothing is written, so that time goes on.
    pub tick: Duration,
    /// How long the pipe is silent before we ask whether the end is reached.
    pub quiet: Duration,
    /// How often we ask while all is silent at the end of the journal, to find a child that hangs.
    pub idle_probe: Duration,
    /// How long a child may be silent although there is something to read.
    pub hang: Duration,
    /// How often we look, while behind, whether vacuuming overtook us.
    pub vacuum_check: Duration,
    /// How long a probe may take.
    pub probe: Duration,
    /// The first pause before the child is started again; it doubles.
    pub backoff: Duration,
    /// The longest one.
    pub backoff_cap: Duration,
    /// How long the child must have lived for the pause to be the first one again.
    pub settled: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(1),
            quiet: Duration::from_millis(50),
            idle_probe: Duration::from_secs(15),
            hang: Duration::from_secs(10),
            vacuum_check: Duration::from_secs(1),
            probe: Duration::from_secs(10),
            backoff: Duration::from_millis(200),
            backoff_cap: Duration::from_secs(60),
            settled: Duration::from_secs(10),
        }
    }
}

const MACHINE_ID: &str = "/etc/machine-id";

/// What journald writes as `_MACHINE_ID`.
fn machine_id() -> Option<String> {
    let text = std::fs::read_to_string(MACHINE_ID).ok()?;
    let id = text.trim();
    (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| id.to_owned())
}

/// Reads the journal, for ever, on a thread of its own.
pub struct JournalSource {
    journalctl: Journalctl,
    start: config::JournalStart,
    intake: Intake,
    reporter: Reporter,
    timing: Timing,
}

impl JournalSource {
    /// A source for the units of `config`; `host` is for entries that name none.
    pub fn new(
        config: &config::Journal,
        normaliser: Arc<Normaliser>,
        host: &str,
        reporter: Reporter,
    ) -> Result<Self, UnitError> {
        let mut units = Units::parse(&config.units)?;
        // A directory that somebody chose is read as it is: it may be another machine's.
        if config.directory.is_none() {
            match machine_id() {
                Some(id) => units = units.of_machine(id),
                None => tracing::warn!("{MACHINE_ID} holds no id: lines that other machines send here count as ours"),
            }
        }
        let timing = Timing::default();
        Ok(Self {
            journalctl: Journalctl::new(config, &units, timing.probe),
            start: config.start,
            intake: Intake::new(units, config.sources.clone(), normaliser, host.to_owned()),
            reporter,
            timing,
        })
    }

    /// The same with other times.
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self.journalctl.set_patience(timing.probe);
        self
    }

    /// The same, passing over the lines that were taken from the predecessor's history. Without a position, reading begins
    /// where the first of them may be.
    pub fn behind(mut self, places: Places) -> Self {
        self.intake.pass_over(places);
        self
    }

    /// Reads from `position` (from `journal.start` without one) until `stop` is set or `deliver` breaks.
    ///
    /// Each [`Delivery`] is to be committed with its position; `deliver` may block as long as it likes, and the reader,
    /// the pipe and journalctl wait with it. Failures of the child are reported and met by starting it again.
    pub fn run(
        mut self,
        position: Option<Position>,
        stop: &StopFlag,
        mut deliver: impl FnMut(Delivery) -> ControlFlow<()>,
    ) {
        if let Some(position) = &position {
            self.intake.resume(position);
        }
        let mut garbled_at = None;
        let mut gap_at = None;
        let mut passed_over = PassedOver::default();
        let mut pause = self.timing.backoff;
        while !stop.is_set() {
            let started = Instant::now();
            let failure = match self.session(&mut garbled_at, &mut gap_at, &mut passed_over, stop, &mut deliver) {
                End::Stopped => return,
                // Nothing is wrong with the journal or with us: the next child reads what this one left out.
                End::PassedOver => {
                    tracing::debug!("journalctl passed over an entry that the journal has; it is started again there");
                    continue;
                }
                End::Failed(failure) => failure,
            };
            if stop.is_set() {
                return;
            }
            self.reporter.failed(&failure.summary, &failure.remedy);
            if deliver(self.intake.deliver(Progress::Unknown)).is_break() {
                return;
            }
            if started.elapsed() >= self.timing.settled {
                pause = self.timing.backoff;
            }
            stop.sleep(pause);
            pause = (pause * 2).min(self.timing.backoff_cap);
            self.reporter.restarted();
        }
    }

    /// One child's life.
    fn session(
        &mut self,
        garbled_at: &mut Option<Option<Position>>,
        gap_at: &mut Option<Position>,
        passed_over: &mut PassedOver,
        stop: &StopFlag,
        deliver: &mut dyn FnMut(Delivery) -> ControlFlow<()>,
    ) -> End {
        let units = self.intake.units().clone();
        let surveyor = Surveyor { journalctl: &self.journalctl, units: &units, stop };
        let position = self.intake.position();
        let place = match &position {
            Some(position) => surveyor.resume(position).map(|mut place| {
                // Once for one position, however often the child has to be started before it prints the next entry.
                if gap_at.as_ref() == Some(position) {
                    place.gap = None;
                }
                place
            }),
            None => match self.intake.begin() {
                Some(at) => surveyor.begin_at(at),
                None => surveyor.begin(self.start),
            },
        };
        let follow = place.and_then(|place| {
            let has_gap = place.gap.is_some();
            let follow = Follow::start(
                surveyor,
                place,
                &mut self.intake,
                &self.reporter,
                self.timing,
                garbled_at,
                passed_over,
                deliver,
            )?;
            // Only now is it on record: a child that could not be started has recorded nothing.
            if has_gap {
                *gap_at = position;
            }
            Ok(follow)
        });
        match follow {
            Ok(follow) => follow.run().unwrap_or_else(End::Failed),
            Err(failure) => End::Failed(failure),
        }
    }
}
