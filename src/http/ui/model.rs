//! `/models/{model}`: what of it was in production when, its versions, its history.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::curve::{Curve, Line, Row, Unit};
use super::done::Done;
use super::drawing::{Bar, Bars, COLOURS, Key};
use super::field::Field;
use super::form::Misfits;
use super::registry::{model_id, no_model};
use super::{Frame, links, page, registry, show};
use crate::app::App;
use crate::app::views::registry::model::{ModelQuery, ModelView};
use crate::domain::instant;
use crate::domain::model::{Beginning, ModelStatus, Term, Version};
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/models/{model}", Role::Viewer, model)]
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    at: String,
    metric: String,
    deleted: String,
    /// The version behind which the list goes on.
    after: String,
    /// The number below which the history goes on.
    before: String,
    done: String,
}

/// What fails a gate scores less.
const PASSING_SCORE: f64 = 50.0;

/// What the chart is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    Sharpe,
    Score,
    Drawdown,
}

impl Metric {
    const ALL: [Self; 3] = [Self::Sharpe, Self::Score, Self::Drawdown];

    fn word(self) -> &'static str {
        match self {
            Self::Sharpe => "sharpe",
            Self::Score => "score",
            Self::Drawdown => "drawdown",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sharpe => "Sharpe, annual",
            Self::Score => "Score",
            Self::Drawdown => "Largest drawdown",
        }
    }

    fn unit(self) -> Unit {
        if self == Self::Drawdown { Unit::Percent } else { Unit::Ratio }
    }
}

/// A term with the colour that it has in the picture.
struct TermRow {
    term: Term,
    key: Key,
}

#[derive(Template)]
#[template(path = "model.html")]
struct ModelPage {
    frame: Frame,
    view: ModelView,
    query: Query,
    /// Newest first.
    terms: Vec<TermRow>,
    bars: Bars,
    at: Field,
    as_of: Option<String>,
    metric: Metric,
    chart: Option<Curve>,
    troubles: Vec<String>,
    /// The production pointer, and where it leads.
    pointer: (String, Option<String>),
    now: Micros,
}

async fn model(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    PathPart(id): PathPart<String>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let (id, now) = (model_id(&id)?, observe::now());
    let mut misfits = Misfits::default();
    let at = match query.at.trim() {
        "" => None,
        text => misfits.parsed("at", instant::parse(text, now)),
    };
    let metric = Metric::ALL.into_iter().find(|metric| metric.word() == query.metric).unwrap_or(Metric::Sharpe);
    let asked = ModelQuery {
        at,
        deleted: !query.deleted.is_empty(),
        versions_after: query.after.parse().ok(),
        history_before: query.before.parse().ok(),
        drawdowns: metric == Metric::Drawdown,
    };
    let troubles = registry::troubles(&app);
    let threshold = threshold(&app, metric);
    let name = id.clone();
    let look = move || {
        let Some(view) = ModelView::find(&app.store, &name, &asked, now)? else { return Ok(None) };
        let (pointer, leads) = app.files.directory.pointer(&view.model);
        let pointer = (pointer.display().to_string(), leads.map(|leads| leads.display().to_string()));
        Ok::<_, ApiError>(Some((view, pointer)))
    };
    let (view, pointer) = blocking(look).await?.ok_or_else(no_model)?;
    let frame = Done::new(&query.done).onto(Frame::of(id.to_string(), &caller).at("/models"));
    let (status, frame) = misfits.looked(frame);
    let shown = ModelPage {
        frame,
        bars: bars(&view.terms, now),
        terms: rows(&view.terms),
        at: Field::line("at", "At this instant")
            .value(query.at.trim())
            .hint("2026-11-21, 2026-11-21T03:00:00Z or -7d")
            .misfit(misfits.of("at"))
            .no_capitals(),
        as_of: at.map(|at| as_of(&view, at)),
        chart: chart(&view, metric, threshold),
        metric,
        troubles,
        pointer,
        view,
        query,
        now,
    };
    Ok(page(status, &shown))
}

/// What a version's figure is held against.
fn threshold(app: &App, metric: Metric) -> Option<f64> {
    match metric {
        Metric::Sharpe => app.config.gates.sharpe_min,
        Metric::Score => Some(PASSING_SCORE),
        Metric::Drawdown => app.config.gates.max_drawdown_max,
    }
}

