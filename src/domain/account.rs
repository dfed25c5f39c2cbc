use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

/// A user's name: 1 to 32 of `a-z 0-9 . _ -`, the first a letter. So it is the same in every log, URL and page, and no
/// two names look alike. A token acts as `token:<name>` and an unnamed process as `uid:<n>`, which no user can be called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct UserName(String);

impl UserName {
    /// The longest.
    pub const MOST: usize = 32;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name that somebody means who types `text`: blanks around it and capitals do not matter.
    pub fn typed(text: &str) -> Result<Self, BadUserName> {
        text.trim().to_ascii_lowercase().parse()
    }
}

/// A text that is no user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user name has 1 to 32 of the characters a-z, 0-9, '.', '_' and '-', and begins with a letter")]
pub struct BadUserName;

impl FromStr for UserName {
    type Err = BadUserName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let letter_first = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if !letter_first || text.len() > Self::MOST || !text.bytes().all(fits) {
            return Err(BadUserName);
        }
        Ok(Self(text.to_owned()))
    }
}

/// What a token is called: 1 to 64 letters, digits, blanks and `. _ -`, the first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct TokenName(String);

impl TokenName {
    /// The longest.
    pub const MOST: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no token name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token's name has 1 to 64 letters, digits, blanks, '.', '_' and '-', and begins with a letter or digit")]
pub struct BadTokenName;

impl FromStr for TokenName {
    type Err = BadTokenName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'.' | b'_' | b'-');
        let text = text.trim_end();
        let sound_first = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if !sound_first || text.len() > Self::MOST || !text.bytes().all(fits) {
            return Err(BadTokenName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl JsonSchema for UserName {
    fn schema_name() -> Cow<'static, str> {
        "UserName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9._-]{0,31}$" })
    }
}

impl JsonSchema for TokenName {
    fn schema_name() -> Cow<'static, str> {
        "TokenName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$" })
    }
}

/// Names are text on the wire, and checked where they come in.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )*};
}
as_text!(UserName, TokenName);

/// A password that may be set. What is typed at sign-in need not be one: it is compared, not judged.
///
/// NIST SP 800-63B (5.1.1.2): length counts, composition rules do not; every character is allowed that can be typed; what
/// can be guessed from the context is not.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Why a password may not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Too few characters.
    #[error("a password has at least {} characters; several words are easy to remember", Password::LEAST)]
    Short,
    /// Too many.
    #[error("a password has at most {} characters", Password::MOST)]
    Long,
    /// It holds what no keyboard types into a password field, a line end for one.
    #[error("a password holds no control characters")]
    Control,
    /// It is the user's name, or that repeated.
    #[error("the password is the user's name: choose another")]
    Name,
    /// One character over and over.
    #[error("the password is one character repeated: choose another")]
    Repeated,
}

impl Password {
    /// The fewest characters.
    pub const LEAST: usize = 12;
    /// The most characters.
    pub const MOST: usize = 128;

    /// `text` as the password of `user`, if it may be that.
    pub fn new(text: String, user: &UserName) -> Result<Self, WeakPassword> {
        let length = text.chars().count();
        if length < Self::LEAST {
            return Err(WeakPassword::Short);
        }
        if length > Self::MOST {
            return Err(WeakPassword::Long);
        }
        if text.chars().any(char::is_control) {
            return Err(WeakPassword::Control);
        }
        if text.to_lowercase().replace(user.as_str(), "").trim().is_empty() {
            return Err(WeakPassword::Name);
        }
        let mut characters = text.chars();
        let first = characters.next();
        if characters.all(|c| Some(c) == first) {
            return Err(WeakPassword::Repeated);
        }
        Ok(Self(text))
    }

    /// The text, for the one place that hashes it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a session's cookie or a token holds: 256 random bits as 43 letters and digits.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Digits that 256 bits take in base 62.
    pub const LENGTH: usize = 43;

    /// 256 random bits as text. The base has no characters that a shell, a URL or a double click cares about.
    pub fn of(random: [u8; 32]) -> Self {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut number = random;
        let mut text = [b'0'; Self::LENGTH];
        // Long division by 62, the last digit first.
        for digit in text.iter_mut().rev() {
            let mut rest = 0_u16;
            for byte in &mut number {
                let value = rest << 8 | u16::from(*byte);
                *byte = (value / 62) as u8;
                rest = value % 62;
            }
            *digit = DIGITS[usize::from(rest)];
        }
        Self(text.iter().map(|digit| char::from(*digit)).collect())
    }

    /// Whether `text` has the form of one.
    pub fn is_one(text: &str) -> bool {
        text.len() == Self::LENGTH && text.bytes().all(|b| b.is_ascii_alphanumeric())
    }

