//! What was in production, and when.

use super::{HistoryEntry, Step, VersionName};
use crate::domain::time::Micros;

/// A stretch of time in which one version was in production.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The version.
    pub version: VersionName,
    /// From here.
    pub from: Micros,
    /// To here; none while it lasts.
    pub until: Option<Micros>,
    /// How it began.
    pub began: Beginning,
    /// Who began it.
    pub by: String,
    /// Who approved.
    pub approved_by: Option<String>,
    /// Why.
    pub why: String,
}

/// How a version came into production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// Through the gates.
    Promoted,
    /// Past them.
    Forced,
    /// It had been in production before.
    RolledBack,
    /// It was in production when it was imported.
    Imported,
}

impl Beginning {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Forced => "forced",
            Self::RolledBack => "rolled back to",
            Self::Imported => "imported",
        }
    }

    fn of(step: &Step) -> Self {
        match step {
            Step::Promoted { forced: true, .. } => Self::Forced,
            Step::RolledBack { .. } => Self::RolledBack,
            Step::Imported => Self::Imported,
            _ => Self::Promoted,
        }
    }
}

impl Term {
    /// Whether it was in production at `at`.
    pub fn holds(&self, at: Micros) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// The terms of a model, oldest first, from its history in that order.
pub fn terms<'a>(history: impl IntoIterator<Item = &'a HistoryEntry>) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    for entry in history {
        let current = terms.last().filter(|term| term.until.is_none()).map(|term| &term.version);
        if current == entry.production.as_ref() {
            continue;
        }
        if let Some(last) = terms.last_mut().filter(|term| term.until.is_none()) {
            last.until = Some(entry.at);
        }
        if let Some(version) = &entry.production {
            terms.push(Term {
                version: version.clone(),
                from: entry.at,
                until: None,
                began: Beginning::of(&entry.step),
                by: entry.by.clone(),
                approved_by: entry.approved_by.clone(),
                why: entry.why.clone(),
            });
        }
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(revision: u64, step: Step, production: Option<&str>) -> HistoryEntry {
        HistoryEntry {
            revision,
            at: Micros(revision * 10),
            model: "xgboost_btcusdt_1h".parse().expect("an id"),
            version: "v1".parse().expect("a name"),
            step,
            production: production.map(|name| name.parse().expect("a name")),
            by: "anna".to_owned(),
            approved_by: None,
            why: "it is better".to_owned(),
            verdict: None,
        }
    }

    #[test]
    fn a_term_begins_where_the_one_before_it_ends() {
        let from = crate::domain::model::ModelStatus::Candidate;
        let promoted = |previous, forced| Step::Promoted { from, previous, forced };
        let history = [
            entry(1, Step::Registered, None),
            entry(2, promoted(None, false), Some("v1")),
            entry(3, Step::Evaluated, Some("v1")),
            entry(4, promoted(None, true), Some("v2")),
            entry(5, Step::RolledBack { previous: None }, Some("v1")),
            entry(6, Step::Evaluated, Some("v1")),
        ];
        let found: Vec<_> = terms(&history)
            .into_iter()
            .map(|term| (term.version.to_string(), term.from.0, term.until.map(|at| at.0), term.began))
            .collect();
        assert_eq!(
            found,
            [
                ("v1".to_owned(), 20, Some(40), Beginning::Promoted),
                ("v2".to_owned(), 40, Some(50), Beginning::Forced),
                ("v1".to_owned(), 50, None, Beginning::RolledBack),
            ]
        );
    }

    #[test]
    fn the_instant_of_a_change_belongs_to_what_comes_in() {
        let from = crate::domain::model::ModelStatus::Candidate;
        let step = Step::Promoted { from, previous: None, forced: false };
        let history = [entry(2, step.clone(), Some("v1")), entry(4, step, Some("v2"))];
        let terms = terms(&history);
        let at = |at| terms.iter().find(|term| term.holds(Micros(at))).map(|term| term.version.to_string());
        assert_eq!([at(19), at(20), at(39), at(40)], [None, Some("v1".into()), Some("v1".into()), Some("v2".into())]);
    }
}
