use super::*;
use crate::domain::schedule::{Calendar, Seen};

const HOUR: u64 = Micros::HOUR;

/// 15 January 2026, a Thursday, 12:00.
fn noon() -> Micros {
    "2026-01-15T12:00:00Z".parse().expect("an instant")
}

fn rules(quiet: &[&str]) -> Rules {
    let quiet: Vec<_> = quiet.iter().map(|text| text.parse().expect("hours")).collect();
    Rules { calendar: Calendar::new(&quiet).expect("some time is left"), ..Rules::default() }
}

/// An XGBoost model that was trained so many hours ago.
fn known(hours_ago: Option<u64>) -> Known {
    Known {
        model: "xgboost_btcusdt_1h".parse().expect("an id"),
        kind: ModelType::Xgboost,
        open: None,
        newest: None,
        trained: hours_ago.map(|hours| noon().minus(hours * HOUR)),
        worker: true,
        full: false,
    }
}

fn drift() -> Pending {
    Pending { number: 7, reason: Trigger::DriftDetected, by: "bus".into(), evidence: "drift 0.4".into() }
}

fn by_hand() -> Pending {
    Pending { number: 8, reason: Trigger::Manual, by: "alice".into(), evidence: "asked for".into() }
}

/// What is decided at noon about a model that the scheduler saw in time.
fn at_noon(rules: &Rules, known: &Known, trades: u64, waiting: &[Pending]) -> Outlook {
    let due = due(rules, known, &Standing::new(noon()), noon());
    let seen = due.filter(|due| *due <= noon()).map(|due| Seen { due, at: due });
    let mut standing = Standing { trades, seen, ..Standing::new(noon()) };
    look(rules, known, &mut standing, waiting, &Books::default(), noon()).0
}

#[test]
fn what_is_decided_and_in_which_words() {
    let always = rules(&[]);
    let lunch = rules(&["Mon-Fri 11:00-14:30"]);
    let off = Rules { enabled: false, ..rules(&[]) };
    let open = Known { open: Some(JobId(17)), newest: Some(JobId(17)), ..known(Some(200)) };
    let alone = Known { worker: false, ..known(Some(200)) };
    let full = Known { full: true, ..known(Some(200)) };
    let uncounted = Known { kind: ModelType::Dlinear, ..known(Some(200)) };
    let after = |hours: f64| Some(noon().plus((hours * HOUR as f64) as u64));
    for (what, rules, known, trades, waiting, words, next) in [
        (
            "its time did not come",
            &always,
            known(Some(24)),
            99,
            &[][..],
            "not yet, because it is due at 2026-01-21 12:00 UTC",
            after(144.0),
        ),
        (
            "its time came",
            &always,
            known(Some(168)),
            0,
            &[],
            "starts now: the last training was at 2026-01-08 12:00 UTC; it is trained every 7 days",
            after(0.0),
        ),
        (
            "enough trades",
            &always,
            known(Some(24)),
            100,
            &[],
            "starts now: 100 new trades since the last training; 100 are enough",
            after(0.0),
        ),
        ("a trigger", &always, known(Some(24)), 0, &[drift()], "starts now: drift 0.4", after(0.0)),
        (
            "a trigger right after a training",
            &always,
            known(Some(2)),
            0,
            &[drift()],
            "not yet, because the last training was at 2026-01-15 10:00 UTC, and 6 hours have to lie between two \
             (scheduler.cooldown); not before 2026-01-15 16:00 UTC",
            after(4.0),
        ),
        (
            "by hand right after a training",
            &lunch,
            known(Some(2)),
            0,
            &[by_hand()],
            "starts now: asked for",
            after(0.0),
        ),
        (
            "everything that speaks for it",
            &always,
            known(Some(168)),
            120,
            &[drift(), by_hand()],
            "starts now: drift 0.4; asked for; the last training was at 2026-01-08 12:00 UTC; it is trained every 7 days; \
             120 new trades since the last training; 100 are enough",
            after(0.0),
        ),
        (
            "no-training hours",
            &lunch,
            known(Some(24)),
            0,
            &[drift()],
            "not yet, because these are no-training hours; not before 2026-01-15 14:30 UTC",
            after(2.5),
        ),
        (
            "a cooldown that ends within no-training hours",
            &lunch,
            known(Some(5)),
            0,
            &[drift()],
            "not yet, because these are no-training hours; not before 2026-01-15 14:30 UTC",
            after(2.5),
        ),
        (
            "a job is open",
            &always,
            open.clone(),
            500,
            &[],
            "not yet, because job-17 of the model is open",
            after(168.0),
        ),
        (
            "a job is open, and somebody asks",
            &always,
            open,
            0,
            &[by_hand()],
            "not yet, because job-17 of the model is open",
            after(168.0),
        ),
        (
            "nobody would do it",
            &always,
            alone.clone(),
            0,
            &[],
            "not yet, because no worker that trains xgboost was heard of lately",
            None,
        ),
        ("nobody would do it yet, but a job shows that", &always, alone, 0, &[drift()], "starts now", after(0.0)),
        (
            "no room for a job, whoever asks",
            &always,
            full,
            0,
            &[by_hand()],
            "not yet, because as many jobs are open as may be (jobs.waiting)",
            None,
        ),
        ("off", &off, known(Some(200)), 500, &[], "not by itself: the scheduler is off (scheduler.enabled)", None),
        ("off, and by hand", &off, known(Some(2)), 0, &[by_hand()], "starts now: asked for", after(0.0)),
        (
            "no interval",
            &always,
            uncounted.clone(),
            0,
            &[],
            "not by the clock: no interval is configured for it (scheduler.intervals)",
            None,
        ),
        ("no interval, but a trigger", &always, uncounted, 0, &[drift()], "starts now: drift 0.4", after(0.0)),
    ] {
        let outlook = at_noon(rules, &known, trades, waiting);
        assert!(outlook.words().starts_with(words), "{what}: {}", outlook.words());
        assert_eq!(outlook.next, next, "{what}");
    }
}

