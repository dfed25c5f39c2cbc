use std::fs;

use rustix::process::{geteuid, getgroups};

use super::Check;
use crate::config::Config;
use crate::http::peer::ADMIN_GROUP;

/// Whose members may read the system's journal.
const JOURNAL_GROUP: &str = "systemd-journal";

/// The user that the packaged unit runs as.
const SERVICE_USER: &str = "quantum-clm";

/// Where packages have the unit, and where an administrator puts a changed one.
const UNITS: [&str; 3] = [
    "/etc/systemd/system/quantum-clm.service",
    "/usr/lib/systemd/system/quantum-clm.service",
    "/lib/systemd/system/quantum-clm.service",
];

/// Whether who asks may do what the daemon does, and speak to it.
pub(super) fn check(config: &Config) -> Check {
    let text =
        |path: &str| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let unit = UNITS.iter().map(|path| text(path)).find(|unit| !unit.is_empty()).unwrap_or_default();
    let files = Files { group: text("/etc/group"), passwd: text("/etc/passwd"), unit };
    let uid = geteuid().as_raw();
    let groups: Vec<u32> = getgroups().unwrap_or_default().iter().map(|group| group.as_raw()).collect();
    // A journal of one's own has an owner of its own; the group is about the system's.
    judge(&files, uid, &groups, config.journal.directory.is_none())
}

/// The machine's users and groups, as text: glibc's name service must not be linked.
struct Files {
    group: String,
    passwd: String,
    /// The service, where there is one.
    unit: String,
}

impl Files {
    /// A group's number and members.
    fn group(&self, name: &str) -> Option<(u32, Vec<&str>)> {
        self.group.lines().find_map(|line| {
            let mut fields = line.split(':');
            let number = (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())??;
            Some((number, fields.next().unwrap_or_default().split(',').map(str::trim).collect()))
        })
    }

    /// A user's primary group.
    fn primary_group(&self, name: &str) -> Option<u32> {
        self.passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == name).then(|| fields.nth(2)?.parse().ok())?
        })
    }
}

fn judge(files: &Files, uid: u32, groups: &[u32], system_journal: bool) -> Check {
    const NAME: &str = "rights";
    let join = |user: &str, group: &str| format!("usermod -aG {group} {user}, then sign in again");
    if uid != 0 {
        let has = |name: &str| files.group(name).is_some_and(|(number, _)| groups.contains(&number));
        let lacks: Vec<&str> = [(JOURNAL_GROUP, system_journal), (ADMIN_GROUP, true)]
            .into_iter()
            .filter(|(name, needed)| *needed && !has(name))
            .map(|(name, _)| name)
            .collect();
        let me = format!("the user number {uid}");
        return match lacks.as_slice() {
            [] => Check::ok(NAME, format!("{me} may read the journal and speak to the daemon")),
            lacks => Check::warn(
                NAME,
                format!(
                    "{me} is not in {}: reading the journal and speaking to another user's daemon need it",
                    lacks.join(" or ")
                ),
                join("$USER", &lacks.join(",")),
            ),
        };
    }
    let Some(primary) = files.primary_group(SERVICE_USER).filter(|_| system_journal) else {
        return Check::ok(NAME, "root may do everything that is needed");
    };
    let member = files
        .group(JOURNAL_GROUP)
        .is_some_and(|(number, members)| number == primary || members.contains(&SERVICE_USER));
    if member {
        return Check::ok(NAME, format!("root asks; the user {SERVICE_USER} is in {JOURNAL_GROUP}"));
    }
    let given =
        |line: &str| line.strip_prefix("SupplementaryGroups=").is_some_and(|groups| groups.contains(JOURNAL_GROUP));
    if files.unit.lines().any(given) {
        return Check::ok(NAME, format!("root asks; the service gives {SERVICE_USER} the group {JOURNAL_GROUP}"));
    }
    Check::warn(
        NAME,
        format!("root asks; the user {SERVICE_USER} is not in {JOURNAL_GROUP}, so it cannot read the journal"),
        format!(
            "{}; or SupplementaryGroups={JOURNAL_GROUP} in the daemon's service",
            join(SERVICE_USER, JOURNAL_GROUP)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn who_may_what() {
        let files = |members: &str, passwd: &str| Files {
            unit: String::new(),
            group: format!("root:x:0:\nsystemd-journal:x:101:{members}\nquantum-admin:x:990:alice\n"),
            passwd: format!("root:x:0:0::/:\n{passwd}"),
        };
        let service = "quantum-clm:x:995:995::/:\n";
        for (members, passwd, uid, groups, system, state, part) in [
            ("", "", 0, &[0][..], true, Verdict::Ok, "root may"),
            ("", service, 0, &[0], true, Verdict::Warn, "is not in systemd-journal"),
            ("x,quantum-clm", service, 0, &[0], true, Verdict::Ok, "is in systemd-journal"),
            ("", service, 0, &[0], false, Verdict::Ok, "root may"),
            ("", "", 1000, &[1000], true, Verdict::Warn, "systemd-journal or quantum-admin"),
            ("", "", 1000, &[1000, 101], true, Verdict::Warn, "quantum-admin"),
            ("", "", 1000, &[101, 990], true, Verdict::Ok, "may read"),
            ("", "", 1000, &[990], false, Verdict::Ok, "may read"),
        ] {
            let check = judge(&files(members, passwd), uid, groups, system);
            assert!(check.state == state && check.what.contains(part), "{check:?}");
        }
        let unit = "[Service]\nUser=quantum-clm\nSupplementaryGroups=systemd-journal\n".to_owned();
        let check = judge(&Files { unit, ..files("", service) }, 0, &[0], true);
        assert!(check.state == Verdict::Ok && check.what.contains("the service gives"), "{check:?}");
    }
}
