//! The field of integers mod p = 2^255 - 19, one element at a time: five limbs of 51 bits.
//!
//! A product's limbs are below 2^51 + 2^13, and a factor's may be up to 2^54: sums and differences of two or three products are
//! multiplied as they are, and only products carry. What the bounds of each operation are is said at it.

/// An element, not necessarily the smallest of its class: the sum of `limb[i] * 2^(51 i)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field(pub [u64; 5]);

/// The bits of a limb.
pub(super) const LIMB_BITS: u32 = 51;
/// The low 51 bits.
pub(super) const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// 2p, limb by limb at least as great as any product: what is added before a difference is taken.
pub(super) const TWO_P: [u64; 5] = [2 * (LIMB_MASK - 18), 2 * LIMB_MASK, 2 * LIMB_MASK, 2 * LIMB_MASK, 2 * LIMB_MASK];

impl Field {
    pub const ZERO: Field = Field([0; 5]);
    pub const ONE: Field = Field([1, 0, 0, 0, 0]);
    /// The curve's d = -121665/121666.
    pub const D: Field = Field([
        929_955_233_495_203,
        466_365_720_129_213,
        1_662_059_464_998_953,
        2_033_849_074_728_123,
        1_442_794_654_840_575,
    ]);
    /// 2d.
    pub const TWO_D: Field = Field([
        1_859_910_466_990_425,
        932_731_440_258_426,
        1_072_319_116_312_658,
        1_815_898_335_770_999,
        633_789_495_995_903,
    ]);
    /// 1/2d.
    pub const TWO_D_INVERTED: Field = Field([
        133_296_036_314_136,
        426_780_519_490_142,
        971_550_796_200_877,
        1_003_625_501_967_667,
        1_693_814_684_165_806,
    ]);
    /// A square root of -1.
    pub const SQRT_M1: Field = Field([
        1_718_705_420_411_056,
        234_908_883_556_509,
        2_233_514_472_574_048,
        2_117_202_627_021_982,
        765_476_049_583_133,
    ]);

    /// The element that 32 little-endian bytes stand for, their highest bit left out; 2^255 - 19 and above are read as well.
    pub fn from_bytes(bytes: &[u8; 32]) -> Field {
        Field::from_words(words(bytes))
    }

    /// The element that four little-endian words stand for, their highest bit left out.
    pub fn from_words([a, b, c, d]: [u64; 4]) -> Field {
        Field([
            a & LIMB_MASK,
            (a >> 51 | b << 13) & LIMB_MASK,
            (b >> 38 | c << 26) & LIMB_MASK,
            (c >> 25 | d << 39) & LIMB_MASK,
            d >> 12 & LIMB_MASK,
        ])
    }

    /// The canonical 32 bytes. Limbs: up to 2^54.
    pub fn to_bytes(self) -> [u8; 32] {
        let [mut a, mut b, mut c, mut d, mut e] = self.carried().0;
        // The value is below 2p: q is 1 if it is p or more, found by carrying 19 through.
        let q = (e + ((d + ((c + ((b + ((a + 19) >> 51)) >> 51)) >> 51)) >> 51)) >> 51;
        a += 19 * q;
        b += a >> 51;
        c += b >> 51;
        d += c >> 51;
        e += d >> 51;
        let [a, b, c, d, e] = [a, b, c, d, e].map(|limb| limb & LIMB_MASK);
        let words = [a | b << 51, b >> 13 | c << 38, c >> 26 | d << 25, d >> 39 | e << 12];
        let mut bytes = [0; 32];
        bytes.as_chunks_mut().0.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
        bytes
    }

    /// The same element with limbs below 2^51 + 2^13. Limbs: any.
    pub fn carried(self) -> Field {
        let [a, b, c, d, e] = self.0;
        let low = |limb: u64| limb & LIMB_MASK;
        Field([low(a) + 19 * (e >> 51), low(b) + (a >> 51), low(c) + (b >> 51), low(d) + (c >> 51), low(e) + (d >> 51)])
    }

    /// The sum, not carried: limbs add up.
    #[inline]
    pub fn plus(self, other: Field) -> Field {
        let ([a, b, c, d, e], [f, g, h, i, j]) = (self.0, other.0);
        Field([a + f, b + g, c + h, d + i, e + j])
    }

    /// The difference, not carried: limbs below 2^52 more than `self`'s. `other`'s limbs: below 2^52 - 38, as any product's.
    #[inline]
    pub fn minus(self, other: Field) -> Field {
        let ([a, b, c, d, e], [f, g, h, i, j], [p, q, r, s, t]) = (self.0, other.0, TWO_P);
        Field([a + p - f, b + q - g, c + r - h, d + s - i, e + t - j])
    }

