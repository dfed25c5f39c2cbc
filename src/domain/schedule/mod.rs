//! When which model is trained, and why not yet.
//!
//! Two things speak for a training. **Triggers** come from outside (a message of the bus, an intent, a person), are kept
//! as rows and decided exactly once. **Conditions** (its time came, enough new trades) follow from what is stored, so
//! nothing of them has to be kept while they wait. Both are held back by the same things, and one training serves all
//! that speaks for it.

mod cadence;
mod plan;
mod quiet;
mod rules;
mod standing;
mod target;
mod trigger;
mod words;

pub use self::cadence::{BadCron, Cadence, CronTimes};
pub use self::plan::{Hold, Known, LATE, Outlook, Pending, SPREAD, Verdict, look, refused};
pub use self::quiet::{AlwaysQuiet, BadQuietHours, Calendar, QuietHours};
pub use self::rules::Rules;
pub use self::standing::{Books, Seen, Standing};
pub use self::target::Target;
pub use self::trigger::{Decision, NewTrigger, TriggerRecord};
pub use self::words::{instant, span};

#[cfg(test)]
mod year;
