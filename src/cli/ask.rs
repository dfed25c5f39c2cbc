//! Where the commands get their answers: from the running daemon over its socket, or from a data file that no daemon
//! owns.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Global;
use crate::domain::model::Digest;
use crate::http::client::{Client, ClientError, Target};
use crate::store::Store;

/// Who answers.
pub(super) enum Source {
    /// The daemon.
    Daemon(Daemon),
    /// The file itself.
    File(Box<Store>),
}

/// The daemon, asked from code that blocks.
pub(super) struct Daemon {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Source {
    /// The file where `--data-file` names one, else the daemon.
    pub(super) fn of(global: &Global) -> anyhow::Result<Self> {
        match &global.data_file {
            Some(path) => Ok(Self::File(Box::new(open(path)?))),
            None => Ok(Self::Daemon(Daemon::of(global)?)),
        }
    }
}

/// A command that only asks makes no file and changes none.
fn open(path: &Path) -> anyhow::Result<Store> {
    std::fs::metadata(path).with_context(|| format!("{}", path.display()))?;
    Ok(Store::open_for_reading(path)?)
}

impl Daemon {
    /// The daemon, for a change: those go through it, because it knows who asks and owns the file.
    pub(super) fn for_a_change(global: &Global) -> anyhow::Result<Self> {
        anyhow::ensure!(global.data_file.is_none(), "changes go through the running daemon: leave out --data-file");
        Self::of(global)
    }

    pub(super) fn of(global: &Global) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client: Client::new(global.socket_path()?), runtime })
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(self.client.get_json(&with_query(path, query)?))?)
    }

    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(self.client.post_json(path, body))?)
    }

    /// The same for what takes as long as it takes.
    pub(super) fn post_at_length<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(self.client.post_at_length(path, body))?)
    }

    /// The same for what takes an `Idempotency-Key`: it is done once, even if it has to be asked twice.
    pub(super) fn post_once<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(self.client.post_once(path, body))?)
    }

    pub(super) fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(self.client.put_json(path, body))?)
    }

    /// Sends a file with this SHA-256 as `path` within a version, over restarts of the daemon.
    pub(super) fn upload<T: DeserializeOwned>(
        &self,
        version: &str,
        path: &str,
        file: &std::fs::File,
        digest: &Digest,
    ) -> anyhow::Result<T> {
        let whole = format!("{version}/artifacts/{path}?sha256={digest}");
        let rest = format!("{version}/uploads/{path}?sha256={digest}");
        let told = |error: &ClientError| super::complain(&format!("{error}\n{path} goes on once the daemon is back"));
        Ok(self.runtime.block_on(self.client.upload_on(Target { whole: &whole, rest: &rest }, file, told))?)
    }

    /// The same for a file that is open already.
    pub(super) fn upload_open<T: DeserializeOwned>(&self, path: &str, file: std::fs::File) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(self.client.put_open_file(path, file))?)
    }

    /// Has a file of the daemon's written into one that is open here, as it comes.
    pub(super) fn download(&self, path: &str, into: &mut dyn std::io::Write) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(self.client.get_file(path, into))?)
    }

    pub(super) fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(self.client.delete_json(path))?)
    }

    /// Calls `each` for every line of an answer that goes on, until it ends.
    pub(super) fn follow(
        &self,
        path: &str,
        query: &impl Serialize,
        mut each: impl FnMut(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let path = with_query(path, query)?;
        self.runtime.block_on(async {
            let mut lines = self.client.lines(&path).await?;
            while let Some(line) = lines.next().await? {
                each(&line)?;
            }
            Ok(())
        })
    }
}

/// Whether nobody answers at the socket.
pub(super) fn nobody_answers(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ClientError::NoDaemon(_) | ClientError::Silent { .. }))
}

/// Whether the daemon may merely be away for a moment, as it is while it is started anew.
pub(super) fn is_away(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ClientError::NoDaemon(_) | ClientError::Silent { .. } | ClientError::Broken { .. })
    )
}

fn with_query(path: &str, query: &impl Serialize) -> anyhow::Result<String> {
    let query = serde_urlencoded::to_string(query).context("the options cannot be sent")?;
    Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
}
