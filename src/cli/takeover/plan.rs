//! What there is to do, from what there is: pure, so that the plan that is printed is the one that is carried out.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::machine::{Found, SHARED, SOCKET};
use crate::domain::predecessor::PUBLISHER;

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Act {
    /// Stop and disable a unit of the predecessor.
    Stop { unit: String },
    /// Move the unit file that shadows ours out of the way.
    Aside { from: PathBuf, to: PathBuf },
    /// Wait until nobody writes to the stream.
    Quiet,
    /// Enable and start our units.
    Start { units: Vec<String> },
    /// Take the registry of JSON files over.
    Registry { directory: PathBuf },
    /// Take the stream's history in.
    History,
    /// See that the mirror writes.
    Mirror,
    /// Write it down in the audit log.
    Record,
}

/// A step as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Step {
    #[serde(flatten)]
    pub(super) act: Act,
    /// What it does, in words.
    pub(super) title: String,
    /// What changes by it.
    pub(super) changes: String,
    /// The way back.
    pub(super) undo: String,
    pub(super) state: State,
    /// What came of it, or why it is not needed.
    pub(super) said: String,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    ToDo,
    Done,
    NotNeeded,
    /// It could not be done or seen, and the run went on without it.
    Skipped,
    Failed,
}

/// The names of what the plan is made of besides the machine.
pub(super) struct Wanted<'a> {
    pub(super) registry: Option<&'a Path>,
    pub(super) stream: &'a str,
    /// Where a unit file that hides ours goes: nothing is there yet.
    pub(super) aside: &'a Path,
    /// Whether an earlier run came to its end.
    pub(super) finished: bool,
}

/// Why no takeover can be done, if so.
pub(super) fn obstacle(found: &Found) -> Option<String> {
    if !found.answers && found.packaged.is_none() && !found.shared.is_ours() {
        return Some(format!(
            "there is no {SHARED} of quantum-clm's to start: install the package first (apt install ./quantum-clm_*.deb)"
        ));
    }
    match &found.shared {
        unit if unit.loaded && !unit.is_ours() && unit.file.is_none() => {
            Some(format!("{SHARED} runs {:?} and systemd names no file for it: remove it by hand first", unit.runs))
        }
        unit if unit.loaded && !unit.is_ours() && found.fixed => Some(format!(
            "{SHARED} runs {:?}, and its file is a package's, which is not moved: see systemctl cat {SHARED}; a drop-in that \
             changes what ours runs has to go first, or the package that has the file (dpkg -S {SHARED})",
            unit.runs
        )),
        _ => None,
    }
}

/// The steps, in their order.
pub(super) fn plan(found: &Found, wanted: &Wanted<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |act: Act, title: String, changes: &str, undo: String, done: Option<&str>| {
        let state = if done.is_some() { State::NotNeeded } else { State::ToDo };
        let said = done.unwrap_or_default().to_owned();
        steps.push(Step { act, title, changes: changes.to_owned(), undo, state, said });
    };
    let stream = wanted.stream;
    let foreign = (!found.shared.is_ours()).then_some(&found.shared);
    for unit in found.old.iter().chain(foreign) {
        let name = &unit.name;
        let undo = if name == PUBLISHER {
            format!("systemctl enable --now {name} (its start CLEARS the stream {stream})")
        } else {
            format!("systemctl enable --now {name}")
        };
        let done = match unit {
            unit if !unit.loaded => Some("it is not on this machine"),
            unit if !unit.is_active() && !unit.is_enabled() => Some("it is stopped and disabled"),
            _ => None,
        };
        let changes = if name == SHARED {
            "the predecessor's HTTP service ends; ours answers at the same port"
        } else {
            "no line is lost: the journal keeps what is written meanwhile"
        };
        step(Act::Stop { unit: name.clone() }, format!("stop and disable {name}"), changes, undo, done);
    }
    if let Some(from) = foreign.filter(|unit| unit.loaded && !found.fixed).and_then(|unit| unit.file.clone()) {
        let to = wanted.aside.to_owned();
        let undo = format!("mv {} {} && systemctl daemon-reload", to.display(), from.display());
        let title = format!("move {} to {}", from.display(), to.display());
        step(Act::Aside { from, to }, title, "it has the name of our own unit and hides it", undo, None);
    }
    let over = wanted.finished.then_some("an earlier run did it");
    step(
        Act::Quiet,
        format!("wait until nobody writes to {stream}"),
        "nothing; up to a minute after the last entry",
        "none is needed".into(),
        over.filter(|_| steps_are_done(found)),
    );
    let mut units = vec![SHARED.to_owned()];
    if found.socket.loaded {
        units.insert(0, SOCKET.to_owned());
    }
    let runs = found.answers && (!found.shared.loaded || found.shared.is_ours());
    let undo = format!("systemctl disable --now {}", units.join(" "));
    step(
        Act::Start { units: units.clone() },
        format!("enable and start {}", units.join(" and ")),
        "on its first start it takes the stream's history in, then reads the journal from where that ends",
        undo,
        runs.then_some("it runs"),
    );
    if let Some(directory) = wanted.registry {
        step(
            Act::Registry { directory: directory.to_owned() },
            format!("take the registry in {} over", directory.display()),
            "models, versions and evaluations are added; the files there stay as they are",
            "none: what was imported stays; the predecessor's files are untouched".into(),
            None,
        );
    }
    step(
        Act::History,
        format!("take in what {stream} holds and the store does not"),
        "events in front of the store's own, under their ids; counted, mirrored no second time",
        "none: the stream itself is only read".into(),
        None,
    );
    step(
        Act::Mirror,
        "see that the mirror writes".into(),
        &format!("from here on quantum-clm writes to {stream}"),
        format!("systemctl disable --now {}", units.join(" ")),
        None,
    );
    step(Act::Record, "write it down in the audit log".into(), "one record", "none: the log keeps all".into(), over);
    steps
}

