//! The part of a job's page that shows what its programs write.

use crate::app::answers::jobs::{JobDetail, LINES, LogLine, LogPage, LogQuery};
use crate::domain::job::JobState;
use crate::http::ui::field::Field;
use crate::http::ui::links;
use crate::joblog::Stream;

/// Which lines.
#[derive(Clone, Debug, Default)]
pub(super) struct LogAsked {
    /// Of which lease.
    pub(super) epoch: Option<u64>,
    /// From here on.
    pub(super) from: Option<u64>,
    /// Before here.
    pub(super) before: Option<u64>,
    /// With this in them.
    pub(super) grep: String,
}

impl LogAsked {
    /// As the log is asked.
    pub(super) fn query(&self) -> LogQuery {
        LogQuery {
            epoch: self.epoch,
            from: self.from,
            before: self.before.filter(|_| self.from.is_none() && self.grep.is_empty()),
            limit: Some(LINES),
            grep: (!self.grep.is_empty()).then(|| self.grep.clone()),
            format: None,
        }
    }
}

/// Lines, and the ways from them to others.
pub(super) struct LogView {
    /// Of which lease.
    pub(super) epoch: u64,
    /// Those that have a log.
    pub(super) epochs: Vec<u64>,
    /// The lines.
    pub(super) lines: Vec<LogLine>,
    /// What is looked for.
    pub(super) grep: Field,
    address: String,
    asked: LogAsked,
    page: LogPage,
    live: bool,
}

impl LogView {
    pub(super) fn new(detail: &JobDetail, mut page: LogPage, asked: LogAsked, misfit: &str) -> Self {
        let state = detail.job.state;
        let lines = std::mem::take(&mut page.lines);
        // The log that is being written, or that of the lease that comes next.
        let is_newest = asked.epoch.is_none_or(|epoch| epoch == detail.epoch);
        let is_end = asked.from.is_none() && asked.before.is_none() && asked.grep.is_empty() && misfit.is_empty();
        let waits_for_next =
            state == JobState::Pending && (detail.epoch == 0 || asked.epoch.is_none() && page.end == 0);
        let live = is_end && is_newest && (state.is_held() && page.epoch_is(detail.epoch) || waits_for_next);
        Self {
            epoch: page.epoch,
            epochs: page.epochs.clone(),
            lines,
            grep: Field::line("grep", "Text in the log").optional().value(&asked.grep).misfit(misfit).no_capitals(),
            address: links::job(detail.job.job_id),
            asked,
            page,
            live,
        }
    }

    /// Whether new lines come in by themselves, where there are scripts.
    pub(super) fn follows(&self) -> bool {
        self.live
    }

    /// Where they come from.
    pub(super) fn stream(&self) -> String {
        format!("/api{}/log/live?from={}", self.address, self.page.next)
    }

    /// Whether lines were looked for.
    pub(super) fn is_search(&self) -> bool {
        !self.asked.grep.is_empty()
    }

    /// Whether it is not the end that is shown.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.is_search() || self.asked.from.is_some() || self.asked.before.is_some()
    }

    /// What is said where there is no line.
    pub(super) fn nothing(&self) -> &'static str {
        match () {
            () if self.is_search() && self.page.next < self.page.end => "Nothing found so far.",
            () if self.is_search() => "No line has this text.",
            () if self.page.end > 0 => "No lines here.",
            () => "Nothing was written yet.",
        }
    }

    /// The log around a line that was found.
    pub(super) fn address_of(&self, line: &LogLine) -> String {
        self.with([("from", line.offset.to_string())])
    }

    /// Its end.
    pub(super) fn newest(&self) -> String {
        self.with([])
    }

    /// Lines before these.
    pub(super) fn earlier(&self) -> Option<String> {
        let there = self.page.first > 0 && !self.is_search();
        there.then(|| self.with([("before", self.page.first.to_string())]))
    }

    /// Lines behind these.
    pub(super) fn later(&self) -> Option<String> {
        if self.page.next >= self.page.end || !self.is_elsewhere() {
            return None;
        }
        let from = ("from", self.page.next.to_string());
        Some(if self.is_search() { self.with([from, ("grep", self.asked.grep.clone())]) } else { self.with([from]) })
    }

    /// Whether there is a way to other lines.
    pub(super) fn has_pager(&self) -> bool {
        self.page.end > 0
    }

    /// As a file.
    pub(super) fn as_text(&self) -> String {
        format!("/api{}/log?epoch={}&from=0&limit=5000&format=text", self.address, self.epoch)
    }

    fn with<const N: usize>(&self, query: [(&str, String); N]) -> String {
        // Before the first lease there is none to name: what is looked for then is looked for in the newest.
        let epoch = (self.epoch > 0).then(|| self.epoch.to_string());
        let query = query.iter().map(|(name, value)| (*name, value.as_str()));
        links::with_query(&self.address, epoch.as_deref().map(|epoch| ("epoch", epoch)).into_iter().chain(query))
            + "#log"
    }
}

impl LogPage {
    /// Whether it is of this lease, or there is none yet.
    fn epoch_is(&self, epoch: u64) -> bool {
        self.epoch == epoch || self.epochs.is_empty()
    }
}

impl LogLine {
    /// The time of day to the millisecond; blanks where it is not known.
    pub(super) fn clock(&self) -> String {
        let clock = self.at.as_deref().and_then(|at| at.get(11..23)).unwrap_or_default();
        format!("{clock:<12}")
    }

    /// Blanks behind the stream's name, so that texts stand below each other.
    pub(super) fn pad(&self) -> &'static str {
        match self.stream {
            Stream::Out | Stream::Err => " ",
            Stream::Note => "",
        }
    }

    /// Whether it is ours.
    pub(super) fn is_note(&self) -> bool {
        self.stream == Stream::Note
    }
}
