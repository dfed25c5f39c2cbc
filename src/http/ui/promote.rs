//! `/models/{model}/versions/{version}/promote`: into production, with everything that follows spelled out first; and the
//! second person's word, where one is asked for.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::act::{Act, ActForm, Asker, Refused, Sent, reason, refused};
use super::consequences::Change;
use super::done::done;
use super::field::Field;
use super::form::{Form, sentence};
use super::registry::names;
use super::scorecard::Scorecard;
use super::{links, show};
use crate::app::App;
use crate::app::registry::{FORCE_WHY_CHARS, Promoted, RegistryError, VersionDetail, WHY_BYTES};
use crate::domain::gates::{Goal, Verdict};
use crate::domain::model::{ArtifactState, ModelId, ModelStatus, Version, VersionName};
use crate::domain::role::Role;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::PathPart;
use crate::http::peer::Caller;
use crate::http::routes::Route;
use crate::observe;
use crate::store::Approval;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/models/{model}/versions/{version}/promote", Role::Operator, ask),
        Route::form("/models/{model}/versions/{version}/promote", Role::Operator, promote),
        Route::form("/models/{model}/versions/{version}/approve", Role::Operator, approve),
        Route::form("/models/{model}/versions/{version}/deny", Role::Operator, deny),
    ]
}

/// Everything that the page is about.
struct Seen {
    detail: VersionDetail,
    verdicts: Vec<Verdict>,
    leaving: Option<Version>,
}

impl Seen {
    async fn find(app: &App, id: &ModelId, name: &VersionName) -> Result<Self, ApiError> {
        let (registry, id, name, now) = (app.registry.clone(), id.clone(), name.clone(), observe::now());
        let look = move || {
            let detail = registry.version(&id, &name, now)?;
            let verdicts = registry.verdicts(&id, &name)?;
            let leaving = match &detail.model.production {
                Some(current) => Some(registry.version(&id, current, now)?.version),
                None => None,
            };
            Ok::<_, RegistryError>(Self { detail, verdicts, leaving })
        };
        blocking(look).await
    }

    /// What the gates to production say.
    fn verdict(&self) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.goal == Goal::Production)
    }

    fn is_open(&self) -> bool {
        self.verdict().is_some_and(|verdict| verdict.passed)
    }

    /// Why it cannot go into production at all, whoever asks.
    fn impossible(&self) -> Option<String> {
        let version = &self.detail.version;
        if version.deleted.is_some() {
            return Some("It was deleted.".to_owned());
        }
        let why = match self.detail.status {
            ModelStatus::Training | ModelStatus::Shadow | ModelStatus::Candidate => match &version.artifacts {
                Some(artifacts) if !artifacts.files.is_empty() => match artifacts.state {
                    ArtifactState::Sound => return None,
                    ArtifactState::Empty => "One of its files has no content: register a new version with whole files.",
                    ArtifactState::Gone => "Its files are gone: register a new version with them.",
                },
                _ => "It has no files: upload them first.",
            },
            ModelStatus::Production => "It is in production already.",
            ModelStatus::Retired => "It was in production before: roll back to it.",
            ModelStatus::Failed => "It has failed, and stays so: register a new version.",
        };
        Some(why.to_owned())
    }

    /// The page, with what the form held and what was wrong with it.
    fn page(self, app: &App, caller: &Caller, why: &str, misfit: &str) -> Act {
        let VersionDetail { model, version, approval, .. } = &self.detail;
        let title = match approval {
            Some(_) => format!("Approve {} {}?", model.id, version.name),
            None => format!("Promote {} {}?", model.id, version.name),
        };
        let mut act = Act::about(title, caller, model, Some(&version.name));
        act.scorecard = Some(Scorecard::of(&self.verdicts));
        if let Some(why) = self.impossible() {
            act.refusal = Some(why);
            return act;
        }
        act.consequences = self.consequences(app);
        let forces = approval.as_ref().map_or(!self.is_open(), |approval| approval.force);
        if forces {
            act.consequences.push(format!(
                "It goes past its gates: {} is marked for ever as forced, with the name of whoever does it and the reason.",
                version.name
            ));
        }
        match approval {
            Some(approval) => self.second_person(&mut act, approval, caller),
            None => self.first_person(&mut act, app, caller, why, misfit),
        }
        act
    }

    fn consequences(&self, app: &App) -> Vec<String> {
        let VersionDetail { model, version, status, .. } = &self.detail;
        let change = Change {
            config: &app.config,
            model,
            coming: Some(version),
            leaving: self.leaving.as_ref(),
            event: "clm.model_promoted",
            now: observe::now(),
        };
        let mut sentences = change.sentences();
        match status {
            ModelStatus::Training => sentences.insert(
                0,
                format!("{} is in training: it passes through shadow and candidate in the same step.", version.name),
            ),
            ModelStatus::Shadow => {
                sentences.insert(0, format!("{} is in shadow: it becomes a candidate in the same step.", version.name));
            }
            _ => {}
        }
        sentences.push(format!("Trials of {} are counted anew from then on.", model.id));
        sentences
    }

    fn first_person(&self, act: &mut Act, app: &App, caller: &Caller, why: &str, misfit: &str) {
        let (id, name) = (&self.detail.model.id, &self.detail.version.name);
        let open = self.is_open();
        if !open {
            let obstacles = self.verdict().map(Verdict::obstacles).unwrap_or_default();
            act.warnings.push(format!("Its gates are closed. {}", sentence(obstacles)));
            if caller.role() < Role::Admin {
                act.refusal = Some("Only an admin may promote it past its gates.".to_owned());
                return;
            }
        }
        let waits = app.config.promotion.approval;
        if waits {
            let patience = u64::try_from(app.config.promotion.approval_expires.as_micros()).unwrap_or(u64::MAX);
            act.consequences.insert(
                0,
                format!("Nothing changes yet: a second person has to approve it within {}.", show::span(patience)),
            );
        }
        let why = reason(why, misfit);
        act.forms.push(ActForm {
            action: links::promote(id, name),
            choices: Vec::new(),
            legend: "",
            why: if open {
                why
            } else {
                why.hint(format!("At least {FORCE_WHY_CHARS} characters: it is kept for ever."))
            },
            tick: (!open).then_some("Past its closed gates. I know that this is marked for ever."),
            button: match (open, waits) {
                (_, true) => "Ask for approval",
                (true, false) => "Promote",
                (false, false) => "Promote past the gates",
            },
            danger: !open,
        });
    }

    fn second_person(&self, act: &mut Act, approval: &Approval, caller: &Caller) {
        let address = links::version(&approval.model, &approval.version);
        act.warnings.push(format!(
            "{} asked for it on {}{}: “{}” It lapses on {}.",
            approval.asked_by,
            approval.asked_at.datetime().format("%Y-%m-%d %H:%M"),
            if approval.force { ", past its closed gates" } else { "" },
            approval.why,
            approval.expires_at.datetime().format("%Y-%m-%d %H:%M"),
        ));
        let form = |action: &str, why, button, danger| ActForm {
            action: format!("{address}/{action}"),
            choices: Vec::new(),
            legend: "",
            why,
            tick: None,
            button,
            danger,
        };
        let own = approval.asked_by == caller.name || approval.person == caller.name;
        if own {
            act.refusal = Some("It waits for a second person: whoever asked cannot approve.".to_owned());
        } else if self.is_open() || approval.force {
            let note = Field::text("why", "What you have to say to it", 2).most(WHY_BYTES).optional();
            act.forms.push(form("approve", note, "Approve and promote", false));
        } else {
            act.refusal = Some("Its gates have closed since: it cannot be approved as it is.".to_owned());
        }
        let because = Field::text("because", "Why not", 2).most(WHY_BYTES);
        act.forms.push(form("deny", because, if own { "Withdraw" } else { "Refuse" }, true));
    }
}

