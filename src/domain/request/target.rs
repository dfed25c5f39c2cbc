use std::iter;

/// Longest path.
pub const PATH_BYTES: usize = 2 << 10;

/// Longest query.
pub const QUERY_BYTES: usize = 8 << 10;

/// Most parameters of a query.
pub const PARAMETERS: usize = 128;

/// What is wrong with what a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// A path beyond [`PATH_BYTES`].
    #[error("the path is longer than {PATH_BYTES} bytes")]
    LongPath,
    /// A query beyond [`QUERY_BYTES`].
    #[error("the query is longer than {QUERY_BYTES} bytes")]
    LongQuery,
    /// More than [`PARAMETERS`].
    #[error("the query has more than {PARAMETERS} parameters")]
    Parameters,
    /// A `%` that two hexadecimal digits do not follow.
    #[error("a % is not followed by two hexadecimal digits")]
    Escape,
    /// Decoded, it is no text.
    #[error("the percent-encoded bytes are not UTF-8")]
    Encoding,
    /// A path that does not begin with a slash.
    #[error("the path does not begin with /")]
    Relative,
    /// `.` or `..`, encoded or not.
    #[error("the path has a part that is . or ..")]
    Dots,
    /// `//`
    #[error("the path has an empty part")]
    Empty,
    /// A slash or backslash inside a part.
    #[error("the path has an encoded slash or a backslash")]
    Slash,
    /// A NUL, line feed or the like.
    #[error("there is a control character")]
    Control,
}

impl BadTarget {
    /// Whether it is merely too long.
    pub fn is_too_long(self) -> bool {
        matches!(self, Self::LongPath | Self::LongQuery)
    }
}

/// Looks at a path and a query as they came. What passes means the same thing to a proxy, the router and a handler: one
/// decoding, no climbing, no part that hides another.
pub fn check(path: &str, query: Option<&str>) -> Result<(), BadTarget> {
    if path.len() > PATH_BYTES {
        return Err(BadTarget::LongPath);
    }
    let parts = path.strip_prefix('/').ok_or(BadTarget::Relative)?;
    let mut parts = parts.split('/').peekable();
    while let Some(part) = parts.next() {
        let decoded = decoded(part)?;
        if decoded == "." || decoded == ".." {
            return Err(BadTarget::Dots);
        }
        // The last may be empty: "/" is a page, and what else ends so is no route.
        if decoded.is_empty() && parts.peek().is_some() {
            return Err(BadTarget::Empty);
        }
        if decoded.contains(['/', '\\']) {
            return Err(BadTarget::Slash);
        }
        if decoded.contains(char::is_control) {
            return Err(BadTarget::Control);
        }
    }
    let Some(query) = query else { return Ok(()) };
    if query.len() > QUERY_BYTES {
        return Err(BadTarget::LongQuery);
    }
    if query.split('&').count() > PARAMETERS {
        return Err(BadTarget::Parameters);
    }
    // A search may be for a tab; a NUL is in nothing that is stored.
    if decoded(query)?.contains('\0') { Err(BadTarget::Control) } else { Ok(()) }
}

fn decoded(text: &str) -> Result<String, BadTarget> {
    let mut bytes = text.bytes();
    let decoded: Result<Vec<u8>, BadTarget> = iter::from_fn(|| {
        Some(match bytes.next()? {
            b'%' => {
                hex(bytes.next()).zip(hex(bytes.next())).map(|(high, low)| high << 4 | low).ok_or(BadTarget::Escape)
            }
            byte => Ok(byte),
        })
    })
    .collect();
    String::from_utf8(decoded?).map_err(|_| BadTarget::Encoding)
}

fn hex(digit: Option<u8>) -> Option<u8> {
    let digit = char::from(digit?).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (path, expected) in [
            ("/", Ok(())),
            ("/api/events/17-3", Ok(())),
            ("/health/", Ok(())),
            ("/api/%C3%BC%20x", Ok(())),
            ("/a.b/..c/...", Ok(())),
            ("/%252e%252e/x", Ok(())),
            ("*", Err(BadTarget::Relative)),
            ("", Err(BadTarget::Relative)),
            ("x", Err(BadTarget::Relative)),
            ("/../x", Err(BadTarget::Dots)),
            ("/x/..", Err(BadTarget::Dots)),
            ("/x/./y", Err(BadTarget::Dots)),
            ("/%2e%2E/x", Err(BadTarget::Dots)),
            ("/.%2e/x", Err(BadTarget::Dots)),
            ("//x", Err(BadTarget::Empty)),
            ("/x//y", Err(BadTarget::Empty)),
            ("/x//", Err(BadTarget::Empty)),
            ("/x%2fy", Err(BadTarget::Slash)),
            ("/..%2fx", Err(BadTarget::Slash)),
            ("/x%5Cy", Err(BadTarget::Slash)),
            ("/x\\y", Err(BadTarget::Slash)),
            ("/x%00", Err(BadTarget::Control)),
            ("/x%0d%0ay", Err(BadTarget::Control)),
            ("/x%7f", Err(BadTarget::Control)),
            ("/x%c2%85", Err(BadTarget::Control)),
            ("/x%", Err(BadTarget::Escape)),
            ("/x%2", Err(BadTarget::Escape)),
            ("/x%zz", Err(BadTarget::Escape)),
            ("/x%+1", Err(BadTarget::Escape)),
            ("/%ff", Err(BadTarget::Encoding)),
            ("/%c0%af", Err(BadTarget::Encoding)),
        ] {
            assert_eq!(check(path, None), expected, "{path}");
        }
        assert_eq!(check(&format!("/{}", "x".repeat(PATH_BYTES - 1)), None), Ok(()));
        assert_eq!(check(&format!("/{}", "x".repeat(PATH_BYTES)), None), Err(BadTarget::LongPath));
    }

    #[test]
    fn queries() {
        let many = |count: usize| vec!["a=1"; count].join("&");
        for (query, expected) in [
            ("", Ok(())),
            ("q=a/b//c&x=..%2f%0a", Ok(())),
            ("q=%00", Err(BadTarget::Control)),
            ("q=%ff", Err(BadTarget::Encoding)),
            ("q=100%", Err(BadTarget::Escape)),
            (&many(PARAMETERS), Ok(())),
            (&many(PARAMETERS + 1), Err(BadTarget::Parameters)),
            (&"x".repeat(QUERY_BYTES), Ok(())),
            (&"x".repeat(QUERY_BYTES + 1), Err(BadTarget::LongQuery)),
        ] {
            assert_eq!(check("/x", Some(query)), expected, "{query}");
        }
    }
}
