use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A file's path within a version: names with `/` between them, `weights/layer-1.bin`. It never leads out of the
/// directory that it is joined to, and never says one thing in two ways.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ArtifactPath(String);

/// A text that is no path of an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArtifactPath {
    /// None at all, or an endless one.
    #[error("a file's path has 1 to {} bytes", ArtifactPath::MOST)]
    Length,
    /// Names within names within names.
    #[error("a file's path has at most {} names", ArtifactPath::DEPTH)]
    Depth,
    /// `/x`, `x/`, `x//y`.
    #[error("a file's path is relative, and none of its names is empty")]
    Empty,
    /// `.` and `..`.
    #[error("a file's path must not have the names . and ..")]
    Dots,
    /// `a\\b`, line feeds and the like.
    #[error("a file's path must not have backslashes or control characters")]
    Character,
}

impl ArtifactPath {
    /// The longest, in bytes: as much as a file system takes for one name.
    pub const MOST: usize = 255;

    /// The most names.
    pub const DEPTH: usize = 8;

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its names, the file's own last.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The file's own name.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether `other` lies below it, so that it would have to be a file and a directory at once.
    pub fn is_above(&self, other: &Self) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl FromStr for ArtifactPath {
    type Err = BadArtifactPath;

    fn from_str(text: &str) -> Result<Self, BadArtifactPath> {
        if !(1..=Self::MOST).contains(&text.len()) {
            return Err(BadArtifactPath::Length);
        }
        // Not only the control characters: what turns the direction of writing makes one name look like another.
        let hides =
            |c: char| matches!(c, '\\' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if text.contains(|c: char| c.is_control() || hides(c)) {
            return Err(BadArtifactPath::Character);
        }
        for (depth, name) in text.split('/').enumerate() {
            match name {
                "" => return Err(BadArtifactPath::Empty),
                "." | ".." => return Err(BadArtifactPath::Dots),
                _ if depth >= Self::DEPTH => return Err(BadArtifactPath::Depth),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ArtifactPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ArtifactPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ArtifactPath {
    fn schema_name() -> Cow<'static, str> {
        "ArtifactPath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "minLength": 1, "maxLength": Self::MOST,
            "description": "A file's path within its version: names with `/` between them.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_path() {
        let long = "x".repeat(255);
        for text in ["model.onnx", "a/b", "1/2/3/4/5/6/7/8", "...", "..a/b..", "größe 1.bin", ".hidden", &long] {
            assert_eq!(text.parse::<ArtifactPath>().map(|path| path.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_none() {
        use BadArtifactPath::{Character, Depth, Dots, Empty, Length};
        let long = "x".repeat(256);
        for (text, expected) in [
            ("", Length),
            (long.as_str(), Length),
            ("/etc/passwd", Empty),
            ("a/", Empty),
            ("a//b", Empty),
            ("/", Empty),
            ("..", Dots),
            (".", Dots),
            ("../x", Dots),
            ("a/../../x", Dots),
            ("a/.", Dots),
            ("1/2/3/4/5/6/7/8/9", Depth),
            ("a\\b", Character),
            ("..\\x", Character),
            ("a\0b", Character),
            ("a\nb", Character),
            ("a\u{7f}", Character),
            ("a\u{85}", Character),
            ("invoice\u{202e}gpj.exe", Character),
        ] {
            assert_eq!(text.parse::<ArtifactPath>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_directory_is_above_what_is_in_it_and_nothing_else() {
        let path = |text: &str| text.parse::<ArtifactPath>().unwrap();
        assert!(path("a").is_above(&path("a/b")) && path("a/b").is_above(&path("a/b/c/d")));
        assert!(
            !path("a").is_above(&path("a")) && !path("a").is_above(&path("ab/c")) && !path("a/b").is_above(&path("a"))
        );
    }
}
