//! A file of a model that is damaged in the backup: it costs nobody the restore of everything else.

use std::fs;

use super::machine::{FILES, content, with_a_model};
use super::{backup, data, everything, restore, restored};
use crate::support::work::digest;

#[test]
fn it_matters_where_it_is_needed_and_not_otherwise() {
    let bed = with_a_model();
    let backups = tempfile::tempdir().unwrap();
    let taken = backup(&bed, backups.path(), &[]);
    let name = digest(FILES[0].1);
    let stored = backups.path().join("artifacts").join(&name[..2]).join(&name[2..]);
    fs::remove_file(&stored).expect("a model's file in the backup");
    fs::write(&stored, "rotten").unwrap();

    let said = restored(&bed, &taken, &[]);
    assert_eq!(said["artifacts_there"], 2, "{said}");
    assert_eq!(
        (&said["artifacts_damaged"][0]["sha256"], said["artifacts_left_out"].as_array().unwrap().len()),
        (&name.clone().into(), 0)
    );

    for (_, file) in FILES {
        fs::remove_file(content(data(&bed), file)).unwrap();
    }
    let before = everything(data(&bed));
    for dry in [&["--dry-run"][..], &[]] {
        let said = restore(&bed, &taken, dry);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains(&name) && said.err.contains("--without-models"), "{said:?}");
        assert!(everything(data(&bed)) == before, "something was changed or left: {said:?}");
    }
    let said = restored(&bed, &taken, &["--without-models"]);
    assert_eq!(
        (&said["artifacts_restored"], &said["artifacts_left_out"][0]["sha256"]),
        (&1.into(), &name.into()),
        "{said}"
    );
    assert!(content(data(&bed), FILES[1].1).exists() && !content(data(&bed), FILES[0].1).exists(), "{said}");
}
