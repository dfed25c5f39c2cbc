use super::Check;
use crate::config;
use crate::sources::journal::{self, Preflight, Readable};

const NAME: &str = "journal";

/// journalctl, whether the journal can be read, and the units in it.
pub(super) fn check(config: &config::Journal) -> Vec<Check> {
    match journal::check(config) {
        Ok(seen) => judge(&seen),
        Err(error) => vec![Check::fail(NAME, error.to_string(), "correct journal.units")],
    }
}

fn judge(seen: &Preflight) -> Vec<Check> {
    let version = match (&seen.journalctl, seen.failure()) {
        (Ok(version), None) => version,
        (_, Some(failure)) => return vec![Check::fail(NAME, &failure.summary, &failure.remedy)],
        (Err(failure), None) => return vec![Check::fail(NAME, &failure.summary, &failure.remedy)],
    };
    let mut checks = vec![match &seen.readable {
        Readable::Partly(failure) => Check::warn(NAME, format!("{}, by this user", failure.summary), &failure.remedy),
        Readable::Empty => Check::warn(
            NAME,
            format!("it can be read and is empty ({version})"),
            "look whether systemd-journald runs, and at journal.directory",
        ),
        _ => Check::ok(NAME, format!("it can be read ({version})")),
    }];
    let (known, unknown): (Vec<_>, Vec<_>) = seen.units.iter().partition(|unit| !unit.seen.is_empty());
    let names =
        |units: &[&journal::UnitSeen]| units.iter().map(|unit| unit.name.as_str()).collect::<Vec<_>>().join(", ");
    checks.push(match (known.is_empty(), unknown.is_empty()) {
        (_, true) => Check::ok("units", format!("the journal has lines of {}", names(&known))),
        (true, false) => Check::warn(
            "units",
            format!("the journal has no line of any unit in journal.units: {}", names(&unknown)),
            "name the units of your services in journal.units (systemctl list-units 'quantum-*')",
        ),
        (false, false) => Check::warn(
            "units",
            format!("the journal has lines of {}, and none of {}", names(&known), names(&unknown)),
            "start them, or correct their names in journal.units",
        ),
    });
    checks
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::sources::journal::{Failure, UnitSeen};

    #[test]
    fn what_the_preflight_means() {
        let failure = || Failure { summary: "no right".into(), remedy: "usermod".into() };
        let unit = |name: &str, seen: &[&str]| UnitSeen {
            name: name.into(),
            seen: seen.iter().map(|name| name.to_string()).collect(),
        };
        let states = |journalctl, readable, units| {
            let checks = judge(&Preflight { journalctl, readable, units });
            checks.iter().map(|check| check.state).collect::<Vec<_>>()
        };
        let version = || Ok("systemd 252".to_owned());
        let (a, b) = (unit("a.service", &["a.service"]), unit("b.service", &[]));
        for (journalctl, readable, units, expected) in [
            (version(), Readable::Yes, vec![a.clone()], &[Verdict::Ok, Verdict::Ok][..]),
            (version(), Readable::Yes, vec![a.clone(), b.clone()], &[Verdict::Ok, Verdict::Warn]),
            (version(), Readable::Empty, vec![b.clone()], &[Verdict::Warn, Verdict::Warn]),
            (version(), Readable::Partly(failure()), vec![a], &[Verdict::Warn, Verdict::Ok]),
            (version(), Readable::No(failure()), vec![], &[Verdict::Fail]),
            (Err(failure()), Readable::No(failure()), vec![], &[Verdict::Fail]),
        ] {
            assert_eq!(states(journalctl, readable, units), expected);
        }
    }
}
