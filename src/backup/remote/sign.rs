//! AWS Signature Version 4, which every S3-compatible store asks for, over headers (not in the URL, where proxies log it).
//!
//! By hand: it is three hashes, and crates that sign bring a client, a second set of hashes or URLs that are signed without
//! what they carry. <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, whose examples are the
//! tests.

use hmac::{Hmac, Mac as _};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use sha2::{Digest as _, Sha256};

use crate::config::Secret;
use crate::domain::model::Digest;
use crate::domain::time::Micros;

/// Who asks, and where.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    pub(super) region: String,
    pub(super) access_key_id: String,
    pub(super) secret: Secret,
}

/// What of a request is signed beside its headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// Encoded, with its first slash.
    pub(super) path: &'a str,
    /// Encoded and in order, as [`query`] makes it.
    pub(super) query: &'a str,
    /// Of the body. The store refuses another one.
    pub(super) content: &'a Digest,
}

impl Signer {
    /// Adds what the store knows us by to `headers`, which hold `host`, and everything else that begins with `x-amz-`.
    pub(super) fn sign(
        &self,
        request: &Signed<'_>,
        headers: &mut HeaderMap,
        now: Micros,
    ) -> Result<(), InvalidHeaderValue> {
        let time = now.datetime().format("%Y%m%dT%H%M%SZ").to_string();
        let day = time.get(..8).unwrap_or_default();
        headers.insert("x-amz-date", HeaderValue::from_str(&time)?);
        headers.insert("x-amz-content-sha256", HeaderValue::from_str(&request.content.to_string())?);
        let (names, lines) = canonical_headers(headers);
        let Signed { method, path, query, content } = request;
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{content}");
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let canonical = Digest(Sha256::digest(canonical).into());
        let signature = self.signature(day, &format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}"));
        let id = &self.access_key_id;
        let mut value = HeaderValue::from_str(&format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope},SignedHeaders={names},Signature={signature}"
        ))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    fn signature(&self, day: &str, text: &str) -> Digest {
        let mut key = hmac(format!("AWS4{}", self.secret.expose()).as_bytes(), day);
        for part in [self.region.as_str(), "s3", "aws4_request"] {
            key = hmac(&key, part);
        }
        Digest(hmac(&key, text))
    }
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    // A key may be of any length, which is the only thing that the constructor could refuse.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The names of the headers that are signed, and their lines.
fn canonical_headers(headers: &HeaderMap) -> (String, String) {
    let signed = |name: &HeaderName| name == HOST || name.as_str().starts_with("x-amz-");
    let mut pairs: Vec<(&str, &str)> = headers
        .iter()
        .filter(|(name, _)| signed(name))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default().trim()))
        .collect();
    pairs.sort_unstable();
    let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
    let lines = pairs.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    (names.join(";"), lines)
}

/// The query of those pairs, encoded and in the order that is signed.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut encoded: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name, false), encode(value, false))).collect();
    encoded.sort_unstable();
    encoded.join("&")
}

/// The path of a key, with its slashes as they are.
pub(super) fn path(key: &str) -> String {
    encode(key, true)
}

fn encode(text: &str, slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            b'/' if slashes => encoded.push('/'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the page above.
    fn example(method: &str, path: &str, query: &str, body: &str, more: &[(&'static str, &str)]) -> String {
        let signer = Signer {
            region: "us-east-1".into(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()),
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("examplebucket.s3.amazonaws.com"));
        for (name, value) in more {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let content = Digest(Sha256::digest(body).into());
        let request = Signed { method, path, query, content: &content };
        // 2013-05-24T00:00:00Z
        signer.sign(&request, &mut headers, Micros(1_369_353_600_000_000)).unwrap();
        let value = headers[AUTHORIZATION].to_str().unwrap();
        value.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn the_examples_of_the_documentation_are_signed_as_it_says() {
        assert_eq!(
            example("GET", "/", &query(&[("lifecycle", "")]), "", &[]),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            example("GET", "/", &query(&[("prefix", "J"), ("max-keys", "2")]), "", &[]),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn a_key_keeps_its_slashes_and_a_query_does_not() {
        assert_eq!(path("/b/a b/ü+~"), "/b/a%20b/%C3%BC%2B~");
        assert_eq!(query(&[("uploadId", "x/y="), ("partNumber", "7")]), "partNumber=7&uploadId=x%2Fy%3D");
    }

    #[test]
    fn nothing_that_is_printed_has_the_secret() {
        let signer =
            Signer { region: "r".into(), access_key_id: "id".into(), secret: Secret::new("wJalrXUtnFEMI".into()) };
        assert!(!format!("{signer:?}").contains("wJal"), "{signer:?}");
    }
}
