use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::http::header;
use serde_json::{Map, Value};

use crate::app::App;
use crate::http::doc::Doc;
use crate::http::openapi;
use crate::http::peer::Role;
use crate::http::routes::Route;

/// The table with the route that describes it, itself included.
pub(super) fn add(mut routes: Vec<Route<App>>) -> Vec<Route<App>> {
    let text = Arc::new(OnceLock::<Bytes>::new());
    let written = Arc::clone(&text);
    let answer = move || {
        let text = written.get().cloned().unwrap_or_default();
        async move { ([(header::CONTENT_TYPE, "application/json")], text) }
    };
    let doc = Doc::new("health", "This description").answer::<Map<String, Value>>(
        200,
        "OpenAPI 3.1.",
        serde_json::json!({ "openapi": "3.1.0" }),
    );
    routes.push(Route::get("/openapi.json", Role::Viewer, answer).doc(doc));
    text.get_or_init(|| openapi::document(&routes).to_string().into());
    routes
}
