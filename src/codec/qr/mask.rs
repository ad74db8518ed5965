//! Choosing the mask on whole rows: a mask is an exclusive or, a penalty a population count.
//!
//! The scores are the `qrcode` crate's own, bit for bit (its balance penalty differs from the standard's), so the matrix is
//! the one that the crate makes; the tests of `codec::qr` hold it to that. Source: ISO/IEC 18004 §7.8.3; qrcode 0.14 canvas.rs.

use std::ops::{BitAnd, BitOr, BitXor, Not, Shl, Shr};
use std::sync::OnceLock;

use qrcode::canvas::MaskPattern;

use super::{Level, functional, lines};

const PATTERNS: [MaskPattern; 8] = [
    MaskPattern::Checkerboard,
    MaskPattern::HorizontalLines,
    MaskPattern::VerticalLines,
    MaskPattern::DiagonalLines,
    MaskPattern::LargeCheckerboard,
    MaskPattern::Fields,
    MaskPattern::Diamonds,
    MaskPattern::Meadow,
];

/// What a version and level look like without data: bare, and under each mask with its format information.
struct Templates {
    bare: Vec<Wide>,
    masked: Vec<Masked>,
}

struct Masked {
    rows: Vec<Wide>,
    columns: Vec<Wide>,
}

/// The templates of a version and level, made on first use: up to 70 kB for the largest, 20 kB for what we issue.
fn templates(version: u8, level: Level) -> &'static Templates {
    static ALL: [OnceLock<Templates>; 160] = [const { OnceLock::new() }; 160];
    let at = (usize::from(version) - 1) * 4 + level as usize;
    let slot = ALL.get(at).expect("40 versions of 4 levels");
    slot.get_or_init(|| Templates {
        bare: lines(functional(version, level)),
        masked: PATTERNS
            .into_iter()
            .map(|pattern| {
                let mut canvas = functional(version, level);
                canvas.apply_mask(pattern);
                let rows = lines(canvas);
                Masked { columns: transposed(&rows), rows }
            })
            .collect(),
    })
}

/// The matrix under the mask with the lowest penalty, the first of several.
///
/// `drawn`: the rows with functional patterns and data, under no mask.
pub(super) fn best(drawn: &[Wide], version: u8, level: Level) -> Vec<Wide> {
    let templates = templates(version, level);
    let data = xor(drawn, &templates.bare);
    let columns = transposed(&data);
    let penalty = |masked: &&Masked| {
        let (rows, columns) = (xor(&data, &masked.rows), xor(&columns, &masked.columns));
        match drawn.len() {
            ..=64 => penalty(&narrow(&rows), &narrow(&columns)),
            _ => penalty(&rows, &columns),
        }
    };
    let best = templates.masked.iter().min_by_key(penalty).expect("eight masks");
    xor(&data, &best.rows)
}

fn xor(a: &[Wide], b: &[Wide]) -> Vec<Wide> {
    a.iter().zip(b).map(|(a, b)| *a ^ *b).collect()
}

fn narrow(lines: &[Wide]) -> Vec<u64> {
    lines.iter().map(|line| line.0[0]).collect()
}

/// The columns of `rows`, each as a line.
fn transposed(rows: &[Wide]) -> Vec<Wide> {
    let mut columns = vec![Wide::default(); rows.len()];
    for (y, row) in rows.iter().enumerate() {
        for (at, &word) in row.0.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                let x = at * 64 + rest.trailing_zeros() as usize;
                if let Some(word) = columns.get_mut(x).and_then(|column| column.0.get_mut(y / 64)) {
                    *word |= 1 << (y % 64);
                }
                rest &= rest - 1;
            }
        }
    }
    columns
}

/// A line of modules as one number: `u64` where it fits, [`Wide`] else.
trait Line:
    Copy
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    fn count(self) -> u32;
    /// The lowest `len` bits set.
    fn low(len: usize) -> Self;
}

impl Line for u64 {
    fn count(self) -> u32 {
        self.count_ones()
    }

    fn low(len: usize) -> Self {
        if len >= 64 { u64::MAX } else { (1 << len) - 1 }
    }
}

