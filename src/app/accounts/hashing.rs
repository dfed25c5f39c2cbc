use std::sync::{Condvar, Mutex, PoisonError};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use super::AccountError;
use crate::domain::account::Password;

/// The parameters that OWASP's Password Storage Cheat Sheet names first for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes that are computed at once. Each takes 19 MiB and a core for some tens of milliseconds.
const AT_ONCE: u32 = 2;

/// Hashes that may wait for their turn. More are told to come again, or whoever tries passwords could hold every thread.
const WAITING: u32 = 16;

/// What is compared with where there is no such user, so that finding that out takes as long as a wrong password. No
/// password is known that fits it: salt and hash were drawn at random.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$q3Vn0gO2nJxS4yYb0mT5Rw$Zk8mS1xUq2vQk7bX9dJ4tH6wA0cR3eF5gN8pL1yVbTs";

/// Passwords to hashes and back to yes or no, a few at a time.
#[derive(Debug, Default)]
pub(super) struct Hashing {
    places: Mutex<Places>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Places {
    taken: u32,
    waiting: u32,
}

/// The right to compute one hash.
struct Place<'a>(&'a Hashing);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner).taken -= 1;
        self.0.freed.notify_one();
    }
}

impl Hashing {
    /// The PHC string of a new password, with a salt of its own.
    pub(super) fn hash(&self, password: &Password) -> Result<String, AccountError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|error| AccountError::Random(error.to_string()))?;
        let salt = SaltString::encode_b64(&salt).map_err(|error| AccountError::Hash(error.to_string()))?;
        let _place = self.place()?;
        let hash = hasher()?.hash_password(password.expose().as_bytes(), &salt);
        Ok(hash.map_err(|error| AccountError::Hash(error.to_string()))?.to_string())
    }

    /// Whether `typed` is the password of `hash`. Without a hash the work is the same and the answer no.
    pub(super) fn verify(&self, typed: &str, hash: Option<&str>) -> Result<bool, AccountError> {
        let unreadable = |error: argon2::password_hash::Error| AccountError::Hash(error.to_string());
        let parsed = PasswordHash::new(hash.unwrap_or(NOBODY)).map_err(unreadable)?;
        let _place = self.place()?;
        // Compares in constant time.
        match hasher()?.verify_password(typed.as_bytes(), &parsed) {
            Ok(()) => Ok(hash.is_some()),
            Err(argon2::password_hash::Error::Password) => Ok(false),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Waits for a turn, unless too many wait already.
    fn place(&self) -> Result<Place<'_>, AccountError> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.taken >= AT_ONCE {
            if places.waiting >= WAITING {
                return Err(AccountError::Busy);
            }
            places.waiting += 1;
            places =
                self.freed.wait_while(places, |places| places.taken >= AT_ONCE).unwrap_or_else(PoisonError::into_inner);
            places.waiting -= 1;
        }
        places.taken += 1;
        Ok(Place(self))
    }
}

fn hasher() -> Result<Argon2<'static>, AccountError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| AccountError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.into(), &"anna".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_password_fits_its_own_hash_and_no_other() {
        let hashing = Hashing::default();
        let hash = hashing.hash(&password("correct horse")).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hashing.hash(&password("correct horse")).unwrap(), hash, "the salt is not random");
        for (typed, hash, fits) in [
            ("correct horse", Some(hash.as_str()), true),
            ("correct horsf", Some(hash.as_str()), false),
            ("", Some(hash.as_str()), false),
            ("correct horse", None, false),
        ] {
            assert_eq!(hashing.verify(typed, hash).unwrap(), fits, "{typed:?}");
        }
        assert!(matches!(hashing.verify("x", Some("nonsense")), Err(AccountError::Hash(_))));
    }

    /// The same parameters are the same work.
    #[test]
    fn an_unknown_user_costs_what_a_known_one_does() {
        let known = Hashing::default().hash(&password("correct horse")).unwrap();
        let (known, nobody) = (PasswordHash::new(&known).unwrap(), PasswordHash::new(NOBODY).unwrap());
        assert_eq!((known.algorithm, known.version, &known.params), (nobody.algorithm, nobody.version, &nobody.params));
        assert_eq!(known.hash.unwrap().len(), nobody.hash.unwrap().len());
        assert_eq!(known.salt.unwrap().len(), nobody.salt.unwrap().len());
    }

    #[test]
    fn two_at_once_sixteen_wait_and_the_next_is_told_so() {
        let hashing = Hashing::default();
        let mut places = vec![hashing.place().unwrap(), hashing.place().unwrap()];
        std::thread::scope(|threads| {
            let waiting: Vec<_> = (0..WAITING).map(|_| threads.spawn(|| hashing.place().map(drop))).collect();
            while hashing.places.lock().unwrap().waiting < WAITING {
                std::thread::yield_now();
            }
            assert!(matches!(hashing.place(), Err(AccountError::Busy)));
            places.clear();
            for waiting in waiting {
                waiting.join().unwrap().unwrap();
            }
        });
        let places = hashing.places.lock().unwrap();
        assert_eq!((places.taken, places.waiting), (0, 0));
    }
}
