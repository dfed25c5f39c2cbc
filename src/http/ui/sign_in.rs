use askama::Template;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::field::Field;
use super::{Frame, page};
use crate::app::App;
use crate::http::extract::Params;
use crate::http::peer::Role;
use crate::http::routes::Route;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/sign-in", Role::Open, show)]
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    ground: Ground,
    host: String,
    next: String,
    name: Field,
    password: Field,
}

/// Whether somebody can sign in here at all.
enum Ground {
    Form,
    Insecure,
    NoUsers,
}

#[derive(Deserialize)]
struct Query {
    #[serde(default)]
    next: String,
}

async fn show(Params(query): Params<Query>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default().to_owned();
    let name = Field::line("name", "User").autocomplete("username").focused();
    let password = Field::password("password", "Password", "current-password");
    page(StatusCode::OK, &SignIn { frame: Frame::anonymous("Sign in"), ground: Ground::Form, host, next: query.next, name, password })
}
