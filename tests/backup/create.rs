use std::cell::{Cell, RefCell};
use std::fs;
use std::process::Command;

use quantum_clm::app::registry::Ask;
use quantum_clm::backup::{BackupError, Verifier, create};
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::backup::{Keep, Part, Stage};
use quantum_clm::domain::role::Role;
use quantum_clm::observe::now;

use super::bed::{ALL, BINARY, Bed, append, assert_whole, files, look, make, make_with, mode};

#[test]
fn a_backup_says_what_is_in_it() {
    let bed = Bed::new(5_000);
    let created = bed.backup();
    let manifest = created.manifest;
    let path = bed.place().backup(manifest.id);
    assert_whole(&path);
    assert_eq!((manifest.feed.events, manifest.feed.kept), (5_000, 5_000));
    assert!(manifest.tables["versions"] > 0 && manifest.tables["jobs"] > 0, "{:?}", manifest.tables);
    assert!(manifest.audit.count > 0 && !manifest.artifacts.is_empty() && manifest.lacking.is_empty(), "{manifest:?}");
    assert_eq!(bed.found()[0].manifest.as_ref(), Ok(&manifest), "what is read is what was written");
    let sums = Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&path).output();
    let sums = sums.expect("sha256sum");
    assert!(sums.status.success(), "{sums:?}");
    assert_eq!((mode(&bed.place().directory), mode(&path)), (0o700, 0o700));
    for file in files(&bed.place().directory) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(bed.leftovers(), [""; 0]);
}

#[test]
fn models_files_are_stored_once_and_go_with_the_last_backup_that_names_them() {
    let bed = Bed::new(100);
    let first = bed.backup().manifest;
    let shelf = bed.place().artifacts();
    let inodes = || -> Vec<_> {
        use std::os::unix::fs::MetadataExt as _;
        files(&shelf).iter().map(|file| fs::metadata(file).expect("a file").ino()).collect()
    };
    let before = inodes();
    let second = bed.backup().manifest;
    assert_eq!((inodes(), &first.artifacts), (before, &second.artifacts), "only new ones are copied");

    // One that rotted on the shelf is put anew by the next backup, which heals the older ones.
    let rotten = shelf.join(&first.artifacts[0].stored_name);
    fs::write(&rotten, b"rotten").expect("a write");
    assert_eq!(look(&bed.place().backup(first.id), false).findings[0].part, Part::Artifacts);
    bed.backup();
    assert_whole(&bed.place().backup(first.id));

    // Whatever else lies there is somebody else's.
    let foreign = shelf.join("README");
    fs::write(&foreign, b"mine").expect("a write");
    let deleted = delete_a_version_with_a_file(&bed);
    let none = Keep { last: 0, daily: 0, weekly: 0, monthly: 0 };
    let app = bed.app();
    let created = make(&app.store, &bed.place(), &none, &|_| {}).expect("a backup");
    assert_eq!(created.removed.len(), 3, "{created:?}");
    assert_eq!(bed.found().len(), 1, "the newest stays, whatever the numbers are");
    assert!(foreign.exists() && !shelf.join(deleted).exists());
    assert_whole(&bed.place().backup(created.manifest.id));
}

/// Deletes a version that has a file of its own; the file's name on the shelf.
fn delete_a_version_with_a_file(bed: &Bed) -> String {
    let app = bed.app();
    let name = delete(&app);
    app.close();
    name
}

fn delete(app: &quantum_clm::app::App) -> String {
    let actor = Actor::person("anna", "socket");
    let ask = Ask { actor, grant: Grant::Role(Role::Admin), now: now(), key: None, expected: None };
    for model in app.store.models().expect("models") {
        for version in app.store.versions_of(&model.id).expect("versions") {
            let Some(file) = version.artifacts.as_ref().and_then(|artifacts| artifacts.files.first()) else { continue };
            if app.registry.delete(&ask, &model.id, &version.name, "a test").is_ok() {
                let digest = file.sha256.to_string();
                if app.store.artifact(&file.sha256).expect("a look").is_none() {
                    return format!("{}/{}", &digest[..2], &digest[2..]);
                }
            }
        }
    }
    panic!("the sample has no version that can be deleted with a file");
}

