use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::wait::tell;
use crate::backup::{Bring, BringError, Lies, Place, Verifier, receive};
use crate::cli::Global;
use crate::cli::ask::Daemon;
use crate::domain::backup::{BackupId, Piece};

/// A backup that was fetched from the daemon.
#[derive(Debug, Serialize)]
pub(super) struct Fetched {
    /// Its directory.
    pub(super) path: String,
    /// Bytes that came.
    #[serde(rename = "fetched")]
    pub(super) bytes: u64,
    /// What was wrong with what arrived.
    pub(super) fault: Option<String>,
}

/// Fetches a backup over the socket into `directory`, as whoever runs this, and verifies it there.
pub(super) fn fetch(daemon: &Daemon, id: BackupId, directory: &Path, global: &Global) -> anyhow::Result<Fetched> {
    tell(global, &format!("fetching it to {}", directory.display()))?;
    let place = Place::new(directory);
    let received = receive(id, &place, &mut Socket { daemon, id }, Some(&Verifier::this_program()))?;
    let first = received.findings.first().map(|finding| format!("{}: {}", finding.what, finding.why));
    Ok(Fetched { path: received.path.display().to_string(), bytes: received.fetched, fault: first })
}

/// The daemon, as it hands out the pieces of a backup.
struct Socket<'a> {
    daemon: &'a Daemon,
    id: BackupId,
}

impl Bring for Socket<'_> {
    fn bring(&mut self, piece: &Piece, _: &Lies, into: &mut dyn Write) -> Result<(), BringError> {
        let id = self.id;
        let path = match piece {
            Piece::File(name) => format!("/api/backups/{id}/files/{name}"),
            Piece::Artifact(sha256) => format!("/api/backups/{id}/artifacts/{sha256}"),
        };
        self.daemon.download(&path, into).map_err(|error| BringError::Failed(error.into()))
    }
}
