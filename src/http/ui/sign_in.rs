//! `/sign-in` and `/sign-out`.

use std::net::IpAddr;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::done::{Done, done};
use super::field::Field;
use super::form::{Form, own_path, see, sentence};
use super::{Frame, Tone, page};
use crate::app::App;
use crate::app::accounts::SignInError;
use crate::domain::access::Actor;
use crate::domain::account::{Password, UserName};
use crate::domain::request::host::Scheme;
use crate::http::api::blocking;
use crate::http::cookie;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Credential, Role};
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![
        Route::page("/sign-in", Role::Open, show),
        Route::form("/sign-in", Role::Open, sign_in),
        Route::form("/sign-out", Role::Viewer, sign_out),
    ]
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    ground: Ground,
    /// How the browser calls this machine, for the tunnel that it may need.
    host: String,
    next: String,
    name: Field,
    password: Field,
}

/// Whether somebody can sign in here at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// Yes.
    Form,
    /// Over plain http from elsewhere: the password would be readable on its way, and no browser keeps a `Secure` cookie
    /// that came so.
    Insecure,
    /// Nobody has been added yet.
    NoUsers,
}

/// Where it is tried, and what was typed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    name: String,
    password: String,
    next: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Query {
    next: String,
    #[serde(flatten)]
    done: Done,
}

async fn show(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    scheme: Option<Extension<Scheme>>,
    headers: HeaderMap,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let next = own_path(&query.next).unwrap_or_default();
    if matches!(caller.credential, Credential::Session { .. }) {
        return Ok(see(if next.is_empty() { "/" } else { next }));
    }
    let ground = ground(&app, scheme, &headers).await?;
    Ok(shown(StatusCode::OK, query.done.onto(frame()), ground, &headers, next, ""))
}

fn frame() -> Frame {
    Frame::anonymous("Sign in")
}

fn shown(status: StatusCode, frame: Frame, ground: Ground, headers: &HeaderMap, next: &str, name: &str) -> Response {
    let (user, password) = (Field::line("name", "User"), Field::password("password", "Password", "current-password"));
    let user = user.value(name).autocomplete("username").most(UserName::MOST).no_capitals();
    // The name was typed already: what is to be typed again is the password.
    let (user, password) = if name.is_empty() { (user.focused(), password) } else { (user, password.focused()) };
    let (name, password) = (user, password.most(Password::MOST));
    let (host, next) = (host_name(headers).to_owned(), next.to_owned());
    page(status, &SignIn { frame, ground, host, next, name, password })
}

async fn ground(app: &App, scheme: Option<Extension<Scheme>>, headers: &HeaderMap) -> Result<Ground, ApiError> {
    if matches!(scheme, Some(Extension(Scheme::Http))) && !is_this_machine(host_name(headers)) {
        return Ok(Ground::Insecure);
    }
    let accounts = app.accounts.clone();
    Ok(if blocking(move || accounts.has_users()).await? { Ground::Form } else { Ground::NoUsers })
}

/// The host that the request names, without its port; the border has checked its form.
fn host_name(headers: &HeaderMap) -> &str {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether browsers trust this host as they trust https: what goes there does not leave the machine.
fn is_this_machine(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn sign_in(
    State(app): State<App>,
    Extension(actor): Extension<Actor>,
    scheme: Option<Extension<Scheme>>,
    headers: HeaderMap,
    Form(sent): Form<Sent>,
) -> Result<Response, ApiError> {
    let ground = ground(&app, scheme, &headers).await?;
    let next = own_path(&sent.next).unwrap_or_default();
    if ground != Ground::Form {
        return Ok(shown(StatusCode::FORBIDDEN, frame(), ground, &headers, next, ""));
    }
    let agent = headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned());
    let (name, password) = (sent.name.clone(), sent.password);
    let attempt = blocking(move || {
        Ok::<_, ApiError>(app.accounts.sign_in(&name, &password, &actor.address, &agent.unwrap_or_default()))
    });
    let error = match attempt.await? {
        Ok(session) => {
            let mut response = see(if next.is_empty() { "/" } else { next });
            response.headers_mut().insert(header::SET_COOKIE, cookie::set(&session.secret, session.lifetime)?);
            return Ok(response);
        }
        Err(SignInError::Account(error)) => return Err(error.into()),
        Err(error) => error,
    };
    let (status, seconds) = match error {
        SignInError::Wait { seconds } => (StatusCode::TOO_MANY_REQUESTS, Some(seconds)),
        _ => (StatusCode::UNAUTHORIZED, None),
    };
    let frame = frame().notice(Tone::Bad, sentence(error));
    let mut response = shown(status, frame, ground, &headers, next, &sent.name);
    let (name, value) = match seconds {
        Some(seconds) => (header::RETRY_AFTER, HeaderValue::from(seconds)),
        // Every 401 names a way to be known (RFC 9110, 11.6.1); browsers leave this one to programs.
        None => (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"quantum-clm\"")),
    };
    response.headers_mut().insert(name, value);
    Ok(response)
}

async fn sign_out(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, ApiError> {
    if let Credential::Session { id, .. } = caller.credential {
        blocking(move || app.accounts.sign_out(&actor, id)).await?;
    }
    let mut response = done("/sign-in", "signed-out");
    response.headers_mut().insert(header::SET_COOKIE, cookie::clear());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_trusted_and_no_other() {
        for (host, name, ours) in [
            ("localhost:8000", "localhost", true),
            ("LOCALHOST", "LOCALHOST", true),
            ("127.0.0.1:8000", "127.0.0.1", true),
            ("127.8.9.1", "127.8.9.1", true),
            ("[::1]:8000", "[::1]", true),
            ("[::1]", "[::1]", true),
            ("10.0.0.1:8000", "10.0.0.1", false),
            ("localhost.example", "localhost.example", false),
            ("127.0.0.1.example:80", "127.0.0.1.example", false),
            ("", "", false),
        ] {
            let headers: HeaderMap = [(header::HOST, HeaderValue::from_static(host))].into_iter().collect();
            assert_eq!((host_name(&headers), is_this_machine(host_name(&headers))), (name, ours), "{host}");
        }
    }
}
