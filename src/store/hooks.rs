use redb::ReadableTable as _;

use super::codec::{self, records};
use super::schema::HOOKS;
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::model::{Hook, HookState, ModelId, VersionName};
use crate::domain::time::Micros;

records! { Hook = 1, "hook"; }

impl Store {
    /// Hooks below `before`, newest first, that are in `state` (any where absent).
    pub fn hooks(&self, state: Option<HookState>, before: u64, limit: usize) -> Result<Vec<Hook>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut found = Vec::new();
            for row in txn.open_table(HOOKS)?.range(..before)?.rev() {
                let hook: Hook = codec::decode(row?.1.value())?;
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
}

impl WriteTxn {
    /// Makes the hook due, in the transaction of the promotion or rollback; its number. What was due for the model
    /// before is no longer: only what is in production now is to be announced.
    pub fn queue_hook(
        &self,
        model: &ModelId,
        version: &VersionName,
        previous: Option<&VersionName>,
        at: Micros,
    ) -> Result<u64, StoreError> {
        let mut table = self.txn.open_table(HOOKS)?;
        // Of a model only the newest can be pending: each took that from the one before it.
        let mut before = None;
        for row in table.iter()?.rev() {
            let hook: Hook = codec::decode(row?.1.value())?;
            if hook.model == *model {
                before = Some(hook);
                break;
            }
        }
        if let Some(mut hook) = before.filter(|hook| hook.state == HookState::Pending) {
            hook.state = HookState::Superseded;
            table.insert(hook.number, codec::encode(&hook)?.as_slice())?;
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
        };
        table.insert(number, codec::encode(&hook)?.as_slice())?;
        Ok(number)
    }
}
