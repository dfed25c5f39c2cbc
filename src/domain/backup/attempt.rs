use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BackupId;
use crate::domain::time::Micros;

/// Something that was to be done with a backup: one that was asked for, or another look at one that is there.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Attempt {
    /// Its number; attempts are made one after the other, in this order.
    pub number: u64,
    /// What it is for.
    pub kind: AttemptKind,
    /// The backup: known from the beginning where it is verified, and from its end where it is made.
    pub backup: Option<BackupId>,
    /// Who asked for it.
    pub by: String,
    /// Why, in their words; may be empty.
    pub why: String,
    /// When it was asked for.
    pub asked_at: Micros,
    /// When it was begun.
    pub begun_at: Option<Micros>,
    /// When it was over.
    pub ended_at: Option<Micros>,
    /// How it stands.
    pub state: AttemptState,
    /// The step that it is at, or ended at.
    pub stage: Option<Stage>,
    /// Bytes of the backup's data file as stored; of a verification, those that were read.
    pub bytes: u64,
    /// Rows that are in it.
    pub rows: u64,
    /// Events that are in it.
    pub events: u64,
    /// Files of models that should be in it and could not be read.
    pub lacking: u64,
    /// Why it came to nothing, or what should be known although it did not.
    pub error: Option<String>,
    /// The copies elsewhere that are wanted, in the order in which they are made.
    pub copies: Vec<RemoteCopy>,
    /// Of a verification that found damage: whether that is in models' files only, which a later backup puts anew for all
    /// that name them.
    pub mendable: bool,
}

/// What an attempt is for. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AttemptKind {
    /// A backup is made.
    Make,
    /// A backup that is there is verified again.
    Verify,
}

/// How an attempt stands. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AttemptState {
    /// Another one is before it.
    Waiting,
    /// Under way.
    Running,
    /// The backup is whole.
    Done,
    /// It came to nothing, or the backup is not whole.
    Failed,
    /// The daemon ended before it did.
    Interrupted,
    /// A verification that could not be carried out: of the backup nothing more is known than before.
    Inconclusive,
}

impl AttemptState {
    /// Whether nothing more comes of it.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }

    /// As answers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A step of an attempt. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The data file is copied from one snapshot.
    Copy,
    /// Models' files that no earlier backup has are copied.
    Artifacts,
    /// A process of its own looks through the copy.
    Verify,
    /// It is encrypted.
    Seal,
    /// It gets its name.
    Commit,
    /// Older ones that no rule wants are removed.
    Prune,
}

impl Stage {
    /// What is being done, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Copy => "copying the data file",
            Self::Artifacts => "copying models' files",
            Self::Verify => "verifying",
            Self::Seal => "encrypting",
            Self::Commit => "putting it into its place",
            Self::Prune => "removing older ones",
        }
    }
}

/// The copy of a backup in a store elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RemoteCopy {
    /// Where: `s3://bucket/prefix`.
    pub to: String,
    /// How it stands.
    pub state: CopyState,
    /// How often it was tried.
    pub tries: u32,
    /// When it was there, or given up.
    pub ended_at: Option<Micros>,
    /// What was wrong the last time.
    pub error: Option<String>,
}

/// How a copy elsewhere stands. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CopyState {
    /// The backup itself is not whole yet, or another copy is before it.
    Waiting,
    /// On its way.
    Running,
    /// There.
    Done,
    /// Given up, until another copy gets there: this one is sent behind it then.
    Failed,
}

impl CopyState {
    /// Whether nothing more comes of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }

    /// As answers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl RemoteCopy {
    /// One that is wanted.
    pub fn wanted(to: impl Into<String>) -> Self {
        Self { to: to.into(), state: CopyState::Waiting, tries: 0, ended_at: None, error: None }
    }
}

impl Attempt {
    /// One that is asked for now.
    pub fn asked(number: u64, kind: AttemptKind, by: &str, why: &str, now: Micros) -> Self {
        Self {
            number,
            kind,
            backup: None,
            by: by.to_owned(),
            why: why.to_owned(),
            asked_at: now,
            begun_at: None,
            ended_at: None,
            state: AttemptState::Waiting,
            stage: None,
            bytes: 0,
            rows: 0,
            events: 0,
            lacking: 0,
            error: None,
            copies: Vec::new(),
            mendable: false,
        }
    }

    /// Wants a copy at `to`, if none is wanted there yet.
    pub fn copy_to(&mut self, to: &str) {
        if self.copy_at(to).is_none() {
            self.copies.push(RemoteCopy::wanted(to));
        }
    }

    /// The copy at `to`.
    pub fn copy_at(&self, to: &str) -> Option<&RemoteCopy> {
        self.copies.iter().find(|copy| copy.to == to)
    }

    /// Whether it was a look through a backup that came to its end: then it says how the backup is.
    pub fn has_looked(&self) -> bool {
        self.kind == AttemptKind::Verify && matches!(self.state, AttemptState::Done | AttemptState::Failed)
    }

    /// Whether it was such a look and came to none, so that it is wanted still.
    pub fn looked_in_vain(&self) -> bool {
        self.kind == AttemptKind::Verify && matches!(self.state, AttemptState::Inconclusive | AttemptState::Interrupted)
    }

    /// Whether a whole backup came of it.
    pub fn made_one(&self) -> bool {
        self.kind == AttemptKind::Make && self.state == AttemptState::Done
    }

    /// Whether a backup came of it that has everything.
    pub fn made_a_complete_one(&self) -> bool {
        self.made_one() && self.lacking == 0
    }

    /// Whether a backup was to come of it, and did not.
    pub fn made_none(&self) -> bool {
        self.kind == AttemptKind::Make && matches!(self.state, AttemptState::Failed | AttemptState::Interrupted)
    }

    /// Begins it.
    pub fn begin(&mut self, now: Micros) {
        self.state = AttemptState::Running;
        self.begun_at = Some(now);
    }

    /// Ends it.
    pub fn end(&mut self, state: AttemptState, error: Option<String>, now: Micros) {
        self.state = state;
        self.ended_at = Some(now);
        self.error = error;
    }
}
