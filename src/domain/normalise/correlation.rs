use super::words::{Word, is_any, starts_with_ignore_case, trim_start};

/// Longer than any id in use, two uuids and a prefix included.
const LONGEST_ID: usize = 128;

/// The correlation id that follows, if `word` announces one: `correlation_id=…`, `"correlation_id": "…"`,
/// `Correlation ID: …`.
pub(super) fn id(word: Word<'_>) -> Option<&str> {
    let after = word.after();
    let after = if is_any(word.as_str(), &["correlation_id", "correlationid", "corr_id", "corrid"]) {
        after
    } else if is_any(word.as_str(), &["correlation", "corr", "x_correlation"])
        && (starts_with_ignore_case(after, "-id") || starts_with_ignore_case(after, " id"))
    {
        &after[3..]
    } else {
        return None;
    };
    let after = after.trim_start_matches(['\'', '"', '*', '`']);
    let after = after.strip_prefix(" set").or_else(|| after.strip_prefix(" is")).unwrap_or(after);
    let after = trim_start(after).strip_prefix([':', '=']).or_else(|| after.strip_prefix(' '))?;
    let after = trim_start(after);
    let after = after.strip_prefix(['b']).filter(|rest| rest.starts_with(['\'', '"'])).unwrap_or(after);
    let after = after.trim_start_matches(['\'', '"', '`', '[', '(']);
    let len = after
        .bytes()
        .take(LONGEST_ID)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(byte))
        .count();
    let id = after[..len].trim_end_matches(['.', ':', '-']);
    // A word in its place (`correlation_id missing`) is no id, but a number or a uuid has a digit.
    let is_id = id.len() >= 4 && id.bytes().any(|byte| byte.is_ascii_digit());
    is_id.then_some(id)
}
