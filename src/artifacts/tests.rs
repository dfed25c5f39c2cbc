use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};

use super::*;
use crate::domain::model::{
    ArtifactFile, ArtifactState, Artifacts, Keeping, Model, ModelId, ModelName, Origin, Provenance, Stage, Tombstone,
    Version,
};
use crate::domain::time::Micros;
use crate::observe::status::StatusBoard;
use crate::store::StoreError;

/// A data file in a directory of its own, with the model `m` of which `v1` and `v2` are there.
struct Place {
    directory: Arc<Directory>,
    store: Arc<Store>,
    home: tempfile::TempDir,
    /// What `artifacts.in_place` names.
    own: tempfile::TempDir,
}

fn version(name: &str) -> Version {
    Version {
        model: model_id(),
        name: name.parse().unwrap(),
        stage: Stage::Training,
        created_at: Micros(1),
        promoted_at: None,
        retired_at: None,
        succeeded: None,
        parent: None,
        provenance: Provenance {
            origin: Origin::Job("j".into()),
            data: None,
            parameters: Default::default(),
            feature_count: None,
            code_revision: None,
        },
        artifacts: None,
        train_metrics: Default::default(),
        validation_metrics: Default::default(),
        tags: Default::default(),
        score: None,
        sharpe: None,
        forced: Vec::new(),
        deleted: None,
    }
}

fn model_id() -> ModelId {
    "xgboost_btcusdt_1h_main".parse().unwrap()
}

