//! The description of the API: whole, and held against what the product does. What a validator says of it, and what a
//! client that makes its requests from it finds, is in `property.rs`.

use std::collections::BTreeSet;

use quantum_clm::http::api;
use quantum_clm::http::peer::Role;
use quantum_clm::http::routes::Kind;
use serde_json::Value;

use super::answers::{product, whole_answer};

/// What is for programs. Files, reports of browsers and pages are not.
fn is_api(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/clm/") || ["/health", "/metrics", "/openapi.json"].contains(&path)
}

#[tokio::test]
async fn every_route_is_described() {
    let (product, _dir) = product();
    let (status, document) = whole_answer(&product, "GET", "/openapi.json", "").await;
    assert_eq!(status, 200);
    let mut described = BTreeSet::new();
    for route in api::routes().iter().filter(|route| route.kind() == Kind::Api && is_api(route.path())) {
        let (method, path) = (route.method().as_str().to_ascii_lowercase(), route.path().replace("{*", "{"));
        let operation = &document["paths"][&path][&method];
        assert!(operation.is_object(), "{method} {path} has no doc");
        let text = operation["description"].as_str().unwrap();
        let least = if route.least() == Role::Open { "no credential" } else { route.least().as_str() };
        assert!(text.contains(least), "{method} {path}: {text}");
        if let Some(scope) = route.scope() {
            assert!(text.contains(scope.as_str()), "{method} {path}: {text}");
        }
        let answers = operation["responses"].as_object().unwrap();
        let shown = answers.iter().filter(|(status, _)| status.starts_with('2')).all(|(_, answer)| {
            answer.get("content").is_none_or(|content| {
                content
                    .as_object()
                    .unwrap()
                    .values()
                    .all(|media| media.get("example").is_some_and(|example| !example.is_null()))
            })
        });
        assert!(shown && answers.keys().any(|status| status.starts_with('2')), "{method} {path} has no example");
        if let Some(body) = operation.get("requestBody") {
            for media in body["content"].as_object().unwrap().values() {
                assert!(!media["example"].is_null(), "{method} {path}: a body without an example");
            }
        }
        let parts: Vec<_> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let named: Vec<_> = operation["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(parts, named, "{method} {path}");
        described.insert((path, method));
    }
    let listed: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())))
        .collect();
    assert_eq!(listed, described);
}

/// References that lead nowhere, and shapes that nobody refers to.
#[tokio::test]
async fn nothing_is_referred_to_that_is_not_there() {
    fn references(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    into.insert(to.clone());
                }
                fields.values().for_each(|value| references(value, into));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, into)),
            _ => {}
        }
    }
    let (product, _dir) = product();
    let (_, document) = whole_answer(&product, "GET", "/openapi.json", "").await;
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.contains(&format!("#/components/schemas/{name}")), "nobody refers to {name}");
    }
}
