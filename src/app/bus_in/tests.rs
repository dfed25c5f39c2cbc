use std::sync::Mutex;

use super::*;
use crate::domain::access::Actor;
use crate::domain::audit::AuditEntry;
use crate::domain::bus_in::{EntryId, Fields};
use crate::observe::status::StatusBoard;

/// Refuses what is asked for by somebody it does not like, after it wrote something.
#[derive(Default)]
struct Choosy {
    dislikes: Mutex<String>,
    trades: Mutex<Vec<(String, u64)>>,
}

impl Effects for Choosy {
    fn act(&self, txn: &WriteTxn, message: &Message, now: Micros) -> Result<Followed, Refusal> {
        let told = message.told();
        txn.audit(AuditEntry::done(now, &Actor::own("bus"), "bus.message", message.subject(), told.clone()))?;
        let dislikes = self.dislikes.lock().unwrap();
        if !dislikes.is_empty() && told.contains(dislikes.as_str()) {
            return Err(Refusal::Because(format!("{dislikes} may not")));
        }
        Ok(Followed { told, ..Followed::default() })
    }

    fn count_trades(&self, _: &WriteTxn, trades: &[Trades<'_>], _: Micros) -> Result<(), Refusal> {
        let counted = trades.iter().map(|of| (of.symbol.unwrap_or_default().to_owned(), of.count));
        self.trades.lock().unwrap().extend(counted);
        Ok(())
    }

    fn committed(&self, _: &Recorded) {}
}

struct Bed {
    bus: BusIn,
    choosy: Arc<Choosy>,
    store: Arc<Store>,
    _directory: tempfile::TempDir,
}

impl Bed {
    fn new(dislikes: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&directory.path().join("d.redb")).unwrap());
        let metrics = Metrics::new(StatusBoard::new(), "1", "a", Micros(1));
        let choosy = Arc::new(Choosy::default());
        *choosy.dislikes.lock().unwrap() = dislikes.to_owned();
        Self { bus: BusIn::new(store.clone(), metrics, choosy.clone()), choosy, store, _directory: directory }
    }

    /// What effects left in the file, oldest first.
    fn noted(&self) -> Vec<String> {
        let (records, _) = self.store.audit(&Default::default(), u64::MAX, 1_000).unwrap();
        let of_bus = records.into_iter().filter(|record| record.action == "bus.message");
        let mut noted: Vec<String> = of_bus.map(|record| record.why).collect();
        noted.reverse();
        noted
    }
}

fn asked(seq: u64, by: &str) -> Arrival {
    let payload = format!(r#"{{"model_type":"nhits","timeframe":"4h","requested_by":"{by}"}}"#);
    Arrival { entry: EntryId { ms: 7, seq }, fields: Fields::of([("payload", payload.as_str())]) }
}

const TOPIC: Topic = Topic::TrainingRequested;

#[test]
fn what_comes_again_does_nothing_again() {
    let bed = Bed::new("");
    let arrivals = [asked(0, "anna"), asked(1, "ben")];
    for _ in 0..3 {
        assert_eq!(bed.bus.take(TOPIC, &arrivals).unwrap(), [Fate::Taken, Fate::Taken]);
        assert_eq!(bed.noted(), ["asked for by anna", "asked for by ben"]);
    }
    // A stream that was emptied gives ids a second time.
    assert_eq!(bed.bus.take(TOPIC, &[asked(0, "carl")]).unwrap(), [Fate::Taken]);
    assert_eq!(bed.noted().last().map(String::as_str), Some("asked for by carl"));
}

#[test]
fn a_refusal_leaves_nothing_behind_and_costs_nobody_else_anything() {
    let bed = Bed::new("ben");
    let arrivals = [asked(0, "anna"), asked(1, "ben"), asked(2, "carl")];
    for tries in 1..TRIES {
        let fates = bed.bus.take(TOPIC, &arrivals).unwrap();
        assert_eq!(fates, [Fate::Taken, Fate::Failed { tries }, Fate::Taken]);
    }
    let fates = bed.bus.take(TOPIC, &arrivals).unwrap();
    let Fate::Dead { letter, again: false } = &fates[1] else { panic!("{fates:?}") };
    assert_eq!((letter.number, letter.tries, letter.error.as_str()), (1, TRIES, "ben may not"));
    assert_eq!(bed.noted(), ["asked for by anna", "asked for by carl"], "nothing of ben's, and nothing twice");
    // Before it was acknowledged: it is the same letter.
    let fates = bed.bus.take(TOPIC, &arrivals).unwrap();
    assert_eq!(fates[1], Fate::Dead { letter: letter.clone(), again: true });
    assert_eq!(bed.store.dead_letters_waiting().unwrap(), 1);
}

#[test]
fn a_letter_is_replayed_once() {
    let bed = Bed::new("ben");
    (0..TRIES).for_each(|_| drop(bed.bus.take(TOPIC, &[asked(0, "ben")]).unwrap()));
    let actor = Actor::local("anna");
    let carry_out =
        |what: &LetterMove| bed.bus.carry_out(1, what, &actor, Micros(9)).map_err(|error| error.to_string());
    assert_eq!(carry_out(&LetterMove::Replay), Err("dead letter 1 failed again: ben may not".into()));
    assert_eq!(bed.store.dead_letter(1).unwrap().map(|letter| letter.tries), Some(TRIES + 1));
    assert!(bed.noted().is_empty(), "a replay that failed left nothing");
    bed.choosy.dislikes.lock().unwrap().clear();
    let letter = carry_out(&LetterMove::Replay).unwrap();
    let outcome = "asked for by ben".to_owned();
    assert_eq!(letter.state, LetterState::Replayed { by: "anna".into(), at: Micros(9), outcome });
    assert_eq!(carry_out(&LetterMove::Replay), Err("dead letter 1 was replayed by anna already".into()));
    let discard = LetterMove::Discard("no".into());
    assert_eq!(carry_out(&discard), Err("dead letter 1 was replayed by anna already".into()));
    assert_eq!(bed.noted(), ["asked for by ben"]);
    let unknown = bed.bus.carry_out(2, &discard, &actor, Micros(9));
    assert!(matches!(unknown, Err(LetterError::Unknown(2))), "{unknown:?}");
    let (records, _) = bed.store.audit(&Default::default(), u64::MAX, 10).unwrap();
    let of_letters: Vec<_> = records.iter().filter(|record| record.action == "dead_letter.replay").collect();
    assert_eq!(of_letters.len(), 2);
    assert_eq!(of_letters[1].why, "it failed again: ben may not");
}

#[test]
fn trades_are_counted_once_each_and_unreadable_ones_are_over() {
    let bed = Bed::new("");
    let trade = |seq, symbol: &str| Arrival {
        entry: EntryId { ms: 9, seq },
        fields: Fields::of([("symbol", symbol), ("side", "BUY")]),
    };
    let arrivals = [trade(0, "BTCUSDT"), trade(1, "BTC/USDT"), trade(2, ""), trade(3, "ETHUSDT")];
    for _ in 0..2 {
        assert_eq!(bed.bus.take(Topic::TradeClosed, &arrivals).unwrap(), vec![Fate::Taken; 4]);
    }
    let counted = bed.choosy.trades.lock().unwrap();
    assert_eq!(*counted, [("btcusdt".to_owned(), 2), ("ethusdt".to_owned(), 1)]);
    assert_eq!(bed.store.dead_letters_waiting().unwrap(), 0);
}
