use std::fmt;
use std::path::{Path, PathBuf};

use super::key::{Key, key};
use super::redis_target::{RedisTarget, redacted};
use super::secret::{SecretError, read_secret};
use super::value::{self, Choice, within};

/// `[redis]`
#[derive(Clone, PartialEq)]
pub struct Redis {
    /// `redis://[user[:password]@]host[:port][/db]` or `unix:///path`; empty for no mirror. Never logged: what to
    /// connect to is [`Redis::target`], and its address is what may be shown.
    pub url: String,
    /// A file that holds the password, instead of in the URL.
    pub password_file: Option<PathBuf>,
    /// The events' stream.
    pub stream: String,
    /// Its rolling window.
    pub maxlen: u64,
    /// The intents' stream.
    pub intent_stream: String,
    /// Whether to write.
    pub mirror: MirrorMode,
    /// The `consumer` of an intent's message; the host's name where empty.
    pub consumer: String,
}

/// `redis.mirror`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorMode {
    /// Hold while another writer is active on the stream or the predecessor's units run.
    Auto,
    /// Write in any case.
    On,
    /// Never write.
    Off,
}

impl Choice for MirrorMode {
    const ALL: &'static [(&'static str, Self)] = &[("auto", Self::Auto), ("on", Self::On), ("off", Self::Off)];
}

impl Redis {
    /// Where to connect and as whom; none where there is no mirror. Reads the password file, so that a password that
    /// was changed there holds from the next connection on.
    pub fn target(&self) -> Result<Option<RedisTarget>, SecretError> {
        self.target_with(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).as_deref())
    }

    fn target_with(&self, credentials: Option<&Path>) -> Result<Option<RedisTarget>, SecretError> {
        if self.url.is_empty() {
            return Ok(None);
        }
        let mut target = RedisTarget::parse(&self.url).map_err(|error| SecretError::Url(error.to_string()))?;
        if let Some(path) = &self.password_file {
            target.password = Some(read_secret(path, credentials)?);
        }
        Ok(Some(target))
    }

    /// The `consumer` that intents carry: as configured, else the host's name.
    pub fn consumer_name(&self) -> String {
        if self.consumer.is_empty() {
            return rustix::system::uname().nodename().to_string_lossy().into_owned();
        }
        self.consumer.clone()
    }
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379/0".into(),
            password_file: None,
            stream: "quantum:stream:utf".into(),
            maxlen: 200_000,
            intent_stream: "quantum:stream:clm.intent".into(),
            mirror: MirrorMode::Auto,
            consumer: String::new(),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("url", &redacted(&self.url))
            .field("password_file", &self.password_file)
            .field("stream", &self.stream)
            .field("maxlen", &self.maxlen)
            .field("intent_stream", &self.intent_stream)
            .field("mirror", &self.mirror)
            .field("consumer", &self.consumer)
            .finish()
    }
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key!(
            redis.url,
            value::RedisUrl,
            |text| url(text),
            "The Redis to mirror to: redis://[user[:password]@]host[:port][/db] or unix:///path[?db=n]; \"\" for none."
        ),
        key!(
            redis.password_file,
            value::OptionalFile,
            value::anything,
            "A file that holds the password, instead of the URL: a name, such as \"redis.password\", of one in \
             /etc/quantum/credentials (what the unit has in $CREDENTIALS_DIRECTORY), or a whole path."
        ),
        key!(redis.stream, value::Text, |name| stream(name), "The stream that events go to."),
        key!(
            redis.maxlen,
            value::Whole<u64>,
            |entries| within(*entries, 1, 1_000_000_000),
            "How many of the newest events the stream keeps."
        ),
        key!(redis.intent_stream, value::Text, |name| stream(name), "The stream that intents go to."),
        key!(
            redis.mirror,
            value::OneOf<MirrorMode>,
            value::anything,
            "\"auto\" holds while another program writes to the stream or the predecessor runs, \"on\" writes in any \
             case, \"off\" never."
        ),
        key!(
            redis.consumer,
            value::Text,
            |name| consumer(name),
            "The `consumer` that intents carry; \"\" for the host's name."
        ),
    ]
}

fn url(url: &str) -> Result<(), String> {
    if url.is_empty() {
        return Ok(());
    }
    RedisTarget::parse(url).map(drop).map_err(|error| error.to_string())
}

/// Blanks and control characters are legal in a Redis key and always a mistake here.
fn stream(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 512 || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must be the name of a stream: 1 to 512 bytes without blanks".into());
    }
    Ok(())
}

fn consumer(name: &str) -> Result<(), String> {
    if name.len() > 255 || name.chars().any(char::is_control) {
        return Err("must be at most 255 bytes without control characters".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_file_wins_over_nothing_and_debug_shows_neither() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("redis"), "from-file\n").unwrap();
        rustix::fs::chmod(directory.path().join("redis"), rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let redis = Redis { password_file: Some("redis".into()), ..Redis::default() };
        let target = redis.target_with(Some(directory.path())).unwrap().unwrap();
        assert_eq!(target.password.as_ref().unwrap().expose(), "from-file");
        assert!(!format!("{target:?}").contains("from-file"));

        let redis = Redis { url: "redis://u:s3cret@h/1".into(), ..Redis::default() };
        assert!(!format!("{redis:?}").contains("s3cret"), "{redis:?}");
        assert!(Redis { url: String::new(), ..redis }.target().unwrap().is_none());
    }

    #[test]
    fn the_consumer_is_the_host_unless_named() {
        assert!(!Redis::default().consumer_name().is_empty());
        assert_eq!(Redis { consumer: "prod-1".into(), ..Redis::default() }.consumer_name(), "prod-1");
    }
}
