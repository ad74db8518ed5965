//! Up to 64 signatures, each with a verdict of its own.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA512, digest};

use super::comb::Comb;
use super::engine::Engine;
#[cfg(target_arch = "x86_64")]
use super::vector;
use super::{Equation, KEY_W, Key, Path, halves, is_of_small_order, portable};

/// How many bytes SHA-512 reads at a time: each message begins at a multiple of it, padded as the hash demands.
const BLOCK_BYTES: usize = 128;

/// Signatures to verify together, made by [`Engine::batch`].
pub struct Batch<'k> {
    engine: &'k Engine,
    items: Vec<Item<'k>>,
    /// R, A and the signed bytes of each, padded to whole blocks.
    messages: Vec<u8>,
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

    pub(super) fn new(engine: &'k Engine) -> Batch<'k> {
        let items = Vec::with_capacity(Self::SIZE);
        Batch { engine, items, messages: Vec::with_capacity(Self::SIZE * 3 * BLOCK_BYTES) }
    }

    /// Adds a signature of `key` over what `write` appends.
    pub fn push(&mut self, key: &'k Key, signature: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        debug_assert!(self.items.len() < Self::SIZE);
        let begin = self.messages.len();
        let signature: Option<[u8; 64]> = signature.try_into().ok();
        if let Some((r, _)) = signature.as_ref().and_then(|signature| halves(signature)) {
            self.messages.extend_from_slice(r);
            self.messages.extend_from_slice(&key.bytes);
        }
        write(&mut self.messages);
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
        let combed: Vec<usize> =
            (0..self.items.len()).filter(|&at| combs.get(at).is_some_and(Option::is_some)).collect();
        let mut good = self.by_library(&combs);
        let (mut equations, mut numbers) = (Vec::with_capacity(combed.len()), Vec::with_capacity(combed.len()));
        for (at, hash) in combed.iter().zip(self.hashes(&combed)) {
            let (Some(item), Some(Some(comb))) = (self.items.get(*at), combs.get(*at)) else { continue };
            let read =
                item.signature.as_ref().and_then(|signature| halves(signature)).filter(|_| !item.key.small_order);
            if let Some(equation) = read.and_then(|(r, s)| Equation::new(comb, r, s, &hash)) {
                equations.push(equation);
                numbers.push(*at);
            }
        }
        let held = match self.engine.path() {
            #[cfg(target_arch = "x86_64")]
            Path::Vector => vector::hold(&equations),
            _ => portable::hold(&equations),
        };
        for (nth, at) in numbers.iter().enumerate() {
            let Some(item) = self.items.get(*at) else { continue };
            let r = item.signature.as_ref().and_then(|signature| halves(signature)).map(|(r, _)| r);
            if held >> nth & 1 == 1 && r.is_some_and(|r| !is_of_small_order(r)) {
                good |= 1 << at;
            }
        }
        for (at, item) in self.items.iter().enumerate() {
            if good >> at & 1 == 1 {
                self.engine.used(item.key);
            }
        }
        good
    }

    /// The verdicts of those whose keys have no comb.
    fn by_library(&self, combs: &[Option<Arc<Comb<KEY_W>>>]) -> u64 {
        let good = |item: &Item<'_>| {
            let (begin, end) = (item.blocks.0 * BLOCK_BYTES + 64, item.blocks.0 * BLOCK_BYTES + item.len);
            let signed = self.messages.get(begin..end).unwrap_or_default();
            item.signature.is_some_and(|signature| item.key.verifies_by_library(&signature, signed))
        };
        let others = self.items.iter().zip(combs).enumerate().filter(|(_, (_, comb))| comb.is_none());
        others.fold(0, |mask, (at, (item, _))| mask | u64::from(good(item)) << at)
    }

    /// The hashes of these messages.
    fn hashes(&self, numbers: &[usize]) -> Vec<[u8; 64]> {
        let items = numbers.iter().filter_map(|&at| self.items.get(at));
        #[cfg(target_arch = "x86_64")]
        if self.engine.path() == Path::Vector {
            let all = self.messages.as_chunks().0;
            let messages: Vec<&[[u8; BLOCK_BYTES]]> =
                items.map(|item| all.get(item.blocks.0..item.blocks.1).unwrap_or_default()).collect();
            let eights =
                messages.chunks(8).map(|some| std::array::from_fn(|lane| some.get(lane).copied().unwrap_or_default()));
            return eights.flat_map(|eight| vector::digests(&eight)).collect();
        }
        let hash = |item: &Item<'_>| {
            let begin = item.blocks.0 * BLOCK_BYTES;
            let message = self.messages.get(begin..begin + item.len).unwrap_or_default();
            *digest(&SHA512, message).as_ref().first_chunk().expect("SHA-512 has 64 bytes")
        };
        items.map(hash).collect()
    }
}
