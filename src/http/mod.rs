//! Everything that speaks HTTP: over TCP for people and scrapers, over the unix socket for the commands.
//!
//! A request meets, in this order: a listener ([`listen`]), the accept loop with its limits ([`accept`]), the borders
//! ([`border`]), the route table with the role that each route asks for ([`routes`], [`peer`]), and a handler that
//! extracts ([`extract`]), calls and converts. Everything that goes wrong becomes an answer in [`error`].

/// The one accept loop: limits on connections, headers and time, and a drain with a deadline.
pub mod accept;
/// Whether the daemon of a socket lives.
pub mod alive;
/// The API: one file a resource.
pub mod api;
/// The files that pages load, in the binary.
pub mod assets;
/// What every request meets first: the host that it names and the page that it comes from.
pub mod border;
/// The commands' side of the unix socket.
pub mod client;
/// The cookie of a session.
pub mod cookie;
/// What browsers report about pages that broke our rules for them.
pub mod csp;
/// What a route tells of itself.
pub mod doc;
/// What a form of ours carries.
mod csrf;
/// Files as answers, whole or in part.
mod download;
/// What stands before every route: who asks.
pub mod door;
/// The one place that maps errors to statuses.
pub mod error;
/// Bodies, queries and paths as types.
pub mod extract;
/// What every answer tells a browser.
mod headers;
/// Sockets to listen on: bound here or passed by systemd.
pub mod listen;
/// What systemd passed, and where that is something else than configured.
pub mod passed;
/// How many files the process may open, and how many connections that allows.
pub mod files;
/// `GET /health` and `GET /metrics`, which need no credential.
pub mod open;
/// The description of the API.
pub mod openapi;
/// A file as the body of what the commands send.
mod outgoing;
/// Who is at the other end of a connection, and which role that is worth.
pub mod peer;
/// Which connections there are, and which one makes room for another.
mod places;
/// The route table and what guards it.
pub mod routes;
/// A connection whose reader stalls is an error, and that is closed only after its last answer could arrive.
mod stall;
/// Answers that go on until the client leaves or the daemon stops.
pub mod stream;
/// Bodies that are handed on as they come.
pub mod upload;
/// The pages: one file a page.
pub mod ui;
