use std::collections::BTreeSet;

use redb::ReadableTable;

use super::codec::{self, records};
use super::schema::HOOKS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::model::{Hook, HookState, ModelId, VersionName};
use crate::domain::time::Micros;

/// Rows that are kept, the newest; what is not over stays besides.
const KEPT: u64 = 1_000;

/// A hook as it was before jobs ran it.
#[derive(bincode::Encode, bincode::Decode)]
struct HookBeforeJobs {
    number: u64,
    model: ModelId,
    version: VersionName,
    previous: Option<VersionName>,
    at: Micros,
    state: HookState,
}

records! {
    HookBeforeJobs = 1, "hook";
    Hook = 2, "hook";
}

pub(super) fn decode(row: &[u8]) -> Result<Hook, StoreError> {
    if row.first() != Some(&<HookBeforeJobs as codec::Record>::VERSION) {
        return codec::decode(row);
    }
    let HookBeforeJobs { number, model, version, previous, at, state } = codec::decode(row)?;
    Ok(Hook { number, model, version, previous, at, state, job: None, ended_at: None, why: None })
}

impl Store {
    /// Hooks below `before`, newest first, that are in `state` (any where absent).
    pub fn hooks(&self, state: Option<HookState>, before: u64, limit: usize) -> Result<Vec<Hook>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut found = Vec::new();
            for row in txn.open_table(HOOKS)?.range(..before)?.rev() {
                let hook = decode(row?.1.value())?;
                if state.is_none_or(|state| hook.state == state) {
                    found.push(hook);
                }
                if found.len() >= limit {
                    break;
                }
            }
            Ok(found)
        })
    }

    /// Of each model the hook that was over last, where that one failed; the newest first.
    pub fn failed_hooks(&self) -> Result<Vec<Hook>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let (mut seen, mut failed) = (BTreeSet::new(), Vec::new());
            for row in txn.open_table(HOOKS)?.iter()?.rev() {
                let hook = decode(row?.1.value())?;
                let has_run = matches!(hook.state, HookState::Done | HookState::Failed);
                if has_run && seen.insert(hook.model.clone()) && hook.state == HookState::Failed {
                    failed.push(hook);
                }
            }
            Ok(failed)
        })
    }
}

impl WriteTxn {
    /// One hook.
    pub fn hook(&self, number: u64) -> Result<Option<Hook>, StoreError> {
        self.txn.open_table(HOOKS)?.get(number)?.map(|row| decode(row.value())).transpose()
    }

    /// The newest hook of a model: what it announces is in production.
    pub fn newest_hook(&self, model: &ModelId) -> Result<Option<Hook>, StoreError> {
        for row in self.txn.open_table(HOOKS)?.iter()?.rev() {
            let hook = decode(row?.1.value())?;
            if hook.model == *model {
                return Ok(Some(hook));
            }
        }
        Ok(None)
    }

    /// Those that have not begun; of each model one at most.
    pub fn pending_hooks(&self) -> Result<Vec<Hook>, StoreError> {
        let mut pending = Vec::new();
        for row in self.txn.open_table(HOOKS)?.iter()? {
            let hook = decode(row?.1.value())?;
            pending.extend(Some(hook).filter(|hook| hook.state == HookState::Pending));
        }
        Ok(pending)
    }

    /// Stores a hook as it now is.
    pub fn put_hook(&self, hook: &Hook) -> Result<(), StoreError> {
        self.txn.open_table(HOOKS)?.insert(hook.number, codec::encode(hook)?.as_slice())?;
        Ok(())
    }

    /// Makes the hook due, in the transaction of the promotion or rollback. What was due for the model before and has not
    /// begun is superseded: only what is in production now is to be announced. Both, the new one first.
    pub fn queue_hook(
        &self,
        model: &ModelId,
        version: &VersionName,
        previous: Option<&VersionName>,
        at: Micros,
    ) -> Result<(Hook, Option<Hook>), StoreError> {
        let mut table = self.txn.open_table(HOOKS)?;
        // Of a model only one can be pending: each took that from the one before it.
        let mut superseded = None;
        for row in table.iter()?.rev() {
            let hook = decode(row?.1.value())?;
            if hook.model == *model && hook.state == HookState::Pending {
                superseded = Some(Hook { state: HookState::Superseded, ended_at: Some(at), ..hook });
                break;
            }
        }
        if let Some(hook) = &superseded {
            table.insert(hook.number, codec::encode(hook)?.as_slice())?;
        }
        // The newest is never removed, so its number is the sequence's memory.
        let number = table.last()?.map_or(1, |(number, _)| number.value() + 1);
        let hook = Hook {
            number,
            model: model.clone(),
            version: version.clone(),
            previous: previous.cloned(),
            at,
            state: HookState::Pending,
            job: None,
            ended_at: None,
            why: None,
        };
        table.insert(number, codec::encode(&hook)?.as_slice())?;
        let mut old = Vec::new();
        for row in table.range(..number.saturating_sub(KEPT))? {
            let hook = decode(row?.1.value())?;
            old.extend((!hook.state.is_open()).then_some(hook.number));
        }
        for number in old {
            table.remove(number)?;
        }
        Ok((hook, superseded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> VersionName {
        format!("v{number}").parse().expect("a name")
    }

    fn queue(store: &Store, model: &str, number: u64) -> (Hook, Option<Hook>) {
        let model = model.parse().expect("a model");
        let queued = store.write(|txn| txn.queue_hook(&model, &version(number), None, Micros(number)));
        queued.unwrap_or_else(|error: StoreError| panic!("{error}"))
    }

    #[test]
    fn the_newest_are_kept_and_what_is_not_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&directory.path().join("q.redb")).expect("a file");
        queue(&store, "xgboost_ethusdt_1h", 1);
        for number in 2..=KEPT + 10 {
            queue(&store, "xgboost_btcusdt_1h", number);
        }
        let hooks = store.hooks(None, u64::MAX, usize::MAX).expect("hooks");
        assert_eq!(hooks.len() as u64, KEPT + 2, "the newest, the one before them and the pending one");
        let pending: Vec<_> = hooks.iter().filter(|hook| hook.state.is_open()).map(|hook| hook.number).collect();
        assert_eq!(pending, [KEPT + 10, 1]);
    }

    #[test]
    fn what_was_due_before_there_were_jobs_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&directory.path().join("q.redb")).expect("a file");
        let model: ModelId = "xgboost_btcusdt_1h".parse().expect("a model");
        let (state, at) = (HookState::Pending, Micros(5));
        let old = HookBeforeJobs { number: 1, model: model.clone(), version: version(1), previous: None, at, state };
        let stored = store.write(|txn| {
            txn.txn.open_table(HOOKS)?.insert(1, codec::encode(&old)?.as_slice())?;
            Ok::<_, StoreError>(())
        });
        stored.unwrap_or_else(|error| panic!("{error}"));
        let (new, superseded) = queue(&store, model.as_str(), 2);
        assert_eq!((new.number, superseded.map(|hook| (hook.number, hook.job))), (2, Some((1, None))));
        assert_eq!(store.failed_hooks().expect("a look"), []);
    }
}
