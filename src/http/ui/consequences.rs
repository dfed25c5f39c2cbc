//! What follows from putting another version into production, in sentences: they stand before the button.

use super::show;
use crate::config::Config;
use crate::domain::model::{Artifacts, Model, Version};
use crate::domain::time::Micros;

/// A change of what is in production.
pub(in crate::http) struct Change<'a> {
    pub(in crate::http) config: &'a Config,
    pub(in crate::http) model: &'a Model,
    /// What comes; none where it is still to be chosen.
    pub(in crate::http) coming: Option<&'a Version>,
    /// What leaves.
    pub(in crate::http) leaving: Option<&'a Version>,
    /// The type of the event that tells of it.
    pub(in crate::http) event: &'static str,
    pub(in crate::http) now: Micros,
}

impl Change<'_> {
    /// The sentences.
    pub(in crate::http) fn sentences(&self) -> Vec<String> {
        vec![self.production(), self.pointer(), self.hook(), self.event()]
    }

    fn coming(&self) -> String {
        self.coming.map_or_else(|| "the chosen version".to_owned(), |version| version.name.to_string())
    }

    fn production(&self) -> String {
        let (id, coming) = (&self.model.id, self.coming());
        match self.leaving {
            Some(leaving) => {
                let since = leaving.promoted_at.map_or_else(String::new, |at| {
                    let (from, lasted) = (at.datetime().format("%Y-%m-%d %H:%M"), show::since(at, self.now));
                    format!(" since {from}, for {lasted}")
                });
                format!(
                    "{} goes into production of {id}. {}, which has been there{since}, is retired; a rollback brings it back.",
                    capital(&coming),
                    leaving.name
                )
            }
            None => {
                format!("{} goes into production of {id}, of which nothing is in production now.", capital(&coming))
            }
        }
    }

    fn pointer(&self) -> String {
        let directory = self.config.data_file.parent().map(|parent| parent.display().to_string()).unwrap_or_default();
        let files = match self.coming.and_then(|version| version.artifacts.as_ref()) {
            Some(artifacts) => format!("its {}", files(artifacts)),
            None => "its files".to_owned(),
        };
        format!(
            "On disk, {directory}/production/{} then leads to {files}: the link is changed in one step, right after the \
             decision is stored. Should the machine stop in between, the next start puts it right.",
            self.model.id
        )
    }

    fn hook(&self) -> String {
        match self.config.promotion.hook.as_slice() {
            [] => "No hook is configured (promotion.hook): nobody is called.".to_owned(),
            words => format!("A job for the hook {} waits for a worker that is configured to run it.", words.join(" ")),
        }
    }

    fn event(&self) -> String {
        let redis = if self.config.redis.url.is_empty() {
            "no Redis is configured, so no bus is told".to_owned()
        } else {
            format!("it goes to the bus as quantum:stream:{}", self.event)
        };
        let wanting = self.config.notify.webhooks.iter().filter(|(_, webhook)| webhook.wants(self.event));
        let names: Vec<String> = wanting.map(|(name, _)| name.to_string()).collect();
        let webhooks = match names.as_slice() {
            [] => "no webhook is called".to_owned(),
            [one] => format!("the webhook {one} is called"),
            several => format!("the webhooks {} are called", several.join(", ")),
        };
        format!("The event {} is written: {redis}, and {webhooks}.", self.event)
    }
}

/// Names of versions stay as they are: only words of ours get a capital.
fn capital(text: &str) -> String {
    text.strip_prefix("the ").map_or_else(|| text.to_owned(), |rest| format!("The {rest}"))
}

fn files(artifacts: &Artifacts) -> String {
    let count = show::counted(u32::try_from(artifacts.files.len()).unwrap_or(u32::MAX), "file");
    format!("{count} ({})", show::bytes(artifacts.size()))
}
