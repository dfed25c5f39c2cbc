//! What becomes of a model's history. A model that is new here gets its past, with the times that its files tell. To one
//! that is here already, files are added at the time of the import: its past was told before, and is not told anew.

use super::Import;
use crate::domain::clm3::{Moment, Past, Turn};
use crate::domain::model::{ArtifactState, Artifacts, EvaluationId, HistoryEntry, Stage, Step, VersionName};
use crate::domain::time::Micros;
use crate::store::StoreError;

impl Import<'_> {
    /// The past of a model that is new here.
    pub(super) fn live_through(
        &mut self,
        past: &Past,
        evaluations: &[(Micros, EvaluationId)],
    ) -> Result<(), StoreError> {
        let before = evaluations.first().map_or(EvaluationId(0), |(_, first)| EvaluationId(first.0.saturating_sub(1)));
        self.model.created_at = past.lives.values().map(|life| life.made).min().unwrap_or(self.at);
        for turn in &past.turns {
            if turn.moment == Moment::Promoted {
                let known = evaluations.iter().take_while(|(at, _)| *at <= turn.at).last();
                self.model.mark_trials(known.map_or(before, |(_, id)| *id));
            }
            self.enter(turn)?;
        }
        let displaced = past.lives.iter().filter(|(_, life)| life.displaced);
        for (name, _) in displaced {
            self.displaced(name, past.production.as_ref());
        }
        Ok(())
    }

    /// What the files add to a model that is here already.
    pub(super) fn join(&mut self, past: &Past) -> Result<(), StoreError> {
        let made = past.turns.iter().filter(|turn| turn.moment == Moment::Made);
        for turn in made {
            let production = self.model.production.clone();
            self.enter(&Turn { at: self.at, production, ..turn.clone() })?;
        }
        // Nothing has been in production yet, so nobody has decided anything: the files may.
        if let (None, Some(version)) = (&self.model.production, &past.production) {
            let (at, production) = (self.at, past.production.clone());
            let turn = Turn { at, version: version.clone(), moment: Moment::Promoted, known: false, production };
            self.model.mark_trials(self.txn.last_evaluation_id()?);
            self.enter(&turn)?;
        }
        let current = self.model.production.clone();
        let at = self.at;
        let mut displaced = Vec::new();
        for (name, life) in &past.lives {
            let claims = life.displaced || past.production.as_ref() == Some(name);
            if claims && current.as_ref() != Some(name) {
                displaced.push(name.clone());
            }
            if let Some(version) = self.versions.get_mut(name)
                && version.stage == Stage::Deployed
                && current.as_ref() != Some(name)
            {
                let since = version.promoted_at.unwrap_or_default();
                version.retired_at = version.retired_at.filter(|&retired| retired >= since).or(Some(at));
            }
        }
        for name in displaced {
            self.displaced(&name, current.as_ref());
        }
        if !past.lives.is_empty() {
            let note = "the model was here already: what is added stands at the time of this import, not in its past";
            self.notes.push(note.to_owned());
        }
        Ok(())
    }

    fn displaced(&mut self, name: &VersionName, current: Option<&VersionName>) {
        let path = format!("models/{}/{name}.json", self.model.id);
        let current = current.map_or_else(String::new, |current| format!(", as {current} is in production"));
        self.note(&path, format!("it says that it is in production: it becomes retired{current}"));
    }

    /// Makes an entry of a step of the past.
    fn enter(&mut self, turn: &Turn) -> Result<(), StoreError> {
        self.model.revision += 1;
        self.model.changed_at = turn.at;
        self.model.production = turn.production.clone();
        if turn.moment == Moment::Promoted {
            self.model.promoted_at = Some(turn.at);
        }
        let entry = HistoryEntry {
            revision: self.model.revision,
            at: turn.at,
            model: self.model.id.clone(),
            version: turn.version.clone(),
            step: Step::Imported,
            production: turn.production.clone(),
            by: self.ask.actor.name.clone(),
            approved_by: None,
            why: why(turn).to_owned(),
            verdict: None,
        };
        match turn.moment {
            Moment::Made => self.txn.put_history(&entry, false),
            Moment::Promoted => self.txn.put_history(&entry, true),
            Moment::Retired => self.txn.put_history_of_an_end(&entry),
        }
    }

    /// What an operator will want to look after.
    pub(super) fn remark(&mut self, past: &Past) {
        let current = self.model.production.as_ref().and_then(|name| self.versions.get(name));
        let is_gone = |artifacts: &Artifacts| artifacts.state == ArtifactState::Gone;
        if let Some(version) = current.filter(|version| version.artifacts.as_ref().is_some_and(is_gone)) {
            let name = &version.name;
            self.notes
                .push(format!("{name} is in production without its file: its pointer leads nowhere until that comes"));
        }
        if self.model.production.is_none()
            && let Some(last) = past.turns.iter().rev().find(|turn| turn.moment == Moment::Retired)
        {
            let note = format!(
                "nothing is in production: {} left it at {}, and nothing took its place; roll back to it, or promote another",
                last.version,
                last.at.rfc3339()
            );
            self.notes.push(note);
        }
    }
}

fn why(turn: &Turn) -> &'static str {
    match (turn.moment, turn.known) {
        (Moment::Made, _) => "made",
        (Moment::Promoted, true) => "went into production",
        (Moment::Promoted, false) => "was in production when it was imported; since when, its file does not tell",
        (Moment::Retired, true) => "left production, and nothing took its place",
        (Moment::Retired, false) => "was retired when it was imported; since when, its file does not tell",
    }
}
