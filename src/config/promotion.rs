use std::time::Duration;

use super::key::{Key, key};
use super::value::{self, anything};

const DAY: Duration = Duration::from_secs(86_400);

/// `[promotion]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Whether a version has to pass a shadow test before production.
    pub require_shadow: bool,
    /// Whether a version in shadow becomes a candidate by itself once its gates let it.
    pub auto_candidate: bool,
    /// Whether a candidate goes into production by itself once its gates let it.
    pub auto_production: bool,
    /// Whether a second person has to approve a promotion.
    pub approval: bool,
    /// How long an approval can be given.
    pub approval_expires: Duration,
    /// What runs after something else went into production: the program and its arguments.
    pub hook: Vec<String>,
}

impl Default for Promotion {
    fn default() -> Self {
        Self {
            require_shadow: true,
            auto_candidate: true,
            auto_production: false,
            approval: false,
            approval_expires: DAY,
            hook: Vec::new(),
        }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            promotion.require_shadow,
            value::Switch,
            anything,
            "Whether a version has to pass a shadow test before it goes into production."
        ),
        key!(
            promotion.auto_candidate,
            value::Switch,
            anything,
            "Whether a version in shadow becomes a candidate by itself once its gates let it pass."
        ),
        key!(
            promotion.auto_production,
            value::Switch,
            anything,
            "Whether a candidate goes into production by itself once its gates let it pass, after an evaluation of a training \
             job. With promotion.approval it never does."
        ),
        key!(
            promotion.approval,
            value::Switch,
            anything,
            "Whether a second person has to approve each promotion, forced ones too. Rolling back never waits."
        ),
        key!(
            promotion.approval_expires,
            value::Time,
            |time| {
                let fits = (Duration::from_secs(60)..=30 * DAY).contains(time);
                if fits { Ok(()) } else { Err("must be from 1m to 30d".into()) }
            },
            "How long a promotion waits for its approval, \"1m\" to \"30d\"; after that it has to be asked for again."
        ),
        key!(
            promotion.hook,
            value::Words,
            |words: &Vec<String>| match words.first() {
                Some(program) if !program.starts_with('/') => Err("must begin with the program's absolute path".into()),
                _ => Ok(()),
            },
            "What is to run after something else went into production: a program and its arguments, such as \
             [\"/usr/local/bin/reload\", \"models\"]. A worker that has the same here runs it as a job (`GET /api/hooks`), one at a time \
             for a model and the newest change only. Empty for nothing."
        ),
    ]
}
