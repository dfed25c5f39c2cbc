//! `/models/{model}/versions/{version}/move/{status}` and `…/delete`: what else can be done with a version.

use axum::extract::State;
use axum::response::Response;

use super::act::{Act, ActForm, Asker, Sent, reason};
use super::done::done;
use super::form::Form;
use super::promote::carry_out;
use super::registry::names;
use super::scorecard::Scorecard;
use super::{links, show};
use crate::app::App;
use crate::app::registry::{RegistryError, VersionDetail};
use crate::domain::gates::Verdict;
use crate::domain::model::{Keeping, ModelId, ModelStatus, VersionName};
use crate::domain::role::Role;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::PathPart;
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/models/{model}/versions/{version}/move/{status}", Role::Operator, ask_move),
        Route::form("/models/{model}/versions/{version}/move/{status}", Role::Operator, carry_out_move),
        Route::page("/models/{model}/versions/{version}/delete", Role::Operator, ask_delete),
        Route::form("/models/{model}/versions/{version}/delete", Role::Operator, delete),
    ]
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// Watch.
    Shadow,
    /// Be fit for production.
    Candidate,
    /// Give it up.
    Fail,
    /// Take it away.
    Delete,
}

impl Deed {
    /// The deed of a path's last part.
    fn of(word: &str) -> Result<Self, ApiError> {
        match word {
            "shadow" => Ok(Self::Shadow),
            "candidate" => Ok(Self::Candidate),
            "failed" => Ok(Self::Fail),
            _ => Err(ApiError::NotFound("there is no such move".to_owned())),
        }
    }

    fn status(self) -> Option<ModelStatus> {
        match self {
            Self::Shadow => Some(ModelStatus::Shadow),
            Self::Candidate => Some(ModelStatus::Candidate),
            Self::Fail => Some(ModelStatus::Failed),
            Self::Delete => None,
        }
    }

    fn question(self, id: &ModelId, name: &VersionName) -> String {
        match self {
            Self::Shadow => format!("Move {id} {name} to shadow?"),
            Self::Candidate => format!("Make {id} {name} a candidate?"),
            Self::Fail => format!("Fail {id} {name}?"),
            Self::Delete => format!("Delete {id} {name}?"),
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::Shadow => "Move to shadow",
            Self::Candidate => "Make it a candidate",
            Self::Fail => "Fail it",
            Self::Delete => "Delete",
        }
    }

    /// The last part of the form's address.
    fn path(self) -> &'static str {
        match self {
            Self::Shadow => "move/shadow",
            Self::Candidate => "move/candidate",
            Self::Fail => "move/failed",
            Self::Delete => "delete",
        }
    }
}

struct Seen {
    detail: VersionDetail,
    verdicts: Vec<Verdict>,
}

impl Seen {
    async fn find(app: &App, id: &ModelId, name: &VersionName) -> Result<Self, ApiError> {
        let (registry, id, name) = (app.registry.clone(), id.clone(), name.clone());
        let look = move || {
            let (detail, verdicts) = (registry.version(&id, &name, observe::now())?, registry.verdicts(&id, &name)?);
            Ok::<_, RegistryError>(Self { detail, verdicts })
        };
        blocking(look).await
    }

    fn page(self, asker: &Asker, deed: Deed, why: &str, misfit: &str) -> Act {
        let VersionDetail { model, version, .. } = &self.detail;
        let title = deed.question(&model.id, &version.name);
        let mut act = Act::about(title, &asker.caller, model, Some(&version.name));
        if version.deleted.is_some() {
            act.refusal = Some("It was deleted already.".to_owned());
            return act;
        }
        act.consequences = self.consequences(deed);
        if matches!(deed, Deed::Shadow | Deed::Candidate) {
            act.scorecard = Some(Scorecard::of(&self.verdicts));
        }
        act.forms.push(ActForm {
            action: format!("{}/{}", links::version(&model.id, &version.name), deed.path()),
            choices: Vec::new(),
            legend: "",
            why: reason(why, misfit),
            tick: None,
            button: deed.button(),
            danger: matches!(deed, Deed::Fail | Deed::Delete),
        });
        act
    }

