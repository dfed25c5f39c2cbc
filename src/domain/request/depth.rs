/// The most arrays and objects that JSON of a stranger may have inside each other. What we read has four.
pub const DEPTH: usize = 64;

/// Whether JSON nests deeper than [`DEPTH`]. Looks at brackets only, in one pass and without recursion, so it can be asked
/// before anything else reads the text; whether it is JSON at all is the parser's to say.
pub fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_open_brackets_outside_of_strings_count() {
        let nested = |open: &str, depth: usize| open.repeat(depth);
        for (json, expected) in [
            (nested("[", DEPTH), false),
            (nested("[", DEPTH + 1), true),
            (nested("{\"a\":[", DEPTH / 2), false),
            (nested("{\"a\":[", DEPTH / 2 + 1), true),
            (nested("[]", 1000), false),
            (format!("\"{}\"", nested("[", 1000)), false),
            (format!("\"\\\"{}\"", nested("{", 1000)), false),
            (format!("\"\\\\\"{}", nested("{", 1000)), true),
            (nested("]", 1000), false),
            (String::new(), false),
        ] {
            assert_eq!(is_too_deep(json.as_bytes()), expected, "{json:.40}");
        }
    }
}
