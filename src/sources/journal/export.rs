//! An incremental parser of the Journal Export Format (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>), as `journalctl -o
//! export` writes it: an entry is a run of fields that starts with `__CURSOR` and ends with an empty line; a field is
//! `NAME=value` and a newline, or `NAME`, a newline, the value's length as 64 bits little-endian, the value and a newline.
//!
//! Total: whatever the bytes are and however they are cut, it neither panics nor buffers without limit, and it finds the
//! next entry again.

use memchr::{memchr, memmem};

/// Values longer than this are cut to [`KEPT_BYTES`]; the rest is passed over without being buffered.
pub const LONG_VALUE_BYTES: usize = 4 << 20;

/// What is kept of a long value: more than the store keeps of a message, so nothing is lost by it.
pub const KEPT_BYTES: usize = 64 << 10;

/// No field is longer than this in a journal (journald's own limit is 768 MiB): a length beyond it is not a length.
const ABSURD_BYTES: u64 = 1 << 30;

/// No entry is longer than this once its long values are cut.
const ENTRY_BYTES: usize = 32 << 20;

/// journald's limit for a field's name.
const NAME_BYTES: usize = 64;

const BUFFER_BYTES: usize = 1 << 20;
const FIRST: &[u8] = b"__CURSOR=";
const NEXT: &[u8] = b"\n__CURSOR=";

/// The fields that are kept; all others are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The position.
    Cursor,
    /// When it was written, by the clock of then.
    Realtime,
    /// syslog priority.
    Priority,
    /// The text.
    Message,
    /// The kind of message, for those that have one.
    MessageId,
    /// The writer's unit; trusted.
    SystemdUnit,
    /// The unit that PID 1 writes about.
    Unit,
    /// The unit that a privileged process writes about.
    ObjectSystemdUnit,
    /// The unit whose process dumped core.
    CoredumpUnit,
    /// The writer's process; trusted.
    Pid,
    /// The writer's user; trusted.
    Uid,
    /// The machine's name; trusted.
    Hostname,
    /// How many messages journald dropped.
    Dropped,
    /// The writer's slice; trusted, and there whenever the unit is.
    SystemdSlice,
    /// The run of the unit that PID 1 writes about.
    InvocationId,
    /// The machine of the writer; trusted as far as the file is.
    MachineId,
}

const FIELDS: usize = 16;

/// For `--output-fields=`; journalctl adds the cursor and the times by itself.
pub const OUTPUT_FIELDS: &str = "PRIORITY,MESSAGE,MESSAGE_ID,_SYSTEMD_UNIT,UNIT,OBJECT_SYSTEMD_UNIT,COREDUMP_UNIT,_PID,_UID,\
                                 _HOSTNAME,N_DROPPED,_SYSTEMD_SLICE,INVOCATION_ID,_MACHINE_ID";

impl Field {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"__CURSOR" => Self::Cursor,
            b"__REALTIME_TIMESTAMP" => Self::Realtime,
            b"PRIORITY" => Self::Priority,
            b"MESSAGE" => Self::Message,
            b"MESSAGE_ID" => Self::MessageId,
            b"_SYSTEMD_UNIT" => Self::SystemdUnit,
            b"UNIT" => Self::Unit,
            b"OBJECT_SYSTEMD_UNIT" => Self::ObjectSystemdUnit,
            b"COREDUMP_UNIT" => Self::CoredumpUnit,
            b"_PID" => Self::Pid,
            b"_UID" => Self::Uid,
            b"_HOSTNAME" => Self::Hostname,
            b"N_DROPPED" => Self::Dropped,
            b"_SYSTEMD_SLICE" => Self::SystemdSlice,
            b"INVOCATION_ID" => Self::InvocationId,
            b"_MACHINE_ID" => Self::MachineId,
            _ => return None,
        })
    }
}

type Spans = [Option<(u32, u32)>; FIELDS];

/// One entry, borrowed from the parser's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    bytes: &'a [u8],
    spans: Spans,
    realtime: u64,
}

