//! What a request may look like before anybody asks what it wants: the host that it names, the page that it comes from,
//! the way that it came, its path and query, and how deep its JSON nests.

/// How deep JSON may nest.
pub mod depth;
/// Who stands behind a proxy.
pub mod forwarded;
/// Hosts, as requests, pages and the configuration name them.
pub mod host;
/// Which page sent a request.
pub mod origin;
/// Paths and queries.
pub mod target;
