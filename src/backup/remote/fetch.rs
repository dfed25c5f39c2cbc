//! An object on its way out of the store: into memory where it is small, onto the disk where it is not.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hyper::Method;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::client::{Ask, Client};
use super::error::Problem;
use crate::domain::model::Digest;

/// How far a fetch is.
struct Place<'a> {
    key: &'a str,
    size: u64,
    arrived: u64,
    /// Which object it is, so that the rest is not that of another one.
    etag: Option<String>,
}

impl Client {
    /// The whole object, of `most` bytes at most; none where it is not there.
    pub(super) async fn get(&self, key: &str, most: u64) -> Result<Option<Vec<u8>>, Problem> {
        let got = self
            .persistently(async || {
                let mut pieces = self.once(&Ask::new("s3:GetObject", Method::GET, Some(key))).await?;
                let mut bytes = Vec::new();
                while let Some(piece) = pieces.next().await? {
                    if bytes.len() as u64 + piece.len() as u64 > most {
                        return Err(self.strange(format!("the object is longer than {most} bytes")));
                    }
                    bytes.extend_from_slice(&piece);
                }
                Ok(bytes)
            })
            .await;
        match got {
            Ok(bytes) => Ok(Some(bytes)),
            Err(problem) if problem.is_not_found() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// The object into a new file, which is on the disk and has this size and this digest, or is not there.
    pub(super) async fn get_file(&self, key: &str, to: &Path, size: u64, sha256: &Digest) -> Result<(), Problem> {
        let result = self.got_file(key, to, size, sha256).await;
        if result.is_err() {
            // What is left of it is in a directory that goes with it.
            let _ = std::fs::remove_file(to);
        }
        result
    }

    async fn got_file(&self, key: &str, to: &Path, size: u64, sha256: &Digest) -> Result<(), Problem> {
        let (sender, receiver) = mpsc::channel(2);
        let path = to.to_owned();
        let writer = tokio::task::spawn_blocking(move || write(&path, receiver));
        let mut place = Place { key, size, arrived: 0, etag: None };
        let fetched = loop {
            let before = place.arrived;
            match self.persistently(async || self.some(&mut place, &sender).await).await {
                Ok(true) => break Ok(()),
                Ok(false) if place.arrived > before => {}
                Ok(false) => break Err(self.strange("it ends early and without an error")),
                Err(problem) => break Err(problem),
            }
        };
        drop(sender);
        let written = writer.await.map_err(|error| Problem::Own(error.to_string()))?;
        // That the disk is full is why the fetch ended, where it is.
        let digest = written.map_err(Problem::local("write", to))?;
        fetched?;
        if digest != *sha256 {
            return Err(Problem::Damaged(format!(
                "its content is not what the backup says (SHA-256 {digest} instead of {sha256}): it was damaged in the \
                 store; take another backup"
            )));
        }
        Ok(())
    }

    /// Fetches on from where it stands; whether that was all. What breaks off after it brought something is asked for
    /// again with all patience.
    async fn some(&self, place: &mut Place<'_>, to: &mpsc::Sender<Bytes>) -> Result<bool, Problem> {
        let mut ask = Ask::new("s3:GetObject", Method::GET, Some(place.key));
        if place.arrived > 0 {
            ask.headers.push(("range", format!("bytes={}-", place.arrived)));
            ask.headers.extend(place.etag.clone().map(|etag| ("if-match", etag)));
        }
        if place.arrived == place.size && place.size > 0 {
            return Ok(true);
        }
        let before = place.arrived;
        let mut pieces = self.once(&ask).await?;
        if before > 0 && !pieces.is_part() {
            return Err(self.strange("it sends the whole object where the rest was asked for"));
        }
        place.etag = pieces.header("etag").map(ToOwned::to_owned).or(place.etag.take());
        loop {
            let piece = match pieces.next().await {
                Ok(Some(piece)) => piece,
                Ok(None) if place.arrived == place.size => return Ok(true),
                Ok(None) => {
                    let (size, arrived) = (place.size, place.arrived);
                    return Err(Problem::Damaged(format!(
                        "it has {arrived} bytes instead of {size}: it was damaged in the store; take another backup"
                    )));
                }
                Err(problem) if place.arrived > before && problem.may_pass(true) => return Ok(false),
                Err(problem) => return Err(problem),
            };
            if place.arrived + piece.len() as u64 > place.size {
                let size = place.size;
                return Err(Problem::Damaged(format!(
                    "it has more than {size} bytes: it was damaged in the store; take another backup"
                )));
            }
            place.arrived += piece.len() as u64;
            if to.send(piece).await.is_err() {
                // The writer says why.
                return Ok(true);
            }
        }
    }
}

/// Writes what comes; its digest, once the disk has it.
fn write(path: &PathBuf, mut pieces: mpsc::Receiver<Bytes>) -> io::Result<Digest> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let mut hash = Sha256::new();
    while let Some(piece) = pieces.blocking_recv() {
        hash.update(&piece);
        file.write_all(&piece)?;
    }
    file.sync_all()?;
    Ok(Digest(hash.finalize().into()))
}
