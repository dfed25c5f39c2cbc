use std::fs;

use quantum_clm::backup::seal::{Identity, Recipient};
use quantum_clm::backup::{Created, Verifier, VerifyError, verify_backup};
use quantum_clm::domain::backup::Keep;

use super::bed::{ALL, BINARY, Bed, files, look, make_sealed, verify_command};

/// A pair of keys, and the public half of another.
const KEY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const PUBLIC: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const OTHER: &str = "age1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5z5tpwxqergd3c8g7rusqmwn7f2";

fn made(bed: &Bed, keep: &Keep, recipients: &[&str]) -> Created {
    let recipients: Vec<Recipient> = recipients.iter().map(|key| key.parse().expect("a public key")).collect();
    let app = bed.app();
    let created = make_sealed(&app.store, &bed.place(), keep, &|_| {}, &Verifier::at(BINARY), &recipients);
    app.close();
    created.unwrap_or_else(|error| panic!("{error}"))
}

/// What a disk or a memory does that cannot be relied on: what was written is not what is read.
#[cfg(feature = "failpoints")]
#[test]
fn what_was_encrypted_and_cannot_be_decrypted_is_no_backup() {
    let bed = Bed::new(100);
    let good = made(&bed, &ALL, &[PUBLIC]).manifest.id;
    let place = bed.place().directory;
    let flip = move || {
        for file in files(&place).into_iter().filter(|file| file.ends_with("quantum.redb.age")) {
            if file.to_string_lossy().contains(".partial-") {
                let mut bytes = fs::read(&file).expect("a file");
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&file, bytes).expect("a write");
            }
        }
    };
    fail::cfg_callback("backup::read_back", flip).expect("a failpoint");
    let app = bed.app();
    let recipients: [Recipient; 1] = [PUBLIC.parse().expect("a public key")];
    let came = make_sealed(&app.store, &bed.place(), &ALL, &|_| {}, &Verifier::at(BINARY), &recipients);
    fail::remove("backup::read_back");
    let error = came.expect_err("it cannot be decrypted").to_string();
    assert!(error.contains("read back"), "{error}");
    assert_eq!((bed.found().len(), bed.found()[0].id, bed.leftovers()), (1, good, vec![]));
}

#[test]
fn an_encrypted_backup_is_verified_by_its_digests_and_with_the_key_by_what_is_inside() {
    let bed = Bed::new(3_000);
    let manifest = made(&bed, &ALL, &[PUBLIC]).manifest;
    assert_eq!(manifest.recipients, [PUBLIC]);
    let path = bed.place().backup(manifest.id);
    let names: Vec<String> =
        files(&path).iter().map(|file| file.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["SHA256SUMS", "manifest.json", "quantum.redb.age"], "nothing plain is left");
    for file in files(&bed.place().artifacts()).iter().chain([&path.join("quantum.redb.age")]) {
        assert!(fs::read(file).expect("a file").starts_with(b"age-encryption.org/v1\n"), "{}", file.display());
    }
    let report = look(&path, true);
    assert!(report.is_whole() && report.events == 0 && report.notes[0].contains("without a private key"), "{report:?}");

    let key = bed.directory.path().join("key.txt");
    fs::write(&key, format!("{KEY}\n")).expect("a write");
    let output = verify_command(&path, &["--identity", key.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("3000 events"), "{output:?}");
    assert_eq!(bed.leftovers(), [""; 0], "no decrypted copy is left");

    let output = verify_command(&path.join("quantum.redb.age"), &[]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");

    // Sealed to somebody else: the key does not open it, which is no finding about the backup.
    let other = made(&bed, &ALL, &[OTHER]).manifest;
    let identity = Identity::read(&key).expect("a key");
    let looked = verify_backup(&bed.place().backup(other.id), true, Some(&identity), &Verifier::at(BINARY));
    assert!(matches!(looked, Err(VerifyError::Seal { .. })), "{looked:?}");
    assert_eq!(bed.leftovers(), [""; 0]);
}

#[test]
fn models_files_are_sealed_once_to_the_same_keys_and_anew_to_others() {
    let bed = Bed::new(100);
    let plain = made(&bed, &ALL, &[]).manifest;
    let shelf = bed.place().artifacts();
    let count = || files(&shelf).len();
    let files_of_models = plain.artifacts.len();
    assert_eq!(count(), files_of_models);
    let first = made(&bed, &ALL, &[PUBLIC]).manifest;
    assert_eq!(count(), 2 * files_of_models);
    let second = made(&bed, &ALL, &[PUBLIC]).manifest;
    assert_eq!((count(), &second.artifacts), (2 * files_of_models, &first.artifacts), "only new ones are sealed");
    made(&bed, &ALL, &[PUBLIC, OTHER]);
    assert_eq!(count(), 3 * files_of_models, "and anew to others");

    // One that rotted is sealed anew beside it: the digest of what is stored is another one then.
    let rotten = shelf.join(&first.artifacts[0].stored_name);
    let mut bytes = fs::read(&rotten).expect("a file");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&rotten, bytes).expect("a write");
    assert!(!look(&bed.place().backup(second.id), false).is_whole());
    let healed = made(&bed, &Keep { last: 1, daily: 0, weekly: 0, monthly: 0 }, &[PUBLIC]);
    assert_eq!(healed.removed.len(), 4);
    assert!(look(&bed.place().backup(healed.manifest.id), true).is_whole());
    assert_eq!(count(), files_of_models, "what no backup names is gone");
}
