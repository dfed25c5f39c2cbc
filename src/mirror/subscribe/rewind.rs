//! After the restore of an older data file, messages that were taken in since are taken in again.
//!
//! They were acknowledged, so Redis would never hand them out a second time, and what followed from them went with the data
//! file. So each group is set back behind the newest message that the file knows of. What is handed out twice on the way is
//! known by its id.

use std::sync::Arc;

use super::super::condition::MirrorError;
use super::super::connection::Connection;
use super::super::stream::EntryId;
use super::group::Group;
use crate::domain::bus_in::Topic;
use crate::domain::time::Micros;
use crate::store::{Store, StoreError};

/// A message may be on its way for this long: where the file knows none of a type, what came so shortly before the backup
/// is read again.
const UNDER_WAY: u64 = 60 * Micros::SECOND;

/// Where each group is to begin again, if the file was restored and that was not done yet.
pub(super) fn due(store: &Store) -> Result<Option<Vec<(Topic, EntryId)>>, StoreError> {
    let Some(mark) = store.restored()?.filter(|mark| !mark.bus_set_back) else { return Ok(None) };
    let mut newest = Vec::new();
    for topic in Topic::ALL {
        newest.push((topic, store.newest_inbox(topic)?));
    }
    // Before its first message it had not taken over, and what came then was the predecessor's.
    if newest.iter().all(|(_, entry)| entry.is_none()) {
        return Ok(Some(Vec::new()));
    }
    let taken_at = EntryId { ms: mark.taken_at.minus(UNDER_WAY).millis(), seq: 0 };
    Ok(Some(newest.into_iter().map(|(topic, entry)| (topic, entry.unwrap_or(taken_at))).collect()))
}

/// Sets the groups back that are further. A key that cannot be used is its own lane's trouble.
pub(super) async fn set_back(
    store: Arc<Store>,
    connection: &mut Connection,
    consumer: &str,
) -> Result<(), MirrorError> {
    let asked = store.clone();
    let Some(places) = tokio::task::spawn_blocking(move || due(&asked)).await?? else { return Ok(()) };
    for (topic, behind) in places {
        let group = Group::of(topic, consumer);
        match back(&group, connection, behind).await {
            Ok(true) => tracing::warn!(
                stream = group.stream,
                behind = %behind,
                "the data file was restored: what the bus said since the backup is read again, as far as the stream has it"
            ),
            Err(error) if !error.is_refusal() => return Err(error),
            Ok(false) | Err(_) => {}
        }
    }
    tokio::task::spawn_blocking(move || {
        store.write(|txn| match txn.restored()? {
            Some(mut mark) => {
                mark.bus_set_back = true;
                txn.put_restored(&mark)
            }
            None => Ok::<_, StoreError>(()),
        })
    })
    .await??;
    Ok(())
}

async fn back(group: &Group, connection: &mut Connection, behind: EntryId) -> Result<bool, MirrorError> {
    let Some(state) = group.state(connection).await? else { return Ok(false) };
    if state.delivered <= behind {
        return Ok(false);
    }
    group.set(connection, behind).await?;
    Ok(true)
}
