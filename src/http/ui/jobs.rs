//! `/jobs`: what runs, what waits and why, what came of the others, and who runs them.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::act::Asker;
use super::done::{Done, done};
use super::field::{Choice, Field};
use super::form::{Form, Misfits};
use super::job::words;
use super::{Frame, Tone, links, page, show};
use crate::app::App;
use crate::app::answers::jobs::{JobQuery, StateFilter};
use crate::app::intents::WHY_BYTES;
use crate::app::jobs::{Asked, JobError, Subject};
use crate::app::views::jobs::JobsView;
use crate::domain::job::{JobState, JsonText, Priority, Trigger};
use crate::domain::model::{ModelName, ModelType};
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/jobs", Role::Viewer, jobs), Route::form("/jobs", Role::Operator, train)]
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    state: String,
    r#type: String,
    trigger: String,
    model: String,
    cursor: String,
    done: String,
}

impl Query {
    /// What is none of our words filters nothing: it comes from no form of ours.
    fn asked(&self) -> JobQuery {
        JobQuery {
            state: self.state.parse().ok(),
            model: self.model.trim().parse().ok(),
            model_type: self.r#type.parse().ok(),
            trigger: self.trigger.parse().ok(),
            limit: None,
            cursor: (!self.cursor.is_empty()).then(|| self.cursor.clone()),
        }
    }
}

/// What the form sends that asks for a training.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Sent {
    model_type: String,
    symbol: String,
    timeframe: String,
    regime: String,
    span: String,
    priority: String,
    params: String,
    why: String,
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            model_type: ModelType::Xgboost.as_str().to_owned(),
            symbol: String::new(),
            timeframe: Asked::TIMEFRAME.to_owned(),
            regime: String::new(),
            span: Asked::SPAN_DAYS.to_string(),
            priority: Priority::Normal.as_str().to_owned(),
            params: String::new(),
            why: String::new(),
        }
    }
}

/// The form.
struct Train {
    open: bool,
    fields: Vec<Field>,
    params: Field,
    why: Field,
}

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    frame: Frame,
    view: JobsView,
    places: u32,
    query: Query,
    filters: Vec<Field>,
    filtered: bool,
    train: Option<Train>,
    now: Micros,
}

async fn jobs(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let frame = Done::new(&query.done).onto(Frame::of("Jobs", &caller).at("/jobs"));
    let shown = JobsPage::find(app, frame, query, &Sent::default(), &Misfits::default(), false).await?;
    Ok(page(StatusCode::OK, &shown))
}

async fn train(State(app): State<App>, asker: Asker, Form(sent): Form<Sent>) -> Result<Response, ApiError> {
    let mut misfits = Misfits::default();
    let frame = Frame::of("Jobs", &asker.caller).at("/jobs");
    let Some(asked) = sent.asked(&mut misfits) else {
        let (status, frame) = misfits.frame(frame);
        let shown = JobsPage::find(app, frame, Query::default(), &sent, &misfits, true).await?;
        return Ok(page(status, &shown));
    };
    let (ask, jobs) = (asker.ask(), app.jobs.clone());
    let refused =
        match blocking(move || Ok::<_, ApiError>(jobs.manual(asked).and_then(|new| jobs.create(&ask, new)))).await? {
            Ok(job) => return Ok(done(&links::job(job.id), "job-asked")),
            Err(refused) => refused,
        };
    let (status, frame) = match refused {
        JobError::Bad { field, why } => {
            let field = Sent::FIELDS.into_iter().find(|(name, _)| *name == field).map_or("params", |(_, own)| own);
            misfits.add(field, why);
            misfits.frame(frame)
        }
        JobError::Open(_) | JobError::Full(_) => {
            let text = format!("Nothing was asked for: {refused}.");
            (StatusCode::CONFLICT, frame.notice(Tone::Bad, text))
        }
        other => return Err(other.into()),
    };
    Ok(page(status, &JobsPage::find(app, frame, Query::default(), &sent, &misfits, true).await?))
}

impl Sent {
    /// What the operation calls its values, and what the form does.
    const FIELDS: [(&str, &str); 3] =
        [("dataset_span_days", "span"), ("evidence", "why"), ("training_params", "params")];

    /// What is asked for; none where something does not fit.
    fn asked(&self, misfits: &mut Misfits) -> Option<Asked> {
        let kind = misfits.parsed("model_type", self.model_type.parse::<ModelType>());
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let (symbol, regime) = (some(&self.symbol), some(&self.regime));
        let part = |symbol: Option<&str>, timeframe: &str, regime: Option<&str>| {
            ModelName::new(ModelType::Other, symbol, timeframe, regime).map_err(|error| error.to_string())
        };
        misfits.parsed("symbol", part(symbol.as_deref(), Asked::TIMEFRAME, None));
        misfits.parsed("timeframe", part(None, self.timeframe.trim(), None));
        misfits.parsed("regime", part(None, Asked::TIMEFRAME, regime.as_deref()));
        let span_days = misfits.parsed("span", self.span.trim().parse::<u32>().map_err(|_| "a number of days"));
        let priority = misfits.parsed("priority", self.priority.parse::<Priority>());
        let params = misfits.parsed("params", object(&self.params))?;
        if self.why.len() > WHY_BYTES {
            misfits.add("why", format!("at most {WHY_BYTES} bytes"));
        }
        let name = ModelName::new(kind?, symbol.as_deref(), self.timeframe.trim(), regime.as_deref()).ok()?;
        let (span_days, priority) = (span_days?, priority?);
        misfits.is_empty().then(|| Asked {
            subject: Subject::Name(name),
            span_days,
            params,
            feature_config: None,
            parent: None,
            candidate: None,
            priority,
            why: self.why.clone(),
        })
    }

