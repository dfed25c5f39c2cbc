use super::host::{Host, Scheme};

/// Why a request that changes something is not taken: another page may have sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// The browser says that another site sent it.
    #[error("the request comes from another site (Sec-Fetch-Site: {0}): open this server's own page and try there")]
    Site(String),
    /// The page belongs to another server.
    #[error(
        "the request comes from a page at {origin}, and this server is {expected}: open that one; behind a TLS proxy, \
         name it in http.trusted_proxies and let it send X-Forwarded-Proto and the Host that it was asked for"
    )]
    Origin {
        /// What the browser said.
        origin: String,
        /// What it should have said.
        expected: String,
    },
    /// The page has no origin: a sandboxed frame, a `data:` address.
    #[error("the request comes from a page without an origin (Origin: null)")]
    Opaque,
    /// Neither header is there.
    #[error(
        "the request does not say which page it comes from: it needs Origin or Sec-Fetch-Site, as browsers send them"
    )]
    Unsaid,
}

/// What a browser says about the page that sent a request. Scripts cannot set either header.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender<'a> {
    /// `Sec-Fetch-Site`, which browsers send to https and to this machine.
    pub site: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
}

impl Sender<'_> {
    /// Whether it says anything.
    pub fn is_said(&self) -> bool {
        self.site.is_some() || self.origin.is_some()
    }

    /// Whether a request that changes something may come from there, where the request was for `host` over `scheme`.
    /// Who says nothing is no browser.
    ///
    /// `Sec-Fetch-Site: none` (typed by hand, a bookmark) is refused: no browser does that with anything but a GET.
    /// `Origin: null` counts as unsaid where Sec-Fetch-Site says `same-origin`, since browsers send exactly these two for a
    /// form of a page that has `Referrer-Policy: no-referrer`, as ours have (Fetch, "append a request `Origin` header").
    /// For a page that really has no origin they say `cross-site`.
    pub fn may_change(&self, scheme: Scheme, host: &Host) -> Result<(), Foreign> {
        let same_site = match self.site {
            Some("same-origin") => true,
            Some(site) => return Err(Foreign::Site(printable(site))),
            None => false,
        };
        match self.origin {
            None => Ok(()),
            Some("null") if same_site => Ok(()),
            Some("null") => Err(Foreign::Opaque),
            Some(origin) if parse(origin).is_some_and(|from| from == (scheme, host.clone())) => Ok(()),
            Some(origin) => {
                Err(Foreign::Origin { origin: printable(origin), expected: format!("{}://{host}", scheme.as_str()) })
            }
        }
    }
}

fn parse(origin: &str) -> Option<(Scheme, Host)> {
    let (scheme, host) = origin.split_once("://")?;
    let scheme = Scheme::parse(scheme)?;
    Some((scheme, Host::parse(host, scheme).ok()?))
}

/// What a stranger wrote, fit for a message.
fn printable(text: &str) -> String {
    text.chars().take(100).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_change_things() {
        let verdict = |scheme, host, site, origin| {
            let host = Host::parse(host, scheme).unwrap();
            match (Sender { site, origin }).may_change(scheme, &host) {
                Ok(()) => "taken",
                Err(Foreign::Site(_)) => "site",
                Err(Foreign::Origin { .. }) => "origin",
                Err(Foreign::Opaque) => "opaque",
                Err(Foreign::Unsaid) => "unsaid",
            }
        };
        let here = "localhost:8000";
        for (site, origin, expected) in [
            (None, None, "taken"),
            (Some("same-origin"), None, "taken"),
            (Some("same-origin"), Some("http://localhost:8000"), "taken"),
            (Some("same-origin"), Some("null"), "taken"),
            (Some("same-origin"), Some("http://evil.example"), "origin"),
            (Some("same-site"), Some("http://localhost:8000"), "site"),
            (Some("cross-site"), None, "site"),
            (Some("cross-site"), Some("http://localhost:8000"), "site"),
            (Some("cross-site"), Some("null"), "site"),
            (Some("none"), None, "site"),
            (Some(""), None, "site"),
            (Some("Same-Origin"), None, "site"),
            (None, Some("null"), "opaque"),
            (None, Some("http://localhost:8000"), "taken"),
            (None, Some("HTTP://LOCALHOST.:8000"), "taken"),
            (None, Some("https://localhost:8000"), "origin"),
            (None, Some("http://localhost"), "origin"),
            (None, Some("http://localhost:8001"), "origin"),
            (None, Some("http://127.0.0.1:8000"), "origin"),
            (None, Some("http://localhost:8000/"), "origin"),
            (None, Some("http://localhost:8000@evil.example"), "origin"),
            (None, Some("http://localhost:8000.evil.example"), "origin"),
            (None, Some("localhost:8000"), "origin"),
            (None, Some("file://localhost:8000"), "origin"),
            (None, Some(""), "origin"),
        ] {
            assert_eq!(verdict(Scheme::Http, here, site, origin), expected, "{site:?} {origin:?}");
        }
        assert_eq!(verdict(Scheme::Https, "x.example:443", None, Some("https://x.example")), "taken");
        assert_eq!(verdict(Scheme::Https, "x.example", None, Some("http://x.example")), "origin");
    }
}
