use super::{BusIn, Followed, Refusal};
use crate::app::intents::WHY_BYTES;
use crate::app::schedule::Recorded;
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::bus_in::{DeadLetter, LetterState, Message};
use crate::domain::time::Micros;
use crate::store::{StoreError, WriteTxn};

/// What an operator may do with a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterMove {
    /// Process it once more.
    Replay,
    /// Say that nobody wants it, and why.
    Discard(String),
}

/// Why a dead letter stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// There is none of this number, or no longer.
    #[error("there is no dead letter {0}")]
    Unknown(u64),
    /// Somebody was first.
    #[error("dead letter {number} was {what} by {by} already")]
    Over {
        /// Which.
        number: u64,
        /// `replayed` or `discarded`.
        what: &'static str,
        /// By whom.
        by: String,
    },
    /// It failed again. That is noted.
    #[error("dead letter {number} failed again: {why}")]
    Failed {
        /// Which.
        number: u64,
        /// In words.
        why: String,
    },
    /// No reason, or a novel.
    #[error("say why, in at most {WHY_BYTES} bytes")]
    Why,
    /// The data file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BusIn {
    /// Does `what` with a letter in the name of `actor`: the change, what follows from the message, and the audit record
    /// are one transaction. A letter is over once; one that fails again waits on, with its new error.
    pub fn carry_out(
        &self,
        number: u64,
        what: &LetterMove,
        actor: &Actor,
        now: Micros,
    ) -> Result<DeadLetter, LetterError> {
        let done = match what {
            LetterMove::Replay => {
                let replayed = self.store.write(|txn| self.replay(txn, number, actor, now));
                replayed.map(|(letter, recorded)| {
                    self.effects.committed(&recorded);
                    letter
                })
            }
            LetterMove::Discard(why) => self.store.write(|txn| discard(txn, number, why, actor, now)),
        };
        if let Err(LetterError::Failed { why, .. }) = &done {
            self.store.write::<_, LetterError>(|txn| {
                let mut letter = waiting(txn, number)?;
                letter.tries = letter.tries.saturating_add(1);
                letter.error.clone_from(why);
                txn.put_dead_letter(&letter)?;
                let told = format!("it failed again: {why}");
                txn.audit(AuditEntry::done(now, actor, "dead_letter.replay", subject(&letter), told))?;
                Ok(())
            })?;
        }
        done
    }

    fn replay(
        &self,
        txn: &WriteTxn,
        number: u64,
        actor: &Actor,
        now: Micros,
    ) -> Result<(DeadLetter, Recorded), LetterError> {
        let mut letter = waiting(txn, number)?;
        let failed = |why: String| LetterError::Failed { number, why };
        if letter.cut {
            return Err(failed("it is too large to be read, and was not kept as a whole".to_owned()));
        }
        let message = Message::read(letter.topic, &letter.fields).map_err(|error| failed(error.to_string()))?;
        let Followed { told: outcome, recorded } =
            self.effects.act(txn, &message, now).map_err(|refusal| match refusal {
                Refusal::Because(why) => failed(why),
                Refusal::Store(error) => error.into(),
            })?;
        txn.audit(AuditEntry::done(now, actor, "dead_letter.replay", subject(&letter), outcome.clone()))?;
        letter.state = LetterState::Replayed { by: actor.name.clone(), at: now, outcome };
        txn.put_dead_letter(&letter)?;
        Ok((letter, recorded))
    }
}

fn discard(txn: &WriteTxn, number: u64, why: &str, actor: &Actor, now: Micros) -> Result<DeadLetter, LetterError> {
    let why = why.trim();
    if why.is_empty() || why.len() > WHY_BYTES {
        return Err(LetterError::Why);
    }
    let mut letter = waiting(txn, number)?;
    txn.audit(AuditEntry::done(now, actor, "dead_letter.discard", subject(&letter), why))?;
    letter.state = LetterState::Discarded { by: actor.name.clone(), at: now, why: why.to_owned() };
    txn.put_dead_letter(&letter)?;
    Ok(letter)
}

/// A letter that is not over.
fn waiting(txn: &WriteTxn, number: u64) -> Result<DeadLetter, LetterError> {
    let letter = txn.dead_letter(number)?.ok_or(LetterError::Unknown(number))?;
    let what = letter.state.name().as_str();
    match &letter.state {
        LetterState::Waiting => Ok(letter),
        LetterState::Replayed { by, .. } | LetterState::Discarded { by, .. } => {
            Err(LetterError::Over { number, what, by: by.clone() })
        }
    }
}

fn subject(letter: &DeadLetter) -> String {
    format!("dead letter {} ({} {})", letter.number, letter.topic, letter.entry)
}
