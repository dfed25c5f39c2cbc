//! The header: the file key, encrypted to each recipient, and a code over all of it.

use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::hmac;
use x25519_dalek::{PublicKey, StaticSecret};

use super::keys::{Identity, Recipient};
use super::{SealError, cipher, decrypt, derive, encrypt};
use crate::domain::backup::gives_a_secret;

/// Bytes of the key that everything hangs on.
pub(super) const FILE_KEY: usize = 16;

const VERSION: &[u8] = b"age-encryption.org/v1";
const X25519: &str = "X25519";
const INFO: &[u8] = b"age-encryption.org/v1/X25519";

/// The longest header that is read: some five hundred recipients.
const MOST_HEADER: usize = 64 << 10;
/// Letters of a full line of a recipient's part.
const COLUMNS: usize = 64;

/// The header of a file that is encrypted to `recipients`.
pub(super) fn write(file_key: &[u8; FILE_KEY], recipients: &[Recipient]) -> Result<Vec<u8>, SealError> {
    if recipients.is_empty() {
        return Err(SealError::Nobody);
    }
    let mut header = VERSION.to_vec();
    for recipient in recipients {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(SealError::Random)?;
        let secret = StaticSecret::from(secret);
        let share = PublicKey::from(&secret);
        let key = wrapping_key(&secret, &PublicKey::from(recipient.0), &share, &PublicKey::from(recipient.0))
            .ok_or(SealError::BadRecipient)??;
        let mut wrapped = file_key.to_vec();
        // This key is used once, for this.
        encrypt(&cipher(&key)?, [0; 12], &mut wrapped)?;
        header.extend_from_slice(
            format!("\n-> {X25519} {}\n{}", BASE64.encode(share.as_bytes()), BASE64.encode(wrapped)).as_bytes(),
        );
    }
    header.extend_from_slice(b"\n---");
    let code = hmac::sign(&code_key(file_key)?, &header);
    header.extend_from_slice(format!(" {}\n", BASE64.encode(code)).as_bytes());
    Ok(header)
}

/// What was read of a header.
pub(super) struct Header {
    /// Our kind of recipients: the sender's share, and the encrypted file key.
    parts: Vec<([u8; 32], [u8; FILE_KEY + 16])>,
    /// All kinds.
    recipients: usize,
    /// What the code is over, and the code.
    text: Vec<u8>,
    code: Vec<u8>,
}

impl Header {
    /// The file key, with whichever of the private keys opens it.
    pub(super) fn open(&self, identity: &Identity) -> Result<[u8; FILE_KEY], SealError> {
        let opened = identity.keys().iter().find_map(|secret| {
            let own = PublicKey::from(secret);
            self.parts.iter().find_map(|(share, wrapped)| {
                let share = PublicKey::from(*share);
                let key = wrapping_key(secret, &share, &share, &own)?.ok()?;
                let mut wrapped = *wrapped;
                decrypt(&cipher(&key).ok()?, [0; 12], &mut wrapped)?.try_into().ok()
            })
        });
        let file_key: [u8; FILE_KEY] =
            opened.ok_or(SealError::WrongKey { keys: identity.keys().len(), recipients: self.recipients })?;
        self.check(&file_key)?;
        Ok(file_key)
    }

    /// Whether it is what was written with this file key.
    pub(super) fn check(&self, file_key: &[u8; FILE_KEY]) -> Result<(), SealError> {
        hmac::verify(&code_key(file_key)?, &self.text, &self.code)
            .map_err(|_| SealError::Damaged("its header is not what was written"))
    }
}

/// Reads a header, up to where the content begins.
pub(super) fn read(from: &mut impl BufRead) -> Result<Header, SealError> {
    const MALFORMED: SealError = SealError::Foreign("its header is malformed");
    let mut text = Vec::new();
    let mut line = Vec::new();
    let mut next = |text: &mut Vec<u8>| -> Result<Vec<u8>, SealError> {
        line.clear();
        let most = MOST_HEADER.saturating_sub(text.len()) as u64;
        std::io::Read::take(&mut *from, most).read_until(b'\n', &mut line).map_err(SealError::Read)?;
        text.extend_from_slice(&line);
        match line.split_last() {
            Some((b'\n', rest)) => Ok(rest.to_vec()),
            // Something else altogether, which need not have lines.
            _ if text.len() == line.len() => Ok(line.clone()),
            _ => Err(MALFORMED),
        }
    };
    match next(&mut text)? {
        first if first == VERSION => {}
        first if first.starts_with(b"-----BEGIN AGE") => {
            return Err(SealError::Foreign("it has age's armor: take that off first, age -d and age -r without -a"));
        }
        first if first.starts_with(b"age-encryption.org/") => {
            return Err(SealError::Foreign("it has another version of age's format"));
        }
        _ => return Err(SealError::Foreign("it does not begin like a file of age")),
    }
    let (mut parts, mut recipients) = (Vec::new(), 0);
    loop {
        let line = next(&mut text)?;
        let line = std::str::from_utf8(&line).map_err(|_| MALFORMED)?;
        if let Some(code) = line.strip_prefix("--- ") {
            let code = BASE64.decode(code).map_err(|_| MALFORMED)?;
            text.truncate(text.len() - line.len() - 1 + "---".len());
            return Ok(Header { parts, recipients, text, code });
        }
        let mut words = line.strip_prefix("-> ").ok_or(MALFORMED)?.split(' ');
        let kind = words.next().unwrap_or_default();
        let arguments: Vec<&str> = words.collect();
        let mut body = String::new();
        loop {
            let line = next(&mut text)?;
            body.push_str(std::str::from_utf8(&line).map_err(|_| MALFORMED)?);
            match line.len() {
                COLUMNS => {}
                0..COLUMNS => break,
                _ => return Err(MALFORMED),
            }
        }
        recipients += 1;
        if kind == X25519 {
            let &[share] = arguments.as_slice() else { return Err(MALFORMED) };
            let share: [u8; 32] = BASE64.decode(share).ok().and_then(|share| share.try_into().ok()).ok_or(MALFORMED)?;
            if !gives_a_secret(&share) {
                return Err(SealError::Damaged(
                    "a share in its header is a point of low order, which no program writes",
                ));
            }
            let wrapped = BASE64.decode(body).ok().and_then(|key| key.try_into().ok()).ok_or(MALFORMED)?;
            parts.push((share, wrapped));
        }
    }
}

/// The key that the file key is encrypted with; none where the other's key is one that gives no secret.
fn wrapping_key(
    secret: &StaticSecret,
    theirs: &PublicKey,
    share: &PublicKey,
    recipient: &PublicKey,
) -> Option<Result<[u8; 32], SealError>> {
    let shared = secret.diffie_hellman(theirs);
    if !shared.was_contributory() {
        return None;
    }
    let salt = [share.to_bytes(), recipient.to_bytes()].concat();
    Some(derive(shared.as_bytes(), &salt, INFO))
}

pub(super) fn code_key(file_key: &[u8; FILE_KEY]) -> Result<hmac::Key, SealError> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &derive(file_key, b"", b"header")?))
}