impl Place {
    fn new() -> Self {
        let (home, own) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = Arc::new(Store::open(&home.path().join("q.redb")).unwrap());
        let name = ModelName::of(&model_id()).unwrap();
        let model = Model::new(model_id(), name, Micros(1));
        store
            .write::<_, StoreError>(|txn| {
                txn.put_model(&model)?;
                txn.put_version(&version("v1"))?;
                txn.put_version(&version("v2"))
            })
            .unwrap();
        let limits =
            config::Artifacts { max_file: 1 << 20, max_version: 4 << 20, in_place: vec![own.path().to_owned()] };
        let directory = Arc::new(Directory::new(store.clone(), limits));
        Self { directory, store, home, own }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn take(&self, content: &[u8]) -> Taken {
        let mut intake = self.directory.take_in(None).unwrap();
        content.chunks(7).for_each(|chunk| intake.write(chunk).unwrap());
        intake.finish(None).unwrap()
    }

    /// As the registry does it.
    fn attach(&self, name: &str, path: &str, content: &[u8]) -> Digest {
        let taken = self.take(content);
        let file = ArtifactFile { path: path.parse().unwrap(), size: taken.size, sha256: taken.digest };
        self.directory
            .keep(taken, || {
                self.change(name, |txn, version| {
                    version.take_file(file.clone(), u64::MAX).unwrap();
                    txn.use_artifact(&file)
                });
                Ok::<_, ArtifactError>(())
            })
            .unwrap();
        file.sha256
    }

    fn change(&self, name: &str, change: impl FnOnce(&crate::store::WriteTxn, &mut Version) -> Result<(), StoreError>) {
        self.store
            .write::<_, StoreError>(|txn| {
                let mut version = txn.version(&model_id(), &name.parse().unwrap())?.unwrap();
                change(txn, &mut version)?;
                txn.put_version(&version)
            })
            .unwrap();
    }

    fn delete(&self, name: &str) {
        self.change(name, |txn, version| {
            version.deleted = Some(Tombstone { by: "a".into(), at: Micros(2), why: "b".into() });
            let files = version.artifacts.iter().flat_map(|artifacts| &artifacts.files);
            files.clone().try_for_each(|file| txn.release_artifact(&file.sha256))
        });
    }

    fn produce(&self, name: Option<&str>) {
        self.store
            .write::<_, StoreError>(|txn| {
                let mut model = txn.model(&model_id())?.unwrap();
                model.production = name.map(|name| name.parse().unwrap());
                txn.put_model(&model)
            })
            .unwrap();
    }

    fn artifacts(&self, name: &str) -> Artifacts {
        self.store.version(&model_id(), &name.parse().unwrap()).unwrap().unwrap().artifacts.unwrap()
    }

    fn deployments(&self) -> (Deployments, StatusBoard) {
        let board = StatusBoard::new();
        (Deployments::new(self.directory.clone(), board.clone()), board)
    }

    fn incoming(&self) -> Vec<PathBuf> {
        files(&self.path("artifacts/incoming"))
    }

    fn contents(&self) -> Vec<PathBuf> {
        files(&self.path("artifacts/sha256")).iter().flat_map(|shelf| files(shelf)).collect()
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).map_or(Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_file_lies_under_its_digest_and_cannot_be_written() {
    let place = Place::new();
    let digest = place.attach("v1", "a/model.bin", b"abc");
    assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let at = place.path("artifacts/sha256/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(fs::read(&at).unwrap(), b"abc");
    assert_eq!((mode(&at), mode(at.parent().unwrap())), (0o440, 0o750));
    assert_eq!(place.incoming(), Vec::<PathBuf>::new());
    let artifacts = place.artifacts("v1");
    let content = place.directory.open(&artifacts, &artifacts.files[0]).unwrap();
    assert_eq!((content.size, content.read_at(1, 10).unwrap()), (3, b"bc".to_vec()));
}

#[test]
fn nothing_is_left_of_what_is_not_taken() {
    let place = Place::new();
    drop({
        let mut intake = place.directory.take_in(None).unwrap();
        intake.write(b"it breaks off").unwrap();
        intake
    });
    let empty = place.directory.take_in(Some(0)).unwrap().finish(None);
    assert!(matches!(empty, Err(ArtifactError::Empty)));
    let mut other = place.directory.take_in(None).unwrap();
    other.write(b"abc").unwrap();
    let error = other.finish(Some(Digest([7; 32]))).err().unwrap();
    assert!(matches!(error, ArtifactError::Digest { .. }), "{error}");
    let mut large = place.directory.take_in(None).unwrap();
    let error = (0..17).find_map(|_| large.write(&[0; 64 << 10]).err()).unwrap();
    assert!(matches!(error, ArtifactError::TooLarge { limit: 1_048_576 }), "{error}");
    drop(large);
    assert!(matches!(place.directory.take_in(Some(1 << 21)), Err(ArtifactError::TooLarge { .. })));
    // The manifest is not committed, so the file loses its place.
    let refused = place.directory.keep(place.take(b"abc"), || Err::<(), _>(ArtifactError::Empty));
    assert!(refused.is_err());
    assert_eq!((place.incoming().len(), place.contents().len()), (0, 0));
}

#[test]
fn content_stays_as_long_as_somebody_uses_it() {
    let place = Place::new();
    place.attach("v1", "model", b"abc");
    place.attach("v1", "again", b"abc");
    place.attach("v2", "model", b"abc");
    place.attach("v2", "own", b"own");
    assert_eq!(place.contents().len(), 2);
    // Refused for another reason: what was there before stays.
    assert!(place.directory.keep(place.take(b"abc"), || Err::<(), _>(ArtifactError::Empty)).is_err());
    place.delete("v2");
    assert_eq!(place.directory.collect().unwrap(), 1);
    let artifacts = place.artifacts("v1");
    assert!(place.directory.check(&artifacts).iter().all(|file| file.state == FileState::Ok));
    place.delete("v1");
    assert_eq!(place.directory.collect().unwrap(), 1);
    assert_eq!((place.contents().len(), place.store.artifacts().unwrap().len()), (0, 0));
}

#[test]
fn one_comes_while_another_goes() {
    let place = Place::new();
    for round in 0..20 {
        let name = format!("r{round}");
        place.store.write::<_, StoreError>(|txn| txn.put_version(&version(&name))).unwrap();
        place.attach(&name, "model", b"the same");
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                place.delete(&name);
                place.directory.collect().unwrap();
            });
            barrier.wait();
            place.attach("v1", &format!("file {round}"), b"the same");
        });
        let checked = place.directory.check(&place.artifacts("v1"));
        assert!(checked.iter().all(|file| file.state == FileState::Ok), "round {round}: {checked:?}");
    }
}

