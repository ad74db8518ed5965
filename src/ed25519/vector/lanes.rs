//! Eight field elements at once, one in each 64-bit lane, multiplied by AVX-512 IFMA.
//!
//! An element has five limbs of 51 bits, as in `field.rs`. The instructions multiply the low 52 bits of two words and add the low
//! or the high 52 bits of the product: a factor's limbs must be below 2^52, and one bit more than a limb has is all there is.
//! So what is multiplied is [`Lanes`], limbs just above 2^51; what comes out, and what sums and differences are taken of, is
//! [`Wide`], limbs below 2^62, which one carry makes into `Lanes` again.

use std::arch::x86_64::*;

use crate::ed25519::field::{Field, LIMB_MASK, TWO_P};

/// Eight words a lane, or a word of eight lanes: what moves between memory and lanes.
pub(in crate::ed25519) type Words = [__m512i; 8];

/// Eight elements with limbs below 2^51 + 2^16, or any below 2^52: a factor.
#[derive(Clone, Copy)]
pub(super) struct Lanes(pub [__m512i; 5]);

/// Eight elements with limbs below 2^62.
///
/// A product of two [`Lanes`] has limbs below 2^59: at most 1 + 19 (4 + 5/2) times 2^52 in the lowest. With a factor whose
/// limbs fill 52 bits it is below 2^60.
#[derive(Clone, Copy)]
pub(super) struct Wide(pub [__m512i; 5]);

/// 512 p: limb by limb above any product of two [`Lanes`], and twice it above one with a factor that fills 52 bits. What is to
/// be diminished is made that much greater.
const BIAS: [u64; 5] = [(LIMB_MASK - 18) << 9, LIMB_MASK << 9, LIMB_MASK << 9, LIMB_MASK << 9, LIMB_MASK << 9];

#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn all(value: u64) -> __m512i {
    _mm512_set1_epi64(value as i64)
}

/// The same element in every lane. Limbs: below 2^52.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn splat(element: Field) -> Lanes {
    let [a, b, c, d, e] = element.0;
    Lanes([all(a), all(b), all(c), all(d), all(e)])
}

/// The element of the first lane.
#[target_feature(enable = "avx512f")]
pub(super) fn first(lanes: &Lanes) -> Field {
    Field(lanes.0.map(|limb| _mm_cvtsi128_si64(_mm512_castsi512_si128(limb)) as u64))
}

/// The lanes' products.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
pub(super) fn times(a: &Lanes, b: &Lanes) -> Wide {
    times_onto([_mm512_setzero_si512(); 10], a, b)
}

/// The lanes' products, and [`BIAS`] above: from these a product can be taken off as they are.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
pub(super) fn times_above(a: &Lanes, b: &Lanes) -> Wide {
    // All columns are doubled once.
    let mut half = [_mm512_setzero_si512(); 10];
    for k in 0..5 {
        half[k] = all(BIAS[k] / 2);
    }
    times_onto(half, a, b)
}

#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
fn times_onto(mut columns: [__m512i; 10], a: &Lanes, b: &Lanes) -> Wide {
    let (a, b) = (&a.0, &b.0);
    // Column k has the weight 2^(51 k). The high 52 bits of a product weigh 2^52 of its low ones: they go one column up,
    // twice.
    for i in 0..5 {
        for j in 0..5 {
            columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], a[i], b[j]);
        }
    }
    for column in &mut columns {
        *column = _mm512_add_epi64(*column, *column);
    }
    for i in 0..5 {
        for j in 0..5 {
            columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], a[i], b[j]);
        }
    }
    folded(columns)
}

/// The columns of a product as its limbs.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
fn folded(columns: [__m512i; 10]) -> Wide {
    // 2^255 is 19: what is above column 4 comes back 19-fold.
    let [a, b, c, d, e, f, g, h, i, j] = columns;
    Wide([plus19(a, f), plus19(b, g), plus19(c, h), plus19(d, i), plus19(e, j)])
}

/// a + 19 b. One multiplication takes less room in the processor than two shifts and two additions.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn plus19(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi64(a, _mm512_mullo_epi64(b, all(19)))
}

/// The same elements as factors.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
#[inline]
pub(super) fn carried(wide: Wide) -> Lanes {
    let mut limbs = wide.0;
    for limb in &mut limbs {
        *limb = _mm512_and_si512(*limb, all(LIMB_MASK));
    }
    for k in 0..4 {
        limbs[k + 1] = _mm512_add_epi64(limbs[k + 1], _mm512_srli_epi64::<51>(wide.0[k]));
    }
    limbs[0] = _mm512_madd52lo_epu64(limbs[0], _mm512_srli_epi64::<51>(wide.0[4]), all(19));
    Lanes(limbs)
}

/// The lanes' sums. Limbs: below 2^62 together.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn plus(a: Wide, b: Wide) -> Wide {
    let mut sum = a;
    for k in 0..5 {
        sum.0[k] = _mm512_add_epi64(a.0[k], b.0[k]);
    }
    sum
}

