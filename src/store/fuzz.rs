//! The fuzzer's way to the rows of the data file.

use super::block::{self, Block};
use super::codec::{self, Record};

/// Reads `row` as a record; one that can be read is still itself after a round trip.
pub(crate) fn row<R: Record + PartialEq>(row: &[u8]) {
    if let Ok(record) = codec::decode::<R>(row) {
        let again = codec::encode(&record).and_then(|row| codec::decode::<R>(&row));
        assert!(again.is_ok_and(|again| again == record), "a record changed on its way through the codec");
    }
}

/// Opens a block: as the disk has it, and with a right frame and checksum around what is in it, which chance would
/// never find.
pub(crate) fn block(bytes: &[u8]) {
    let framed = block::framed(bytes);
    for bytes in [Some(bytes), framed.as_deref()].into_iter().flatten() {
        if let Ok(block) = Block::open(bytes) {
            block.iter().for_each(|event| assert!(event.message.len() <= bytes.len().max(32 << 20)));
        }
    }
}