#[test]
fn what_is_damaged_missing_or_unreadable_is_said_and_mended_by_sending_it_again() {
    let place = Place::new();
    let digests = ["a", "b", "c"].map(|name| place.attach("v1", name, name.as_bytes()));
    let at = |digest: &Digest| place.directory.layout.content(digest);
    fs::set_permissions(at(&digests[0]), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(at(&digests[0]), b"x").unwrap();
    fs::remove_file(at(&digests[1])).unwrap();
    fs::remove_file(at(&digests[2])).unwrap();
    symlink("/etc/passwd", at(&digests[2])).unwrap();
    let artifacts = place.artifacts("v1");
    let states = || place.directory.check(&artifacts).into_iter().map(|file| file.state).collect::<Vec<_>>();
    assert_eq!(states(), [FileState::Damaged, FileState::Missing, FileState::Unreadable]);
    assert!(place.directory.check(&artifacts).iter().all(|file| file.why.is_some()));
    let missing = place.directory.open(&artifacts, &artifacts.files[1]).err().unwrap();
    assert!(missing.to_string().contains("the content of b is missing"), "{missing}");
    for name in ["a", "b", "c"] {
        place.attach("v2", name, name.as_bytes());
    }
    assert_eq!(states(), [FileState::Ok; 3]);
}

#[test]
fn a_start_removes_leftovers_and_nothing_else() {
    let place = Place::new();
    let used = place.attach("v1", "model", b"abc");
    place.attach("v2", "model", b"xyz");
    place.delete("v2");
    let incoming = place.path("artifacts/incoming");
    let random = "0123456789abcdef0123456789abcdef";
    fs::write(incoming.join(random), b"half").unwrap();
    // As a death between the place and the commit leaves it, and one between the commit and the end.
    let orphan = place.take(b"orphan");
    fs::create_dir_all(place.directory.layout.content(&orphan.digest).parent().unwrap()).unwrap();
    fs::hard_link(
        files(&incoming).iter().find(|path| path.extension().is_some()).unwrap(),
        place.directory.layout.content(&orphan.digest),
    )
    .unwrap();
    fs::write(incoming.join(format!("{random}.{used}")), b"abc").unwrap();
    std::mem::forget(orphan);
    for name in ["notes.txt", "0123.x", "README"] {
        fs::write(incoming.join(name), b"somebody's").unwrap();
    }
    let foreign = place.directory.layout.content(&Digest([9; 32]));
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, b"of another data file").unwrap();

    let swept = place.directory.sweep().unwrap();
    let expected = Swept { leftovers: 3, unused: 1, used: 1, bytes: 3, missing: vec![], unknown: 1 };
    assert_eq!(swept, expected);
    assert_eq!(place.incoming().len(), 3);
    assert!(foreign.exists() && place.directory.layout.content(&used).exists());
    assert_eq!(place.contents().len(), 2);
    fs::remove_file(place.directory.layout.content(&used)).unwrap();
    assert_eq!(place.directory.sweep().unwrap().missing, [used]);
}

#[test]
fn files_are_registered_where_they_are() {
    let place = Place::new();
    let home = place.own.path().join("v7");
    fs::create_dir_all(home.join("deep")).unwrap();
    fs::write(home.join("model"), b"abc").unwrap();
    fs::write(home.join("deep/scaler"), b"xyz").unwrap();
    let file = |path: &str, sha256: Option<Digest>| Registered { path: path.parse().unwrap(), sha256 };
    let abc: Digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".parse().unwrap();
    let files = [file("model", Some(abc)), file("deep/scaler", None)];
    let artifacts = place.directory.register_in_place(&home, &files).unwrap();
    assert_eq!(artifacts.keeping, Keeping::InPlace(home.canonicalize().unwrap().to_str().unwrap().to_owned()));
    assert_eq!((artifacts.files.len(), artifacts.size(), artifacts.state), (2, 6, ArtifactState::Sound));
    assert!(place.directory.check(&artifacts).iter().all(|file| file.state == FileState::Ok));
    let content = place.directory.open(&artifacts, &artifacts.files[1]).unwrap();
    assert_eq!(content.read_at(0, 3).unwrap(), b"abc");
    fs::write(home.join("model"), b"abd").unwrap();
    fs::remove_file(home.join("deep/scaler")).unwrap();
    let states: Vec<_> = place.directory.check(&artifacts).into_iter().map(|file| file.state).collect();
    assert_eq!(states, [FileState::Missing, FileState::Damaged]);
    // What is larger now is not read to its end, which might never come.
    fs::File::create(home.join("model")).unwrap().set_len(1 << 40).unwrap();
    let checked = place.directory.check(&artifacts);
    assert_eq!(checked[1].why.as_deref(), Some("it has 1099511627776 bytes and should have 3"));
    let larger = place.directory.register_in_place(&home, &[file("model", None)]);
    assert!(matches!(larger, Err(ArtifactError::TooLarge { .. })), "{larger:?}");
}

