//! The machine as systemd tells of it. Everything goes through `systemctl`, so that what is done can be done by hand.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::domain::predecessor::UNITS;

/// The unit of the predecessor's registry, and ours.
pub(super) const SHARED: &str = "quantum-clm.service";
/// Our sockets.
pub(super) const SOCKET: &str = "quantum-clm.socket";

/// Where packages put units.
const PACKAGED: [&str; 2] = ["usr/lib/systemd/system", "lib/systemd/system"];

/// What belongs to packages. Nothing below is ever moved: the next upgrade would put it back, and ours may be among it.
const OF_PACKAGES: [&str; 2] = ["usr/lib", "lib"];

/// A unit as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unit {
    pub(super) name: String,
    /// Whether systemd knows it.
    pub(super) loaded: bool,
    /// `active`, `inactive`, `failed`, ….
    pub(super) active: String,
    /// `enabled`, `disabled`, `masked`, ….
    pub(super) enabled: String,
    /// The file that counts.
    pub(super) file: Option<PathBuf>,
    /// What it runs.
    pub(super) runs: String,
    /// As whom.
    pub(super) user: String,
}

impl Unit {
    pub(super) fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "activating" | "reloading" | "deactivating")
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.starts_with("enabled")
    }

    /// Whether it is our daemon's. The package's scripts decide the same (debian/shadow.sh), and so by the same cases.
    pub(super) fn is_ours(&self) -> bool {
        let mut words = self.runs.split_whitespace();
        let program = words.next().and_then(|path| Path::new(path).file_name()).and_then(|name| name.to_str());
        program == Some("quantum-clm") && words.any(|word| word == "serve")
    }
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Found {
    /// The predecessor's two units.
    pub(super) old: Vec<Unit>,
    /// The unit of the name that both have.
    pub(super) shared: Unit,
    /// Our sockets.
    pub(super) socket: Unit,
    /// Our unit's file, where a package put it.
    pub(super) packaged: Option<PathBuf>,
    /// Whether the file of that name that counts is a package's.
    pub(super) fixed: bool,
    /// Whether our daemon answers.
    pub(super) answers: bool,
}

/// The way to systemd, and to the files below `root`.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) root: PathBuf,
}

impl Machine {
    pub(super) fn look(&self, answers: bool) -> anyhow::Result<Found> {
        let packaged =
            PACKAGED.iter().map(|directory| self.root.join(directory).join(SHARED)).find(|path| path.exists());
        let shared = self.unit(SHARED)?;
        Ok(Found {
            old: UNITS.into_iter().map(|name| self.unit(name)).collect::<Result<_, _>>()?,
            fixed: shared.file.as_deref().is_some_and(|file| self.is_of_a_package(file)),
            shared,
            socket: self.unit(SOCKET)?,
            packaged,
            answers,
        })
    }

    /// Whether a file belongs to a package, and stays where it is.
    pub(super) fn is_of_a_package(&self, file: &Path) -> bool {
        let below = file.strip_prefix(&self.root).unwrap_or(file);
        let below = below.strip_prefix("/").unwrap_or(below);
        OF_PACKAGES.iter().any(|directory| below.starts_with(directory))
    }

    pub(super) fn unit(&self, name: &str) -> anyhow::Result<Unit> {
        let properties = "--property=LoadState,ActiveState,UnitFileState,FragmentPath,ExecStart,User";
        Ok(unit(name, &self.systemctl(&["show", properties, name])?))
    }

    /// Runs `systemctl` and gives what it printed.
    pub(super) fn systemctl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("systemctl")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .context("cannot run systemctl, which a takeover needs")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "systemctl {} failed: {}",
                arguments.join(" "),
                said.trim().lines().next().unwrap_or("it does not say why")
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Reads what `systemctl show` prints.
fn unit(name: &str, shown: &str) -> Unit {
    let value = |key: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim().to_owned()
    };
    let exec = value("ExecStart");
    let runs = exec.split_once("argv[]=").map_or(exec.as_str(), |(_, rest)| rest);
    let file = value("FragmentPath");
    Unit {
        name: name.to_owned(),
        loaded: value("LoadState") == "loaded",
        active: value("ActiveState"),
        enabled: value("UnitFileState"),
        file: (!file.is_empty()).then(|| PathBuf::from(file)),
        runs: runs.split(" ;").next().unwrap_or_default().trim().to_owned(),
        user: value("User"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_shows() {
        let shown = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\
                     FragmentPath=/etc/systemd/system/quantum-clm.service\nUser=\n\
                     ExecStart={ path=/usr/bin/python3 ; argv[]=/usr/bin/python3 -m clm ; ignore_errors=no ; pid=7 }\n";
        let found = unit(SHARED, shown);
        assert!(found.loaded && found.is_active() && found.is_enabled() && !found.is_ours());
        assert_eq!(found.runs, "/usr/bin/python3 -m clm");
        assert_eq!(found.file.as_deref(), Some(Path::new("/etc/systemd/system/quantum-clm.service")));
        let ours = unit(
            SHARED,
            "LoadState=loaded\nExecStart={ path=/usr/bin/quantum-clm ; argv[]=/usr/bin/quantum-clm serve ; }",
        );
        assert!(ours.is_ours() && !ours.is_active());
        assert!(!unit(SHARED, "LoadState=not-found\nActiveState=inactive\n").loaded);
    }
    /// The scripts of the package pass the same table (tests/package/scripts.rs).
    #[test]
    fn whose_unit_it_is() {
        for line in include_str!("../../../tests/fixtures/whose_unit.txt").lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let columns: Vec<&str> = line.split('|').map(str::trim).collect();
            let [whose, written, shown @ ..] = columns.as_slice() else { panic!("{line:?} is no case") };
            let runs = shown.first().unwrap_or(written);
            let unit = Unit { runs: (*runs).to_owned(), ..Unit::default() };
            assert_eq!(unit.is_ours(), *whose == "ours", "{line}");
        }
    }

    #[test]
    fn what_belongs_to_packages() {
        for root in ["/", "/tmp/root"] {
            let machine = Machine { root: root.into() };
            for (file, fixed) in [
                ("usr/lib/systemd/system/quantum-clm.service", true),
                ("lib/systemd/system/quantum-clm.service", true),
                ("etc/systemd/system/quantum-clm.service", false),
                ("usr/local/lib/systemd/system/quantum-clm.service", false),
            ] {
                assert_eq!(machine.is_of_a_package(&Path::new(root).join(file)), fixed, "{file} below {root}");
            }
        }
    }
}
