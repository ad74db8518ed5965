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
    /// Each key once, however many signatures are its.
    keys: Vec<&'k Key>,
    items: Vec<Item>,
    /// R, A and the signed bytes of each, padded to whole blocks.
    messages: Vec<u8>,
}

struct Item {
    /// Which of the keys.
    key: usize,
    /// `None` if it has not 64 bytes.
    signature: Option<[u8; 64]>,
    /// Its blocks in `messages`, the first and the one behind the last.
    blocks: (usize, usize),
    /// How long its message is without the padding.
    len: usize,
}

/// The combs of a batch's keys; `None` for a key that has none.
type Combs = Vec<Option<Arc<Comb<KEY_W>>>>;

impl<'k> Batch<'k> {
    /// How many signatures a batch holds.
    pub const SIZE: usize = 64;

    pub(super) fn new(engine: &'k Arc<Engine>) -> Batch<'k> {
        let messages = Vec::with_capacity(Self::SIZE * 3 * BLOCK_BYTES);
        Batch { engine, keys: Vec::new(), items: Vec::with_capacity(Self::SIZE), messages }
    }

    /// Adds a signature of `key` over what `write` appends to what it is given, which holds other things already.
    ///
    /// Panics if there are [`Batch::SIZE`] already: there is no bit for its verdict.
    pub fn push(&mut self, key: &'k Key, signature: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        assert!(self.items.len() < Self::SIZE, "a batch holds 64 signatures");
        let begin = self.messages.len();
        let signature: Option<[u8; 64]> = signature.try_into().ok();
        let r = signature.as_ref().and_then(|signature| signature.first_chunk()).copied().unwrap_or([0; 32]);
        self.messages.extend_from_slice(&r);
        self.messages.extend_from_slice(key.bytes());
        write(&mut self.messages);
        let len = self.messages.len() - begin;
        // Source: FIPS 180-4 §5.1.2.
        self.messages.push(0x80);
        self.messages.resize((self.messages.len() + 16).next_multiple_of(BLOCK_BYTES) - 16, 0);
        self.messages.extend_from_slice(&(len as u128 * 8).to_be_bytes());
        let blocks = (begin / BLOCK_BYTES, self.messages.len() / BLOCK_BYTES);
        let known = self.keys.iter().position(|known| std::ptr::eq(*known, key));
        let key = known.unwrap_or_else(|| {
            self.keys.push(key);
            self.keys.len() - 1
        });
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
        let combs: Combs = self.keys.iter().map(|key| self.engine.comb(key)).collect();
        let by_comb = self.by_comb(&combs);
        let has_comb = |item: &Item| combs.get(item.key).is_some_and(Option::is_some);
        let others = self.items.iter().enumerate().filter(|(_, item)| !has_comb(item));
        let good = others.fold(by_comb, |good, (at, item)| good | u64::from(self.by_library(item)) << at);
        for (number, key) in self.keys.iter().enumerate() {
            let of_key = self.items.iter().enumerate().filter(|(at, item)| item.key == number && good >> at & 1 == 1);
            self.engine.used(key, of_key.count() as u64);
        }
        good
    }

    /// The verdicts on those whose keys have combs.
    fn by_comb(&self, combs: &Combs) -> u64 {
        let combed = |(at, item): (usize, &'_ Item)| Some((at, combs.get(item.key)?.as_deref()?));
        let combed: Vec<(usize, &Comb<KEY_W>)> = self.items.iter().enumerate().filter_map(combed).collect();
        let items: Vec<&Item> = combed.iter().filter_map(|(at, _)| self.items.get(*at)).collect();
        let hashes = self.hashes(&items);
        let equations = combed.iter().zip(&items).zip(&hashes).filter_map(|(((at, comb), item), hash)| {
            Some((*at, Equation::new(self.keys.get(item.key)?, comb, item.signature.as_ref()?, hash)?))
        });
        let (places, equations): (Vec<usize>, Vec<Equation<'_>>) = equations.unzip();
        let held = match self.engine.path() {
            #[cfg(target_arch = "x86_64")]
            Path::Vector => vector::hold(&equations),
            _ => portable::hold(&equations),
        };
        places.iter().enumerate().fold(0, |good, (nth, at)| good | (held >> nth & 1) << at)
    }

    /// The verdict on one whose key has no comb.
    fn by_library(&self, item: &Item) -> bool {
        let begin = item.blocks.0 * BLOCK_BYTES;
        let signed = self.messages.get(begin + 64..begin + item.len).unwrap_or_default();
        let key = self.keys.get(item.key);
        key.zip(item.signature).is_some_and(|(key, signature)| key.verifies_by_library(&signature, signed))
    }

    /// The hashes of these messages.
    fn hashes(&self, items: &[&Item]) -> Vec<[u8; 64]> {
        #[cfg(target_arch = "x86_64")]
        if self.engine.path() == Path::Vector {
            let all = self.messages.as_chunks().0;
            let blocks = |item: &&Item| all.get(item.blocks.0..item.blocks.1).unwrap_or_default();
            let eights = items.chunks(8).map(|some| std::array::from_fn(|lane| some.get(lane).map_or(&[][..], blocks)));
            return eights.flat_map(|eight| vector::digests(&eight)).collect();
        }
        let hash = |item: &&Item| {
            let begin = item.blocks.0 * BLOCK_BYTES;
            let message = self.messages.get(begin..begin + item.len).unwrap_or_default();
            *digest(&SHA512, message).as_ref().first_chunk().expect("SHA-512 has 64 bytes")
        };
        items.iter().map(hash).collect()
    }
}
