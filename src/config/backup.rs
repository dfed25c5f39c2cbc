use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bech32::Bech32;
use bech32::primitives::decode::CheckedHrpstring;

use super::key::{Key, key};
use super::number::OrOff;
use super::s3::{self, S3};
use super::value::{self, Item, ListOf, Time, Whole, within};
use crate::domain::backup::gives_a_secret;

const HOUR: Duration = Duration::from_secs(3_600);

/// `[backup]`
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// Where backups lie, one directory each.
    pub directory: PathBuf,
    /// How many of the newest are kept.
    pub keep_last: u32,
    /// How many days keep their last one.
    pub keep_daily: u32,
    /// How many weeks keep their last one.
    pub keep_weekly: u32,
    /// How many months keep their last one.
    pub keep_monthly: u32,
    /// The age of the newest verified one from which on somebody is told; none: nobody ever is.
    pub stale_after: Option<Duration>,
    /// Whom they are encrypted to; plain where there is nobody.
    pub recipients: Vec<AgeRecipient>,
    /// The copy elsewhere.
    pub s3: S3,
}

impl Default for Backup {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/backups/quantum-clm"),
            keep_last: 3,
            keep_daily: 7,
            keep_weekly: 4,
            keep_monthly: 6,
            stale_after: Some(36 * HOUR),
            recipients: Vec::new(),
            s3: S3::default(),
        }
    }
}

/// The public half of an age key, as `age-keygen` prints it: `age1…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgeRecipient(String);

impl AgeRecipient {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgeRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A slip in a key is found here by its checksum, and not on the day of a restore. No message repeats the text: it may
/// be a secret key.
impl FromStr for AgeRecipient {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            return Err("is a secret key: name the public one here (age1…), and keep the secret one elsewhere than \
                        on this machine"
                .into());
        }
        if text.starts_with("ssh-") || text.starts_with("age1yubikey") {
            return Err("is a key of another kind: backups are encrypted to X25519 keys of age (age1…)".into());
        }
        // 32 bytes are 52 characters, the checksum 6, "age1" 4.
        match (text.len() == 62).then(|| text.strip_prefix("age1")).flatten().and_then(bech32_holds) {
            Some(true) if !point(text).is_some_and(|point| gives_a_secret(&point)) => {
                Err("is no key that anything can be encrypted to (a point of low order): take one of age-keygen".into())
            }
            Some(true) => Ok(Self(text.to_owned())),
            Some(false) => Err("has a slip in it: its checksum does not fit".into()),
            None => Err("is not a public key of age: it has 62 characters and begins with age1".into()),
        }
    }
}

/// The 32 bytes of a public key.
fn point(text: &str) -> Option<[u8; 32]> {
    let bytes: Vec<u8> = CheckedHrpstring::new::<Bech32>(text).ok()?.byte_iter().collect();
    bytes.try_into().ok()
}

/// Whether the checksum at the end of `data`, of human-readable part "age", fits (BIP 173); none where a character is
/// not of its alphabet.
fn bech32_holds(data: &str) -> Option<bool> {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let step = |sum: u32, value: u32| {
        let top = sum >> 25;
        let shifted = ((sum & 0x01ff_ffff) << 5) ^ value;
        (0..5).filter(|bit| top >> bit & 1 == 1).fold(shifted, |sum, bit| sum ^ GENERATOR[bit])
    };
    let prefix = b"age".map(u32::from);
    let expanded = prefix.iter().map(|c| c >> 5).chain([0]).chain(prefix.iter().map(|c| c & 31));
    let mut sum = expanded.fold(1, step);
    for c in data.bytes() {
        let value = ALPHABET.iter().position(|other| *other == c)?;
        sum = step(sum, u32::try_from(value).ok()?);
    }
    Some(sum == 1)
}

