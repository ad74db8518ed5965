//! A binary fuse filter of 16-bit fingerprints: may an entry be among those that it was made of? No is certain; a yes about
//! one that is not is met once in 65,536.
//!
//! Source: Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters" (2022), with integers for its logarithms,
//! so that every node makes the same bytes. They are, little-endian:
//!
//! ```text
//! at  bytes
//!  0    4   "BF16"
//!  4    1   1: this layout
//!  5    1   b: a segment has 2^b fingerprints; 2 to 18
//!  6    2   0
//!  8    8   seed, a number of 64 bits
//! 16    4   segments in which a key's first place may be; 0 if the filter is empty, and then nothing follows
//! 20    ..  (segments + 2) * 2^b fingerprints of 2 bytes each
//! ```
//!
//! To look an entry up, in numbers of 64 bits that wrap around (`>>` shifts zeros in, `^` is exclusive or):
//!
//! ```text
//! key  = the first 8 bytes of the entry as a big-endian number
//! h    = key + seed
//! h    = (h ^ h >> 33) * 0xff51afd7ed558ccd
//! h    = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53
//! h    = h ^ h >> 33
//! p0   = (h * (segments * 2^b)) >> 64            the product has 128 bits
//! p1   = (p0 + 2^b)     ^ (h >> 18 & 2^b - 1)
//! p2   = (p0 + 2 * 2^b) ^ (h       & 2^b - 1)
//! hit  = fingerprint[p0] ^ fingerprint[p1] ^ fingerprint[p2] == (h ^ h >> 32) & 0xffff
//! ```
//!
//! A filter of n different keys has 9/8 n fingerprints and more where n is small: see [`build`]. Entries that share a key are
//! one to the filter.

use aws_lc_rs::digest::{Context, SHA256};

use super::{Entry, key};

const MAGIC: &[u8; 4] = b"BF16";
const LAYOUT: u8 = 1;
const HEADER_LEN: usize = 20;
const ARITY: u32 = 3;
const MAX_SEGMENT_BITS: u32 = 18;
/// The fewest keys for which a segment has 2^2, 2^3 .. 2^18 fingerprints: 3.33^(b - 2.25), rounded up.
const SEGMENT_FROM: [u64; 17] = [
    1,
    3,
    9,
    28,
    92,
    304,
    1010,
    3362,
    11193,
    37273,
    124_118,
    413_310,
    1_376_322,
    4_583_150,
    15_261_887,
    50_822_082,
    169_237_530,
];
/// The most fingerprints of a filter that is read: room for a hundred million entries.
const MAX_FINGERPRINTS: u64 = 1 << 27;

/// The largest filter that is read, in bytes.
pub const MAX_LEN: u64 = HEADER_LEN as u64 + 2 * MAX_FINGERPRINTS;

/// Bytes that are no filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a filter")]
pub struct NotAFilter;

/// Where keys have their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    segment_bits: u32,
    segments: u32,
    seed: u64,
}

impl Shape {
    /// How many fingerprints there are.
    fn fingerprints(&self) -> u64 {
        if self.segments == 0 { 0 } else { (u64::from(self.segments) + u64::from(ARITY) - 1) << self.segment_bits }
    }

    /// A key's hash: the finalizer of MurmurHash3.
    #[inline]
    fn hash(&self, key: u64) -> u64 {
        let mut hash = key.wrapping_add(self.seed);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^ (hash >> 33)
    }

    /// The three places of a hash, in segments that follow one another.
    #[inline]
    fn places(&self, hash: u64) -> [usize; 3] {
        let (len, mask) = (1_u64 << self.segment_bits, (1_u64 << self.segment_bits) - 1);
        let starts = u128::from(self.segments) << self.segment_bits;
        let first = ((u128::from(hash) * starts) >> 64) as u64;
        [first, (first + len) ^ ((hash >> 18) & mask), (first + 2 * len) ^ (hash & mask)].map(|place| place as usize)
    }
}

#[inline]
fn fingerprint(hash: u64) -> u16 {
    (hash ^ (hash >> 32)) as u16
}

/// A filter's bytes, read and found whole.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    shape: Shape,
    fingerprints: &'a [[u8; 2]],
}

