//! `/models`: what is in production, and what waits to be.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::done::Done;
use super::drawing::Sparkline;
use super::field::{Choice, Field};
use super::{Frame, links, page, show};
use crate::app::App;
use crate::app::views::registry::models::{Having, ModelRow, ModelsFilter, ModelsView};
use crate::domain::model::{ModelStatus, ModelType};
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/models", Role::Viewer, models)]
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    r#type: String,
    status: String,
    after: String,
    done: String,
}

#[derive(Template)]
#[template(path = "models.html")]
struct ModelsPage {
    frame: Frame,
    view: ModelsView,
    query: Query,
    kind: Field,
    status: Field,
    filtered: bool,
    troubles: Vec<String>,
    now: Micros,
}

async fn models(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let now = observe::now();
    // What is no type and no status filters nothing: such words come from no form of ours.
    let filter = ModelsFilter {
        model_type: query.r#type.parse().ok(),
        having: Having::parse(&query.status),
        after: query.after.parse().ok(),
    };
    let filtered = filter.model_type.is_some() || filter.having.is_some();
    let troubles = super::registry::troubles(&app);
    let view = blocking(move || ModelsView::find(&app.store, &filter, now)).await?;
    let frame = Done::new(&query.done).onto(Frame::of("Models", &caller).at("/models"));
    let (kind, status) = (kinds(&query.r#type), statuses(&query.status));
    Ok(page(StatusCode::OK, &ModelsPage { frame, view, kind, status, filtered, troubles, query, now }))
}

fn kinds(chosen: &str) -> Field {
    let kinds = ModelType::ALL.into_iter().map(|kind| Choice::new(kind.as_str(), kind.as_str()));
    let options = std::iter::once(Choice::new("", "any")).chain(kinds).collect();
    Field::choice("type", "Type", options).optional().value(chosen)
}

fn statuses(chosen: &str) -> Field {
    let statuses = ModelStatus::ALL.into_iter().map(|status| {
        let words = match status {
            ModelStatus::Production => "something in production".to_owned(),
            status => format!("a version that is {status}"),
        };
        Choice::new(status.as_str(), words)
    });
    let none = Choice::new(Having::NONE, "nothing in production");
    let options = [Choice::new("", "any"), none].into_iter().chain(statuses).collect();
    Field::choice("status", "That have", options).optional().value(chosen)
}

impl ModelsPage {
    fn heading(&self) -> String {
        let all = self.view.fitting;
        match (self.view.rows.len(), all) {
            (shown, all) if shown == all => show::counted(u32::try_from(all).unwrap_or(u32::MAX), "model"),
            (shown, all) => format!("{shown} of {} models", show::count(all as u64)),
        }
    }

    /// The scores of the newest versions as a picture; what is in production is marked.
    fn spark(&self, row: &ModelRow) -> Sparkline {
        let marked = row.trend.iter().position(|(name, _)| row.model.production.as_ref() == Some(name));
        let scores: Vec<f64> = row.trend.iter().map(|(_, score)| *score).collect();
        let written: Vec<String> = scores.iter().map(show::score).collect();
        Sparkline::new(scores, marked, format!("Scores, oldest first: {}", written.join(", ")))
    }

    fn older(&self) -> Option<String> {
        let next = self.view.next.as_ref()?;
        let query = [("type", self.query.r#type.as_str()), ("status", &self.query.status), ("after", next.as_str())];
        Some(links::with_query("/models", query))
    }
}
