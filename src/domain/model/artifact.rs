use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::ArtifactPath;
use crate::domain::account::hex;

/// SHA-256 of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// A text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256: use 64 digits of 0-9 and a-f")]
pub struct BadDigest;

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(BadDigest);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digit = |c: u8| (c as char).to_digit(16).filter(|_| !c.is_ascii_uppercase());
            *byte = match (digit(pair[0]), digit(pair[1])) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => return Err(BadDigest),
            };
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256, in hexadecimal." })
    }
}

/// Where a version's files are.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Keeping {
    /// Taken in: each under its digest in `artifacts/sha256`.
    Kept,
    /// Left where they are, in this directory; they are somebody else's to keep.
    InPlace(String),
}

/// What is known of a version's files. The stored form is the variant's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactState {
    /// All there, with the digests that they had.
    Sound,
    /// At least one file has no content. It cannot be promoted.
    Empty,
    /// Not there when it was imported. It cannot be promoted.
    Gone,
}

/// A version's files.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Artifacts {
    /// Where.
    pub keeping: Keeping,
    /// Whether they can be used.
    pub state: ArtifactState,
    /// The manifest, by path.
    pub files: Vec<ArtifactFile>,
}

impl Artifacts {
    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// One file of a version.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ArtifactFile {
    /// Its path within the version.
    pub path: ArtifactPath,
    /// Bytes.
    pub size: u64,
    /// Its content.
    pub sha256: Digest,
}
