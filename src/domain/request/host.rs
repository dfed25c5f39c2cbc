use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How a browser reached us: directly over plain HTTP, or through a proxy's TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    #[default]
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// As it stands in an URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The scheme of that name, in whatever case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host and its port in the one form in which two of them can be compared: lower case, no trailing dot, addresses as
/// the standard library writes them, and no port where it is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    name: String,
    port: Option<u16>,
}

/// What is wrong with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// Nothing is there.
    #[error("is empty")]
    Empty,
    /// `user@host`, which nobody who means well sends.
    #[error("has something before an @")]
    User,
    /// The port is no number from 1 to 65535.
    #[error("has a port that is not a number from 1 to 65535")]
    Port,
    /// Brackets without an IPv6 address in them.
    #[error("has brackets without an IPv6 address in them")]
    Brackets,
    /// Several colons and no brackets.
    #[error("has several colons: an IPv6 address stands in brackets, \"[::1]\"")]
    Colons,
    /// A name with other signs than names have.
    #[error("is not a name: use letters, digits, dots and dashes")]
    Name,
}

/// What DNS allows.
const LONGEST_NAME: usize = 253;

impl Host {
    /// Reads `name`, `name:port`, `1.2.3.4:port` or `[::1]:port`.
    pub fn parse(text: &str, scheme: Scheme) -> Result<Self, BadHost> {
        if text.contains('@') {
            return Err(BadHost::User);
        }
        let (name, port) = if let Some(rest) = text.strip_prefix('[') {
            let (inner, port) = rest.split_once(']').ok_or(BadHost::Brackets)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| BadHost::Brackets)?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or(BadHost::Brackets)?),
            };
            (format!("[{address}]"), port)
        } else {
            let (name, port) = match text.split_once(':') {
                Some((_, port)) if port.contains(':') => return Err(BadHost::Colons),
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            };
            (normal_name(name)?, port)
        };
        let port = port.map(parse_port).transpose()?.filter(|port| *port != scheme.default_port());
        Ok(Self { name, port })
    }

    /// Reads an entry of the configuration, which has no scheme: the ports 80 and 443 are as good as none.
    pub fn configured(text: &str) -> Result<Self, BadHost> {
        let host = Self::parse(text, Scheme::Http)?;
        Ok(Self { port: host.port.filter(|port| *port != 443), ..host })
    }

    /// Whether a request that came in at `local` may name this host: exactly one of the configured ones, or this very
    /// machine under a name that no DNS answer can change, with the port that it came in at.
    ///
    /// A page of somebody else whose name was pointed at us (DNS rebinding) names its own host, and an address that is
    /// not ours only matches where somebody configured it.
    pub fn is_ours(&self, configured: &[Self], local: Option<SocketAddr>) -> bool {
        configured.contains(self) || local.is_some_and(|local| self.is_here(local))
    }

    fn is_here(&self, local: SocketAddr) -> bool {
        let ours = [
            "localhost".to_owned(),
            address_name(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            address_name(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            // Also where all addresses are listened on: this is the one that the connection came to.
            address_name(local.ip().to_canonical()),
        ];
        let port = local.port();
        ours.contains(&self.name) && (self.port == Some(port) || (self.port.is_none() && matches!(port, 80 | 443)))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn address_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn normal_name(name: &str) -> Result<String, BadHost> {
    if name.is_empty() {
        return Err(BadHost::Empty);
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let fits = |label: &str| {
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(sign)
    };
    if name.len() <= LONGEST_NAME && name.split('.').all(fits) { Ok(name) } else { Err(BadHost::Name) }
}

fn parse_port(text: &str) -> Result<u16, BadHost> {
    // Digits only: the standard library's parser also takes a sign.
    let digits = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or(BadHost::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_normalised() {
        for (text, expected) in [
            ("localhost", Ok("localhost")),
            ("LocalHost.:8000", Ok("localhost:8000")),
            ("quantum.example:80", Ok("quantum.example")),
            ("quantum.example:443", Ok("quantum.example:443")),
            ("127.0.0.1:8000", Ok("127.0.0.1:8000")),
            ("[::1]:8000", Ok("[::1]:8000")),
            ("[0:0::0:1]", Ok("[::1]")),
            ("[::FFFF:127.0.0.1]", Ok("[::ffff:127.0.0.1]")),
            ("a_b-c.d", Ok("a_b-c.d")),
            ("", Err(BadHost::Empty)),
            (":8000", Err(BadHost::Empty)),
            (".", Err(BadHost::Name)),
            ("a..b", Err(BadHost::Name)),
            ("a b", Err(BadHost::Name)),
            ("a/b", Err(BadHost::Name)),
            ("localhost,evil", Err(BadHost::Name)),
            ("löcalhost", Err(BadHost::Name)),
            ("localhost%00", Err(BadHost::Name)),
            ("localhost#", Err(BadHost::Name)),
            ("localhost..", Err(BadHost::Name)),
            ("evil@localhost:8000", Err(BadHost::User)),
            ("localhost:", Err(BadHost::Port)),
            ("localhost:+80", Err(BadHost::Port)),
            ("localhost:080", Err(BadHost::Port)),
            ("localhost:0", Err(BadHost::Port)),
            ("localhost:65536", Err(BadHost::Port)),
            ("localhost:8000x", Err(BadHost::Port)),
            ("localhost:8000:8000", Err(BadHost::Colons)),
            ("::1", Err(BadHost::Colons)),
            ("[::1", Err(BadHost::Brackets)),
            ("[::1]8000", Err(BadHost::Brackets)),
            ("[localhost]", Err(BadHost::Brackets)),
            ("[fe80::1%eth0]", Err(BadHost::Brackets)),
        ] {
            let parsed = Host::parse(text, Scheme::Http).map(|host| host.to_string());
            assert_eq!(parsed, expected.map(str::to_owned), "{text:?}");
        }
        assert_eq!(Host::parse("x:443", Scheme::Https).unwrap().to_string(), "x");
        assert_eq!(Host::parse("x:80", Scheme::Https).unwrap().to_string(), "x:80");
        assert_eq!(Host::parse(&"a.".repeat(127), Scheme::Http).unwrap().to_string().len(), 253);
        assert_eq!(Host::parse(&"a.".repeat(128), Scheme::Http), Err(BadHost::Name));
        assert_eq!(Host::parse(&"a".repeat(64), Scheme::Http), Err(BadHost::Name));
    }

    #[test]
    fn only_names_of_ours_with_our_port() {
        let configured = ["quantum.example:443", "box.lan:8000"].map(|text| Host::configured(text).unwrap());
        let local: SocketAddr = "192.168.1.5:8000".parse().unwrap();
        for (text, scheme, expected) in [
            ("localhost:8000", Scheme::Http, true),
            ("127.0.0.1:8000", Scheme::Http, true),
            ("[::1]:8000", Scheme::Http, true),
            ("192.168.1.5:8000", Scheme::Http, true),
            ("192.168.1.6:8000", Scheme::Http, false),
            ("localhost", Scheme::Http, false),
            ("localhost:8001", Scheme::Http, false),
            ("0.0.0.0:8000", Scheme::Http, false),
            ("[::ffff:127.0.0.1]:8000", Scheme::Http, false),
            ("127.1:8000", Scheme::Http, false),
            ("2130706433:8000", Scheme::Http, false),
            ("localhost.evil.example:8000", Scheme::Http, false),
            ("evil.example:8000", Scheme::Http, false),
            ("quantum.example", Scheme::Https, true),
            ("QUANTUM.example.", Scheme::Http, true),
            ("quantum.example:443", Scheme::Https, true),
            ("quantum.example:80", Scheme::Http, true),
            ("quantum.example:8000", Scheme::Http, false),
            ("quantum.example:80", Scheme::Https, false),
            ("evil.quantum.example", Scheme::Https, false),
            ("box.lan:8000", Scheme::Http, true),
            ("box.lan", Scheme::Http, false),
        ] {
            let host = Host::parse(text, scheme).unwrap();
            assert_eq!(host.is_ours(&configured, Some(local)), expected, "{text} over {scheme:?}");
        }
    }

    #[test]
    fn the_local_address_decides_the_port() {
        let ours = |text: &str, local: Option<&str>| {
            let local = local.map(|local| local.parse().unwrap());
            Host::parse(text, Scheme::Http).unwrap().is_ours(&[], local)
        };
        assert!(ours("localhost", Some("127.0.0.1:80")));
        assert!(ours("localhost:443", Some("127.0.0.1:443")));
        // A connection over IPv4 to a socket that listens on [::].
        assert!(ours("10.0.0.7:9000", Some("[::ffff:10.0.0.7]:9000")));
        assert!(ours("[fd00::7]:9000", Some("[fd00::7]:9000")));
        assert!(!ours("localhost:8000", None));
    }
}
