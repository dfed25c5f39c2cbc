use std::fmt::Write as _;

const ESCAPE: char = '\u{1b}';

/// Appends what a program wrote as people may see it: bytes that are no UTF-8 as `\xff`, no escape sequences of a terminal, and no
/// control character but the tab.
pub(super) fn append_visible(raw: &[u8], into: &mut String) {
    for chunk in raw.utf8_chunks() {
        append_text(chunk.valid(), into);
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(into, "\\x{byte:02x}");
        }
    }
}

fn append_text(text: &str, into: &mut String) {
    // Nearly every line: nothing to leave out, found without looking at each character twice.
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        into.push_str(text);
        return;
    }
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\t' => into.push('\t'),
            ESCAPE => match characters.peek() {
                // A control sequence ends with its first character from @ to ~: a colour, or a move of the cursor.
                Some('[') => {
                    characters.next();
                    while characters.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
                }
                // An operating system command ends with a bell or a string terminator: a title, or a link.
                Some(']') => {
                    while let Some(c) = characters.next() {
                        if c == '\u{7}' || (c == ESCAPE && characters.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            character if character.is_control() => {}
            character => into.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_see() {
        for (raw, seen) in [
            (&b"plain text"[..], "plain text"),
            (b"", ""),
            (b"a\tb", "a\tb"),
            (b"a\x00b\x07c\x7fd\x08", "abcd"),
            ("Grüße, 世界".as_bytes(), "Grüße, 世界"),
            (b"caf\xe9 \xff\xfe", "caf\\xe9 \\xff\\xfe"),
            (b"cut in the middle \xe4\xb8", "cut in the middle \\xe4\\xb8"),
            (b"\x1b[1;31mred\x1b[0m and \x1b[2Kgone", "red and gone"),
            (b"\x1b]0;title\x07text", "text"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"\x1b[31", ""),
            (b"\x1b", ""),
            (b"\xc2\x9b31mC1", "31mC1"),
        ] {
            let mut text = String::new();
            append_visible(raw, &mut text);
            assert_eq!(text, seen, "{:?}", raw.escape_ascii().to_string());
        }
    }
}
