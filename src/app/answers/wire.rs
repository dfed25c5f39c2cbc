//! How events look in JSON, for those who read the description of the API. The wire form itself is written by
//! [`crate::domain::event::EventJson`] and read by [`crate::domain::publish`]; tests hold them against these.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::domain::event::{Decision, Level};
use crate::domain::id::EventId;

/// One event.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
pub struct Event {
    /// Its place in the feed, and the id of its entry in the Redis stream.
    pub id: EventId,
    /// When it happened: microseconds since the epoch.
    #[schemars(regex(pattern = r"^[0-9]+$"))]
    pub ts: String,
    /// The systemd unit, or what a program called itself.
    pub unit: String,
    /// The syslog priority: 0 (emergency) to 7 (debug).
    #[schemars(regex(pattern = r"^[0-7]$"))]
    pub level: String,
    /// The text, at most 8 KiB.
    pub message: String,
    /// The trading pair.
    pub symbol: Option<String>,
    /// What ties the events of one decision together across services.
    pub correlation_id: Option<String>,
    /// The service behind the unit: `ai_engine`, `strategy`, `risk`, `execution`, `unknown`, or as configured.
    pub source: String,
    /// The machine.
    pub host: String,
    /// `error` for a warning or worse, and `warning` besides when it is only that.
    pub tags: Vec<String>,
    /// The decision that it states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The confidence of that decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub confidence: Option<f64>,
    /// Free fields of a published event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Map<String, Value>>,
}

/// An event to publish. What is left out or null is read from the message, as from a line of the journal.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "unit": "quantum-execution.service", "message": "order filled: BTCUSDT BUY" }))]
pub struct NewEvent {
    /// When it happened: microseconds since the epoch, as a string or a number, or RFC 3339. At most a day ahead, and
    /// not older than what is kept. Without it: now.
    #[serde(default)]
    #[schemars(schema_with = "ts")]
    pub ts: Option<Value>,
    /// Who says it: the systemd unit, or what the program calls itself. No blanks.
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[!-~]+$"))]
    pub unit: String,
    /// A severity: a name, or a syslog priority as a string or a number. Where the text names none either: info.
    #[serde(default)]
    #[schemars(schema_with = "level")]
    pub level: Option<Value>,
    /// The text; beyond 8 KiB it is cut.
    pub message: String,
    /// The trading pair.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[!-~]+$"))]
    pub symbol: Option<String>,
    /// What ties the events of one decision together across services.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[!-~]+$"))]
    pub correlation_id: Option<String>,
    /// The service behind the unit. Without it: as configured for the unit. `quantum_clm` is the appliance's own.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[!-~]+$"))]
    pub source: Option<String>,
    /// The machine. Without it: the appliance's.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[!-~]+$"))]
    pub host: Option<String>,
    /// Taken and passed over: tags follow from the level.
    #[serde(default)]
    pub tags: Option<Vec<Value>>,
    /// The decision that it states.
    #[serde(default)]
    pub decision: Option<Decision>,
    /// The confidence of that decision.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub confidence: Option<f64>,
    /// Everything else: at most 16 KiB, 16 levels deep.
    #[serde(default)]
    pub fields: Option<Map<String, Value>>,
}

fn ts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string", "pattern": "^[0-9]{1,17}$" },
            { "type": "string", "format": "date-time" },
            { "type": "integer", "minimum": 0 },
            { "type": "null" },
        ],
    })
}

fn level(generator: &mut SchemaGenerator) -> Schema {
    let name = generator.subschema_for::<Level>();
    json_schema!({
        "anyOf": [
            name,
            { "type": "string", "pattern": "^[0-7]$" },
            { "type": "integer", "minimum": 0, "maximum": 7 },
            { "type": "null" },
        ],
    })
}
