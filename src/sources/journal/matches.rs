//! Which entries are ours: for journalctl as match arguments, and once more for each entry that it prints.

use super::export::{Entry, Field};
use crate::domain::event::OWN_UNIT;

/// `MESSAGE_ID` of a core dump, written by systemd-coredump.
pub(super) const COREDUMP: &str = "fc2e22bc6ee647b6b90729ab34a250b1";

/// `MESSAGE_ID` of journald's own "Suppressed N messages from UNIT", with `N_DROPPED`.
const SUPPRESSED: &str = "a596d6fe7bfa4994828e72309e95d61e";

/// What a unit's name may end with.
const TYPES: [&str; 11] =
    ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];

/// A name in `journal.units` that cannot be one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// There is nothing to read.
    #[error("journal.units is empty: name the units to read, such as \"quantum-ai-engine.service\"")]
    None,
    /// Not the form of a unit's name.
    #[error(
        "journal.units: {0:?} is not a unit name: letters, digits and :-_.\\@, a type such as .service at the end, at most \
         255 bytes; * and ? match within a name"
    )]
    Malformed(String),
    /// Reading what one writes is a loop.
    #[error("journal.units: {OWN_UNIT} is the appliance itself, which never reads its own lines: remove it")]
    Own,
}

/// The configured units.
#[derive(Clone, Debug)]
pub struct Units {
    exact: Vec<String>,
    globs: Vec<String>,
    /// The machine whose entries count; any without one.
    machine: Option<String>,
}

/// Why an entry is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// It belongs to this unit.
    Unit(&'a str),
    /// journald says that it dropped messages of this unit.
    Suppressed {
        /// The unit.
        unit: &'a str,
        /// How many.
        lost: Option<u64>,
    },
}

impl Units {
    /// Checks the names.
    pub fn parse(names: &[String]) -> Result<Self, UnitError> {
        let mut units = Self { exact: Vec::new(), globs: Vec::new(), machine: None };
        for name in names {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@*?".contains(&byte);
            let typed = name.rsplit_once('.').is_some_and(|(stem, kind)| !stem.is_empty() && TYPES.contains(&kind));
            if !typed || name.len() > 255 || !name.bytes().all(allowed) {
                return Err(UnitError::Malformed(name.chars().take(300).collect()));
            }
            if name == OWN_UNIT {
                return Err(UnitError::Own);
            }
            let list = if name.contains(['*', '?']) { &mut units.globs } else { &mut units.exact };
            if !list.contains(name) {
                list.push(name.clone());
            }
        }
        if names.is_empty() { Err(UnitError::None) } else { Ok(units) }
    }

    /// The same units, of the machine with this id only.
    ///
    /// Below /var/log/journal lie also the journals that other machines send here, and `journalctl -m` reads them all: a
    /// name in them is the word of somebody else's root.
    pub fn of_machine(self, id: String) -> Self {
        Self { machine: Some(id), ..self }
    }

