use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::IntentId;
use super::rules::Raise;
use super::time::Micros;

/// What an intent is about. Later parts add kinds at the end; the stored form is the variant's number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Subject {
    /// A systemd unit.
    Unit(String),
    /// A trading pair.
    Symbol(String),
    /// A model id.
    Model(String),
    /// The backup.
    Backup,
    /// A part of the appliance itself.
    Component(String),
}

impl Subject {
    /// The unit, where the subject is one: the `unit` of the stream's message.
    pub fn unit(&self) -> Option<&str> {
        match self {
            Self::Unit(name) => Some(name),
            _ => None,
        }
    }

    /// The kind, as answers write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unit(_) => "unit",
            Self::Symbol(_) => "symbol",
            Self::Model(_) => "model",
            Self::Backup => "backup",
            Self::Component(_) => "component",
        }
    }

    /// The symbol, where the subject is one.
    pub fn symbol(&self) -> Option<&str> {
        match self {
            Self::Symbol(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit(name) | Self::Symbol(name) | Self::Model(name) | Self::Component(name) => f.write_str(name),
            Self::Backup => f.write_str("backup"),
        }
    }
}

/// How bad.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// The system does not do its work.
    Critical,
}

impl Severity {
    /// As the wire writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What makes an intent one and the same: a rule opens at most one for a subject and window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct IntentKey {
    /// The rule's name, or the part of the appliance that opened it.
    pub rule: String,
    /// What it is about.
    pub subject: Subject,
    /// The window, in the rule's own words (`2026011703` for an hour).
    pub window: String,
}

/// Who acts on an intent when its rule does.
pub const BY_RULE: &str = "rule";

/// Who did something, why, and when.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Note {
    /// A user's name, or `rule` for the rule itself.
    pub by: String,
    /// The reason given.
    pub why: String,
    /// When.
    pub at: Micros,
}

/// Where an intent stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum IntentState {
    /// Nobody has looked yet.
    Open,
    /// Somebody has it.
    Acknowledged,
    /// Over.
    Resolved,
}

impl IntentState {
    /// As commands and answers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// A word that is no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use open, acknowledged or resolved")]
pub struct BadIntentState;

impl FromStr for IntentState {
    type Err = BadIntentState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let states = [Self::Open, Self::Acknowledged, Self::Resolved];
        states.into_iter().find(|state| state.as_str() == text).ok_or(BadIntentState)
    }
}

/// A thing that somebody should look at, with its life.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Intent {
    /// Its number.
    pub id: IntentId,
    /// Rule, subject and window.
    pub key: IntentKey,
    /// How bad, at its worst.
    pub severity: Severity,
    /// One sentence with the figures: `High error rate: 32 errors/hour`.
    pub reason: String,
    /// What to do: `investigate`, `retrain`, ….
    pub suggested_action: String,
    /// The figure the rule watches, as of the last update.
    pub count: u64,
    /// The figure it had to pass.
    pub threshold: u64,
    /// When it opened, by event time.
    pub opened_at: Micros,
    /// When its figure last changed, by event time.
    pub updated_at: Micros,
    /// Set once somebody acknowledged it.
    pub acknowledged: Option<Note>,
    /// Set once it is over.
    pub resolved: Option<Note>,
}

impl Intent {
    /// Where it stands.
    pub fn state(&self) -> IntentState {
        match (&self.resolved, &self.acknowledged) {
            (Some(_), _) => IntentState::Resolved,
            (None, Some(_)) => IntentState::Acknowledged,
            (None, None) => IntentState::Open,
        }
    }

    /// The message for the stream (SPEC §4.3); `consumer` is this appliance's name.
    pub fn message<'a>(&'a self, consumer: &'a str) -> IntentMessage<'a> {
        IntentMessage {
            ts: self.updated_at.seconds(),
            reason: &self.reason,
            unit: self.key.subject.unit(),
            symbol: self.key.subject.symbol(),
            severity: self.severity,
            suggested_action: &self.suggested_action,
            consumer,
        }
    }
}

/// The wire form of an intent (SPEC §4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IntentMessage<'a> {
    /// Seconds since the epoch.
    pub ts: u64,
    /// The sentence.
    pub reason: &'a str,
    /// The unit, or null.
    pub unit: Option<&'a str>,
    /// The symbol, or null.
    pub symbol: Option<&'a str>,
    /// How bad.
    pub severity: Severity,
    /// What to do.
    pub suggested_action: &'a str,
    /// Who says so.
    pub consumer: &'a str,
}

/// What a raise made of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// Worse than before: the stream gets another message.
    Worse,
    /// New figures only.
    Updated,
    /// Nothing: it is over already, or says the same.
    Unchanged,
}

impl Intent {
    /// A new intent from a rule's finding; the stream gets a message.
    pub fn open(id: IntentId, raise: Raise) -> Self {
        Self {
            id,
            key: raise.key,
            severity: raise.severity,
            reason: raise.reason,
            suggested_action: raise.suggested_action,
            count: raise.count,
            threshold: raise.threshold,
            opened_at: raise.at,
            updated_at: raise.at,
            acknowledged: None,
            resolved: None,
        }
    }

    /// Takes in a further finding of the same key. What is over stays over: the window does not open twice.
    pub fn raise_again(&mut self, raise: &Raise) -> Raised {
        if self.resolved.is_some()
            || (self.count, self.severity, self.updated_at) == (raise.count, raise.severity, raise.at)
        {
            return Raised::Unchanged;
        }
        let worse = raise.severity > self.severity;
        self.severity = self.severity.max(raise.severity);
        self.reason.clone_from(&raise.reason);
        self.count = raise.count;
        self.threshold = raise.threshold;
        self.updated_at = raise.at;
        if worse { Raised::Worse } else { Raised::Updated }
    }
}

/// An operator's move that does not fit where the intent stands.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// Resolved already.
    #[error("intent {id} was resolved by {by} at {at}: nothing left to do", at = at.rfc3339())]
    Resolved {
        /// Which.
        id: IntentId,
        /// Who resolved it.
        by: String,
        /// When.
        at: Micros,
    },
    /// Acknowledged already.
    #[error("intent {id} was acknowledged by {by} at {at} already", at = at.rfc3339())]
    Acknowledged {
        /// Which.
        id: IntentId,
        /// Who has it.
        by: String,
        /// Since when.
        at: Micros,
    },
}

impl Intent {
    /// Somebody takes it on.
    pub fn acknowledge(&mut self, note: Note) -> Result<(), MoveError> {
        self.must_be_unresolved()?;
        if let Some(had) = &self.acknowledged {
            return Err(MoveError::Acknowledged { id: self.id, by: had.by.clone(), at: had.at });
        }
        self.acknowledged = Some(note);
        Ok(())
    }

    /// It is over.
    pub fn resolve(&mut self, note: Note) -> Result<(), MoveError> {
        self.must_be_unresolved()?;
        self.resolved = Some(note);
        Ok(())
    }

    fn must_be_unresolved(&self) -> Result<(), MoveError> {
        match &self.resolved {
            Some(had) => Err(MoveError::Resolved { id: self.id, by: had.by.clone(), at: had.at }),
            None => Ok(()),
        }
    }
}