#[test]
fn a_version_that_is_deleted_meanwhile_is_not_in_it() {
    let bed = Bed::new(100);
    let app = bed.app();
    let deleted = RefCell::new(None);
    let copies = Cell::new(0);
    let progress = |step| match step {
        Stage::Copy => copies.set(copies.get() + 1),
        Stage::Artifacts if copies.get() == 1 => *deleted.borrow_mut() = Some(delete(&app)),
        _ => {}
    };
    let created = make(&app.store, &bed.place(), &ALL, &progress).expect("a backup");
    let name = deleted.into_inner().expect("a name");
    assert_eq!(copies.get(), 2, "it was copied again");
    assert!(created.manifest.artifacts.iter().all(|kept| kept.stored_name != name), "{created:?}");
    assert_whole(&bed.place().backup(created.manifest.id));
}

#[test]
fn two_at_once_do_not_meet() {
    let bed = Bed::new(100);
    let app = bed.app();
    let seen = Cell::new(0);
    let progress = |_| {
        let second = make(&app.store, &bed.place(), &ALL, &|_| {});
        assert!(matches!(second, Err(BackupError::Busy { .. })), "{second:?}");
        seen.set(seen.get() + 1);
    };
    make(&app.store, &bed.place(), &ALL, &progress).expect("a backup");
    assert!(seen.get() >= 5, "{}", seen.get());
    assert_eq!(bed.found().len(), 1);
}

#[test]
fn a_manifest_that_changed_is_read_anew() {
    let bed = Bed::new(100);
    let manifests = quantum_clm::backup::Manifests::default();
    let seen = || -> Vec<_> {
        let found = manifests.list(&bed.place()).expect("a list");
        let plain = bed.found();
        assert_eq!(found.len(), plain.len(), "what is kept is what is there");
        found
            .into_iter()
            .zip(plain)
            .map(|(kept, read)| {
                assert_eq!((kept.id, &kept.manifest), (read.id, &read.manifest));
                kept.manifest.is_ok()
            })
            .collect()
    };
    assert_eq!(seen(), [false; 0]);
    let first = bed.place().backup(bed.backup().manifest.id);
    assert_eq!((seen(), seen()), (vec![true], vec![true]));
    bed.backup();
    assert_eq!(seen(), [true, true]);
    let text = fs::read_to_string(first.join("manifest.json")).expect("a manifest");
    fs::write(first.join("manifest.json"), text.replacen("test", "tset", 1)).expect("a write");
    assert_eq!(seen(), [false, true]);
    fs::write(first.join("manifest.json"), &text).expect("a write");
    let data = fs::read(first.join("quantum.redb")).expect("a file");
    assert_eq!(seen(), [true, true]);
    fs::write(first.join("quantum.redb"), &data[1..]).expect("a write");
    assert_eq!(seen(), [false, true]);
    fs::remove_dir_all(&first).expect("gone");
    assert_eq!(seen(), [true]);
}

#[test]
fn what_is_not_verified_is_no_backup() {
    let bed = Bed::new(100);
    let good = bed.backup().manifest.id;
    let app = bed.app();
    for program in ["/bin/false", "/bin/true"] {
        let made = make_with(&app.store, &bed.place(), &ALL, &|_| {}, &Verifier::at(program));
        let Err(BackupError::NotWhole(report)) = made else { panic!("{program}: {made:?}") };
        assert!(report.findings[0].why.contains("without an answer"), "{report:?}");
    }
    let made = make_with(&app.store, &bed.place(), &ALL, &|_| {}, &Verifier::at("/nothing/there"));
    assert!(matches!(made, Err(BackupError::Verify(_))), "{made:?}");
    assert_eq!((bed.found().len(), bed.found()[0].id, bed.leftovers()), (1, good, vec![]));
}

