//! What the programs of these tests answer.

use serde_json::{Value, json};

pub(super) const FILES: [&str; 2] = ["model.json", "scalers/x.bin"];

pub(super) fn data() -> Value {
    json!({
        "data_range": { "from": "2025-01-01T00:00:00Z", "until": "2025-07-01T00:00:00Z" }, "rows": 4_344,
        "files": ["bars.parquet"], "symbols": ["BTCUSDT"],
    })
}

pub(super) fn train() -> Value {
    json!({
        "artifacts": FILES,
        "train_metrics": { "auc": 0.71, "loss": 0.25 },
        "validation_metrics": { "auc": 0.62 },
        "feature_count": 3,
        "data_range": { "from": "2025-01-01T00:00:00Z", "until": "2025-06-01T00:00:00Z" },
        "feature_importances": { "rsi_14": 0.1, "return_1": -0.4, "volume": 0.2 },
        "importance_method": "mean |SHAP|",
        "parameters": { "max_depth": 6, "eta": 0.05 },
        "code_revision": "4f2a",
        "tags": { "fold": "7" },
    })
}

/// Daily returns with a drift of `drift` and a spread of one per cent, and four trades a day: 0.004 over 200 days is far on
/// the good side of every gate, -0.001 on the bad one of all.
pub(super) fn evaluation(days: usize, drift: f64) -> Value {
    // Two parts that win for each that loses, of uneven size, so that no figure divides by zero.
    let swing = [0.006, -0.008, 0.009, 0.002, -0.006, 0.005, -0.002, -0.005, 0.004, -0.005];
    let values: Vec<f64> = (0..days).map(|day| drift + swing[day % swing.len()]).collect();
    let trade = |at: usize| {
        json!({
            "closed_at": format!("2025-08-{:02}T{:02}:00:00Z", at / 24 % 28 + 1, at % 24),
            "return": drift + swing[at % swing.len()],
        })
    };
    let trades: Vec<_> = (0..120).map(trade).collect();
    json!({ "kind": "walk_forward", "returns": { "first_day": "2025-08-01", "values": values }, "trades": trades })
}

pub(super) fn good() -> Value {
    evaluation(200, 0.004)
}

pub(super) fn bad() -> Value {
    evaluation(200, -0.001)
}

/// Enough for the plain gates, and too little to believe in.
pub(super) fn short() -> Value {
    evaluation(20, 0.004)
}
