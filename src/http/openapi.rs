//! The description of the API (OpenAPI 3.1), made from the route table: what a route asks for comes from its guard, the
//! shapes from the types, the rest from its [`Doc`].

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::doc::{Doc, Media};
use super::error::ErrorAnswer;
use super::peer::Role;
use super::routes::{Kind, Route};

/// Of what an example shows.
const JSON: &str = "application/json";

/// The description of every route in the table that is for programs.
pub fn document<S: Clone + Send + Sync + 'static>(routes: &[Route<S>]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let (Kind::Api, Some(doc)) = (route.kind(), route.described()) else { continue };
        let operation = schemas.operation(route, doc);
        // A part that takes all the rest has no mark of its own in OpenAPI.
        let methods = paths.entry(route.path().replace("{*", "{")).or_insert_with(|| json!({}));
        methods[route.method().as_str().to_ascii_lowercase()] = operation;
    }
    let error = schemas.answers.subschema_for::<ErrorAnswer>();
    let components = schemas.answers.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "quantum-clm",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This appliance" }],
        "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {
                "Refusal": { "description": "Anything else that is refused.", "content": { JSON: { "schema": error } } },
            },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "An API token: `quantum-clm token create`." },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "__Host-quantum-clm",
                    "description": "The cookie of the pages. What changes something needs the header X-CSRF-Token besides.",
                },
            },
        },
    })
}

const ABOUT: &str = "The learning side of a crypto trading system: events, counters, intents, models.\n\n\
    Times in answers are RFC 3339 in UTC, except the `ts` of an event, which is microseconds since the epoch as a string. \
    Lists have a `limit` and a `cursor`; the `next` of an answer is the cursor of the next one, and null at the end. \
    What creates takes an `Idempotency-Key`. Refusals are `{\"detail\": …}`: a sentence, or for 422 a list of what does not \
    fit and where. A viewer looks, an operator handles intents and models, an admin does everything; tokens of the scope `publish` or \
    `worker` do that one thing.";

/// The headings, in reading order.
const TAGS: [(&str, &str); 9] = [
    ("health", "Whether the feed works, and figures."),
    ("events", "What the services said, and what programs say."),
    ("counters", "Events an hour."),
    ("intents", "Things that somebody should look at."),
    ("models", "Models, their versions, evaluations and gates; promotion and rollback."),
    ("clm", "The predecessor's calls, as its programs know them."),
    ("webhooks", "Who is told of models' events, and how that goes."),
    ("dead letters", "Messages of the event bus that came to nothing."),
    ("access", "Users, tokens, sessions, and the audit log."),
];

