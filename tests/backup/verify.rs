use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use quantum_clm::store::{Store, StoreError};

use super::bed::{Bed, assert_whole, files, look, verify_command};
use crate::support::Random;

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let bed = Bed::new(5_000);
    let path = bed.place().backup(bed.backup().manifest.id);
    let mut random = Random(7);
    let mut flips = 0;
    for file in files(&bed.place().directory) {
        if file.file_name().is_some_and(|name| name == ".lock") {
            continue;
        }
        let size = fs::metadata(&file).expect("a file").len();
        // Every byte of what is small, and of the rest the ends and some in between.
        let places: Vec<u64> = match size {
            0..=300 => (0..size).collect(),
            _ => [0, size - 1].into_iter().chain((0..12).map(|_| random.below(size))).collect(),
        };
        for place in places {
            let bit = 1_u8 << random.below(8);
            flip(&file, place, bit);
            let report = look(&path, false);
            assert!(!report.is_whole(), "{}: bit {bit} of byte {place} was not missed", file.display());
            flip(&file, place, bit);
            flips += 1;
        }
    }
    assert!(flips > 300, "{flips}");
    assert_whole(&path);
}

fn flip(file: &Path, place: u64, bit: u8) {
    let file = OpenOptions::new().read(true).write(true).open(file).expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).expect("a byte");
    file.write_all_at(&[byte[0] ^ bit], place).expect("a byte");
}

#[test]
fn a_file_that_is_missing_cut_off_or_longer_is_found_and_told() {
    let bed = Bed::new(1_000);
    let path = bed.place().backup(bed.backup().manifest.id);
    for file in files(&bed.place().directory) {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        if name == ".lock" {
            continue;
        }
        let content = fs::read(&file).expect("a file");
        let longer = [content.as_slice(), b"\n"].concat();
        for (what, changed) in [
            ("missing", None),
            ("empty", Some(&content[..0])),
            ("cut off", Some(&content[..content.len() - 1])),
            ("longer", Some(&longer[..])),
        ] {
            fs::remove_file(&file).expect("a removal");
            if let Some(changed) = changed {
                fs::write(&file, changed).expect("a write");
            }
            let report = look(&path, true);
            assert!(!report.is_whole(), "{name} {what}");
            fs::write(&file, &content).expect("a write");
        }
    }
    fs::remove_file(path.join("SHA256SUMS")).expect("a removal");
    let output = verify_command(&path, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said.contains("is NOT WHOLE:\n  backup: manifest.json: SHA256SUMS: No such file"), "{said}");
}

#[test]
fn a_manifest_that_names_other_files_is_refused() {
    let bed = Bed::new(100);
    let path = bed.place().backup(bed.backup().manifest.id);
    let text = fs::read_to_string(path.join("manifest.json")).expect("a manifest");
    let evil = text.replace("\"quantum.redb\"", "\"../../quantum.redb\"");
    assert_ne!(text, evil);
    fs::write(path.join("manifest.json"), &evil).expect("a write");
    let sums = std::process::Command::new("sh")
        .args([
            "-c",
            "sed -i 's|  quantum.redb|  ../../quantum.redb|' SHA256SUMS; \
               sed -i \"s|.*manifest.json|$(sha256sum manifest.json)|\" SHA256SUMS",
        ])
        .current_dir(&path)
        .status();
    assert!(sums.expect("a shell").success());
    let report = look(&path, false);
    assert!(report.findings[0].why.contains("names files that no backup has"), "{report:?}");
}

