//! Hosts' addresses without glibc's name service, which a static binary must not reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::time::timeout;

/// How long name servers are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A name without addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name {host:?} cannot be resolved: {why}")]
pub struct Unresolved {
    /// The name.
    pub host: String,
    /// What the resolver said.
    pub why: String,
}

/// The addresses of a host; one at least.
pub async fn resolve(host: &str) -> Result<Vec<IpAddr>, Unresolved> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let unresolved = |why: &dyn std::fmt::Display| Unresolved { host: host.to_owned(), why: why.to_string() };
    // Made anew each time: /etc/resolv.conf and /etc/hosts change under a daemon. Without a resolv.conf, the hosts file
    // still counts.
    let builder = TokioResolver::builder_tokio().unwrap_or_else(|_| {
        TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
    });
    let resolver = builder.build().map_err(|error| unresolved(&error))?;
    let found = timeout(PATIENCE, resolver.lookup_ip(host)).await;
    let found = found.map_err(|_| unresolved(&"no name server answered"))?.map_err(|error| unresolved(&error))?;
    let addresses: Vec<IpAddr> = found.iter().collect();
    if addresses.is_empty() { Err(unresolved(&"it has no address")) } else { Ok(addresses) }
}
