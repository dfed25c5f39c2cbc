//! Backups' copies in an S3-compatible store.
//!
//! ```text
//! s3://bucket/prefix/2026-11-21T031500Z/quantum.redb     or quantum.redb.age
//!                                       manifest.json
//!                                       SHA256SUMS       goes last: without it there is no backup
//!                    artifacts/ab/cdef…                  shared by all backups, sent when missing
//!                    OWNER                               whose backups these are: nobody else's go there
//! ```
//!
//! A copy is made of a backup that is whole here, from its files: nothing of the data file is held open while a network is
//! waited for. The protocol is spoken by hand over [`crate::connect`]; what signs it, and why, is in [`sign`].

mod address;
mod bring;
mod client;
mod content;
mod copies;
mod error;
mod fetch;
mod objects;
mod owner;
mod send;
mod sign;
mod upload;
mod xml;

use self::address::Endpoint;
pub use self::address::{BadS3Place, S3Place};
pub use self::bring::RemoteBackup;
use self::client::Client;
pub use self::client::Patience;
pub use self::copies::Copied;
pub use self::error::{Problem, Refusal, RemoteError};
pub use self::owner::Owner;
pub use self::send::Sent;
use self::sign::Signer;
use crate::config::S3;

/// The backups below one prefix of a bucket.
#[derive(Debug)]
pub struct Remote {
    place: S3Place,
    client: Client,
}

impl Remote {
    /// The place that `settings` name, or another one that the same key reaches. The secret is read now; nothing is
    /// connected yet.
    pub fn new(settings: &S3, place: Option<&S3Place>, patience: Patience) -> Result<Self, RemoteError> {
        let place = S3Place { id: None, ..place.cloned().unwrap_or_else(|| S3Place::of(settings)) };
        let settings_fault = |why: &str| Problem::Settings(why.to_owned()).at(place.to_string());
        if settings.access_key_id.is_empty() {
            return Err(settings_fault("who we are there is not configured: set backup.s3.access_key_id"));
        }
        let secret = settings.secret_access_key().map_err(|error| Problem::from(error).at(place.to_string()))?;
        let secret = secret.ok_or_else(|| {
            settings_fault("what to sign with is not configured: set backup.s3.secret_access_key_file")
        })?;
        let signer = Signer { region: settings.region.clone(), access_key_id: settings.access_key_id.clone(), secret };
        let endpoint = Endpoint::new(settings, &place.bucket)?;
        let client = Client::new(endpoint, place.bucket.clone(), signer, settings.ca_file.clone(), patience);
        Ok(Self { place, client })
    }

    /// Where it is.
    pub fn place(&self) -> &S3Place {
        &self.place
    }

    /// For errors about what `name` is called below the prefix.
    fn at(&self, name: &str) -> impl FnOnce(Problem) -> RemoteError + use<> {
        let at = self.place.shown(name);
        move |problem| problem.at(at)
    }
}
