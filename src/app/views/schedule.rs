use std::collections::{BTreeMap, BTreeSet};

use crate::app::answers::{
    ScheduleEntry, SchedulePage, ScheduleQueryError, ScheduleRules, ScheduleState, TriggerPage, TriggerQuery,
};
use crate::app::schedule::{Entry, Schedule};
use crate::config;
use crate::domain::model::{ModelId, ModelName, ModelType};
use crate::domain::schedule::Cadence;
use crate::domain::time::Micros;
use crate::store::Store;

/// Models of a page.
const ROWS: usize = 50;

/// Triggers of a page.
const TRIGGERS: usize = 25;

/// Which part of the Schedule page is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleAsked {
    /// Models of this type only.
    pub kind: Option<ModelType>,
    /// Models behind this one.
    pub after: Option<ModelId>,
    /// Which triggers.
    pub triggers: TriggerQuery,
}

/// The Schedule page.
#[derive(Clone, Debug)]
pub struct ScheduleView {
    /// Whether anything is trained but what somebody asks for.
    pub enabled: bool,
    /// By what is decided.
    pub rules: ScheduleRules,
    /// The types that are trained by the clock or have models.
    pub kinds: Vec<KindRow>,
    /// Models of the page.
    pub models: Vec<ModelRow>,
    /// How many there are in all, of the type that is looked at.
    pub total: u64,
    /// Behind which model the next page begins.
    pub next: Option<ModelId>,
    /// Models that something holds back.
    pub held: u64,
    /// Models of which a training is open.
    pub open: u64,
    /// Which model may be trained next, and when.
    pub soonest: Option<(Micros, ModelId)>,
    /// What spoke for trainings.
    pub triggers: TriggerPage,
    /// The models that have pages.
    registered: BTreeSet<ModelId>,
}

/// How it stands with the models of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindRow {
    /// The type.
    pub kind: ModelType,
    /// How often its models are trained, where nothing else is said of them.
    pub cadence: String,
    /// Whether that is by the clock at all.
    pub by_clock: bool,
    /// How many there are.
    pub models: u64,
    /// The last training, and of which model.
    pub last: Option<(Micros, ModelId)>,
    /// When the next one may begin, and of which model.
    pub next: Option<(Micros, ModelId)>,
    /// Why not now: of the model that comes next, or of the first.
    pub why: String,
}

/// How it stands with a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRow {
    /// As the API tells it.
    pub entry: ScheduleEntry,
    /// What it is about.
    pub name: ModelName,
}

impl ModelRow {
    /// Whether somebody may ask for its training by its name: a model that was imported may have an id that is another's name.
    pub fn can_be_asked_for(&self) -> bool {
        self.entry.state != ScheduleState::Open && self.name.id() == self.entry.model_id
    }
}

impl ScheduleView {
    /// Looks it up, as things stand at `now`.
    pub fn find(
        schedule: &Schedule,
        store: &Store,
        config: &config::Scheduler,
        asked: &ScheduleAsked,
        now: Micros,
    ) -> Result<Self, ScheduleQueryError> {
        let plan = schedule.plan(None, None, usize::MAX, now)?;
        let rules = schedule.rules();
        let mut kinds: BTreeMap<ModelType, KindRow> = BTreeMap::new();
        let by_clock = rules.types.iter().filter(|(_, cadence)| **cadence != Cadence::Off);
        for kind in by_clock.map(|(kind, _)| *kind).chain(plan.entries.iter().map(|entry| entry.name.model_type)) {
            let cadence = rules.types.get(&kind).unwrap_or(&Cadence::Off);
            let (by_clock, cadence) = (*cadence != Cadence::Off, cadence.to_string());
            let row = KindRow { kind, cadence, by_clock, models: 0, last: None, next: None, why: String::new() };
            kinds.entry(kind).or_insert(row);
        }
        for entry in &plan.entries {
            if let Some(row) = kinds.get_mut(&entry.name.model_type) {
                row.take(entry);
            }
        }
        let states = || plan.entries.iter().map(|entry| ScheduleState::of(&entry.outlook.verdict));
        let is = |wanted| states().filter(|state| *state == wanted).count() as u64;
        let (held, open) = (is(ScheduleState::Held), is(ScheduleState::Open));
        let soonest = kinds.values().filter_map(|row| row.next.clone()).min();
        let registered =
            plan.entries.iter().filter(|entry| entry.registered).map(|entry| entry.model.clone()).collect();

        let mut entries = plan.entries;
        entries.retain(|entry| asked.kind.is_none_or(|kind| entry.name.model_type == kind));
        let total = entries.len() as u64;
        entries.retain(|entry| asked.after.as_ref().is_none_or(|after| entry.model > *after));
        let next = entries.get(ROWS - 1).filter(|_| entries.len() > ROWS).map(|entry| entry.model.clone());
        let models = entries
            .into_iter()
            .take(ROWS)
            .map(|entry| ModelRow { name: entry.name.clone(), entry: ScheduleEntry::new(entry, rules.enabled) });
        let triggers = TriggerQuery { limit: Some(TRIGGERS), ..asked.triggers.clone() };
        Ok(Self {
            enabled: rules.enabled,
            rules: SchedulePage::rules(schedule, config, now),
            kinds: kinds.into_values().collect(),
            models: models.collect(),
            total,
            next,
            held,
            open,
            soonest,
            triggers: TriggerPage::find(store, &triggers)?,
            registered,
        })
    }

    /// Whether a model has a page.
    pub fn has_page(&self, model: &ModelId) -> bool {
        self.registered.contains(model)
    }
}

impl KindRow {
    /// Takes one of its models in.
    fn take(&mut self, entry: &Entry) {
        self.models += 1;
        self.last = self.last.take().max(entry.last.map(|at| (at, entry.model.clone())));
        let next = entry.outlook.next.map(|at| (at, entry.model.clone()));
        let is_sooner = next.is_some() && self.next.as_ref().is_none_or(|sooner| next.as_ref() < Some(sooner));
        if is_sooner {
            self.next = next;
        }
        if is_sooner || self.why.is_empty() {
            self.why = entry.outlook.words();
        }
    }
}
