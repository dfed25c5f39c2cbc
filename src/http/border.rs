use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use ipnet::IpNet;

use super::error::ApiError;
use super::peer::Peer;
use crate::config;
use crate::domain::request::forwarded;
use crate::domain::request::host::{Host, Scheme};
use crate::domain::request::origin::{Foreign, Sender};
use crate::domain::request::target;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The address of ours that a TCP connection came to. Its requests carry it as an extension.
#[derive(Clone, Copy, Debug)]
pub struct Local(pub SocketAddr);

/// Who asks over TCP: the peer, or who stands behind it where it is a trusted proxy. Every such request carries it, and
/// the audit log and the back-off go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// What the borders found out about a request over TCP, for those further in.
#[derive(Clone, Copy, Debug)]
struct Shown {
    /// Whether it said which page it comes from, and the answer was right.
    sender: bool,
}

/// What every request meets before anybody looks for its route: is it well formed, is it meant for us, and does what
/// changes something come from a page of ours?
#[derive(Clone, Debug, Default)]
pub struct Border {
    hosts: Arc<[Host]>,
    proxies: Arc<[IpNet]>,
}

impl Border {
    /// The border as it is configured.
    pub fn new(http: &config::Http) -> Self {
        Self { hosts: http.hosts.clone().into(), proxies: http.trusted_proxies.clone().into() }
    }

    /// Lets a request in, with [`ClientAddress`] and [`Scheme`] as extensions where it came over TCP; or says why not.
    ///
    /// Over the unix socket only the form counts: no browser and no stranger gets there, and the peer is the credential.
    pub(super) fn admit(&self, request: &mut Parts) -> Result<(), NotOurs> {
        let Some(&Peer::Tcp(peer)) = request.extensions.get() else {
            well_formed(request)?;
            named_host(request, Scheme::Http)?;
            return Ok(());
        };
        let Way { client, scheme, host: forwarded } = self.way(peer.ip(), &request.headers)?;
        request.extensions.insert(ClientAddress(client));
        request.extensions.insert(scheme);
        well_formed(request)?;
        let local = request.extensions.get().map(|Local(local)| *local);
        let mut host = named_host(request, scheme)?;
        self.is_ours(&host, local)?;
        // Behind a proxy that asks for its own name of us, the browser's is here. It replaces nothing: a page that was
        // pointed at us could have sent it through a proxy that lets it pass.
        if let Some(forwarded) = forwarded {
            host = parse_host(&forwarded, scheme)?;
            self.is_ours(&host, local)?;
        }
        let sender = sender(&request.headers)?;
        let is_said = sender.is_said();
        if !request.method.is_safe() {
            sender.may_change(scheme, &host)?;
            // A cookie comes along by itself, whoever sends the request; so it takes more than a cookie.
            if request.headers.contains_key(header::COOKIE) && !is_said {
                return Err(Foreign::Unsaid.into());
            }
        }
        request.extensions.insert(Shown { sender: is_said });
        Ok(())
    }

    fn is_ours(&self, host: &Host, local: Option<SocketAddr>) -> Result<(), NotOurs> {
        if host.is_ours(&self.hosts, local) {
            return Ok(());
        }
        Err(NotOurs { error: ApiError::Misdirected(host.to_string()), action: Some("access.host") })
    }

    /// What a trusted proxy says about the way that the request came; from anybody else these headers mean nothing.
    fn way(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Way, ApiError> {
        if !forwarded::is_trusted(&self.proxies, peer) {
            return Ok(Way { client: peer.to_canonical(), scheme: Scheme::Http, host: None });
        }
        let scheme = match forwarded::last(texts(headers, &FORWARDED_PROTO)?.into_iter()) {
            Some(text) => Scheme::parse(text)
                .ok_or_else(|| ApiError::Refused("X-Forwarded-Proto is neither http nor https".to_owned()))?,
            None => Scheme::Http,
        };
        let client = forwarded::client(peer, &self.proxies, texts(headers, &FORWARDED_FOR)?.into_iter());
        let host = forwarded::last(texts(headers, &FORWARDED_HOST)?.into_iter()).map(str::to_owned);
        Ok(Way { client, scheme, host })
    }
}

struct Way {
    client: IpAddr,
    scheme: Scheme,
    host: Option<String>,
}

/// A request that is not for us, or not from a page of ours.
pub(super) struct NotOurs {
    pub(super) error: ApiError,
    /// What the audit log calls it; a request that is merely malformed is not in there.
    pub(super) action: Option<&'static str>,
}

impl From<ApiError> for NotOurs {
    fn from(error: ApiError) -> Self {
        Self { error, action: None }
    }
}

impl From<Foreign> for NotOurs {
    fn from(foreign: Foreign) -> Self {
        Self { error: ApiError::Forbidden(foreign.to_string()), action: Some("access.origin") }
    }
}

/// Whether a form may be taken: over TCP it has to say which page it comes from, since nothing else tells a sign-in from
/// somebody else's page from one of ours.
pub(super) fn form(request: &Parts) -> Result<(), NotOurs> {
    match request.extensions.get() {
        Some(Shown { sender: false }) if !request.method.is_safe() => Err(Foreign::Unsaid.into()),
        _ => Ok(()),
    }
}

/// What would mean one thing to a proxy and another to us.
fn well_formed(request: &Parts) -> Result<(), ApiError> {
    let (uri, headers) = (&request.uri, &request.headers);
    if request.method == Method::CONNECT {
        return Err(ApiError::Refused("this server is no proxy: CONNECT is not answered".to_owned()));
    }
    target::check(uri.path(), uri.query()).map_err(|fault| {
        if fault.is_too_long() { ApiError::LongTarget(fault.to_string()) } else { ApiError::Refused(fault.to_string()) }
    })?;
    let codings = headers.get_all(header::TRANSFER_ENCODING);
    let chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings.iter().count() > 1 || !codings.iter().all(chunked) {
        return Err(ApiError::Refused("Transfer-Encoding is something else than chunked".to_owned()));
    }
    Ok(())
}

/// The host that a request names: exactly one, and the same in its first line if it stands there as well.
fn named_host(request: &Parts, scheme: Scheme) -> Result<Host, ApiError> {
    let host = match texts(&request.headers, &header::HOST)?.as_slice() {
        [host] => parse_host(host, scheme)?,
        [] => return Err(ApiError::Refused("the header Host is missing".to_owned())),
        _ => return Err(ApiError::Refused("the header Host is there more than once".to_owned())),
    };
    match request.uri.authority() {
        Some(authority) if parse_host(authority.as_str(), scheme)? != host => {
            Err(ApiError::Refused("the request line names another host than the header Host".to_owned()))
        }
        _ => Ok(host),
    }
}

fn parse_host(text: &str, scheme: Scheme) -> Result<Host, ApiError> {
    Host::parse(text, scheme).map_err(|fault| ApiError::Refused(format!("the host of the request {fault}")))
}

fn sender(headers: &HeaderMap) -> Result<Sender<'_>, ApiError> {
    let one = |name: &HeaderName| match texts(headers, name)?.as_slice() {
        [] => Ok(None),
        [value] => Ok(Some(*value)),
        _ => Err(ApiError::Refused(format!("the header {name} is there more than once"))),
    };
    Ok(Sender { site: one(&SEC_FETCH_SITE)?, origin: one(&header::ORIGIN)? })
}

fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Vec<&'a str>, ApiError> {
    let texts: Result<_, _> = headers.get_all(name).iter().map(|value| value.to_str()).collect();
    texts.map_err(|_| ApiError::Refused(format!("the header {name} is not plain text")))
}
