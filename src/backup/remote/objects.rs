//! Single objects and lists of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use hyper::Method;

use super::client::{Ask, Client};
use super::content::Content;
use super::error::Problem;
use super::xml::{self, Element};
use crate::domain::model::Digest;
use crate::domain::time::Micros;

/// The most pages of a list: ten million objects.
const PAGES: usize = 10_000;

/// Where an object keeps the SHA-256 of its content, which outlives what a store makes of checksums.
pub(super) const META: &str = "x-amz-meta-sha256";
/// The same, in base64, as stores check and keep it.
pub(super) const CHECKSUM: &str = "x-amz-checksum-sha256";

/// What a store knows of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) size: u64,
    /// What was said to be its SHA-256 when it was sent.
    pub(super) said: Option<Digest>,
    /// What the store calculated: of the content, or of the digests of its parts. Not every store does.
    pub(super) calculated: Option<Vec<u8>>,
}

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) size: u64,
    /// By the store's clock; none where it is not a time.
    pub(super) modified: Option<Micros>,
}

/// A large upload that was begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    pub(super) key: String,
    pub(super) upload: String,
    pub(super) begun: Option<Micros>,
}

impl Client {
    /// None where there is no such object, or no such bucket: the answer to HEAD does not say which.
    pub(super) async fn head(&self, key: &str) -> Result<Option<Head>, Problem> {
        let mut ask = Ask::new("s3:GetObject", Method::HEAD, Some(key));
        ask.headers.push(("x-amz-checksum-mode", "ENABLED".into()));
        let answer = match self.ask(&ask).await {
            Ok(answer) => answer,
            Err(problem) if problem.is_not_found() => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let size = answer.header("content-length").and_then(|size| size.parse().ok());
        let size = size.ok_or_else(|| self.strange("it does not say how large the object is"))?;
        // Of an object in parts the number of them may stand behind it.
        let calculated = answer.header(CHECKSUM).map(|text| text.split('-').next().unwrap_or_default());
        Ok(Some(Head {
            size,
            said: answer.header(META).and_then(|text| text.parse().ok()),
            calculated: calculated.and_then(|text| STANDARD.decode(text).ok()),
        }))
    }

    pub(super) async fn put(&self, key: &str, content: Content) -> Result<(), Problem> {
        let mut ask = Ask::new("s3:PutObject", Method::PUT, Some(key));
        ask.headers.push((META, content.digest().to_string()));
        ask.headers.push((CHECKSUM, STANDARD.encode(content.digest().0)));
        ask.content = content;
        self.ask(&ask).await.map(|_| ())
    }

    /// An object that is not there is no error.
    pub(super) async fn delete(&self, key: &str) -> Result<(), Problem> {
        match self.ask(&Ask::new("s3:DeleteObject", Method::DELETE, Some(key))).await {
            Err(problem) if !problem.is_not_found() => Err(problem),
            _ => Ok(()),
        }
    }

    /// Every object whose key begins with `prefix`, to `each`, page by page.
    pub(super) async fn list(&self, prefix: &str, mut each: impl FnMut(Listed)) -> Result<(), Problem> {
        self.pages(&[("list-type", "2"), ("prefix", prefix)], ("continuation-token", "NextContinuationToken"), |page| {
            for contents in page.all("Contents") {
                let size = contents.text_of("Size").parse();
                let size = size.map_err(|_| "an object in its list has no size".to_owned())?;
                let modified = time(contents.text_of("LastModified"));
                each(Listed { key: contents.text_of("Key").to_owned(), size, modified });
            }
            Ok(())
        })
        .await
    }

    /// The names right below `prefix` that have a slash behind them, as of directories.
    pub(super) async fn names(&self, prefix: &str) -> Result<Vec<String>, Problem> {
        let mut names = Vec::new();
        let query = [("list-type", "2"), ("prefix", prefix), ("delimiter", "/")];
        self.pages(&query, ("continuation-token", "NextContinuationToken"), |page| {
            for common in page.all("CommonPrefixes") {
                let name = common.text_of("Prefix").strip_prefix(prefix).and_then(|name| name.strip_suffix('/'));
                names.extend(name.map(ToOwned::to_owned));
            }
            Ok(())
        })
        .await?;
        Ok(names)
    }

    /// Large uploads below `prefix` that were begun and not ended.
    pub(super) async fn unfinished(&self, prefix: &str) -> Result<Vec<Unfinished>, Problem> {
        let mut found = Vec::new();
        let mut ask = Ask::new("s3:ListBucketMultipartUploads", Method::GET, None);
        let query = [("uploads", ""), ("prefix", prefix)];
        ask.query = &query;
        // The first thousand: the next backup finds the others.
        let answer = self.ask(&ask).await?;
        let page = self.document(&answer.body, "ListMultipartUploadsResult")?;
        for upload in page.all("Upload") {
            // Not every store keeps to the prefix.
            if upload.text_of("Key").starts_with(prefix) {
                found.push(Unfinished {
                    key: upload.text_of("Key").to_owned(),
                    upload: upload.text_of("UploadId").to_owned(),
                    begun: time(upload.text_of("Initiated")),
                });
            }
        }
        Ok(found)
    }

    /// Each page of a list to `each`. `next` is the parameter that asks for a page, and where the page before names it.
    async fn pages(
        &self,
        query: &[(&str, &str)],
        next: (&str, &str),
        mut each: impl FnMut(&Element) -> Result<(), String>,
    ) -> Result<(), Problem> {
        let mut token = String::new();
        for _ in 0..PAGES {
            let mut query = query.to_vec();
            if !token.is_empty() {
                query.push((next.0, &token));
            }
            let mut ask = Ask::new("s3:ListBucket", Method::GET, None);
            ask.query = &query;
            let answer = self.ask(&ask).await?;
            let page = self.document(&answer.body, "ListBucketResult")?;
            each(&page).map_err(|why| self.strange(why))?;
            let more = page.text_of("IsTruncated") == "true";
            let named = page.text_of(next.1);
            if !more {
                return Ok(());
            }
            if named.is_empty() || named == token {
                return Err(self.strange("its list has more pages and does not say how to ask for them"));
            }
            token = named.to_owned();
        }
        Err(self.strange(format!("its list has more than {PAGES} pages")))
    }

    /// What the store said in XML, which must be a `root`.
    pub(super) fn document(&self, said: &[u8], root: &str) -> Result<Element, Problem> {
        let document = xml::parse(said).map_err(|error| self.strange(error.to_string()))?;
        if document.name == root {
            Ok(document)
        } else {
            Err(self.strange(format!("{:?} instead of {root:?}", document.name.chars().take(60).collect::<String>())))
        }
    }
}

fn time(text: &str) -> Option<Micros> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    u64::try_from(at.timestamp_micros()).ok().map(Micros)
}
