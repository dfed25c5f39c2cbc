use serde_json::Value;
use serde_json::value::RawValue;

/// The longest free fields, as text without blanks.
pub const FIELDS_BYTES: usize = 16 << 10;

/// How deep they may be nested; the object itself is the first level.
pub const FIELDS_DEPTH: usize = 16;

/// The free fields as they are kept: without the blanks between their parts, so that an event stays one line, and
/// otherwise to the letter. `None` for an empty object.
pub(super) fn fields(raw: &RawValue) -> Result<Option<String>, String> {
    let text = raw.get();
    if !text.starts_with('{') {
        return Err("must be a JSON object".to_owned());
    }
    let compact = compact(text)?;
    if compact.len() > FIELDS_BYTES {
        return Err(format!("has {} bytes, at most {FIELDS_BYTES} are kept", compact.len()));
    }
    // What is passed on as it is must be what every reader can read: half a surrogate pair or 1e999 is not.
    serde_json::from_str::<Value>(&compact).map_err(|error| super::line::json_error(&error, false))?;
    Ok((compact != "{}").then_some(compact))
}

/// Leaves out blanks outside of strings, and measures the depth. `text` is JSON as far as its brackets and quotes go.
fn compact(text: &str) -> Result<String, String> {
    let mut compact = String::with_capacity(text.len());
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for char in text.chars() {
        if in_string {
            in_string = escaped || char != '"';
            escaped = !escaped && char == '\\';
        } else {
            match char {
                ' ' | '\t' | '\n' | '\r' => continue,
                '"' => in_string = true,
                '{' | '[' => depth += 1,
                '}' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > FIELDS_DEPTH {
                return Err(format!("is nested deeper than {FIELDS_DEPTH} levels"));
            }
        }
        compact.push(char);
    }
    Ok(compact)
}
