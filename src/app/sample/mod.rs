//! A small registry for newcomers: invented models whose versions went through everything that a version goes through,
//! with invented returns. Each step is the registry's own operation, so what is shown is what the product does.

mod backups;
mod jobs;
#[cfg(test)]
mod whole;

pub use self::backups::ask_for_backup;
pub use self::jobs::fill_jobs;
use super::App;
use super::files::FileError;
use super::jobs::JobError;
use super::registry::{Ask, NewVersion, Promoted, RegistryError, Target};
use crate::artifacts::ArtifactError;
use crate::domain::access::{Actor, Grant};
use crate::domain::model::{
    ArtifactFile, ArtifactPath, BadArtifactPath, BadName, DataWindow, EvaluationKind, ModelId, ModelStatus, Origin,
    Provenance, VersionName,
};
use crate::domain::performance::{Bounded, Closed, EvaluationInput, TradeInput};
use crate::domain::role::Role;
use crate::domain::time::Micros;

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// A name that cannot be one.
    #[error(transparent)]
    Name(#[from] BadName),
    /// A path that cannot be one.
    #[error(transparent)]
    Path(#[from] BadArtifactPath),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The files.
    #[error(transparent)]
    File(#[from] FileError),
    /// The jobs.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A job of the sample's was not given to its worker.
    #[error("a job of the sample was given to nobody")]
    NothingToDo,
}

impl From<ArtifactError> for SampleError {
    fn from(error: ArtifactError) -> Self {
        Self::File(error.into())
    }
}

/// What every version of the sample is tagged with.
pub const TAG: (&str, &str) = ("sample", "invented data");

/// The models of the sample: one with a way back and two versions that wait, one with little behind it, one with nothing
/// in production.
pub const MODELS: [&str; 3] = ["xgboost_btcusdt_1h", "nhits_ethusdt_4h", "rl_v3_multi_1h"];

/// How a strategy does: in how many of a hundred trades it wins, and what a trade brings or costs, in hundredths of a
/// per cent of the capital.
#[derive(Clone, Copy)]
struct Edge {
    wins: u64,
    gain: f64,
    loss: f64,
}

/// Days before its registration that a version was not trained on, for backtests.
const HELD_BACK: u64 = 300;

const GOOD: Edge = Edge { wins: 57, gain: 54.0, loss: 50.0 };
const BETTER: Edge = Edge { wins: 61, gain: 56.0, loss: 50.0 };
const NONE: Edge = Edge { wins: 52, gain: 50.0, loss: 50.0 };

/// Fills an empty registry; `now` is its last instant. Nothing is done where there are models already.
pub fn fill(app: &App, now: Micros) -> Result<(), SampleError> {
    if !app.store.models().map_err(RegistryError::from)?.is_empty() {
        return Ok(());
    }
    let [xgboost, nhits, rl] = MODELS;
    let maker = Maker { app, now, model: xgboost.parse()? };
    let first = maker.register(150, None, "0.08", 400)?;
    maker.backtest(&first, 149, 240, GOOD, 11)?;
    maker.shadow(&first, 120, 21, GOOD, 12)?;
    maker.promote(&first, 119, "first version with a shadow test behind it")?;
    let given_up = maker.register(90, Some(&first), "0.90", 20)?;
    maker.backtest(&given_up, 89, 60, NONE, 51)?;
    maker.give_up(&given_up, 88, "learned the noise: worse with every round")?;
    let second = maker.register(80, Some(&first), "0.06", 500)?;
    maker.backtest(&second, 79, 260, BETTER, 21)?;
    maker.shadow(&second, 40, 28, GOOD, 22)?;
    maker.promote(&second, 39, "steadier than the one before, over more days")?;
    maker.roll_back(37, Target::Before, "orders were refused since the change; to be sure, back first")?;
    maker.roll_back(36, Target::Version(second.clone()), "it was the exchange, not the model")?;
    let third = maker.register(30, Some(&second), "0.05", 600)?;
    maker.backtest(&third, 29, 280, BETTER, 31)?;
    let fourth = maker.register(12, Some(&second), "0.30", 60)?;
    maker.backtest(&fourth, 11, 120, NONE, 44)?;
    maker.shadow(&third, 2, 25, BETTER, 32)?;

    let maker = Maker { model: nhits.parse()?, ..maker };
    let forced = maker.register(70, None, "0.01", 30)?;
    maker.backtest(&forced, 69, 45, GOOD, 61)?;
    maker.force(&forced, 65, "exchange changed its fees: the old model loses on every trade")?;
    let watching = maker.register(20, Some(&forced), "0.008", 40)?;
    maker.backtest(&watching, 19, 200, GOOD, 71)?;

    let maker = Maker { model: rl.parse()?, ..maker };
    let fresh = maker.register(3, None, "0.0003", 1_000)?;
    maker.backtest(&fresh, 2, 25, GOOD, 81)?;
    Ok(())
}

struct Maker<'a> {
    app: &'a App,
    now: Micros,
    model: ModelId,
}

impl Maker<'_> {
    /// So many days before the end.
    fn day(&self, ago: u64) -> Micros {
        self.now.minus(ago * Micros::DAY)
    }

    fn ask(&self, ago: u64, name: &str) -> Ask {
        let actor = Actor::person(name, "console");
        Ask { actor, grant: Grant::Role(Role::Admin), now: self.day(ago), key: None, expected: None }
    }

    fn register(
        &self,
        ago: u64,
        parent: Option<&VersionName>,
        rate: &str,
        rounds: u32,
    ) -> Result<VersionName, SampleError> {
        let until = self.day(ago + HELD_BACK);
        let parameters = [
            ("learning_rate", rate.to_owned()),
            ("rounds", rounds.to_string()),
            ("max_depth", "6".to_owned()),
            ("objective", "\"binary:logistic\"".to_owned()),
        ];
        let metrics = |figures: [(&str, f64); 2]| figures.map(|(name, value)| (name.to_owned(), value)).into();
        let loss = 0.69 - f64::from(rounds).ln() / 60.0;
        let new = NewVersion {
            name: None,
            parent: parent.cloned(),
            provenance: Provenance {
                origin: Origin::Job(format!("sample-{rounds}")),
                data: Some(DataWindow { from: until.minus(400 * Micros::DAY), until }),
                parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into(),
                feature_count: Some(48),
                code_revision: None,
            },
            train_metrics: metrics([("logloss", loss), ("accuracy", 0.61)]),
            validation_metrics: metrics([("logloss", loss + 0.03), ("accuracy", 0.57)]),
            tags: [(TAG.0.to_owned(), TAG.1.to_owned())].into(),
            importances: None,
            success: true,
        };
        let registered = self.app.registry.register(&self.ask(ago, "trainer"), &self.model, &new)?;
        let text = format!("invented weights of {} {}: {rate}, {rounds}\n", self.model, registered.version);
        self.keep(ago, &registered.version, "weights.txt", &text.repeat(64))?;
        self.keep(ago, &registered.version, "features.json", "[\"close\", \"volume\", \"funding_rate\"]\n")?;
        Ok(registered.version)
    }

    fn keep(&self, ago: u64, version: &VersionName, path: &str, content: &str) -> Result<(), SampleError> {
        let path: ArtifactPath = path.parse()?;
        let directory = &self.app.files.directory;
        let mut intake = directory.take_in(Some(content.len() as u64))?;
        intake.write(content.as_bytes())?;
        let taken = intake.finish(None)?;
        let file = ArtifactFile { path, size: taken.size, sha256: taken.digest };
        let (ask, limit) = (self.ask(ago, "trainer"), directory.limits().max_version);
        directory.keep(taken, || {
            self.app.registry.attach(&ask, &self.model, version, &file, limit).map_err(SampleError::from)
        })?;
        Ok(())
    }

    fn backtest(&self, version: &VersionName, ago: u64, days: u64, edge: Edge, seed: u64) -> Result<(), SampleError> {
        self.evaluate(version, EvaluationKind::Backtest, ago, self.trades(ago + 1, days, 1, edge, seed))
    }

    fn shadow(&self, version: &VersionName, ago: u64, days: u64, edge: Edge, seed: u64) -> Result<(), SampleError> {
        self.evaluate(version, EvaluationKind::ShadowTest, ago, self.trades(ago, days, 6, edge, seed))
    }

    fn evaluate(
        &self,
        version: &VersionName,
        kind: EvaluationKind,
        ago: u64,
        trades: Vec<TradeInput>,
    ) -> Result<(), SampleError> {
        let trades = Some(Bounded(trades));
        let input =
            EvaluationInput { kind, returns: None, trades, predictions: None, metrics: None, period_days: None };
        self.app.registry.evaluate(&self.ask(ago, "trainer"), &self.model, version, &input)?;
        Ok(())
    }

    /// Trades of `days` days that end so many days ago, so many a day.
    fn trades(&self, ago: u64, days: u64, a_day: u64, edge: Edge, seed: u64) -> Vec<TradeInput> {
        let mut random = Random(seed);
        let from = self.day(ago + days);
        let trade = |number: u64| {
            let at = from.plus(number * (Micros::DAY / a_day));
            // The more confident, the more often right, but not by as much as it says.
            let confidence = 0.5 + random.below(45) as f64 / 100.0;
            let lift = ((confidence - 0.72) * 40.0).round();
            let won = (random.below(100) as f64) < edge.wins as f64 + lift;
            let size = 0.6 + random.below(80) as f64 / 100.0;
            let gain = if won { edge.gain } else { -edge.loss } * size / 10_000.0;
            TradeInput {
                closed_at: Closed(i64::try_from(at.0).unwrap_or(i64::MAX)),
                gain: Some(gain),
                confidence: Some(confidence),
                ..TradeInput::default()
            }
        };
        (0..days * a_day).map(trade).collect()
    }

    fn promote(&self, version: &VersionName, ago: u64, why: &str) -> Result<Promoted, SampleError> {
        Ok(self.app.registry.promote(&self.ask(ago, "demo"), &self.model, version, why, false)?)
    }

    fn force(&self, version: &VersionName, ago: u64, why: &str) -> Result<Promoted, SampleError> {
        Ok(self.app.registry.promote(&self.ask(ago, "demo"), &self.model, version, why, true)?)
    }

    fn give_up(&self, version: &VersionName, ago: u64, why: &str) -> Result<(), SampleError> {
        self.app.registry.advance(&self.ask(ago, "demo"), &self.model, version, ModelStatus::Failed, why)?;
        Ok(())
    }

    fn roll_back(&self, ago: u64, target: Target, why: &str) -> Result<(), SampleError> {
        self.app.registry.roll_back(&self.ask(ago, "demo"), &self.model, &target, why)?;
        Ok(())
    }
}

