//! Redis' protocol (RESP2), as much as the mirror speaks.
//!
//! By hand instead of through redis-rs, whose commands hold every argument in a buffer of their own before they are
//! packed, and whose connection takes packed bytes from nobody: an entry is written here once, straight from the batch
//! (`examples/mirror_throughput.rs` sends the same events either way).

use std::io::Write as _;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Array(Vec<Reply>),
    Nil,
}

impl Reply {
    /// The text of a bulk or status reply.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Bulk(bytes) => std::str::from_utf8(bytes).ok(),
            Self::Status(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn integer(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> &[Reply] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The value after `name` in a flat list of names and values.
    pub(super) fn field(&self, name: &str) -> Option<&Reply> {
        self.items().chunks_exact(2).find(|pair| pair[0].text() == Some(name)).map(|pair| &pair[1])
    }
}

/// Appends a command.
pub(super) fn command(out: &mut Vec<u8>, arguments: &[&[u8]]) {
    let _ = write!(out, "*{}\r\n", arguments.len());
    for argument in arguments {
        bulk(out, argument);
    }
}

/// Appends one argument.
pub(super) fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'$');
    decimal(out, bytes.len() as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number; `write!` is several times slower, and there are three in an entry.
pub(super) fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Bytes that are not an answer of Redis.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotRedis;

/// How deep answers nest: `XINFO STREAM` has entries of fields in a list of pairs.
const MAX_DEPTH: u32 = 8;

/// Reads one answer from the front of `bytes`: it, and how long it is; `None` where more bytes are needed.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Reply, usize)>, NotRedis> {
    let mut at = 0;
    Ok(value(bytes, &mut at, MAX_DEPTH)?.map(|reply| (reply, at)))
}

fn value(bytes: &[u8], at: &mut usize, depth: u32) -> Result<Option<Reply>, NotRedis> {
    let Some(&kind) = bytes.get(*at) else { return Ok(None) };
    if !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*') || depth == 0 {
        return Err(NotRedis);
    }
    let rest = &bytes[*at + 1..];
    let Some(end) = memchr::memchr(b'\n', rest) else {
        return if rest.len() > 64 * 1024 { Err(NotRedis) } else { Ok(None) };
    };
    let line = rest[..end].strip_suffix(b"\r").ok_or(NotRedis)?;
    let line = std::str::from_utf8(line).map_err(|_| NotRedis)?;
    *at += end + 2;
    let number = || line.parse::<i64>().map_err(|_| NotRedis);
    Ok(Some(match kind {
        b'+' => Reply::Status(line.to_owned()),
        b'-' => Reply::Error(line.to_owned()),
        b':' => Reply::Integer(number()?),
        b'$' => {
            let Ok(len) = usize::try_from(number()?) else { return Ok(Some(Reply::Nil)) };
            let Some(body) = bytes.get(*at..).filter(|rest| rest.len() >= len.saturating_add(2)) else {
                return Ok(None);
            };
            *at += len + 2;
            Reply::Bulk(body[..len].to_vec())
        }
        _ => {
            let Ok(len) = usize::try_from(number()?) else { return Ok(Some(Reply::Nil)) };
            let mut items = Vec::new();
            for _ in 0..len {
                let Some(item) = value(bytes, at, depth - 1)? else { return Ok(None) };
                items.push(item);
            }
            Reply::Array(items)
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_wherever_they_are_cut() {
        let bytes = b"*5\r\n+OK\r\n-ERR no\r\n:-3\r\n$5\r\na\r\nbc\r\n*2\r\n$-1\r\n*-1\r\n";
        let whole = Reply::Array(vec![
            Reply::Status("OK".into()),
            Reply::Error("ERR no".into()),
            Reply::Integer(-3),
            Reply::Bulk(b"a\r\nbc".to_vec()),
            Reply::Array(vec![Reply::Nil, Reply::Nil]),
        ]);
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]), Ok(None), "{cut} bytes");
        }
        assert_eq!(parse(bytes), Ok(Some((whole, bytes.len()))));
    }

    #[test]
    fn rubbish_is_no_answer() {
        for bytes in [&b"HTTP/1.1 400\r\n"[..], b":x\r\n", b"+no return\n", &b"*1\r\n".repeat(20)] {
            assert_eq!(parse(bytes), Err(NotRedis));
        }
    }

    #[test]
    fn commands_are_lists_of_bulks() {
        let mut out = Vec::new();
        command(&mut out, &[b"SET", b"k", b""]);
        decimal(&mut out, u64::MAX);
        assert_eq!(out, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n18446744073709551615");
    }
}
