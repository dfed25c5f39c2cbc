//! What is sealed here the program `age` opens, and the other way round.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use quantum_clm::backup::seal::{self, Identity, Recipient};

/// A key pair of `age-keygen`: the identity file, and the public key.
pub(super) fn key(directory: &Path, name: &str) -> (PathBuf, Recipient) {
    let path = directory.join(name);
    let made = Command::new("age-keygen").arg("-o").arg(&path).stderr(Stdio::null()).status();
    assert!(made.expect("age-keygen, of Debian's package age").success());
    let identity = Identity::read(&path).expect("an identity file as age-keygen writes it");
    let recipient = identity.recipients().next().expect("its public key");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(&format!("# public key: {recipient}")), "another public key than in {text}");
    (path, recipient)
}

fn age(arguments: &[&str], files: &[&Path]) {
    let output = Command::new("age").args(arguments).args(files).output().expect("age, of Debian's package age");
    assert!(output.status.success(), "age {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn sealed_here_and_opened_by_age_and_the_other_way_round() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (first, (second, other)) = (key(directory.path(), "first"), key(directory.path(), "second"));
    let identity = Identity::read(&second).unwrap();
    for length in [0, 1, 65_535, 65_536, 65_537, 3 * 65_536, 1_000_000] {
        let plain: Vec<u8> = (0..length).map(|at: usize| (at * 31 % 251) as u8).collect();
        fs::write(at("plain"), &plain).unwrap();

        let mut sealed = Vec::new();
        seal::seal(&mut plain.as_slice(), &mut sealed, &[first.1.clone(), other.clone()]).expect("sealed");
        fs::write(at("sealed"), &sealed).unwrap();
        for identity in [&first.0, &second] {
            age(&["-d", "-i", identity.to_str().unwrap(), "-o", at("opened").to_str().unwrap()], &[&at("sealed")]);
            // age makes no file for nothing.
            let opened = fs::read(at("opened")).unwrap_or_default();
            assert!(opened == plain, "{length} bytes, sealed here, opened by age");
            drop(fs::remove_file(at("opened")));
        }

        let (to, and) = (first.1.to_string(), other.to_string());
        age(&["-r", &to, "-r", &and, "-o", at("theirs").to_str().unwrap()], &[&at("plain")]);
        let (mut opened, theirs) = (Vec::new(), fs::read(at("theirs")).unwrap());
        seal::open(&mut theirs.as_slice(), &mut opened, &identity).expect("what age sealed");
        assert!(opened == plain, "{length} bytes, sealed by age, opened here");
        fs::remove_file(at("theirs")).unwrap();
    }
}