#[test]
fn before_an_older_one_goes_the_one_that_stands_in_for_it_is_read() {
    let bed = Bed::new(100);
    let ids = [(); 3].map(|()| bed.backup().manifest.id);
    let data = bed.place().backup(ids[2]).join("quantum.redb");
    let mut bytes = fs::read(&data).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&data, bytes).expect("a write");
    let two = Keep { last: 2, daily: 0, weekly: 0, monthly: 0 };
    let app = bed.app();
    let created = make(&app.store, &bed.place(), &two, &|_| {}).expect("a backup");
    assert_eq!(created.removed, [ids[0]], "the one before the damaged one stays in its place");
    assert_eq!(created.doubted.keys().copied().collect::<Vec<_>>(), [ids[2]], "{:?}", created.doubted);
    let left: Vec<_> = bed.found().iter().map(|found| found.id).collect();
    assert_eq!(left, [ids[1], ids[2], created.manifest.id], "the damaged one is for the operator to see");
}

/// Once it has its name it is a backup, whatever comes after that.
#[cfg(feature = "failpoints")]
#[test]
fn a_backup_whose_name_cannot_be_synced_is_there_and_costs_no_older_one() {
    let bed = Bed::new(100);
    let older = bed.backup().manifest.id;
    let place = bed.place().directory;
    let aside = place.with_extension("aside");
    let away = {
        let (place, aside) = (place.clone(), aside.clone());
        move || fs::rename(&place, &aside).expect("a rename")
    };
    fail::cfg_callback("backup::named", away).expect("a failpoint");
    let app = bed.app();
    let one = Keep { last: 1, daily: 0, weekly: 0, monthly: 0 };
    let created = make(&app.store, &bed.place(), &one, &|_| {});
    fail::remove("backup::named");
    fs::rename(&aside, &place).expect("a rename");
    let created = created.expect("it has its name");
    assert!(created.unpruned.is_some() && created.removed.is_empty(), "{created:?}");
    let left: Vec<_> = bed.found().iter().map(|found| found.id).collect();
    assert_eq!(left, [older, created.manifest.id]);
}

/// Run in a process of its own, in which no file may grow beyond some size; nothing where nobody asks for it.
#[test]
fn a_process_whose_disk_is_full() {
    let Some(directory) = std::env::var_os("QUANTUM_CLM_TEST_FULL_DISK") else { return };
    let directory = std::path::PathBuf::from(directory);
    let store = quantum_clm::store::Store::open_for_reading(&directory.join("quantum.redb")).expect("a data file");
    let place = quantum_clm::backup::Place::new(directory.join("backups"));
    let error = make(&store, &place, &ALL, &|_| {}).expect_err("a full disk");
    assert!(error.is_full(), "{error:?}");
    println!("told: {error}");
}

#[test]
fn a_full_disk_leaves_nothing_behind_but_a_clear_word() {
    let bed = Bed::new(60_000);
    let good = bed.backup().manifest.id;
    let size = bed.found()[0].manifest.as_ref().expect("a manifest").data.size;
    // At the first page, in the middle, and nearly at the end.
    for blocks in [1, size / 1_024 / 2, size / 1_024 - 8] {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact \"$1\" --nocapture");
        let output = Command::new("bash")
            .args(["-c", &script])
            .arg(std::env::current_exe().expect("this program"))
            .arg("backup::create::a_process_whose_disk_is_full")
            .env("QUANTUM_CLM_TEST_FULL_DISK", bed.directory.path())
            .output()
            .expect("a process");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains("told: the disk of "), "{blocks}: {output:?}");
        assert_eq!((bed.found().len(), bed.found()[0].id, bed.leftovers()), (1, good, vec![]), "{said}");
    }
    assert_whole(&bed.place().backup(good));
}

#[test]
fn the_present_is_an_argument_and_names_are_given_once() {
    let bed = Bed::new(100);
    let app = bed.app();
    let verifier = Verifier::at(BINARY);
    let at = now();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let program = quantum_clm::domain::backup::ProgramId { version: "1".into(), revision: "a".into() };
        let place = bed.place();
        let plan = quantum_clm::backup::Plan {
            store: &app.store,
            place: &place,
            keep: &ALL,
            damaged: &std::collections::BTreeSet::new(),
            recipients: &[],
            host: "test",
            program,
            verifier: &verifier,
        };
        ids.push(create(&plan, at, &|_| {}).expect("a backup").manifest.id.to_string());
        append(&app.store, 0, 10);
    }
    assert_eq!(ids[1], format!("{}-2", ids[0]));
    assert_eq!(ids[2], format!("{}-3", ids[0]));
}
