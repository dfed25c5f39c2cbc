use quantum_clm::app::registry::Target;
use quantum_clm::domain::model::ModelId;
use quantum_clm::domain::time::Micros;

use super::bed::{Bed, FORCED, NOW, after, anna, model, name, new_version, root};

fn at(bed: &Bed, id: Option<&ModelId>, seconds: i64) -> Vec<(String, Option<String>)> {
    let at = if seconds < 0 { NOW.minus(1_000_000) } else { NOW.plus(seconds as u64 * Micros::SECOND) };
    let found = bed.registry.production_at(id, at).unwrap();
    found.into_iter().map(|row| (row.model.to_string(), row.reign.map(|reign| reign.version.to_string()))).collect()
}

#[test]
fn what_was_in_production_at_any_moment() {
    let bed = Bed::new();
    for version in ["v1", "v2"] {
        bed.register(version);
        bed.attach(version);
    }
    let promote = |version: &str, seconds| {
        bed.registry.promote(&after(root(), seconds), &model(), &name(version), FORCED, true).unwrap();
    };
    promote("v1", 10);
    promote("v2", 20);
    bed.registry.roll_back(&after(anna(), 30), &model(), &Target::Before, "v2 loses").unwrap();
    let bed = bed.reopen();
    for (seconds, expected) in [
        (-1, None),
        (0, None),
        (9, None),
        (10, Some("v1")),
        (19, Some("v1")),
        (20, Some("v2")),
        (29, Some("v2")),
        (30, Some("v1")),
        (1_000_000, Some("v1")),
    ] {
        let found = at(&bed, Some(&model()), seconds);
        assert_eq!(found, [(model().to_string(), expected.map(str::to_owned))], "after {seconds} s");
    }
    let detail = bed.registry.model(&model(), NOW).unwrap();
    let reigns: Vec<_> = detail.reigns.iter().map(|reign| (reign.version.as_str(), reign.since)).collect();
    let since = |seconds| NOW.plus(seconds * Micros::SECOND);
    assert_eq!(reigns, [("v1", since(30)), ("v2", since(20)), ("v1", since(10))]);
    assert_eq!(detail.before, None, "before v1 there was nothing");
}

#[test]
fn of_all_models_those_that_there_were() {
    let bed = Bed::new();
    bed.in_production("v1");
    let late: ModelId = "tft_multi_1h".parse().unwrap();
    bed.registry.register(&after(anna(), 50), &late, &new_version(None)).unwrap();
    let row = |id: &str, version: Option<&str>| (id.to_owned(), version.map(str::to_owned));
    assert_eq!(at(&bed, None, 49), [row("xgboost_btcusdt_1h", Some("v1"))]);
    assert_eq!(at(&bed, None, 50), [row("tft_multi_1h", None), row("xgboost_btcusdt_1h", Some("v1"))]);
    assert!(bed.registry.production_at(Some(&"tft_multi_4h".parse().unwrap()), NOW).is_err());
}

#[test]
fn a_clock_that_goes_back_does_not_turn_the_history_round() {
    let bed = Bed::new();
    for version in ["v1", "v2"] {
        bed.register(version);
        bed.attach(version);
    }
    let promote = |version: &str, seconds| {
        bed.registry.promote(&after(root(), seconds), &model(), &name(version), FORCED, true).unwrap();
    };
    promote("v1", 100);
    promote("v2", 50);
    super::bed::is_linear(&bed.history(&model()));
    assert_eq!(at(&bed, Some(&model()), 100)[0].1.as_deref(), Some("v2"));
    assert_eq!(at(&bed, Some(&model()), 99)[0].1, None);
}
