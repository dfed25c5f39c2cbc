use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::key::{Key, key};
use super::value::{self, Choice};
use crate::domain::event::OWN_SOURCE;
use crate::domain::source::has_unit_type;

/// `[journal]`
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    /// Units to read; a glob (`name@*.service`) matches instances started later too.
    pub units: Vec<String>,
    /// A journal other than the system's; none for the system's.
    pub directory: Option<PathBuf>,
    /// Where the first start begins.
    pub start: JournalStart,
    /// The `source` of a unit, where the built-in table does not name it.
    pub sources: BTreeMap<String, String>,
    /// The program that reads the journal.
    pub journalctl: PathBuf,
}

/// `journal.start`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalStart {
    /// The first entry of the current boot.
    Boot,
    /// The oldest entry.
    Head,
    /// What is written from now on.
    Now,
}

impl Choice for JournalStart {
    const ALL: &'static [(&'static str, Self)] = &[("boot", Self::Boot), ("head", Self::Head), ("now", Self::Now)];
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            units: ["ai-engine", "strategy-brain", "risk-brain", "execution"]
                .map(|name| format!("quantum-{name}.service"))
                .into(),
            directory: None,
            start: JournalStart::Boot,
            sources: BTreeMap::new(),
            journalctl: PathBuf::from("journalctl"),
        }
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            journal.units,
            value::Words,
            units,
            "The systemd units to read; a glob such as \"quantum-bot@*.service\" matches instances started later too."
        ),
        key!(
            journal.directory,
            value::OptionalFile,
            value::anything,
            "A directory of journal files to read instead of the system's journal; \"\" reads the system's."
        ),
        key!(
            journal.start,
            value::OneOf<JournalStart>,
            value::anything,
            "Where the first start begins: \"boot\" (the current boot's first entry), \"head\" (the oldest entry) or \
             \"now\"; later starts go on where the last one stopped."
        ),
        key!(
            journal.journalctl,
            value::File,
            |path| value::a_file(path),
            "The program that reads the journal: a name looked up in PATH, or a path."
        ),
        key!(
            journal.sources,
            value::Pairs,
            sources,
            "The `source` that the events of a unit carry, where the built-in table does not name it."
        )
        .table("\"quantum-signal-bot.service\" = \"signal_bot\""),
    ]
}

/// The unit that the appliance runs as. It never reads its own lines: each would make another.
const OWN_UNIT: &str = "quantum-clm.service";

/// The longest name systemd takes.
const UNIT_NAME_BYTES: usize = 255;

/// A name or glob as `systemctl` takes it.
fn a_unit(name: &str) -> Result<(), String> {
    let quoted: String = name.chars().take(80).collect();
    if name.is_empty() {
        return Err("a unit's name is empty: remove it".into());
    }
    if name.len() > UNIT_NAME_BYTES {
        return Err(format!("the unit name {quoted:?}… is longer than {UNIT_NAME_BYTES} bytes"));
    }
    if let Some(wrong) = name.chars().find(|&c| !(c.is_ascii_alphanumeric() || ":-_.\\@*?[]!".contains(c))) {
        return Err(format!("{quoted:?} is not a unit name: {wrong:?} cannot be in one"));
    }
    if !has_unit_type(name) {
        return Err(format!("{quoted:?} is not a unit name: did you mean \"{quoted}.service\"?"));
    }
    if name.starts_with(['.', '@']) {
        return Err(format!("{quoted:?} is not a unit name: nothing stands before its {:?}", &name[..1]));
    }
    Ok(())
}

/// The name of one unit, for what is looked up by the unit of an event.
pub(super) fn one_unit(name: &str) -> Result<(), String> {
    a_unit(name)?;
    if name.contains(['*', '?', '[', ']', '!']) {
        return Err(format!("{name:?} is a pattern: name each unit by itself here"));
    }
    Ok(())
}

fn units(units: &Vec<String>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for unit in units {
        a_unit(unit)?;
        if unit == OWN_UNIT {
            return Err(format!("{OWN_UNIT} is this program itself, whose lines it does not read: remove it"));
        }
        if !seen.insert(unit) {
            return Err(format!("{unit:?} is listed twice: remove one"));
        }
    }
    Ok(())
}

fn sources(sources: &BTreeMap<String, String>) -> Result<(), String> {
    for (unit, source) in sources {
        one_unit(unit)?;
        if source == OWN_SOURCE {
            return Err(format!("{OWN_SOURCE:?} is the source of this program's own events: choose another"));
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if source.is_empty() || source.len() > 64 || !source.chars().all(fits) {
            return Err(format!("the source of {unit:?} must be 1 to 64 letters, digits, \"_\", \"-\" or \".\""));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_names() {
        for (name, fault) in [
            ("quantum-ai-engine.service", None),
            ("quantum-bot@*.service", None),
            ("quantum-bot@BTC\\x2dUSD.service", None),
            ("quantum-[ab]?.timer", None),
            ("quantum-ai-engine", Some("did you mean \"quantum-ai-engine.service\"?")),
            ("quantum-ai-engine.servic", Some("is not a unit name")),
            ("two words.service", Some("' ' cannot be in one")),
            ("a/b.service", Some("'/' cannot be in one")),
            ("\u{1b}[31m.service", Some("cannot be in one")),
            (".service", Some("nothing stands before")),
            ("", Some("empty")),
        ] {
            match (a_unit(name), fault) {
                (Ok(()), None) => {}
                (Err(message), Some(part)) if message.contains(part) => {}
                (result, _) => panic!("{name:?}: {result:?}, expected {fault:?}"),
            }
        }
        assert!(a_unit(&format!("{}.service", "x".repeat(300))).is_err());
    }

    #[test]
    fn lists_of_units() {
        let list = |names: &[&str]| units(&names.iter().map(|name| name.to_string()).collect());
        assert_eq!(list(&["a.service", "b.service"]), Ok(()));
        assert!(list(&["a.service", "a.service"]).is_err());
        assert!(list(&["quantum-clm.service"]).is_err());
    }

    #[test]
    fn source_names() {
        let one = |unit: &str, source: &str| sources(&BTreeMap::from([(unit.into(), source.into())]));
        assert_eq!(one("a.service", "signal_bot"), Ok(()));
        assert!(one("a", "signal_bot").is_err());
        assert!(one("a@*.service", "signal_bot").is_err());
        assert!(one("a.service", "").is_err());
        assert!(one("a.service", "signal bot").is_err());
        assert!(one("a.service", OWN_SOURCE).is_err());
    }
}
