//! Reads the source and keeps the rules of ARCHITECTURE.md about who may know whom.

use std::fs;
use std::path::{Path, PathBuf};

/// Files beyond this ask what the second thing in them is.
const MAX_LINES: usize = 600;

struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    fn walk(directory: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("a directory of the source") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("src"), &mut paths);
    paths.sort();
    let read = |path: PathBuf| Source {
        text: fs::read_to_string(&path).expect("a source file"),
        path: path.strip_prefix(root).expect("below the root").display().to_string(),
    };
    paths.into_iter().map(read).collect()
}

/// Code lines (no comments) of the files that `concerns` picks that hold one of `words`.
fn breaches(concerns: impl Fn(&str) -> bool, words: &[&str], rule: &str) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| concerns(&source.path)) {
        for (number, line) in source.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in words.iter().filter(|word| holds(code, word)) {
                found.push(format!("{}:{}: {word}: {rule}", source.path, number + 1));
            }
        }
    }
    found
}

/// Whether `code` holds `word` and not merely the end of a longer name.
fn holds(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':')
    })
}

#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn outside<'a>(rooms: &'a [&'a str]) -> impl Fn(&str) -> bool + 'a {
    move |path| !rooms.iter().any(|room| path.starts_with(room))
}

fn inside<'a>(rooms: &'a [&'a str]) -> impl Fn(&str) -> bool + 'a {
    move |path| rooms.iter().any(|room| path.starts_with(room))
}

#[test]
fn only_the_store_knows_redb() {
    none(&breaches(outside(&["src/store/"]), &["redb::"], "only src/store may know redb"));
}

#[test]
fn only_the_mirror_knows_redis() {
    none(&breaches(
        outside(&["src/mirror/"]),
        &["redis::aio", "redis::cmd", "redis::Client"],
        "only src/mirror may speak Redis",
    ));
}

#[test]
fn tls_is_spoken_in_one_place() {
    none(&breaches(outside(&["src/connect.rs"]), &["rustls::", "hyper_rustls::"], "ask src/connect.rs"));
}

#[test]
fn names_are_resolved_in_one_place() {
    none(&breaches(outside(&["src/names.rs"]), &["hickory_resolver::"], "ask src/names.rs"));
}

#[test]
fn only_http_knows_axum() {
    none(&breaches(outside(&["src/http/"]), &["axum::"], "only src/http may know axum"));
}

#[test]
fn the_domain_has_no_clock_no_io_and_no_async() {
    let words = ["Utc::now", "SystemTime", "Instant::now", "std::fs", "std::net", "std::io", "tokio::", "async fn"];
    none(&breaches(inside(&["src/domain/"]), &words, "the domain is pure: the present is an argument"));
}

#[test]
fn the_domain_knows_no_other_room() {
    let words = [
        "crate::store",
        "crate::mirror",
        "crate::http",
        "crate::tasks",
        "crate::app",
        "crate::cli",
        "crate::sources",
        "crate::observe",
        "crate::pipeline",
        "crate::process",
        "crate::config",
        "crate::artifacts",
        "crate::backup",
        "crate::runner",
        "crate::joblog",
    ];
    none(&breaches(inside(&["src/domain/"]), &words, "the domain stands on its own"));
}

#[test]
fn tasks_and_http_do_not_know_each_other() {
    none(&breaches(inside(&["src/tasks/"]), &["crate::http"], "tasks must not know http"));
    none(&breaches(inside(&["src/http/"]), &["crate::tasks"], "http must not know tasks"));
}

#[test]
fn the_rooms_below_do_not_know_those_above() {
    let above = ["crate::app", "crate::tasks", "crate::http", "crate::cli"];
    let below = [
        "src/store/",
        "src/sources/",
        "src/mirror/",
        "src/notify/",
        "src/artifacts/",
        "src/backup/",
        "src/names.rs",
        "src/connect.rs",
        "src/pipeline",
        "src/runner/",
        "src/joblog/",
    ];
    none(&breaches(inside(&below), &above, "it is above"));
    none(&breaches(inside(&["src/mirror/"]), &["crate::notify"], "followers know nothing of each other"));
    none(&breaches(inside(&["src/notify/"]), &["crate::mirror"], "followers know nothing of each other"));
    none(&breaches(
        inside(&["src/backup/"]),
        &["crate::sources", "crate::mirror", "crate::notify", "crate::pipeline", "crate::worker", "crate::runner"],
        "backups know the data file and its directory, not who uses them",
    ));
    let only_remote = ["crate::config", "crate::observe", "crate::connect"];
    let local = |path: &str| path.starts_with("src/backup/") && !path.starts_with("src/backup/remote/");
    none(&breaches(local, &only_remote, "of backups only `remote` is configured, connects and tells of it"));
    let others = ["crate::names", "crate::stop", "crate::joblog"];
    none(&breaches(inside(&["src/backup/"]), &others, "backups know domain, store, artifacts and process"));
    none(&breaches(
        inside(&["src/store/"]),
        &["crate::sources", "crate::mirror", "crate::notify", "crate::artifacts", "crate::backup", "crate::pipeline"],
        "it is above",
    ));
}

#[test]
fn programs_are_run_by_workers_alone() {
    let rooms = ["src/runner/", "src/worker/", "src/cli/"];
    none(&breaches(outside(&rooms), &["crate::runner"], "the daemon runs nothing"));
    let others =
        ["crate::store", "crate::artifacts", "crate::mirror", "crate::notify", "crate::pipeline", "crate::config"];
    none(&breaches(inside(&["src/runner/", "src/joblog/"]), &others, "runs and logs are files, and know no daemon"));
    none(&breaches(inside(&["src/joblog/"]), &["crate::runner"], "it is above"));
}

#[test]
fn nothing_is_left_for_later_and_no_file_is_two() {
    none(&breaches(|_| true, &["todo!", "unimplemented!", "dbg!", "#[ignore"], "finish it"));
    let mut found = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            found.push(format!("{}: {lines} lines: what is the second thing in it?", source.path));
        }
        for (number, line) in source.text.lines().enumerate() {
            if ["TODO", "FIXME", "XXX"].iter().any(|mark| holds(line, mark)) {
                found.push(format!("{}:{}: a note for later: file an issue instead", source.path, number + 1));
            }
        }
    }
    none(&found);
}

/// Every file that the map names is there, so that a reader who follows it arrives.
#[test]
fn the_map_names_files_that_are_there() {
    fn walk(directory: &Path, into: &mut Vec<String>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, into);
            } else {
                into.push(path.display().to_string());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    ["src", "tests", "benches", "examples"].iter().for_each(|room| walk(&root.join(room), &mut files));
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the map");
    let named = map.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs") && !name.contains(' '));
    let gone: Vec<_> = named.filter(|name| !files.iter().any(|file| file.ends_with(&format!("/{name}")))).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names files that are not there: {gone:?}");
}

/// `cargo run`, and so `make run`, hands what the build sets on to the program, which refuses settings that it does not know.
#[test]
fn what_the_build_sets_is_no_setting() {
    let build = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/build.rs")).unwrap();
    assert!(!build.contains("rustc-env=QUANTUM_CLM_"), "`make run` would not start");
}
