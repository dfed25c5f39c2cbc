//! What `serve` refuses: one line on standard error with what to do, nothing changed before, and exit code 2 where another
//! start mends nothing, 75 where one may.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use redb::{Database, TableDefinition};

use super::bed::Bed;

#[track_caller]
fn refused_with(bed: &Bed, arguments: &[&str], line: &str) {
    refused(2, bed, arguments, line);
}

#[track_caller]
fn refused_for_now(bed: &Bed, arguments: &[&str], line: &str) {
    refused(75, bed, arguments, line);
}

#[track_caller]
fn refused(exit: i32, bed: &Bed, arguments: &[&str], line: &str) {
    let before = bed.files();
    let (code, out, err) = bed.run(arguments);
    assert_eq!((code, out.as_str()), (exit, ""), "{err}");
    let path = bed.path().display().to_string();
    assert_eq!(err.replace(&path, "BED"), format!("quantum-clm: {line}\n"));
    let after = bed.files();
    assert!(before.keys().eq(after.keys()), "{:?} became {:?}", before.keys(), after.keys());
    for (path, held) in before {
        assert!(after[&path] == held, "{} was changed", path.display());
    }
}

#[test]
fn a_wrong_key_and_a_wrong_unit() {
    refused_with(
        &Bed::for_daemon("[journal]\nunts = []\n"),
        &["serve"],
        "clm.toml:8:1: unknown key \"journal.unts\": did you mean \"journal.units\"?",
    );
    refused_with(
        &Bed::for_daemon("journal.units = [\"two words.service\"]\n"),
        &["serve"],
        "clm.toml:7:17: journal.units: \"two words.service\" is not a unit name: ' ' cannot be in one",
    );
    refused_with(
        &Bed::for_daemon("journal.units = [\"quantum-ai-engine\"]\n"),
        &["serve"],
        "clm.toml:7:17: journal.units: \"quantum-ai-engine\" is not a unit name: did you mean \
         \"quantum-ai-engine.service\"?",
    );
}

/// Puts a program in journalctl's place.
fn with_journalctl(script: &str, more: &str) -> Bed {
    let bed = Bed::for_daemon(&format!("journal.journalctl = \"./journalctl\"\n{more}"));
    let path = bed.path().join("journalctl");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    bed
}

#[test]
fn a_journal_that_cannot_be_read() {
    refused_for_now(
        &Bed::for_daemon("journal.directory = \"none\"\n"),
        &["serve"],
        "journalctl ended (exit code 1): Failed to open none: No such file or directory; create none or change \
         journal.directory",
    );
    refused_for_now(
        &Bed::for_daemon("journal.journalctl = \"/nowhere/journalctl\"\n"),
        &["serve"],
        "cannot run /nowhere/journalctl: No such file or directory (os error 2); install systemd, or name the program \
         with journal.journalctl",
    );
    let forbidden = "case \"$*\" in *--version*) echo systemd 252; exit;; esac\n\
                     echo 'Hint: You are currently not seeing messages from other users and the system.' >&2\n\
                     echo 'No journal files were opened due to insufficient permissions.' >&2\nexit 1";
    refused_for_now(
        &with_journalctl(forbidden, ""),
        &["serve"],
        "./journalctl ended (exit code 1): No journal files were opened due to insufficient permissions.; add the \
         daemon's user to the group systemd-journal (usermod -aG systemd-journal quantum-clm) and restart it",
    );
    refused_for_now(
        &with_journalctl(forbidden, "journal.directory = \".\"\n"),
        &["serve"],
        "./journalctl ended (exit code 1): No journal files were opened due to insufficient permissions.; let the \
         daemon's user read . and the files in it",
    );
}

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// A data file whose identity is this.
fn with_identity(bed: &Bed, program: &str, schema: u32) {
    let database = Database::create(bed.data_file()).unwrap();
    let txn = database.begin_write().unwrap();
    let identity = (program.to_owned(), schema, "9.8.7".to_owned());
    let row = [vec![1], bincode::encode_to_vec(identity, bincode::config::standard()).unwrap()].concat();
    txn.open_table(META).unwrap().insert("identity", row.as_slice()).unwrap();
    txn.commit().unwrap();
}

/// What a refused start must leave alone besides the data file.
fn with_a_dead_socket(bed: Bed) -> Bed {
    drop(UnixListener::bind(bed.socket()).unwrap());
    bed
}

