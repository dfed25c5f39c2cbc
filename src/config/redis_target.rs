use std::fmt;
use std::path::PathBuf;

use super::secret::Secret;

/// Where a Redis is, and as whom to sign in there.
#[derive(Clone, Debug, PartialEq)]
pub struct RedisTarget {
    /// Host and port, or a socket.
    pub address: RedisAddress,
    /// The number of the database.
    pub db: u32,
    /// The ACL user; none for `default`.
    pub user: Option<String>,
    /// The password, if there is one.
    pub password: Option<Secret>,
}

/// Where a Redis is. Its text holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisAddress {
    /// A host's name or IP address (IPv6 without brackets), and a port.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// What is wrong with a Redis URL. No variant holds the URL: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRedisUrl {
    /// `rediss://`
    #[error("TLS to Redis (rediss://) is not supported: use redis:// through a local tunnel such as stunnel")]
    Tls,
    /// Another scheme, or none.
    #[error("must begin with redis:// or unix:// (\"\" for no mirror)")]
    Scheme,
    /// No host.
    #[error("has no host: write it as redis://127.0.0.1:6379/0")]
    Host,
    /// A port that is none.
    #[error("has a port that is not a number from 1 to 65535 (in a password, write \"@\" as %40 and \"/\" as %2F)")]
    Port,
    /// A database that is none.
    #[error("has a database that is not a number: write it as redis://127.0.0.1:6379/0")]
    Database,
    /// `?…` that is not understood.
    #[error("has parameters that are not known: only unix:///path?db=n&user=name&pass=word takes any")]
    Parameter,
    /// `%` without two hexadecimal digits, or what is not UTF-8 after decoding.
    #[error("has a \"%\" that is not followed by two hexadecimal digits: write \"%\" itself as %25")]
    Percent,
    /// A socket's path that is not absolute.
    #[error("must name a socket by an absolute path: unix:///run/redis/redis.sock")]
    SocketPath,
}

impl RedisTarget {
    /// Address and database: which Redis it is, whoever signs in there. It holds no secret.
    pub fn place(&self) -> String {
        format!("{}/{}", self.address, self.db)
    }

    /// Reads `redis://[user[:password]@]host[:port][/db]`, `unix:///path` or `redis+unix:///path`, the latter two with
    /// `?db=n&user=name&pass=word`.
    pub fn parse(url: &str) -> Result<Self, BadRedisUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(BadRedisUrl::Scheme)?;
        match scheme {
            "redis" => Self::parse_tcp(rest),
            "unix" | "redis+unix" => Self::parse_unix(rest),
            "rediss" => Err(BadRedisUrl::Tls),
            _ => Err(BadRedisUrl::Scheme),
        }
    }

    fn parse_tcp(rest: &str) -> Result<Self, BadRedisUrl> {
        if rest.contains(['?', '#']) {
            return Err(BadRedisUrl::Parameter);
        }
        let (authority, db) = rest.split_once('/').unwrap_or((rest, ""));
        let (account, place) = match authority.rsplit_once('@') {
            Some((account, place)) => (account, place),
            None => ("", authority),
        };
        let (user, password) = account.split_once(':').unwrap_or((account, ""));
        let (host, port) = match place.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']').ok_or(BadRedisUrl::Host)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| BadRedisUrl::Host)?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(BadRedisUrl::Port)?) })
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control() || "@%".contains(c)) {
            return Err(BadRedisUrl::Host);
        }
        let port = match port {
            None => 6379,
            Some(port) => port.parse().ok().filter(|&port| port != 0).ok_or(BadRedisUrl::Port)?,
        };
        Ok(Self {
            address: RedisAddress::Tcp { host: host.to_owned(), port },
            db: database(db.strip_suffix('/').unwrap_or(db))?,
            user: present(user)?,
            password: present(password)?.map(Secret::new),
        })
    }

    fn parse_unix(rest: &str) -> Result<Self, BadRedisUrl> {
        let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let path = decoded(path)?;
        if !path.starts_with('/') || path.contains('\0') {
            return Err(BadRedisUrl::SocketPath);
        }
        let mut target = Self { address: RedisAddress::Unix(PathBuf::from(path)), db: 0, user: None, password: None };
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("db", value)) => target.db = database(value)?,
                Some(("user", value)) => target.user = present(value)?,
                Some(("pass", value)) => target.password = present(value)?.map(Secret::new),
                _ => return Err(BadRedisUrl::Parameter),
            }
        }
        Ok(target)
    }
}

fn database(text: &str) -> Result<u32, BadRedisUrl> {
    if text.is_empty() { Ok(0) } else { text.parse().map_err(|_| BadRedisUrl::Database) }
}