impl<'a> Filter<'a> {
    /// The filter that these bytes are. Costs nothing; look-ups are as safe as it is.
    pub fn parse(bytes: &'a [u8]) -> Result<Filter<'a>, NotAFilter> {
        let (header, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(NotAFilter)?;
        let [m0, m1, m2, m3, LAYOUT, bits, 0, 0, tail @ ..] = header else { return Err(NotAFilter) };
        let (seed, segments) = tail.split_first_chunk::<8>().ok_or(NotAFilter)?;
        let segments = u32::from_le_bytes(segments.try_into().map_err(|_| NotAFilter)?);
        let shape = Shape { segment_bits: u32::from(*bits), segments, seed: u64::from_le_bytes(*seed) };
        let is_shape = [*m0, *m1, *m2, *m3] == *MAGIC && (2..=MAX_SEGMENT_BITS).contains(&shape.segment_bits);
        let (fingerprints, odd) = rest.as_chunks::<2>();
        if !is_shape || !odd.is_empty() || fingerprints.len() as u64 != shape.fingerprints() {
            return Err(NotAFilter);
        }
        Ok(Filter { shape, fingerprints })
    }

    /// False if the entry is not among those that the filter was made of; true if it most likely is.
    #[inline]
    pub fn may_contain(&self, entry: &Entry) -> bool {
        let hash = self.shape.hash(key(entry));
        let stored = self.shape.places(hash).map(|place| self.fingerprints.get(place).copied());
        let [Some(a), Some(b), Some(c)] = stored else { return false };
        u16::from_le_bytes(a) ^ u16::from_le_bytes(b) ^ u16::from_le_bytes(c) == fingerprint(hash)
    }
}

/// The bytes of the filter of `entries`, which are in order. The same entries give the same bytes, wherever they are made.
///
/// Their number is (7/8 n + 5 n / log2 n), log2 rounded down, in whole segments. The first seed is made of the keys themselves,
/// so that nobody can choose entries for which it fails; if it fails all the same, the next one is a fixed step further.
pub fn build(entries: &[Entry]) -> Vec<u8> {
    let mut keys: Vec<u64> = entries.iter().map(key).collect();
    keys.dedup();
    let mut digest = Context::new(&SHA256);
    keys.iter().for_each(|key| digest.update(&key.to_be_bytes()));
    let seed = digest.finish().as_ref().first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    let mut shape = Shape { seed, ..shape_of(keys.len() as u64) };
    let fingerprints = loop {
        if let Some(fingerprints) = fill(&shape, &keys) {
            break fingerprints;
        }
        shape.seed = shape.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    };
    let mut bytes = Vec::with_capacity(HEADER_LEN + 2 * fingerprints.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[LAYOUT, shape.segment_bits as u8, 0, 0]);
    bytes.extend_from_slice(&shape.seed.to_le_bytes());
    bytes.extend_from_slice(&shape.segments.to_le_bytes());
    bytes.extend(fingerprints.iter().flat_map(|fingerprint| fingerprint.to_le_bytes()));
    bytes
}

/// The shape for so many keys, but for its seed.
fn shape_of(keys: u64) -> Shape {
    let segment_bits = 1 + SEGMENT_FROM.iter().filter(|from| **from <= keys.max(1)).count() as u32;
    let room = keys * 7 / 8 + 5 * keys / u64::from(keys.max(2).ilog2());
    let segments = room.div_ceil(1 << segment_bits).saturating_sub(u64::from(ARITY) - 1).max(1);
    Shape { segment_bits, segments: if keys == 0 { 0 } else { segments as u32 }, seed: 0 }
}

/// The fingerprints of `keys`, each once; `None` if they cannot be placed under this seed.
///
/// A place that one key alone has is that key's: it is taken off, and leaves others alone in theirs. Once all are taken off,
/// each gets, in the opposite order, what makes its three places come out at its fingerprint.
fn fill(shape: &Shape, keys: &[u64]) -> Option<Vec<u16>> {
    /// Who has a place: how many, the exclusive or of their hashes, and of which of their three it is.
    #[derive(Clone, Copy, Default)]
    struct Place {
        hashes: u64,
        count: u32,
        which: u32,
    }
    let mut places = vec![Place::default(); shape.fingerprints() as usize];
    for key in keys {
        let hash = shape.hash(*key);
        for (which, at) in (0..).zip(shape.places(hash)) {
            let place = places.get_mut(at)?;
            place.hashes ^= hash;
            place.count += 1;
            place.which ^= which;
        }
    }
    let mut alone: Vec<u32> = (0..).zip(&places).filter(|(_, place)| place.count == 1).map(|(at, _)| at).collect();
    let mut order: Vec<(u64, u32)> = Vec::with_capacity(keys.len());
    while let Some(at) = alone.pop() {
        let Place { hashes: hash, count: 1, which } = *places.get(at as usize)? else { continue };
        order.push((hash, which));
        for (other, at) in (0..).zip(shape.places(hash)) {
            let place = places.get_mut(at)?;
            place.hashes ^= hash;
            place.count -= 1;
            place.which ^= other;
            if place.count == 1 {
                alone.push(at as u32);
            }
        }
    }
    if order.len() != keys.len() {
        return None;
    }
    let mut fingerprints = vec![0_u16; places.len()];
    for (hash, which) in order.into_iter().rev() {
        let at = shape.places(hash);
        let others = at.iter().map(|at| fingerprints.get(*at).copied().unwrap_or(0)).fold(0, |all, one| all ^ one);
        // Its own place is still zero.
        *at.get(which as usize).and_then(|at| fingerprints.get_mut(*at))? = fingerprint(hash) ^ others;
    }
    Some(fingerprints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::entry;
    use crate::revocation::run::Run;

    fn entries(numbers: std::ops::Range<u32>) -> Vec<Entry> {
        numbers.map(|number| entry(&number.to_string())).collect::<Run>().entries().to_vec()
    }

    #[test]
    fn every_entry_is_a_hit_whatever_their_number() {
        let sizes = (0..300).chain(SEGMENT_FROM.iter().take(10).flat_map(|&from| from as u32 - 1..=from as u32 + 1));
        for size in sizes.chain([100_000]) {
            let entries = entries(0..size);
            let bytes = build(&entries);
            let filter = Filter::parse(&bytes).expect("whole");
            assert!(entries.iter().all(|entry| filter.may_contain(entry)), "{size}");
            assert_eq!(bytes, build(&entries), "the same every time");
        }
        assert!(!Filter::parse(&build(&[])).expect("whole").may_contain(&[0; 16]), "nothing is in an empty one");
        assert_eq!(build(&[]).len(), HEADER_LEN);
    }

    #[test]
    fn a_stranger_is_a_hit_once_in_65_536() {
        let bytes = build(&entries(0..100_000));
        let filter = Filter::parse(&bytes).expect("whole");
        let strangers = 2_000_000;
        let hits = (100_000..100_000 + strangers).filter(|n| filter.may_contain(&entry(&n.to_string()))).count();
        // 30.5 are expected; a rate of 1e-4 would be 200.
        assert!((8..=60).contains(&hits), "{hits} of {strangers}");
    }

    #[test]
    fn entries_that_share_their_key_are_one_to_it() {
        let twins: Vec<Entry> = (0..50).map(|last| [&[7; 15][..], &[last]].concat().try_into().expect("16")).collect();
        let bytes = build(&twins);
        assert_eq!(bytes, build(&twins[..1]));
        assert!(Filter::parse(&bytes).expect("whole").may_contain(&twins[49]));
        let more: Run = twins.into_iter().chain(entries(0..1000)).collect();
        let bytes = build(more.entries());
        let filter = Filter::parse(&bytes).expect("whole");
        assert!(more.entries().iter().all(|entry| filter.may_contain(entry)));
    }

    #[test]
    fn spoilt_bytes_are_refused_or_answer() {
        let some = entries(0..40);
        let good = build(&some);
        for len in 0..good.len() {
            assert!(Filter::parse(&good[..len]).is_err(), "cut at {len}");
        }
        assert!(Filter::parse(&[&good[..], &[0, 0]].concat()).is_err(), "longer");
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(filter) = Filter::parse(&bytes) else { continue };
            assert!(bit >= 64, "the form of the header is asked for: {bit}");
            some.iter().for_each(|entry| {
                std::hint::black_box(filter.may_contain(entry));
            });
        }
        for (bits, segments) in [(2, u32::MAX), (18, u32::MAX), (1, 1), (19, 1), (255, 1)] {
            let mut bytes = good[..HEADER_LEN].to_vec();
            bytes[5] = bits;
            bytes[16..].copy_from_slice(&segments.to_le_bytes());
            assert!(Filter::parse(&bytes).is_err(), "{bits} {segments}");
        }
    }

    #[test]
    fn the_layout_is_as_it_was() {
        let bytes = build(&entries(0..1000));
        let hash = aws_lc_rs::digest::digest(&SHA256, &bytes);
        // Nodes of two releases serve one index: these bytes change only with the layout's number.
        assert_eq!(
            (bytes.len(), hex::encode(hash.as_ref())),
            (3092, "27c9f74689822339c87931dac4dd40d52a26306681df134f89b957687f1d5d7b".to_owned())
        );
    }

    #[test]
    fn a_million_take_less_than_three_megabytes() {
        for (keys, bytes) in [(1_000_000, 3_000_000), (10_000, 30_000), (500, 2_000)] {
            assert!(HEADER_LEN as u64 + 2 * shape_of(keys).fingerprints() < bytes, "{keys}");
        }
    }
}
