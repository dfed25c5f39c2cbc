//! An object on its way out of the store: into memory where it is small, piece by piece where it is not.

use std::io::Write;

use hyper::Method;

use super::client::{Ask, Client};
use super::error::Problem;

/// How far a fetch is.
struct Reached<'a> {
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

    /// The object, which has to be of this size, into `to`: its content is for whoever knows the digest.
    pub(super) async fn get_file(&self, key: &str, size: u64, to: &mut dyn Write) -> Result<(), Problem> {
        let mut reached = Reached { key, size, arrived: 0, etag: None };
        let mut failures = 0;
        let fetching = async {
            loop {
                let before = reached.arrived;
                let problem = match self.fetch_on(&mut reached, to).await {
                    Ok(()) => return Ok(()),
                    Err(problem) => problem,
                };
                if reached.arrived > before {
                    failures = 0;
                }
                self.again(&mut failures, problem).await?;
            }
        };
        self.in_time(size, fetching).await
    }

    /// Fetches on from where it stands, to the end.
    async fn fetch_on(&self, reached: &mut Reached<'_>, to: &mut dyn Write) -> Result<(), Problem> {
        let mut ask = Ask::new("s3:GetObject", Method::GET, Some(reached.key));
        let before = reached.arrived;
        if before > 0 {
            if before == reached.size {
                return Ok(());
            }
            ask.headers.push(("range", format!("bytes={before}-")));
            ask.headers.extend(reached.etag.clone().map(|etag| ("if-match", etag)));
        }
        let mut pieces = self.once(&ask).await?;
        if before > 0 && !pieces.is_part() {
            return Err(self.strange("it sends the whole object where the rest was asked for"));
        }
        reached.etag = pieces.header("etag").map(ToOwned::to_owned).or(reached.etag.take());
        let size = reached.size;
        let damaged = |has: &dyn std::fmt::Display| {
            let why = format!("it has {has} bytes instead of {size}: it was damaged in the store; take another backup");
            Err(Problem::Damaged(why))
        };
        while let Some(piece) = pieces.next().await? {
            if reached.arrived + piece.len() as u64 > size {
                return damaged(&"more");
            }
            reached.arrived += piece.len() as u64;
            // Whose disk it is says more of why.
            to.write_all(&piece).map_err(|error| Problem::Own(error.to_string()))?;
        }
        if reached.arrived == size { Ok(()) } else { damaged(&reached.arrived) }
    }
}
