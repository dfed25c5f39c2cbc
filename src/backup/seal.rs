//! Encryption of a backup's files to age public keys.

use std::fmt;
use std::io::{Read, Write};
use std::str::FromStr;

/// Whom a backup is encrypted to: an age public key, `age1…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient(String);

impl FromStr for Recipient {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        if text.starts_with("age1") { Ok(Self(text.to_owned())) } else { Err(SealError::BadRecipient(text.to_owned())) }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A private key that opens what was encrypted to its public key.
pub struct Identity {
    _private: (),
}

/// Why nothing was encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not a public key.
    #[error("{0:?} is not an age public key: they begin with age1")]
    BadRecipient(String),
    /// This build cannot.
    #[error("encryption is not available")]
    Unavailable,
}

/// Encrypts all of `from` to every one of `recipients`; the bytes that were written.
pub fn seal(_from: &mut dyn Read, _to: &mut dyn Write, _recipients: &[Recipient]) -> Result<u64, SealError> {
    Err(SealError::Unavailable)
}

/// Decrypts all of `from`; the bytes that were written.
pub fn open(_from: &mut dyn Read, _to: &mut dyn Write, _identity: &Identity) -> Result<u64, SealError> {
    Err(SealError::Unavailable)
}
