//! Backups that files of models are missing from: nobody loses the events' backup for that, and somebody is told.

use std::fs;
use std::path::{Path, PathBuf};

use quantum_clm::app::{App, sample};
use quantum_clm::config::Config;
use quantum_clm::domain::backup::Keep;
use quantum_clm::observe::metrics::Metrics;
use quantum_clm::observe::now;
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::store::Store;
use serde_json::Value;

use super::bed::{Bed, files, look, make};
use super::daemon::{QUICK, intents};
use crate::support::daemon::Bed as Machine;
use crate::support::wait_for;

/// A file of a model, beside the data file in `directory`.
fn a_models_file(directory: &Path) -> PathBuf {
    files(&directory.join("artifacts/sha256"))[0].clone()
}

#[test]
fn the_last_backup_that_has_what_newer_ones_lack_is_kept() {
    let bed = Bed::new(100);
    let lost = a_models_file(bed.directory.path());
    let [older, newer] = [(); 2].map(|()| bed.backup().manifest);
    let sound = fs::read(&lost).expect("a file");
    // Neither the file itself nor the one on the shelf can be read, so that it cannot be put into the next one.
    let digest = |manifest: &quantum_clm::domain::backup::Manifest| {
        let kept = manifest.artifacts.iter().find(|kept| lost.ends_with(&kept.stored_name));
        bed.place().artifacts().join(&kept.expect("the file on the shelf").stored_name)
    };
    let shelf = digest(&newer);
    fs::write(&lost, b"damaged").expect("a write");
    fs::write(&shelf, b"damaged").expect("a write");
    let app = bed.app();
    let incomplete = make(&app.store, &bed.place(), &super::bed::ALL, &|_| {}).expect("a backup").manifest;
    assert_eq!(incomplete.lacking.len(), 1, "{incomplete:?}");
    let report = look(&bed.place().backup(incomplete.id), true);
    assert!(report.is_whole() && report.notes.iter().any(|note| note.contains("is not in it")), "{report:?}");

    let one = Keep { last: 1, daily: 0, weekly: 0, monthly: 0 };
    let fourth = make_lacking(&app, &bed, &shelf, &sound, &one);
    let left: Vec<_> = bed.found().iter().map(|found| found.id).collect();
    assert!(left.contains(&newer.id) && !left.contains(&older.id), "{left:?} of {older:?}, {newer:?}, {fourth}");
}

/// Makes a backup that finds nothing on the shelf and nothing beside the data file, while retention finds it on the shelf.
fn make_lacking(app: &App, bed: &Bed, shelf: &Path, sound: &[u8], keep: &Keep) -> String {
    fs::write(shelf, b"damaged").expect("a write");
    let mend = |step| {
        if step == quantum_clm::domain::backup::Stage::Prune {
            fs::write(shelf, sound).expect("a write");
        }
    };
    let created = make(&app.store, &bed.place(), keep, &mend).expect("a backup");
    assert_eq!(created.manifest.lacking.len(), 1, "{created:?}");
    created.manifest.id.to_string()
}

/// The first version that uses a file, as people call it: what the file is called there, the model and the version.
fn used_by(app: &App, content: &Path) -> String {
    for model in app.store.models().expect("models") {
        for version in app.store.versions_of(&model.id).expect("versions") {
            for file in version.artifacts.iter().flat_map(|artifacts| &artifacts.files) {
                let name = file.sha256.to_string();
                if content.ends_with(format!("{}/{}", &name[..2], &name[2..])) {
                    return format!("{} of {} {}", file.path, version.model, version.name);
                }
            }
        }
    }
    panic!("nobody uses {}", content.display());
}

#[test]
fn a_model_whose_file_is_lost_is_told_by_everything_until_it_is_there_again() {
    let bed = Machine::new("", &[QUICK]);
    let config = Config { data_file: bed.data_file().to_owned(), ..Config::default() };
    let board = StatusBoard::new();
    let metrics = Metrics::new(board.clone(), "1.2.3", "abcdef", now());
    let store = Store::open(&config.data_file).expect("a data file");
    let app = App::new(config, store, board, metrics, now());
    sample::fill(&app, now()).expect("a sample");
    let data_file = bed.data_file();
    let lost = a_models_file(data_file.parent().expect("a directory"));
    let used = used_by(&app, &lost);
    app.close();
    let sound = fs::read(&lost).expect("a file");
    fs::write(&lost, b"damaged").expect("a write");

    let daemon = bed.start();
    let said = bed.run(&["backup"]);
    assert!(
        said.code == Some(1) && said.out.contains("is whole") && said.out.contains("not in it, because"),
        "{said:?}"
    );
    let ours = || intents(&daemon).into_iter().find(|(rule, _)| rule == "backup.incomplete").map(|(_, state)| state);
    assert_eq!(ours().as_deref(), Some("open"));
    // By the model, which people know, and not by a digest alone.
    let listed: Value = super::daemon::get(&daemon, "/api/intents");
    let intent = listed["intents"].as_array().expect("intents").iter().find(|one| one["rule"] == "backup.incomplete");
    let reason = intent.expect("the intent")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains(&used) && said.out.contains(&used), "{used:?} is not in {reason:?} and {said:?}");
    let said = bed.run(&["backup", "list"]);
    assert!(said.out.contains("whole, 1 file lacking"), "{said:?}");
    wait_for("health and metrics say so", || {
        let health: Value = super::daemon::get(&daemon, "/api/health");
        let warns = health["components"].as_array().expect("components").iter().any(|component| {
            component["name"] == "backups"
                && component["state"] == "warn"
                && component["summary"].as_str().is_some_and(|words| words.contains("lacks 1 file of"))
        });
        warns && daemon.metric("quantum_clm_backup_lacking_files") == Some(1)
    });

    fs::write(&lost, sound).expect("a write");
    let said = bed.run(&["backup"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(ours().as_deref(), Some("resolved"));
    daemon.stop();
}