/// Which colour each term has: a version that came back has its own again.
fn colours(terms: &[Term]) -> Vec<usize> {
    let mut names: Vec<_> = Vec::new();
    let mut colour = |term: &Term| {
        let place = names.iter().position(|name| *name == term.version).unwrap_or_else(|| {
            names.push(term.version.clone());
            names.len() - 1
        });
        place % COLOURS + 1
    };
    terms.iter().map(&mut colour).collect()
}

fn bars(terms: &[Term], now: Micros) -> Bars {
    let first = terms.first().map_or(now, |term| term.from);
    let all = now.0.saturating_sub(first.0).max(1) as f64;
    let share = |at: Micros| (at.0.saturating_sub(first.0) as f64 / all).min(1.0);
    let bar = |(term, colour): (&Term, usize)| Bar {
        from: share(term.from),
        until: share(term.until.unwrap_or(now)),
        colour,
    };
    Bars(terms.iter().zip(colours(terms)).map(bar).collect())
}

/// The newest first, as a reader wants them.
fn rows(terms: &[Term]) -> Vec<TermRow> {
    let row = |(term, colour): (&Term, usize)| TermRow { term: term.clone(), key: Key(colour) };
    terms.iter().zip(colours(terms)).map(row).rev().collect()
}

/// What was in production at an instant, in a sentence.
fn as_of(view: &ModelView, at: Micros) -> String {
    let when = at.datetime().format("%Y-%m-%d %H:%M:%S");
    match &view.as_of {
        Some(term) => format!(
            "On {when} {} was in production, {} by {} on {}.",
            term.version,
            term.began.as_str(),
            term.by,
            term.from.datetime().format("%Y-%m-%d %H:%M:%S")
        ),
        None => format!("On {when} nothing of this model was in production."),
    }
}

fn chart(view: &ModelView, metric: Metric, threshold: Option<f64>) -> Option<Curve> {
    if view.newest.is_empty() {
        return None;
    }
    let figure = |version: &Version| match metric {
        Metric::Sharpe => version.sharpe,
        Metric::Score => version.score,
        Metric::Drawdown => view.drawdowns.get(&version.name).copied(),
    };
    let figures: Vec<Option<f64>> = view.newest.iter().map(figure).collect();
    let known = figures.iter().flatten().count();
    let summary =
        format!("Of the {} newest versions {known} were evaluated; by the time they were registered.", figures.len());
    let row = |version: &Version| Row {
        at: version.created_at,
        link: Some((version.name.to_string(), links::version(&view.model.id, &version.name))),
    };
    let rows = view.newest.iter().map(row).collect();
    let line = Line { name: metric.name().to_owned(), figures };
    Some(
        Curve::of_each("metric-chart", metric.name(), summary, metric.unit(), "Version", rows, line)
            .threshold(threshold),
    )
}

impl ModelPage {
    fn may_act(&self) -> bool {
        self.frame.may(Role::Operator)
    }

    /// How many versions have each status that any has.
    fn counts(&self) -> Vec<(ModelStatus, u32)> {
        let counts = ModelStatus::ALL.map(|status| (status, self.view.model.count(status)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    fn first_term(&self) -> Micros {
        self.view.terms.first().map_or(self.now, |term| term.from)
    }

    fn lasted(&self, term: &Term) -> String {
        let until = term.until.unwrap_or(self.now);
        show::since(term.from, until)
    }

    /// Deleted versions are out of the way, not out of sight.
    fn deleted_link(&self) -> Option<(String, String)> {
        let address = links::model(&self.view.model.id);
        match (self.query.deleted.is_empty(), self.view.deleted) {
            (false, _) => Some(("Those that are there".to_owned(), format!("{address}#versions"))),
            (true, 0) => None,
            (true, count) => Some((format!("{count} deleted"), format!("{address}?deleted=yes#versions"))),
        }
    }

    fn older_versions(&self) -> Option<String> {
        let next = self.view.versions_next.as_ref()?;
        let query = [("deleted", self.query.deleted.as_str()), ("after", next.as_str())];
        Some(links::with_query(&links::model(&self.view.model.id), query) + "#versions")
    }

    fn older_history(&self) -> Option<String> {
        let next = self.view.history_next?.to_string();
        Some(links::with_query(&links::model(&self.view.model.id), [("before", next.as_str())]) + "#history")
    }
}
