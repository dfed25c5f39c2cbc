//! What stands in a sentence of docs/OPERATIONS.md and can be typed stands in a block as well, which is run.

use super::document::{Kind, pieces, spans};

/// What is typed elsewhere than on a server, and run by other tests.
const ELSEWHERE: [&str; 1] = ["make apt-repo"];

/// Whether the words can be typed: a program, and at least one word behind it. `key = value` cannot.
fn is_typed(span: &str) -> bool {
    let mut words = span.split_whitespace();
    let program = words.next().unwrap_or_default();
    let lower = program.chars().all(|c| c.is_ascii_lowercase() || c == '-') && program.starts_with(char::is_alphabetic);
    lower && words.next().is_some_and(|word| word != "=") && !ELSEWHERE.contains(&span)
}

/// Whether `typed` is what the word of a sentence says, which may leave open what differs: `JOB`, `s3://BUCKET/PREFIX`.
fn is_said(word: &str, typed: &str) -> bool {
    let open = word.as_bytes().windows(2).position(|two| two.iter().all(u8::is_ascii_uppercase));
    open.map_or(word == typed, |open| typed.starts_with(&word[..open]))
}

/// Whether the words stand in this line, in their order.
fn stands_in(line: &str, span: &str) -> bool {
    let mut typed = line.split_whitespace().map(|word| word.trim_matches(['"', '\'', ')', ';']));
    span.split_whitespace().all(|word| typed.any(|typed| is_said(word, typed)))
}

/// The commands of sentences that stand in no block.
fn not_run(document: &str) -> Vec<String> {
    let pieces = pieces(document).unwrap_or_else(|mistake| panic!("{mistake}"));
    let run = pieces.iter().filter(|piece| matches!(piece.kind, Kind::Commands { .. }));
    let lines: Vec<&str> = run.flat_map(|piece| piece.text.lines()).collect();
    spans(document)
        .into_iter()
        .filter(|(_, span)| is_typed(span) && !lines.iter().any(|line| stands_in(line, span)))
        .map(|(line, span)| format!("docs/OPERATIONS.md:{line}: `{span}` stands in no block"))
        .collect()
}

#[test]
fn commands_in_sentences_stand_in_blocks() {
    let found = not_run(&super::document());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_command_that_is_not_run_is_found() {
    let document = "Type `jobs log JOB`, `apt\nclean` or `user add`; `key = 1`, `health`, `s3://x` and\n`tar -x` are not.\n\
                    ```sh\nquantum-clm jobs log \"$JOB\"\napt clean\n```\n";
    let found = not_run(document);
    assert_eq!(
        found,
        ["docs/OPERATIONS.md:2: `user add` stands in no block", "docs/OPERATIONS.md:3: `tar -x` stands in no block"]
    );
    assert!(!stands_in("systemctl start quantum-clm.socket", "systemctl start quantum-clm"));
    assert!(stands_in("quantum-clm backup --to s3://backups/other", "backup --to s3://BUCKET/PREFIX"));
    assert!(!stands_in("quantum-clm backup --to /mnt", "backup --to s3://BUCKET/PREFIX"));
}
