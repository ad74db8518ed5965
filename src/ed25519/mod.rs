//! Ed25519 verification, prepared per trusted key.
//!
//! # What is checked
//!
//! A signature (R, s) of a message M under a key A is good if s B - h A = R, with h = SHA-512(R, A, M) and B the base point. A
//! verifier meets millions of signatures under a handful of keys, and B is the same for all: so for B and for every key in use
//! there is a comb (`comb.rs`), the multiples of the point laid out such that s B - h A is a sum of fifty entries, without one
//! doubling. The sum is then written as 32 bytes, which costs the one inversion, and compared with those of R.
//!
//! # The verdict
//!
//! It is that of ed25519-dalek's `verify_strict`, on every path, for every key and signature, hostile ones too:
//! - s must be below the group's order, or a second signature could be made of a first;
//! - R is never decoded: what was computed is written in the one canonical way, so an R written in another is refused;
//! - neither R nor A may be of small order; there is no cofactor;
//! - h is reduced modulo the group's order before it multiplies A, as there. For a key with torsion that matters; the trust
//!   list refuses such keys, and the verdict is tested below that gate.
//!
//! Batches are not `verify_batch`, which adds signatures up and has another verdict: each equation is computed by itself, and
//! only the inversion is shared, so that each verdict is exact.
//!
//! # Three paths
//!
//! - `vector/`: AVX-512 IFMA, eight equations in the lanes of one, or one equation's additions spread over them.
//! - `portable.rs`: the same sums one at a time in 64-bit arithmetic.
//! - the library, ed25519-dalek itself: for keys that have no comb, and for operators who want it.
//!
//! Keys, signatures and messages are public, so time that depends on them tells nobody anything: all of this is variable in
//! time on purpose, and must never sign.
//!
//! Tried and dropped: narrower combs (8 bits: 15 % slower), wider ones (no faster: memory), two sums interleaved (the processor's
//! multipliers are busy already), shifts for the multiplication by 19 (5 % slower), mulx and adx (slower), the library's own batches (another
//! verdict, and 16 us a signature). Four lanes of AVX2 would take an addition in half the portable path's time (64 against 130 ns a lane,
//! measured on a processor that has IFMA and so would never go that way): worth a fourth path of some 300 lines once there is a machine
//! without IFMA to answer for. Until then the portable path is what such machines get.

mod batch;
mod comb;
mod curve;
mod engine;
mod field;
mod inverse;
mod portable;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod vector;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};

pub use batch::Batch;
use comb::{Comb, Digits};
use curve::Point;
use curve25519_dalek::constants::EIGHT_TORSION;
use ed25519_dalek::{Signature, VerifyingKey};
pub use engine::Engine;
use engine::Slot;
use field::Field;

/// The windows of the base point's comb, which all keys share: 24 additions from 3 MiB, made once in 8 ms.
const BASE_W: u32 = 11;
/// The windows of a key's comb: 26 additions from 1.6 MiB, made in 4 ms. Narrower ones (8: 32 additions, 0.5 MiB) cost a batch
/// 15 % of its speed, wider ones gain no more than the noise.
const KEY_W: u32 = 10;

/// How many bytes SHA-512 reads at a time.
const BLOCK_BYTES: usize = 128;

/// How signatures are verified. All paths have one verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// AVX-512 IFMA, where the processor has it.
    Vector,
    /// 64-bit arithmetic.
    Portable,
    /// ed25519-dalek, which keeps nothing of a key.
    Library,
}

impl Path {
    /// The paths that this processor has, the fastest first.
    pub fn available() -> &'static [Path] {
        #[cfg(target_arch = "x86_64")]
        if vector::available() {
            return &[Path::Vector, Path::Portable, Path::Library];
        }
        &[Path::Portable, Path::Library]
    }
}

/// A public key.
pub struct Key {
    library: VerifyingKey,
    /// Of small order: it verifies nothing. Known once, for finding out takes half as long as a signature.
    is_weak: bool,
    /// Where its comb is, once an engine has prepared it.
    slot: Option<Arc<Slot>>,
}

impl Key {
    /// The key that 32 bytes stand for, if they are a point. Until an [`Engine`] prepares it, it verifies by the library.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Key> {
        let library = VerifyingKey::from_bytes(bytes).ok()?;
        Some(Key { is_weak: library.is_weak(), library, slot: None })
    }

    /// True if the bytes are the canonical ones of a point of prime order. Under any other key one message can have verdicts
    /// that differ between implementations.
    pub fn is_canonical_of_prime_order(&self) -> bool {
        let point = self.library.to_edwards();
        point.compress().as_bytes() == self.bytes() && point.is_torsion_free() && !self.is_weak
    }

    /// As it was read: what is hashed, canonical or not.
    fn bytes(&self) -> &[u8; 32] {
        self.library.as_bytes()
    }

    /// The library's verdict, by which the others are measured.
    pub fn verifies_by_library(&self, signature: &[u8], message: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.library.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ed25519::Key")
    }
}

/// One signature, read, and not refused for what it is made of: what must hold is s B - h A = R.
struct Equation<'k> {
    /// Of -A.
    comb: &'k Comb<KEY_W>,
    s: Digits,
    h: Digits,
    /// As the signature has it, in four words.
    r: [u64; 4],
}

impl<'k> Equation<'k> {
    /// The equation of a signature; `None` where it would hold and must not: the key or R is of small order, or s is not below
    /// the group's order.
    ///
    /// `comb`: the key's. `hash`: of R, A and the message.
    fn new(key: &Key, comb: &'k Comb<KEY_W>, signature: &[u8; 64], hash: &[u8; 64]) -> Option<Equation<'k>> {
        let (r, s) = (field::words(signature.first_chunk()?), scalar::canonical(signature.last_chunk()?)?);
        if key.is_weak || is_of_small_order(&r) {
            return None;
        }
        Some(Equation { comb, s: Comb::<BASE_W>::digits(s), h: Comb::<KEY_W>::digits(scalar::reduced(hash)), r })
    }

    /// True if `sum`, s B - h A, is R. `inverse`: of the sum's Z.
    fn holds(&self, sum: &Point, inverse: Field) -> bool {
        field::words(&sum.to_bytes(inverse)) == self.r
    }
}

/// True if `r` is the canonical writing of a point of small order; another writing of one equals no sum.
fn is_of_small_order(r: &[u64; 4]) -> bool {
    static ALL: OnceLock<[[u64; 4]; 8]> = OnceLock::new();
    ALL.get_or_init(|| EIGHT_TORSION.map(|point| field::words(point.compress().as_bytes()))).contains(r)
}

/// The comb of the base point, made on first use.
fn base_comb() -> &'static Comb<BASE_W> {
    static COMB: OnceLock<Comb<BASE_W>> = OnceLock::new();
    COMB.get_or_init(|| {
        let bytes = curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED.to_bytes();
        Comb::new(Point::from_bytes(&bytes).expect("the base point is on the curve"))
    })
}
