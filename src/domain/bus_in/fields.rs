use bincode::{Decode, Encode};
use sha2::{Digest as _, Sha256};

/// The largest message that is read, over all of its fields. What the four types hold has some hundred bytes, and the
/// list of models of a changed regime some thousand.
pub const MESSAGE_BYTES: usize = 64 << 10;

/// What is kept of each field of a message that is larger: enough to see whose it is.
const SHOWN_BYTES: usize = 1 << 10;

/// How many fields are kept of such a message.
const SHOWN_FIELDS: usize = 32;

/// The fields of a stream's entry, in their order. Redis knows bytes; whether they are text is found out when they are
/// read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Fields(Vec<(Vec<u8>, Vec<u8>)>);

impl Fields {
    /// Of names and values.
    pub fn new(fields: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self(fields)
    }

    /// Of texts.
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let bytes = |(name, value): (&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        Self(fields.into_iter().map(bytes).collect())
    }

    /// The value of the first field of this name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(field, _)| *field == name.as_bytes()).map(|(_, value)| value)
    }

    /// Every field: name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Bytes of all names and values.
    pub fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Whether it is larger than anything that is read.
    pub fn is_too_large(&self) -> bool {
        self.bytes() > MESSAGE_BYTES
    }

    /// Half of the SHA-256 of what it says. A stream that was emptied may give an id a second time; only the same id with
    /// the same digest is the same message.
    pub fn digest(&self) -> [u8; 16] {
        let mut hash = Sha256::new();
        for text in self.iter().flat_map(|(name, value)| [name, value]) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        half
    }

    /// What is kept of it, and whether that is less than all: a message that is too large to be read is cut.
    pub fn kept(&self) -> (Self, bool) {
        if !self.is_too_large() {
            return (self.clone(), false);
        }
        let cut = |text: &[u8]| text.iter().take(SHOWN_BYTES).copied().collect();
        (Self(self.iter().take(SHOWN_FIELDS).map(|(name, value)| (cut(name), cut(value))).collect()), true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_between_fields_count() {
        let digests = [
            Fields::of([("a", "bc")]).digest(),
            Fields::of([("ab", "c")]).digest(),
            Fields::of([("a", "b"), ("c", "")]).digest(),
            Fields::default().digest(),
        ];
        for (at, one) in digests.iter().enumerate() {
            assert!(digests[at + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn what_is_too_large_is_cut_and_what_is_not_is_whole() {
        let small = Fields::of([("payload", "{}")]);
        assert_eq!(small.kept(), (small.clone(), false));
        let large = "x".repeat(10 << 20);
        let (kept, cut) = Fields::of([("source", "s"), ("payload", large.as_str())]).kept();
        assert!(cut && kept.bytes() < 4 << 10);
        assert_eq!(kept.get("source"), Some(&b"s"[..]));
    }
}
