use std::sync::{Condvar, Mutex, PoisonError};

use argon2::password_hash::{Output, ParamsString, PasswordHash, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::AccountError;
use crate::domain::account::Password;

/// The parameters that OWASP's Password Storage Cheat Sheet names first for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

const ALGORITHM: Algorithm = Algorithm::Argon2id;
const VERSION: Version = Version::V0x13;

/// Address space that a hash asks for, in blocks of 1 KiB; what it does not touch costs nothing. Above 32 MiB glibc gives
/// memory back to the system as soon as it is freed. Below, it learns from the first time to keep it, for each thread
/// that ever computed a hash: 200 MiB after 40 of them.
const RESERVED_BLOCKS: usize = 33 << 10;

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
        let salt = SaltString::encode_b64(&salt).map_err(unreadable)?;
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(unreadable)?;
        let _place = self.place()?;
        let hash = PasswordHash {
            algorithm: ALGORITHM.ident(),
            version: Some(VERSION.into()),
            params: ParamsString::try_from(&params).map_err(unreadable)?,
            salt: Some(salt.as_salt()),
            hash: Some(compute(password.expose(), salt.as_salt(), params)?),
        };
        Ok(hash.to_string())
    }

    /// Whether `typed` is the password of `hash`. Without a hash the work is the same and the answer no.
    pub(super) fn verify(&self, typed: &str, hash: Option<&str>) -> Result<bool, AccountError> {
        let parsed = PasswordHash::new(hash.unwrap_or(NOBODY)).map_err(unreadable)?;
        let (Some(salt), Some(expected)) = (parsed.salt, parsed.hash) else {
            return Err(AccountError::Hash("it has no salt or no hash".to_owned()));
        };
        if parsed.algorithm != ALGORITHM.ident() || parsed.version != Some(VERSION.into()) {
            return Err(AccountError::Hash(format!("it is one of {}", parsed.algorithm)));
        }
        let params = Params::try_from(&parsed).map_err(unreadable)?;
        let _place = self.place()?;
        // `Output` compares in constant time.
        Ok(compute(typed, salt, params)? == expected && hash.is_some())
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

fn compute(password: &str, salt: Salt<'_>, params: Params) -> Result<Output, AccountError> {
    let mut buffer = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut buffer).map_err(unreadable)?;
    let blocks = params.block_count();
    let mut memory = Vec::with_capacity(blocks.max(RESERVED_BLOCKS));
    memory.resize(blocks, Block::default());
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    Argon2::new(ALGORITHM, VERSION, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, &mut memory)
        .map_err(unreadable)?;
    Output::new(&hash).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> AccountError {
    AccountError::Hash(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

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
        for other in [
            "nonsense",
            "$argon2id$v=19$m=19456,t=2,p=1",
            &hash.replace("argon2id", "argon2i"),
            &hash.replace("v=19", "v=16"),
        ] {
            assert!(matches!(hashing.verify("x", Some(other)), Err(AccountError::Hash(_))), "{other}");
        }
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

    /// By the reference implementation: `echo -n "correct horse" | argon2 somesaltsomesalt -id -m 14 -t 3 -p 1 -e`.
    #[test]
    fn a_hash_of_another_program_is_understood() {
        let hash = "$argon2id$v=19$m=16384,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$T/V/JP4PFH3PPoJp+krqgWzH5u/Feoy7gvE1Mk9Lr4Y";
        let hashing = Hashing::default();
        assert!(hashing.verify("correct horse", Some(hash)).unwrap());
        assert!(!hashing.verify("correct horsf", Some(hash)).unwrap());
    }

    /// The resident memory of this process, in KiB.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn memory_is_given_back_whichever_threads_hash() {
        let hashing = Hashing::default();
        let before = resident();
        for _ in 0..3 {
            std::thread::scope(|threads| {
                for _ in 0..4 {
                    threads.spawn(|| hashing.verify("x", None).unwrap());
                }
            });
        }
        // Other tests of this process may hold theirs for a while.
        let deadline = Instant::now() + Duration::from_secs(60);
        while resident().saturating_sub(before) >= u64::from(MEMORY_KIB) {
            assert!(Instant::now() < deadline, "{} KiB are kept", resident().saturating_sub(before));
            std::thread::yield_now();
        }
    }
}
