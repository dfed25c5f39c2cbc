//! The registry: models, versions, what is in production, evaluations, and the files that versions name.

use std::collections::{BTreeMap, BTreeSet};

use super::super::approvals::Approval;
use super::super::artifacts::StoredArtifact;
use super::super::imports::ImportedFile;
use super::super::model_history::NOTHING;
use super::super::schema::{
    APPROVALS, ARTIFACTS, EVALUATION_SERIES, EVALUATIONS, FIRST_EVALUATIONS, HOOKS, IMPORTANCES, IMPORTS,
    MODEL_HISTORY, MODELS, PRODUCTION, VERDICTS, VERSION_LIST, VERSIONS,
};
use super::super::versions::{StoredVerdicts, VersionLine};
use super::super::{StoreError, evaluations, hooks};
use super::walk::{Fault, Walk, decode, must, plain, refers};
use crate::domain::backup::{Part, UsedArtifact};
use crate::domain::model::{
    Digest, Evaluation, HistoryEntry, Importances, Keeping, Model, Stage, StageCounts, Version, VersionName,
};

/// What was seen of the registry, to be compared.
#[derive(Default)]
pub(super) struct Seen {
    models: BTreeMap<String, Model>,
    /// How many versions of each model there are, by stage.
    counts: BTreeMap<String, StageCounts>,
    /// Model and name → whether it is there still, when it was made, and its line in lists.
    versions: BTreeMap<(String, String), Option<(u64, VersionLine)>>,
    /// Entries of living versions' manifests, by digest: how many, and the size that they give.
    pub(super) uses: BTreeMap<Digest, (u64, u64)>,
    /// Versions whose files were registered in place.
    pub(super) in_place: u64,
    /// Files of which the data directory has the content.
    pub(super) artifacts: Vec<UsedArtifact>,
    /// Evaluations by model.
    evaluations: BTreeMap<String, u64>,
    /// The first evaluation of each version.
    firsts: BTreeMap<(String, String), u64>,
    numbers: BTreeSet<u64>,
    with_returns: BTreeSet<u64>,
    last_evaluation: u64,
}

impl Seen {
    fn has(&self, model: &str, version: &str) -> bool {
        self.versions.contains_key(&(model.to_owned(), version.to_owned()))
    }

    fn known(&self, model: &str, version: &str) -> Result<(), Fault> {
        refers(self.has(model, version), || format!("there is no version {version} of {model}"))
    }
}

pub(super) fn models(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let models = &mut seen.models;
    walk.each("models", MODELS, |id, row| {
        let model: Model = decode(row)?;
        must(model.id.as_str() == id, "the record is that of another model")?;
        models.insert(id.to_owned(), model);
        Ok(())
    })
}

pub(super) fn versions(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let Seen { models, counts, versions, uses, in_place, .. } = seen;
    walk.each("versions", VERSIONS, |(model, name), row| {
        let version: Version = decode(row)?;
        must(
            version.model.as_str() == model && version.name.as_str() == name,
            "the record is that of another version",
        )?;
        let count = counts.entry(model.to_owned()).or_default();
        let line = if version.deleted.is_some() {
            count.deleted += 1;
            None
        } else {
            *count.of(version.stage) += 1;
            match &version.artifacts {
                Some(artifacts) if artifacts.keeping == Keeping::Kept => {
                    for file in &artifacts.files {
                        uses.entry(file.sha256).or_insert((0, file.size)).0 += 1;
                    }
                }
                Some(_) => *in_place += 1,
                None => {}
            }
            Some((version.created_at.0, VersionLine::from(&version)))
        };
        versions.insert((model.to_owned(), name.to_owned()), line);
        refers(models.contains_key(model), || format!("there is no model {model}"))
    })?;
    for (id, model) in &seen.models {
        let found = seen.counts.get(id).copied().unwrap_or_default();
        if found != model.counts {
            let why = format!("it counts its versions as {:?}, and they are {found:?}", model.counts);
            walk.fault(Part::References, "models", id, why);
        }
        let decides = |name: &VersionName| {
            let line = seen.versions.get(&(id.clone(), name.as_str().to_owned()));
            line.is_some_and(|line| line.as_ref().is_some_and(|(_, line)| line.stage == Stage::Deployed))
        };
        if let Some(name) = model.production.as_ref().filter(|name| !decides(name)) {
            let why = format!("{name} is in production, and is not a version that was ever deployed and is there");
            walk.fault(Part::References, "models", id, why);
        }
    }
    Ok(())
}

pub(super) fn version_list(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let mut listed = BTreeSet::new();
    let versions = &seen.versions;
    walk.each("version_list", VERSION_LIST, |(at, model, name), row| {
        let line: VersionLine = decode(row)?;
        let key = (model.to_owned(), name.to_owned());
        let fits = versions.get(&key).is_some_and(|known| *known == Some((at, line)));
        listed.insert(key);
        refers(fits, || "it does not say what its version says".to_owned())
    })?;
    for ((model, name), _) in versions.iter().filter(|(key, line)| line.is_some() && !listed.contains(*key)) {
        walk.fault(Part::References, "versions", &format!("{model} {name}"), "it is in no list");
    }
    Ok(())
}

pub(super) fn verdicts(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    walk.each("verdicts", VERDICTS, |(model, name), row| {
        decode::<StoredVerdicts>(row)?;
        seen.known(model, name)
    })
}

