//! Tells the program which commit it was built from, and the linker to make it small. Reads `.git` itself: a build needs no git.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=REVISION");
    let named = std::env::var("REVISION").ok().filter(|revision| !revision.trim().is_empty());
    // Of a build for work on the program it would be the commit before, and each commit would build everything anew.
    let release = std::env::var("OPT_LEVEL").is_ok_and(|level| level != "0");
    let revision = named.or_else(|| if release { head() } else { Some("development".to_owned()) });
    let revision = revision.unwrap_or_else(|| "unknown".to_owned());
    let short: String = revision.trim().chars().filter(char::is_ascii_graphic).take(12).collect();
    // Not QUANTUM_CLM_…: `cargo run` hands it on to the program, which takes all of those for settings.
    println!("cargo:rustc-env=BUILT_FROM={short}");
    if release {
        // Less to carry: equal functions once, and 600 KB of relocations in 8. Both are lld's, which rustc links with here.
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
        println!("cargo:rustc-link-arg-bins=-Wl,--pack-dyn-relocs=relr");
    }
}

/// The commit that HEAD is at.
fn head() -> Option<String> {
    let directory = git_directory()?;
    // A worktree has a HEAD of its own and shares the branches.
    let common = fs::read_to_string(directory.join("commondir"))
        .map_or_else(|_| directory.clone(), |path| directory.join(path.trim()));
    let head = read(&directory.join("HEAD"))?;
    // Of a branch whose file is packed away, the log still changes with each commit.
    watch(&directory.join("logs/HEAD"));
    let Some(name) = head.trim().strip_prefix("ref: ") else { return Some(head) };
    read(&common.join(name)).or_else(|| {
        let packed = read(&common.join("packed-refs"))?;
        packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' ').map(str::to_owned))
    })
}

fn git_directory() -> Option<PathBuf> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    let path = root.join(".git");
    if path.is_dir() {
        return Some(path);
    }
    let text = fs::read_to_string(path).ok()?;
    Some(root.join(text.trim().strip_prefix("gitdir: ")?))
}

fn read(path: &Path) -> Option<String> {
    watch(path);
    fs::read_to_string(path).ok()
}

/// Only what exists: cargo would build anew each time for the sake of a file that is missing.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}