/// SplitMix64: the same sample on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::domain::gates::{GateOutcome, Goal};
    use crate::domain::job::{JobId, JobState};
    use crate::observe::metrics::Metrics;
    use crate::observe::status::StatusBoard;
    use crate::store::Store;

    #[test]
    fn the_sample_shows_everything_that_a_version_can_be() {
        let directory = tempfile::tempdir().expect("a directory");
        let config = Config { data_file: directory.path().join("q.redb"), ..Config::default() };
        let store = Store::open(&config.data_file).expect("a data file");
        let (board, now) = (StatusBoard::new(), Micros(1_795_000_000_000_000));
        let metrics = Metrics::new(board.clone(), "1.2.3", "abcdef", now);
        let app = App::new(config, store, board, metrics, now);
        fill(&app, now).expect("a sample");
        fill(&app, now).expect("a second time changes nothing");
        let id: ModelId = MODELS[0].parse().expect("an id");
        let model = app.store.model(&id).expect("a read").expect("a model");
        for status in [ModelStatus::Production, ModelStatus::Retired, ModelStatus::Candidate, ModelStatus::Failed] {
            assert!(model.count(status) > 0, "no version of {id} is {status}");
        }
        let versions = app.store.versions_of(&id).expect("versions");
        let verdict = |status: ModelStatus| {
            let version = versions.iter().find(|version| model.status(version) == status).expect("a version");
            let verdicts = app.registry.verdicts(&id, &version.name).expect("verdicts");
            verdicts.into_iter().find(|verdict| verdict.goal == Goal::Production).expect("a verdict")
        };
        let candidate = verdict(ModelStatus::Candidate);
        assert!(candidate.passed, "the candidate can be promoted: {}", candidate.obstacles());
        let training = verdict(ModelStatus::Training);
        assert!(training.gates.iter().any(|answer| answer.outcome == GateOutcome::Fail), "{training:?}");
        let forced: ModelId = MODELS[1].parse().expect("an id");
        let versions = app.store.versions_of(&forced).expect("versions");
        assert!(versions.iter().any(|version| !version.forced.is_empty()), "no version of {forced} was forced");

        fill_jobs(&app, now).expect("a sample of jobs");
        fill_jobs(&app, now).expect("a second time changes nothing");
        let counts = app.jobs.counts().expect("counts");
        let states = [JobState::Completed, JobState::Failed, JobState::Cancelled, JobState::Pending];
        assert_eq!(states.map(|state| counts.of(state)), [3, 1, 1, 0]);
        let of = |number: u64| app.jobs.get(JobId(number)).expect("a job");
        assert!(of(4).epoch == 2 && of(4).started_at < of(4).ended_at, "{:?}", of(4));
        assert!(of(3).retry_of == Some(JobId(2)) && of(3).version.is_some(), "{:?}", of(3));
        app.close();
    }
}