#[test]
fn what_somebody_asks_for_is_why() {
    let outlook = at_noon(&rules(&[]), &known(Some(200)), 500, &[drift(), by_hand()]);
    let Verdict::Start { reason, by, .. } = outlook.verdict else { panic!("{outlook:?}") };
    assert_eq!((reason, by.as_deref()), (Trigger::Manual, Some("alice")));
    let outlook = at_noon(&rules(&[]), &known(Some(200)), 500, &[]);
    let Verdict::Start { reason, by, .. } = outlook.verdict else { panic!("{outlook:?}") };
    assert_eq!((reason, by), (Trigger::Periodic, None));
}

#[test]
fn after_a_night_of_being_off_each_has_its_turn() {
    let rules = rules(&[]);
    let mut turns = Vec::new();
    for name in ["btcusdt", "ethusdt", "solusdt", "adausdt"] {
        let known = Known { model: format!("xgboost_{name}_1h").parse().expect("an id"), ..known(Some(170)) };
        let mut standing = Standing::new(noon().minus(500 * HOUR));
        let (outlook, noted) = look(&rules, &known, &mut standing, &[], &Books::default(), noon());
        let Verdict::Hold { why: Hold::Spread { .. }, until: Some(until) } = outlook.verdict else {
            panic!("{name}: {outlook:?}")
        };
        assert!(noted && until < noon().plus(SPREAD), "{name}: {}", until.rfc3339());
        // A restart half an hour later changes nothing about it: the turn is kept in the standing.
        let again = look(&rules, &known, &mut standing, &[], &Books::default(), noon().plus(1)).0;
        assert_eq!(again.next, Some(until), "{name}");
        let then = look(&rules, &known, &mut standing, &[], &Books::default(), until).0;
        assert!(matches!(then.verdict, Verdict::Start { .. }), "{name}: {then:?}");
        turns.push(until);
    }
    turns.dedup();
    assert_eq!(turns.len(), 4, "each at a place of its own");
}

#[test]
fn as_many_as_may_begin_in_an_hour() {
    let rules = Rules { starts_per_hour: 2, ..rules(&[]) };
    let books = Books { starts: vec![noon().minus(HOUR / 2), noon().minus(60)], intents: None };
    let known = known(Some(168));
    let mut standing =
        Standing { seen: Some(Seen { due: noon(), at: noon() }), ..Standing::new(noon().minus(500 * HOUR)) };
    let outlook = look(&rules, &known, &mut standing, &[], &books, noon()).0;
    let held = Verdict::Hold { why: Hold::Rate { most: 2 }, until: Some(noon().plus(HOUR / 2)) };
    assert_eq!(outlook.verdict, held, "on a condition");
    let outlook = look(&rules, &known, &mut standing, &[drift()], &books, noon()).0;
    assert_eq!(outlook.verdict, held, "on a trigger");
    let outlook = look(&rules, &known, &mut standing, &[by_hand()], &books, noon()).0;
    assert!(matches!(outlook.verdict, Verdict::Start { .. }), "asked for by hand: {outlook:?}");
}

