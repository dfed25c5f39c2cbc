//! Whose a place is. Two appliances with one prefix would remove each other's copies by retention, and overwrite those of
//! the same second: whoever copies there first says so in an object, and everybody else is refused.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Remote;
use super::content::Content;
use super::error::{Problem, RemoteError};
use crate::backup::layout::{MANIFEST, SUMS};
use crate::backup::list::MOST_MANIFEST;
use crate::domain::backup::Manifest;
use crate::domain::model::Digest;

/// The object's name below the prefix.
const OWNER: &str = "OWNER";

/// The longest one that is read: it has one line.
const MOST_OWNER: u64 = 4_096;

/// A machine that copies its backups elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its name.
    pub host: String,
    /// Which one of that name it is; none where it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
}

/// What a manifest must say for its host to be known; the rest of it may be damaged.
#[derive(Deserialize)]
struct Named {
    host: String,
}

impl Owner {
    /// This machine.
    pub fn this_machine() -> Self {
        let machine = std::fs::read_to_string("/etc/machine-id").ok();
        let machine = machine.filter(|id| id.trim().len() == 32);
        Self {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            // The id itself is not for others to see (machine-id(5)).
            machine: machine.map(|id| Digest(Sha256::digest(format!("quantum-clm {}", id.trim())).into()).to_string()),
        }
    }

    /// Machines that were cloned have one id and two names, others one name and two ids.
    fn is(&self, other: &Self) -> bool {
        let differ = matches!((&self.machine, &other.machine), (Some(one), Some(two)) if one != two);
        self.host == other.host && !differ
    }
}

impl Remote {
    /// Makes the place `owner`'s, unless it is somebody else's already.
    pub async fn claim(&self, owner: &Owner) -> Result<(), RemoteError> {
        if self.is_owned(owner).await? {
            return Ok(());
        }
        let text = serde_json::to_vec(owner).map_err(|error| self.at(OWNER)(Problem::Own(error.to_string())))?;
        let content = Content::bytes(text);
        self.client.put(&self.place.key(OWNER), content).await.map_err(self.at(OWNER))?;
        // Somebody else may have done the same at the same time: the later one stays.
        self.is_owned(owner).await.map(drop)
    }

    /// Whether the place is `owner`'s rather than nobody's; an error where it is somebody else's.
    pub(super) async fn is_owned(&self, owner: &Owner) -> Result<bool, RemoteError> {
        let found = self.client.get(&self.place.key(OWNER), MOST_OWNER).await.map_err(self.at(OWNER))?;
        let Some(text) = found else { return Ok(false) };
        match serde_json::from_slice::<Owner>(&text) {
            Ok(found) if found.is(owner) => Ok(true),
            Ok(found) => Err(self.at(OWNER)(Problem::Owned { host: found.host })),
            Err(_) => Err(self.at(OWNER)(Problem::Owned { host: "somebody whose name cannot be read".to_owned() })),
        }
    }

    /// Makes room for a backup's name: one of another host stays, and one of before is none any more before the first
    /// byte of it changes. `sums` are those of the backup that comes.
    pub(super) async fn make_way(&self, manifest: &Manifest, sums: &[u8]) -> Result<(), RemoteError> {
        let (sums_at, manifest_at) = (format!("{}/{SUMS}", manifest.id), format!("{}/{MANIFEST}", manifest.id));
        let there =
            self.client.get(&self.place.key(&manifest_at), MOST_MANIFEST).await.map_err(self.at(&manifest_at))?;
        let host = there.and_then(|text| serde_json::from_slice::<Named>(&text).ok()).map(|named| named.host);
        if let Some(host) = host.filter(|host| *host != manifest.host) {
            return Err(self.at(&manifest_at)(Problem::Owned { host }));
        }
        let key = self.place.key(&sums_at);
        let before = self.client.get(&key, MOST_OWNER).await.map_err(self.at(&sums_at))?;
        if before.is_some_and(|before| before != sums) {
            self.client.delete(&key).await.map_err(self.at(&sums_at))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_who() {
        let owner = |host: &str, machine: Option<&str>| Owner { host: host.into(), machine: machine.map(Into::into) };
        let here = owner("vps", Some("1"));
        assert!(here.is(&owner("vps", Some("1"))) && here.is(&owner("vps", None)));
        assert!(!here.is(&owner("vps", Some("2"))), "another one of that name");
        assert!(!here.is(&owner("vps2", Some("1"))), "a clone");
        assert!(!Owner::this_machine().host.is_empty());
    }
}