#[test]
fn nothing_leads_out_of_the_directory_that_is_named() {
    let place = Place::new();
    let home = place.own.path().join("models");
    fs::create_dir_all(home.join("deep")).unwrap();
    fs::write(place.path("secret"), b"secret").unwrap();
    fs::write(home.join("model"), b"abc").unwrap();
    fs::write(home.join("empty"), b"").unwrap();
    symlink(place.path("secret"), home.join("link")).unwrap();
    symlink("model", home.join("inside")).unwrap();
    symlink(place.home.path(), home.join("out")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, home.join("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    place.attach("v1", "model", b"abc");
    let refused = |directory: &Path, path: &str| {
        let file = Registered { path: path.parse().unwrap(), sha256: None };
        place.directory.register_in_place(directory, &[file]).unwrap_err().to_string()
    };
    for (path, why) in [
        ("link", "symbolic link"),
        ("inside", "symbolic link"),
        ("out/secret", "symbolic link"),
        ("deep", "no regular file"),
        ("pipe", "no regular file"),
        ("nothing", "no such file"),
        ("model/x", "no directory"),
        ("empty", "empty"),
    ] {
        let said = refused(&home, path);
        assert!(said.contains(why), "{path}: {said}");
    }
    assert!(refused(Path::new("models"), "model").contains("whole path"));
    assert!(refused(&place.path("artifacts/sha256"), "model").contains("a directory of your own"));
    assert!(refused(&place.path("nowhere"), "model").contains("No such file"));
    // A link out of the directories that are named is where it leads to.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("model"), b"abc").unwrap();
    symlink(elsewhere.path(), home.join("elsewhere")).unwrap();
    for directory in [elsewhere.path(), &home.join("elsewhere"), Path::new("/")] {
        let said = refused(directory, "model");
        assert!(said.contains("not in a directory of artifacts.in_place"), "{directory:?}: {said}");
    }
    let sha256 = Some(Digest([1; 32]));
    let wrong = place.directory.register_in_place(&home, &[Registered { path: "model".parse().unwrap(), sha256 }]);
    assert!(matches!(wrong, Err(ArtifactError::Digest { .. })));
    assert!(place.directory.register_in_place(&home, &[]).is_err());
}

#[test]
fn only_what_the_configuration_names_stays_in_place() {
    let place = Place::new();
    fs::write(place.own.path().join("model"), b"abc").unwrap();
    let said = |in_place: &[&Path], directory: &Path, path: &str| {
        let in_place = in_place.iter().map(|path| path.to_path_buf()).collect();
        let directory_of = Directory::new(place.store.clone(), config::Artifacts { in_place, ..Default::default() });
        let file = Registered { path: path.parse().unwrap(), sha256: None };
        directory_of.register_in_place(directory, &[file]).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(said(&[], place.own.path(), "model").contains("set artifacts.in_place"), "nothing is allowed at first");
    assert_eq!(said(&[place.own.path()], place.own.path(), "model"), "");
    assert_eq!(said(&[Path::new("/nowhere"), Path::new("/")], place.own.path(), "model"), "");
    let root = Path::new("/");
    let below = |path: &Path| path.canonicalize().unwrap().to_str().unwrap()[1..].to_owned();
    let data_file = place.path("q.redb");
    for (directory, path) in [
        (place.home.path(), "q.redb".to_owned()),
        (root, below(&data_file)),
        (Path::new("/proc"), "version".to_owned()),
        (root, "proc/version".to_owned()),
        (root, "etc/quantum/clm.toml".to_owned()),
    ] {
        let said = said(&[root], directory, &path);
        assert!(said.contains("a directory of your own"), "{directory:?} {path}: {said}");
    }
}

#[test]
fn the_pointer_follows_the_data_file() {
    let place = Place::new();
    let (deployments, board) = place.deployments();
    place.attach("v1", "model", b"abc");
    place.attach("v1", "a/b/scaler", b"xyz");
    place.attach("v2", "model", b"other");
    let pointer = place.path("production").join(model_id().as_str());
    let read = |path: &str| fs::read_to_string(pointer.join(path)).ok();
    let now = || deployments.reconcile(&model_id()).unwrap();
    assert!(!now().is_there && !pointer.exists(), "nothing is in production");
    place.produce(Some("v1"));
    assert_eq!(now(), Deployed { version: Some("v1".parse().unwrap()), pointer: pointer.clone(), is_there: true });
    assert_eq!((read("model").as_deref(), read("a/b/scaler").as_deref()), (Some("abc"), Some("xyz")));
    let target = fs::read_link(&pointer).unwrap();
    assert_eq!(target, Path::new("../artifacts/versions").join(model_id().as_str()).join("v1"));
    place.produce(Some("v2"));
    now();
    assert_eq!((read("model").as_deref(), read("a/b/scaler")), (Some("other"), None));
    now();
    // Somebody meddled: it is put right.
    fs::remove_file(pointer.join("model")).unwrap();
    now();
    assert_eq!(read("model").as_deref(), Some("other"));
    // The whole data directory can be elsewhere tomorrow.
    let moved = tempfile::tempdir().unwrap();
    for name in ["artifacts", "production"] {
        fs::rename(place.path(name), moved.path().join(name)).unwrap();
    }
    let model = moved.path().join("production").join(model_id().as_str()).join("model");
    assert_eq!(fs::read_to_string(model).unwrap(), "other");
    for name in ["artifacts", "production"] {
        fs::rename(moved.path().join(name), place.path(name)).unwrap();
    }
    place.produce(None);
    now();
    assert!(fs::symlink_metadata(&pointer).is_err());
    assert_eq!(files(&place.path("production")), Vec::<PathBuf>::new());
    assert!(
        board.all().iter().all(|component| component.state == crate::domain::health::State::Ok),
        "{:?}",
        board.all()
    );
}

#[test]
fn a_version_in_place_is_pointed_at_where_it_is() {
    let place = Place::new();
    let home = place.own.path().join("models");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("model"), b"abc").unwrap();
    let file = Registered { path: "model".parse().unwrap(), sha256: None };
    let artifacts = place.directory.register_in_place(&home, &[file]).unwrap();
    place.change("v1", |_, version| {
        version.artifacts = Some(artifacts.clone());
        Ok(())
    });
    place.produce(Some("v1"));
    let (deployments, _) = place.deployments();
    deployments.reconcile(&model_id()).unwrap();
    let pointer = place.path("production").join(model_id().as_str());
    assert_eq!(fs::read_link(&pointer).unwrap(), home.canonicalize().unwrap());
}

#[test]
fn nothing_points_at_what_was_imported_without_content() {
    let place = Place::new();
    let file = place.take(b"abc");
    let files = vec![ArtifactFile { path: "model".parse().unwrap(), size: 0, sha256: file.digest }];
    let (deployments, board) = place.deployments();
    let pointer = place.path("production").join(model_id().as_str());
    for (directory, state) in [
        ("/srv", ArtifactState::Sound),
        ("", ArtifactState::Empty),
        ("/srv", ArtifactState::Empty),
        ("", ArtifactState::Sound),
    ] {
        let artifacts = Artifacts { keeping: Keeping::InPlace(directory.into()), state, files: files.clone() };
        place.change("v1", |_, version| {
            version.artifacts = Some(artifacts.clone());
            Ok(())
        });
        place.produce(Some("v1"));
        let is_there = directory == "/srv" && state == ArtifactState::Sound;
        assert_eq!(deployments.reconcile(&model_id()).unwrap().is_there, is_there, "{directory} {state:?}");
        assert_eq!(fs::symlink_metadata(&pointer).is_ok(), is_there, "{directory} {state:?}");
    }
    let all = board.all();
    assert!(all.iter().all(|component| component.state == crate::domain::health::State::Ok), "{all:?}");
}

#[test]
fn what_is_in_the_way_is_reported_and_gone_around_once_it_is_gone() {
    let place = Place::new();
    let (deployments, board) = place.deployments();
    place.attach("v1", "model", b"abc");
    place.produce(Some("v1"));
    let pointer = place.path("production").join(model_id().as_str());
    fs::create_dir_all(&pointer).unwrap();
    let error = deployments.reconcile(&model_id()).unwrap_err().to_string();
    assert!(error.contains("move it away"), "{error}");
    let component = || board.all().into_iter().find(|component| component.name == "deployment").unwrap();
    assert_eq!(component().state, crate::domain::health::State::Failed);
    assert!(component().summary.contains(model_id().as_str()), "{:?}", component());
    deployments.retry();
    assert_eq!(component().state, crate::domain::health::State::Failed);
    fs::remove_dir(&pointer).unwrap();
    deployments.retry();
    assert_eq!(component().state, crate::domain::health::State::Ok);
    assert_eq!(fs::read(pointer.join("model")).unwrap(), b"abc");
}

#[test]
fn a_start_repairs_the_pointers_and_removes_what_is_half_made() {
    let place = Place::new();
    let (deployments, _) = place.deployments();
    place.attach("v1", "model", b"abc");
    place.attach("v2", "model", b"xyz");
    place.produce(Some("v1"));
    deployments.reconcile(&model_id()).unwrap();
    place.produce(Some("v2"));
    deployments.reconcile(&model_id()).unwrap();
    // A commit, and death before anything else.
    place.produce(Some("v1"));
    let production = place.path("production");
    symlink("nowhere", production.join(".half")).unwrap();
    symlink("elsewhere", production.join("another-models")).unwrap();
    fs::write(production.join("README"), b"somebody's").unwrap();
    let versions = place.path("artifacts/versions").join(model_id().as_str());
    fs::create_dir_all(versions.join(".v9.half/a")).unwrap();
    place.delete("v2");
    deployments.reconcile_all().unwrap();
    assert_eq!(fs::read(production.join(model_id().as_str()).join("model")).unwrap(), b"abc");
    assert!(production.join("README").exists() && fs::symlink_metadata(production.join("another-models")).is_ok());
    assert!(fs::symlink_metadata(production.join(".half")).is_err());
    assert_eq!(files(&versions), [versions.join("v1")]);
}

fn partial(number: u32) -> PartialId {
    PartialId::of(&["somebody", &number.to_string()])
}

impl Place {
    /// An upload that broke off behind `content`.
    fn broken_off(&self, number: u32, content: &[u8]) {
        let claim = self.directory.claim(&partial(number)).expect("nobody is at it");
        let mut intake = self.directory.take_rest(claim, 0, None).unwrap();
        intake.write(content).unwrap();
    }
}

#[test]
fn uploads_that_nobody_goes_on_with_are_removed() {
    let place = Place::new();
    place.broken_off(1, b"abc");
    assert_eq!((place.incoming().len(), place.directory.sweep_partials().unwrap()), (1, 0), "it is new");
    assert_eq!(place.directory.sweep().unwrap().leftovers, 0, "a start keeps it");
    let day = std::time::Duration::from_secs(25 * 60 * 60);
    let file = fs::OpenOptions::new().write(true).open(&place.incoming()[0]).unwrap();
    file.set_modified(std::time::SystemTime::now() - day).unwrap();
    let claim = place.directory.claim(&partial(1)).unwrap();
    assert_eq!(place.directory.sweep_partials().unwrap(), 0, "somebody is at it");
    drop(claim);
    assert_eq!((place.directory.sweep_partials().unwrap(), place.incoming().len()), (1, 0), "a day old");
    // No more bytes than a version may have, which is 4 MiB here: the oldest goes.
    (0..5).for_each(|number| place.broken_off(number, &[0; 1 << 20]));
    assert_eq!((place.directory.sweep_partials().unwrap(), place.incoming().len()), (1, 4));
    // Nor more than so many.
    (0..40).for_each(|number| place.broken_off(number, b"abc"));
    place.directory.sweep_partials().unwrap();
    assert_eq!(place.incoming().len(), 32);
}

#[test]
fn an_upload_has_one_sender_at_a_time() {
    let place = Place::new();
    place.broken_off(1, b"abc");
    let elder = place.directory.claim(&partial(1)).unwrap();
    assert!(place.directory.claim(&partial(1)).is_none());
    assert!(place.directory.take_over(&partial(1), std::time::Duration::ZERO).is_none(), "it does not let go");
    let displaced = elder.displaced();
    let directory = Arc::clone(&place.directory);
    let younger =
        std::thread::spawn(move || directory.take_over(&partial(1), std::time::Duration::from_secs(60)).is_some());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(displaced.notified());
    drop(elder);
    assert!(younger.join().unwrap(), "it lets go");
    let claim = place.directory.claim(&partial(1)).unwrap();
    assert_eq!(place.directory.partial_size(&claim), 3);
    assert!(place.directory.take_rest(claim, 2, None).is_err(), "that is not where it ended");
}