fn present(text: &str) -> Result<Option<String>, BadRedisUrl> {
    if text.is_empty() { Ok(None) } else { decoded(text).map(Some) }
}

fn decoded(text: &str) -> Result<String, BadRedisUrl> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let digit = |at: usize| after.get(at).and_then(|&c| char::from(c).to_digit(16)).ok_or(BadRedisUrl::Percent);
        bytes.push((digit(0)? * 16 + digit(1)?) as u8);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| BadRedisUrl::Percent)
}

/// `url` as it may be shown: with `***` where a password is, and wholly hidden where it cannot be read.
pub(super) fn redacted(url: &str) -> String {
    let Ok(target) = RedisTarget::parse(url) else {
        return if url.is_empty() { String::new() } else { "***".to_owned() };
    };
    if target.password.is_none() {
        return url.to_owned();
    }
    let user = target.user.unwrap_or_default();
    match &target.address {
        RedisAddress::Tcp { .. } => format!("redis://{user}:***@{}/{}", target.address, target.db),
        RedisAddress::Unix(path) => format!("unix://{}?db={}&user={user}&pass=***", path.display(), target.db),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, db: u32, user: Option<&str>, password: Option<&str>) -> RedisTarget {
        RedisTarget {
            address: RedisAddress::Tcp { host: host.into(), port },
            db,
            user: user.map(Into::into),
            password: password.map(|password| Secret::new(password.into())),
        }
    }

    #[test]
    fn urls() {
        for (url, expected) in [
            ("redis://127.0.0.1:6379/0", Ok(tcp("127.0.0.1", 6379, 0, None, None))),
            ("redis://redis", Ok(tcp("redis", 6379, 0, None, None))),
            ("redis://redis/", Ok(tcp("redis", 6379, 0, None, None))),
            ("redis://h:1/15", Ok(tcp("h", 1, 15, None, None))),
            ("redis://[::1]:7000/2", Ok(tcp("::1", 7000, 2, None, None))),
            ("redis://[::1]", Ok(tcp("::1", 6379, 0, None, None))),
            ("redis://:pw@h", Ok(tcp("h", 6379, 0, None, Some("pw")))),
            ("redis://u:p%40%2F@h", Ok(tcp("h", 6379, 0, Some("u"), Some("p@/")))),
            ("redis://u:p@ss@h", Ok(tcp("h", 6379, 0, Some("u"), Some("p@ss")))),
            ("redis://u@h", Ok(tcp("h", 6379, 0, Some("u"), None))),
            (
                "unix:///run/redis.sock?db=3&user=u&pass=p%26",
                Ok(RedisTarget {
                    address: RedisAddress::Unix("/run/redis.sock".into()),
                    db: 3,
                    user: Some("u".into()),
                    password: Some(Secret::new("p&".into())),
                }),
            ),
            (
                "redis+unix:///s",
                Ok(RedisTarget { address: RedisAddress::Unix("/s".into()), db: 0, user: None, password: None }),
            ),
            ("rediss://h", Err(BadRedisUrl::Tls)),
            ("http://h", Err(BadRedisUrl::Scheme)),
            ("localhost:6379", Err(BadRedisUrl::Scheme)),
            ("redis://", Err(BadRedisUrl::Host)),
            ("redis://:6379", Err(BadRedisUrl::Host)),
            ("redis://[::1", Err(BadRedisUrl::Host)),
            ("redis://h:0", Err(BadRedisUrl::Port)),
            ("redis://h:70000", Err(BadRedisUrl::Port)),
            ("redis://h:", Err(BadRedisUrl::Port)),
            ("redis://h/x", Err(BadRedisUrl::Database)),
            ("redis://h?protocol=resp3", Err(BadRedisUrl::Parameter)),
            ("redis://:%4@h", Err(BadRedisUrl::Percent)),
            ("redis://:%ff@h", Err(BadRedisUrl::Percent)),
            ("unix://relative", Err(BadRedisUrl::SocketPath)),
            ("unix:///s?database=1", Err(BadRedisUrl::Parameter)),
        ] {
            assert_eq!(RedisTarget::parse(url), expected, "{url}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("", ""),
            ("redis://h:1/2", "redis://h:1/2"),
            ("redis://u:s3cret@h:1/2", "redis://u:***@h:1/2"),
            ("redis://:s3cret@[::1]", "redis://:***@[::1]:6379/0"),
            ("unix:///s?pass=s3cret", "unix:///s?db=0&user=&pass=***"),
            ("redis://:s3cret/@h", "***"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(tcp("::1", 1, 0, None, None).address.to_string(), "[::1]:1");
        assert_eq!(tcp("h", 1, 0, None, None).address.to_string(), "h:1");
    }
}