    fn consequences(&self, deed: Deed) -> Vec<String> {
        let VersionDetail { version, status, .. } = &self.detail;
        match deed {
            Deed::Shadow | Deed::Candidate => {
                let to = deed.status().map_or("", ModelStatus::as_str);
                vec![format!(
                    "{} goes from {status} to {to}, if its gates let it. What is in production stays.",
                    version.name
                )]
            }
            Deed::Fail => vec![
                format!("{} goes from {status} to failed, and stays failed: nothing leads back.", version.name),
                "Its evaluations go on counting as trials; what is in production stays.".to_owned(),
            ],
            Deed::Delete => {
                let files = match &version.artifacts {
                    Some(artifacts) if artifacts.keeping == Keeping::Kept => format!(
                        "Its files ({}) go, but for those that another version has, too.",
                        show::bytes(artifacts.size())
                    ),
                    Some(_) => "Its files stay where they are: they were never ours.".to_owned(),
                    None => "It has no files.".to_owned(),
                };
                vec![
                    format!("{} cannot be promoted, compared or rolled back to any more. Nothing leads back.", version.name),
                    files,
                    "A tombstone stays with the name, which is never given again; its evaluations go on counting as trials."
                        .to_owned(),
                ]
            }
        }
    }
}

type Path = (String, String, String);

async fn ask_move(State(app): State<App>, asker: Asker, PathPart(path): PathPart<Path>) -> Result<Response, ApiError> {
    let (model, version, status) = path;
    let (deed, (id, name)) = (Deed::of(&status)?, names(&(model, version))?);
    Ok(Seen::find(&app, &id, &name).await?.page(&asker, deed, "", "").page())
}

async fn ask_delete(
    State(app): State<App>,
    asker: Asker,
    PathPart(path): PathPart<(String, String)>,
) -> Result<Response, ApiError> {
    let (id, name) = names(&path)?;
    Ok(Seen::find(&app, &id, &name).await?.page(&asker, Deed::Delete, "", "").page())
}

async fn carry_out_move(
    State(app): State<App>,
    asker: Asker,
    PathPart(path): PathPart<Path>,
    Form(sent): Form<Sent>,
) -> Result<Response, ApiError> {
    let (model, version, status) = path;
    let (deed, (id, name)) = (Deed::of(&status)?, names(&(model, version))?);
    act(&app, &asker, deed, (id, name), sent).await
}

async fn delete(
    State(app): State<App>,
    asker: Asker,
    PathPart(path): PathPart<(String, String)>,
    Form(sent): Form<Sent>,
) -> Result<Response, ApiError> {
    act(&app, &asker, Deed::Delete, names(&path)?, sent).await
}

async fn act(
    app: &App,
    asker: &Asker,
    deed: Deed,
    (id, name): (ModelId, VersionName),
    sent: Sent,
) -> Result<Response, ApiError> {
    let (ask, registry) = (sent.ask(asker)?, app.registry.clone());
    let (model, version, why) = (id.clone(), name.clone(), sent.why.clone());
    let change = move || match deed.status() {
        Some(status) => registry.advance(&ask, &model, &version, status, &why).map(drop),
        None => registry.delete(&ask, &model, &version, &why).map(drop),
    };
    match carry_out(change).await? {
        Ok(()) => Ok(match deed {
            Deed::Shadow | Deed::Candidate => done(&links::version(&id, &name), "version-moved"),
            Deed::Fail => done(&links::version(&id, &name), "version-failed"),
            Deed::Delete => done(&links::model(&id), "version-deleted"),
        }),
        Err(refused) => {
            let act = Seen::find(app, &id, &name).await?.page(asker, deed, &sent.why, refused.misfit());
            Ok(refused.onto(act))
        }
    }
}
