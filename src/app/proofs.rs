//! Answers that are kept: under (trust list's version, SHA-256 of the text), and only those that were asked for twice.
//!
//! What is kept of a text is the [`Standing`] of its proof, asked again at every request, and the answer that it has while it is
//! accepted. `quick_cache` rather than moka: it takes some hundred bytes an entry less, and answers six times as fast.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::verdict::Told;
use crate::certificate::Uvci;
use crate::verify::Standing;

/// A proof that was accepted at least once.
pub struct Proof {
    /// What its acceptance depends on.
    pub standing: Standing,
    /// The answer while it is accepted.
    pub told: Told,
    /// What it is called, if an own key signed it.
    pub name: Option<Name>,
    /// Whether the registry said that it knows it.
    pub registered: AtomicBool,
}

impl Proof {
    /// How the registry is to be asked, of a certificate that is `accepted` now and that it was not asked of.
    pub fn unasked(&self, accepted: bool) -> Option<Name> {
        self.name.filter(|_| accepted && !self.registered.load(Ordering::Relaxed))
    }
}

/// What a certificate under an own key is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// By a name such as the registry gives.
    Ours(Uvci),
    /// By none that it can have given.
    Invented,
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
    kept: Cache<ProofKey, Arc<Proof>, Weigh>,
    door: Doorkeeper,
}

/// What an entry costs above its answer. Measured at a million entries, see `benches`.
const OVERHEAD_BYTES: u64 = 300;
/// What an ordinary answer is.
const USUAL_BYTES: u64 = 350;

#[derive(Clone)]
struct Weigh;

impl Weighter<ProofKey, Arc<Proof>> for Weigh {
    fn weight(&self, _: &ProofKey, proof: &Arc<Proof>) -> u64 {
        OVERHEAD_BYTES + proof.told.size_bytes() as u64
    }
}

impl Proofs {
    /// Room for about `max_bytes` of proofs.
    pub fn new(max_bytes: u64) -> Proofs {
        let entries = usize::try_from(max_bytes / (OVERHEAD_BYTES + USUAL_BYTES)).unwrap_or(usize::MAX);
        Proofs { kept: Cache::with_weighter(entries, max_bytes, Weigh), door: Doorkeeper::new() }
    }

    /// The proof kept under `key`.
    pub fn recall(&self, key: &ProofKey) -> Option<Arc<Proof>> {
        self.kept.get(key)
    }

    /// Keeps what `proof` makes if its text was seen not long ago: a flood of texts seen once passes by the door.
    pub fn keep(&self, key: ProofKey, proof: impl FnOnce() -> Option<Proof>) {
        if self.door.seen_before(&key.text)
            && let Some(proof) = proof()
        {
            self.kept.insert(key, Arc::new(proof));
        }
    }

    /// How many are kept, roughly.
    pub fn len(&self) -> u64 {
        self.kept.len() as u64
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
        assert!((0..10_000).filter(|&i| door.seen_before(&digest(i))).count() < 5);
        let seen = (0..10_000).filter(|&i| door.seen_before(&digest(i))).count();
        assert!(seen > 9_990, "{seen}");
    }
}
