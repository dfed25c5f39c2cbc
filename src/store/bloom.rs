//! A Bloom filter over the correlation ids of a block (Bloom 1970; two hashes combined as in Kirsch and Mitzenmacher
//! 2006). Twelve bits an id and eight probes let 0.3 % of foreign ids through.

use std::collections::BTreeSet;

const BITS_AN_ID: usize = 12;
const PROBES: u64 = 8;

/// The filter of `ids`; no bytes for no ids.
pub(crate) fn filter(ids: &BTreeSet<&str>) -> Vec<u8> {
    let mut bits = vec![0; (ids.len() * BITS_AN_ID).div_ceil(8)];
    for id in ids {
        for at in probes(id, bits.len()) {
            bits[at / 8] |= 1 << (at % 8);
        }
    }
    bits
}

/// Whether `id` may be in it: never `false` for one that is.
pub(crate) fn may_contain(bits: &[u8], id: &str) -> bool {
    !bits.is_empty() && probes(id, bits.len()).all(|at| bits[at / 8] & 1 << (at % 8) != 0)
}

fn probes(id: &str, bytes: usize) -> impl Iterator<Item = usize> {
    let hash = hash(id.as_bytes());
    let (first, second) = (hash as u32 as u64, hash >> 32 | 1);
    (0..PROBES).map(move |probe| (first.wrapping_add(probe.wrapping_mul(second)) % (bytes as u64 * 8)) as usize)
}

/// FNV-1a, then the finaliser of MurmurHash3: stored filters depend on it, so it is ours and never changes.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}
