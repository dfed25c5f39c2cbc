//! docs/OPERATIONS.md as a list of what is typed, what is put into files, and what is shown as an answer.
//!
//! | fence | what |
//! |---|---|
//! | `sh`, `sh on=new`, `sh exit=1` | commands; on which machine, and with which exit code the last one ends |
//! | none, right behind `sh` | what these commands print; `…` stands for anything |
//! | any other, with `file=PATH` | what a file holds; to a file of TOML it is added |
//! | any other | shown only |

use std::fmt;

/// The machine on which commands are typed where the document says nothing else.
pub(super) const SERVER: &str = "vps";

/// A fence that means something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The line of the document on which its first line stands.
    pub(super) line: usize,
    /// The heading above it.
    pub(super) section: String,
    /// The machine that it is for.
    pub(super) on: String,
    /// What it is.
    pub(super) kind: Kind,
    /// What stands in it.
    pub(super) text: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Commands, which end with this exit code.
    Commands { exit: i32 },
    /// What the commands before it print.
    Answer,
    /// The content of a file.
    File { path: String },
}

/// What is wrong with the document, and where.
#[derive(Debug)]
pub(super) struct Mistake {
    line: usize,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "docs/OPERATIONS.md:{}: {}", self.line, self.what)
    }
}

/// The headings, as they are written.
pub(super) fn headings(document: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in document.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if let (false, Some(heading)) = (fenced, line.strip_prefix('#')) {
            found.push(heading.trim_start_matches('#').trim().to_owned());
        }
    }
    found
}

/// A heading as links name it, in the way of GitHub.
pub(super) fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

/// What stands in single quotes of code outside of blocks and headings, with its line; broken lines are mended.
pub(super) fn spans(document: &str) -> Vec<(usize, String)> {
    let mut fenced = false;
    let (mut found, mut within) = (Vec::new(), None::<String>);
    for (at, line) in document.lines().enumerate() {
        fenced ^= line.starts_with("```");
        if fenced || line.starts_with("```") || line.starts_with('#') || line.is_empty() {
            within = None;
            continue;
        }
        let mut parts = line.split('`');
        let first = parts.next().unwrap_or_default();
        if let Some(span) = &mut within {
            span.push(' ');
            span.push_str(first);
        }
        for part in parts {
            match within.take() {
                Some(span) => found.push((at + 1, span)),
                None => within = Some(part.to_owned()),
            }
        }
    }
    found
}

/// Takes the document apart.
pub(super) fn pieces(document: &str) -> Result<Vec<Piece>, Mistake> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut section = String::new();
    let mut lines = document.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(heading) = line.strip_prefix('#') {
            section = heading.trim_start_matches('#').trim().to_owned();
        }
        let Some(info) = line.strip_prefix("```") else { continue };
        let mistake = |what: &str| Mistake { line: at + 1, what: what.to_owned() };
        let mut text = String::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((_, line)) => {
                    text.push_str(line);
                    text.push('\n');
                }
                None => return Err(mistake("this fence does not end")),
            }
        }
        let mut words = info.split_whitespace();
        let language = words.next();
        let (mut on, mut exit, mut path) = (SERVER.to_owned(), 0, None);
        for word in words {
            match word.split_once('=') {
                Some(("on", machine)) => machine.clone_into(&mut on),
                Some(("exit", code)) if language == Some("sh") => {
                    exit = code.parse().map_err(|_| mistake("exit= wants a number"))?;
                }
                Some(("file", file)) if language != Some("sh") => path = Some(file.to_owned()),
                _ => return Err(mistake(&format!("a fence says `{word}`, which means nothing here"))),
            }
        }
        let kind = match (language, path) {
            (Some("sh"), _) => Kind::Commands { exit },
            (_, Some(path)) => Kind::File { path },
            (Some(_), None) => continue,
            (None, None) => {
                let before = pieces.last().filter(|piece| matches!(piece.kind, Kind::Commands { .. }));
                let before = before.filter(|piece| piece.section == section);
                on = before.ok_or_else(|| mistake("an answer stands behind no command"))?.on.clone();
                Kind::Answer
            }
        };
        pieces.push(Piece { line: at + 2, section: section.clone(), on, kind, text });
    }
    Ok(pieces)
}