pub(super) fn importances(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    walk.each("importances", IMPORTANCES, |(model, name), row| {
        decode::<Importances>(row)?;
        seen.known(model, name)
    })
}

pub(super) fn history(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let models = &seen.models;
    walk.each("model_history", MODEL_HISTORY, |(model, revision), row| {
        let entry: HistoryEntry = decode(row)?;
        must(entry.model.as_str() == model && entry.revision == revision, "the record is that of another entry")?;
        let newest = models.get(model).map(|model| model.revision);
        refers(newest.is_some_and(|newest| revision <= newest), || {
            format!("the model's newest entry is {}", newest.map_or("none".to_owned(), |newest| newest.to_string()))
        })
    })
}

pub(super) fn production(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let history = walk.open(MODEL_HISTORY)?;
    walk.each("production", PRODUCTION, |(model, _, revision), version| {
        if version != NOTHING {
            seen.known(model, version)?;
        }
        let entry = match &history {
            Some(table) => table.get((model, revision)).map_err(Fault::record)?.is_some(),
            None => false,
        };
        refers(entry, || format!("the history has no entry {revision}"))
    })
}

pub(super) fn evaluations(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let mut found = std::mem::take(seen);
    walk.each("evaluations", EVALUATIONS, |(model, number), row| {
        let evaluation: Evaluation = decode(row)?;
        must(
            evaluation.model.as_str() == model && evaluation.id.0 == number,
            "the record is that of another evaluation",
        )?;
        *found.evaluations.entry(model.to_owned()).or_default() += 1;
        found.numbers.insert(number);
        if evaluation.has_returns {
            found.with_returns.insert(number);
        }
        let version = evaluation.version.as_str();
        let first = found.firsts.entry((model.to_owned(), version.to_owned())).or_insert(number);
        *first = number.min(*first);
        refers(number <= found.last_evaluation, || format!("the last number given is {}", found.last_evaluation))?;
        found.known(model, version)
    })?;
    for (id, model) in &found.models {
        let count = found.evaluations.get(id).copied().unwrap_or_default();
        if count != model.evaluations {
            let why = format!("it counts {} evaluations, and there are {count}", model.evaluations);
            walk.fault(Part::References, "models", id, why);
        }
    }
    *seen = found;
    Ok(())
}

pub(super) fn first_evaluations(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let mut missing = seen.firsts.clone();
    walk.each("first_evaluations", FIRST_EVALUATIONS, |(model, version), number| {
        let first = missing.remove(&(model.to_owned(), version.to_owned()));
        refers(first == Some(number), || format!("it names evaluation {number}, and the first is {first:?}"))
    })?;
    for (model, version) in missing.keys() {
        walk.fault(Part::References, "evaluations", &format!("{model} {version}"), "the first one is not on record");
    }
    Ok(())
}

pub(super) fn series(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let mut without = seen.with_returns.clone();
    walk.each("evaluation_series", EVALUATION_SERIES, |number, row| {
        let series = evaluations::decode_series(row).map_err(|error| Fault::record(plain(error)))?;
        if series.daily.is_some() {
            without.remove(&number);
        }
        refers(seen.numbers.contains(&number), || format!("there is no evaluation {number}"))
    })?;
    for number in without {
        walk.fault(Part::References, "evaluations", &number.to_string(), "its returns are not there");
    }
    Ok(())
}

pub(super) fn imports(walk: &mut Walk<'_>, _: &mut Seen) -> Result<(), StoreError> {
    walk.each("imports", IMPORTS, |_, row| decode::<ImportedFile>(row).map(drop))
}

pub(super) fn approvals(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    walk.each("approvals", APPROVALS, |(model, version), row| {
        let approval: Approval = decode(row)?;
        let fits = approval.model.as_str() == model && approval.version.as_str() == version;
        must(fits, "the record is that of another version")?;
        seen.known(model, version)
    })
}

pub(super) fn artifacts(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    let mut missing = seen.uses.clone();
    let artifacts = &mut seen.artifacts;
    walk.each("artifacts", ARTIFACTS, |digest, row| {
        let sha256 = Digest(digest.try_into().map_err(|_| Fault::record("its key is no digest"))?);
        let StoredArtifact { size, uses } = decode(row)?;
        let found = missing.remove(&sha256);
        if uses > 0 || found.is_some() {
            artifacts.push(UsedArtifact { sha256, size });
        }
        let (count, said) = found.unwrap_or((0, size));
        refers(count == uses, || {
            format!("{sha256}: it says that versions use it {uses} times, and they do {count} times")
        })?;
        refers(said == size, || format!("{sha256}: it has {size} bytes, and a version says {said}"))
    })?;
    for digest in missing.keys() {
        walk.fault(Part::References, "versions", "", format!("the file {digest} of a version is not on record"));
    }
    Ok(())
}

pub(super) fn hooks(walk: &mut Walk<'_>, seen: &mut Seen) -> Result<(), StoreError> {
    walk.each("hooks", HOOKS, |number, row| {
        let hook = hooks::decode(row).map_err(|error| Fault::record(plain(error)))?;
        must(hook.number == number, "the record is that of another number")?;
        seen.known(hook.model.as_str(), hook.version.as_str())
    })
}

impl Seen {
    /// The last number that was given to an evaluation, which stands in another table.
    pub(super) fn last_evaluation(&mut self, number: u64) {
        self.last_evaluation = number;
    }
}
