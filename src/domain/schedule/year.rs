//! A year of the scheduler's life, with everything that may happen in one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::job::{JobId, Trigger};
use crate::domain::model::{ModelId, ModelName};
use crate::domain::time::Micros;

const MODELS: [&str; 9] = [
    "xgboost_btcusdt_1h",
    "xgboost_ethusdt_1h",
    "xgboost_solusdt_1h",
    "lightgbm_btcusdt_1h",
    "lightgbm_multi_4h",
    "nhits_multi_1h",
    "patchtst_btcusdt_1h",
    "rl_v3_multi_1h",
    "dlinear_btcusdt_1h",
];

/// What happens from outside.
#[derive(Clone, Debug)]
enum Outside {
    /// A trigger of a model.
    Trigger(usize, Trigger),
    /// Trades of every model.
    Trades(u64),
    /// Somebody creates a job past the scheduler.
    Job(usize),
    /// Somebody calls off the job of a model.
    Cancel(usize),
    /// The daemon is off for so many hours.
    Off(u64),
    /// The daemon starts anew.
    Restart,
}

fn outside() -> impl Strategy<Value = Outside> {
    let model = 0..MODELS.len();
    let reason = prop_oneof![
        Just(Trigger::DriftDetected),
        Just(Trigger::PerformanceDegraded),
        Just(Trigger::RegimeChange),
        Just(Trigger::Manual),
    ];
    prop_oneof![
        6 => (model.clone(), reason).prop_map(|(model, reason)| Outside::Trigger(model, reason)),
        3 => (1..60_u64).prop_map(Outside::Trades),
        1 => model.clone().prop_map(Outside::Job),
        1 => model.prop_map(Outside::Cancel),
        1 => (1..800_u64).prop_map(Outside::Off),
        1 => Just(Outside::Restart),
    ]
}

struct OneModel {
    known: Known,
    standing: Standing,
    waiting: Vec<Pending>,
    /// When its open job ends.
    ends: Option<Micros>,
}

struct World {
    rules: Rules,
    models: Vec<OneModel>,
    books: Books,
    jobs: u64,
    triggers: u64,
    /// Each trigger's final decision, how often.
    decided: BTreeMap<u64, u32>,
    /// Since when the daemon has been looking.
    on_since: Micros,
    starts: Vec<Micros>,
}

impl World {
    fn new(now: Micros) -> Self {
        let quiet: Vec<_> = ["Mon-Fri 13:00-21:00", "Sat"].map(|text| text.parse().expect("hours")).into();
        let cron = Cadence::Cron(Box::new("0 3 1 * *".parse().expect("an expression")));
        let rules = Rules {
            calendar: Calendar::new(&quiet).expect("some time is left"),
            models: BTreeMap::from([(MODELS[4].parse().expect("an id"), cron)]),
            ..Rules::default()
        };
        let models = MODELS.map(|text| {
            let model: ModelId = text.parse().expect("an id");
            let kind = ModelName::of(&model).expect("a name").model_type;
            let known = Known { model, kind, open: None, newest: None, trained: None, worker: true, full: false };
            OneModel { known, standing: Standing::new(now), waiting: Vec::new(), ends: None }
        });
        Self {
            rules,
            models: models.into(),
            books: Books::default(),
            jobs: 0,
            triggers: 0,
            decided: BTreeMap::new(),
            on_since: now,
            starts: Vec::new(),
        }
    }

    /// Jobs whose time it is end; `how` decides how long the others take.
    fn end_jobs(&mut self, now: Micros) {
        for model in &mut self.models {
            if model.ends.is_some_and(|ends| ends <= now) {
                model.known.trained = model.ends.take();
                model.known.open = None;
            }
        }
    }

    fn open_job(&mut self, at: usize, now: Micros) -> JobId {
        self.jobs += 1;
        let (job, model) = (JobId(self.jobs), &mut self.models[at]);
        assert_eq!(model.known.open, None, "two open jobs of {}", model.known.model);
        (model.known.open, model.known.newest) = (Some(job), Some(job));
        // Twenty minutes to four hours, whichever its number says.
        model.ends = Some(now.plus((20 + self.jobs * 37 % 220) * 60 * Micros::SECOND));
        job
    }

    /// One step of the scheduler; when it wants to be asked again.
    fn step(&mut self, now: Micros) -> Option<Micros> {
        let mut next: Option<Micros> = None;
        for at in 0..self.models.len() {
            let model = &mut self.models[at];
            let (outlook, _) = look(&self.rules, &model.known, &mut model.standing, &model.waiting, &self.books, now);
            match &outlook.verdict {
                Verdict::Start { reason, .. } => {
                    self.check_start(at, *reason, now);
                    let job = self.open_job(at, now);
                    self.decide_waiting(at);
                    self.models[at].standing.begin(job, now);
                }
                Verdict::Open(_) => self.decide_waiting(at),
                Verdict::NotDue { due } => assert!(due.is_none_or(|due| due > now), "{outlook:?}"),
                Verdict::Hold { until, .. } => {
                    let until = until.expect("there is a worker");
                    assert!(until > now, "{outlook:?}");
                    self.check_not_forgotten(at, outlook.due, now);
                }
                Verdict::Off => panic!("it is on"),
            }
            next = [next, outlook.next.filter(|next| *next > now)].into_iter().flatten().min();
        }
        next
    }