async fn ask(
    State(app): State<App>,
    asker: Asker,
    PathPart(path): PathPart<(String, String)>,
) -> Result<Response, ApiError> {
    let (id, name) = names(&path)?;
    Ok(Seen::find(&app, &id, &name).await?.page(&app, &asker.caller, "", "").page())
}

async fn promote(
    State(app): State<App>,
    asker: Asker,
    PathPart(path): PathPart<(String, String)>,
    Form(sent): Form<Sent>,
) -> Result<Response, ApiError> {
    let (id, name) = names(&path)?;
    let (ask, registry) = (sent.ask(&asker)?, app.registry.clone());
    let (model, version, why, force) = (id.clone(), name.clone(), sent.why.clone(), sent.forces());
    match carry_out(move || registry.promote(&ask, &model, &version, &why, force)).await? {
        Ok(Promoted::Done { warning, .. }) => Ok(done(&links::model(&id), word(warning.is_some()))),
        Ok(Promoted::Waiting { .. }) => Ok(done(&links::version(&id, &name), "approval-asked")),
        Err(refused) => again(&app, &asker, &id, &name, &sent.why, &refused).await,
    }
}

async fn approve(
    State(app): State<App>,
    asker: Asker,
    PathPart(path): PathPart<(String, String)>,
    Form(sent): Form<Sent>,
) -> Result<Response, ApiError> {
    let (id, name) = names(&path)?;
    let (ask, registry) = (sent.ask(&asker)?, app.registry.clone());
    let (model, version, why) = (id.clone(), name.clone(), sent.why.clone());
    match carry_out(move || registry.approve(&ask, &model, &version, &why)).await? {
        Ok(promoted) => {
            let warned = matches!(promoted, Promoted::Done { warning: Some(_), .. });
            Ok(done(&links::model(&id), word(warned)))
        }
        Err(refused) => again(&app, &asker, &id, &name, &sent.why, &refused).await,
    }
}

/// What is said when it is done; `warned` where the disk does not follow.
fn word(warned: bool) -> &'static str {
    if warned { "promoted-only" } else { "promoted" }
}

/// What is sent with a refusal: a page has one field of a name.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    revision: String,
    because: String,
}

async fn deny(
    State(app): State<App>,
    asker: Asker,
    PathPart(path): PathPart<(String, String)>,
    Form(Refusal { revision, because }): Form<Refusal>,
) -> Result<Response, ApiError> {
    let (id, name) = names(&path)?;
    let (ask, registry) = (Sent::about(revision).ask(&asker)?, app.registry.clone());
    let (model, version) = (id.clone(), name.clone());
    match carry_out(move || registry.deny(&ask, &model, &version, &because)).await? {
        Ok(_) => Ok(done(&links::version(&id, &name), "approval-denied")),
        Err(refused) => again(&app, &asker, &id, &name, "", &refused).await,
    }
}

/// What came of it, tried on a thread that may block.
pub(super) async fn carry_out<T: Send + 'static>(
    change: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<Result<T, Refused>, ApiError> {
    match blocking(move || Ok::<_, ApiError>(change())).await? {
        Ok(done) => Ok(Ok(done)),
        Err(error) => refused(error).map(Err),
    }
}

/// The page as everything now is, with what is in the way.
async fn again(
    app: &App,
    asker: &Asker,
    id: &ModelId,
    name: &VersionName,
    why: &str,
    refused: &Refused,
) -> Result<Response, ApiError> {
    let act = Seen::find(app, id, name).await?.page(app, &asker.caller, why, refused.misfit());
    Ok(refused.onto(act))
}