struct Schemas {
    answers: SchemaGenerator,
    requests: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        // What is read may look other than what is written, under the same name: so it is written out in its place.
        let in_place = settings().for_deserialize().with(|settings| settings.inline_subschemas = true);
        Self { answers: settings().for_serialize().into_generator(), requests: in_place.into_generator() }
    }

    fn operation<S: Clone + Send + Sync + 'static>(&mut self, route: &Route<S>, doc: &Doc) -> Value {
        let mut parameters: Vec<Value> = Vec::new();
        for part in &doc.path {
            parameters.push(json!({
                "name": part.name, "in": "path", "required": true, "description": part.about,
                "schema": (part.schema)(&mut self.requests), "example": part.example,
            }));
        }
        if let Some(query) = doc.query {
            parameters.extend(self.query(query));
        }
        for header in &doc.headers {
            parameters.push(json!({
                "name": header.name, "in": "header", "required": false, "description": header.about,
                "schema": (header.schema)(&mut self.requests),
            }));
        }
        let mut operation = json!({
            "operationId": operation_id(route),
            "tags": [doc.tag],
            "summary": doc.summary,
            "description": about(route, doc),
            "parameters": parameters,
            "responses": self.responses(route, doc),
            "security": if route.least() == Role::Open { json!([]) } else { json!([{ "token": [] }, { "session": [] }]) },
        });
        if !doc.bodies.is_empty() {
            let content: Map<String, Value> =
                doc.bodies.iter().map(|media| (media.kind.to_owned(), content(&mut self.requests, media))).collect();
            operation["requestBody"] = json!({ "required": true, "content": content });
        }
        operation
    }

    /// A query's fields as parameters. None of them has to be there, and an empty one says nothing, as in a form.
    fn query(&mut self, query: super::doc::SchemaOf) -> Vec<Value> {
        let schema = query(&mut self.requests);
        let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
        let parameter = |(name, schema): (&String, &Value)| {
            let mut schema = schema.clone();
            let about = schema.as_object_mut().and_then(|schema| {
                schema.remove("default");
                schema.remove("description")
            });
            without_null(&mut schema);
            json!({
                "name": name, "in": "query", "required": false, "allowEmptyValue": true, "description": about,
                "schema": schema,
            })
        };
        fields.iter().map(parameter).collect()
    }

    fn responses<S: Clone + Send + Sync + 'static>(&mut self, route: &Route<S>, doc: &Doc) -> Value {
        let error = json!({ JSON: { "schema": self.answers.subschema_for::<ErrorAnswer>() } });
        let refusal = |about: &str| json!({ "description": about, "content": error });
        let mut responses = Map::new();
        for answer in &doc.answers {
            // The same answer in several kinds is one response.
            let response =
                responses.entry(answer.status.to_string()).or_insert_with(|| json!({ "description": answer.about }));
            if let Some(media) = &answer.media {
                response["content"][media.kind] = content(&mut self.answers, media);
            }
        }
        let mut refuse = |status: u16, about: &str| {
            responses.entry(status.to_string()).or_insert_with(|| refusal(about));
        };
        for (status, about) in &doc.refusals {
            refuse(*status, about);
        }
        if route.least() > Role::Open {
            refuse(401, "No credential, or one that is not valid.");
            refuse(403, "The credential does not allow this.");
        }
        if doc.query.is_some() || !doc.path.is_empty() || !doc.bodies.is_empty() {
            refuse(422, "Something does not fit: `detail` lists what, and where.");
        }
        if !doc.bodies.is_empty() {
            refuse(413, "The body is too large.");
        }
        responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Refusal" }));
        Value::Object(responses)
    }
}

fn content(generator: &mut SchemaGenerator, media: &Media) -> Value {
    json!({ "schema": (media.schema)(generator), "example": media.example })
}

/// Where a value may be left out there is no need to send a null.
fn without_null(schema: &mut Value) {
    let is_null = |kind: &Value| kind == "null" || kind.get("type").is_some_and(|kind| kind == "null");
    if let Some(kinds) = schema.get_mut("type").and_then(Value::as_array_mut) {
        kinds.retain(|kind| !is_null(kind));
        if let [only] = kinds.as_slice() {
            schema["type"] = only.clone();
        }
    }
    if let Some(kinds) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        kinds.retain(|kind| !is_null(kind));
        if let [only] = kinds.as_slice() {
            *schema = only.clone();
        }
    }
}

/// `get_api_events_by_id`.
fn operation_id<S: Clone + Send + Sync + 'static>(route: &Route<S>) -> String {
    let path = route.path().trim_start_matches('/').replace("{*", "{").replace('{', "by_").replace('}', "");
    let path = path.replace(['/', '-', '.'], "_");
    format!("{}_{path}", route.method().as_str().to_ascii_lowercase())
}

fn about<S: Clone + Send + Sync + 'static>(route: &Route<S>, doc: &Doc) -> String {
    let who = match (route.least(), route.scope()) {
        (Role::Open, _) => "Needs no credential.".to_owned(),
        (least, None) => format!("Needs the role {} or above.", least.as_str()),
        (least, Some(scope)) => {
            format!("Needs the role {} or above, or a token of the scope {}.", least.as_str(), scope.as_str())
        }
    };
    if doc.about.is_empty() { who } else { format!("{}\n\n{who}", doc.about) }
}
