use crate::app::answers::IntentAnswer;
use crate::app::change::{KeyUsed, once};
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::id::IntentId;
use crate::domain::intent::{Intent, MoveError, Note};
use crate::domain::request_key::RequestKey;
use crate::domain::time::Micros;
use crate::store::{Store, StoreError};

/// The longest reason.
pub const WHY_BYTES: usize = 1_000;

/// What an operator may do with an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Take it on.
    Acknowledge,
    /// Say that it is over.
    Resolve,
}

impl Move {
    /// The action, as the audit log names it.
    pub fn action(self) -> &'static str {
        match self {
            Self::Acknowledge => "intent.acknowledge",
            Self::Resolve => "intent.resolve",
        }
    }

    fn make(self, intent: &mut Intent, note: Note) -> Result<(), MoveError> {
        match self {
            Self::Acknowledge => intent.acknowledge(note),
            Self::Resolve => intent.resolve(note),
        }
    }
}

/// Why an intent stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// Nobody opened one of this number.
    #[error("there is no intent {0}")]
    Unknown(IntentId),
    /// No reason, or a novel.
    #[error("say why, in at most {WHY_BYTES} bytes")]
    Why,
    /// The move does not fit where the intent stands.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// The key has done something else already.
    #[error(transparent)]
    KeyUsed(#[from] KeyUsed),
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The answer that is kept under the key.
    #[error("the answer kept under an Idempotency-Key: {0}")]
    Answer(#[from] serde_json::Error),
}

/// Carries out `what` in the name of `actor`: the change, its audit record and the key's answer in one transaction.
/// With a `key` that was used for the same before, nothing happens again and the answer is what it was then.
pub fn carry_out(
    store: &Store,
    id: IntentId,
    what: Move,
    actor: &Actor,
    why: &str,
    key: Option<&RequestKey>,
    now: Micros,
) -> Result<IntentAnswer, IntentError> {
    let why = why.trim();
    if why.is_empty() || why.len() > WHY_BYTES {
        return Err(IntentError::Why);
    }
    let action = what.action();
    let request = format!("{action} {id}: {why}");
    store.write(|txn| {
        once(txn, key, &request, now, || {
            let mut intent = txn.intent(id)?.ok_or(IntentError::Unknown(id))?;
            what.make(&mut intent, Note { by: actor.name.clone(), why: why.to_owned(), at: now })?;
            txn.put_intent(&intent)?;
            txn.audit(AuditEntry::done(now, actor, action, format!("intent {id}"), why))?;
            Ok(IntentAnswer::from(&intent))
        })
    })
}