    /// The text, for the one place that hands it out.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What every token begins with, so that people and secret scanners know one when they see it.
pub const TOKEN_PREFIX: &str = "qclm_";

/// How much of a token is shown, to tell one from another: its first characters, of which seven are random. More than
/// 210 bits stay hidden.
pub const SHOWN: usize = 12;

/// The text of a token with this secret.
pub fn token_text(secret: &SecretText) -> SecretText {
    SecretText(format!("{TOKEN_PREFIX}{}", secret.expose()))
}

/// Whether `text` has the form of a token.
pub fn is_token(text: &str) -> bool {
    text.strip_prefix(TOKEN_PREFIX).is_some_and(SecretText::is_one)
}

/// SHA-256 of a secret, which is all of it that is stored.
///
/// A fast hash is right here, and argon2 would be wrong: the secret has 256 random bits, so nobody can guess it however
/// fast guesses can be tried, and each request pays for the hash. Looking up by it gives nothing away over time either:
/// what the comparison's time tells is about the hash, which does not lead back to the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of a session's secret, as its cookie holds it.
    pub fn of_session(secret: &str) -> Self {
        Self::of("session", secret)
    }

    /// Of a token's text.
    pub fn of_token(text: &str) -> Self {
        Self::of("token", text)
    }

    /// Each kind has hashes of its own, so that what is stored of one can never be shown as another.
    fn of(kind: &str, secret: &str) -> Self {
        let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(secret).finalize();
        Self(hash.into())
    }
}

/// What the forms of a session's pages must carry. It follows from the session's secret, so it needs no place in the
/// file, lives as long as the session, and is of no use for another.
pub fn csrf(session_secret: &str) -> String {
    hex(&Fingerprint::of("csrf", session_secret).0)
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn user_names() {
        for good in ["a", "demo", "anna.b-c_9", &"x".repeat(32)] {
            assert_eq!(good.parse::<UserName>().unwrap().as_str(), good);
        }
        for bad in ["", "9a", ".a", "-a", "A", "a b", "a:b", "ä", "a\n", "a/b", "<b>", &"x".repeat(33)] {
            assert_eq!(bad.parse::<UserName>(), Err(BadUserName), "{bad:?}");
        }
        assert_eq!(UserName::typed(" Anna ").unwrap().as_str(), "anna");
        assert!(serde_json::from_str::<UserName>("\"A\"").is_err());
    }

    #[test]
    fn token_names() {
        for good in ["a", "Execution publisher 2", "9.x_y-z"] {
            assert_eq!(good.parse::<TokenName>().unwrap().as_str(), good);
        }
        for bad in ["", " a", "a:b", "<b>", "a\tb", "-a", "ä", &"x".repeat(65)] {
            assert_eq!(bad.parse::<TokenName>(), Err(BadTokenName), "{bad:?}");
        }
    }

    #[test]
    fn passwords() {
        let name: UserName = "administrator".parse().unwrap();
        for (text, expected) in [
            ("correct horse", None),
            ("pässwörter-sind-lang", None),
            ("administrator1", None),
            ("éééééééééé e", None),
            ("short", Some(WeakPassword::Short)),
            ("eleven char", Some(WeakPassword::Short)),
            (&"é".repeat(11), Some(WeakPassword::Short)),
            (&"xy".repeat(64), None),
            (&"xyz".repeat(43), Some(WeakPassword::Long)),
            ("with a line\nend", Some(WeakPassword::Control)),
            ("Administrator", Some(WeakPassword::Name)),
            ("administratorADMINISTRATOR", Some(WeakPassword::Name)),
            ("aaaaaaaaaaaa", Some(WeakPassword::Repeated)),
        ] {
            assert_eq!(Password::new(text.to_owned(), &name).err(), expected, "{text:?}");
        }
        let password = Password::new("correct horse".to_owned(), &name).unwrap();
        assert_eq!(format!("{password:?}"), "***");
    }

    #[test]
    fn secrets_are_numbers_in_base_62() {
        assert_eq!(SecretText::of([0; 32]).expose(), "0".repeat(43));
        let mut one = [0; 32];
        one[31] = 61;
        assert_eq!(SecretText::of(one).expose(), format!("{}z", "0".repeat(42)));
        one[30] = 1;
        // 256 + 61 = 5 × 62 + 7
        assert_eq!(SecretText::of(one).expose(), format!("{}57", "0".repeat(41)));
        assert_eq!(format!("{:?}", SecretText::of(one)), "***");
    }

    #[test]
    fn each_kind_of_secret_has_hashes_of_its_own() {
        let secret = SecretText::of([7; 32]);
        let all = [Fingerprint::of_session(secret.expose()), Fingerprint::of_token(secret.expose())];
        assert_ne!(all[0], all[1]);
        assert!(!all.iter().any(|print| hex(&print.0) == csrf(secret.expose())));
        assert_ne!(csrf(secret.expose()), csrf(SecretText::of([8; 32]).expose()));
    }

    proptest! {
        #[test]
        fn no_two_secrets_are_the_same_text(a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
            let (one, other) = (SecretText::of(a), SecretText::of(b));
            prop_assert!(SecretText::is_one(one.expose()));
            prop_assert!(is_token(token_text(&one).expose()) && !is_token(one.expose()));
            prop_assert_eq!(a == b, one == other);
        }

        #[test]
        fn what_is_a_name_comes_back_as_it_is(text in "\\PC{0,40}") {
            if let Ok(name) = text.parse::<UserName>() {
                prop_assert_eq!(name.as_str(), &text);
                prop_assert_eq!(UserName::typed(&text.to_uppercase()), Ok(name));
            }
        }
    }
}