fn penalty<L: Line>(rows: &[L], columns: &[L]) -> u32 {
    let width = rows.len();
    let dark: u32 = rows.iter().map(|row| row.count()).sum();
    let ratio = dark as usize * 200 / (width * width);
    let lines = || rows.iter().chain(columns);
    let adjacent: u32 = lines().map(|&line| adjacent(line, width)).sum();
    let finders: u32 = lines().map(|&line| finders(line, width)).sum();
    let blocks: u32 = rows.iter().zip(rows.iter().skip(1)).map(|(&a, &b)| blocks(a, b, width)).sum();
    // Less 360 a direction for the three finder patterns that belong there: the same for every mask, and so left out.
    adjacent + 3 * blocks + 40 * finders + ratio.abs_diff(100) as u32
}

/// Each run of n >= 5 modules of one colour costs n - 2.
fn adjacent<L: Line>(line: L, width: usize) -> u32 {
    let same = !(line ^ line >> 1) & L::low(width - 1);
    // A run of n has n - 4 places where five begin.
    let fives = same & same >> 1 & same >> 2 & same >> 3;
    let runs = fives & !(fives << 1);
    fives.count() + 2 * runs.count()
}

/// How many squares of four modules in these two rows are of one colour.
fn blocks<L: Line>(above: L, below: L, width: usize) -> u32 {
    let across = !(above ^ above >> 1) & !(below ^ below >> 1);
    (across & !(above ^ below) & L::low(width - 1)).count()
}

/// How many times dark-light-dark-dark-dark-light-dark stands beside four light modules; the quiet zone counts as light.
fn finders<L: Line>(line: L, width: usize) -> u32 {
    let light = !line;
    let found = line & light >> 1 & line >> 2 & line >> 3 & line >> 4 & light >> 5 & line >> 6 & L::low(width - 6);
    let before = line << 1 | line << 2 | line << 3 | line << 4;
    let after = line >> 7 | line >> 8 | line >> 9 | line >> 10;
    (found & !(before & after)).count()
}

/// A line of up to 177 modules, the first in the lowest bit of the first word; dark is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wide([u64; 3]);

impl Wide {
    /// The line of these modules.
    pub fn from_bits(bits: impl Iterator<Item = bool>) -> Wide {
        let mut wide = Wide::default();
        for (at, dark) in bits.enumerate() {
            if let Some(word) = wide.0.get_mut(at / 64) {
                *word |= u64::from(dark) << (at % 64);
            }
        }
        wide
    }

    /// The module at `at`.
    pub fn bit(self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    fn with(self, other: Wide, op: impl Fn(u64, u64) -> u64) -> Wide {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Wide([op(a, d), op(b, e), op(c, f)])
    }
}

impl BitAnd for Wide {
    type Output = Wide;
    fn bitand(self, other: Wide) -> Wide {
        self.with(other, |a, b| a & b)
    }
}

impl BitOr for Wide {
    type Output = Wide;
    fn bitor(self, other: Wide) -> Wide {
        self.with(other, |a, b| a | b)
    }
}

impl BitXor for Wide {
    type Output = Wide;
    fn bitxor(self, other: Wide) -> Wide {
        self.with(other, |a, b| a ^ b)
    }
}

impl Not for Wide {
    type Output = Wide;
    fn not(self) -> Wide {
        self.with(self, |a, _| !a)
    }
}

/// By 1 ..= 63.
impl Shl<u32> for Wide {
    type Output = Wide;
    fn shl(self, by: u32) -> Wide {
        let [a, b, c] = self.0;
        Wide([a << by, b << by | a >> (64 - by), c << by | b >> (64 - by)])
    }
}

/// By 1 ..= 63.
impl Shr<u32> for Wide {
    type Output = Wide;
    fn shr(self, by: u32) -> Wide {
        let [a, b, c] = self.0;
        Wide([a >> by | b << (64 - by), b >> by | c << (64 - by), c >> by])
    }
}

impl Line for Wide {
    fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    fn low(len: usize) -> Self {
        let word = |first: usize| u64::low(len.saturating_sub(first));
        Wide([word(0), word(64), word(128)])
    }
}
