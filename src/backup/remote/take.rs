use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Remote;
use super::copies::Words;
use super::error::{Problem, RemoteError};
use crate::backup::Place;
use crate::backup::layout::{MANIFEST, SUMS};
use crate::domain::backup::{BackupId, KeptArtifact, Manifest};
use crate::domain::model::Digest;

/// Behind the name of a model's file while it comes.
const COMING: &str = ".partial";

/// What stays free on a disk that a backup is fetched to.
const LEAVE_BYTES: u64 = 16 << 20;

impl Remote {
    /// Fetches a backup into `place`, where it lies like one that was made there: whole, on the disk, every file of the
    /// size and digest that it says; or not at all. Models' files that are there are not fetched again.
    pub async fn get(&self, id: BackupId, place: &Place) -> Result<Manifest, RemoteError> {
        let at = id.to_string();
        let words = match self.words(id).await? {
            None => return Err(self.at(&at)(Problem::Missing(id))),
            Some(Err(why)) => {
                return Err(self.at(&at)(Problem::Damaged(format!("{why}: take another backup"))));
            }
            Some(Ok(words)) => words,
        };
        let partial = place.partial(id);
        let result = self.fill(&words, place, &partial).await;
        let moved = match result {
            Ok(()) => settle(&partial, &place.backup(id), &place.directory).map_err(self.at(&at)),
            Err(error) => Err(error),
        };
        if moved.is_err() {
            let _ = std::fs::remove_dir_all(&partial);
        }
        moved.map(|()| words.manifest)
    }

    async fn fill(&self, words: &Words, place: &Place, partial: &Path) -> Result<(), RemoteError> {
        let manifest = &words.manifest;
        let at = manifest.id.to_string();
        require_room(place, manifest).map_err(self.at(&at))?;
        let _ = std::fs::remove_dir_all(partial);
        for directory in [place.artifacts(), partial.to_owned()] {
            make(&directory).map_err(self.at(&at))?;
        }
        for artifact in &manifest.artifacts {
            self.take_artifact(artifact, &place.artifacts()).await?;
        }
        let data = &manifest.data;
        let name = format!("{at}/{}", data.name);
        let to = partial.join(&data.name);
        self.client.get_file(&self.place.key(&name), &to, data.size, &data.sha256).await.map_err(self.at(&name))?;
        for (name, text) in [(MANIFEST, &words.text), (SUMS, &words.sums)] {
            put(&partial.join(name), text).map_err(self.at(&at))?;
        }
        sync(&place.artifacts()).map_err(self.at(&at))
    }

    async fn take_artifact(&self, artifact: &KeptArtifact, directory: &Path) -> Result<(), RemoteError> {
        let name = format!("artifacts/{}", artifact.stored_name);
        let to = directory.join(&artifact.stored_name);
        let (size, digest) = (artifact.stored_size, artifact.stored_sha256);
        if is_there(to.clone(), size, digest).await {
            return Ok(());
        }
        let shelf = to.parent().unwrap_or(directory).to_owned();
        make(&shelf).map_err(self.at(&name))?;
        let mut coming = to.clone().into_os_string();
        coming.push(COMING);
        let coming = PathBuf::from(coming);
        self.client.get_file(&self.place.key(&name), &coming, size, &digest).await.map_err(self.at(&name))?;
        std::fs::rename(&coming, &to).map_err(Problem::local("name", &to)).map_err(self.at(&name))?;
        sync(&shelf).map_err(self.at(&name))
    }
}

/// Whether the file is there as it should be.
async fn is_there(path: PathBuf, size: u64, digest: Digest) -> bool {
    let looking = tokio::task::spawn_blocking(move || {
        let mut file = File::open(path)?;
        if file.metadata()?.len() != size {
            return io::Result::Ok(false);
        }
        let mut hash = Sha256::new();
        let mut piece = vec![0; 128 << 10];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hash.finalize()[..] == digest.0),
                read => hash.update(&piece[..read]),
            }
        }
    });
    matches!(looking.await, Ok(Ok(true)))
}

fn require_room(place: &Place, manifest: &Manifest) -> Result<(), Problem> {
    make(&place.directory)?;
    // Where the disk does not tell, the write itself will.
    let Ok(stat) = rustix::fs::statvfs(&place.directory) else { return Ok(()) };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let (own, shared) = manifest.stored_bytes();
    let needed = own.saturating_add(shared).saturating_add(LEAVE_BYTES);
    if free >= needed {
        return Ok(());
    }
    let why = format!("{free} bytes are free, and the backup needs up to {needed} of them: free some space");
    Err(Problem::Local {
        step: "fetch it to",
        path: place.directory.clone(),
        source: io::Error::new(io::ErrorKind::StorageFull, why),
    })
}

fn make(directory: &Path) -> Result<(), Problem> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(Problem::local("make", directory))
}

fn put(path: &Path, text: &[u8]) -> Result<(), Problem> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text)?;
        file.sync_all()
    };
    write().map_err(Problem::local("write", path))
}

fn sync(directory: &Path) -> Result<(), Problem> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(Problem::local("sync", directory))
}

/// Gives the directory its name, for good.
fn settle(partial: &Path, to: &Path, above: &Path) -> Result<(), Problem> {
    sync(partial)?;
    std::fs::rename(partial, to).map_err(Problem::local("name", to))?;
    sync(above)
}
