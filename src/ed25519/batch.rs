//! Up to 64 signatures, each with a verdict of its own.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA512, digest};

use super::comb::Comb;
use super::engine::Engine;
#[cfg(target_arch = "x86_64")]
use super::vector;
use super::{BLOCK_BYTES, Equation, KEY_W, Key, Path, portable};

/// Signatures to verify together, made by [`Engine::batch`].
pub struct Batch<'k> {
    engine: &'k Arc<Engine>,
    items: Vec<Item<'k>>,
    /// R, A and the signed bytes of each, padded to whole blocks.
    messages: Vec<u8>,
    /// What is signed, while it is being written.
    tbs: Vec<u8>,
}

struct Item<'k> {
    key: &'k Key,
    /// `None` if it has not 64 bytes.
    signature: Option<[u8; 64]>,
    /// Its blocks in `messages`, the first and the one behind the last.
    blocks: (usize, usize),
    /// How long its message is without the padding.
    len: usize,
}

impl<'k> Batch<'k> {
    /// How many signatures a batch holds.
    pub const SIZE: usize = 64;

    pub(super) fn new(engine: &'k Arc<Engine>) -> Batch<'k> {
        let messages = Vec::with_capacity(Self::SIZE * 3 * BLOCK_BYTES);
        Batch { engine, items: Vec::with_capacity(Self::SIZE), messages, tbs: Vec::new() }
    }

    /// Adds a signature of `key` over what `write` appends. Panics if there are [`Batch::SIZE`] already: there is no bit for
    /// its verdict.
    pub fn push(&mut self, key: &'k Key, signature: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        assert!(self.items.len() < Self::SIZE, "a batch holds 64 signatures");
        self.tbs.clear();
        write(&mut self.tbs);
        let begin = self.messages.len();
        let signature: Option<[u8; 64]> = signature.try_into().ok();
        let r = signature.as_ref().and_then(|signature| signature.first_chunk()).copied().unwrap_or([0; 32]);
        for part in [&r, key.bytes(), self.tbs.as_slice()] {
            self.messages.extend_from_slice(part);
        }
        let len = self.messages.len() - begin;
        // Source: FIPS 180-4 §5.1.2.
        self.messages.push(0x80);
        self.messages.resize((self.messages.len() + 16).next_multiple_of(BLOCK_BYTES) - 16, 0);
        self.messages.extend_from_slice(&(len as u128 * 8).to_be_bytes());
        let blocks = (begin / BLOCK_BYTES, self.messages.len() / BLOCK_BYTES);
        self.items.push(Item { key, signature, blocks, len });
    }

    /// How many signatures there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The verdicts: bit i is the i-th signature's.
    pub fn verify(&self) -> u64 {
        let combs: Vec<Option<Arc<Comb<KEY_W>>>> = self.items.iter().map(|item| self.engine.comb(item.key)).collect();
        let items = || self.items.iter().zip(&combs).enumerate();
        let combed: Vec<(usize, &Item<'_>, &Comb<KEY_W>)> =
            items().filter_map(|(at, (item, comb))| Some((at, item, comb.as_deref()?))).collect();
        let hashes = self.hashes(&combed);
        let (places, equations): (Vec<usize>, Vec<Equation<'_>>) = combed
            .iter()
            .zip(&hashes)
            .filter_map(|((at, item, comb), hash)| {
                Some((*at, Equation::new(item.key, comb, item.signature.as_ref()?, hash)?))
            })
            .unzip();
        let held = match self.engine.path() {
            #[cfg(target_arch = "x86_64")]
            Path::Vector => vector::hold(&equations),
            _ => portable::hold(&equations),
        };
        let by_comb = places.iter().enumerate().fold(0, |good, (nth, at)| good | (held >> nth & 1) << at);
        let others = items().filter(|(_, (_, comb))| comb.is_none());
        let good = others.fold(by_comb, |good, (at, (item, _))| good | u64::from(self.by_library(item)) << at);
        self.count_uses(good);
        good
    }

    /// The verdict on one whose key has no comb.
    fn by_library(&self, item: &Item<'_>) -> bool {
        let begin = item.blocks.0 * BLOCK_BYTES;
        let signed = self.messages.get(begin + 64..begin + item.len).unwrap_or_default();
        item.signature.is_some_and(|signature| item.key.verifies_by_library(&signature, signed))
    }

    /// The hashes of these messages.
    fn hashes(&self, combed: &[(usize, &Item<'_>, &Comb<KEY_W>)]) -> Vec<[u8; 64]> {
        let items = combed.iter().map(|(_, item, _)| item);
        #[cfg(target_arch = "x86_64")]
        if self.engine.path() == Path::Vector {
            let all = self.messages.as_chunks().0;
            let messages: Vec<&[[u8; BLOCK_BYTES]]> =
                items.map(|item| all.get(item.blocks.0..item.blocks.1).unwrap_or_default()).collect();
            let eights =
                messages.chunks(8).map(|some| std::array::from_fn(|lane| some.get(lane).copied().unwrap_or_default()));
            return eights.flat_map(|eight| vector::digests(&eight)).collect();
        }
        let hash = |item: &&Item<'_>| {
            let begin = item.blocks.0 * BLOCK_BYTES;
            let message = self.messages.get(begin..begin + item.len).unwrap_or_default();
            *digest(&SHA512, message).as_ref().first_chunk().expect("SHA-512 has 64 bytes")
        };
        items.map(hash).collect()
    }

    /// Notes the good ones, all of a key at once: every core has the same few keys to count.
    fn count_uses(&self, good: u64) {
        let mut counted = 0_u64;
        for (at, item) in self.items.iter().enumerate() {
            if good >> at & 1 == 1 && counted >> at & 1 == 0 {
                let same = self.items.iter().enumerate().filter(|(_, other)| std::ptr::eq(other.key, item.key));
                let same = same.fold(0, |same, (at, _)| same | 1 << at) & good;
                counted |= same;
                self.engine.used(item.key, u64::from(same.count_ones()));
            }
        }
    }
}
