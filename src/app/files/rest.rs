//! Uploads that go on where they broke off: whoever announced what the file's SHA-256 is can send the rest of it later.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{FileAnswer, FileError, NewFile, Piece, attach, fill, living, may_take};
use crate::app::App;
use crate::app::registry::Ask;
use crate::artifacts::{Claim, PartialId};
use crate::domain::access::Actor;
use crate::domain::model::ArtifactFile;

/// How long whoever is at an upload has to let go: they are told at once, and write their last piece.
const LET_GO: Duration = Duration::from_secs(10);

/// What comes of a file, and where it belongs.
pub struct Sent {
    /// None for what cannot be gone on with.
    pub claim: Option<Claim>,
    /// Behind how many bytes.
    offset: u64,
    /// Whether it is all of the rest.
    ends: bool,
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Bytes that are here.
    pub offset: u64,
    /// Whether those are all, and the version has them.
    pub complete: bool,
}

/// What an upload can do next.
pub enum GoingOn {
    /// Send.
    With(Sent),
    /// Nothing: the version has the file.
    Done(FileAnswer),
}

/// What became of what was sent.
#[derive(Debug)]
pub enum Took {
    /// The file is whole; whether it is new in the version.
    Whole(FileAnswer, bool),
    /// The rest may follow; how much is here now.
    Part(u64),
}

impl NewFile {
    /// Which upload it is, for this sender and nobody else. One that was not announced as certain content is none: its rest
    /// could be another file's.
    fn partial(&self, actor: &Actor) -> Option<PartialId> {
        let digest = self.sha256?.to_string();
        let kind = format!("{:?}", actor.kind);
        let of = [&kind, &actor.name, self.model.as_str(), self.version.as_str(), self.path.as_str(), &digest];
        Some(PartialId::of(&of))
    }

    /// The same file in the version already, as after an answer that was lost.
    fn there(&self, app: &App) -> Result<Option<ArtifactFile>, FileError> {
        let version = living(&app.store, &self.model, &self.version)?;
        let file = version.artifacts.as_ref().and_then(|artifacts| artifacts.file(&self.path));
        Ok(file.filter(|file| Some(file.sha256) == self.sha256).cloned())
    }
}

/// A file is sent from its beginning. What there was of it goes; where the same is being sent already, each is for itself.
pub fn begin(app: &App, ask: &Ask, new: &NewFile) -> Sent {
    let claim = new.partial(&ask.actor).and_then(|id| app.files.directory.claim(&id));
    Sent { claim, offset: 0, ends: true }
}

/// How far an upload is. Whoever was still at it is at it no more, so that it stays so. Blocking.
pub fn reached(app: &App, ask: &Ask, new: &NewFile) -> Result<Reached, FileError> {
    if let Some(file) = new.there(app)? {
        return Ok(Reached { offset: file.size, complete: true });
    }
    let claim = take_over(app, ask, new)?;
    let offset = claim.map_or(0, |claim| app.files.directory.partial_size(&claim));
    Ok(Reached { offset, complete: false })
}

/// An upload goes on behind its first `offset` bytes; `ends` where its end comes, too. Blocking.
pub fn go_on(app: &App, ask: &Ask, new: &NewFile, offset: u64, ends: bool) -> Result<GoingOn, FileError> {
    if let Some(file) = new.there(app)? {
        let is_all = offset == file.size;
        return if is_all {
            Ok(GoingOn::Done(FileAnswer::from(&file)))
        } else {
            Err(FileError::Offset { offset: file.size })
        };
    }
    may_take(app, ask, new)?;
    let claim = take_over(app, ask, new)?;
    let here = claim.as_ref().map_or(0, |claim| app.files.directory.partial_size(claim));
    if offset != here {
        return Err(FileError::Offset { offset: here });
    }
    Ok(GoingOn::With(Sent { claim, offset, ends }))
}

fn take_over(app: &App, ask: &Ask, new: &NewFile) -> Result<Option<Claim>, FileError> {
    let Some(id) = new.partial(&ask.actor) else { return Ok(None) };
    app.files.directory.take_over(&id, LET_GO).map(Some).ok_or(FileError::Busy("connections for one upload"))
}

/// Takes what is sent, piece by piece, and, where that ends the file, takes it into its version's manifest. Blocking, for
/// as long as pieces come.
pub fn take(app: &App, ask: &Ask, new: &NewFile, sent: Sent, pieces: mpsc::Receiver<Piece>) -> Result<Took, FileError> {
    let directory = &app.files.directory;
    let Sent { claim, offset, ends } = sent;
    let mut intake = match claim {
        Some(claim) => directory.take_rest(claim, offset, new.length)?,
        None => directory.take_in(new.length)?,
    };
    fill(&mut intake, pieces)?;
    if !ends {
        return Ok(Took::Part(intake.pause()?));
    }
    let (answer, is_new) = attach(app, ask, new, intake)?;
    Ok(Took::Whole(answer, is_new))
}
