//! What a route tells of itself: the parts of the API's description that its types do not say.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

/// How a schema is made, once there is a generator.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One operation of the API.
#[derive(Clone, Debug)]
pub struct Doc {
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
    pub(super) path: Vec<PathParam>,
    pub(super) query: Option<SchemaOf>,
    pub(super) headers: Vec<Header>,
    pub(super) bodies: Vec<Media>,
    pub(super) answers: Vec<Answer>,
    pub(super) refusals: Vec<(u16, &'static str)>,
}

/// A variable part of the path.
#[derive(Clone, Debug)]
pub(super) struct PathParam {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) schema: SchemaOf,
    pub(super) example: Value,
}

/// A header of the request.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) schema: SchemaOf,
}

/// What a body may be.
#[derive(Clone, Debug)]
pub(super) struct Media {
    pub(super) kind: &'static str,
    pub(super) schema: SchemaOf,
    pub(super) example: Value,
}

/// An answer that is no refusal.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) about: &'static str,
    pub(super) media: Option<Media>,
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// An `Idempotency-Key`.
fn key(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$" })
}

/// An `If-Match`.
fn tag(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string", "pattern": "^\"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\"$" })
}

impl Doc {
    /// An operation, under a heading, in a few words.
    pub fn new(tag: &'static str, summary: &'static str) -> Self {
        Self {
            tag,
            summary,
            about: "",
            path: Vec::new(),
            query: None,
            headers: Vec::new(),
            bodies: Vec::new(),
            answers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// What the summary leaves open.
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// A variable part of the path.
    pub fn path<T: JsonSchema>(mut self, name: &'static str, about: &'static str, example: impl Into<Value>) -> Self {
        self.path.push(PathParam { name, about, schema: schema_of::<T>, example: example.into() });
        self
    }

    /// Its query.
    pub fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// Another header that it reads.
    pub fn header<T: JsonSchema>(mut self, name: &'static str, about: &'static str) -> Self {
        self.headers.push(Header { name, about, schema: schema_of::<T> });
        self
    }

    /// It can be sent again under the same `Idempotency-Key`, and is carried out once.
    pub fn once(mut self) -> Self {
        self.headers.push(Header {
            name: "Idempotency-Key",
            about: "A name for this request. Sent again with the same one, it is carried out once and answered alike, for \
                    two days. Names are one's own: nobody meets another's.",
            schema: key,
        });
        self.refuses(409, "The key was used for another request, or the state does not allow it.")
    }

    /// It is carried out only if what the caller believes of the model is still so: `If-Match`.
    pub fn if_unchanged(mut self) -> Self {
        self.headers.push(Header {
            name: "If-Match",
            about: "What the caller believes: the `ETag` of the model (`\"r17\"`: nothing has happened since), or the version \
                    in production (`\"v20260117_034606\"`, `\"none\"`). Where that is no longer so the answer is 409, and says \
                    what changed.",
            schema: tag,
        });
        self.refuses(409, "The state does not allow it, or is no longer what `If-Match` says.")
    }

    /// A body of JSON.
    pub fn body<T: JsonSchema>(self, example: Value) -> Self {
        self.body_as::<T>("application/json", example)
    }

    /// A body of another kind.
    pub fn body_as<T: JsonSchema>(mut self, kind: &'static str, example: impl Into<Value>) -> Self {
        self.bodies.push(Media { kind, schema: schema_of::<T>, example: example.into() });
        self
    }

    /// An answer of JSON.
    pub fn answer<T: JsonSchema>(self, status: u16, about: &'static str, example: Value) -> Self {
        self.answer_as::<T>(status, about, "application/json", example)
    }

    /// An answer of another kind.
    pub fn answer_as<T: JsonSchema>(
        mut self,
        status: u16,
        about: &'static str,
        kind: &'static str,
        example: impl Into<Value>,
    ) -> Self {
        let media = Media { kind, schema: schema_of::<T>, example: example.into() };
        self.answers.push(Answer { status, about, media: Some(media) });
        self
    }

    /// An answer without a body.
    pub fn done(mut self, status: u16, about: &'static str) -> Self {
        self.answers.push(Answer { status, about, media: None });
        self
    }

    /// A refusal of its own, besides those that every operation shares.
    pub fn refuses(mut self, status: u16, about: &'static str) -> Self {
        self.refusals.push((status, about));
        self
    }
}