#[test]
fn a_data_file_is_looked_at_and_not_changed() {
    let bed = Bed::new(5_000);
    let before = fs::read(bed.data_file()).expect("a file");
    let artifacts = bed.directory.path().join("artifacts");
    let with_files = ["--artifacts", artifacts.to_str().expect("a path")];
    let output = verify_command(&bed.data_file(), &with_files);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("5000 events"), "{output:?}");
    assert_eq!(fs::read(bed.data_file()).expect("a file"), before);

    let output = verify_command(&bed.data_file(), &["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((json["whole"].as_bool(), json["events"].as_u64()), (Some(true), Some(5_000)), "{json}");
    assert!(json["notes"][0].as_str().expect("a note").contains("--artifacts"), "{json}");

    let lost = files(&artifacts.join("sha256"))[0].clone();
    fs::write(&lost, b"other").expect("a write");
    let output = verify_command(&bed.data_file(), &with_files);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("file of a model: "), "{output:?}");

    let store = Store::open(&bed.data_file()).expect("a data file");
    let output = verify_command(&bed.data_file(), &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("is in use by a running quantum-clm"), "{output:?}");
    store.close();
    let output = verify_command(Path::new("/nothing/there"), &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_damaged_data_file_is_a_no_and_never_a_crash() {
    let bed = Bed::new(20_000);
    // A backup's file: nearly all of its pages are in use.
    let copy = bed.place().backup(bed.backup().manifest.id).join("quantum.redb");
    let whole = fs::read(copy).expect("a file");
    let damaged = bed.directory.path().join("damaged.redb");
    let verdict = |bytes: &[u8]| {
        fs::write(&damaged, bytes).expect("a write");
        let output = verify_command(&damaged, &["--json"]);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!(output.status.code(), Some(i32::from(json["whole"] == false)), "{output:?}");
        assert_eq!(fs::read(&damaged).expect("a file"), bytes, "looking changed it");
        json
    };
    assert_eq!(verdict(&whole)["whole"], true);
    for length in [0, 3, 4, 100, 4_096, whole.len() / 3, whole.len() / 2, whole.len() - 4_096] {
        let json = verdict(&whole[..length]);
        assert_eq!(json["whole"], false, "{length} of {} bytes: {json}", whole.len());
    }
    assert_eq!(verdict(b"something else altogether")["whole"], false);
    // A bit that is not found has no meaning: every row of every table is read as it was, which a copy shows, row by row
    // the same file again. Such are bits of free pages, of what lies in a page behind its last row, and of the header's slot
    // that is not in use.
    let content = |bytes: &[u8]| {
        fs::write(&damaged, bytes).expect("a write");
        let target = bed.directory.path().join("content.redb");
        let store = Store::open(&damaged).unwrap_or_else(|error| panic!("it is whole, and cannot be opened: {error}"));
        let rows =
            store.copy_to(&target).unwrap_or_else(|error| panic!("it is whole, and cannot be read: {error}")).rows;
        store.close();
        (rows, fs::read(target).expect("a copy"))
    };
    let sound = content(&whole);
    assert!(content(&whole) == sound, "two copies of one content are the same bytes");
    let (mut random, mut found) = (Random(11), 0);
    const FLIPS: usize = 40;
    for _ in 0..FLIPS {
        let mut bytes = whole.clone();
        let place = loop {
            // A page that nobody wrote to is all zeros.
            let place = random.below(bytes.len() as u64) as usize;
            if bytes[place] != 0 {
                break place;
            }
        };
        let bit = random.below(8);
        bytes[place] ^= 1 << bit;
        if verdict(&bytes)["whole"] == false {
            found += 1;
        } else {
            assert!(content(&bytes) == sound, "bit {bit} of byte {place} changes what is read, and is not found");
        }
    }
    assert!(found > 0, "none of {FLIPS} was found");
}

#[test]
fn records_that_contradict_each_other_are_found() {
    let bed = Bed::new(100);
    let app = bed.app();
    let version = app.store.models().expect("models").into_iter().find_map(|model| {
        let versions = app.store.versions_of(&model.id).expect("versions");
        versions.into_iter().find(|version| version.artifacts.as_ref().is_some_and(|files| !files.files.is_empty()))
    });
    let file = version.expect("a version with files").artifacts.expect("files").files[0].clone();
    app.store.write::<_, StoreError>(|txn| txn.use_artifact(&file)).expect("a write");
    app.close();
    let output = verify_command(&bed.data_file(), &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("times, and they do "), "{said}");
}

#[test]
fn a_backup_is_found_by_its_id() {
    let bed = Bed::new(100);
    let id = bed.backup().manifest.id.to_string();
    let config = bed.directory.path().join("clm.toml");
    fs::write(&config, format!("[backup]\ndirectory = {:?}\n", bed.place().directory)).expect("a write");
    let output = verify_command(Path::new(&id), &["--config", config.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains(&format!("{id} is whole")), "{output:?}");
}
