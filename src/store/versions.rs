use std::collections::BTreeMap;

use redb::{ReadableTable, Table};

use super::codec::{self, records};
use super::schema::{VERDICTS, VERSION_LIST, VERSIONS};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::gates::Verdict;
use crate::domain::model::{ModelId, Stage, Version, VersionName};
use crate::domain::time::Micros;

/// What lists and filters need of a version, without its provenance and its files: a row of some hundred bytes that is
/// read in passing. Deleted versions have none.
#[derive(Clone, Debug, PartialEq, bincode::Encode, bincode::Decode)]
pub struct VersionLine {
    /// Where it stands; the model's record says which one is in production.
    pub stage: Stage,
    /// When it last went into production.
    pub promoted_at: Option<Micros>,
    /// The score of its newest evaluation.
    pub score: Option<f64>,
    /// The annual Sharpe ratio of its newest evaluation.
    pub sharpe: Option<f64>,
    /// Whether it was promoted past its gates.
    pub forced: bool,
    /// What people want to find it by.
    pub tags: BTreeMap<String, String>,
}

impl From<&Version> for VersionLine {
    fn from(version: &Version) -> Self {
        let Version { stage, promoted_at, score, sharpe, .. } = *version;
        Self { stage, promoted_at, score, sharpe, forced: !version.forced.is_empty(), tags: version.tags.clone() }
    }
}

/// What the gates said of a version when they were last asked in earnest.
#[derive(Clone, Debug, Default, PartialEq, bincode::Encode, bincode::Decode)]
pub struct StoredVerdicts {
    /// When.
    pub at: Micros,
    /// For each goal.
    pub verdicts: Vec<Verdict>,
}

records! {
    Version = 1, "version";
    VersionLine = 1, "line of a version";
    StoredVerdicts = 1, "verdicts";
}

/// A place in the list of versions: registered when, model, name.
pub type Place = (Micros, ModelId, VersionName);

impl Store {
    /// One version; a deleted one with its tombstone.
    pub fn version(&self, model: &ModelId, name: &VersionName) -> Result<Option<Version>, StoreError> {
        self.read(|txn| txn.version(model, name))
    }

    /// Every version of a model by name, deleted ones too.
    pub fn versions_of(&self, model: &ModelId) -> Result<Vec<Version>, StoreError> {
        self.read(|txn| {
            let mut versions = Vec::new();
            for row in txn.txn.open_table(VERSIONS)?.range((model.as_str(), "")..)? {
                let (key, value) = row?;
                if key.value().0 != model.as_str() {
                    break;
                }
                versions.push(codec::decode(value.value())?);
            }
            Ok(versions)
        })
    }
}

impl ReadTxn {
    /// One version; a deleted one with its tombstone.
    pub fn version(&self, model: &ModelId, name: &VersionName) -> Result<Option<Version>, StoreError> {
        get(&self.txn.open_table(VERSIONS)?, model, name)
    }

    /// What the gates said of it when it was last evaluated.
    pub fn verdicts(&self, model: &ModelId, name: &VersionName) -> Result<Option<StoredVerdicts>, StoreError> {
        let table = self.txn.open_table(VERDICTS)?;
        table.get((model.as_str(), name.as_str()))?.map(|row| codec::decode(row.value())).transpose()
    }

    /// Walks the living versions, the newest first, from behind `after`; of one model where `model` is given, and
    /// registered in `[since, until)`. `see` ends the walk with `false`.
    pub fn walk_versions(
        &self,
        model: Option<&ModelId>,
        (since, until): (Option<Micros>, Option<Micros>),
        after: Option<&Place>,
        mut see: impl FnMut(Micros, &str, &str, VersionLine) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let table = self.txn.open_table(VERSION_LIST)?;
        let mut end = (until.map_or(u64::MAX, |until| until.0), "", "");
        if let Some((at, model, name)) = after {
            end = end.min((at.0, model.as_str(), name.as_str()));
        }
        let start = (since.map_or(0, |since| since.0), "", "");
        if start >= end {
            return Ok(());
        }
        for row in table.range(start..end)?.rev() {
            let (key, value) = row?;
            let (at, of, name) = key.value();
            if model.is_some_and(|model| model.as_str() != of) {
                continue;
            }
            if !see(Micros(at), of, name, codec::decode(value.value())?)? {
                break;
            }
        }
        Ok(())
    }
}

type Rows = (&'static str, &'static str);

fn get(
    table: &impl ReadableTable<Rows, &'static [u8]>,
    model: &ModelId,
    name: &VersionName,
) -> Result<Option<Version>, StoreError> {
    table.get((model.as_str(), name.as_str()))?.map(|row| codec::decode(row.value())).transpose()
}

impl WriteTxn {
    /// One version, as this transaction sees it.
    pub fn version(&self, model: &ModelId, name: &VersionName) -> Result<Option<Version>, StoreError> {
        get(&self.txn.open_table(VERSIONS)?, model, name)
    }

    /// Stores a version as it now is, and its line in the list.
    pub fn put_version(&self, version: &Version) -> Result<(), StoreError> {
        let (model, name) = (version.model.as_str(), version.name.as_str());
        self.txn.open_table(VERSIONS)?.insert((model, name), codec::encode(version)?.as_slice())?;
        let mut list: Table<'_, (u64, &'static str, &'static str), &'static [u8]> =
            self.txn.open_table(VERSION_LIST)?;
        let place = (version.created_at.0, model, name);
        if version.deleted.is_some() {
            list.remove(place)?;
        } else {
            list.insert(place, codec::encode(&VersionLine::from(version))?.as_slice())?;
        }
        Ok(())
    }

    /// A living version of `model` whose parent is `name`, if there is one.
    pub fn child_of(&self, model: &ModelId, name: &VersionName) -> Result<Option<VersionName>, StoreError> {
        for row in self.txn.open_table(VERSIONS)?.range((model.as_str(), "")..)? {
            let (key, value) = row?;
            if key.value().0 != model.as_str() {
                break;
            }
            let version: Version = codec::decode(value.value())?;
            if version.deleted.is_none() && version.parent.as_ref() == Some(name) {
                return Ok(Some(version.name));
            }
        }
        Ok(None)
    }

    /// Stores what the gates say of a version.
    pub fn put_verdicts(
        &self,
        model: &ModelId,
        name: &VersionName,
        verdicts: &StoredVerdicts,
    ) -> Result<(), StoreError> {
        let row = codec::encode(verdicts)?;
        self.txn.open_table(VERDICTS)?.insert((model.as_str(), name.as_str()), row.as_slice())?;
        Ok(())
    }
}
