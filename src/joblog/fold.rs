use memchr::memchr2;

use super::LINE_BYTES;

/// Makes lines of one stream's bytes, however they come. It holds one line, of which it keeps [`LINE_BYTES`].
///
/// A carriage return that no line feed follows takes the line back to its beginning, as on a terminal: of a progress bar
/// only the last state is kept.
#[derive(Debug, Default)]
pub(super) struct Folder {
    line: Vec<u8>,
    /// Bytes of the line beyond those that are kept.
    more: u64,
    /// The last byte was a carriage return.
    returned: bool,
}

/// A line, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) bytes: &'a [u8],
    /// Bytes that were dropped at its end.
    pub(super) more: u64,
}

impl Folder {
    /// Takes the next bytes and hands each line that they end to `emit`.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut emit: impl FnMut(Line<'_>)) {
        while let Some(&first) = bytes.first() {
            if self.returned && first != b'\n' && first != b'\r' {
                self.clear();
            }
            let Some(at) = memchr2(b'\n', b'\r', bytes) else {
                self.extend(bytes);
                return;
            };
            self.extend(&bytes[..at]);
            if bytes[at] == b'\r' {
                self.returned = true;
            } else {
                emit(self.line());
                self.clear();
            }
            bytes = &bytes[at + 1..];
        }
    }

    /// The line that is begun and not ended, if it has anything in it.
    pub(super) fn pending(&self) -> Option<Line<'_>> {
        (!self.line.is_empty()).then(|| self.line())
    }

    /// Forgets the line that is begun.
    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.more = 0;
        self.returned = false;
    }

    fn line(&self) -> Line<'_> {
        Line { bytes: &self.line, more: self.more }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(LINE_BYTES - self.line.len());
        self.line.extend_from_slice(&bytes[..kept]);
        self.more += (bytes.len() - kept) as u64;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fold(pieces: &[&[u8]]) -> Vec<(String, u64)> {
        let mut folder = Folder::default();
        let mut lines = Vec::new();
        let owned = |line: Line<'_>| (String::from_utf8_lossy(line.bytes).into_owned(), line.more);
        for piece in pieces {
            folder.push(piece, |line| lines.push(owned(line)));
        }
        lines.extend(folder.pending().map(owned));
        lines
    }

    #[test]
    fn lines() {
        for (written, expected) in [
            ("", &[][..]),
            ("a\nb\n", &["a", "b"]),
            ("a\n\nb", &["a", "", "b"]),
            ("a\r\nb\r\n", &["a", "b"]),
            ("10%\r50%\r100%\n", &["100%"]),
            ("10%\r50%\r100%\r\n", &["100%"]),
            ("10%\r50%\r", &["50%"]),
            ("10%\r\r\n", &["10%"]),
            ("a long line\rx\n", &["x"]),
            ("\r\n", &[""]),
        ] {
            let lines: Vec<_> = fold(&[written.as_bytes()]).into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, expected, "{written:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_and_counted() {
        let long = vec![b'x'; LINE_BYTES + 5];
        let lines = fold(&[&long, b"yy\n", &long[..LINE_BYTES], b"\nshort"]);
        let figures: Vec<_> = lines.iter().map(|(line, more)| (line.len(), *more)).collect();
        assert_eq!(figures, [(LINE_BYTES, 7), (LINE_BYTES, 0), (5, 0)]);
    }

    proptest! {
        #[test]
        fn it_makes_no_difference_how_the_bytes_come(
            text in "[ab\r\n]{0,40}",
            cuts in prop::collection::vec(0_usize..40, 0..6),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(fold(&pieces), fold(&[bytes]));
        }
    }
}
