//! How events are divided into layers: the old and many at the bottom, the new and few on top.
//!
//! At version N layer k reaches up to the last multiple of its block size that N has passed, and begins where the layer below
//! it ends; the last one reaches up to N. So a day's change is a new small top, and what lies below it stays as it is, byte by
//! byte, until so many events have come that it takes in what is above it.
//!
//! A layer `from .. to` holds each entry that is revoked as of version `to` (included) by an event after `from`. One that it
//! holds and that is not revoked as of N is listed as removed. One that was revoked, taken back and revoked again may stand in
//! two layers, and is not listed.

/// How many events a layer grows by at a time, from the bottom to the top.
pub const BLOCKS: [u64; LAYERS] = [1 << 18, 1 << 14, 1 << 10, 1];
/// How many layers there are.
pub const LAYERS: usize = 4;

/// The versions that the layers reach up to when the list is at `version`.
pub fn ends(version: u64) -> [u64; LAYERS] {
    BLOCKS.map(|block| version - version % block)
}

/// The versions that each layer lies between when the list is at `version`: after the first, up to and with the second.
pub fn ranges(version: u64) -> [(u64, u64); LAYERS] {
    let mut from = 0;
    ends(version).map(|to| (std::mem::replace(&mut from, to), to))
}

/// The lowest layer but the top that grows when the list goes from version `from` to `to`.
pub(super) fn grows(from: u64, to: u64) -> Option<usize> {
    BLOCKS.iter().take(LAYERS - 1).position(|block| from / block != to / block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_lie_end_to_end_and_the_last_ends_at_the_version() {
        assert_eq!(ranges(0), [(0, 0); LAYERS]);
        assert_eq!(ranges(1023), [(0, 0), (0, 0), (0, 0), (0, 1023)]);
        assert_eq!(ranges(1024), [(0, 0), (0, 0), (0, 1024), (1024, 1024)]);
        assert_eq!(ranges(1025), [(0, 0), (0, 0), (0, 1024), (1024, 1025)]);
        let many = (3 << 18) + (2 << 14) + (5 << 10) + 7;
        let (bottom, middle) = (3 << 18, (3 << 18) + (2 << 14));
        assert_eq!(ranges(many), [(0, bottom), (bottom, middle), (middle, many - 7), (many - 7, many)]);
    }

    #[test]
    fn a_layer_grows_when_a_multiple_of_its_block_is_passed() {
        for (block, layer) in [(1 << 18, 0), (1 << 14, 1), (1 << 10, 2)] {
            assert_eq!(grows(block - 2, block - 1), None);
            assert_eq!(grows(block - 1, block), Some(layer));
            assert_eq!(grows(block, block + 1), None);
        }
        assert_eq!(grows((1 << 10) - 1, 1 << 18), Some(0), "the lowest of all that grow");
    }
}
