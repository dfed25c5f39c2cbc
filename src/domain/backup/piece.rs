use crate::domain::model::Digest;

/// What of a backup somebody asks for who has to get it from somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A file of its directory.
    File(String),
    /// A file of a model's version, by the digest of its plain content.
    Artifact(Digest),
}
