//! A page before something is done to a version: what follows from it, and the form that does it. The form carries the
//! model's revision as the page shows it, so that of two people who saw the same only one succeeds, and the other is told
//! what changed.

use askama::Template;
use axum::Extension;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::field::Field;
use super::form::sentence;
use super::scorecard::Scorecard;
use super::{Frame, Tone, links, page};
use crate::app::registry::{Ask, Expected, RegistryError, WHY_BYTES};
use crate::domain::access::Actor;
use crate::domain::model::{Model, VersionName};
use crate::http::error::ApiError;
use crate::http::peer::Caller;
use crate::observe;

/// The page.
#[derive(Template)]
#[template(path = "act.html")]
pub(in crate::http) struct Act {
    /// Around it.
    pub(in crate::http) frame: Frame,
    /// Where it stands: words and addresses.
    pub(in crate::http) crumbs: Vec<(String, String)>,
    /// What should make one think twice.
    pub(in crate::http) warnings: Vec<String>,
    /// Why there is nothing to send.
    pub(in crate::http) refusal: Option<String>,
    /// What follows, a sentence each.
    pub(in crate::http) consequences: Vec<String>,
    /// What can be sent; the first is what the page is about.
    pub(in crate::http) forms: Vec<ActForm>,
    /// What the gates say.
    pub(in crate::http) scorecard: Option<Scorecard>,
    /// The model's revision that all of this is about.
    pub(in crate::http) revision: u64,
    /// Where the no leads.
    pub(in crate::http) back: String,
}

/// One thing to send.
pub(in crate::http) struct ActForm {
    /// Where to.
    pub(in crate::http) action: String,
    /// What there is to choose from.
    pub(in crate::http) choices: Vec<Chance>,
    /// What is chosen.
    pub(in crate::http) legend: &'static str,
    /// The reason.
    pub(in crate::http) why: Field,
    /// What must be ticked.
    pub(in crate::http) tick: Option<&'static str>,
    /// The verb.
    pub(in crate::http) button: &'static str,
    /// Whether it takes something away.
    pub(in crate::http) danger: bool,
}

/// One of several versions to choose from.
pub(in crate::http) struct Chance {
    /// What is sent.
    pub(in crate::http) value: String,
    /// What is read.
    pub(in crate::http) words: String,
    /// And beside it.
    pub(in crate::http) detail: String,
    /// Whether it is chosen already.
    pub(in crate::http) chosen: bool,
}

/// What such a form sends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::http) struct Sent {
    /// The revision that the page showed.
    revision: String,
    /// Why.
    pub(in crate::http) why: String,
    /// Whether past the gates.
    force: String,
    /// The version that was chosen.
    pub(in crate::http) to: String,
}

impl Sent {
    /// Only the revision.
    pub(in crate::http) fn about(revision: String) -> Self {
        Self { revision, ..Self::default() }
    }

    /// Whether the box was ticked.
    pub(in crate::http) fn forces(&self) -> bool {
        self.force == "yes"
    }

    /// Who asks, believing what the page showed. A form without that is none of ours.
    pub(in crate::http) fn ask(&self, asker: &Asker) -> Result<Ask, ApiError> {
        let revision = self.revision.parse().map_err(|_| {
            ApiError::Refused("the form does not say what it was shown for: load the page again".to_owned())
        })?;
        Ok(Ask { expected: Some(Expected::Revision(revision)), ..asker.ask() })
    }
}

/// Who sends a form.
#[derive(Clone, Debug)]
pub(in crate::http) struct Asker {
    /// With which credential.
    pub(in crate::http) caller: Caller,
    /// Under which name.
    actor: Actor,
}

impl Asker {
    /// Who asks, believing nothing.
    pub(in crate::http) fn ask(&self) -> Ask {
        let (actor, grant) = (self.actor.clone(), self.caller.grant);
        Ask { actor, grant, now: observe::now(), key: None, expected: None }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let missing = |error: axum::extract::rejection::ExtensionRejection| ApiError::internal(error);
        let Extension(caller) = Extension::from_request_parts(parts, state).await.map_err(missing)?;
        let Extension(actor) = Extension::from_request_parts(parts, state).await.map_err(missing)?;
        Ok(Self { caller, actor })
    }
}

/// The field for the reason; `why` and `misfit` are what it held and what was wrong with it.
pub(in crate::http) fn reason(why: &str, misfit: &str) -> Field {
    Field::text("why", "Why", 3).most(WHY_BYTES).value(why).misfit(misfit)
}

/// What becomes of a refused form.
pub(in crate::http) enum Refused {
    /// The reason does not do.
    Why(String),
    /// Somebody was first, or the gates are closed: nothing was changed, and this is why.
    Conflict(String),
}

/// What can be said beside the form, with everything as it now is around it; the rest is an error like any other.
pub(in crate::http) fn refused(error: RegistryError) -> Result<Refused, ApiError> {
    Ok(match error {
        RegistryError::Bad { field, why } if field == "why" => Refused::Why(sentence(why)),
        RegistryError::Changed(_)
        | RegistryError::Conflict(_)
        | RegistryError::Gates(_)
        | RegistryError::NoWay(_)
        | RegistryError::Forbidden(_) => Refused::Conflict(sentence(error)),
        other => return Err(other.into()),
    })
}

impl Refused {
    /// What is wrong with the reason; empty if that is not it.
    pub(in crate::http) fn misfit(&self) -> &str {
        match self {
            Self::Why(why) => why,
            Self::Conflict(_) => "",
        }
    }

    /// The page again.
    pub(in crate::http) fn onto(&self, mut act: Act) -> Response {
        let (status, text) = match self {
            Self::Why(why) => (StatusCode::UNPROCESSABLE_ENTITY, why),
            Self::Conflict(why) => (StatusCode::CONFLICT, why),
        };
        act.frame = act.frame.notice(Tone::Bad, format!("Nothing was changed. {text}"));
        page(status, &act)
    }
}

impl Act {
    /// A page about a model, with the way back to it.
    pub(in crate::http) fn about(title: String, caller: &Caller, model: &Model, version: Option<&VersionName>) -> Self {
        let address = links::model(&model.id);
        let mut crumbs = vec![(model.id.to_string(), address.clone())];
        let mut back = address;
        if let Some(version) = version {
            back = links::version(&model.id, version);
            crumbs.push((version.to_string(), back.clone()));
        }
        Self {
            frame: Frame::of(title, caller).at("/models"),
            crumbs,
            warnings: Vec::new(),
            refusal: None,
            consequences: Vec::new(),
            forms: Vec::new(),
            scorecard: None,
            revision: model.revision,
            back,
        }
    }

    /// As a page.
    pub(in crate::http) fn page(&self) -> Response {
        page(StatusCode::OK, self)
    }
}
