//! Entries that journalctl read while they were being written.
//!
//! journald links an entry into the file first and each of its values after that, and between two of its instructions a
//! value that is new to the file looks broken. journalctl passes over such a value without a word (systemd issue 40263;
//! seen with 252 about once in two million lines): a line comes without its text, or without the unit that makes it
//! ours. A moment later it is whole, so an entry that seems to lack something is read again.

use super::export::{Entry, Field};
use super::matches::{COREDUMP, Origin, Units};

/// What an entry is whose fields may not be all that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// A field is missing that such entries always have.
    Certain,
    /// It has no priority, which is rare: programs that speak journald's protocol themselves may leave it out.
    Priority,
}

/// Whether a field seems to be missing that decides whose the entry is or what it says.
///
/// Only one value can be in the making at a time, so each field is missed by what comes along with it. None of these
/// can be made to fail by a user without rights: nobody can have us read entries again all the time.
pub(super) fn lack(entry: &Entry<'_>, units: &Units, origin: Option<Origin<'_>>) -> Option<Lack> {
    let has = |field| entry.get(field).is_some();
    let is = |field, value: &str| entry.get(field) == Some(value.as_bytes());
    let certain = match origin {
        Some(Origin::Unit(_)) if !has(Field::Message) => true,
        Some(Origin::Unit(_)) if has(Field::Dropped) && is(Field::Uid, "0") => !has(Field::MessageId),
        Some(Origin::Unit(_)) => return (!has(Field::Priority)).then_some(Lack::Priority),
        Some(Origin::Suppressed { .. }) => false,
        None if units.lacks_machine(entry) => true,
        // journald takes both from the writer's control group; the root's is also that of a process outside all units.
        None if has(Field::SystemdSlice) && !has(Field::SystemdUnit) => !is(Field::SystemdSlice, "-.slice"),
        // PID 1 names the unit and its invocation together.
        None if has(Field::InvocationId) && is(Field::Pid, "1") && !has(Field::Unit) => true,
        // Written about a unit, by whom is not known entirely.
        None if has(Field::Unit) || has(Field::ObjectSystemdUnit) => has(Field::Pid) != has(Field::Uid),
        None if has(Field::CoredumpUnit) => {
            has(Field::Pid) != has(Field::Uid) || (is(Field::Uid, "0") && !has(Field::MessageId))
        }
        None => is(Field::MessageId, COREDUMP) && is(Field::Uid, "0"),
    };
    certain.then_some(Lack::Certain)
}

#[cfg(test)]
mod tests {
    use super::super::export::{Item, Parser};
    use super::*;

    #[test]
    fn what_makes_an_entry_doubtful() {
        let units = Units::parse(&["a.service".to_owned()]).unwrap();
        let core = format!("MESSAGE_ID={COREDUMP}");
        for (fields, expect) in [
            ("_SYSTEMD_UNIT=a.service _SYSTEMD_SLICE=s.slice MESSAGE=x PRIORITY=6", None),
            ("_SYSTEMD_UNIT=a.service PRIORITY=6", Some(Lack::Certain)),
            ("_SYSTEMD_UNIT=a.service MESSAGE=x", Some(Lack::Priority)),
            ("_SYSTEMD_UNIT=b.service", None),
            ("_SYSTEMD_SLICE=s.slice MESSAGE=x PRIORITY=6", Some(Lack::Certain)),
            ("_SYSTEMD_SLICE=-.slice MESSAGE=x PRIORITY=6", None),
            // A kernel's line, and one of a process that was gone before journald could look at it.
            ("MESSAGE=x PRIORITY=6", None),
            ("_PID=7 _UID=0 MESSAGE=x PRIORITY=6", None),
            ("_PID=1 _UID=0 _SYSTEMD_UNIT=init.scope INVOCATION_ID=i MESSAGE=x PRIORITY=6", Some(Lack::Certain)),
            ("_PID=1 _UID=0 _SYSTEMD_UNIT=init.scope INVOCATION_ID=i UNIT=b.service MESSAGE=x", None),
            ("_PID=1 _UID=0 _SYSTEMD_UNIT=init.scope MESSAGE=x PRIORITY=6", None),
            ("_PID=9 _UID=7 INVOCATION_ID=i MESSAGE=x", None),
            ("_UID=0 UNIT=a.service MESSAGE=x PRIORITY=6", Some(Lack::Certain)),
            ("_PID=1 _UID=0 UNIT=a.service MESSAGE=x PRIORITY=6", None),
            ("_PID=7 OBJECT_SYSTEMD_UNIT=a.service MESSAGE=x PRIORITY=6", Some(Lack::Certain)),
            ("_PID=7 _UID=7 OBJECT_SYSTEMD_UNIT=a.service MESSAGE=x", None),
            ("_PID=7 _UID=0 OBJECT_SYSTEMD_UNIT=a.service N_DROPPED=3 MESSAGE=x PRIORITY=6", Some(Lack::Certain)),
            ("_PID=7 _UID=0 COREDUMP_UNIT=a.service MESSAGE=x PRIORITY=2", Some(Lack::Certain)),
            ("_PID=7 _UID=9 COREDUMP_UNIT=a.service MESSAGE=x", None),
            (&format!("_PID=7 _UID=0 {core} MESSAGE=x"), Some(Lack::Certain)),
            (&format!("_PID=7 _UID=9 {core} MESSAGE=x"), None),
            (&format!("_PID=7 _UID=0 {core} COREDUMP_UNIT=b.service MESSAGE=x"), None),
        ] {
            let text = format!("__CURSOR=c\n__REALTIME_TIMESTAMP=1\n{}\n\n", fields.replace(' ', "\n"));
            let mut parser = Parser::new();
            parser.space()[..text.len()].copy_from_slice(text.as_bytes());
            parser.filled(text.len());
            let Some(Item::Entry(entry)) = parser.next() else { panic!("no entry in {text}") };
            assert_eq!(lack(&entry, &units, units.origin(&entry)), expect, "{fields}");
        }
    }
}
