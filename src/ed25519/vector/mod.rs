//! The path for processors with AVX-512 IFMA: eight signatures in the lanes of one, or one signature's additions spread over them.
//!
//! Everything here is compiled for those instructions whatever the build is for; `available` says whether this processor has
//! them, and nothing else calls in without having asked.

#![allow(
    unsafe_code,
    reason = "vectors are loaded from memory, and the entrances are called once the processor was asked"
)]
#![allow(
    clippy::indexing_slicing,
    clippy::needless_range_loop,
    reason = "arrays of a vector's lanes and limbs, by loops of their length that unroll"
)]

mod lanes;
mod points;
mod sha512;
#[cfg(test)]
mod tests;

use std::arch::x86_64::*;

use super::comb::{Comb, Digits};
use super::curve::{Niels, Point};
use super::{BASE_W, BLOCK_BYTES, Equation, KEY_W, base_comb};
use lanes::{Lanes, Wide, canonical, carried, first, from_words, minus, plus, raised, rotated, same, splat, times};
use points::{Points, Terms};

/// From how many equations on it is faster to fill lanes with them than to spread one after the other over the lanes.
const WORTH_LANES: usize = 3;

/// True if this processor has every instruction that is used here.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512ifma")
}

/// The SHA-512 digests of eight padded messages. Call only where the path is [`available`].
pub(super) fn digests(messages: &[&[[u8; BLOCK_BYTES]]; 8]) -> [[u8; 64]; 8] {
    debug_assert!(available());
    // SAFETY: the processor has the instructions: no engine goes this way unless `available` said so.
    unsafe { digests_in_lanes(messages) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma")]
fn digests_in_lanes(messages: &[&[[u8; BLOCK_BYTES]]; 8]) -> [[u8; 64]; 8] {
    let words = lanes::transposed(sha512::sha512(messages));
    words.map(|digest| {
        let mut bytes = [0; 64];
        let big_endian = to_array(digest).map(u64::to_be_bytes);
        bytes.as_chunks_mut().0.iter_mut().zip(big_endian).for_each(|(to, word)| *to = word);
        bytes
    })
}

/// s B - h A of one equation. Call only where the path is [`available`].
pub(super) fn sum(equation: &Equation<'_>) -> Point {
    debug_assert!(available());
    // SAFETY: the processor has the instructions: no engine goes this way unless `available` said so.
    unsafe { sum_in_lanes(equation) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma")]
fn sum_in_lanes(equation: &Equation<'_>) -> Point {
    const TERMS: usize = Comb::<BASE_W>::WINDOWS + Comb::<KEY_W>::WINDOWS;
    const ROUNDS: usize = TERMS.div_ceil(8);
    let mut rounds = [Terms { entries: [&Niels::IDENTITY; 8], negative: 0 }; ROUNDS];
    let base = (0..Comb::<BASE_W>::WINDOWS).map(|window| base_comb().term(&equation.s, window));
    let key = (0..Comb::<KEY_W>::WINDOWS).map(|window| equation.comb.term(&equation.h, window));
    for (at, (entry, negative)) in base.chain(key).enumerate() {
        let round = &mut rounds[at / 8];
        round.entries[at % 8] = entry;
        round.negative |= u8::from(negative) << (at % 8);
    }
    rounds.iter().for_each(|round| round.prefetch());
    let mut sum = Points::of(&rounds[0]);
    for round in &rounds[1..] {
        sum.add(round);
    }
    sum.folded()
}

/// Whether R is what it must be, for each of up to 64 equations. Call only where the path is [`available`].
pub(super) fn hold(equations: &[Equation<'_>]) -> u64 {
    debug_assert!(available() && equations.len() <= 64);
    if equations.len() < WORTH_LANES {
        let holds = |equation: &Equation<'_>| {
            let sum = sum(equation);
            equation.holds(&sum, sum.z.inverted())
        };
        return equations.iter().rev().fold(0, |mask, equation| mask << 1 | u64::from(holds(equation)));
    }
    // SAFETY: the processor has the instructions: no engine goes this way unless `available` said so.
    unsafe { hold_in_lanes(equations) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma")]
fn hold_in_lanes(equations: &[Equation<'_>]) -> u64 {
    let Some(some) = equations.first() else { return 0 };
    // Lanes that would be empty repeat the first equation; their verdicts are not looked at.
    let eights = equations.chunks(8).map(|chunk| std::array::from_fn(|lane| chunk.get(lane).unwrap_or(some)));
    let eights: Vec<[&Equation<'_>; 8]> = eights.collect();
    let sums: Vec<Points> = eights.iter().map(|eight| sums_in_lanes(eight)).collect();
    let inverses = inverted(&sums);
    let verdicts = eights.iter().zip(&sums).zip(&inverses);
    verdicts.rev().fold(0, |mask, ((eight, sum), inverse)| mask << 8 | u64::from(equal(sum, inverse, eight)))
}

/// s B - h A of eight equations.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma")]
fn sums_in_lanes(equations: &[&Equation<'_>; 8]) -> Points {
    let base = [base_comb().entries(); 8];
    let key = equations.map(|equation| equation.comb.entries());
    let (s, h) = (load(equations.map(|equation| &equation.s)), load(equations.map(|equation| &equation.h)));
    // The first addition is of a point to nothing. Each next one's entries are fetched while the one before it is made.
    let mut next = terms::<BASE_W>(&base, &s, 0);
    let mut sum = Points::of(&next);
    next = terms::<BASE_W>(&base, &s, 1);
    for window in 2..Comb::<BASE_W>::WINDOWS {
        let this = std::mem::replace(&mut next, terms::<BASE_W>(&base, &s, window));
        next.prefetch();
        sum.add(&this);
    }
    for window in 0..Comb::<KEY_W>::WINDOWS {
        let this = std::mem::replace(&mut next, terms::<KEY_W>(&key, &h, window));
        next.prefetch();
        sum.add(&this);
    }
    sum.add(&next);
    sum
}

#[target_feature(enable = "avx512f")]
fn load(digits: [&Digits; 8]) -> [__m512i; 4] {
    std::array::from_fn(|word| from_array(digits.map(|digits| digits.0[word])))
}

/// The entries that a window of eight scalars says, each in its own comb.
#[target_feature(enable = "avx512f")]
#[inline]
fn terms<'t, const W: u32>(combs: &[&'t [Niels]; 8], digits: &[__m512i; 4], window: usize) -> Terms<'t> {
    let first = W as usize * window;
    let (at, shift) = (first / 64, (first % 64) as i64);
    let mut raw = _mm512_srlv_epi64(digits[at], _mm512_set1_epi64(shift));
    if let Some(&above) = digits.get(at + 1) {
        // A shift by 64 gives nothing, as it should.
        raw = _mm512_or_si512(raw, _mm512_sllv_epi64(above, _mm512_set1_epi64(64 - shift)));
    }
    let raw = _mm512_and_si512(raw, _mm512_set1_epi64((1 << W) - 1));
    let half = _mm512_set1_epi64(Comb::<W>::HALF as i64);
    let (magnitude, negative) = match window + 1 == Comb::<W>::WINDOWS {
        true => (raw, 0),
        false => (_mm512_abs_epi64(_mm512_sub_epi64(raw, half)), _mm512_cmplt_epi64_mask(raw, half)),
    };
    let magnitudes = to_array(magnitude);
    let entry = |lane: usize| combs[lane].get(window * Comb::<W>::STRIDE + magnitudes[lane] as usize);
    Terms { entries: std::array::from_fn(|lane| entry(lane).unwrap_or(&Niels::IDENTITY)), negative }
}

/// 1/2Z of all points, for one inversion.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma")]
fn inverted(points: &[Points]) -> Vec<Lanes> {
    let twice: Vec<Lanes> = points.iter().map(|point| carried(plus(point.z, point.z))).collect();
    // Down the points, lane by lane; then across the lanes; then one inversion; then all the way back.
    let mut product = splat(super::field::Field::ONE);
    let before: Vec<Lanes> = twice
        .iter()
        .map(|z| {
            let before = product;
            product = carried(times(&product, z));
            before
        })
        .collect();
    let pairs = carried(times(&product, &rotated::<4>(&product)));
    let quads = carried(times(&pairs, &rotated::<2>(&pairs)));
    let all = carried(times(&quads, &rotated::<1>(&quads)));
    let inverse = splat(first(&all).inverted());
    let inverse = carried(times(&inverse, &rotated::<1>(&quads)));
    let inverse = carried(times(&inverse, &rotated::<2>(&pairs)));
    let mut inverse = carried(times(&inverse, &rotated::<4>(&product)));
    let mut inverses: Vec<Lanes> = twice
        .iter()
        .zip(&before)
        .rev()
        .map(|(z, before)| {
            let this = carried(times(&inverse, before));
            inverse = carried(times(&inverse, z));
            this
        })
        .collect();
    inverses.reverse();
    inverses
}

/// In which lanes the point, given 1/2Z, is written as the equation's R: no other writing of it is looked for.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512ifma")]
fn equal(point: &Points, inverse: &Lanes, equations: &[&Equation<'_>; 8]) -> __mmask8 {
    let (sum, difference) = (raised(&point.plus), Wide(point.minus.0));
    let x = canonical(&carried(times(&carried(minus(sum, difference)), inverse)));
    let y = canonical(&carried(times(&carried(plus(sum, difference)), inverse)));
    let words: [__m512i; 4] = std::array::from_fn(|word| from_array(equations.map(|equation| equation.r[word])));
    // A y of p or more is no canonical limbs, and so never the same.
    let same = same(&y, &from_words(&words));
    let sign = _mm512_srli_epi64::<63>(words[3]);
    let odd = _mm512_and_si512(x.0[0], lanes::all(1));
    _mm512_mask_cmpeq_epi64_mask(same, sign, odd)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn from_array(words: [u64; 8]) -> __m512i {
    // SAFETY: eight words are read from an array of eight; the load asks for no alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn to_array(vector: __m512i) -> [u64; 8] {
    let mut words = [0; 8];
    // SAFETY: eight words are written to an array of eight; the store asks for no alignment.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) };
    words
}
