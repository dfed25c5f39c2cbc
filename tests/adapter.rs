//! The published JSON Schemas of the adapters' contract are those of the types.

use std::path::Path;

use quantum_clm::domain::adapter::schemas;

/// `BLESS=1` writes them anew.
#[test]
fn the_published_schemas_are_those_of_the_types() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    for (name, schema) in schemas() {
        let path = directory.join(name);
        let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &text).expect("a schema");
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(published == text, "docs/schemas/{name} is not what the types say: BLESS=1 cargo nextest run schemas");
    }
}