/// The lanes' differences. Limbs: `a`'s at least `b`'s, as a product's above [`BIAS`] are.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn minus(a: Wide, b: Wide) -> Wide {
    let mut difference = a;
    for k in 0..5 {
        difference.0[k] = _mm512_sub_epi64(a.0[k], b.0[k]);
    }
    difference
}

/// The same elements above [`BIAS`].
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn raised(a: &Lanes) -> Wide {
    let mut above = Wide(a.0);
    for k in 0..5 {
        above.0[k] = _mm512_add_epi64(a.0[k], all(BIAS[k]));
    }
    above
}

/// `yes` in the lanes of `mask`, `no` in the others.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn choose(mask: __mmask8, yes: &Lanes, no: &Lanes) -> Lanes {
    let mut chosen = *no;
    for k in 0..5 {
        chosen.0[k] = _mm512_mask_mov_epi64(no.0[k], mask, yes.0[k]);
    }
    chosen
}

/// -`a` in the lanes of `mask`, `a` in the others. Limbs: `a`'s below 2^51 + 2^13, as a scalar product's; then up to 2^52 - 2.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn negated_where(mask: __mmask8, a: &Lanes) -> Lanes {
    let mut signed = *a;
    for k in 0..5 {
        signed.0[k] = _mm512_mask_sub_epi64(a.0[k], mask, all(TWO_P[k]), a.0[k]);
    }
    signed
}

/// Each lane's element moved `BY` lanes on, 4, 2 or 1, round and round.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn rotated<const BY: i32>(a: &Lanes) -> Lanes {
    let mut moved = *a;
    for limb in &mut moved.0 {
        *limb = _mm512_alignr_epi64::<BY>(*limb, *limb);
    }
    moved
}

/// The one form of each element with limbs below 2^51 and a value below p. Limbs: as [`carried`] leaves them.
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
pub(super) fn canonical(a: &Lanes) -> Lanes {
    let mask = all(LIMB_MASK);
    let ripple = |limbs: [__m512i; 5], mut carry: __m512i| {
        let limbs = limbs.map(|limb| {
            let sum = _mm512_add_epi64(limb, carry);
            carry = _mm512_srli_epi64::<51>(sum);
            _mm512_and_si512(sum, mask)
        });
        (limbs, carry)
    };
    // Below 2p once what is above 2^255 came back; then a p is taken off if the value and 19 reach 2^255.
    let (mut limbs, carry) = ripple(a.0, _mm512_setzero_si512());
    limbs[0] = _mm512_madd52lo_epu64(limbs[0], carry, all(19));
    let (_, over) = ripple(limbs, all(19));
    let over = _mm512_madd52lo_epu64(_mm512_setzero_si512(), over, all(19));
    Lanes(ripple(limbs, over).0)
}

/// In which lanes the limbs are the same.
#[target_feature(enable = "avx512f")]
pub(super) fn same(a: &Lanes, b: &Lanes) -> __mmask8 {
    (0..5).fold(0xFF, |mask, k| _mm512_mask_cmpeq_epi64_mask(mask, a.0[k], b.0[k]))
}

/// Eight numbers of four words, the low 255 bits of each as limbs.
#[target_feature(enable = "avx512f")]
pub(super) fn from_words(words: &[__m512i; 4]) -> Lanes {
    let mask = all(LIMB_MASK);
    let [a, b, c, d] = *words;
    Lanes(
        [
            a,
            _mm512_or_si512(_mm512_srli_epi64::<51>(a), _mm512_slli_epi64::<13>(b)),
            _mm512_or_si512(_mm512_srli_epi64::<38>(b), _mm512_slli_epi64::<26>(c)),
            _mm512_or_si512(_mm512_srli_epi64::<25>(c), _mm512_slli_epi64::<39>(d)),
            _mm512_srli_epi64::<12>(d),
        ]
        .map(|limb| _mm512_and_si512(limb, mask)),
    )
}

/// Row k, lane l becomes row l, lane k.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn transposed(rows: Words) -> Words {
    let [a, b, c, d, e, f, g, h] = rows;
    // Words, then pairs of words, then fours.
    let ((a, b), (c, d), (e, f), (g, h)) = (words(a, b), words(c, d), words(e, f), words(g, h));
    let ((a, c), (b, d), (e, g), (f, h)) = (pairs(a, c), pairs(b, d), pairs(e, g), pairs(f, h));
    let ((a, e), (b, f), (c, g), (d, h)) = (pairs(a, e), pairs(b, f), pairs(c, g), pairs(d, h));
    [a, b, c, d, e, f, g, h]
}

/// The even words of both, taken in turn, and the odd ones.
#[target_feature(enable = "avx512f")]
#[inline]
fn words(a: __m512i, b: __m512i) -> (__m512i, __m512i) {
    (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
}

/// The even pairs of words of one and then of the other, and the odd ones.
#[target_feature(enable = "avx512f")]
#[inline]
fn pairs(a: __m512i, b: __m512i) -> (__m512i, __m512i) {
    (_mm512_shuffle_i64x2::<0x88>(a, b), _mm512_shuffle_i64x2::<0xDD>(a, b))
}
