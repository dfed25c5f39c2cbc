//! The copyright file names everything that is linked in.

use std::fs;
use std::process::Command;

use super::{here, run};

#[test]
fn it_is_what_is_linked_in() {
    let output = run(Command::new("python3").arg(here("packaging/scripts/copyright")).arg("--check"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Those whose licences are not in Cargo.toml, or that are no crates.
#[test]
fn sources_of_others_within_crates_are_named() {
    let text = fs::read_to_string(here("debian/copyright")).unwrap();
    for (what, licence) in [
        ("Files: static/uPlot.*\n", "Expat"),
        ("Files: rust/library/*\n", "Expat"),
        ("Files: glibc/*\n", "LGPL-2.1+"),
        ("Files: libgcc/*\n", "GPL-3+ with GCC Runtime Library Exception"),
        ("third_party/fiat/*\n", "Apache-2.0"),
        ("/zstd/*\n", "BSD-3-clause"),
    ] {
        let (_, paragraph) = text.split_once(what).unwrap_or_else(|| panic!("{} is missing", what.trim()));
        let stated = paragraph.lines().find_map(|line| line.strip_prefix("License: ")).unwrap();
        assert!(stated.starts_with(licence), "{what}: {stated}");
    }
    // A licence that is named and whose text is not there would be a promise.
    let named = text.lines().filter_map(|line| line.strip_prefix("License: "));
    for name in named.flat_map(|names| names.split(" and ")).flat_map(|names| names.split(" or ")) {
        let shown = text
            .lines()
            .collect::<Vec<_>>()
            .windows(2)
            .any(|pair| pair[0] == format!("License: {name}") && pair[1].starts_with(' '));
        assert!(shown, "the text of {name} is missing");
    }
}
