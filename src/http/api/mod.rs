//! The API: one file a resource.

mod artifacts;
mod audit;
pub(in crate::http) mod backups;
mod clm;
mod clm_jobs;
mod compare;
mod counters;
mod dead_letters;
mod description;
mod evaluations;
mod events;
mod examples;
mod health;
mod history;
mod hooks;
mod import;
mod intents;
mod job_log;
mod jobs;
mod live;
mod me;
mod models;
mod promotion;
mod publish;
mod schedule;
mod sessions;
mod status;
mod takeover;
mod tokens;
mod uploads;
mod users;
mod versions;
mod webhooks;
mod work;

use std::any::Any;

use axum::extract::FromRef;

use super::error::ApiError;
use super::routes::Route;
use super::{assets, csp, open, ui};
use crate::app::App;
use crate::app::answers::{QueryError, ScheduleQueryError};
use crate::app::schedule::ScheduleError;
use crate::observe::metrics::Metrics;
use crate::observe::status::StatusBoard;
use crate::store::StoreError;

/// Every route of the product.
pub fn routes() -> Vec<Route<App>> {
    let mut routes = open::routes();
    routes.extend(health::routes());
    routes.extend(status::routes());
    routes.extend(events::routes());
    routes.extend(publish::routes());
    routes.extend(live::routes());
    routes.extend(counters::routes());
    routes.extend(intents::routes());
    routes.extend(models::routes());
    routes.extend(versions::routes());
    routes.extend(evaluations::routes());
    routes.extend(promotion::routes());
    routes.extend(history::routes());
    routes.extend(compare::routes());
    routes.extend(clm::routes());
    routes.extend(clm_jobs::routes());
    routes.extend(jobs::routes());
    routes.extend(job_log::routes());
    routes.extend(schedule::routes());
    routes.extend(artifacts::routes());
    routes.extend(uploads::routes());
    routes.extend(hooks::routes());
    routes.extend(webhooks::routes());
    routes.extend(dead_letters::routes());
    routes.extend(backups::routes());
    routes.extend(import::routes());
    routes.extend(takeover::routes());
    routes.extend(work::routes());
    routes.extend(me::routes());
    routes.extend(users::routes());
    routes.extend(tokens::routes());
    routes.extend(sessions::routes());
    routes.extend(audit::routes());
    routes.extend(ui::routes());
    routes.extend(assets::routes());
    routes.extend(csp::routes());
    description::add(routes)
}

impl FromRef<App> for StatusBoard {
    fn from_ref(app: &App) -> Self {
        app.board.clone()
    }
}

impl FromRef<App> for Metrics {
    fn from_ref(app: &App) -> Self {
        app.metrics.clone()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_full() { Self::Unavailable(error.to_string()) } else { Self::internal(error) }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Bad { field, why } => Self::unfit("query", field, why),
            QueryError::Store(error) => error.into(),
        }
    }
}

impl From<ScheduleError> for ApiError {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Store(error) => error.into(),
            ScheduleError::Job(_) => Self::internal(error),
        }
    }
}

impl From<ScheduleQueryError> for ApiError {
    fn from(error: ScheduleQueryError) -> Self {
        match error {
            ScheduleQueryError::Query(error) => error.into(),
            ScheduleQueryError::Schedule(error) => error.into(),
        }
    }
}

/// Runs a look into the data file on a thread that may block.
pub(in crate::http) async fn blocking<T, E>(look: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Send + 'static,
    ApiError: From<E>,
{
    let seen = on_a_thread(Box::new(move || Box::new(look()))).await?;
    let seen = seen.downcast::<Result<T, E>>().map_err(|_| ApiError::internal("an answer of another type"))?;
    seen.map_err(ApiError::from)
}

/// What was seen, whatever it is.
type Seen = Box<dyn Any + Send>;

/// One task for all looks: the runtime's code for a task of each would be a twentieth of the program.
async fn on_a_thread(look: Box<dyn FnOnce() -> Seen + Send>) -> Result<Seen, ApiError> {
    tokio::task::spawn_blocking(look).await.map_err(ApiError::internal)
}
