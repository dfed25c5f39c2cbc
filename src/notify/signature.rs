//! Signatures as in Standard Webhooks (<https://www.standardwebhooks.com>): HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::config::Secret;

/// What a secret in the standard's own spelling begins with.
const PREFIX: &str = "whsec_";

/// The shortest key that the standard allows, in bytes.
const LEAST: usize = 24;

/// A key to sign with. Nothing prints it.
pub(super) struct SigningKey(Hmac<Sha256>);

/// A secret that is no key. What it is stays untold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// The file holds nothing but empty lines.
    #[error("the secret file holds no secret")]
    None,
    /// `whsec_` and something else than base64.
    #[error("the secret begins with whsec_, and what follows is not base64: make one with `openssl rand -base64 32`")]
    Base64,
    /// Too short to be safe.
    #[error("the secret is shorter than {LEAST} bytes: make one with `openssl rand -base64 32`")]
    Short,
}

impl SigningKey {
    /// `whsec_` and base64 as the standard has it; anything else is taken as it is written.
    pub(super) fn of(secret: &Secret) -> Result<Self, BadKey> {
        let text = secret.expose();
        let bytes = match text.strip_prefix(PREFIX) {
            Some(base64) => STANDARD.decode(base64).map_err(|_| BadKey::Base64)?,
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < LEAST {
            return Err(BadKey::Short);
        }
        Hmac::new_from_slice(&bytes).map(Self).map_err(|_| BadKey::Short)
    }

    fn sign(&self, id: &str, seconds: u64, body: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The keys of the secrets; one at least.
pub(super) fn keys(secrets: &[Secret]) -> Result<Vec<SigningKey>, BadKey> {
    if secrets.is_empty() {
        return Err(BadKey::None);
    }
    secrets.iter().map(SigningKey::of).collect()
}

/// The header `webhook-signature`: a signature a key.
pub(super) fn signatures(keys: &[SigningKey], id: &str, seconds: u64, body: &str) -> String {
    keys.iter().map(|key| key.sign(id, seconds, body)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str) -> Result<SigningKey, BadKey> {
        SigningKey::of(&Secret::new(secret.into()))
    }

    /// The example of the standard's own libraries.
    #[test]
    fn the_standards_example() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").ok().unwrap();
        let signature = signatures(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn several_keys_sign_side_by_side() {
        let keys = ["a".repeat(24), "b".repeat(24)].map(|secret| key(&secret).ok().unwrap());
        let both = signatures(&keys, "1-a", 7, "{}");
        assert_eq!(
            both,
            format!("{} {}", signatures(&keys[..1], "1-a", 7, "{}"), signatures(&keys[1..], "1-a", 7, "{}"))
        );
    }

    #[test]
    fn what_is_no_key() {
        assert_eq!(key("short").err(), Some(BadKey::Short));
        assert_eq!(key("whsec_c2hvcnQ=").err(), Some(BadKey::Short));
        assert_eq!(key("whsec_*").err(), Some(BadKey::Base64));
        assert_eq!(keys(&[]).err(), Some(BadKey::None));
    }
}
