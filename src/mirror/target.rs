use std::fmt;
use std::path::PathBuf;

/// Where Redis is, and as whom to sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisTarget {
    /// Its address.
    pub address: Address,
    /// The database.
    pub db: u32,
    /// The user of Redis' access control; the default one where absent.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
}

/// An address of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host and a port. The host is a name or an IP address without brackets.
    Tcp(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

/// A URL that the mirror cannot use. The URL is not repeated: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("redis.url: {0}; expected redis://[user[:password]@]host[:port][/db] or unix:///path/to/socket[?db=N]")]
pub struct BadTarget(String);

impl RedisTarget {
    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, BadTarget> {
        let bad = |why: &str| BadTarget(why.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("there is no scheme"))?;
        match scheme {
            "redis" => Self::tcp(rest),
            "unix" | "redis+unix" => Self::unix(rest),
            "rediss" => Err(bad("TLS is not supported: use a tunnel (stunnel, WireGuard) or a unix socket")),
            _ => Err(bad("the scheme is neither redis nor unix")),
        }
    }

    fn tcp(rest: &str) -> Result<Self, BadTarget> {
        let bad = |why: &str| BadTarget(why.to_owned());
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !query.is_empty() {
            return Err(bad("options after '?' are not known"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        let (user, password) = login.map_or(Ok((None, None)), credentials)?;
        let (host, port) = if let Some(inside) = host.strip_prefix('[') {
            let (host, port) = inside.split_once(']').ok_or_else(|| bad("the bracket of the address is not closed"))?;
            (host, port.strip_prefix(':').unwrap_or(port))
        } else {
            host.split_once(':').unwrap_or((host, ""))
        };
        if host.is_empty() {
            return Err(bad("there is no host"));
        }
        let port = if port.is_empty() { 6379 } else { port.parse().map_err(|_| bad("the port is not a number"))? };
        Ok(Self { address: Address::Tcp(decode(host)?, port), db: database(path)?, user, password })
    }

    fn unix(rest: &str) -> Result<Self, BadTarget> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !path.starts_with('/') {
            return Err(BadTarget("the path of the socket is not absolute".into()));
        }
        let mut target = Self { address: Address::Unix(decode(path)?.into()), db: 0, user: None, password: None };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("db", number)) => target.db = database(number)?,
                Some(("user", name)) => target.user = some(name)?,
                Some(("pass", word)) => target.password = some(word)?,
                _ => return Err(BadTarget("options after '?' are db, user and pass".into())),
            }
        }
        Ok(target)
    }
}

fn credentials(login: &str) -> Result<(Option<String>, Option<String>), BadTarget> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    Ok((some(user)?, some(password)?))
}

/// What is there: an empty user or password is none.
fn some(text: &str) -> Result<Option<String>, BadTarget> {
    Ok(Some(decode(text)?).filter(|text| !text.is_empty()))
}

fn database(text: &str) -> Result<u32, BadTarget> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| BadTarget("the database is not a number".into()))
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, BadTarget> {
    let bad = || BadTarget("a percent sign is not followed by two hexadecimal digits".into());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(bad)?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
            rest = &after[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| BadTarget("it is not UTF-8".into()))
}

/// Without the credentials: this is what logs and health show.
impl fmt::Display for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp(host, port) => write!(f, "{host}:{port}"),
            Address::Unix(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Debug for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisTarget({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, shown: &str, db: u32, user: Option<&str>, password: Option<&str>) {
        let target = RedisTarget::parse(url).expect(url);
        assert_eq!(target.to_string(), shown, "{url}");
        assert_eq!(target.db, db, "{url}");
        assert_eq!((target.user.as_deref(), target.password.as_deref()), (user, password), "{url}");
    }

    #[test]
    fn urls() {
        check("redis://127.0.0.1:6379/0", "127.0.0.1:6379", 0, None, None);
        check("redis://cache.internal", "cache.internal:6379", 0, None, None);
        check("redis://cache.internal/", "cache.internal:6379", 0, None, None);
        check("redis://[::1]:7000/3", "[::1]:7000", 3, None, None);
        check("redis://:secret@h/1", "h:6379", 1, None, Some("secret"));
        check("redis://quantum:p%40ss%3A%2F@h", "h:6379", 0, Some("quantum"), Some("p@ss:/"));
        check("redis://quantum@h", "h:6379", 0, Some("quantum"), None);
        check("unix:///run/redis/redis.sock?db=2", "/run/redis/redis.sock", 2, None, None);
        check("unix:///a%20b?user=u&pass=p", "/a b", 0, Some("u"), Some("p"));
    }

    #[test]
    fn bad_urls_say_why_and_keep_the_secret() {
        for (url, why) in [
            ("", "no scheme"),
            ("rediss://h", "TLS"),
            ("http://h", "neither"),
            ("redis://:secret@", "no host"),
            ("redis://u:secret@h:x", "port"),
            ("redis://u:secret@h/x", "database"),
            ("redis://u:secret%zz@h", "percent"),
            ("redis://[::1", "bracket"),
            ("redis://h?x=secret", "options"),
            ("unix://relative", "absolute"),
        ] {
            let error = RedisTarget::parse(url).expect_err(url).to_string();
            assert!(error.contains(why), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
        let target = RedisTarget::parse("redis://u:secret@h").expect("a target");
        assert!(!format!("{target:?} {target}").contains("secret"));
    }
}