impl<'a> Entry<'a> {
    /// A field's value. Where a field is given twice, the first one counts.
    pub fn get(&self, field: Field) -> Option<&'a [u8]> {
        let (start, end) = self.spans[field as usize]?;
        self.bytes.get(start as usize..end as usize)
    }

    /// Microseconds since the epoch.
    pub fn realtime(&self) -> u64 {
        self.realtime
    }

    /// The position.
    pub fn cursor(&self) -> &'a [u8] {
        self.get(Field::Cursor).unwrap_or_default()
    }

    /// A field's value as a decimal number.
    pub fn number(&self, field: Field) -> Option<u64> {
        decimal(self.get(field)?)
    }
}

/// What the parser finds.
// Nearly every item is an entry, and none is kept: a box would cost an allocation a line.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// An entry.
    Entry(Entry<'a>),
    /// That many bytes were no entry and were passed over, up to the next one.
    Garbled(u64),
}

/// What is being passed over as it comes in: the rest of a long value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    Nothing,
    Bytes(u64),
    Line,
}

/// The parser with its buffer: read into [`Parser::space`], say how much with [`Parser::filled`], then take
/// [`Parser::next`] until there is none.
#[derive(Debug)]
pub struct Parser {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The entry at `start` cannot be complete with fewer bytes than this.
    need: usize,
    skip: Skip,
    garbage: Option<u64>,
}

enum Scan {
    Entry {
        len: usize,
        spans: Spans,
        realtime: u64,
    },
    Need(usize),
    /// The value at `from` ends at `from + len`, or with its line, and is to be cut.
    Cut {
        from: usize,
        binary: Option<usize>,
    },
    Garbled,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}

impl Parser {
    /// A parser at the beginning of a stream.
    pub fn new() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES], start: 0, end: 0, need: 0, skip: Skip::Nothing, garbage: None }
    }

    /// Room to read into; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == 0 && self.buffer.len() > 4 * BUFFER_BYTES {
            self.buffer.truncate(BUFFER_BYTES);
            self.buffer.shrink_to_fit();
        } else if self.buffer.len() - self.end < BUFFER_BYTES / 4 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// Takes the first `count` bytes of [`Parser::space`] in.
    pub fn filled(&mut self, count: usize) {
        let from = self.end;
        let to = (from + count).min(self.buffer.len());
        let skipped = match self.skip {
            Skip::Nothing => 0,
            Skip::Bytes(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX).min(to - from),
            Skip::Line => memchr(b'\n', &self.buffer[from..to]).unwrap_or(to - from),
        };
        self.skip = match self.skip {
            Skip::Bytes(bytes) if bytes > skipped as u64 => Skip::Bytes(bytes - skipped as u64),
            Skip::Line if skipped == to - from => Skip::Line,
            _ => Skip::Nothing,
        };
        self.buffer.copy_within(from + skipped..to, from);
        self.end = to - skipped;
    }

    /// How many bytes have been passed over since the last entry, while no next one was found.
    pub fn garbage(&self) -> u64 {
        self.garbage.map_or(0, |passed| passed + (self.end - self.start) as u64)
    }

    /// The next entry that is complete in the buffer, or the garbage before it.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Item<'_>> {
        let (from, len, spans, realtime) = loop {
            if let Some(passed) = self.garbage {
                let bytes = &self.buffer[self.start..self.end];
                let Some(at) = memmem::find(bytes, NEXT) else {
                    // The last bytes may be the beginning of the next entry.
                    let passing = bytes.len().saturating_sub(NEXT.len() - 1);
                    self.start += passing;
                    self.garbage = Some(passed + passing as u64);
                    return None;
                };
                self.start += at + 1;
                self.garbage = None;
                return Some(Item::Garbled(passed + at as u64 + 1));
            }
            if self.skip != Skip::Nothing {
                return None;
            }
            if self.need == 0 {
                self.start += self.buffer[self.start..self.end].iter().take_while(|&&byte| byte == b'\n').count();
            }
            let bytes = &self.buffer[self.start..self.end];
            if bytes.is_empty() || bytes.len() < self.need {
                return None;
            }
            match scan(bytes) {
                Scan::Entry { len, spans, realtime } => {
                    let from = self.start;
                    self.start += len;
                    self.need = 0;
                    break (from, len, spans, realtime);
                }
                Scan::Need(need) => {
                    self.need = need;
                    return None;
                }
                Scan::Cut { from, binary } => self.cut(self.start + from, binary),
                Scan::Garbled => {
                    self.need = 0;
                    self.garbage = Some(0);
                }
            }
        };
        Some(Item::Entry(Entry { bytes: &self.buffer[from..from + len], spans, realtime }))
    }

    /// Cuts the value that starts at `from` to what is kept, as if it had been written so.
    fn cut(&mut self, from: usize, binary: Option<usize>) {
        let keep = from + KEPT_BYTES;
        let available = self.end - keep;
        let drop = match binary {
            Some(len) => {
                self.buffer[from - 8..from].copy_from_slice(&(KEPT_BYTES as u64).to_le_bytes());
                let excess = len - KEPT_BYTES;
                if excess > available {
                    self.skip = Skip::Bytes((excess - available) as u64);
                }
                excess.min(available)
            }
            None => memchr(b'\n', &self.buffer[keep..self.end]).unwrap_or_else(|| {
                self.skip = Skip::Line;
                available
            }),
        };
        self.buffer.copy_within(keep + drop..self.end, keep);
        self.end -= drop;
        self.need = 0;
    }
}

