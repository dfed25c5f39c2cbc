//! `/models/{model}/versions/{version}`: where it comes from, what it has shown, what the gates say.

use std::collections::BTreeSet;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::act::Asker;
use super::curve::{Curve, Line};
use super::done::Done;
use super::drawing::Calibration;
use super::form::sentence;
use super::registry::names;
use super::scorecard::Scorecard;
use super::{Frame, links, page, registry, show};
use crate::app::App;
use crate::app::files::{self, FileError};
use crate::app::views::registry::version::{Shown, VersionView};
use crate::domain::model::{
    ArtifactFile, ArtifactState, Artifacts, EvaluationId, Importances, Keeping, ModelId, ModelStatus, Origin,
    VersionName,
};
use crate::domain::performance::annual;
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::{Params, PathPart};
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/models/{model}/versions/{version}", Role::Viewer, version),
        Route::form("/models/{model}/versions/{version}/verify", Role::Operator, verify),
    ]
}

/// Features that the page lists.
const FEATURES: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    evaluation: String,
    done: String,
}

/// Something that can be done with the version: where it is asked about.
struct Move {
    words: &'static str,
    address: String,
    main: bool,
    danger: bool,
}

#[derive(Template)]
#[template(path = "version.html")]
struct VersionPage {
    frame: Frame,
    view: VersionView,
    scorecard: Scorecard,
    curves: Vec<Curve>,
    moves: Vec<Move>,
    /// What came of reading its files again: whether all is well, and in words.
    verified: Option<(bool, String)>,
    now: Micros,
}

async fn version(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    PathPart(path): PathPart<(String, String)>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let names = names(&path)?;
    let chosen = query.evaluation.parse().ok().map(EvaluationId);
    let shown = VersionPage::find(&app, &caller, names, chosen).await?;
    Ok(page(StatusCode::OK, &VersionPage { frame: Done::new(&query.done).onto(shown.frame), ..shown }))
}

/// Reads its files again, and says what that showed.
async fn verify(
    State(app): State<App>,
    asker: Asker,
    PathPart(path): PathPart<(String, String)>,
) -> Result<Response, ApiError> {
    let (id, name) = names(&path)?;
    let (ask, files) = (asker.ask(), app.clone());
    let checked = {
        let (id, name) = (id.clone(), name.clone());
        blocking(move || Ok::<_, ApiError>(files::verify(&files, &ask, &id, &name))).await?
    };
    let verified = match checked {
        Ok(answer) => (answer.sound, sentence(answer.told())),
        Err(error @ FileError::Busy(_)) => (false, sentence(error)),
        Err(error) => return Err(error.into()),
    };
    let shown = VersionPage::find(&app, &asker.caller, (id, name), None).await?;
    Ok(page(StatusCode::OK, &VersionPage { verified: Some(verified), ..shown }))
}

impl VersionPage {
    async fn find(
        app: &App,
        caller: &Caller,
        (id, name): (ModelId, VersionName),
        chosen: Option<EvaluationId>,
    ) -> Result<Self, ApiError> {
        let now = observe::now();
        let frame = Frame::of(format!("{id} {name}"), caller).at("/models");
        let registry = app.registry.clone();
        let view = blocking(move || VersionView::find(&registry, &id, &name, chosen, now)).await?;
        Ok(Self::of(frame, view, now))
    }

    fn of(frame: Frame, view: VersionView, now: Micros) -> Self {
        let may = frame.may(Role::Operator);
        Self {
            scorecard: Scorecard::of(&view.verdicts),
            curves: view.shown.as_ref().map(curves).unwrap_or_default(),
            moves: if may { moves(&view) } else { Vec::new() },
            verified: None,
            frame,
            view,
            now,
        }
    }

    fn address(&self) -> String {
        links::version(&self.view.model.id, &self.view.version.name)
    }

