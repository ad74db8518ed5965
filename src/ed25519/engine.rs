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
use super::{Equation, KEY_W, Key, Path, base_comb, halves, is_of_small_order, portable};

/// Good signatures until a key without a comb gets one: about as many as the library verifies while one is made.
const PATIENCE: u64 = 64;
/// How much memory combs may take unless said otherwise: 39 keys' worth.
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
}

/// A key's place for a comb.
pub(super) struct Slot {
    comb: ArcSwapOption<Comb<KEY_W>>,
    /// Whether there is room for its comb: it is there, or being made.
    has_room: AtomicBool,
    /// Good signatures so far, halved when others are in want of memory.
    uses: AtomicU64,
}

impl Engine {
    /// An engine that goes this way, with 64 MiB for combs.
    pub fn new(path: Path) -> Arc<Engine> {
        Engine::within(path, DEFAULT_BYTES)
    }

    /// An engine with `max_bytes` for the combs of keys; the base point's comes on top.
    pub fn within(path: Path, max_bytes: usize) -> Arc<Engine> {
        Arc::new(Engine { path, max_bytes, slots: Mutex::default() })
    }

    /// The way it goes.
    pub fn path(&self) -> Path {
        self.path
    }

    /// How many bytes the combs of keys take now.
    pub fn comb_bytes(&self) -> usize {
        self.with_slots(|slots| with_room(slots).len() * Comb::<KEY_W>::BYTES)
    }

    /// Gives `key` a place for a comb, which all copies of the key share.
    pub fn prepare(&self, key: &mut Key) {
        let slot = self.with_slots(|slots| {
            slots.retain(|_, slot| slot.strong_count() > 0);
            if let Some(slot) = slots.get(&key.bytes).and_then(Weak::upgrade) {
                return slot;
            }
            let slot = Arc::new(Slot {
                comb: ArcSwapOption::empty(),
                has_room: AtomicBool::new(false),
                uses: AtomicU64::new(0),
            });
            slots.insert(key.bytes, Arc::downgrade(&slot));
            slot
        });
        key.slot = Some(slot);
    }

    /// Makes the comb of a prepared key, 4 ms of work, if there is room for it. Other keys get theirs once they are in use.
    pub fn warm(&self, key: &Key) {
        if let Some(slot) = &key.slot
            && self.path != Path::Library
            && self.make_room(slot, 0)
        {
            slot.make_comb(&key.bytes);
        }
    }

    /// True if `signature` is `key`'s over what `write` appends.
    pub fn verifies(&self, key: &Key, signature: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let Some((r, s)) = halves(signature) else { return false };
        MESSAGE.with_borrow_mut(|message| {
            message.clear();
            message.extend_from_slice(r);
            message.extend_from_slice(&key.bytes);
            write(message);
            let good = match self.comb(key) {
                Some(comb) => !key.small_order && self.holds(&comb, r, s, message),
                None => key.verifies_by_library(signature, message.get(64..).unwrap_or_default()),
            };
            if good {
                self.used(key);
            }
            good
        })
    }

    fn holds(&self, comb: &Comb<KEY_W>, r: &[u8; 32], s: &[u8; 32], message: &[u8]) -> bool {
        let hash = digest(&SHA512, message);
        let hash = hash.as_ref().first_chunk().expect("SHA-512 has 64 bytes");
        let Some(equation) = Equation::new(comb, r, s, hash) else { return false };
        let sum = match self.path {
            #[cfg(target_arch = "x86_64")]
            Path::Vector => vector::sum(&equation),
            _ => portable::sum(&equation),
        };
        equation.holds(sum) && !is_of_small_order(r)
    }

    /// A batch of signatures to verify together.
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self)
    }

    /// The comb of `key`, if it is to be used.
    pub(super) fn comb(&self, key: &Key) -> Option<Arc<Comb<KEY_W>>> {
        if self.path == Path::Library { None } else { key.slot.as_ref()?.comb.load_full() }
    }

    /// Notes one more good signature; a key in use gets its comb, made by a thread of its own. Bad ones do not count: a stranger
    /// who cannot sign cannot have combs made or dropped.
    pub(super) fn used(&self, key: &Key) {
        let Some(slot) = &key.slot else { return };
        let uses = slot.uses.fetch_add(1, Ordering::Relaxed) + 1;
        if uses.is_multiple_of(PATIENCE) && self.path != Path::Library && self.make_room(slot, uses) {
            let (slot, bytes) = (Arc::clone(slot), key.bytes);
            // A system that has no thread for it leaves the key to the library, and room for no other; so be it.
            let _ = std::thread::Builder::new().name("comb".to_owned()).spawn(move || slot.make_comb(&bytes));
        }
    }

    /// True if there is room for the comb of `slot`, which has none: also if one that is used less than `uses` had to go.
    fn make_room(&self, slot: &Slot, uses: u64) -> bool {
        if slot.has_room.load(Ordering::Relaxed) {
            return false;
        }
        self.with_slots(|slots| {
            let with_room = with_room(slots);
            if (with_room.len() + 1) * Comb::<KEY_W>::BYTES > self.max_bytes {
                let least = with_room.iter().min_by_key(|slot| slot.uses.load(Ordering::Relaxed));
                let found = least.filter(|slot| slot.uses.load(Ordering::Relaxed) < uses);
                // What was used long ago counts for less and less.
                let halve = |slot: &Slot| slot.uses.store(slot.uses.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
                with_room.iter().for_each(|slot| halve(slot));
                let Some(least) = found else { return false };
                least.has_room.store(false, Ordering::Relaxed);
                least.comb.store(None);
            }
            !slot.has_room.swap(true, Ordering::Relaxed)
        })
    }

    fn with_slots<T>(&self, with: impl FnOnce(&mut HashMap<[u8; 32], Weak<Slot>>) -> T) -> T {
        with(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn with_room(slots: &HashMap<[u8; 32], Weak<Slot>>) -> Vec<Arc<Slot>> {
    slots.values().filter_map(Weak::upgrade).filter(|slot| slot.has_room.load(Ordering::Relaxed)).collect()
}

impl Slot {
    fn make_comb(&self, key: &[u8; 32]) {
        base_comb(); // or the first to verify would have to make it
        let point = Point::from_bytes(key).expect("a key is a point");
        let comb = Comb::new(point.negated());
        self.comb.store(Some(Arc::new(comb)).filter(|_| self.has_room.load(Ordering::Relaxed)));
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519::Engine({:?}, {} bytes of combs)", self.path, self.comb_bytes())
    }
}
