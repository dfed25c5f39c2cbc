use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// What is kept of what was written, at least.
const CHUNK: u64 = 4_096;

/// The most that is kept. redb writes a few pages to repair a file; one that wants more is not worth the memory.
const MOST: usize = 256 << 20;

/// A data file that redb may write to while its bytes stay as they are: what redb writes is kept in memory. redb's own
/// check repairs what it finds, and nothing that is only looked at may be changed by looking.
#[derive(Debug)]
pub(super) struct Overlay {
    file: FileBackend,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    len: u64,
    /// What the file still says: beyond it, cutting off and growing again has left zeros.
    beneath: u64,
    written: BTreeMap<u64, Box<[u8]>>,
}

impl Overlay {
    pub(super) fn open(path: &Path) -> Result<Self, DatabaseError> {
        let file = FileBackend::new(File::open(path)?)?;
        let len = file.len()?;
        Ok(Self { file, state: Mutex::new(State { len, beneath: len, written: BTreeMap::new() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands in the chunk at `start`.
    fn chunk(&self, state: &State, start: u64) -> io::Result<Box<[u8]>> {
        let mut bytes = vec![0; CHUNK as usize].into_boxed_slice();
        let there = state.beneath.saturating_sub(start).min(CHUNK) as usize;
        self.file.read(start, &mut bytes[..there])?;
        Ok(bytes)
    }
}

/// The parts of `offset..offset + len` by chunk: where the chunk starts, and the range in it.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let end = offset + len as u64;
    let first = offset - offset % CHUNK;
    (first..end).step_by(CHUNK as usize).map(move |start| {
        let from = offset.max(start) - start;
        let to = end.min(start + CHUNK) - start;
        (start, from as usize..to as usize)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > state.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let there = state.beneath.saturating_sub(offset).min(out.len() as u64) as usize;
        self.file.read(offset, &mut out[..there])?;
        out[there..].fill(0);
        let end = offset + out.len() as u64;
        for (start, bytes) in state.written.range(offset - offset % CHUNK..end) {
            let from = offset.max(*start);
            let to = end.min(start + CHUNK);
            out[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&bytes[(from - start) as usize..(to - start) as usize]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if len < state.len {
            state.beneath = state.beneath.min(len);
            state.written.retain(|start, _| *start < len);
            if let Some((start, bytes)) = state.written.iter_mut().next_back() {
                let kept = (len - start).min(CHUNK) as usize;
                bytes[kept..].fill(0);
            }
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let mut rest = data;
        for (start, range) in parts(offset, data.len()) {
            let (now, later) = rest.split_at(range.len());
            rest = later;
            let mut bytes = match state.written.remove(&start) {
                Some(bytes) => bytes,
                None if state.written.len() * CHUNK as usize >= MOST => return Err(io::ErrorKind::OutOfMemory.into()),
                None => self.chunk(&state, start)?,
            };
            bytes[range].copy_from_slice(now);
            state.written.insert(start, bytes);
        }
        state.len = state.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    // Who only looks shares the file with others who look, and with nobody who writes.

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Op {
        Write(u64, Vec<u8>),
        SetLen(u64),
        Read(u64, usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        let place = 0_u64..40_000;
        prop_oneof![
            (place.clone(), prop::collection::vec(1_u8.., 0..9_000)).prop_map(|(at, bytes)| Op::Write(at, bytes)),
            place.clone().prop_map(Op::SetLen),
            (place, 0_usize..9_000).prop_map(|(at, len)| Op::Read(at, len)),
        ]
    }

    proptest! {
        /// It is read as a file would be, and the file beneath stays as it was.
        #[test]
        fn it_is_a_file(before in prop::collection::vec(any::<u8>(), 0..20_000), ops in prop::collection::vec(op(), 1..30)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            std::fs::write(&path, &before).unwrap();
            let overlay = Overlay::open(&path).unwrap();
            let mut model = before.clone();
            for op in ops {
                match op {
                    Op::Write(at, bytes) => {
                        overlay.write(at, &bytes).unwrap();
                        let end = at as usize + bytes.len();
                        if model.len() < end {
                            model.resize(end, 0);
                        }
                        model[at as usize..end].copy_from_slice(&bytes);
                    }
                    Op::SetLen(len) => {
                        overlay.set_len(len).unwrap();
                        model.resize(len as usize, 0);
                    }
                    Op::Read(at, len) => {
                        let mut out = vec![0xff; len];
                        match model.get(at as usize..at as usize + len) {
                            Some(expected) => {
                                overlay.read(at, &mut out).unwrap();
                                prop_assert_eq!(&out, expected);
                            }
                            None => prop_assert!(overlay.read(at, &mut out).is_err()),
                        }
                    }
                }
                prop_assert_eq!(overlay.len().unwrap(), model.len() as u64);
            }
            prop_assert_eq!(std::fs::read(&path).unwrap(), before);
        }
    }
}