    /// What keeps its files from being used.
    fn damage(&self) -> Option<&'static str> {
        match self.view.version.artifacts.as_ref()?.state {
            ArtifactState::Sound => None,
            ArtifactState::Empty => {
                Some("One of its files has no content, so it cannot be promoted, not even by force.")
            }
            ArtifactState::Gone => {
                Some("Its files were gone when it was imported, so it cannot be promoted, not even by force.")
            }
        }
    }

    fn origin(&self) -> String {
        match &self.view.version.provenance.origin {
            Origin::Job(job) => format!("job {job}"),
            Origin::Import(what) => format!("import of {what}"),
        }
    }

    fn may_verify(&self) -> bool {
        let has_files = self.view.version.artifacts.as_ref().is_some_and(|artifacts| !artifacts.files.is_empty());
        has_files && self.view.version.deleted.is_none() && self.frame.may(Role::Operator)
    }

    fn kept(&self, artifacts: &Artifacts) -> String {
        let files = show::counted(u32::try_from(artifacts.files.len()).unwrap_or(u32::MAX), "file");
        let size = show::bytes(artifacts.size());
        match &artifacts.keeping {
            Keeping::Kept => format!("{files}, {size}, kept under their digests."),
            Keeping::InPlace(directory) => {
                format!("{files}, {size}, left where they are, in {directory}: whoever has them there keeps them.")
            }
        }
    }

    fn download(&self, file: &ArtifactFile) -> String {
        format!("/api{}/artifacts/{}", self.address(), links::path(&file.path.to_string()))
    }

    fn calibration<'a>(&self, shown: &'a Shown) -> Calibration<'a> {
        Calibration(&shown.series.calibration)
    }

    /// The features that count most, each with its figure and the length of its bar, of 100.
    fn features<'a>(&self, importances: &'a Importances) -> Vec<(&'a str, f64, f64)> {
        let largest = importances.largest();
        let length = |figure: f64| if largest > 0.0 { figure.abs() / largest * 100.0 } else { 0.0 };
        let listed = importances.features.iter().take(FEATURES);
        listed.map(|(name, figure)| (name.as_str(), *figure, length(*figure))).collect()
    }

    /// Figures of training and validation by name.
    fn metrics(&self) -> Vec<(&String, Option<&f64>, Option<&f64>)> {
        let version = &self.view.version;
        let names: BTreeSet<&String> = version.train_metrics.keys().chain(version.validation_metrics.keys()).collect();
        let row = |name| (name, version.train_metrics.get(name), version.validation_metrics.get(name));
        names.into_iter().map(row).collect()
    }

    /// How far the newest Sharpe ratio can be trusted.
    fn precision(&self) -> Option<String> {
        let evaluation = self.view.evaluations.iter().find(|one| one.figures.sharpe_per_period.is_some())?;
        let figures = &evaluation.figures;
        let (sharpe, error) = (annual(figures.sharpe_per_period?), annual(figures.sharpe_error?));
        let lo = figures
            .sharpe_lo
            .map_or_else(String::new, |lo| format!(" Corrected for autocorrelation it is {}.", show::ratio(lo)));
        let record = match (figures.min_track_record, figures.periods) {
            (Some(least), Some(periods)) => format!(
                " To be sure at 95 % that it is above zero takes {} days; there are {}.",
                show::count(least.ceil() as u64),
                show::count(periods)
            ),
            _ => String::new(),
        };
        Some(format!(
            "Annual Sharpe ratio of evaluation {}: {} ± {} (standard error).{lo}{record}",
            evaluation.id,
            show::ratio(sharpe),
            show::ratio(error)
        ))
    }
}

/// What may be done with a version, in the order in which it is done.
fn moves(view: &VersionView) -> Vec<Move> {
    if view.version.deleted.is_some() {
        return Vec::new();
    }
    let address = links::version(&view.model.id, &view.version.name);
    let step = |words, path: &str| Move { words, address: format!("{address}/{path}"), main: false, danger: false };
    let promote = Move { main: true, ..step("Promote…", "promote") };
    let fail = Move { danger: true, ..step("Fail…", "move/failed") };
    let delete = Move { danger: true, ..step("Delete…", "delete") };
    match view.status {
        ModelStatus::Training => vec![promote, step("Move to shadow…", "move/shadow"), fail, delete],
        ModelStatus::Shadow => vec![promote, step("Move to candidate…", "move/candidate"), fail, delete],
        ModelStatus::Candidate => vec![promote, fail, delete],
        ModelStatus::Production => {
            let address = links::rollback(&view.model.id);
            vec![Move { words: "Roll back…", address, main: false, danger: false }]
        }
        ModelStatus::Retired => {
            let address = links::with_query(&links::rollback(&view.model.id), [("to", view.version.name.as_str())]);
            vec![Move { words: "Roll back to it…", address, main: true, danger: false }, delete]
        }
        ModelStatus::Failed => vec![delete],
    }
}

fn curves(shown: &Shown) -> Vec<Curve> {
    let points = &shown.curve.points;
    let Some(last) = points.last() else { return Vec::new() };
    let worst = points.iter().map(|point| point.drawdown).fold(0.0, f64::min);
    let each =
        if shown.curve.days > 1 { format!(" A row stands for {} days.", shown.curve.days) } else { String::new() };
    let days = || points.iter().map(|point| point.day);
    let line = |name: &str, figures: Vec<Option<f64>>| vec![Line { name: name.to_owned(), figures }];
    let totals = points.iter().map(|point| Some(point.total)).collect();
    let drawdowns = points.iter().map(|point| Some(point.drawdown)).collect();
    vec![
        Curve::of_days(
            "equity",
            "Capital",
            format!("Won or lost since the first day: {} at the end.{each}", show::percent(last.total)),
            days(),
            line("since the first day", totals),
        ),
        Curve::of_days(
            "drawdown",
            "Drawdown",
            format!("Below the peak before: {} at the worst.{each}", show::percent(worst)),
            days(),
            line("below the peak", drawdowns),
        ),
    ]
}
