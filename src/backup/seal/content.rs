//! The content: chunks of 64 KiB under a key of this file's own, numbered, the last one marked (the STREAM construction).

use std::io::{Read, Write};

use super::header::FILE_KEY;
use super::{SealError, cipher, decrypt, derive, encrypt, fill};

/// Plain bytes of a chunk.
pub(super) const CHUNK: usize = 64 << 10;
/// What each chunk has more when it is encrypted.
const TAG: usize = 16;
/// Random bytes before the first chunk.
const NONCE: usize = 16;

/// The nonce of a chunk: its number, and whether it is the last one.
fn nonce(number: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = last.into();
    nonce
}

pub(super) fn seal(file_key: &[u8; FILE_KEY], from: &mut dyn Read, to: &mut dyn Write) -> Result<u64, SealError> {
    let mut salt = [0; NONCE];
    getrandom::fill(&mut salt).map_err(SealError::Random)?;
    let key = cipher(&derive(file_key, &salt, b"payload")?)?;
    to.write_all(&salt).map_err(SealError::Write)?;
    let mut written = NONCE as u64;
    let (mut chunk, mut next) = (Vec::with_capacity(CHUNK + TAG), Vec::with_capacity(CHUNK + TAG));
    fill(from, &mut chunk, CHUNK)?;
    for number in 0.. {
        // Whether a full chunk is the last one, only what follows tells.
        match chunk.len() {
            CHUNK => fill(from, &mut next, CHUNK)?,
            _ => next.clear(),
        }
        let last = next.is_empty();
        encrypt(&key, nonce(number, last), &mut chunk)?;
        to.write_all(&chunk).map_err(SealError::Write)?;
        written += chunk.len() as u64;
        if last {
            break;
        }
        std::mem::swap(&mut chunk, &mut next);
    }
    Ok(written)
}

pub(super) fn open(file_key: &[u8; FILE_KEY], from: &mut dyn Read, to: &mut dyn Write) -> Result<u64, SealError> {
    const CUT: SealError = SealError::Damaged("its end is missing");
    let (mut chunk, mut next) = (Vec::with_capacity(CHUNK + TAG), Vec::with_capacity(CHUNK + TAG));
    fill(from, &mut chunk, NONCE)?;
    if chunk.len() < NONCE {
        return Err(CUT);
    }
    let key = cipher(&derive(file_key, &chunk, b"payload")?)?;
    let mut written = 0;
    fill(from, &mut chunk, CHUNK + TAG)?;
    for number in 0.. {
        match chunk.len() == CHUNK + TAG {
            true => fill(from, &mut next, CHUNK + TAG)?,
            false => next.clear(),
        }
        let last = next.is_empty();
        let short = chunk.len() < TAG || (number > 0 && chunk.len() == TAG);
        let plain = match decrypt(&key, nonce(number, last), &mut chunk) {
            Some(plain) if !short => plain,
            // A file that ends where a chunk does looks whole but for the mark.
            _ if last => return Err(CUT),
            _ => return Err(SealError::Damaged("a part of it is not what was written")),
        };
        to.write_all(plain).map_err(SealError::Write)?;
        written += plain.len() as u64;
        if last {
            break;
        }
        std::mem::swap(&mut chunk, &mut next);
    }
    Ok(written)
}
