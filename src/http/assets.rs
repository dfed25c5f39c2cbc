//! Static files, served from the binary.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::peer::Role;
use super::routes::Route;
use crate::app::App;

const FILES: &[(&str, &str, &[u8])] = &[
    ("app.css", "text/css; charset=utf-8", include_bytes!("../../static/app.css")),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../../static/app.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../static/icon.svg")),
];

/// The path of a static file.
pub(super) fn url(name: &str) -> String {
    format!("/static/{name}")
}

/// The route that serves them.
pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::get("/static/{name}", Role::Open, serve)]
}

async fn serve(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(file, ..)| *file == name) {
        Some((_, kind, bytes)) => ([(header::CONTENT_TYPE, *kind)], *bytes).into_response(),
        None => ApiError::NotFound("no such file".to_owned()).into_response(),
    }
}
