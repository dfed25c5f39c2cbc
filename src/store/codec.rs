//! Records: one version byte, then bincode 2. Nothing else in the crate knows bincode's API for stored bytes.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::{Decode, Encode};

use super::StoreError;

/// The largest record that is read: a length that a damaged row claims allocates no more than this.
const LIMIT: usize = 32 << 20;

const CONFIG: Configuration<LittleEndian, Varint, Limit<LIMIT>> = bincode::config::standard().with_limit::<LIMIT>();

/// A type that rows hold.
pub(crate) trait Record: Encode + Decode<()> {
    /// The version that this program writes.
    const VERSION: u8;
    /// What an error calls it.
    const WHAT: &'static str;
}

/// The row of `record`.
pub(crate) fn encode<R: Record>(record: &R) -> Result<Vec<u8>, StoreError> {
    let mut row = vec![R::VERSION];
    bincode::encode_into_std_write(record, &mut row, CONFIG)
        .map_err(|error| StoreError::Unwritable { what: R::WHAT, why: error.to_string() })?;
    Ok(row)
}

/// The record of `row`. Later versions of a record add a branch here through their own `Record` impls.
pub(crate) fn decode<R: Record>(row: &[u8]) -> Result<R, StoreError> {
    let damaged = |why: String| StoreError::Damaged { what: R::WHAT, why };
    let (version, body) = row.split_first().ok_or_else(|| damaged("the row is empty".into()))?;
    if *version != R::VERSION {
        return Err(damaged(format!("record version {version}, this program reads {}", R::VERSION)));
    }
    let (record, used) = bincode::decode_from_slice(body, CONFIG).map_err(|error| damaged(error.to_string()))?;
    if used != body.len() {
        return Err(damaged(format!("{} bytes too many", body.len() - used)));
    }
    Ok(record)
}

macro_rules! records {
    ($($record:ty = $version:literal, $what:literal;)*) => {
        $(impl $crate::store::codec::Record for $record {
            const VERSION: u8 = $version;
            const WHAT: &'static str = $what;
        })*
    };
}
pub(crate) use records;

records! {
    crate::domain::intent::Intent = 1, "intent";
    crate::domain::intent::IntentKey = 1, "intent key";
    crate::domain::feed::Gap = 1, "gap";
}
