//! The engine: which path is gone, and which keys have a comb, within a bound of memory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest::{SHA512, digest};

use super::batch::Batch;
use super::comb::Comb;
use super::curve::Point;
#[cfg(target_arch = "x86_64")]
use super::vector;
use super::{Equation, KEY_W, Key, Path, base_comb, portable};

/// Good signatures until a key without a comb gets one: about as many as the library verifies while one is made.
const PATIENCE: u64 = 64;
/// How much memory combs may take unless said otherwise: 40 keys' worth.
const DEFAULT_BYTES: usize = 64 << 20;

thread_local! {
    /// What is hashed of a single signature, so that none is allocated for.
    static MESSAGE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How signatures are verified, and the combs of the keys that are in use. Outlives trust lists: a key that stays keeps its comb.
pub struct Engine {
    path: Path,
    max_bytes: usize,
    /// Every key that is prepared by somebody.
    slots: Mutex<HashMap<[u8; 32], Weak<Slot>>>,
    /// Whether a comb is being made: one at a time, so that keys which take turns cost one thread at most.
    making: AtomicBool,
}

/// A key's place for a comb.
pub(super) struct Slot {
    comb: ArcSwapOption<Comb<KEY_W>>,
    /// Good signatures so far, halved when others are in want of memory.
    uses: AtomicU64,
}

impl Engine {
    /// An engine that goes this way, with 64 MiB for combs.
    pub fn new(path: Path) -> Arc<Engine> {
        Engine::within(path, DEFAULT_BYTES)
    }

    /// An engine with `max_bytes` for the combs of keys; the base point's comes on top.
    ///
    /// `path`: the portable one is gone where the processor lacks what this one needs.
    pub fn within(path: Path, max_bytes: usize) -> Arc<Engine> {
        let path = if Path::available().contains(&path) { path } else { Path::Portable };
        Arc::new(Engine { path, max_bytes, slots: Mutex::default(), making: AtomicBool::new(false) })
    }

    /// The way it goes.
    pub fn path(&self) -> Path {
        self.path
    }

    /// How many bytes the combs of keys take now.
    pub fn comb_bytes(&self) -> usize {
        self.with_slots(|slots| combed(slots).len() * Comb::<KEY_W>::BYTES)
    }

    /// Gives `key` a place for a comb, which all copies of the key share.
    pub fn prepare(&self, key: &mut Key) {
        let slot = self.with_slots(|slots| {
            slots.retain(|_, slot| slot.strong_count() > 0);
            if let Some(slot) = slots.get(key.bytes()).and_then(Weak::upgrade) {
                return slot;
            }
            let slot = Arc::new(Slot { comb: ArcSwapOption::empty(), uses: AtomicU64::new(0) });
            slots.insert(*key.bytes(), Arc::downgrade(&slot));
            slot
        });
        key.slot = Some(slot);
    }

    /// Makes the comb of a prepared key, 4 ms of work, if there is room for it. Other keys get theirs once they are in use.
    pub fn warm(&self, key: &Key) {
        if let Some(slot) = &key.slot
            && self.path != Path::Library
            && slot.comb.load().is_none()
        {
            let comb = comb_of(key.bytes());
            self.keep(slot, comb, 0);
        }
    }

    /// True if `signature` is `key`'s over what `write` appends.
    pub fn verifies(self: &Arc<Self>, key: &Key, signature: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Ok(signature) = <&[u8; 64]>::try_from(signature) else { return false };
        let mut message = MESSAGE.take();
        message.clear();
        for part in [signature.first_chunk::<32>().expect("half of 64"), key.bytes()] {
            message.extend_from_slice(part);
        }
        write(&mut message);
        let good = match self.comb(key) {
            Some(comb) => self.holds(key, &comb, signature, &message),
            None => key.verifies_by_library(signature, message.get(64..).unwrap_or_default()),
        };
        MESSAGE.set(message);
        if good {
            self.used(key, 1);
        }
        good
    }

    fn holds(&self, key: &Key, comb: &Comb<KEY_W>, signature: &[u8; 64], message: &[u8]) -> bool {
        let hash = digest(&SHA512, message);
        let hash = hash.as_ref().first_chunk().expect("SHA-512 has 64 bytes");
        let Some(equation) = Equation::new(key, comb, signature, hash) else { return false };
        let sum = match self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Vector => vector::sum(&equation),
            _ => portable::sum(&equation),
        };
        equation.holds(&sum, sum.z.inverted())
    }

    /// A batch of signatures to verify together.
    pub fn batch(self: &Arc<Self>) -> Batch<'_> {
        Batch::new(self)
    }

    /// The comb of `key`, if it is to be used.
    pub(super) fn comb(&self, key: &Key) -> Option<Arc<Comb<KEY_W>>> {
        if self.path == Path::Library { None } else { key.slot.as_ref()?.comb.load_full() }
    }

    /// Notes `count` more good signatures; a key in use gets its comb, made by a thread of its own. Bad ones do not count:
    /// junk cannot have combs made or dropped.
    pub(super) fn used(self: &Arc<Self>, key: &Key, count: u64) {
        let Some(slot) = &key.slot else { return };
        let before = slot.uses.fetch_add(count, Ordering::Relaxed);
        let asks = before / PATIENCE != (before + count) / PATIENCE;
        if !asks || self.path == Path::Library || slot.comb.load().is_some() {
            return;
        }
        let uses = before + count;
        if self.has_room_for(uses) && !self.making.swap(true, Ordering::Acquire) {
            let (engine, slot, bytes) = (Arc::clone(self), Arc::clone(slot), *key.bytes());
            let make = move || {
                engine.keep(&slot, comb_of(&bytes), uses);
                engine.making.store(false, Ordering::Release);
            };
            // A system that has no thread for it leaves the key to the library until it asks again.
            if std::thread::Builder::new().name("comb".to_owned()).spawn(make).is_err() {
                self.making.store(false, Ordering::Release);
            }
        }
    }

    /// True if one more comb fits, or the least used one is used less than half as often as `uses`: a little more would have
    /// keys that are used alike push each other out for ever.
    fn has_room_for(&self, uses: u64) -> bool {
        self.with_slots(|slots| {
            let combed = combed(slots);
            let least = combed.iter().map(|slot| slot.uses.load(Ordering::Relaxed)).min();
            self.fits_one_more(combed.len()) || least.is_some_and(|least| least < uses / 2)
        })
    }

    /// Keeps the comb of `slot`, used `uses` times, if it fits or the least used one is used less than half as often.
    fn keep(&self, slot: &Slot, comb: Comb<KEY_W>, uses: u64) {
        self.with_slots(|slots| {
            let combed = combed(slots);
            if !self.fits_one_more(combed.len()) {
                let least = combed.iter().min_by_key(|slot| slot.uses.load(Ordering::Relaxed));
                let least = least.filter(|least| least.uses.load(Ordering::Relaxed) < uses / 2);
                let Some(least) = least else { return };
                least.comb.store(None);
                // What was used long ago counts for less and less.
                for slot in slots.values().filter_map(Weak::upgrade) {
                    slot.uses.store(slot.uses.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
                }
            }
            slot.comb.store(Some(Arc::new(comb)));
        });
    }

    fn fits_one_more(&self, combs: usize) -> bool {
        (combs + 1) * Comb::<KEY_W>::BYTES <= self.max_bytes
    }

    fn with_slots<T>(&self, with: impl FnOnce(&mut HashMap<[u8; 32], Weak<Slot>>) -> T) -> T {
        with(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn combed(slots: &HashMap<[u8; 32], Weak<Slot>>) -> Vec<Arc<Slot>> {
    slots.values().filter_map(Weak::upgrade).filter(|slot| slot.comb.load().is_some()).collect()
}

/// The comb of -A.
fn comb_of(key: &[u8; 32]) -> Comb<KEY_W> {
    base_comb(); // or the first to verify would have to make it
    Comb::new(Point::from_bytes(key).expect("a key is a point").negated())
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519::Engine({:?}, {} bytes of combs)", self.path, self.comb_bytes())
    }
}
