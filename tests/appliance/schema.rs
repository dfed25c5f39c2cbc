//! Data files of other versions: an older one is migrated behind a copy, a newer one is refused, and the copy is the way back.

use std::path::Path;

use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::package::{BEFORE, VERSION};
use super::system::{System, TRIXIE};

const DATA_FILE: &str = "/var/lib/quantum-clm/quantum.redb";
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

#[test]
fn an_older_file_is_copied_and_migrated_and_a_newer_one_refused_by_name_of_the_copy() {
    let system = System::new(TRIXIE);
    system.install(BEFORE);
    system.sh("systemctl stop quantum-clm.socket quantum-clm.service");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/schema-1.redb.zst");
    system.put(&fixture, "/root/schema-1.redb.zst");
    system.sh(&format!("zstd -q -d -f /root/schema-1.redb.zst -o {DATA_FILE} && chown quantum-clm: {DATA_FILE} && chmod 600 {DATA_FILE}"));
    // Somebody who waits while it is migrated.
    system.sh("systemctl start quantum-clm.socket");
    system.sh("curl -fsS --max-time 60 http://127.0.0.1:8000/health");
    system.install(VERSION);
    system.wait_active("quantum-clm.service");
    let told = system.sh("quantum-clm audit verify");
    assert!(told.contains('4'), "the four records of the old file are gone: {told}");
    let copies = system.sh("cd /var/lib/quantum-clm; ls pre-v*.redb; stat -c '%a %U' pre-v*.redb");
    let (copy, mode) = copies.split_once('\n').expect("a copy");
    assert_eq!(mode, "600 quantum-clm");

    let schema: u8 = copy.trim_start_matches("pre-v").trim_end_matches(".redb").parse().unwrap();
    downgraded(&system, schema);
}

/// A file of the next schema, as a newer version would leave it, meets this one.
fn downgraded(system: &System, schema: u8) {
    let newer = schema + 1;
    let copy = format!("/var/lib/quantum-clm/pre-v{newer}.redb");
    system.sh("systemctl stop quantum-clm.socket quantum-clm.service");
    let file = tempfile::NamedTempFile::new().unwrap();
    system.fetch(DATA_FILE, file.path());
    stamp(file.path(), schema, newer);
    system.sh(&format!("cp -a {DATA_FILE} {copy}"));
    system.put(file.path(), DATA_FILE);
    assert_ne!(system.try_sh("systemctl start quantum-clm.service").code, Some(0));
    assert_eq!(system.property("quantum-clm.service", "ActiveState"), "failed");
    let said = system.install(BEFORE);
    assert!(said.contains("does not run") && said.contains(&copy), "the installation says nothing of it: {said}");
    system
        .wait("it has failed", "[ \"$(systemctl show --property=ActiveState --value quantum-clm.service)\" = failed ]");
    let log = system.sh("journalctl -q -o cat -u quantum-clm.service | tail -n 20");
    let refusal = format!("has schema version {newer}");
    assert!(log.contains(&refusal) && log.contains(&copy), "{log}");
    assert_eq!(system.property("quantum-clm.service", "NRestarts"), "0", "it tries again and again");
    assert!(log.matches(&refusal).count() <= 20, "it is started again and again: {log}");

    // The way back that it names.
    system.sh(&format!("mv {copy} {DATA_FILE}; systemctl restart quantum-clm.socket quantum-clm.service"));
    system.sh("quantum-clm audit verify");
}

/// The schema in the identity of a file.
pub(super) fn schema_of(file: &Path) -> u8 {
    identity(&Database::open(file).unwrap())[2 + "quantum-clm".len()]
}

fn identity(database: &Database) -> Vec<u8> {
    let read = database.begin_read().unwrap();
    read.open_table(META).unwrap().get("identity").unwrap().unwrap().value().to_vec()
}

/// Writes another schema into the identity of a file: one byte version, the program's name behind its length, the schema.
pub(crate) fn stamp(file: &Path, from: u8, to: u8) {
    let database = Database::open(file).unwrap();
    let mut row = identity(&database);
    let at = 2 + "quantum-clm".len();
    assert_eq!(row[at], from, "the identity is written otherwise: {row:?}");
    row[at] = to;
    let write = database.begin_write().unwrap();
    write.open_table(META).unwrap().insert("identity", row.as_slice()).unwrap();
    write.commit().unwrap();
}