fn steps_are_done(found: &Found) -> bool {
    found.answers && found.old.iter().all(|unit| !unit.is_active())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::takeover::machine::Unit;
    use crate::domain::predecessor::COUNTER;

    fn unit(name: &str, runs: &str, active: bool) -> Unit {
        let word = |yes: &str, no: &str| if active { yes.to_owned() } else { no.to_owned() };
        Unit {
            name: name.into(),
            loaded: true,
            active: word("active", "inactive"),
            enabled: word("enabled", "disabled"),
            file: Some(format!("/etc/systemd/system/{name}").into()),
            runs: runs.into(),
            user: String::new(),
        }
    }

    fn wanted() -> Wanted<'static> {
        Wanted { registry: None, stream: "s", aside: Path::new("/aside/quantum-clm.service"), finished: false }
    }

    #[test]
    fn a_machine_with_all_three() {
        let found = Found {
            old: vec![unit(PUBLISHER, "python3 p", true), unit(COUNTER, "python3 c", true)],
            shared: unit(SHARED, "/usr/bin/python3 -m clm", true),
            socket: Unit { loaded: true, ..Unit::default() },
            packaged: Some("/usr/lib/systemd/system/quantum-clm.service".into()),
            fixed: false,
            answers: false,
        };
        assert_eq!(obstacle(&found), None);
        let steps = plan(&found, &wanted());
        let titles: Vec<&str> = steps.iter().map(|step| step.title.as_str()).collect();
        assert_eq!(
            titles,
            [
                "stop and disable quantum-utf-publisher.service",
                "stop and disable quantum-clm-minimal.service",
                "stop and disable quantum-clm.service",
                "move /etc/systemd/system/quantum-clm.service to /aside/quantum-clm.service",
                "wait until nobody writes to s",
                "enable and start quantum-clm.socket and quantum-clm.service",
                "take in what s holds and the store does not",
                "see that the mirror writes",
                "write it down in the audit log",
            ]
        );
        assert!(steps.iter().all(|step| step.state == State::ToDo));
        assert!(steps[0].undo.contains("CLEARS the stream s"), "{}", steps[0].undo);
    }

    #[test]
    fn one_where_all_is_done() {
        let found = Found {
            old: vec![unit(PUBLISHER, "p", false), Unit { name: COUNTER.into(), ..Unit::default() }],
            shared: unit(SHARED, "/usr/bin/quantum-clm serve", true),
            answers: true,
            ..Found::default()
        };
        let steps = plan(&found, &Wanted { finished: true, ..wanted() });
        let left: Vec<&Act> = steps.iter().filter(|step| step.state == State::ToDo).map(|step| &step.act).collect();
        assert_eq!(left, [&Act::History, &Act::Mirror], "which look, and find nothing to do");
    }

    #[test]
    fn one_without_our_package() {
        let found = Found { shared: unit(SHARED, "/usr/bin/python3", true), ..Found::default() };
        assert!(obstacle(&found).is_some_and(|why| why.contains("install the package")));
    }
    #[test]
    fn a_unit_of_a_package_is_never_moved() {
        let found = Found {
            shared: unit(SHARED, "/usr/bin/nice /usr/bin/quantum-clm serve", true),
            packaged: Some("/usr/lib/systemd/system/quantum-clm.service".into()),
            fixed: true,
            ..Found::default()
        };
        assert!(obstacle(&found).is_some_and(|why| why.contains("which is not moved")));
        assert!(!plan(&found, &wanted()).iter().any(|step| matches!(step.act, Act::Aside { .. })));
    }
}
