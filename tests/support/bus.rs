//! Events of the bus, as the registry puts them out.

use quantum_clm::domain::bus::BusEvent;
use quantum_clm::domain::model::ModelType;
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::now;
use quantum_clm::store::{OutboxKind, Store, StoreError};
use serde_json::json;

/// The four types that the registry publishes.
pub(crate) const TYPES: [&str; 4] =
    ["clm.model_trained", "clm.model_evaluated", "clm.model_promoted", "clm.model_rollback"];

/// What happens to a model as number `number`: one type after the other.
pub(crate) fn event(number: u64, at: Micros) -> BusEvent {
    let model = "xgboost_btcusdt_1h".parse().expect("a model id");
    let version = |number: u64| format!("v20260117_{number:06}").parse().expect("a version's name");
    let (new, old) = (version(number), version(number.saturating_sub(1)));
    match number % 4 {
        0 => BusEvent::trained(Some("job-1"), &model, Some(&new), ModelType::Xgboost, true, json!({"loss": 0.1}), at),
        1 => BusEvent::evaluated(&model, &new, true, 61.5, json!({"sharpe_ratio": 1.45}), at),
        2 => BusEvent::promoted(&model, &new, Some(&old), "anna", at),
        _ => BusEvent::rolled_back(&model, Some(&new), &old, "it \"lost\" – money", "anna", at),
    }
}

/// Puts out the events `numbers`, each in a commit of its own; their ids.
pub(crate) fn put(store: &Store, numbers: std::ops::Range<u64>) -> Vec<String> {
    put_at(store, numbers, now())
}

pub(crate) fn put_at(store: &Store, numbers: std::ops::Range<u64>, at: Micros) -> Vec<String> {
    let put = |number| {
        let payload = serde_json::to_string(&event(number, at)).expect("JSON");
        let write = |txn: &quantum_clm::store::WriteTxn| txn.put_out(OutboxKind::Bus, at, payload.clone());
        let seq = store.write::<_, StoreError>(write).expect("a commit");
        store.outbox_message(seq).expect("a look").expect("the message").id()
    };
    numbers.map(put).collect()
}