    /// The names as configured.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.exact.iter().chain(&self.globs).map(String::as_str)
    }

    /// The match arguments of probes, which ask for one entry: those of `journalctl -u`, with their guards, and
    /// journald's word of dropped messages. With a glob there are none, journalctl does not know globs in matches. The
    /// child that is followed is given none in any case, and [`Units::origin`] decides: several matches make journalctl
    /// skip entries, and to start it again with a wider match for a new instance would lose what that instance wrote
    /// before the position at which it starts.
    pub fn match_args(&self) -> Vec<String> {
        if !self.globs.is_empty() {
            return Vec::new();
        }
        let mut args = Vec::new();
        for (guards, field) in [
            (&[][..], "_SYSTEMD_UNIT"),
            (&["_PID=1"], "UNIT"),
            (&["_UID=0"], "OBJECT_SYSTEMD_UNIT"),
            (&["_UID=0", "MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1"], "COREDUMP_UNIT"),
        ] {
            // journalctl takes several values of one field as alternatives, different fields as conditions.
            args.extend(guards.iter().map(|&guard| guard.to_owned()));
            args.extend(self.exact.iter().map(|unit| format!("{field}={unit}")));
            args.push("+".to_owned());
        }
        // Of all units: journald names the unit only in the text when the writer had already gone.
        args.extend([format!("MESSAGE_ID={SUPPRESSED}"), "_UID=0".to_owned()]);
        args
    }

    /// Whether a unit is configured.
    pub fn contains(&self, unit: &str) -> bool {
        self.exact.iter().any(|exact| exact == unit)
            || (!self.globs.is_empty() && unit != OWN_UNIT && self.globs.iter().any(|glob| glob_matches(glob, unit)))
    }

    /// Whose entry this is; `None` if it is not ours. Checks all guards again: nothing that journalctl is made to print
    /// by a forged field becomes an event.
    pub fn origin<'a>(&self, entry: &Entry<'a>) -> Option<Origin<'a>> {
        let origin = self.claimed(entry)?;
        let here = |machine: &String| entry.get(Field::MachineId) == Some(machine.as_bytes());
        self.machine.as_ref().is_none_or(here).then_some(origin)
    }

    /// Whether an entry would be ours if it said which machine it is of.
    pub(super) fn lacks_machine(&self, entry: &Entry<'_>) -> bool {
        self.machine.is_some() && entry.get(Field::MachineId).is_none() && self.claimed(entry).is_some()
    }

    /// Whose entry it says that it is, on whatever machine.
    fn claimed<'a>(&self, entry: &Entry<'a>) -> Option<Origin<'a>> {
        let text = |field| entry.get(field).and_then(|value| std::str::from_utf8(value).ok());
        let ours = |field| text(field).filter(|unit| self.contains(unit));
        if let Some(unit) = ours(Field::SystemdUnit) {
            return Some(Origin::Unit(unit));
        }
        let root = text(Field::Uid) == Some("0");
        let kind = text(Field::MessageId);
        if root && kind == Some(SUPPRESSED) {
            let message = text(Field::Message).unwrap_or_default();
            let named = message.rsplit_once(" messages from ").map(|(_, unit)| unit.trim());
            let unit = ours(Field::ObjectSystemdUnit).or_else(|| named.filter(|unit| self.contains(unit)))?;
            let stated = || message.split_ascii_whitespace().nth(1)?.parse().ok();
            return Some(Origin::Suppressed { unit, lost: entry.number(Field::Dropped).or_else(stated) });
        }
        if text(Field::Pid) == Some("1")
            && let Some(unit) = ours(Field::Unit)
        {
            return Some(Origin::Unit(unit));
        }
        if root && let Some(unit) = ours(Field::ObjectSystemdUnit) {
            return Some(Origin::Unit(unit));
        }
        if root
            && kind == Some(COREDUMP)
            && let Some(unit) = ours(Field::CoredumpUnit)
        {
            return Some(Origin::Unit(unit));
        }
        None
    }
}