#[test]
fn a_file_of_another_program_or_a_later_one() {
    let bed = with_a_dead_socket(Bed::for_daemon(""));
    for other in ["not redb at all", "SQLite format 3\0", "r"] {
        fs::write(bed.data_file(), other).unwrap();
        refused_with(
            &bed,
            &["serve", "--demo"],
            "BED/d.redb is not a data file of quantum-clm: it does not begin like a redb file; set data_file to \
             another path",
        );
    }
    fs::remove_file(bed.data_file()).unwrap();
    with_identity(&bed, "something-else", 1);
    refused_with(
        &bed,
        &["serve", "--demo"],
        "BED/d.redb is not a data file of quantum-clm: it belongs to something-else; set data_file to another path",
    );
    fs::remove_file(bed.data_file()).unwrap();
    with_identity(&bed, "quantum-clm", 4_000);
    refused_with(
        &bed,
        &["serve", "--demo"],
        "BED/d.redb has schema version 4000, written by quantum-clm 9.8.7; this program reads up to 5: install that \
         version or later",
    );
    refused_for_now(
        &bed,
        &["serve", "--demo", "--data-file", "none/d.redb"],
        "none/d.redb: No such file or directory (os error 2); make the directory, owned by the user that quantum-clm \
         runs as",
    );
}

#[test]
fn a_file_cut_short_or_with_flipped_bytes() {
    let bed = Bed::for_daemon("");
    bed.serve(&["serve", "--demo"]).stop();
    let whole = fs::read(bed.data_file()).unwrap();
    let bed = with_a_dead_socket(bed);
    let flipped = |range: std::ops::Range<usize>| {
        let mut bytes = whole.clone();
        bytes[range].iter_mut().for_each(|byte| *byte ^= 0x55);
        bytes
    };
    for (what, bytes) in [
        ("cut to its header", whole[..320].to_vec()),
        ("cut to a page", whole[..4096].to_vec()),
        ("cut to half", whole[..whole.len() / 2].to_vec()),
        ("a byte short", whole[..whole.len() - 1].to_vec()),
        ("a flipped page size", flipped(12..16)),
        ("a flipped root", flipped(64..128)),
        ("flipped pages", flipped(4096..whole.len())),
    ] {
        fs::write(bed.data_file(), &bytes).unwrap();
        let before = bed.files();
        let (code, out, err) = bed.run(&["serve", "--demo"]);
        assert_eq!((code, out.as_str(), err.lines().count()), (2, "", 1), "{what}: {err}");
        assert!(err.contains("d.redb is damaged: ") && err.contains("; restore a backup"), "{what}: {err}");
        assert!(!err.contains("panicked"), "{what}: {err}");
        assert!(bed.files() == before, "{what}: something was changed");
    }
    fs::write(bed.data_file(), &whole).unwrap();
    bed.serve(&["serve", "--demo"]).stop();
}

#[test]
fn a_port_in_use() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let bed = Bed::for_daemon("");
    let config = fs::read_to_string(bed.path().join("clm.toml")).unwrap();
    fs::write(bed.path().join("clm.toml"), config.replace("127.0.0.1:0", &address.to_string())).unwrap();
    let bed = with_a_dead_socket(bed);
    refused_for_now(
        &bed,
        &["serve", "--demo"],
        &format!("{address} is in use by another program: stop it or set http.listen"),
    );
}

#[test]
fn a_socket_that_somebody_answers_on_and_one_left_behind() {
    let bed = Bed::for_daemon("");
    let listener = UnixListener::bind(bed.socket()).unwrap();
    refused_for_now(&bed, &["serve", "--demo"], "another daemon answers on BED/s.sock: stop it or set http.socket");
    drop(listener);
    let serving = bed.serve(&["serve", "--demo"]);
    assert!(serving.log().contains("s.sock was left behind by a daemon that is gone: replaced"), "{}", serving.log());
    serving.is_healthy();
    // One left by a daemon that was killed is no obstacle either.
    serving.kill();
    bed.serve(&["serve", "--demo"]).stop();
    assert!(!bed.socket().exists());
    fs::write(bed.socket(), "a file").unwrap();
    refused_with(&bed, &["serve", "--demo"], "BED/s.sock is there and is no socket: move it away or set http.socket");
}

#[test]
fn a_second_daemon() {
    let bed = Bed::for_daemon("");
    let serving = bed.serve(&["serve", "--demo"]);
    let (code, out, err) = bed.run(&["serve", "--demo", "--socket", "other.sock"]);
    assert_eq!((code, out.as_str()), (75, ""));
    let shown = err.replace(&bed.path().display().to_string(), "BED");
    assert_eq!(shown, "quantum-clm: BED/d.redb is in use by another quantum-clm: stop it, or ask it over its socket\n");
    assert!(!bed.path().join("other.sock").exists());
    serving.stop();
}

#[test]
fn what_the_configuration_notices_comes_after_a_refusal_that_it_does_not_come_with() {
    let bed = Bed::for_daemon("");
    fs::write(bed.path().join("utf.env"), "UTF_POLL_SEC=2\n").unwrap();
    fs::write(bed.data_file(), "something else").unwrap();
    let (code, _, err) = bed.run(&["serve", "--demo"]);
    assert_eq!((code, err.lines().count()), (2, 1), "{err}");
}
