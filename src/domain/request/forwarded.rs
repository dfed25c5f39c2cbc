use core::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Whether `address` belongs to a proxy that is configured.
pub fn is_trusted(trusted: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// Who stands behind the proxy `peer`, by the `X-Forwarded-For` headers in their order: the right-most address that is
/// not a trusted proxy's, since everything further left is what that one claims.
///
/// What is no address ends the search at the proxy that passed it on: a client must not choose under which address it is
/// audited and slowed down.
pub fn client<'a>(peer: IpAddr, trusted: &[IpNet], forwarded_for: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
    let mut client = peer.to_canonical();
    let entries = forwarded_for.rev().flat_map(|value| value.rsplit(',')).map(str::trim);
    for entry in entries {
        if !is_trusted(trusted, client) {
            break;
        }
        match address(entry) {
            Some(address) => client = address.to_canonical(),
            None => break,
        }
    }
    client
}

/// An address, also with the port that some proxies add.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// What the nearest proxy said in a header that each proxy may add to: the part after the last comma of the last one.
pub fn last<'a>(mut values: impl DoubleEndedIterator<Item = &'a str>) -> Option<&'a str> {
    values.next_back().map(|value| value.rsplit(',').next().unwrap_or(value).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_most_address_that_is_no_proxys() {
        let trusted: Vec<IpNet> = ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).into();
        for (peer, headers, expected) in [
            ("127.0.0.1", vec!["203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", vec!["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", vec!["198.51.100.1", "203.0.113.9,10.1.2.3"], "203.0.113.9"),
            ("127.0.0.1", vec!["10.0.0.1", "10.0.0.2"], "10.0.0.1"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("127.0.0.1", vec!["203.0.113.9, unknown"], "127.0.0.1"),
            ("127.0.0.1", vec!["203.0.113.9, nonsense, 10.0.0.1"], "10.0.0.1"),
            ("127.0.0.1", vec!["203.0.113.9,"], "127.0.0.1"),
            ("127.0.0.1", vec!["203.0.113.9:4711"], "203.0.113.9"),
            ("127.0.0.1", vec!["[2001:db8::1]:4711"], "2001:db8::1"),
            ("127.0.0.1", vec!["2001:db8::1, [fd00::1]"], "2001:db8::1"),
            ("::ffff:127.0.0.1", vec!["::ffff:203.0.113.9"], "203.0.113.9"),
            ("203.0.113.7", vec!["127.0.0.1"], "203.0.113.7"),
        ] {
            let found = client(peer.parse().unwrap(), &trusted, headers.iter().copied());
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {headers:?}");
        }
    }

    #[test]
    fn the_nearest_proxy_speaks_last() {
        assert_eq!(last(["a, b", "c ,d "].into_iter()), Some("d"));
        assert_eq!(last(["a"].into_iter()), Some("a"));
        assert_eq!(last(std::iter::empty()), None);
    }
}
