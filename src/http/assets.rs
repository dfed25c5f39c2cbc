//! The files that pages load: stylesheet, scripts, pictures. They are in the binary, so there is no directory that a
//! path could climb out of, and their names carry a hash of their content, so a browser may keep them for a year.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::peer::Role;
use super::routes::Route;

/// One file of `static/`, by its name there.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../static/", $name)).as_slice())),*]
    };
}

/// Every file of `static/`: the one table. A test compares it with the directory.
const FILES: &[(&str, &[u8])] = files![
    "app.css",
    "app.js",
    "charts.js",
    "icon.svg",
    "joblog.js",
    "tail.js",
    "uPlot.LICENSE.txt",
    "uPlot.css",
    "uPlot.min.js"
];

/// Hexadecimal digits of the hash in a name: 64 bits, for telling versions of one file apart.
const HASH_DIGITS: usize = 16;

struct Asset {
    /// As the templates call it: `app.css`.
    name: &'static str,
    /// As a browser asks for it: `/static/app.3f9a….css`.
    url: String,
    content_type: &'static str,
    bytes: &'static [u8],
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |&(name, bytes): &(&'static str, &'static [u8])| {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let url = format!("/static/{stem}.{}.{extension}", &hash[..HASH_DIGITS]);
        Asset { name, url, content_type: content_type(extension), bytes }
    };
    FILES.iter().map(asset).collect()
});

/// Browsers are told to believe nothing else (`nosniff`), so a kind that is missing here is a file that does not load.
fn content_type(extension: &str) -> &'static str {
    match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Where a page finds the file `name` of `static/`. A name that is not there gets an address at which nothing is; a test
/// looks for such names in the templates.
pub fn url(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/static/", |asset| &asset.url)
}

/// The files' one route. It is open to everybody: the sign-in page needs its stylesheet, and nothing here is a secret.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Vec<Route<S>> {
    vec![Route::get("/static/{name}", Role::Open, file)]
}

async fn file(Path(name): Path<String>) -> Response {
    let asked = |asset: &&Asset| asset.url.strip_prefix("/static/") == Some(&name);
    match ASSETS.iter().find(asked) {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, asset.bytes).into_response()
        }
        // Also the name of an older version: a page that asks for it was made by another binary.
        None => ApiError::NotFound(format!("there is no file {name:?}")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn names(directory: &str) -> Vec<(String, String)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let mut names = Vec::new();
        for entry in fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                names.extend(self::names(&format!("{directory}/{name}")));
            } else {
                names.push((name, fs::read_to_string(entry.path()).unwrap_or_default()));
            }
        }
        names.sort();
        names
    }

    #[test]
    fn every_file_of_the_directory_is_in_the_table() {
        let mut table: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        table.sort();
        let there: Vec<_> = names("static").into_iter().map(|(name, _)| name).collect();
        assert_eq!(table, there, "static/ and FILES differ");
        for asset in ASSETS.iter() {
            assert_ne!(asset.content_type, "application/octet-stream", "{}: name its kind in content_type", asset.name);
        }
    }

    #[test]
    fn names_carry_the_hash_and_unknown_ones_lead_nowhere() {
        let url = url("app.css");
        let hash = url.strip_prefix("/static/app.").and_then(|rest| rest.strip_suffix(".css")).unwrap();
        assert!(hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{url}");
        assert_eq!(super::url("nothing.css"), "/static/");
    }

    #[test]
    fn templates_name_files_that_are_there_and_only_through_url() {
        for (template, text) in names("templates") {
            for call in text.split("assets::url(\"").skip(1) {
                let name = call.split('"').next().unwrap();
                assert_ne!(url(name), "/static/", "templates/{template}: there is no static/{name}");
            }
            assert!(!text.contains("\"/static/"), "templates/{template}: a name without hash is kept for ever");
        }
    }
}
