//! What is in the package, and how.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use super::{here, package, succeed};

/// What must be there, with its mode.
const FILES: &[(&str, &str)] = &[
    ("usr/bin/quantum-clm", "-rwxr-xr-x"),
    ("etc/quantum/clm.toml", "-rw-r--r--"),
    ("usr/lib/systemd/system/quantum-clm.service", "-rw-r--r--"),
    ("usr/lib/systemd/system/quantum-clm.socket", "-rw-r--r--"),
    ("usr/lib/systemd/system/quantum-clm-worker.service", "-rw-r--r--"),
    ("usr/lib/systemd/system/quantum-clm-backup.service", "-rw-r--r--"),
    ("usr/lib/systemd/system/quantum-clm-backup.timer", "-rw-r--r--"),
    ("usr/lib/sysusers.d/quantum-clm.conf", "-rw-r--r--"),
    ("usr/lib/tmpfiles.d/quantum-clm.conf", "-rw-r--r--"),
    ("usr/share/bash-completion/completions/quantum-clm", "-rw-r--r--"),
    ("usr/share/zsh/vendor-completions/_quantum-clm", "-rw-r--r--"),
    ("usr/share/fish/vendor_completions.d/quantum-clm.fish", "-rw-r--r--"),
    ("usr/share/quantum-clm/setup-adapters", "-rwxr-xr-x"),
    ("usr/share/quantum-clm/adapters/train_gbt.py", "-rw-r--r--"),
    ("usr/share/quantum-clm/adapters/requirements.txt", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/changelog.gz", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/CHANGELOG.md.gz", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/README.md.gz", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/ADAPTERS.md.gz", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/OPERATIONS.md.gz", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/copyright", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/examples/grafana/quantum-clm.json", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/examples/kubernetes/worker-deployment.yaml", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/examples/polkit/50-quantum-clm.rules", "-rw-r--r--"),
    ("usr/share/doc/quantum-clm/examples/prometheus/quantum-clm.rules.yml", "-rw-r--r--"),
];

/// Everything by its path, with mode and owner.
fn listed() -> BTreeMap<String, (String, String)> {
    let listing = succeed(Command::new("dpkg-deb").arg("--contents").arg(package()));
    let entry = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let path = words[5].trim_start_matches("./").trim_end_matches('/').to_owned();
        (path, (words[0].to_owned(), words[1].to_owned()))
    };
    listing.lines().map(entry).collect()
}

fn field(name: &str) -> String {
    succeed(Command::new("dpkg-deb").arg("--field").arg(package()).arg(name)).trim().to_owned()
}

/// The package, unpacked; its control files are in DEBIAN.
fn unpacked() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    succeed(Command::new("dpkg-deb").arg("--raw-extract").arg(package()).arg(directory.path()));
    directory
}

#[test]
fn everything_is_there_and_nobody_but_root_may_write_it() {
    let listed = listed();
    for (path, mode) in FILES {
        let found = listed.get(*path).unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!(found.0, *mode, "{path}");
    }
    for (path, (mode, owner)) in &listed {
        assert_eq!(owner, "root/root", "{path}");
        let known = mode.starts_with('l') || ["drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"].contains(&mode.as_str());
        assert!(known, "{path}: {mode}");
        let place = path.is_empty() || ["etc", "etc/quantum", "usr"].contains(&path.as_str());
        assert!(
            place || path.starts_with("usr/") || path == "etc/quantum/clm.toml",
            "{path} has no place in the package"
        );
        assert!(!path.contains("__pycache__"), "{path}");
    }
    let executables = listed.iter().filter(|(_, (mode, _))| mode == "-rwxr-xr-x").map(|(path, _)| path.as_str());
    assert_eq!(executables.collect::<Vec<_>>(), ["usr/bin/quantum-clm", "usr/share/quantum-clm/setup-adapters"]);
}

#[test]
fn what_the_package_says_of_itself() {
    assert_eq!(field("Package"), "quantum-clm");
    assert_eq!(field("Version"), env!("CARGO_PKG_VERSION"), "debian/changelog and Cargo.toml disagree");
    assert_eq!(field("Architecture"), "amd64");
    assert!(!field("Depends").contains("libc6"), "the binary is static: {}", field("Depends"));
    let mut name = package().file_name().unwrap().to_string_lossy().into_owned();
    name = name.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert_eq!(name, "quantum-clm_VERSION_amd64.deb");
}

#[test]
fn the_configuration_is_the_administrators_and_says_nothing_yet() {
    let unpacked = unpacked();
    let conffiles = fs::read_to_string(unpacked.path().join("DEBIAN/conffiles")).unwrap();
    assert_eq!(conffiles.trim(), "/etc/quantum/clm.toml");
    let shipped = fs::read_to_string(unpacked.path().join("etc/quantum/clm.toml")).unwrap();
    assert_eq!(shipped, fs::read_to_string(here("packaging/clm.toml")).unwrap());
    // With a value in it, the predecessor's files would have no say about that key.
    let set: Vec<_> = shipped.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])).collect();
    assert!(set.is_empty(), "{set:?}");
}

#[test]
fn a_page_for_each_command_and_completions_that_shells_take() {
    let unpacked = unpacked();
    let pages = tempfile::tempdir().unwrap();
    succeed(Command::new(env!("CARGO_BIN_EXE_quantum-clm")).arg("man").arg("--out").arg(pages.path()));
    let names = |directory: std::path::PathBuf| {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let wanted: Vec<_> = names(pages.path().to_owned()).into_iter().map(|name| format!("{name}.gz")).collect();
    assert!(wanted.len() > 30, "{wanted:?}");
    assert_eq!(names(unpacked.path().join("usr/share/man/man1")), wanted);

    let bash = unpacked.path().join("usr/share/bash-completion/completions/quantum-clm");
    let script = "source \"$1\" && COMP_WORDS=(quantum-clm he) COMP_CWORD=1 && _quantum__clm quantum-clm he quantum-clm && echo \"${COMPREPLY[@]}\"";
    let said = succeed(Command::new("bash").args(["--norc", "-c", script, "bash"]).arg(bash));
    assert!(said.split_whitespace().any(|word| word == "health"), "{said}");
    let zsh = fs::read_to_string(unpacked.path().join("usr/share/zsh/vendor-completions/_quantum-clm")).unwrap();
    assert!(zsh.starts_with("#compdef quantum-clm"), "{}", &zsh[..40]);
}

/// The command of README.md, from where the package puts it.
#[test]
fn the_adapters_are_found_from_their_place_in_the_package() {
    let unpacked = unpacked();
    let script = fs::read_to_string(unpacked.path().join("usr/share/quantum-clm/setup-adapters")).unwrap();
    // Up to where it would ask PyPI: what comes before tells where it looks.
    let (looking, _) = script.split_once("python3 -c").unwrap();
    let place = unpacked.path().join("usr/share/quantum-clm/look");
    fs::write(&place, format!("{looking}\necho \"$from\"\n")).unwrap();
    let said = succeed(Command::new("sh").arg(&place).arg("somewhere"));
    assert_eq!(said.trim(), unpacked.path().join("usr/share/quantum-clm/adapters").to_str().unwrap());
}
