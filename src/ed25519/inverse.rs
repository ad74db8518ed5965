//! Inverses mod p by divisions: three times as fast as by a power, for numbers that are no secret.
//!
//! Source: Bernstein, Yang, "Fast constant-time gcd computation and modular inversion" (2019), in the variable-time form with
//! 62 steps at a time that Wuille describes in libsecp256k1's doc/safegcd_implementation.md. In short: (f, g) goes from (p, x)
//! to (±1, 0) by steps that halve g; the steps depend on the low bits only, so 62 of them are worked out on one word each, as
//! a matrix, and then applied to the whole numbers at once. d and e go along such that f = d x and g = e x mod p, and so at the
//! end 1 = ±d x.

#![expect(clippy::indexing_slicing, reason = "numbers of five limbs, by loops of five")]

use super::field::Field;

/// A number as the sum of `limb[i] * 2^(62 i)`; the last limb has the sign.
type Signed = [i64; 5];

const MASK: u64 = u64::MAX >> 2;
/// 2^255 - 19.
const P: Signed = [(MASK - 18) as i64, MASK as i64, MASK as i64, MASK as i64, 0x7F];
/// 1/p mod 2^62.
const P_INVERSE: u64 = {
    // Each step of Newton's doubles the bits that are right; the first has three.
    let (p, mut inverse, mut step) = (P[0] as u64, P[0] as u64, 0);
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(p.wrapping_mul(inverse)));
        step += 1;
    }
    inverse & MASK
};

/// 62 steps: (f, g) becomes (u f + v g, q f + r g) / 2^62.
struct Steps {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

/// 1 / `words`, a number below p; 0 for 0.
pub(super) fn invert(words: [u64; 4]) -> [u64; 4] {
    let [a, b, c, d] = words;
    let limbs = [a, a >> 62 | b << 2, b >> 60 | c << 4, c >> 58 | d << 6, d >> 56];
    let (mut f, mut g) = (P, limbs.map(|limb| (limb & MASK) as i64));
    let (mut d, mut e): (Signed, Signed) = ([0; 5], [1, 0, 0, 0, 0]);
    let mut eta = -1;
    // Numbers of 255 bits take at most 735 steps, and so twelve rounds. Source: safegcd_implementation.md.
    while g != [0; 5] {
        let steps = steps(&mut eta, f[0] as u64, g[0] as u64);
        (d, e) = steps.apply_mod_p(&d, &e);
        (f, g) = steps.apply(&f, &g);
    }
    // d is between -2p and p, and f is 1 or -1.
    if d[4] < 0 {
        d = sum(&d, &P, 1);
    }
    if f[4] < 0 {
        d = sum(&[0; 5], &d, -1);
    }
    if d[4] < 0 {
        d = sum(&d, &P, 1);
    }
    let [a, b, c, d, e] = d.map(|limb| limb as u64);
    [a | b << 62, b >> 2 | c << 60, c >> 4 | d << 58, d >> 6 | e << 56]
}

/// The next 62 steps, from the low words of f and g. `eta`: what is left of the steps in which f stays the smaller one.
fn steps(eta: &mut i64, mut f: u64, mut g: u64) -> Steps {
    let (mut u, mut v, mut q, mut r) = (1_u64, 0_u64, 0_u64, 1_u64);
    let mut left = 62;
    loop {
        // A step with an even g only halves it: as many at once as there are zeros.
        let zeros = (g | u64::MAX << left).trailing_zeros();
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        *eta -= i64::from(zeros);
        left -= zeros;
        if left == 0 {
            return Steps { u: u as i64, v: v as i64, q: q as i64, r: r as i64 };
        }
        if *eta < 0 {
            *eta = -*eta;
            (f, g) = (g, f.wrapping_neg());
            (u, q) = (q, u.wrapping_neg());
            (v, r) = (r, v.wrapping_neg());
        }
        // Take off so much of f that the low bits of g become zeros: as many as there are steps before the next change.
        let bits = (*eta + 1).min(i64::from(left)).min(6) as u32;
        let minus_one_by_f = f.wrapping_mul(f.wrapping_mul(f).wrapping_sub(2)); // mod 2^6, for an odd f
        let times = g.wrapping_mul(minus_one_by_f) & (u64::MAX >> (64 - bits));
        g = g.wrapping_add(f.wrapping_mul(times));
        q = q.wrapping_add(u.wrapping_mul(times));
        r = r.wrapping_add(v.wrapping_mul(times));
    }
}

impl Steps {
    /// What the steps make of f and g, whose multiples of 2^62 come out whole.
    fn apply(&self, f: &Signed, g: &Signed) -> (Signed, Signed) {
        self.apply_plus(f, g, 0, 0)
    }

    /// What the steps make of d and e mod p: so many times p is added that the multiples of 2^62 come out whole.
    fn apply_mod_p(&self, d: &Signed, e: &Signed) -> (Signed, Signed) {
        // d and e stay between -2p and p: a negative one is taken for p more.
        let (sign_d, sign_e) = (d[4] >> 63, e[4] >> 63);
        let multiple = |x: i64, y: i64| {
            let start = (x & sign_d) + (y & sign_e);
            let low = (x as u64).wrapping_mul(d[0] as u64).wrapping_add((y as u64).wrapping_mul(e[0] as u64));
            start - (P_INVERSE.wrapping_mul(low).wrapping_add(start as u64) & MASK) as i64
        };
        self.apply_plus(d, e, multiple(self.u, self.v), multiple(self.q, self.r))
    }

    fn apply_plus(&self, f: &Signed, g: &Signed, times_f: i64, times_g: i64) -> (Signed, Signed) {
        let product = |x: i64, y: i64| i128::from(x) * i128::from(y);
        let (mut carry_f, mut carry_g) = (0, 0);
        let (mut next_f, mut next_g) = ([0; 5], [0; 5]);
        for at in 0..5 {
            carry_f += product(self.u, f[at]) + product(self.v, g[at]) + product(times_f, P[at]);
            carry_g += product(self.q, f[at]) + product(self.r, g[at]) + product(times_g, P[at]);
            if at > 0 {
                next_f[at - 1] = (carry_f as u64 & MASK) as i64;
                next_g[at - 1] = (carry_g as u64 & MASK) as i64;
            }
            carry_f >>= 62;
            carry_g >>= 62;
        }
        (next_f[4], next_g[4]) = (carry_f as i64, carry_g as i64);
        (next_f, next_g)
    }
}

/// a + `sign` b.
fn sum(a: &Signed, b: &Signed, sign: i64) -> Signed {
    let (mut sum, mut carry) = ([0; 5], 0);
    for at in 0..5 {
        let limb = a[at] + sign * b[at] + carry;
        (sum[at], carry) = if at == 4 { (limb, 0) } else { ((limb as u64 & MASK) as i64, limb >> 62) };
    }
    sum
}

impl Field {
    /// 1 / `self`; 0 for 0. Limbs: up to 2^54.
    pub fn inverted(self) -> Field {
        Field::from_words(invert(super::field::words(&self.to_bytes())))
    }
}