impl Item for AgeRecipient {
    fn parse(word: &str) -> Result<Self, String> {
        word.parse()
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

pub(super) fn keys() -> Vec<Key> {
    let own = vec![
        key!(
            backup.directory,
            value::File,
            |path| directory(path),
            "Where backups lie, each in a directory of its own; best on another disk than data_file."
        ),
        key!(
            backup.keep_last,
            Whole<u32>,
            |count| within(u64::from(*count), 0, 1_000),
            "How many of the newest backups are kept, 0 to 1000. The newest verified one always is, whatever the numbers."
        ),
        key!(
            backup.keep_daily,
            Whole<u32>,
            |count| within(u64::from(*count), 0, 1_000),
            "Of so many days that have one, the last backup is kept, 0 to 1000. Days, weeks and months are those of UTC."
        ),
        key!(
            backup.keep_weekly,
            Whole<u32>,
            |count| within(u64::from(*count), 0, 1_000),
            "Of so many weeks, the last backup is kept, 0 to 1000."
        ),
        key!(
            backup.keep_monthly,
            Whole<u32>,
            |count| within(u64::from(*count), 0, 1_000),
            "Of so many months, the last backup is kept, 0 to 1000."
        ),
        key!(
            backup.stale_after,
            OrOff<Time>,
            |time| time.map_or(Ok(()), stale_after),
            "How old the newest verified backup may become before an intent is raised, \"1m\" to \"366d\", or \"off\"."
        ),
        key!(
            backup.recipients,
            ListOf<AgeRecipient>,
            |recipients| distinct(recipients),
            "Public keys of age (age1…, made by `age-keygen`) that backups are encrypted to: any one of the secret keys \
             opens them, and without one nobody does. None: they are plain."
        ),
    ];
    own.into_iter().chain(s3::keys()).collect()
}

fn directory(path: &Path) -> Result<(), String> {
    if !path.is_absolute() {
        return Err("must be an absolute path".into());
    }
    if path.parent().is_none() { Err("must not be the root of the file system".into()) } else { Ok(()) }
}

fn stale_after(time: Duration) -> Result<(), String> {
    if (HOUR / 60..=366 * 24 * HOUR).contains(&time) { Ok(()) } else { Err("must be from 1m to 366d".into()) }
}

fn distinct(recipients: &[AgeRecipient]) -> Result<(), String> {
    let mut sorted: Vec<_> = recipients.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{} is listed twice: remove one", pair[0])),
        None => Ok(()),
    }
}

/// What does not go together in it, with the key that is to blame; `data_file` as it is configured beside it.
pub(super) fn cross_checks(backup: &Backup, data_file: &Path) -> Vec<(&'static str, &'static str)> {
    let mut faults = s3::cross_checks(&backup.s3);
    let beside = data_file.parent().unwrap_or(Path::new(""));
    if ["artifacts", "production", "jobs"].iter().any(|name| backup.directory.starts_with(beside.join(name))) {
        faults.push((
            "backup.directory",
            "lies in a directory that the daemon keeps other things in, beside data_file: name one of its own",
        ));
    }
    if data_file.starts_with(&backup.directory) {
        faults.push(("backup.directory", "holds data_file itself: name another directory"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the age specification's own examples.
    const KEY: &str = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";

    #[test]
    fn a_recipient_is_checked_to_the_last_character() {
        assert_eq!(KEY.parse::<AgeRecipient>().map(|key| key.to_string()), Ok(KEY.to_owned()));
        for at in 4..KEY.len() {
            let mut slip = KEY.as_bytes().to_vec();
            slip[at] = if slip[at] == b'q' { b'p' } else { b'q' };
            let slip = String::from_utf8(slip).expect("ASCII");
            let message = slip.parse::<AgeRecipient>().expect_err(&slip);
            assert!(message.contains("checksum"), "{message}");
        }
    }

    #[test]
    fn what_is_no_recipient_is_not_repeated() {
        let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        for (text, part) in [
            (secret, "is a secret key"),
            (&secret.to_lowercase(), "is a secret key"),
            ("ssh-ed25519", "of another kind"),
            ("age1", "62 characters"),
            (&KEY.to_uppercase(), "62 characters"),
            (&KEY[..61], "62 characters"),
        ] {
            let message = text.parse::<AgeRecipient>().expect_err(text);
            assert!(message.contains(part) && !message.contains("GFPYY"), "{text}: {message}");
        }
    }

    #[test]
    fn a_point_of_low_order_is_no_recipient() {
        let age = bech32::Hrp::parse("age").expect("a prefix");
        for first in [0, 1] {
            let mut point = [0; 32];
            point[0] = first;
            let key = bech32::encode_lower::<Bech32>(age, &point).expect("a key");
            let message = key.parse::<AgeRecipient>().expect_err(&key);
            assert!(message.contains("low order"), "{message}");
        }
    }

    #[test]
    fn a_directory_of_its_own() {
        let backup = |directory: &str| Backup { directory: directory.into(), ..Backup::default() };
        let data_file = Path::new("/var/lib/quantum-clm/quantum.redb");
        for (path, faults) in [
            ("/var/backups/quantum-clm", 0),
            ("/var/lib/quantum-clm/backups", 0),
            ("/var/lib/quantum-clm/artifacts", 1),
            ("/var/lib/quantum-clm/artifacts/backups", 1),
            ("/var/lib/quantum-clm", 1),
            ("/var/lib", 1),
        ] {
            assert_eq!(cross_checks(&backup(path), data_file).len(), faults, "{path}");
        }
        assert!(directory(Path::new("backups")).is_err() && directory(Path::new("/")).is_err());
    }

    #[test]
    fn the_least_age_is_a_minute() {
        assert!(
            stale_after(HOUR / 60).is_ok() && stale_after(HOUR / 61).is_err() && stale_after(9_000 * HOUR).is_err()
        );
    }
}
