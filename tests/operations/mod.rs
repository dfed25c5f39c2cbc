//! docs/OPERATIONS.md is true: every command in it runs, as it stands there, in throw-away Debian systems; and everything that can
//! call somebody has its section.

mod document;
mod inline;
mod machines;
mod sections;

use std::fs;
use std::path::{Path, PathBuf};

use document::{Kind, Piece, is_shown};
use machines::{Machines, World};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[track_caller]
fn document() -> String {
    fs::read_to_string(here("docs/OPERATIONS.md")).unwrap()
}

#[track_caller]
fn pieces() -> Vec<Piece> {
    document::pieces(&document()).unwrap_or_else(|mistake| panic!("{mistake}"))
}

/// What the world does: `tests/operations/world`. Nothing that the document leaves out may be in it.
#[test]
fn every_command_in_the_document_runs_as_it_stands_there() {
    let world = World::read(&here("tests/operations/world"));
    let mut machines = Machines::new();
    machines.open_store();
    let mut section = String::new();
    let mut said = String::new();
    for piece in pieces() {
        if machines.boot(&piece.on) {
            happens(&machines, &world, &format!("made {}", piece.on), &piece.on);
        }
        if piece.section != section {
            around(&mut machines, &world, "after", &section);
            section.clone_from(&piece.section);
            around(&mut machines, &world, "before", &section);
        }
        match &piece.kind {
            Kind::Commands { exit } => said = types(&machines, &world, &piece, *exit),
            Kind::Answer => assert!(
                is_shown(&piece.text, &said),
                "docs/OPERATIONS.md:{}: the commands above do not answer what is shown, but:\n{said}",
                piece.line
            ),
            Kind::File { path } => puts(&machines, &piece, path),
        }
    }
    around(&mut machines, &world, "after", &section);
}

/// What happens `when` a section begins or ends, on each machine for which something is written down.
fn around(machines: &mut Machines, world: &World, when: &str, section: &str) {
    let begin = format!("{when} {section} @ ");
    for mark in world.marks().filter(|mark| mark.starts_with(&begin)) {
        let machine = &mark[begin.len()..];
        if machines.boot(machine) {
            happens(machines, world, &format!("made {machine}"), machine);
        }
        happens(machines, world, mark, machine);
    }
}

/// What happens in the world while nobody types.
fn happens(machines: &Machines, world: &World, mark: &str, machine: &str) {
    let Some(script) = world.at(mark) else { return };
    let (said, ended) = machines.type_in(machine, script, &[]);
    assert_eq!(said.code, Some(0), "tests/operations/world, `{mark}`, {ended:?}:\n{}", said.text);
}

/// Types the commands, and gives what they print.
fn types(machines: &Machines, world: &World, piece: &Piece, exit: i32) -> String {
    let typed: Vec<_> =
        world.at(&format!("typed in {}", piece.section)).unwrap_or_default().lines().map(str::to_owned).collect();
    let begun = std::time::Instant::now();
    let (said, ended) = machines.type_in(&piece.on, &piece.text, &typed);
    let last = piece.text.lines().count() - 1;
    let at = ended.as_ref().map_or(last, |(line, _)| *line);
    println!("docs/OPERATIONS.md:{}-{} on {}: {:?}", piece.line, piece.line + last, piece.on, begun.elapsed());
    if said.code != Some(exit) || (exit != 0 && at != last) {
        let command = ended.map_or_else(String::new, |(_, command)| command);
        let how = said.code.map_or("took too long".to_owned(), |code| format!("ended with {code} instead of {exit}"));
        let (line, on, text) = (piece.line + at, &piece.on, &said.text);
        panic!(
            "docs/OPERATIONS.md:{line}: `{command}` {how} on {on}:\n{text}\n--- its journal:\n{}",
            machines.journal(on)
        );
    }
    said.text
}

/// Puts what the document shows into its file; of TOML each table to the table that is there, as an operator does.
fn puts(machines: &Machines, piece: &Piece, path: &str) {
    let run = |script: &str| {
        let (said, _) = machines.type_in(&piece.on, script, &[]);
        assert_eq!(said.code, Some(0), "docs/OPERATIONS.md:{}: {path}: {}", piece.line, said.text);
        said.text
    };
    let text = if path.ends_with(".toml") {
        document::with_tables(&run(&format!("cat '{path}'")), &piece.text)
    } else {
        piece.text.clone()
    };
    run(&format!("mkdir -p \"$(dirname '{path}')\"\ncat >'{path}' <<'END-OF-FILE'\n{text}END-OF-FILE\n"));
}
