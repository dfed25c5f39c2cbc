//! Long values are cut on their way in, so that nobody who can write to a stream decides how much memory we take.

/// How long a line may get before it is no line of Redis' any more.
const LINE: usize = 64 * 1024;

/// Passes answers of Redis on, each bulk string at most so long: what comes out is an answer as well.
#[derive(Debug)]
pub(super) struct Cut {
    most: usize,
    line: Vec<u8>,
    /// Of the bulk string that is under way: bytes to pass on, bytes to leave out, bytes of its end to pass on.
    body: [usize; 3],
}

impl Cut {
    /// At the beginning of an answer.
    pub(super) fn new(most: usize) -> Self {
        Self { most, line: Vec::new(), body: [0; 3] }
    }

    /// Passes `bytes` on to the end of `out`.
    pub(super) fn pass(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            if let Some(part) = self.body.iter().position(|left| *left > 0) {
                let (now, rest) = bytes.split_at(bytes.len().min(self.body[part]));
                self.body[part] -= now.len();
                if part != 1 {
                    out.extend_from_slice(now);
                }
                bytes = rest;
                continue;
            }
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            let (now, rest) = bytes.split_at(end);
            self.line.extend_from_slice(now);
            bytes = rest;
            if self.line.ends_with(b"\n") || self.line.len() > LINE {
                self.line_ended(out);
            }
        }
    }

    fn line_ended(&mut self, out: &mut Vec<u8>) {
        let length =
            self.line.strip_prefix(b"$").and_then(|rest| std::str::from_utf8(rest).ok()?.trim_end().parse().ok());
        match length {
            Some(length) => {
                let kept = self.most.min(length);
                self.body = [kept, length - kept, 2];
                out.push(b'$');
                super::resp::decimal(out, kept as u64);
                out.extend_from_slice(b"\r\n");
            }
            // A number that is none, or below zero, is the parser's to judge.
            None => out.extend_from_slice(&self.line),
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::resp::{Reply, parse};
    use super::*;

    #[test]
    fn long_values_come_out_short_wherever_they_are_cut() {
        let long = "x".repeat(1_000);
        let bytes = format!("*5\r\n+OK\r\n$-1\r\n$3\r\na\nb\r\n${}\r\n{long}\r\n:7\r\n", long.len());
        let expected = Reply::Array(vec![
            Reply::Status("OK".into()),
            Reply::Nil,
            Reply::Bulk(b"a\nb".to_vec()),
            Reply::Bulk(long.as_bytes()[..10].to_vec()),
            Reply::Integer(7),
        ]);
        for size in [1, 2, 3, 7, 64, 10_000] {
            let (mut cut, mut out) = (Cut::new(10), Vec::new());
            bytes.as_bytes().chunks(size).for_each(|piece| cut.pass(piece, &mut out));
            assert_eq!(parse(&out), Ok(Some((expected.clone(), out.len()))), "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_answer_stays_none() {
        let (mut cut, mut out) = (Cut::new(10), Vec::new());
        cut.pass(b"HTTP/1.1 400\r\n$x\r\n", &mut out);
        assert_eq!(out, b"HTTP/1.1 400\r\n$x\r\n");
    }
}
