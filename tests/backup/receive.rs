//! Backups that are brought to another directory: by one at a time, and nowhere else than there.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use quantum_clm::backup::{BackupError, Bring, BringError, Lies, Place, ReceiveError, Verifier, receive};
use quantum_clm::domain::backup::{BackupId, Piece};
use quantum_clm::domain::model::Digest;

use super::bed::{BINARY, Bed, assert_whole, files};

/// Brings the pieces of a backup from its place, and does something before the first model's file or the data file.
struct Courier<'a> {
    place: Place,
    id: BackupId,
    meanwhile: Option<&'a dyn Fn()>,
    /// The end of the name of a file that comes with one bit changed.
    damaged: &'a str,
}

impl Bring for Courier<'_> {
    fn bring(&mut self, piece: &Piece, lies: &Lies, into: &mut dyn Write) -> Result<(), BringError> {
        let path = match piece {
            Piece::File(name) => self.place.backup(self.id).join(name),
            Piece::Artifact(digest) => shelved(&self.place, digest),
        };
        assert_eq!(path, self.place.directory.join(&lies.at), "where it lies");
        let failed = |error: std::io::Error| BringError::Failed(error.into());
        let mut bytes = fs::read(path).map_err(failed)?;
        if !self.damaged.is_empty() && lies.at.ends_with(self.damaged) {
            bytes[7] ^= 1;
        }
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        into.write_all(first).map_err(failed)?;
        let named = matches!(piece, Piece::File(name) if name != "quantum.redb");
        if let Some(meanwhile) = self.meanwhile.take_if(|_| !named) {
            meanwhile();
        }
        into.write_all(rest).map_err(failed)
    }
}

fn shelved(place: &Place, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    place.artifacts().join(&name[..2]).join(&name[2..])
}

fn courier<'a>(bed: &Bed, id: BackupId, meanwhile: Option<&'a dyn Fn()>) -> Courier<'a> {
    Courier { place: bed.place(), id, meanwhile, damaged: "" }
}

#[test]
fn whoever_comes_second_does_not_spoil_what_the_first_one_receives() {
    let bed = Bed::new(100);
    let id = bed.backup().manifest.id;
    let medium = tempfile::tempdir().unwrap();
    let to = Place::new(medium.path().join("usb"));
    let second = || {
        let refused = receive(id, &to, &mut courier(&bed, id, None), Some(&Verifier::at(BINARY)));
        assert!(matches!(refused, Err(ReceiveError::Place(BackupError::Busy { .. }))), "{refused:?}");
    };
    let received = receive(id, &to, &mut courier(&bed, id, Some(&second)), Some(&Verifier::at(BINARY))).unwrap();
    assert_eq!(received.findings, []);
    assert_whole(&received.path);
    let again = receive(id, &to, &mut courier(&bed, id, None), Some(&Verifier::at(BINARY))).unwrap();
    assert_eq!((again.fetched, again.findings), (0, Vec::new()));
    let left = |path: &PathBuf| path.to_string_lossy().contains("partial") || path.ends_with("artifact");
    assert!(!files(&to.directory).iter().any(left), "{:?}", files(&to.directory));
}

#[test]
fn nothing_is_written_where_a_link_leads() {
    let bed = Bed::new(100);
    let manifest = bed.backup().manifest;
    let id = manifest.id;
    let artifact = manifest.artifacts.first().expect("a model's file");
    let (shelf, file) = artifact.stored_name.split_once('/').expect("a shelf");
    let medium = tempfile::tempdir().unwrap();
    let (mine, victim) = (medium.path().join("mine"), medium.path().join("victim"));
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("precious"), b"as it was").unwrap();
    let partial = format!(".partial-{id}");
    for (link, target, refused) in [
        (".lock".to_owned(), "precious", true),
        (format!("artifacts/{shelf}"), "", true),
        ("artifacts".to_owned(), "", true),
        (format!("artifacts/{shelf}/{file}"), "precious", false),
        (partial, "", false),
    ] {
        let to = Place::new(mine.join(link.replace('/', "-")));
        let at = to.directory.join(&link);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(victim.join(target), &at).unwrap();
        let received = receive(id, &to, &mut courier(&bed, id, None), Some(&Verifier::at(BINARY)));
        assert_eq!(received.is_err(), refused, "{link}: {received:?}");
        if !refused {
            assert_whole(&to.backup(id));
        }
        assert_eq!(files(&victim), [victim.join("precious")], "{link}");
        assert_eq!(fs::read(victim.join("precious")).unwrap(), b"as it was", "{link}");
    }
}

#[test]
fn what_comes_otherwise_than_the_backup_says_is_named_and_goes() {
    let bed = Bed::new(100);
    let manifest = bed.backup().manifest;
    let (id, model) = (manifest.id, &*manifest.artifacts[0].stored_name);
    let medium = tempfile::tempdir().unwrap();
    for (damaged, at) in [
        ("quantum.redb", format!("{id}/quantum.redb")),
        ("manifest.json", id.to_string()),
        ("SHA256SUMS", id.to_string()),
        (model, format!("artifacts/{model}")),
    ] {
        let to = Place::new(medium.path().join(damaged.rsplit('/').next().unwrap_or_default()));
        let mut courier = Courier { damaged, ..courier(&bed, id, None) };
        let refused = receive(id, &to, &mut courier, None);
        let Err(ReceiveError::Damaged { at: said, why }) = refused else { panic!("{damaged}: {refused:?}") };
        assert_eq!(said, at);
        assert!(why.ends_with("take another backup"), "{damaged}: {why}");
        let left = files(&to.directory);
        assert!(!left.iter().any(|path| path.to_string_lossy().contains(&id.to_string())), "{damaged}: {left:?}");
        assert!(damaged != model || !to.artifacts().join(model).exists(), "{left:?}");
    }
}
