//! `/schedule`: when which model is trained, why not yet, and what spoke for the trainings that were.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::field::{Choice, Field};
use super::form::sentence;
use super::job::words;
use super::{Frame, links, page, show};
use crate::app::App;
use crate::app::answers::{ScheduleState, TriggerQuery};
use crate::app::views::schedule::{ModelRow, ScheduleAsked, ScheduleView};
use crate::domain::job::Trigger;
use crate::domain::model::ModelType;
use crate::domain::schedule::{Decision, instant, span};
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/schedule", Role::Viewer, schedule)]
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    /// The type of models.
    r#type: String,
    /// The model behind which they are listed.
    after: String,
    /// Why there were triggers.
    trigger: String,
    /// Of which model.
    model: String,
    /// The number below which they are listed.
    before: String,
}

impl Query {
    /// What is none of our words filters nothing: it comes from no form of ours.
    fn asked(&self) -> ScheduleAsked {
        ScheduleAsked {
            kind: self.r#type.parse().ok(),
            after: self.after.parse().ok(),
            triggers: TriggerQuery {
                model_id: self.model.trim().parse().ok(),
                reason: self.trigger.parse().ok(),
                limit: None,
                cursor: self.before.parse::<u64>().ok().map(|before| before.to_string()),
            },
        }
    }
}

#[derive(Template)]
#[template(path = "schedule.html")]
struct SchedulePage {
    frame: Frame,
    view: ScheduleView,
    query: Query,
    kinds: Field,
    filters: Vec<Field>,
    now: Micros,
}

async fn schedule(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let frame = Frame::of("Schedule", &caller).at("/schedule");
    let (asked, now) = (query.asked(), observe::now());
    let look = move || ScheduleView::find(&app.schedule, &app.store, &app.config.scheduler, &asked, now);
    let view = blocking(look).await?;
    let (kinds, filters) = (kinds(&query), filters(&query));
    Ok(page(StatusCode::OK, &SchedulePage { frame, view, query, kinds, filters, now }))
}

fn any(words: &str) -> impl Iterator<Item = Choice> {
    std::iter::once(Choice::new("", words))
}

fn kinds(query: &Query) -> Field {
    let kinds = ModelType::ALL.into_iter().map(|kind| Choice::new(kind.as_str(), kind.as_str()));
    Field::choice("type", "Type", any("any").chain(kinds).collect()).optional().value(&query.r#type)
}

fn filters(query: &Query) -> Vec<Field> {
    let triggers = Trigger::ALL.into_iter().map(|one| Choice::new(one.as_str(), words::trigger(one)));
    vec![
        Field::choice("trigger", "Upon", any("anything").chain(triggers).collect()).optional().value(&query.trigger),
        Field::line("model", "Model").optional().no_capitals().value(&query.model),
    ]
}

impl SchedulePage {
    /// Whether the list begins elsewhere than at its beginning, or has not all.
    fn is_part_of_models(&self) -> bool {
        !(self.query.r#type.is_empty() && self.query.after.is_empty())
    }

    fn is_part_of_triggers(&self) -> bool {
        let Query { trigger, model, before, .. } = &self.query;
        [trigger, model, before].into_iter().any(|value| !value.is_empty())
    }

    /// Whether its training may be asked for beside it: what is refused anyway is not offered.
    fn may_train(&self, row: &ModelRow) -> bool {
        self.frame.may(Role::Operator) && row.can_be_asked_for()
    }

    /// Until when nothing begins, if nothing does now.
    fn quiet(&self) -> String {
        match self.view.rules.quiet_until {
            Some(until) => format!("until {}", instant(until)),
            None if self.view.rules.quiet.is_empty() => "none are configured".to_owned(),
            None => "not now".to_owned(),
        }
    }

    fn cooldown(&self) -> String {
        span(self.view.rules.cooldown_seconds * Micros::SECOND)
    }

    /// The models behind those that are shown; the triggers stay as they are.
    fn more_models(&self) -> Option<String> {
        let next = self.view.next.as_ref()?;
        let Query { r#type, trigger, model, before, .. } = &self.query;
        let query = [("type", r#type), ("trigger", trigger), ("model", model), ("before", before)];
        let query = query.map(|(name, value)| (name, value.as_str()));
        Some(links::with_query("/schedule", query.into_iter().chain([("after", next.as_str())])) + "#models")
    }

    /// The triggers before those that are shown; the models stay as they are.
    fn older(&self) -> Option<String> {
        let next = self.view.triggers.next.as_ref()?;
        let Query { r#type, after, trigger, model, .. } = &self.query;
        let query = [("type", r#type), ("after", after), ("trigger", trigger), ("model", model), ("before", next)];
        Some(links::with_query("/schedule", query.map(|(name, value)| (name, value.as_str()))) + "#triggers")
    }
}

/// A state's class for its badge, and its word.
fn state(state: &ScheduleState) -> (&'static str, &'static str) {
    match state {
        ScheduleState::Starts => ("ok", "starts"),
        ScheduleState::Held => ("warn", "held back"),
        ScheduleState::Open => ("job-running", "in training"),
        ScheduleState::NotDue => ("", "not due"),
        ScheduleState::Off => ("", "off"),
    }
}

/// A decision's class for its badge.
fn tone(decision: &Decision) -> &'static str {
    match decision {
        Decision::Waiting { .. } => "warn",
        Decision::Started { .. } => "ok",
        Decision::Joined { .. } | Decision::Merged { .. } | Decision::Dropped { .. } => "",
    }
}

/// What a decision says besides its word; its job is a link beside it.
fn reason(decision: &Decision) -> String {
    match decision {
        Decision::Waiting { why, until: Some(until) } => sentence(format!("{why}; not before {}", instant(*until))),
        Decision::Waiting { why, until: None } | Decision::Dropped { why } => sentence(why),
        Decision::Started { .. } => String::new(),
        Decision::Joined { .. } => "It was open already, and serves this too.".to_owned(),
        Decision::Merged { trigger } => format!("It waits together with trigger {trigger}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_said_without_its_job() {
        let until = Some("2026-01-16T21:00:00Z".parse().expect("an instant"));
        let quiet = Decision::Waiting { why: "these are no-training hours".into(), until };
        assert_eq!(reason(&quiet), "These are no-training hours; not before 2026-01-16 21:00 UTC.");
        assert_eq!(reason(&Decision::Dropped { why: "no model \"x\" is known".into() }), "No model \"x\" is known.");
        assert_eq!(reason(&Decision::Merged { trigger: 7 }), "It waits together with trigger 7.");
    }

    #[test]
    fn what_comes_from_no_form_of_ours_filters_nothing() {
        let query = Query { r#type: "<b>".into(), before: "-1".into(), trigger: "x".into(), ..Query::default() };
        assert_eq!(query.asked(), ScheduleAsked::default());
    }
}
