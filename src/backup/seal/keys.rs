use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use x25519_dalek::{PublicKey, StaticSecret};

use super::SealError;
use crate::domain::backup::gives_a_secret;

/// Before the 1 of a public key.
const PUBLIC: &str = "age";
/// Before the 1 of a private key.
const PRIVATE: &str = "AGE-SECRET-KEY-";

/// The longest identity file: `age-keygen` writes 200 bytes.
const MOST_IDENTITY: u64 = 64 << 10;

/// Whom a backup is encrypted to: an age public key, `age1…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient(pub(super) [u8; 32]);

impl FromStr for Recipient {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        // The program age takes lower case only, and a key that it would refuse must not be found out at the restore.
        let key = if text.starts_with("age1") { key(text, PUBLIC) } else { None };
        key.filter(gives_a_secret).map(Self).ok_or(SealError::BadRecipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32, _>(f, Hrp::parse_unchecked(PUBLIC), &self.0).map_err(|_| fmt::Error)
    }
}

/// Private keys, each of which opens what was encrypted to its public key: an identity file as `age-keygen` writes it.
pub struct Identity(Vec<StaticSecret>);

impl Identity {
    /// Reads an identity file.
    pub fn read(path: &Path) -> Result<Self, SealError> {
        let failed = |source| SealError::IdentityFile { path: path.to_owned(), source };
        let mut text = String::new();
        File::open(path).and_then(|file| file.take(MOST_IDENTITY).read_to_string(&mut text)).map_err(failed)?;
        text.parse()
    }

    /// The public keys that belong to it.
    pub fn recipients(&self) -> impl Iterator<Item = Recipient> {
        self.0.iter().map(|key| Recipient(PublicKey::from(key).to_bytes()))
    }

    pub(super) fn keys(&self) -> &[StaticSecret] {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} private keys)", self.0.len())
    }
}

/// The text of an identity file: a private key a line, empty lines and comments.
impl FromStr for Identity {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().map(str::trim).enumerate() {
            let bad = |why| SealError::BadIdentity { line: number + 1, why };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("AGE-SECRET-KEY-1") {
                let key = key(line, PRIVATE).ok_or_else(|| bad("it is no private key of age: a letter is wrong"))?;
                keys.push(StaticSecret::from(key));
            } else if line.starts_with("-----BEGIN AGE") || line.starts_with("age-encryption.org/") {
                return Err(bad("the identity file is encrypted itself: decrypt it first, age -d FILE > KEY"));
            } else {
                return Err(bad("it does not begin with AGE-SECRET-KEY-1: SSH keys and plugins are not taken"));
            }
        }
        if keys.is_empty() { Err(SealError::NoIdentity) } else { Ok(Self(keys)) }
    }
}

/// The 32 bytes of a key in Bech32.
fn key(text: &str, prefix: &str) -> Option<[u8; 32]> {
    let parsed = CheckedHrpstring::new::<Bech32>(text).ok()?;
    if !parsed.hrp().as_str().eq_ignore_ascii_case(prefix) {
        return None;
    }
    let bytes: Vec<u8> = parsed.byte_iter().collect();
    bytes.try_into().ok()
}
