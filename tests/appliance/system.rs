//! A throw-away Debian system.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::package;
use crate::support::daemon::Said;

/// What a step in a box may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Debian 12 and 13.
pub(super) const BOOKWORM: &str = "bookworm";
pub(super) const TRIXIE: &str = "trixie";

/// One that is up. Removed when dropped; a test that fails shows what its services said.
pub(super) struct System {
    name: String,
    suite: &'static str,
}

impl System {
    /// A fresh system with Redis.
    pub(super) fn new(suite: &'static str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{suite}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        done(&program(&["sweep"]));
        let system = Self { name, suite };
        system.boot();
        system
    }

    /// Boots it, the first time or after a [`System::cut`].
    #[track_caller]
    pub(super) fn boot(&self) {
        done(&program(&["up", &self.name, self.suite]));
    }

    /// A power cut: everything is gone at once, but for what was written.
    #[track_caller]
    pub(super) fn cut(&self) {
        done(&program(&["cut", &self.name]));
    }

    /// Runs a script in it; whatever comes of it.
    pub(super) fn try_sh(&self, script: &str) -> Said {
        program(&["run", &self.name, "bash", "-c", script])
    }

    /// Runs a script in it that has to succeed; what it printed.
    #[track_caller]
    pub(super) fn sh(&self, script: &str) -> String {
        let said = self.try_sh(&format!("set -eu -o pipefail\n{script}"));
        assert_eq!(said.code, Some(0), "{script}\n{}\n{}", said.out, said.err);
        said.out.trim_end().to_owned()
    }

    /// Waits until a script succeeds.
    #[track_caller]
    pub(super) fn wait(&self, what: &str, script: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = self.try_sh(script);
            if said.code == Some(0) {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain: {what}: {script}\n{}\n{}", said.out, said.err);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Copies a file into it, with its mode.
    #[track_caller]
    pub(super) fn put(&self, file: &Path, path: &str) {
        done(&program(&["put", &self.name, &file.display().to_string(), path]));
    }

    /// Copies a file out of it.
    #[track_caller]
    pub(super) fn fetch(&self, path: &str, to: &Path) {
        let output = command(&["run", &self.name, "cat", path]).output().expect("tests/appliance/box");
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(to, output.stdout).unwrap();
    }

    /// Writes a file in it.
    #[track_caller]
    pub(super) fn write(&self, path: &str, mode: u32, text: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        self.sh(&format!("mkdir -p $(dirname {path})"));
        self.put(file.path(), path);
    }

    /// Copies the package of that version into it; its path there.
    #[track_caller]
    pub(super) fn bring(&self, version: &str) -> String {
        let path = format!("/root/quantum-clm_{version}_amd64.deb");
        self.put(&package::built(version), &path);
        path
    }

    /// Installs the package of that version, or puts it in the place of another; what that printed.
    #[track_caller]
    pub(super) fn install(&self, version: &str) -> String {
        let path = self.bring(version);
        self.install_file(&path)
    }

    /// The same with a package that is in it already.
    #[track_caller]
    pub(super) fn install_file(&self, path: &str) -> String {
        // Kept configuration is what an administrator answers, or unattended-upgrades.
        self.sh(&format!("apt-get -q -y -o Dpkg::Options::=--force-confold --allow-downgrades install {path} 2>&1"))
    }

    /// Sets the configuration. What an installation finds is an administrator's own, and stays.
    ///
    /// The journal is read from its beginning: a unit in a sandbox sees another boot's number in a box than journald (see `box`).
    #[track_caller]
    pub(super) fn configure(&self, more: &str) {
        self.write("/etc/quantum/clm.toml", 0o644, &format!("journal.start = \"head\"\n{more}"));
    }

    /// Waits until the daemon of that unit is ready.
    #[track_caller]
    pub(super) fn wait_active(&self, unit: &str) {
        self.wait(
            &format!("{unit} is up"),
            &format!("[ \"$(systemctl show --property=SubState --value {unit})\" = running ]"),
        );
    }

    /// A property of a unit.
    #[track_caller]
    pub(super) fn property(&self, unit: &str, property: &str) -> String {
        self.sh(&format!("systemctl show --property={property} --value {unit}"))
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.try_sh(
                "systemctl --no-pager status 'quantum-*' | head -60; journalctl --no-pager -o short-precise -u 'quantum-clm*' | tail -60",
            );
            eprintln!("--- {}\n{}", self.name, said.out);
        }
        let said = program(&["rm", &self.name]);
        if said.code != Some(0) {
            eprintln!("{} was not removed: {}", self.name, said.err);
        }
    }
}

#[track_caller]
fn done(said: &Said) {
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
}

/// Below the build's directory, so that `cargo clean` takes it away.
pub(super) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/boxes")
}

fn program(arguments: &[&str]) -> Said {
    let output = command(arguments).output().expect("tests/appliance/box");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appliance/box"));
    command.args(arguments).env("BOX_DIRECTORY", directory()).env("BOX_OWNER", std::process::id().to_string());
    command.stdin(Stdio::null());
    command
}
