use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::chart::Chart;
use super::{Frame, page, show};
use crate::app::App;
use crate::app::views::charts::{Charts, Window};
use crate::app::views::health::{FileView, HealthView};
use crate::domain::disk::Outlook;
use crate::domain::health::{State as Condition, Verdict};
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;
use crate::pipeline::TICK_MICROS;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/", Role::Viewer, health)]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    window: String,
}

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    frame: Frame,
    view: HealthView,
    verdict: String,
    charts: Vec<Chart>,
    window: Window,
    started: Micros,
    now: Micros,
}

async fn health(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let (window, now, started) = (Window::parse(&query.window).unwrap_or(Window::Day), observe::now(), app.started);
    let view = blocking(move || Ok::<_, ApiError>(HealthView::find(&app, window, now))).await?;
    let charts = view.file.as_ref().map(|file| charts(&file.charts, window)).unwrap_or_default();
    let verdict = verdict(&view);
    let frame = Frame::of("Health", &caller).at("/");
    Ok(page(StatusCode::OK, &HealthPage { frame, view, verdict, charts, window, started, now }))
}

/// The verdict in words.
fn verdict(view: &HealthView) -> String {
    let names = |of: Condition| -> Vec<&str> {
        view.components.iter().filter(|part| part.state == of).map(|part| part.name.as_str()).collect()
    };
    let (failed, warned) = (names(Condition::Failed), names(Condition::Warn));
    match view.health.overall {
        Verdict::Degraded if failed.is_empty() => "Degraded: a part that is needed does not report.".to_owned(),
        Verdict::Degraded => format!("Degraded: {} {} not work.", list(&failed), does(&failed)),
        Verdict::Healthy if !failed.is_empty() => {
            format!("Events come in and are judged, but {} {} not work.", list(&failed), does(&failed))
        }
        Verdict::Healthy if !warned.is_empty() => format!("Everything works; look at {}.", list(&warned)),
        Verdict::Healthy => "Everything works.".to_owned(),
    }
}

fn does(names: &[&str]) -> &'static str {
    if names.len() == 1 { "does" } else { "do" }
}

fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

impl HealthPage {
    /// The class of the verdict's ground, and the word beside it.
    fn tone(&self) -> (&'static str, &'static str) {
        match self.view.health.overall {
            Verdict::Degraded => ("bad", "degraded"),
            Verdict::Healthy if self.view.concerns().next().is_some() => ("warn", "healthy"),
            Verdict::Healthy => ("good", "healthy"),
        }
    }

    /// Up to where the journal is known to be read: to its last entry, or to the last tick, which comes once a minute
    /// where there is nothing to read.
    fn read_up_to(&self, file: &FileView) -> Option<Micros> {
        file.feed.tick.max(file.feed.position.as_ref().map(|position| position.ts))
    }

    fn lag(&self, file: &FileView) -> String {
        match self.read_up_to(file).map(|at| self.now.0.saturating_sub(at.0)) {
            Some(lag) if lag < TICK_MICROS + 5 * Micros::SECOND => "under a minute".to_owned(),
            Some(lag) => show::span(lag),
            None => "not read yet".to_owned(),
        }
    }
}

/// What the disk's outlook says: the figure, and what it rests on.
fn outlook(file: &FileView) -> (String, String) {
    let rate = |a_day: u64| {
        format!(
            "{} a day: {} events of the last 24 h, at their size so far",
            show::bytes(a_day),
            show::count(file.a_day.0)
        )
    };
    match file.outlook {
        None => ("unknown".to_owned(), "the system does not tell what is free".to_owned()),
        Some(Outlook::Quiet) => ("no growth".to_owned(), "no events in the last 24 h".to_owned()),
        Some(Outlook::Fills { days, a_day }) => (days_left(days), format!("growing by {}", rate(a_day))),
        Some(Outlook::Settles { bytes, a_day }) => {
            ("enough".to_owned(), format!("retention ends it at {}; growing by {}", show::bytes(bytes), rate(a_day)))
        }
    }
}

fn days_left(days: f64) -> String {
    if days < 2.0 { format!("{:.0} h left", days * 24.0) } else { format!("{days:.0} days left") }
}

fn charts(charts: &Charts, window: Window) -> Vec<Chart> {
    let each = window.each();
    [
        ("events-by-unit", format!("Events {each}, by unit"), &charts.units),
        ("errors-by-unit", format!("Errors {each}, by unit"), &charts.errors),
        ("events-by-symbol", format!("Events {each}, by symbol"), &charts.symbols),
    ]
    .map(|(id, title, series)| Chart::lines(id, title, charts.steps, series.clone()))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        assert_eq!(
            [days_left(0.5), days_left(1.99), days_left(2.0), days_left(40.4)],
            ["12 h left", "48 h left", "2 days left", "40 days left"]
        );
    }

    #[test]
    fn lists() {
        assert_eq!(
            [list(&[]), list(&["a"]), list(&["a", "b"]), list(&["a", "b", "c"])],
            ["", "a", "a and b", "a, b and c"]
        );
    }
}
