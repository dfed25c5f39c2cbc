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
        let mut failures = 0;
        let getting = async {
            loop {
                match self.get_once(key, most).await {
                    Ok(bytes) => return Ok(bytes),
                    Err(problem) => self.again(&mut failures, problem).await?,
                }
            }
        };
        match self.in_time(most, getting).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(problem) if problem.is_not_found() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    async fn get_once(&self, key: &str, most: u64) -> Result<Vec<u8>, Problem> {
        let mut pieces = self.once(&Ask::new("s3:GetObject", Method::GET, Some(key))).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = pieces.next().await? {
            if bytes.len() as u64 + piece.len() as u64 > most {
                return Err(self.strange(format!("the object is longer than {most} bytes")));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
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
        let mut failures = 0;
        let fetching = async {
            loop {
                let before = place.arrived;
                let problem = match self.fetch_on(&mut place, &sender).await {
                    Ok(()) => return Ok(()),
                    Err(problem) => problem,
                };
                if place.arrived > before {
                    failures = 0;
                }
                self.again(&mut failures, problem).await?;
            }
        };
        let fetched = self.in_time(size, fetching).await;
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

    /// Fetches on from where it stands, to the end.
    async fn fetch_on(&self, place: &mut Place<'_>, to: &mpsc::Sender<Bytes>) -> Result<(), Problem> {
        let mut ask = Ask::new("s3:GetObject", Method::GET, Some(place.key));
        let before = place.arrived;
        if before > 0 {
            if before == place.size {
                return Ok(());
            }
            ask.headers.push(("range", format!("bytes={before}-")));
            ask.headers.extend(place.etag.clone().map(|etag| ("if-match", etag)));
        }
        let mut pieces = self.once(&ask).await?;
        if before > 0 && !pieces.is_part() {
            return Err(self.strange("it sends the whole object where the rest was asked for"));
        }
        place.etag = pieces.header("etag").map(ToOwned::to_owned).or(place.etag.take());
        let size = place.size;
        let damaged = |has: &dyn std::fmt::Display| {
            let why = format!("it has {has} bytes instead of {size}: it was damaged in the store; take another backup");
            Err(Problem::Damaged(why))
        };
        while let Some(piece) = pieces.next().await? {
            if place.arrived + piece.len() as u64 > size {
                return damaged(&"more");
            }
            place.arrived += piece.len() as u64;
            if to.send(piece).await.is_err() {
                // The writer says why.
                return Ok(());
            }
        }
        if place.arrived == size { Ok(()) } else { damaged(&place.arrived) }
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
