use std::fmt;

/// The longest key that a client may choose.
pub const KEY_BYTES: usize = 255;

/// What a client named a request with (`Idempotency-Key`), so that it can be sent again: asked twice, done once.
///
/// A key belongs to whoever chose it. Two callers that choose the same one do not meet, and neither reads what the
/// other was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey(String);

/// A key that nobody may choose.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("use 1 to {KEY_BYTES} printable ASCII characters without blanks at the ends")]
pub struct BadRequestKey;

impl RequestKey {
    /// The key `key` of `owner`.
    pub fn new(owner: &str, key: &str) -> Result<Self, BadRequestKey> {
        let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && key.trim() == key;
        if !printable || !(1..=KEY_BYTES).contains(&key.len()) {
            return Err(BadRequestKey);
        }
        // The separator is no character of a key, so no key of one owner reads as another's.
        Ok(Self(format!("{owner}\n{key}")))
    }

    /// Owner and key in one text: what the store looks up.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestKey {
    /// The key as its owner wrote it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.rsplit('\n').next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_key() {
        let long = "k".repeat(KEY_BYTES);
        for key in ["a", "order 7/of today", "~", long.as_str()] {
            assert_eq!(RequestKey::new("user a", key).map(|key| key.to_string()).as_deref(), Ok(key));
        }
        let too_long = "k".repeat(KEY_BYTES + 1);
        for key in ["", " ", " a", "a ", "a\nb", "a\u{7f}", "ä", too_long.as_str()] {
            assert_eq!(RequestKey::new("user a", key), Err(BadRequestKey), "{key:?}");
        }
    }

    #[test]
    fn owners_do_not_meet() {
        let key = |owner, key| RequestKey::new(owner, key).unwrap();
        assert_ne!(key("user a", "1"), key("user b", "1"));
        assert_ne!(key("user a", "1"), key("token 1", "1"));
    }
}
