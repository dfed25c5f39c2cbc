//! What a page says after a form has done its work. The browser was sent there with a word in the query, so that reloading
//! does nothing twice; the sentences are all here, so that no link can put words into our mouth.

use axum::response::Response;
use serde::Deserialize;

use super::form::see;
use super::{Frame, Tone};

/// The words and what they stand for.
const DONE: [(&str, &str); 32] = [
    ("intent-acknowledged", "You have taken it on: the intent is acknowledged."),
    ("intent-resolved", "The intent is resolved."),
    ("user-added", "The user was added."),
    ("role-changed", "The role was changed, and the user's sessions were ended."),
    ("password-set", "The password was set, and the user's sessions were ended."),
    ("user-disabled", "The user was disabled, and the user's sessions were ended."),
    ("user-enabled", "The user was enabled."),
    ("user-deleted", "The user was deleted."),
    ("token-revoked", "The token was revoked: from now on it is refused."),
    ("session-ended", "The session was ended."),
    ("others-ended", "Your other sessions were ended."),
    ("own-password", "Your password was changed. Sign in with the new one."),
    ("promoted", "The version is in production."),
    ("promoted-only", "The version is in production, but the pointer on disk does not lead to it yet: see below."),
    ("approval-asked", "Nothing has changed yet: the promotion waits for a second person."),
    ("approval-denied", "The promotion was refused. What is in production stays there."),
    ("rolled-back", "The version is in production again."),
    ("rolled-back-only", "The version is in production again, but the pointer on disk does not lead to it: see below."),
    ("version-moved", "The version has its new status."),
    ("version-failed", "The version is failed, and stays so."),
    ("version-deleted", "The version was deleted. Its name is never given again."),
    ("job-asked", "The job is in the queue."),
    ("job-retried", "This job does the other one again, and goes on behind what was finished."),
    ("job-cancelled", "The job is called off. If a worker has it, its processes are ended first."),
    ("webhook-tested", "The receiver took the test. What waits for it follows at once."),
    ("webhook-replayed", "The event was sent once more, and taken."),
    ("letter-replayed", "The message was processed once more, and taken."),
    ("letter-discarded", "The message was discarded."),
    ("backup-asked", "A backup is being made. It is in the list once it is verified."),
    ("backup-joined", "A backup was under way already: it is that one."),
    ("backup-verifying", "The backup is being verified again."),
    ("signed-out", "You are signed out."),
];

/// What a page reads from its query for this.
#[derive(Debug, Default, Deserialize)]
pub(in crate::http) struct Done {
    #[serde(default)]
    done: String,
}

impl Done {
    /// For pages that read more from their query.
    pub(in crate::http) fn new(word: &str) -> Self {
        Self { done: word.to_owned() }
    }

    /// The frame with the sentence, if there is one of that word.
    pub(in crate::http) fn onto(&self, frame: Frame) -> Frame {
        match DONE.iter().find(|(word, _)| *word == self.done) {
            Some((_, sentence)) => frame.notice(Tone::Good, *sentence),
            None => frame,
        }
    }
}

/// To the page at `path`, which will say what `word` stands for.
pub(in crate::http) fn done(path: &str, word: &'static str) -> Response {
    debug_assert!(DONE.iter().any(|(known, _)| *known == word), "no sentence for {word}");
    see(&format!("{path}?done={word}"))
}