    /// The form with what was sent, and what was wrong with it.
    fn form(&self, misfits: &Misfits, open: bool) -> Train {
        let kinds = ModelType::ALL.into_iter().map(|kind| Choice::new(kind.as_str(), kind.as_str())).collect();
        let priorities = Priority::ALL.into_iter().map(|one| Choice::new(one.as_str(), one.as_str())).collect();
        let line = |name, label, value: &str| Field::line(name, label).value(value).no_capitals().most(32);
        let fields = [
            ("model_type", Field::choice("model_type", "Type of model", kinds).value(&self.model_type)),
            ("symbol", line("symbol", "Symbol", &self.symbol).optional().hint("BTCUSDT; none for several")),
            ("timeframe", line("timeframe", "Timeframe", &self.timeframe).hint("1h, 15m, 4h")),
            ("regime", line("regime", "Regime", &self.regime).optional().hint("bull; none for any")),
            ("span", Field::number("span", "Days of data", 1, 36_500).value(&self.span)),
            ("priority", Field::choice("priority", "Priority", priorities).value(&self.priority)),
        ];
        let fields = fields.into_iter().map(|(name, field)| field.misfit(misfits.of(name))).collect();
        let params = Field::text("params", "Parameters", 3).optional().value(&self.params).misfit(misfits.of("params"));
        let why = Field::text("why", "Why", 2).optional().most(WHY_BYTES).value(&self.why).misfit(misfits.of("why"));
        Train { open, fields, params: params.hint("A JSON object for the program: {\"max_depth\": 6}"), why }
    }
}

/// An object, or nothing.
fn object(text: &str) -> Result<Option<JsonText>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => Ok(Some(JsonText::new(&object))),
        Ok(_) => Err("this is JSON, but no object: use {\"name\": value}".to_owned()),
        Err(error) => Err(format!("this is no JSON object: {error}")),
    }
}

fn filters(query: &Query) -> Vec<Field> {
    let states = StateFilter::all().filter(|state| *state != StateFilter::Over).map(|state| {
        let words = match state {
            StateFilter::Held => "at work (any)",
            StateFilter::Open => "not over (any)",
            state => state.as_str(),
        };
        Choice::new(state.as_str(), words)
    });
    let kinds = ModelType::ALL.into_iter().map(|kind| Choice::new(kind.as_str(), kind.as_str()));
    let triggers = Trigger::ALL.into_iter().map(|one| Choice::new(one.as_str(), words::trigger(one)));
    let any = |words: &str| std::iter::once(Choice::new("", words));
    vec![
        Field::choice("state", "State", any("over").chain(states).collect()).optional().value(&query.state),
        Field::choice("type", "Type", any("any").chain(kinds).collect()).optional().value(&query.r#type),
        Field::choice("trigger", "Upon", any("anything").chain(triggers).collect()).optional().value(&query.trigger),
        Field::line("model", "Model").optional().no_capitals().value(&query.model),
    ]
}

impl JobsPage {
    async fn find(
        app: App,
        frame: Frame,
        query: Query,
        sent: &Sent,
        misfits: &Misfits,
        open: bool,
    ) -> Result<Self, ApiError> {
        let places = app.config.jobs.running;
        let asked = query.asked();
        let filtered = JobQuery { cursor: None, ..asked.clone() } != JobQuery::default();
        let view = blocking(move || JobsView::find(&app.jobs, &app.store, &asked)).await?;
        Ok(Self {
            train: frame.may(Role::Operator).then(|| sent.form(misfits, open)),
            filters: filters(&query),
            now: observe::now(),
            frame,
            view,
            places,
            query,
            filtered,
        })
    }

    fn heading(&self) -> &'static str {
        if self.filtered { "Jobs that fit" } else { "History" }
    }

    /// How many stand there.
    fn count(&self, state: JobState) -> u64 {
        self.view.counts.of(state)
    }

    /// Jobs behind those of the queue that are shown.
    fn more_waiting(&self) -> Option<u64> {
        self.view.pending().checked_sub(self.view.queue.len() as u64).filter(|more| *more > 0)
    }

    fn older(&self) -> Option<String> {
        let next = self.view.listed.next.as_ref()?;
        let Query { state, r#type, trigger, model, .. } = &self.query;
        let query = [("state", state), ("type", r#type), ("trigger", trigger), ("model", model), ("cursor", next)];
        Some(links::with_query("/jobs", query.map(|(name, value)| (name, value.as_str()))) + "#history")
    }
}
