//! A file on its way into the store: small ones in one request, large ones in parts.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use sha2::{Digest as _, Sha256};

use super::client::{Ask, Client};
use super::content::{Content, FilePart};
use super::error::Problem;
use super::objects::{CHECKSUM, META};
use super::xml;
use crate::domain::model::Digest;

/// Up to here a file is sent in one request. Stores take parts from 5 MiB on.
const PART: u64 = 16 << 20;

/// The most parts of an upload.
const PARTS: u64 = 10_000;

/// Bytes that are hashed at a time.
const PIECE: usize = 128 << 10;

/// A part that the store has.
struct Sent {
    etag: String,
    sha256: Digest,
}

impl Client {
    /// Sends the file, which must have this size and this digest, and looks whether it is there. Nothing is left of it
    /// otherwise.
    pub(super) async fn put_file(&self, key: &str, path: &Path, size: u64, sha256: &Digest) -> Result<(), Problem> {
        let calculated = if size <= PART {
            let part = FilePart { path: path.to_owned(), from: 0, size, sha256: *sha256 };
            self.put(key, Content::Part(part)).await?;
            *sha256
        } else {
            self.put_parts(key, path, size, sha256).await?
        };
        let there = self.head(key).await?;
        let why = match &there {
            None => "the store took it, and does not have it".to_owned(),
            Some(head) if head.size != size => format!("{size} bytes were sent, and the store has {}", head.size),
            // A store that checked what arrived and keeps no checksum has done what it can.
            Some(head) if head.calculated.as_ref().is_some_and(|theirs| theirs[..] != calculated.0) => {
                "the store has something else than what was sent".to_owned()
            }
            Some(_) => return Ok(()),
        };
        if there.is_some() {
            self.delete(key).await?;
        }
        Err(Problem::Damaged(format!("{why}: look after the network and the store, and try again")))
    }

    /// The digest of the parts' digests.
    async fn put_parts(&self, key: &str, path: &Path, size: u64, sha256: &Digest) -> Result<Digest, Problem> {
        let mut ask = Ask::new("s3:PutObject", Method::POST, Some(key));
        ask.query = &[("uploads", "")];
        ask.headers.push((META, sha256.to_string()));
        ask.headers.push(("x-amz-checksum-algorithm", "SHA256".into()));
        let answer = self.ask(&ask).await?;
        let begun = self.document(&answer.body, "InitiateMultipartUploadResult")?;
        let upload = begun.text_of("UploadId");
        if upload.is_empty() {
            return Err(self.strange("it began an upload and does not name it"));
        }
        let result = self.send_parts(key, upload, path, size, sha256).await;
        if result.is_err() {
            // Where that fails too, the next backup does it.
            let _ = self.abort(key, upload).await;
        }
        result
    }

    async fn send_parts(
        &self,
        key: &str,
        upload: &str,
        path: &Path,
        size: u64,
        sha256: &Digest,
    ) -> Result<Digest, Problem> {
        let mut sent = Vec::new();
        let mut whole = Sha256::new();
        let length = part_size(size);
        let mut from = 0;
        while from < size {
            let part = length.min(size - from);
            let digest;
            (digest, whole) = hashed(path, from, part, whole).await?;
            let content = FilePart { path: path.to_owned(), from, size: part, sha256: digest };
            sent.push(self.send_part(key, upload, sent.len() + 1, content).await?);
            crate::failpoint!("backup::part_sent");
            from += part;
        }
        if whole.finalize()[..] != sha256.0 {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it is not what it was when the backup was made");
            return Err(Problem::Local { step: "send", path: path.to_owned(), source });
        }
        self.complete(key, upload, &sent).await?;
        let digests: Vec<u8> = sent.iter().flat_map(|part| part.sha256.0).collect();
        Ok(Digest(Sha256::digest(digests).into()))
    }

    async fn send_part(&self, key: &str, upload: &str, number: usize, part: FilePart) -> Result<Sent, Problem> {
        let sha256 = part.sha256;
        let number = number.to_string();
        let query = [("partNumber", number.as_str()), ("uploadId", upload)];
        let mut ask = Ask::new("s3:PutObject", Method::PUT, Some(key));
        ask.query = &query;
        ask.headers.push((CHECKSUM, STANDARD.encode(sha256.0)));
        ask.content = Content::Part(part);
        let answer = self.ask(&ask).await?;
        let etag = answer.header("etag").ok_or_else(|| self.strange("it took a part and does not name it"))?;
        Ok(Sent { etag: etag.to_owned(), sha256 })
    }

    async fn complete(&self, key: &str, upload: &str, sent: &[Sent]) -> Result<(), Problem> {
        let parts = sent.iter().enumerate().map(|(at, part)| {
            let (etag, sum) = (xml::escape(&part.etag), STANDARD.encode(part.sha256.0));
            format!(
                "<Part><PartNumber>{}</PartNumber><ETag>{etag}</ETag><ChecksumSHA256>{sum}</ChecksumSHA256></Part>",
                at + 1
            )
        });
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</CompleteMultipartUpload>",
            parts.collect::<String>()
        );
        let query = [("uploadId", upload)];
        let mut ask = Ask::new("s3:PutObject", Method::POST, Some(key));
        ask.query = &query;
        ask.headers.push(("content-type", "application/xml".into()));
        ask.content = Content::bytes(body);
        // Some stores put the parts together now.
        ask.slow = 5;
        match self.ask(&ask).await {
            Ok(answer) => self.document(&answer.body, "CompleteMultipartUploadResult").map(|_| ()),
            // Done already, where the answer to the try before was lost: whoever looks next will see.
            Err(problem) if problem.is_not_found() => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    /// Has the store forget the parts of an upload. One that it does not know is no error.
    pub(super) async fn abort(&self, key: &str, upload: &str) -> Result<(), Problem> {
        let query = [("uploadId", upload)];
        let mut ask = Ask::new("s3:AbortMultipartUpload", Method::DELETE, Some(key));
        ask.query = &query;
        match self.ask(&ask).await {
            Err(problem) if !problem.is_not_found() => Err(problem),
            _ => Ok(()),
        }
    }
}

/// Bytes of each part but the last: as few parts as a store takes, in whole MiB.
fn part_size(size: u64) -> u64 {
    size.div_ceil(PARTS).next_multiple_of(1 << 20).max(PART)
}

/// The digest of a part of a file, and `whole` with it.
async fn hashed(path: &Path, from: u64, size: u64, mut whole: Sha256) -> Result<(Digest, Sha256), Problem> {
    let at = path.to_owned();
    let hashing = tokio::task::spawn_blocking(move || {
        let mut file = File::open(&at)?;
        file.seek(SeekFrom::Start(from))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; PIECE];
        let mut left = size;
        while left > 0 {
            let piece = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            file.read_exact(&mut buffer[..piece])?;
            hash.update(&buffer[..piece]);
            whole.update(&buffer[..piece]);
            left -= piece as u64;
        }
        io::Result::Ok((Digest(hash.finalize().into()), whole))
    });
    let done = hashing.await.map_err(|error| Problem::Own(error.to_string()))?;
    done.map_err(Problem::local("read", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_file_fits_into_the_parts_that_a_store_takes() {
        for size in [PART + 1, 1 << 30, 160 << 30, 1 << 40, 5 << 40] {
            let part = part_size(size);
            assert!(part >= PART && size.div_ceil(part) <= PARTS && part <= 5 << 30, "{size}: {part}");
        }
        assert_eq!(part_size(1 << 30), PART);
    }
}
