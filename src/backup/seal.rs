//! Encryption of a backup's files to age public keys (age-encryption.org/v1): what is sealed here the program `age` opens,
//! and the other way round.
//!
//! A random file key encrypts the content in chunks of 64 KiB, each authenticated, the last one marked, so that a file that
//! was cut off or changed anywhere is noticed. The file key itself is encrypted to every recipient in the header, by
//! X25519. The primitives are ring's, which TLS has here already, and X25519 with a key of one's own, which ring does not
//! give, is x25519-dalek's. Of the format only this is there: no passphrases, no SSH keys, no plugins, no armor.
//!
//! Everything streams: memory for two chunks, whatever the size.

mod content;
mod header;
mod keys;

use std::io::{self, BufReader, Read, Write};
use std::path::PathBuf;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;

pub use keys::{Identity, Recipient};

/// Why nothing was encrypted or decrypted. What was written until then is worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not a public key. The text is not repeated: it may be a private one.
    #[error("that is not an age public key: they begin with age1, and age-keygen prints them")]
    BadRecipient,
    /// There is nobody to encrypt to.
    #[error("there is no public key to encrypt to")]
    Nobody,
    /// The file with the private key could not be read.
    #[error("cannot read the identity file {}: {source}", path.display())]
    IdentityFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The text with the private key is not as `age-keygen` writes it.
    #[error("line {line} of the identity file: {why}")]
    BadIdentity {
        /// Which line.
        line: usize,
        /// What is wrong with it. Never what it says.
        why: &'static str,
    },
    /// The identity file has no private key.
    #[error("the identity file has no line that begins with AGE-SECRET-KEY-1")]
    NoIdentity,
    /// The content is not encrypted, or otherwise.
    #[error("it is not encrypted as quantum-clm does it: {0}")]
    Foreign(&'static str),
    /// None of the keys opens it.
    #[error("none of the {keys} private keys given opens it: it was encrypted to {recipients} other public keys")]
    WrongKey {
        /// How many keys were tried.
        keys: usize,
        /// To how many it was encrypted.
        recipients: usize,
    },
    /// The right key, and not what was encrypted.
    #[error("it is damaged or was changed: {0}")]
    Damaged(&'static str),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A key or a nonce of a length that does not fit, which cannot be.
    #[error("the encryption refused its own parameters")]
    Primitive,
    /// What was to be encrypted or decrypted could not be read.
    #[error("reading: {0}")]
    Read(#[source] io::Error),
    /// What came of it could not be written.
    #[error("writing: {0}")]
    Write(#[source] io::Error),
}

/// What one file was encrypted with. Whoever has just done that can look at it once more without a private key.
pub(super) struct FileKey([u8; header::FILE_KEY]);

/// Encrypts all of `from` to every one of `recipients`; the bytes that were written.
pub fn seal(from: &mut dyn Read, to: &mut dyn Write, recipients: &[Recipient]) -> Result<u64, SealError> {
    let mut to = Counting { to, written: 0 };
    seal_and_keep(from, &mut to, recipients)?;
    Ok(to.written)
}

/// The same; what opens it again.
pub(super) fn seal_and_keep(
    from: &mut dyn Read,
    to: &mut dyn Write,
    recipients: &[Recipient],
) -> Result<FileKey, SealError> {
    let mut key = [0; header::FILE_KEY];
    getrandom::fill(&mut key).map_err(SealError::Random)?;
    let header = header::write(&key, recipients)?;
    to.write_all(&header).map_err(SealError::Write)?;
    content::seal(&key, from, to)?;
    to.flush().map_err(SealError::Write)?;
    Ok(FileKey(key))
}

/// Decrypts what was encrypted with this key, whoever it is to: the header is read and has to be authentic.
pub(super) fn open_with(from: &mut dyn Read, to: &mut dyn Write, FileKey(key): &FileKey) -> Result<(), SealError> {
    let mut from = BufReader::with_capacity(content::CHUNK, from);
    header::read(&mut from)?.check(key)?;
    content::open(key, &mut from, to)?;
    to.flush().map_err(SealError::Write)
}

/// Counts what is written.
struct Counting<'a> {
    to: &'a mut dyn Write,
    written: u64,
}

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Decrypts all of `from`; the bytes that were written.
pub fn open(from: &mut dyn Read, to: &mut dyn Write, identity: &Identity) -> Result<u64, SealError> {
    let mut from = BufReader::with_capacity(content::CHUNK, from);
    let key = header::read(&mut from)?.open(identity)?;
    let written = content::open(&key, &mut from, to)?;
    to.flush().map_err(SealError::Write)?;
    Ok(written)
}

/// HKDF-SHA-256: 32 bytes out of `secret`.
fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Result<[u8; 32], SealError> {
    struct Length;
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let mut derived = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], Length)
        .and_then(|key| key.fill(&mut derived))
        .map_err(|_| SealError::Primitive)?;
    Ok(derived)
}

fn cipher(key: &[u8; 32]) -> Result<LessSafeKey, SealError> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new).map_err(|_| SealError::Primitive)
}

/// Appends the tag.
fn encrypt(key: &LessSafeKey, nonce: [u8; 12], text: &mut Vec<u8>) -> Result<(), SealError> {
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), text)
        .map_err(|_| SealError::Primitive)
}

/// The plain text, where key, nonce and text belong together.
fn decrypt<'a>(key: &LessSafeKey, nonce: [u8; 12], text: &'a mut [u8]) -> Option<&'a [u8]> {
    key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), text).ok().map(|plain| &*plain)
}

/// Fills `buffer` as far as `from` goes.
fn fill(from: &mut dyn Read, buffer: &mut Vec<u8>, most: usize) -> Result<(), SealError> {
    buffer.clear();
    from.take(most as u64).read_to_end(buffer).map(drop).map_err(SealError::Read)
}

#[cfg(test)]
mod tests;
