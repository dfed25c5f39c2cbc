use redb::ReadableTable;

use super::codec;
use super::outbox::OutboxKind;
use super::schema::{INTENT_KEYS, INTENTS};
use super::{ReadTxn, Store, StoreError, WriteTxn};
use crate::domain::id::IntentId;
use crate::domain::intent::{BY_RULE, Intent, IntentKey, IntentState, Note, Raised, Subject};
use crate::domain::rules::{Finding, Raise};
use crate::domain::time::Micros;

impl Store {
    /// One intent.
    pub fn intent(&self, id: IntentId) -> Result<Option<Intent>, StoreError> {
        self.read(|ReadTxn { txn }| get(&txn.open_table(INTENTS)?, id))
    }

    /// Intents below `before`, newest first, that are in `state` (any where absent) and about `unit` (likewise).
    pub fn intents(
        &self,
        state: Option<IntentState>,
        unit: Option<&str>,
        before: IntentId,
        limit: usize,
    ) -> Result<Vec<Intent>, StoreError> {
        self.read(|ReadTxn { txn }| {
            let mut found = Vec::new();
            for row in txn.open_table(INTENTS)?.range(..before.0)?.rev() {
                let intent: Intent = codec::decode(row?.1.value())?;
                let fits = state.is_none_or(|state| intent.state() == state)
                    && unit.is_none_or(|unit| matches!(&intent.key.subject, Subject::Unit(name) if name == unit));
                if fits {
                    found.push(intent);
                }
                if found.len() >= limit {
                    break;
                }
            }
            Ok(found)
        })
    }
}

fn get(table: &impl ReadableTable<u64, &'static [u8]>, id: IntentId) -> Result<Option<Intent>, StoreError> {
    table.get(id.0)?.map(|row| codec::decode(row.value())).transpose()
}

impl WriteTxn {
    /// Carries out what rules, or other parts in their own transactions, found.
    pub fn apply_findings(&self, findings: &[Finding], now: Micros) -> Result<(), StoreError> {
        for finding in findings {
            match finding {
                Finding::Raise(raise) => self.raise(raise, now)?,
                Finding::Clear { key, why, at } => {
                    if let Some(mut intent) = self.intent_of(key)? {
                        let note = Note { by: BY_RULE.to_owned(), why: why.clone(), at: *at };
                        // Somebody may have resolved it by hand before: that stands.
                        if intent.resolve(note).is_ok() {
                            self.put_intent(&intent)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn raise(&self, raise: &Raise, now: Micros) -> Result<(), StoreError> {
        match self.intent_of(&raise.key)? {
            None => {
                let intent = Intent::open(self.next_intent_id()?, raise.clone());
                let key = codec::encode(&intent.key)?;
                self.txn.open_table(INTENT_KEYS)?.insert(key.as_slice(), intent.id.0)?;
                self.put_intent(&intent)?;
                self.announce(&intent, now)
            }
            Some(mut intent) => match intent.raise_again(raise) {
                Raised::Worse => {
                    self.put_intent(&intent)?;
                    self.announce(&intent, now)
                }
                Raised::Updated => self.put_intent(&intent),
                Raised::Unchanged => Ok(()),
            },
        }
    }

    /// One intent, as this transaction sees it.
    pub fn intent(&self, id: IntentId) -> Result<Option<Intent>, StoreError> {
        get(&self.txn.open_table(INTENTS)?, id)
    }

    fn intent_of(&self, key: &IntentKey) -> Result<Option<Intent>, StoreError> {
        let id = self.txn.open_table(INTENT_KEYS)?.get(codec::encode(key)?.as_slice())?.map(|id| id.value());
        id.map_or(Ok(None), |id| self.intent(IntentId(id)))
    }

    /// Stores an intent as it now is.
    pub fn put_intent(&self, intent: &Intent) -> Result<(), StoreError> {
        self.txn.open_table(INTENTS)?.insert(intent.id.0, codec::encode(intent)?.as_slice())?;
        Ok(())
    }

    /// The newest intent is never trimmed, so its number is the sequence's memory.
    fn next_intent_id(&self) -> Result<IntentId, StoreError> {
        Ok(IntentId(self.txn.open_table(INTENTS)?.last()?.map_or(1, |(id, _)| id.value() + 1)))
    }

    fn announce(&self, intent: &Intent, now: Micros) -> Result<(), StoreError> {
        let message = serde_json::to_string(&intent.message(""))
            .map_err(|error| StoreError::Unwritable { what: "intent message", why: error.to_string() })?;
        self.put_out(OutboxKind::Intent, now, message)?;
        Ok(())
    }
}
