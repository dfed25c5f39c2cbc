//! The maintainer scripts, as far as they can be looked at without a machine; and whose service it is that they find.

use std::fs;
use std::process::Command;

use super::{here, package, succeed};

#[test]
fn scripts_are_plain_shell() {
    let control = tempfile::tempdir().unwrap();
    succeed(Command::new("dpkg-deb").arg("--control").arg(package()).arg(control.path()));
    for name in ["postinst", "prerm", "postrm"] {
        let script = control.path().join(name);
        succeed(Command::new("dash").arg("-n").arg(&script));
        let text = fs::read_to_string(&script).unwrap();
        assert!(!text.contains("#SHADOW#") && !text.contains("#DEBHELPER#"), "{name} was not put together");
        // Which unit they start, stop or remove the links of is asked in each.
        assert!(text.contains("shadow()"), "{name}");
    }
    for name in ["apt-repo", "build-binary", "build-deb", "setup-adapters", "setup-test"] {
        succeed(Command::new("dash").arg("-n").arg(here("packaging/scripts").join(name)));
    }
}

/// The predecessor's service has the name of ours. What runs quantum-clm is ours, whoever wrote it.
#[test]
fn whose_service_it_is() {
    let ours = fs::read_to_string(here("packaging/systemd/quantum-clm.service")).unwrap();
    let mut table = vec![
        ("nothing there".to_owned(), None, false),
        ("a copy of ours".to_owned(), Some(ours), false),
        ("not a word of a program".to_owned(), Some("[Unit]\nDescription=quantum-clm serve\n".to_owned()), true),
    ];
    // `quantum-clm takeover` passes the same cases (cli::takeover::machine).
    for case in fs::read_to_string(here("tests/fixtures/whose_unit.txt")).unwrap().lines() {
        if !case.is_empty() && !case.starts_with('#') {
            let columns: Vec<&str> = case.split('|').map(str::trim).collect();
            let unit = format!("[Service]\nExecStart={}\n", columns[1]);
            table.push((case.to_owned(), Some(unit), columns[0] != "ours"));
        }
    }
    let text = fs::read_to_string(here("debian/shadow.sh")).unwrap();
    for (what, unit, shadows) in table {
        let machine = tempfile::tempdir().unwrap();
        let directory = machine.path().join("etc/systemd/system");
        fs::create_dir_all(&directory).unwrap();
        if let Some(unit) = &unit {
            fs::write(directory.join("quantum-clm.service"), unit).unwrap();
        }
        let script = text.replace("/etc/systemd", &machine.path().join("etc/systemd").display().to_string());
        let found =
            succeed(Command::new("dash").arg("-c").arg(format!("set -e\n{script}\nfound=$(shadow)\necho \"$found\"")));
        assert_eq!(!found.trim().is_empty(), shadows, "{what}: {found}");
    }
}

/// A unit that an administrator has masked is no predecessor's.
#[test]
fn a_mask_is_nobodys_service() {
    let machine = tempfile::tempdir().unwrap();
    let directory = machine.path().join("etc/systemd/system");
    fs::create_dir_all(&directory).unwrap();
    std::os::unix::fs::symlink("/dev/null", directory.join("quantum-clm.service")).unwrap();
    let text = fs::read_to_string(here("debian/shadow.sh")).unwrap();
    let script = text.replace("/etc/systemd", &machine.path().join("etc/systemd").display().to_string());
    let found =
        succeed(Command::new("dash").arg("-c").arg(format!("set -e\n{script}\nfound=$(shadow)\necho \"$found\"")));
    assert_eq!(found.trim(), "");
}
