//! Points of the curve -x² + y² = 1 + d x² y², one at a time: what tables are made with, and what the portable path adds.
//!
//! The addition is complete: it is right for every two points, equal, opposite or of small order. Source: Hisil, Wong, Carter,
//! Dawson, "Twisted Edwards Curves Revisited" (2008) §3.1; RFC 8032 §5.1.4.

use super::field::{Field, invert_all};

/// A point with x = X/Z, y = Y/Z, xy = T/Z.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub x: Field,
    pub y: Field,
    pub z: Field,
    pub t: Field,
}

/// A point ready to be added: (y + x, y - x, 2dxy), with Z = 1. Limbs: below 2^51 + 2^13, and 2^52 in a negated one's last.
///
/// Sixteen words in two lines of the cache, so that eight of them are read with sixteen loads.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(128))]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "read as words by the vector path alone"))]
pub(super) struct Niels {
    pub plus: Field,
    pub minus: Field,
    pub t2d: Field,
    pub unused: u64,
}

impl Niels {
    #[cfg(target_arch = "x86_64")]
    pub const IDENTITY: Niels = Niels { plus: Field::ONE, minus: Field::ONE, t2d: Field::ZERO, unused: 0 };

    fn new(x: Field, y: Field) -> Niels {
        let t2d = x.times(y).times(Field::TWO_D);
        Niels { plus: y.plus(x).carried(), minus: y.minus(x).carried(), t2d, unused: 0 }
    }

    /// Has it brought near, both its lines: combs are larger than a core's own cache.
    #[inline]
    #[cfg_attr(target_arch = "x86_64", allow(unsafe_code, reason = "a prefetch takes a pointer"))]
    pub fn prefetch(&self) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let line = std::ptr::from_ref(self).cast::<i8>();
            // SAFETY: a prefetch reads nothing that the program sees, whatever the address.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(line);
                _mm_prefetch::<_MM_HINT_T0>(line.wrapping_add(64));
            }
        }
    }

    /// The point on the other side.
    pub fn negated(&self) -> Niels {
        Niels { plus: self.minus, minus: self.plus, t2d: Field::ZERO.minus(self.t2d), unused: 0 }
    }
}

impl Point {
    pub const IDENTITY: Point = Point { x: Field::ZERO, y: Field::ONE, z: Field::ONE, t: Field::ZERO };

    /// The point that 32 bytes stand for, if there is one. y above p is read, as is a sign for x = 0. Source: RFC 8032 §5.1.3.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Point> {
        let y = Field::from_bytes(bytes);
        let yy = y.squared();
        let root = yy.minus(Field::ONE).sqrt_ratio(yy.times(Field::D).plus(Field::ONE))?;
        let [.., last] = *bytes;
        let x = if root.is_odd() == (last >> 7 == 1) { root } else { Field::ZERO.minus(root).carried() };
        Some(Point { x, y, z: Field::ONE, t: x.times(y) })
    }

    /// The point on the other side.
    pub fn negated(self) -> Point {
        Point { x: Field::ZERO.minus(self.x).carried(), t: Field::ZERO.minus(self.t).carried(), ..self }
    }

    /// The sum: seven products.
    #[inline]
    pub fn plus(self, other: &Niels) -> Point {
        let a = self.y.minus(self.x).times(other.minus);
        let b = self.y.plus(self.x).times(other.plus);
        let c = self.t.times(other.t2d);
        let d = self.z.plus(self.z);
        let (e, f, g, h) = (b.minus(a), d.minus(c), d.plus(c), b.plus(a));
        Point { x: e.times(f), y: g.times(h), z: f.times(g), t: e.times(h) }
    }

    /// Twice the point.
    pub fn doubled(self) -> Point {
        let (a, b) = (self.x.squared(), self.y.squared());
        let c = self.z.squared();
        let h = a.plus(b);
        let e = h.minus(self.x.plus(self.y).squared());
        let g = a.minus(b).carried();
        let f = c.plus(c).plus(g);
        Point { x: e.times(f), y: g.times(h), z: f.times(g), t: e.times(h) }
    }

    /// The 32 bytes of the point, given 1/Z. Source: RFC 8032 §5.1.2.
    pub fn to_bytes(self, inverse: Field) -> [u8; 32] {
        let mut bytes = self.y.times(inverse).to_bytes();
        let [.., last] = &mut bytes;
        *last |= u8::from(self.x.times(inverse).is_odd()) << 7;
        bytes
    }
}

/// All `points` ready to be added, for one inversion.
pub(super) fn normalized(points: &[Point]) -> impl Iterator<Item = Niels> {
    let mut inverses: Vec<Field> = points.iter().map(|point| point.z).collect();
    invert_all(&mut inverses);
    points.iter().zip(inverses).map(|(point, inverse)| Niels::new(point.x.times(inverse), point.y.times(inverse)))
}
