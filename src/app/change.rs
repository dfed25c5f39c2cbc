//! What every change that can be asked for under an idempotency key has in common.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::request_key::RequestKey;
use crate::domain::time::Micros;
use crate::store::{Carried, StoreError, WriteTxn};

/// The key has done something else already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this Idempotency-Key was used for another request")]
pub struct KeyUsed;

/// Makes a change within a transaction, or gives the answer that its key was given before. `request` says what is asked
/// for, so that a key used again for something else is refused.
pub fn once<T, E>(
    txn: &WriteTxn,
    key: Option<&RequestKey>,
    request: &str,
    now: Micros,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<T, E>
where
    T: Serialize + DeserializeOwned,
    E: From<StoreError> + From<KeyUsed> + From<serde_json::Error>,
{
    let Some(key) = key else { return make() };
    if let Some(carried) = txn.carried(key)? {
        if carried.request != request {
            return Err(KeyUsed.into());
        }
        return Ok(serde_json::from_str(&carried.answer)?);
    }
    let answer = serde_json::to_string(&make()?)?;
    // What is read back, which may differ in a figure's last digit: the first answer is what every later one is.
    let first = serde_json::from_str(&answer)?;
    txn.carry(key, &Carried { at: now, request: request.to_owned(), answer })?;
    Ok(first)
}