    /// The product. Limbs of both: up to 2^54.
    #[inline]
    pub fn times(self, other: Field) -> Field {
        let ([a0, a1, a2, a3, a4], [b0, b1, b2, b3, b4]) = (self.0, other.0);
        // 2^255 is 19: what is above limb 4 comes back 19-fold.
        let (c1, c2, c3, c4) = (19 * b1, 19 * b2, 19 * b3, 19 * b4);
        carry([
            m(a0, b0) + m(a1, c4) + m(a2, c3) + m(a3, c2) + m(a4, c1),
            m(a0, b1) + m(a1, b0) + m(a2, c4) + m(a3, c3) + m(a4, c2),
            m(a0, b2) + m(a1, b1) + m(a2, b0) + m(a3, c4) + m(a4, c3),
            m(a0, b3) + m(a1, b2) + m(a2, b1) + m(a3, b0) + m(a4, c4),
            m(a0, b4) + m(a1, b3) + m(a2, b2) + m(a3, b1) + m(a4, b0),
        ])
    }

    /// The square. Limbs: up to 2^54.
    #[inline]
    pub fn squared(self) -> Field {
        let [a0, a1, a2, a3, a4] = self.0;
        let (c3, c4) = (19 * a3, 19 * a4);
        let (d0, d1, d2) = (2 * a0, 2 * a1, 2 * a2);
        carry([
            m(a0, a0) + m(d1, c4) + m(d2, c3),
            m(d0, a1) + m(d2, c4) + m(a3, c3),
            m(d0, a2) + m(a1, a1) + m(2 * a3, c4),
            m(d0, a3) + m(d1, a2) + m(a4, c4),
            m(d0, a4) + m(d1, a3) + m(a2, a2),
        ])
    }

    fn squared_times(self, count: u32) -> Field {
        (0..count).fold(self, |square, _| square.squared())
    }

    /// `self` to the power of 2^250 - 1.
    fn pow_250(self) -> Field {
        let two = self.squared();
        let nine = two.squared_times(2).times(self);
        let eleven = nine.times(two);
        let p5 = eleven.squared().times(nine); // 2^5 - 1
        let p10 = p5.squared_times(5).times(p5);
        let p20 = p10.squared_times(10).times(p10);
        let p40 = p20.squared_times(20).times(p20);
        let p50 = p40.squared_times(10).times(p10);
        let p100 = p50.squared_times(50).times(p50);
        let p200 = p100.squared_times(100).times(p100);
        p200.squared_times(50).times(p50)
    }

    /// A square root of `self` / `divisor`, if there is one. Source: RFC 8032 §5.1.3.
    pub fn sqrt_ratio(self, divisor: Field) -> Option<Field> {
        let cubed = divisor.squared().times(divisor);
        let seventh = cubed.squared().times(divisor);
        let power = self.times(seventh).pow_250().squared_times(2).times(self.times(seventh)); // (p - 5) / 8 = 2^252 - 3
        let root = self.times(cubed).times(power);
        let check = divisor.times(root.squared());
        match () {
            _ if check == self => Some(root),
            _ if check == Field::ZERO.minus(self.carried()) => Some(root.times(Field::SQRT_M1)),
            _ => None,
        }
    }

    /// True if the canonical value is odd: "negative", as the sign bit of a point says it.
    pub fn is_odd(self) -> bool {
        let [first, ..] = self.to_bytes();
        first & 1 == 1
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Field) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

/// The inverses of all, none of which may be 0, for the price of one and three products each.
pub(super) fn invert_all(elements: &mut [Field]) {
    let mut product = Field::ONE;
    let before: Vec<Field> = elements
        .iter()
        .map(|&element| {
            let before = product;
            product = product.times(element);
            before
        })
        .collect();
    let mut inverse = product.inverted();
    for (element, before) in elements.iter_mut().zip(before).rev() {
        (*element, inverse) = (inverse.times(before), inverse.times(*element));
    }
}

/// 32 bytes as four little-endian words.
pub(super) fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    words.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, chunk)| *word = u64::from_le_bytes(*chunk));
    words
}

fn m(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// The columns of a product, each below 2^115, as limbs below 2^51 + 2^13.
#[inline]
fn carry(columns: [u128; 5]) -> Field {
    let [c0, c1, c2, c3, c4] = columns;
    let low = |column: u128| column as u64 & LIMB_MASK;
    let high = |column: u128| u128::from((column >> 51) as u64);
    let c1 = c1 + high(c0);
    let c2 = c2 + high(c1);
    let c3 = c3 + high(c2);
    let c4 = c4 + high(c3);
    let first = u128::from(low(c0)) + 19 * high(c4);
    Field([low(first), low(c1) + (first >> 51) as u64, low(c2), low(c3), low(c4)])
}