fn scan(bytes: &[u8]) -> Scan {
    let known = bytes.len().min(FIRST.len());
    if bytes[..known] != FIRST[..known] {
        return Scan::Garbled;
    }
    let mut spans: Spans = [None; FIELDS];
    let mut at = 0;
    loop {
        if at > ENTRY_BYTES {
            return Scan::Garbled;
        }
        let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { return Scan::Need(at + 1) };
        if rest[0] == b'\n' {
            return match spans[Field::Realtime as usize]
                .and_then(|(start, end)| decimal(&bytes[start as usize..end as usize]))
            {
                Some(realtime) => Scan::Entry { len: at + 1, spans, realtime },
                None => Scan::Garbled,
            };
        }
        let head = &rest[..rest.len().min(NAME_BYTES + 1)];
        let Some(name) = head.iter().position(|&byte| byte == b'=' || byte == b'\n') else {
            return if head.len() > NAME_BYTES { Scan::Garbled } else { Scan::Need(bytes.len() + 1) };
        };
        let field = Field::named(&rest[..name]);
        if field.is_none() && !is_name(&rest[..name]) {
            return Scan::Garbled;
        }
        let (value, end) = if rest[name] == b'=' {
            let value = at + name + 1;
            match memchr(b'\n', &bytes[value..]) {
                Some(len) if len <= LONG_VALUE_BYTES => (value, value + len),
                None if bytes.len() - value <= LONG_VALUE_BYTES => return Scan::Need(bytes.len() + 1),
                _ => return Scan::Cut { from: value, binary: None },
            }
        } else {
            let value = at + name + 9;
            let Some(size) = bytes.get(value - 8..value).and_then(|size| size.try_into().ok()) else {
                return Scan::Need(value);
            };
            let size = u64::from_le_bytes(size);
            if size > ABSURD_BYTES {
                return Scan::Garbled;
            }
            // At most 2^30, and `usize` has 32 bits or more.
            let size = size as usize;
            if size > LONG_VALUE_BYTES {
                let kept = value + KEPT_BYTES;
                return if bytes.len() < kept {
                    Scan::Need(kept)
                } else {
                    Scan::Cut { from: value, binary: Some(size) }
                };
            }
            match bytes.get(value + size) {
                Some(b'\n') => (value, value + size),
                Some(_) => return Scan::Garbled,
                None => return Scan::Need(value + size + 1),
            }
        };
        if let Some(field) = field {
            spans[field as usize].get_or_insert((value as u32, end as u32));
        }
        at = end + 1;
    }
}

fn is_name(name: &[u8]) -> bool {
    name.first().is_some_and(|first| !first.is_ascii_digit())
        && name.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0'))).filter(|_| digit.is_ascii_digit())
    })
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
