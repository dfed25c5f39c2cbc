//! The pages: one file a page, each an askama template of the same name and the handlers behind it.

/// Who is signed in, and their own password.
mod account;
/// A page before something is done to a version.
mod act;
/// Who did what.
mod audit;
/// Which backups there are, and how one is restored.
mod backups;
/// Charts, and the tables behind them.
mod chart;
/// Several versions beside each other.
mod compare;
/// One question before what cannot be taken back.
mod confirm;
/// What follows from putting another version into production.
mod consequences;
/// The path of one decision.
mod correlation;
/// Figures over time, and the tables behind them.
mod curve;
/// Messages of the bus that came to nothing.
mod dead_letters;
/// What a page says after a form has done its work.
mod done;
/// Small pictures that the server draws.
mod drawing;
/// One event.
mod event;
/// The list of events.
mod events;
/// Refusals as pages.
pub(super) mod failure;
/// One field of a form.
mod field;
/// What forms send, and where the browser goes from there.
mod form;
/// What every page has around its content.
mod frame;
/// What works and what does not.
mod health;
/// One intent, and what an operator does with it.
mod intent;
/// What somebody should look at.
mod intents;
/// One job.
mod job;
/// What runs, what waits, and what came of the others.
mod jobs;
/// Addresses of pages.
mod links;
/// One model.
mod model;
/// What is in production, and what waits to be.
mod models;
/// Into production.
mod promote;
/// What the pages of the registry have in common.
mod registry;
/// Back to what was in production before.
mod rollback;
/// When which model is trained, and why not yet.
mod schedule;
/// What the gates say of a version.
mod scorecard;
/// Where somebody is signed in.
mod sessions;
/// How pages write instants, spans and figures.
mod show;
/// Signing in and out.
mod sign_in;
/// What else can be done with a version.
mod step;
/// What programs are known by.
mod tokens;
/// What became of the signals.
mod trade_path;
/// One user.
mod user;
/// One version of a model.
mod version;
/// Everybody who may sign in.
mod users;
mod webhooks;

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

pub(super) use self::frame::{Frame, Tone};
use super::csp::POLICY;
use super::error::ApiError;
use super::routes::Route;
use crate::app::App;

/// Every page's routes.
pub(super) fn routes() -> Vec<Route<App>> {
    let mut routes = health::routes();
    routes.extend(events::routes());
    routes.extend(event::routes());
    routes.extend(correlation::routes());
    routes.extend(trade_path::routes());
    routes.extend(intents::routes());
    routes.extend(intent::routes());
    routes.extend(jobs::routes());
    routes.extend(job::routes());
    routes.extend(schedule::routes());
    routes.extend(models::routes());
    routes.extend(model::routes());
    routes.extend(version::routes());
    routes.extend(compare::routes());
    routes.extend(promote::routes());
    routes.extend(rollback::routes());
    routes.extend(step::routes());
    routes.extend(webhooks::routes());
    routes.extend(dead_letters::routes());
    routes.extend(backups::routes());
    routes.extend(sign_in::routes());
    routes.extend(account::routes());
    routes.extend(users::routes());
    routes.extend(user::routes());
    routes.extend(tokens::routes());
    routes.extend(sessions::routes());
    routes.extend(audit::routes());
    routes
}

/// A rendered template as an answer.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let headers =
                [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
            (status, headers, html).into_response()
        }
        Err(error) => ApiError::internal(error).into_response(),
    }
}