    fn decide_waiting(&mut self, at: usize) {
        for trigger in self.models[at].waiting.drain(..) {
            *self.decided.entry(trigger.number).or_default() += 1;
        }
    }

    fn check_start(&mut self, at: usize, reason: Trigger, now: Micros) {
        let model = &self.models[at];
        let id = &model.known.model;
        if reason == Trigger::Manual {
            return;
        }
        assert!(!self.rules.calendar.is_quiet(now), "{id} began at {}, in no-training hours", now.rfc3339());
        if let Some(last) = model.known.trained.max(model.standing.started) {
            let since = now.0 - last.0;
            assert!(since >= self.rules.cooldown, "{id} began {} after the last training", span(since));
            let cadence = self.rules.cadence(id, model.known.kind);
            if let (Trigger::Periodic, Cadence::Every(interval)) = (reason, cadence) {
                assert!(since >= *interval, "{id} began by its interval {} after the last training", span(since));
            }
        }
        self.books.begin(now);
        self.starts.push(now);
        let recent = self.starts.iter().filter(|at| now.0 - at.0 < Micros::HOUR).count();
        assert!(recent <= self.rules.starts_per_hour as usize, "{recent} began within an hour");
    }

    /// What is due waits for no-training hours, the cooldown and its turn, and these end.
    fn check_not_forgotten(&self, at: usize, due: Option<Micros>, now: Micros) {
        let slack = 60 * Micros::HOUR;
        if let Some(due) = due.filter(|due| *due <= now) {
            let waits = now.0 - due.max(self.on_since).0;
            assert!(waits < slack, "{} waits for {}", self.models[at].known.model, span(waits));
        }
    }

    fn happen(&mut self, what: &Outside, now: Micros) {
        match *what {
            Outside::Trigger(at, reason) => {
                self.triggers += 1;
                let number = self.triggers;
                let model = &mut self.models[at];
                if model.waiting.iter().any(|trigger| trigger.reason == reason) {
                    *self.decided.entry(number).or_default() += 1;
                } else {
                    let (by, evidence) = ("bus".to_owned(), "seen".to_owned());
                    model.waiting.push(Pending { number, reason, by, evidence });
                }
            }
            Outside::Trades(count) => self.models.iter_mut().for_each(|model| model.standing.trades += count),
            Outside::Job(at) => {
                if self.models[at].known.open.is_none() {
                    self.open_job(at, now);
                }
            }
            Outside::Cancel(at) => {
                (self.models[at].known.open, self.models[at].ends) = (None, None);
            }
            Outside::Off(_) => {}
            // What a restart loses is what is not stored, and nothing else is kept here.
            Outside::Restart => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_year(happenings in prop::collection::vec((1..200_u64, outside()), 50..150)) {
        let began: Micros = "2026-01-15T12:00:00Z".parse().expect("an instant");
        let end = began.plus(365 * Micros::DAY);
        let mut world = World::new(began);
        let mut happenings = happenings.into_iter();
        let mut now = began;
        let mut coming = happenings.next().map(|(hours, what)| (now.plus(hours * Micros::HOUR), what));
        while now < end {
            world.end_jobs(now);
            if let Some((_, what)) = coming.take_if(|(at, _)| *at <= now) {
                world.happen(&what, now);
                if let Outside::Off(hours) = what {
                    now = now.plus(hours * Micros::HOUR);
                    world.end_jobs(now);
                    world.on_since = now;
                }
                coming = happenings.next().map(|(hours, what)| (now.plus(hours * Micros::HOUR), what));
            }
            let next = world.step(now);
            let ends = world.models.iter().filter_map(|model| model.ends).min();
            let happens = coming.as_ref().map(|(at, _)| *at);
            let then = [next, ends, happens].into_iter().flatten().min().unwrap_or(end);
            prop_assert!(then > now || happens.is_some_and(|at| at <= now), "time stands still");
            now = then;
        }
        let waiting: Vec<u64> =
            world.models.iter().flat_map(|model| &model.waiting).map(|trigger| trigger.number).collect();
        for number in 1..=world.triggers {
            let times = world.decided.get(&number).copied().unwrap_or(0);
            prop_assert_eq!(times + u32::from(waiting.contains(&number)), 1, "trigger {}", number);
        }
        prop_assert!(world.jobs > 50, "only {} trainings in a year", world.jobs);
    }
}
