//! Files that are encrypted into a backup, and looked at once more while that needs no private key.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use super::error::BackupError;
use super::files::Hashing;
use super::seal::{self, FileKey};
use crate::domain::model::Digest;

/// Size and SHA-256.
pub(super) type Digested = (u64, Digest);

/// Reads what was encrypted back from the disk and decrypts it. The plain file was verified and is about to go, and nobody
/// here can ever look into this one again: what is wrong with it now would be found in the night when it is needed.
pub(super) fn read_back(path: &Path, key: &FileKey, plain: Digested, sealed: Digested) -> Result<(), BackupError> {
    crate::failpoint!("backup::read_back");
    let file = File::open(path).map_err(BackupError::io("read", path))?;
    // From the disk, not from memory, where that can be had: it is on the disk by now.
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    let (mut reader, mut writer) = (Hashing::new(file), Hashing::new(io::sink()));
    let opened = seal::open_with(&mut reader, &mut writer, key);
    if let Some(error) = reader.failed.take() {
        return Err(BackupError::io("read", path)(error));
    }
    let unlike = |why: String| BackupError::NotAsSealed { path: path.to_owned(), why };
    opened.map_err(|error| unlike(error.to_string()))?;
    if writer.finish() != plain {
        return Err(unlike("decrypted, it is not what was encrypted".into()));
    }
    if reader.finish() != sealed {
        return Err(unlike("it is not what was written".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::seal::{Recipient, seal_and_keep};
    use super::*;

    #[test]
    fn what_was_sealed_is_looked_at_before_it_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("sealed");
        let text = vec![7; 200_000];
        let recipient: Recipient =
            "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj".parse().expect("a public key");
        let (mut reader, mut writer) = (Hashing::new(text.as_slice()), Hashing::new(Vec::new()));
        let key = seal_and_keep(&mut reader, &mut writer, &[recipient]).expect("sealed");
        let bytes = writer.through().clone();
        let (plain, sealed) = (reader.finish(), writer.finish());
        fs::write(&path, &bytes).expect("a write");
        read_back(&path, &key, plain, sealed).unwrap_or_else(|error| panic!("{error}"));
        let cut = bytes[..bytes.len() - 1].to_vec();
        let flipped = |place: usize| {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1;
            flipped
        };
        for (what, content) in [
            ("cut", cut),
            ("the header", flipped(40)),
            ("the middle", flipped(bytes.len() / 2)),
            ("the end", flipped(bytes.len() - 1)),
        ] {
            fs::write(&path, content).expect("a write");
            let found = read_back(&path, &key, plain, sealed);
            assert!(matches!(found, Err(BackupError::NotAsSealed { .. })), "{what}: {found:?}");
        }
        fs::write(&path, &bytes).expect("a write");
        let other = (plain.0, Digest([0; 32]));
        assert!(read_back(&path, &key, other, sealed).is_err(), "sealed is another text than was verified");
    }
}
