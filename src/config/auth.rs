use std::time::Duration;

use super::key::{Key, key};
use super::value;

const DAY: Duration = Duration::from_secs(86_400);

/// `[auth]`
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// How long a session lives without a request.
    pub session_idle: Duration,
    /// How long a session lives at most.
    pub session_lifetime: Duration,
    /// The longest life that a token can be given.
    pub token_lifetime_max: Duration,
}

impl Default for Auth {
    fn default() -> Self {
        Self { session_idle: DAY / 3, session_lifetime: 7 * DAY, token_lifetime_max: 365 * DAY }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            auth.session_idle,
            value::Time,
            |time| within(*time, Duration::from_secs(60), 30 * DAY, "1m to 30d"),
            "How long somebody stays signed in without doing anything, \"1m\" to \"30d\"."
        ),
        key!(
            auth.session_lifetime,
            value::Time,
            |time| within(*time, Duration::from_secs(60), 90 * DAY, "1m to 90d"),
            "How long somebody stays signed in at most, \"1m\" to \"90d\"."
        ),
        key!(
            auth.token_lifetime_max,
            value::Time,
            |time| within(*time, DAY, 3650 * DAY, "1d to 3650d"),
            "The longest life that an API token can be given, \"1d\" to \"3650d\"."
        ),
    ]
}

fn within(time: Duration, least: Duration, most: Duration, range: &str) -> Result<(), String> {
    if (least..=most).contains(&time) { Ok(()) } else { Err(format!("must be from {range}")) }
}