/// `file`, with what `shown` has in its tables added to those of the same name, or behind all others.
pub(super) fn with_tables(file: &str, shown: &str) -> String {
    let mut lines: Vec<&str> = file.lines().collect();
    let mut place = 0;
    for line in shown.lines() {
        if line.starts_with('[') {
            place = lines.iter().position(|known| *known == line).map_or_else(
                || {
                    lines.push(line);
                    lines.len()
                },
                |at| at + 1,
            );
        } else if !line.trim().is_empty() {
            lines.insert(place, line);
            place += 1;
        }
    }
    lines.join("\n") + "\n"
}

/// Whether `said` is what the document shows: `…` in a line stands for anything in it, a line of only `…` for any lines.
/// Blanks in a row count as one, because columns are as wide as what stands in them.
pub(super) fn is_shown(shown: &str, said: &str) -> bool {
    fn fits(shown: &[String], said: &[String]) -> bool {
        match (shown.first(), said.first()) {
            (None, None) => true,
            (Some(first), _) if first == "…" => {
                fits(&shown[1..], said) || (!said.is_empty() && fits(shown, &said[1..]))
            }
            (Some(first), Some(line)) => line_fits(first, line) && fits(&shown[1..], &said[1..]),
            _ => false,
        }
    }
    let lines = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|l| !l.is_empty())
            .collect()
    };
    fits(&lines(shown), &lines(said))
}

fn line_fits(shown: &str, line: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_commands_answers_and_files() {
        let document = "# A\n## B c\n```sh\none\ntwo\n```\nsays\n```\nthree …\n```\n```toml file=/etc/x\nk = 1\n```\n\
                        ```sh on=new exit=1\nfour\n```\n```ini\nshown\n```\n";
        let pieces = pieces(document).unwrap();
        let told: Vec<_> = pieces.iter().map(|piece| (piece.line, piece.on.as_str(), piece.text.as_str())).collect();
        assert_eq!(
            told,
            [(4, "vps", "one\ntwo\n"), (9, "vps", "three …\n"), (12, "vps", "k = 1\n"), (15, "new", "four\n")]
        );
        assert_eq!(pieces[3].kind, Kind::Commands { exit: 1 });
        assert_eq!(headings(document), ["A", "B c"]);
        assert_eq!(anchor("Nobody can sign in: `x`"), "nobody-can-sign-in-x");
    }

    #[test]
    fn what_means_nothing_is_a_mistake() {
        for (document, says) in [
            ("```sh\nx\n", ":1: this fence does not end"),
            ("\n```sh of=x\nx\n```\n", ":2: a fence says `of=x`"),
            ("```\nx\n```\n", ":1: an answer stands behind no command"),
            ("```sh\nx\n```\n# B\n```\nx\n```\n", ":5: an answer stands behind no command"),
        ] {
            let mistake = pieces(document).unwrap_err().to_string();
            assert!(mistake.contains(says), "{mistake}");
        }
    }

    #[test]
    fn a_table_is_added_to_the_one_that_is_there() {
        let file = "a = 1\n[one]\n#k = 1\n[two]\n";
        assert_eq!(
            with_tables(file, "[one]\nk = 2\nl = 3\n\n[new]\nm = 4\n"),
            "a = 1\n[one]\nk = 2\nl = 3\n#k = 1\n[two]\n[new]\nm = 4\n"
        );
    }

    #[test]
    fn an_answer_may_leave_things_open() {
        for (shown, said, is) in [
            ("a\nb\n", "a\n\nb\n", true),
            ("a   b\n", "a b\n", true),
            ("a\n", "b\n", false),
            ("a\n", "a\nb\n", false),
            ("…\nb\n", "x\ny\nb\n", true),
            ("…\nb\n", "x\ny\n", false),
            ("a\n…\n", "a\n", true),
            ("a … c … e\n", "a b c d e\n", true),
            ("a … c\n", "a b d\n", false),
        ] {
            assert_eq!(is_shown(shown, said), is, "{shown:?} {said:?}");
        }
    }
}