#[test]
fn a_clock_that_is_set_back_trains_nothing_and_forgets_nothing() {
    let rules = rules(&[]);
    let known = known(Some(24));
    let mut standing = Standing::new(noon().minus(500 * HOUR));
    let mut at = |now: Micros| look(&rules, &known, &mut standing, &[], &Books::default(), now).0;
    // A year back, where it stays: the interval counts from the moment at which that is seen.
    let back = noon().minus(365 * Micros::DAY);
    assert_eq!(at(back).verdict, Verdict::NotDue { due: Some(back.plus(168 * HOUR)) });
    assert_eq!(at(back.plus(HOUR)).verdict, Verdict::NotDue { due: Some(back.plus(168 * HOUR)) });
    // Further back.
    let further = back.minus(300 * Micros::DAY);
    assert_eq!(at(further).verdict, Verdict::NotDue { due: Some(further.plus(168 * HOUR)) });
    assert!(matches!(at(further.plus(168 * HOUR)).verdict, Verdict::Start { .. }), "a week later it is trained");
    // Right again: as if nothing had been.
    assert_eq!(at(noon()).verdict, Verdict::NotDue { due: Some(noon().plus(144 * HOUR)) });
    assert_eq!(at(back).verdict, Verdict::NotDue { due: Some(back.plus(168 * HOUR)) }, "nor is it remembered");
}

#[test]
fn a_clock_that_leaps_a_year_trains_once() {
    let rules = rules(&[]);
    let mut standing = Standing::new(noon().minus(500 * HOUR));
    let leap = noon().plus(365 * Micros::DAY);
    let mut known = known(Some(24));
    let (outlook, _) = look(&rules, &known, &mut standing, &[], &Books::default(), leap);
    let Verdict::Hold { why: Hold::Spread { .. }, until: Some(until) } = outlook.verdict else { panic!("{outlook:?}") };
    assert!(matches!(
        look(&rules, &known, &mut standing, &[], &Books::default(), until).0.verdict,
        Verdict::Start { .. }
    ));
    standing.begin(JobId(1), until);
    known.trained = Some(until.plus(HOUR));
    let next = look(&rules, &known, &mut standing, &[], &Books::default(), until.plus(2 * HOUR)).0;
    assert_eq!(next.verdict, Verdict::NotDue { due: Some(until.plus(169 * HOUR)) });
    let back = look(&rules, &known, &mut standing, &[], &Books::default(), noon()).0;
    assert_eq!(back.verdict, Verdict::NotDue { due: Some(noon().plus(168 * HOUR)) }, "and none when it is right again");
}

#[test]
fn trades_before_the_newest_job_are_too_old() {
    let rules = rules(&[]);
    let mut standing = Standing { trades: 150, counted_for: Some(JobId(3)), ..Standing::new(noon()) };
    let known = Known { newest: Some(JobId(4)), ..known(Some(24)) };
    let (outlook, noted) = look(&rules, &known, &mut standing, &[], &Books::default(), noon());
    assert!(noted && standing.trades == 0 && matches!(outlook.verdict, Verdict::NotDue { .. }), "{outlook:?}");
}

#[test]
fn figures_that_are_no_reason() {
    let rules = Rules { drift: 0.2, ..rules(&[]) };
    for (reason, figure, follows) in [
        (Trigger::DriftDetected, Some(0.1), false),
        (Trigger::DriftDetected, Some(0.2), true),
        (Trigger::DriftDetected, None, true),
        (Trigger::PerformanceDegraded, Some(0.5), false),
        (Trigger::PerformanceDegraded, Some(0.499), true),
        (Trigger::PerformanceDegraded, Some(-2.0), true),
        (Trigger::RegimeChange, None, true),
    ] {
        let why = refused(&rules, reason, figure);
        assert_eq!(why.is_none(), follows, "{reason} {figure:?}: {why:?}");
    }
    let off = Rules { enabled: false, ..rules };
    assert!(refused(&off, Trigger::RegimeChange, None).is_some_and(|why| why.contains("scheduler.enabled")));
    assert_eq!(refused(&off, Trigger::Manual, None), None, "what somebody asks for is done");
}
