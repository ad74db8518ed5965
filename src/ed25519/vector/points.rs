//! Points in lanes: the same addition as `curve.rs`, arranged so that only what is multiplied is carried.

use std::arch::x86_64::*;

use super::lanes::{
    Lanes, Wide, carried, choose, first, minus, negated_where, plus, raised, rotated, splat, times, times_above,
    transposed,
};
use crate::ed25519::curve::{Niels, Point};
use crate::ed25519::field::Field;

/// Eight points, as the next addition reads them: (Y - X, Y + X, Z, T), Z above the bias.
#[derive(Clone, Copy)]
pub(super) struct Points {
    pub minus: Lanes,
    pub plus: Lanes,
    pub z: Wide,
    pub t: Lanes,
}

/// Eight points to add, read from tables; some to be taken off instead.
#[derive(Clone, Copy)]
pub(super) struct Terms<'t> {
    pub entries: [&'t Niels; 8],
    pub negative: __mmask8,
}

impl Terms<'_> {
    /// Has the entries brought near, for the addition after the next.
    #[inline]
    pub fn prefetch(&self) {
        self.entries.iter().for_each(|entry| entry.prefetch());
    }

    /// (y + x, y - x, 2dxy) of each, the negative ones turned round.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn load(&self) -> (Lanes, Lanes, Lanes) {
        let (mut front, mut back) = ([_mm512_setzero_si512(); 8], [_mm512_setzero_si512(); 8]);
        for lane in 0..8 {
            let words = std::ptr::from_ref(self.entries[lane]).cast::<__m512i>();
            // SAFETY: an entry is twice eight words, aligned to 128 bytes.
            (front[lane], back[lane]) = unsafe { (_mm512_load_si512(words), _mm512_load_si512(words.add(1))) };
        }
        let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, _]) = (transposed(front), transposed(back));
        let (sum, difference) = (Lanes([a, b, c, d, e]), Lanes([f, g, h, i, j]));
        let t2d = negated_where(self.negative, &Lanes([k, l, m, n, o]));
        (choose(self.negative, &difference, &sum), choose(self.negative, &sum, &difference), t2d)
    }
}

impl Points {
    /// The terms themselves.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    pub fn of(terms: &Terms<'_>) -> Points {
        let (plus, minus, t2d) = terms.load();
        let t = carried(times(&t2d, &splat(Field::TWO_D_INVERTED)));
        Points { minus, plus, z: raised(&splat(Field::ONE)), t }
    }

    /// Adds the terms: seven products.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    #[inline]
    pub fn add(&mut self, terms: &Terms<'_>) {
        let (sum, difference, t2d) = terms.load();
        let a = times(&self.minus, &difference);
        let b = times_above(&self.plus, &sum);
        let c = times(&self.t, &t2d);
        *self = Points::from_products(a, b, c, plus(self.z, self.z));
    }

    /// The sums of points of both, lane by lane: nine products, for neither has Z = 1.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn add_points(&self, other: &Points) -> Points {
        let a = times(&self.minus, &other.minus);
        let b = times_above(&self.plus, &other.plus);
        let t2d = carried(times(&other.t, &splat(Field::TWO_D)));
        let c = times(&self.t, &t2d);
        let z = times_above(&carried(self.z), &carried(other.z));
        Points::from_products(a, b, c, plus(z, z))
    }

    /// The last four products of an addition. `b` and `d` are above the bias.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    #[inline]
    fn from_products(a: Wide, b: Wide, c: Wide, d: Wide) -> Points {
        let (e, h) = (carried(minus(b, a)), carried(plus(b, a)));
        let (f, g) = (carried(minus(d, c)), carried(plus(d, c)));
        let (x, y) = (times(&e, &f), times_above(&g, &h));
        let (z, t) = (times_above(&f, &g), carried(times(&e, &h)));
        Points { minus: carried(minus(y, x)), plus: carried(plus(y, x)), z, t }
    }

    /// The sum of all eight.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    pub fn folded(self) -> Point {
        let sum = self.add_points(&self.rotated::<4>());
        let sum = sum.add_points(&sum.rotated::<2>());
        let sum = sum.add_points(&sum.rotated::<1>());
        let (minus, plus, z) = (first(&sum.minus), first(&sum.plus), first(&carried(sum.z)));
        // Twice X, Y and Z: the same point. T is not asked for any more.
        Point { x: plus.minus(minus), y: plus.plus(minus), z: z.plus(z), t: Field::ZERO }
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    fn rotated<const BY: i32>(&self) -> Points {
        let z = rotated::<BY>(&carried(self.z));
        Points {
            minus: rotated::<BY>(&self.minus),
            plus: rotated::<BY>(&self.plus),
            z: raised(&z),
            t: rotated::<BY>(&self.t),
        }
    }
}