/// Whether `name` matches `glob`, where `*` is any run of characters and `?` any one.
pub fn glob_matches(glob: &str, name: &str) -> bool {
    let (glob, name) = (glob.as_bytes(), name.as_bytes());
    let (mut at, mut here) = (0, 0);
    // Where to go back to: behind the last star, and how far that star reaches.
    let mut star: Option<(usize, usize)> = None;
    while here < name.len() {
        match glob.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, here));
            }
            Some(&byte) if byte == b'?' || byte == name[here] => {
                at += 1;
                here += 1;
            }
            _ => match &mut star {
                Some((behind, reach)) => {
                    *reach += 1;
                    (at, here) = (*behind, *reach);
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::super::export::{Item, Parser};
    use super::*;

    fn units(names: &[&str]) -> Result<Units, UnitError> {
        Units::parse(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names() {
        assert_eq!(units(&[]).unwrap_err(), UnitError::None);
        assert_eq!(units(&["quantum-clm.service"]).unwrap_err(), UnitError::Own);
        for bad in
            ["", "a", "a.exe", ".service", "a b.service", "a;b.service", "a\n.service", "--all.service/", "ä.service"]
        {
            assert_eq!(units(&[bad]).unwrap_err(), UnitError::Malformed(bad.to_owned()));
        }
        assert!(units(&[&format!("{}.service", "x".repeat(250))]).is_err());
        assert!(units(&["a.service", "b@*.service", "c@1.service", "quantum\\x2dx.scope"]).is_ok());
    }

    #[test]
    fn arguments() {
        assert_eq!(
            units(&["a.service", "b.service"]).unwrap().match_args().join(" "),
            "_SYSTEMD_UNIT=a.service _SYSTEMD_UNIT=b.service + _PID=1 UNIT=a.service UNIT=b.service + _UID=0 \
             OBJECT_SYSTEMD_UNIT=a.service OBJECT_SYSTEMD_UNIT=b.service + _UID=0 \
             MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1 COREDUMP_UNIT=a.service COREDUMP_UNIT=b.service + \
             MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e _UID=0"
        );
        assert!(units(&["a.service", "b@*.service"]).unwrap().match_args().is_empty());
    }

    #[test]
    fn globs() {
        for (glob, name, expect) in [
            ("a@*.service", "a@1.service", true),
            ("a@*.service", "a@.service", true),
            ("a@*.service", "a@1.service.scope", false),
            ("a@*.service", "aa@1.service", false),
            ("*a*b", "xaxbxb", true),
            ("a?c.service", "abc.service", true),
            ("a?c.service", "ac.service", false),
            ("*", "", true),
            ("**", "x", true),
        ] {
            assert_eq!(glob_matches(glob, name), expect, "{glob} {name}");
        }
        assert!(!units(&["quantum-*.service"]).unwrap().contains("quantum-clm.service"));
    }

    #[test]
    fn other_machines() {
        let all = units(&["a.service"]).unwrap();
        let here = all.clone().of_machine("1111".into());
        for (machine, expect) in [("1111", true), ("2222", false), ("111", false), ("11112", false), ("", false)] {
            let text =
                format!("__CURSOR=c\n__REALTIME_TIMESTAMP=1\n_SYSTEMD_UNIT=a.service\n_MACHINE_ID={machine}\n\n");
            with_entry(&text, |entry| {
                assert_eq!(here.origin(entry).is_some(), expect, "{machine}");
                assert!(all.origin(entry).is_some() && !here.lacks_machine(entry), "{machine}");
            });
        }
        with_entry("__CURSOR=c\n__REALTIME_TIMESTAMP=1\n_SYSTEMD_UNIT=a.service\n\n", |entry| {
            assert!(here.origin(entry).is_none() && here.lacks_machine(entry) && !all.lacks_machine(entry));
        });
    }

    fn with_entry(text: &str, check: impl FnOnce(&Entry<'_>)) {
        let mut parser = Parser::new();
        parser.space()[..text.len()].copy_from_slice(text.as_bytes());
        parser.filled(text.len());
        let Some(Item::Entry(entry)) = parser.next() else { panic!("no entry in {text}") };
        check(&entry);
    }

    #[test]
    fn guards() {
        let units = units(&["a.service", "t@*.service"]).unwrap();
        let ours = Some(Origin::Unit("a.service"));
        for (fields, expect) in [
            ("_SYSTEMD_UNIT=a.service", ours),
            ("_SYSTEMD_UNIT=b.service", None),
            ("_SYSTEMD_UNIT=t@9.service", Some(Origin::Unit("t@9.service"))),
            ("UNIT=a.service\n_PID=1", ours),
            ("UNIT=a.service\n_PID=2", None),
            ("UNIT=a.service\n_UID=0", None),
            ("OBJECT_SYSTEMD_UNIT=a.service\n_UID=0", ours),
            ("OBJECT_SYSTEMD_UNIT=a.service\n_UID=1000\n_PID=1", None),
            ("COREDUMP_UNIT=a.service\n_UID=0\nMESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1", ours),
            ("COREDUMP_UNIT=a.service\n_UID=1\nMESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1", None),
            ("COREDUMP_UNIT=a.service\n_UID=0", None),
            (
                "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e\n_UID=0\nOBJECT_SYSTEMD_UNIT=a.service\nN_DROPPED=7",
                Some(Origin::Suppressed { unit: "a.service", lost: Some(7) }),
            ),
            (
                "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e\n_UID=0\nMESSAGE=Suppressed 12 messages from a.service",
                Some(Origin::Suppressed { unit: "a.service", lost: Some(12) }),
            ),
            (
                "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e\n_UID=0\nMESSAGE=Suppressed 12 messages from b.service",
                None,
            ),
            (
                "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e\n_UID=5\nMESSAGE=Suppressed 12 messages from a.service",
                None,
            ),
        ] {
            let text = format!("__CURSOR=c\n__REALTIME_TIMESTAMP=1\n{fields}\n\n");
            with_entry(&text, |entry| assert_eq!(units.origin(entry), expect, "{fields}"));
        }
    }
}
