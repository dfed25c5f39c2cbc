use std::io;
use std::path::Path;

use super::files::{Files, Unfinished};
use super::fold::{Folder, Line};
use super::record::prefix;
use super::{LINE_BYTES, LogLimits, Stream, clean};
use crate::domain::time::Micros;

/// Records are handed to the disk in pieces of about this size.
const PIECE_BYTES: usize = 32 << 10;

/// A line that is begun and not ended for this long is shown as it stands: a progress bar may not end for hours.
const SHOWN_AFTER: u64 = 10 * Micros::SECOND;

/// What came to a writer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes that the program wrote.
    pub bytes: u64,
    /// Lines that could not be written to the disk.
    pub lost_lines: u64,
}

/// Makes records of what a program writes. It takes everything and never fails: what the disk does not take is counted,
/// and a note says so once it takes something again.
#[derive(Debug)]
pub struct LogWriter {
    files: Files,
    streams: [Source; 2],
    piece: Piece,
    written: Written,
    lost: Option<Lost>,
}

/// One of the program's two streams.
#[derive(Debug)]
struct Source {
    stream: Stream,
    folder: Folder,
    /// The unfinished line as it was shown last, and when; or when it was begun.
    shown: Vec<u8>,
    shown_at: Micros,
}

/// Records on their way to the disk.
#[derive(Debug, Default)]
struct Piece {
    text: String,
    lines: u64,
}

/// What the disk did not take, since it last took something.
#[derive(Debug)]
struct Lost {
    lines: u64,
    why: io::Error,
}

impl LogWriter {
    /// Opens the log in `directory`, which is made if need be, at its end. There must be no other writer.
    pub fn open(directory: &Path, limits: LogLimits) -> io::Result<Self> {
        let source = |stream| Source { stream, folder: Folder::default(), shown: Vec::new(), shown_at: Micros(0) };
        Ok(Self {
            files: Files::open(directory, limits, Unfinished::Ends)?,
            streams: [source(Stream::Out), source(Stream::Err)],
            piece: Piece::default(),
            written: Written::default(),
            lost: None,
        })
    }

    /// Takes what the program wrote. `stream` is one of its two.
    pub fn append(&mut self, now: Micros, stream: Stream, bytes: &[u8]) {
        self.written.bytes += bytes.len() as u64;
        let index = usize::from(stream == Stream::Err);
        let Self { files, streams, piece, written, lost } = self;
        let source = &mut streams[index];
        let prefix = prefix(now, source.stream);
        let mut is_begun = source.folder.pending().is_some();
        source.folder.push(bytes, |line| {
            is_begun = false;
            piece.push(&prefix, line);
            if piece.text.len() >= PIECE_BYTES {
                piece.flush(now, files, written, lost);
            }
        });
        if !is_begun {
            source.shown.clear();
            source.shown_at = now;
        }
        piece.flush(now, files, written, lost);
    }

    /// Says something ourselves, in a line of its own.
    pub fn note(&mut self, now: Micros, text: &str) {
        let prefix = prefix(now, Stream::Note);
        for line in text.lines() {
            let bytes = line.as_bytes();
            let kept = &bytes[..bytes.len().min(LINE_BYTES)];
            self.piece.push(&prefix, Line { bytes: kept, more: (bytes.len() - kept.len()) as u64 });
        }
        self.flush(now);
    }

    /// Shows lines that are begun and not ended for ten seconds, and again every ten seconds if they are others then. To be
    /// called now and then.
    pub fn show_unfinished(&mut self, now: Micros) {
        for source in &mut self.streams {
            let is_time = now.0.abs_diff(source.shown_at.0) >= SHOWN_AFTER;
            let Some(line) = source.folder.pending().filter(|line| is_time && line.bytes != source.shown) else {
                continue;
            };
            self.piece.push(&prefix(now, source.stream), line);
            source.shown = line.bytes.to_owned();
            source.shown_at = now;
        }
        self.flush(now);
    }

    /// Writes what the program did not end with a line feed. Nothing more comes from it.
    pub fn finish(&mut self, now: Micros) {
        for source in &mut self.streams {
            // Unless it was shown as it is.
            if let Some(line) = source.folder.pending().filter(|line| line.bytes != source.shown) {
                self.piece.push(&prefix(now, source.stream), line);
            }
            source.folder.clear();
        }
        self.flush(now);
    }

    /// What came so far.
    pub fn written(&self) -> Written {
        self.written
    }

    /// The offset of the next record.
    pub fn end(&self) -> u64 {
        self.files.end()
    }

    fn flush(&mut self, now: Micros) {
        self.piece.flush(now, &mut self.files, &mut self.written, &mut self.lost);
    }
}

impl Piece {
    fn push(&mut self, prefix: &str, line: Line<'_>) {
        self.text.push_str(prefix);
        clean::append_visible(line.bytes, &mut self.text);
        if line.more > 0 {
            self.text.push_str(&format!(" [… {} more bytes]", line.more));
        }
        self.text.push('\n');
        self.lines += 1;
    }

    fn flush(&mut self, now: Micros, files: &mut Files, written: &mut Written, lost: &mut Option<Lost>) {
        if self.lines == 0 {
            return;
        }
        if let Some(gone) = lost {
            let note = format!("{}{} lines are missing here: {}\n", prefix(now, Stream::Note), gone.lines, gone.why);
            if files.append(note.as_bytes()).is_ok() {
                *lost = None;
            }
        }
        // Behind a note that the disk did not take, nothing is written either: the gap would be in the wrong place.
        let outcome = match lost {
            Some(_) => None,
            None => Some(files.append(self.text.as_bytes())),
        };
        match (outcome, lost) {
            (Some(Ok(())), _) => {}
            (Some(Err(why)), lost) => {
                written.lost_lines += self.lines;
                *lost = Some(Lost { lines: self.lines, why });
            }
            (None, Some(lost)) => {
                written.lost_lines += self.lines;
                lost.lines += self.lines;
            }
            (None, None) => {}
        }
        self.text.clear();
        self.lines = 0;
    }
}
