//! Proofs of signatures, kept: under (trust list's version, SHA-256 of the text), and only those that were seen twice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use moka::sync::Cache;

use super::verdict::Facts;
use crate::verify::{Signed, Verified};

/// A proof and, once it was accepted, the facts as answers spell them.
pub struct Proof {
    /// What was proved.
    pub signed: Signed,
    facts: OnceLock<Arc<Facts>>,
}

impl Proof {
    /// Wraps a proof.
    pub fn new(signed: Signed) -> Proof {
        Proof { signed, facts: OnceLock::new() }
    }

    /// The facts as answers spell them. Only who holds a [`Verified`] gets them.
    pub fn facts(&self, verified: &Verified<'_>) -> Arc<Facts> {
        Arc::clone(self.facts.get_or_init(|| Arc::new(Facts::of(verified))))
    }
}

/// Which text, proved under which trust list. A keyed hash would do; an unkeyed fast one would let an attacker collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProofKey {
    /// The trust list's version.
    pub trust: u64,
    /// SHA-256 of the text without white space at its ends.
    pub text: [u8; 32],
}

/// The proofs kept, within a bound of bytes.
pub struct Proofs {
    kept: Cache<ProofKey, Arc<Proof>>,
    door: Doorkeeper,
}

/// The cache's own cost of an entry, above the proof's. Measured: 369 bytes with a 48-byte value (FACTS §4).
const OVERHEAD_BYTES: usize = 369 + size_of::<Facts>();

impl Proofs {
    /// Room for about `max_bytes` of proofs.
    pub fn new(max_bytes: u64) -> Proofs {
        let weigh = |_: &ProofKey, proof: &Arc<Proof>| {
            // The facts repeat the certificate's texts.
            u32::try_from(OVERHEAD_BYTES + 2 * proof.signed.size_bytes()).unwrap_or(u32::MAX)
        };
        Proofs { kept: Cache::builder().max_capacity(max_bytes).weigher(weigh).build(), door: Doorkeeper::new() }
    }

    /// The proof kept under `key`.
    pub fn recall(&self, key: &ProofKey) -> Option<Arc<Proof>> {
        self.kept.get(key)
    }

    /// Keeps `proof` if its text was seen not long ago: a flood of texts seen once passes by the door.
    pub fn keep(&self, key: ProofKey, proof: &Arc<Proof>) {
        if self.door.seen_before(&key.text) {
            self.kept.insert(key, Arc::clone(proof));
        }
    }

    /// How many are kept, roughly.
    pub fn len(&self) -> u64 {
        self.kept.entry_count()
    }
}

/// Remembers the last quarter of a million texts, roughly, in a fixed 512 KiB: each slot has the tags of the last four that
/// came by. Fewer, and hot texts that share a slot and take turns would never be seen twice.
struct Doorkeeper {
    slots: Box<[AtomicU64]>,
}

const SLOTS: usize = 1 << 16;

impl Doorkeeper {
    fn new() -> Doorkeeper {
        Doorkeeper { slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// True if `digest` came by since four others took its slot; notes it if not. Two that come at once may miss each other.
    fn seen_before(&self, digest: &[u8; 32]) -> bool {
        let [a, b, c, d, ..] = *digest;
        let (at, tag) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]) | 1); // 0 is an empty place
        let Some(slot) = self.slots.get(usize::from(at)) else { return false };
        let tags = slot.load(Ordering::Relaxed);
        let seen = (0..4).any(|place| (tags >> (16 * place)) as u16 == tag);
        if !seen {
            slot.store(tags << 16 | u64::from(tag), Ordering::Relaxed);
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(i: u64) -> [u8; 32] {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &i.to_le_bytes());
        digest.as_ref().try_into().expect("32 bytes")
    }

    #[test]
    fn the_door_opens_at_the_second_sight_and_hardly_ever_for_a_text_seen_once() {
        let door = Doorkeeper::new();
        assert!(!door.seen_before(&digest(0)));
        assert!(door.seen_before(&digest(0)));
        let admitted = (1..1_000_000).filter(|&i| door.seen_before(&digest(i))).count();
        assert!(admitted < 200, "of a flood of texts seen once, {admitted} got in");
    }

    #[test]
    fn texts_that_take_turns_are_all_seen_again() {
        let door = Doorkeeper::new();
        (0..10_000).for_each(|i| drop(door.seen_before(&digest(i))));
        let seen = (0..10_000).filter(|&i| door.seen_before(&digest(i))).count();
        assert!(seen > 9_990, "{seen}");
    }
}
