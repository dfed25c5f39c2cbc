use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::blocking;
use crate::app::App;
use crate::app::registry::{Ask, ModelImport};
use crate::domain::access::Actor;
use crate::domain::clm3::ModelRecord;
use crate::http::doc::Doc;
use crate::http::error::ApiError;
use crate::http::extract::Body;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe::now;

/// A model with thousands of versions and evaluations.
const IMPORT_BYTES: usize = 32 << 20;

const MODEL: &str = "xgboost_BTCUSDT_1h";
const PATH: &str = "models/xgboost_BTCUSDT_1h/1.0.0.json";
const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::post("/api/import/clm3", Role::Admin, import).body_bytes(IMPORT_BYTES).doc(
            Doc::new("models", "Take over a model of the predecessor's registry")
                .about(
                    "What `quantum-clm import clm3` sends, a model at a time. Each is one transaction. Sent again, what is \
                     here already stays as it is; so does what has changed since, which is told.",
                )
                .body::<NewImport>(request())
                .answer::<ModelImport>(200, "What became of each file, or would.", answer()),
        ),
    ]
}

fn request() -> Value {
    json!({
        "dry_run": true,
        "model": {
            "model_id": MODEL,
            "versions": [{
                "source": { "path": PATH, "sha256": SHA256 },
                "version": "1.0.0", "model_type": "xgboost", "status": "production",
                "created_at": "2026-01-17T03:46:06.123456Z", "promoted_at": "2026-01-18T03:46:06Z",
                "train_metrics": { "auc": 0.61 },
                "artifact": { "path": "/srv/models/a.pkl", "size": 0, "found": "empty" },
            }],
            "evaluations": [],
        },
    })
}

fn answer() -> Value {
    json!({
        "model_id": MODEL, "dry_run": true, "production": "1.0.0",
        "files": [{
            "path": PATH, "outcome": "taken",
            "notes": ["its file /srv/models/a.pkl is empty: it is kept and marked so, and cannot be promoted"],
        }],
        "notes": [], "wanted": [],
    })
}

/// A model to take over.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewImport {
    /// Whether only to tell what would become of it.
    #[serde(default)]
    dry_run: bool,
    /// What its files say.
    model: ModelRecord,
}

async fn import(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    Extension(caller): Extension<Caller>,
    Body(NewImport { dry_run, model }): Body<NewImport>,
) -> Result<Json<ModelImport>, ApiError> {
    let ask = Ask { actor, grant: caller.grant, now: now(), key: None, expected: None };
    Ok(Json(blocking(move || app.registry.import(&ask, &model, dry_run)).await?))
}
