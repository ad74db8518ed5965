//! Combs: a point's multiples, laid out so that any multiple of it is a sum of a few of them, without a doubling.
//!
//! A scalar below 2^253 is cut into windows of W bits, each a digit of -2^(W-1) .. 2^(W-1); the comb holds for each window i the
//! multiples 0 ..= 2^(W-1) of 2^(W i) times the point, and a negative digit adds the opposite of a multiple. Which entries are
//! read depends on the signature: that is no secret, so the time may depend on it too.

use super::curve::{Niels, Point, normalized};

/// The multiples of one point, for windows of `W` bits.
pub(super) struct Comb<const W: u32> {
    entries: Box<[Niels]>,
}

/// The digits of a scalar, ready to be read.
///
/// Digits with a sign need a carry from window to window; adding half a window's span to each once, and taking it off each digit
/// as it is read, does all the carrying in one addition.
#[derive(Clone, Copy)]
pub(super) struct Digits(pub [u64; 4]);

impl<const W: u32> Comb<W> {
    /// How many windows there are. With the carry the scalar is below 2^254, so the last digit is at most [`Self::LAST`] and
    /// needs no sign.
    pub const WINDOWS: usize = 254_usize.div_ceil(W as usize);
    /// Half of what a window spans: the greatest digit.
    pub const HALF: usize = 1 << (W - 1);
    /// How many entries a window has before the next one's begin.
    pub const STRIDE: usize = Self::HALF + 1;
    /// The greatest digit of the last window.
    const LAST: usize = 1 << (253 - W as usize * (Self::WINDOWS - 1));
    /// How many bytes a comb takes.
    pub const BYTES: usize = ((Self::WINDOWS - 1) * Self::STRIDE + Self::LAST + 1) * size_of::<Niels>();
    /// What is added to a scalar once: half a span at every window but the last.
    const OFFSET: [u64; 4] = {
        assert!(Self::LAST <= Self::HALF, "the last window's digits have no sign");
        let (mut offset, mut window) = ([0_u64; 4], 0);
        while window + 1 < Self::WINDOWS {
            let bit = W as usize * (window + 1) - 1;
            #[expect(
                clippy::indexing_slicing,
                reason = "evaluated by the compiler; no window but the last ends above bit 253"
            )]
            {
                offset[bit / 64] |= 1 << (bit % 64);
            }
            window += 1;
        }
        offset
    };

    /// The comb of `point`: 14 products an entry.
    pub fn new(point: Point) -> Comb<W> {
        let mut entries = Vec::with_capacity(Self::BYTES / size_of::<Niels>());
        let mut bases = vec![point];
        for _ in 1..Self::WINDOWS {
            bases.extend(bases.last().map(|&base| (0..W).fold(base, |base, _| base.doubled())));
        }
        for (window, base) in normalized(&bases).enumerate() {
            let last = if window + 1 == Self::WINDOWS { Self::LAST } else { Self::HALF };
            let mut multiples = vec![Point::IDENTITY];
            for _ in 0..last {
                multiples.extend(multiples.last().map(|multiple| multiple.plus(&base)));
            }
            entries.extend(normalized(&multiples));
        }
        Comb { entries: entries.into() }
    }

    /// `scalar`, below 2^253, as digits.
    pub fn digits(scalar: [u64; 4]) -> Digits {
        let mut carry = false;
        let mut sum = scalar;
        for (word, offset) in sum.iter_mut().zip(Self::OFFSET) {
            (*word, carry) = word.carrying_add(offset, carry);
        }
        Digits(sum)
    }

    /// Adds the multiple that `digits` say to `sum`.
    pub fn add_multiple(&self, sum: Point, digits: &Digits) -> Point {
        /// An entry is fetched while so many before it are added, which takes as long as memory does.
        const AHEAD: usize = 4;
        (0..Self::WINDOWS).fold(sum, |sum, window| {
            if window + AHEAD < Self::WINDOWS {
                self.term(digits, window + AHEAD).0.prefetch();
            }
            match self.term(digits, window) {
                (entry, true) => sum.plus(&entry.negated()),
                (entry, false) => sum.plus(entry),
            }
        })
    }

    /// What a window adds: an entry, and whether it is the opposite that is added.
    pub fn term(&self, digits: &Digits, window: usize) -> (&Niels, bool) {
        let first = W as usize * window;
        let word = |at: usize| u128::from(digits.0.get(at).copied().unwrap_or(0));
        let both = word(first / 64) | word(first / 64 + 1) << 64;
        let raw = (both >> (first % 64)) as usize & ((1 << W) - 1);
        let (magnitude, negative) = match window + 1 == Self::WINDOWS {
            true => (raw, false),
            false => (raw.abs_diff(Self::HALF), raw < Self::HALF),
        };
        let entry = self.entries.get(window * Self::STRIDE + magnitude);
        (
            entry.expect("the last window has entries for all that 253 bits leave it, the others for all their digits"),
            negative,
        )
    }

    /// The entries, window after window.
    pub fn entries(&self) -> &[Niels] {
        &self.entries
    }
}
