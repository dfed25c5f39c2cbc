//! The signed repository, and apt with a root of its own that takes packages from it without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{build, here, package, run, succeed};

/// A repository, and a machine whose apt knows nothing else.
struct Bed {
    directory: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let bed = Self { directory: tempfile::tempdir().unwrap() };
        for path in [
            "root/etc/apt/sources.list.d",
            "root/etc/apt/preferences.d",
            "root/etc/apt/apt.conf.d",
            "root/etc/apt/keyrings",
        ] {
            fs::create_dir_all(bed.at(path)).unwrap();
        }
        for path in ["root/var/lib/apt/lists/partial", "root/var/cache/apt/archives/partial", "root/var/lib/dpkg"] {
            fs::create_dir_all(bed.at(path)).unwrap();
        }
        // What the package depends on is taken as installed.
        let mut installed = String::new();
        for name in ["systemd", "debconf"] {
            installed.push_str(&format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 999\nDescription: x\n\n"
            ));
        }
        fs::write(bed.at("root/var/lib/dpkg/status"), installed).unwrap();
        bed
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Publishes packages, signed by a key of this bed's own.
    fn publish(&self, packages: &[&Path]) -> String {
        let output = run(Command::new("sh")
            .arg(here("packaging/scripts/apt-repo"))
            .arg(self.at("repository"))
            .args(packages)
            .env("XDG_DATA_HOME", self.at("keys"))
            .env_remove("QUANTUM_CLM_APT_KEY"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    }

    /// The entry that README.md shows, for this repository.
    fn subscribe(&self) {
        fs::copy(self.at("repository/quantum-clm.asc"), self.at("root/etc/apt/keyrings/quantum-clm.asc")).unwrap();
        let entry = format!(
            "Types: deb\nURIs: file:{}\nSuites: ./\nSigned-By: {}\n",
            self.at("repository").display(),
            self.at("root/etc/apt/keyrings/quantum-clm.asc").display()
        );
        fs::write(self.at("root/etc/apt/sources.list.d/quantum-clm.sources"), entry).unwrap();
    }

    fn apt(&self, arguments: &[&str]) -> Output {
        run(Command::new("apt-get")
            .arg("-o")
            .arg(format!("Dir={}", self.at("root").display()))
            .arg("-o")
            .arg(format!("Dir::State::status={}", self.at("root/var/lib/dpkg/status").display()))
            // The directories are this test's; the user that apt otherwise becomes may not read them.
            .args([
                "-o",
                "APT::Sandbox::User=",
                "-o",
                "APT::Architecture=amd64",
                "-o",
                "APT::Architectures=amd64",
                "-q",
                "-y",
            ])
            .args(arguments)
            .env("LC_ALL", "C.UTF-8"))
    }

    #[track_caller]
    fn apt_succeeds(&self, arguments: &[&str]) -> String {
        let output = self.apt(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn installed(&self, version: &str) {
        let status = self.at("root/var/lib/dpkg/status");
        let field = |name: &str| succeed(Command::new("dpkg-deb").arg("--field").arg(package()).arg(name));
        let mut text = fs::read_to_string(&status).unwrap();
        text.push_str(&format!(
            "Package: quantum-clm\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\nMaintainer: {}Depends: {}Recommends: {}Description: x\n",
            field("Maintainer"),
            field("Depends"),
            // One that is new in an upgrade and cannot be had would keep the upgrade back.
            field("Recommends")
        ));
        fs::write(status, text).unwrap();
    }
}

#[test]
fn apt_installs_and_upgrades_from_it_offline() {
    let bed = Bed::new();
    let said = bed.publish(&[&package()]);
    assert!(
        said.contains(bed.at("keys/quantum-clm/apt-key").to_str().unwrap()),
        "where the key is was not told: {said}"
    );
    bed.subscribe();
    bed.apt_succeeds(&["update"]);
    let version = env!("CARGO_PKG_VERSION");
    let said = bed.apt_succeeds(&["install", "--simulate", "quantum-clm"]);
    assert!(said.contains(&format!("Inst quantum-clm ({version} ")), "{said}");
    bed.apt_succeeds(&["install", "--download-only", "quantum-clm"]);
    bed.installed(version);

    // The next version, beside the first.
    let newer = bed.at("newer");
    build(&here("."), &newer, Some("999.0.1"));
    let said = bed.publish(&[&newer.join("quantum-clm_999.0.1_amd64.deb")]);
    assert!(!said.contains("made a key"), "the second time it was signed by another key: {said}");
    bed.apt_succeeds(&["update"]);
    let said = bed.apt_succeeds(&["upgrade", "--simulate"]);
    assert!(said.contains(&format!("Inst quantum-clm [{version}] (999.0.1 ")), "{said}");
    bed.apt_succeeds(&["upgrade", "--download-only"]);
    // And back, as after an upgrade that one regrets.
    let said = bed.apt_succeeds(&["install", "--simulate", "--allow-downgrades", &format!("quantum-clm={version}")]);
    assert!(said.contains(&format!("quantum-clm ({version} ")) || said.contains("is already the newest"), "{said}");
}

#[test]
fn what_is_not_signed_by_the_key_is_refused() {
    let bed = Bed::new();
    bed.publish(&[&package()]);
    bed.subscribe();
    bed.apt_succeeds(&["update"]);

    // Another package under the name of the first: the list says what it must be.
    let stored = bed.at("repository").join(package().file_name().unwrap());
    let mut bytes = fs::read(&stored).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&stored, bytes).unwrap();
    let output = bed.apt(&["install", "--download-only", "quantum-clm"]);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

    // Another list: the signed file says what it must be.
    fs::copy(package(), &stored).unwrap();
    let list = bed.at("repository/Packages");
    let changed = fs::read_to_string(&list).unwrap().replace("Section: admin", "Section: games");
    fs::write(&list, changed).unwrap();
    fs::remove_file(bed.at("repository/Packages.gz")).unwrap();
    fs::remove_dir_all(bed.at("root/var/lib/apt/lists")).unwrap();
    fs::create_dir_all(bed.at("root/var/lib/apt/lists/partial")).unwrap();
    bed.apt(&["update"]);
    let output = bed.apt(&["install", "--simulate", "quantum-clm"]);
    assert!(
        !output.status.success(),
        "a list that nobody signed was taken: {}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn what_is_public_is_the_public_half_of_the_key() {
    let bed = Bed::new();
    bed.publish(&[&package()]);
    let names = |directory: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let package_name = package().file_name().unwrap().to_str().unwrap().to_owned();
    let files = [
        "InRelease",
        "Packages",
        "Packages.gz",
        "Release",
        "Release.gpg",
        "quantum-clm.asc",
        "quantum-clm.gpg",
        &package_name,
    ];
    assert_eq!(names(&bed.at("repository")), files);
    let key = fs::read_to_string(bed.at("repository/quantum-clm.asc")).unwrap();
    assert!(key.contains("PUBLIC KEY BLOCK") && !key.contains("PRIVATE"), "{key}");
    let secret = bed.at("keys/quantum-clm/apt-key");
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(secret).unwrap()) & 0o777;
    assert_eq!(mode, 0o700, "others may look at the key");
}
