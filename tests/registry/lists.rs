use std::collections::BTreeMap;

use quantum_clm::app::registry::{HistoryQuery, ModelQuery, ModelSort, NewVersion, VersionQuery};
use quantum_clm::domain::model::{ModelId, ModelStatus, ModelType};

use super::bed::{Bed, NOW, after, anna, bad, good, model, name, new_version};

/// Three models with four versions each, registered in turn a second apart; the second version of each is tagged.
fn bed() -> Bed {
    let bed = Bed::new();
    let ids = ["dlinear_multi_1h", "tft_ethusdt_4h", "xgboost_btcusdt_1h"].map(|id| id.parse::<ModelId>().unwrap());
    for number in 0..4 {
        for (at, id) in ids.iter().enumerate() {
            let mut new: NewVersion = new_version(None);
            if number == 1 {
                new.tags = BTreeMap::from([("owner".into(), format!("team {at}"))]);
            }
            bed.registry.register(&after(anna(), number * 3 + at as u64), id, &new).unwrap();
        }
    }
    bed
}

fn found(bed: &Bed, query: &VersionQuery) -> Vec<String> {
    let page = bed.registry.versions(query).unwrap();
    page.rows.iter().map(|row| format!("{} {}", row.version.model, row.version.name)).collect()
}

#[test]
fn versions_come_newest_first_page_by_page() {
    let bed = bed();
    let all = found(&bed, &VersionQuery::default());
    assert_eq!(all.len(), 12);
    assert_eq!(
        (all[0].as_str(), all[11].as_str()),
        ("xgboost_btcusdt_1h v20260601_000011", "dlinear_multi_1h v20260601_000000")
    );
    let mut paged = Vec::new();
    let mut query = VersionQuery { limit: Some(5), ..VersionQuery::default() };
    loop {
        let page = bed.registry.versions(&query).unwrap();
        assert!(!page.rows.is_empty() && page.rows.len() <= 5);
        paged.extend(page.rows.iter().map(|row| format!("{} {}", row.version.model, row.version.name)));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(paged, all);
    assert!(bed.registry.versions(&VersionQuery { cursor: Some("x".into()), ..VersionQuery::default() }).is_err());
    assert!(bed.registry.versions(&VersionQuery { limit: Some(0), ..VersionQuery::default() }).is_err());
}

#[test]
fn versions_by_what_they_are() {
    let bed = bed();
    let of = |query: VersionQuery| found(&bed, &query).len();
    assert_eq!(of(VersionQuery { model: Some(model()), ..VersionQuery::default() }), 4);
    assert_eq!(of(VersionQuery { model_type: Some(ModelType::Tft), ..VersionQuery::default() }), 4);
    assert_eq!(of(VersionQuery { tag: Some("owner".into()), ..VersionQuery::default() }), 3);
    assert_eq!(of(VersionQuery { tag: Some("owner=team 1".into()), ..VersionQuery::default() }), 1);
    let window =
        VersionQuery { since: Some(NOW.plus(3_000_000)), until: Some(NOW.plus(6_000_000)), ..VersionQuery::default() };
    assert_eq!(of(window), 3);
    assert_eq!(of(VersionQuery { since: Some(NOW.plus(1 << 50)), ..VersionQuery::default() }), 0);
    assert_eq!(of(VersionQuery { min_sharpe: Some(1.0), ..VersionQuery::default() }), 0);
    let version = name("v20260601_000011");
    bed.registry.evaluate(&anna(), &model(), &version, &good()).unwrap();
    bed.registry.evaluate(&anna(), &model(), &name("v20260601_000008"), &bad()).unwrap();
    assert_eq!(of(VersionQuery { min_sharpe: Some(1.0), ..VersionQuery::default() }), 1);
    assert_eq!(of(VersionQuery { status: Some(ModelStatus::Training), ..VersionQuery::default() }), 11);
    bed.registry.delete(&anna(), &model(), &version, "tidying").unwrap();
    assert_eq!(of(VersionQuery::default()), 11, "a deleted version is not listed");
    assert!(bed.registry.versions(&VersionQuery { min_sharpe: Some(f64::NAN), ..VersionQuery::default() }).is_err());
}

#[test]
fn one_in_production_and_one_retired_are_told_apart() {
    let bed = Bed::new();
    bed.in_production("v1");
    bed.in_production("v2");
    let with = |status| found(&bed, &VersionQuery { status: Some(status), ..VersionQuery::default() });
    assert_eq!(with(ModelStatus::Production), ["xgboost_btcusdt_1h v2"]);
    assert_eq!(with(ModelStatus::Retired), ["xgboost_btcusdt_1h v1"]);
    let counts = bed.registry.counts().unwrap();
    assert_eq!((counts.models, counts.versions, counts.evaluations), (1, 2, 0));
    assert_eq!(counts.statuses, BTreeMap::from([(ModelStatus::Production, 1), (ModelStatus::Retired, 1)]));
}

#[test]
fn models_in_every_order() {
    let bed = bed();
    bed.in_production("v1");
    bed.evaluate("v1", &good());
    let ids = |query: ModelQuery| -> Vec<String> {
        bed.registry.models(&query).unwrap().rows.iter().map(|row| row.model.id.to_string()).collect()
    };
    let all = ["dlinear_multi_1h", "tft_ethusdt_4h", "xgboost_btcusdt_1h"];
    assert_eq!(ids(ModelQuery::default()), all);
    assert_eq!(ids(ModelQuery { sort: Some(ModelSort::Score), ..ModelQuery::default() })[0], all[2]);
    assert_eq!(ids(ModelQuery { sort: Some(ModelSort::Changed), ..ModelQuery::default() }), [all[2], all[1], all[0]]);
    assert_eq!(ids(ModelQuery { symbol: Some("ETHUSDT".into()), ..ModelQuery::default() }), [all[1]]);
    assert_eq!(ids(ModelQuery { symbol: Some("multi".into()), ..ModelQuery::default() }), [all[0]]);
    assert_eq!(ids(ModelQuery { status: Some(ModelStatus::Production), ..ModelQuery::default() }), [all[2]]);
    let page = bed.registry.models(&ModelQuery { limit: Some(2), ..ModelQuery::default() }).unwrap();
    let rest = bed.registry.models(&ModelQuery { limit: Some(2), cursor: page.next, ..ModelQuery::default() }).unwrap();
    assert_eq!((page.rows.len(), rest.rows.len(), rest.next), (2, 1, None));
    let row = &rest.rows[0];
    assert_eq!(row.production.as_ref().map(|version| version.name.as_str()), Some("v1"));
    assert_eq!(row.trend.len(), 1);
}

#[test]
fn a_history_comes_page_by_page() {
    let bed = bed();
    let first = bed.registry.history(&model(), &HistoryQuery { limit: Some(3), cursor: None }).unwrap().unwrap();
    let revisions =
        |rows: &[quantum_clm::domain::model::HistoryEntry]| rows.iter().map(|e| e.revision).collect::<Vec<_>>();
    assert_eq!(revisions(&first.rows), [4, 3, 2]);
    let rest = bed.registry.history(&model(), &HistoryQuery { limit: Some(3), cursor: first.next }).unwrap().unwrap();
    assert_eq!((revisions(&rest.rows), rest.next), (vec![1], None));
    assert!(bed.registry.history(&"tft_multi_9h".parse().unwrap(), &HistoryQuery::default()).unwrap().is_none());
}

#[test]
fn two_to_four_are_compared_and_what_differs_comes_first() {
    let bed = Bed::new();
    bed.register("v1");
    let mut other = new_version(Some("v2"));
    other.provenance.parameters = BTreeMap::from([
        ("max_depth".into(), "6".into()),
        ("learning_rate".into(), "0.1".into()),
        ("zeta".into(), "1".into()),
    ]);
    bed.registry.register(&anna(), &model(), &other).unwrap();
    bed.evaluate("v2", &good());
    let asked = |names: &[&str]| names.iter().map(|text| (model(), name(text))).collect::<Vec<_>>();
    let compared = bed.registry.compare(&asked(&["v1", "v2"]), NOW).unwrap();
    let parameters: Vec<_> = compared.parameters.iter().map(|(name, differs)| (name.as_str(), *differs)).collect();
    assert_eq!(parameters, [("learning_rate", true), ("zeta", true), ("max_depth", false)]);
    assert!(compared.versions[0].out_of_sample.is_none() && compared.versions[1].out_of_sample.is_some());
    for names in [&["v1"][..], &["v1", "v1"], &["v1", "v2", "v3", "v4", "v5"], &["v1", "v9"]] {
        assert!(bed.registry.compare(&asked(names), NOW).is_err(), "{names:?}");
    }
}
