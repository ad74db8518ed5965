//! QR text -> modules. The `qrcode` crate makes segments, error correction and placement; the mask is chosen here.
//!
//! Choosing the mask is 95 % of that crate's work; `mask.rs` does it on whole rows, and the matrix is the crate's own.

mod mask;

use qrcode::bits::Bits;
use qrcode::canvas::Canvas;
use qrcode::types::Color;
use qrcode::{EcLevel, Version, ec};

use self::mask::Wide;
use super::CodecError;

/// How much of a damaged picture can be read all the same. Source: ISO/IEC 18004 §4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// 7 %.
    L,
    /// 15 %: ours unless asked.
    M,
    /// 25 %.
    Q,
    /// 30 %.
    H,
}

impl From<Level> for EcLevel {
    fn from(level: Level) -> EcLevel {
        match level {
            Level::L => EcLevel::L,
            Level::M => EcLevel::M,
            Level::Q => EcLevel::Q,
            Level::H => EcLevel::H,
        }
    }
}

/// How many light modules stand around a symbol on every side. Source: ISO/IEC 18004 §9.1.
pub const QUIET_ZONE: usize = 4;

/// A QR code's modules, without its quiet zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    version: u8,
    rows: Vec<Wide>,
}

impl Symbol {
    /// The smallest symbol that holds `text` at `level`, in alphanumeric mode.
    ///
    /// Errors: [`CodecError::Qr`] for a character outside that mode's 45, or a text that no version holds.
    pub fn encode(text: &str, level: Level) -> Result<Symbol, CodecError> {
        let version = smallest_version(text, level)?;
        let fail = |_| CodecError::Qr;
        let mut bits = Bits::new(Version::Normal(version.into()));
        bits.push_alphanumeric_data(text.as_bytes()).map_err(fail)?;
        bits.push_terminator(level.into()).map_err(fail)?;
        let data = bits.into_bytes();
        let (data, correction) =
            ec::construct_codewords(&data, Version::Normal(version.into()), level.into()).map_err(fail)?;
        let mut canvas = functional(version, level);
        canvas.draw_data(&data, &correction);
        let rows = mask::best(&lines(canvas), version, level);
        Ok(Symbol { version, rows })
    }

    /// 1 ..= 40.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// How many modules a side has, 21 ..= 177.
    pub fn width(&self) -> usize {
        self.rows.len()
    }

    /// True if the module in column `x` of row `y` is dark; everything outside is light.
    pub fn dark(&self, x: usize, y: usize) -> bool {
        self.rows.get(y).is_some_and(|row| row.bit(x))
    }

    /// The dark runs of row `y`, from left to right: (first column, length).
    pub fn runs(&self, y: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            while at < self.width() && !self.dark(at, y) {
                at += 1;
            }
            let first = at;
            while at < self.width() && self.dark(at, y) {
                at += 1;
            }
            (at > first).then_some((first, at - first))
        })
    }
}

/// How many alphanumeric characters fit is found by trying: the crate has the table, and says no quickly.
fn smallest_version(text: &str, level: Level) -> Result<u8, CodecError> {
    if !text
        .bytes()
        .all(|c| matches!(c, b'0'..=b'9' | b'A'..=b'Z' | b' ' | b'$' | b'%' | b'*' | b'+' | b'-' | b'.' | b'/' | b':'))
    {
        return Err(CodecError::Qr);
    }
    let data_bits = |version: u8| {
        let count_bits = match version {
            ..=9 => 9,
            10..=26 => 11,
            _ => 13,
        };
        4 + count_bits + text.len() / 2 * 11 + text.len() % 2 * 6
    };
    let fits = |version: &u8| {
        let room = Bits::new(Version::Normal((*version).into())).max_len(level.into());
        room.is_ok_and(|room| data_bits(*version) <= room)
    };
    (1..=40).find(fits).ok_or(CodecError::Qr)
}

/// A canvas with everything on it but data, mask and format.
fn functional(version: u8, level: Level) -> Canvas {
    let mut canvas = Canvas::new(Version::Normal(version.into()), level.into());
    canvas.draw_all_functional_patterns();
    canvas
}

fn lines(canvas: Canvas) -> Vec<Wide> {
    let colors = canvas.into_colors();
    let width = colors.len().isqrt();
    colors.chunks(width).map(|row| Wide::from_bits(row.iter().map(|&color| color == Color::Dark))).collect()
}

#[cfg(test)]
mod tests {
    use qrcode::QrCode;

    use super::*;

    /// Texts of every length up to `longest`, of characters that a seed picks.
    fn texts(longest: usize, step: usize) -> impl Iterator<Item = String> {
        const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        (1..=longest).step_by(step).map(move |len| {
            let next = || {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                char::from(ALPHABET[(seed % 45) as usize])
            };
            std::iter::repeat_with(next).take(len).collect()
        })
    }

    /// The same bits through the crate, which draws and scores all eight masks itself.
    fn by_the_crate(text: &str, version: u8, level: Level) -> Vec<Wide> {
        let mut bits = Bits::new(Version::Normal(version.into()));
        bits.push_alphanumeric_data(text.as_bytes()).expect("alphanumeric");
        bits.push_terminator(level.into()).expect("fits");
        let code = QrCode::with_bits(bits, level.into()).expect("fits");
        let width = code.width();
        let colors = code.into_colors();
        colors.chunks(width).map(|row| Wide::from_bits(row.iter().map(|&color| color == Color::Dark))).collect()
    }

    fn agree(texts: impl Iterator<Item = String>, level: Level) -> usize {
        let agreeing = texts.map(|text| {
            let symbol = Symbol::encode(&text, level).expect("fits");
            assert!(symbol.rows == by_the_crate(&text, symbol.version, level), "{text} at {level:?}");
        });
        agreeing.count()
    }

    #[test]
    fn agrees_with_the_crate_on_thousands_of_symbols() {
        let mut seen = 0;
        for level in [Level::L, Level::M, Level::Q, Level::H] {
            seen += agree(texts(560, 1), level); // up to version 20: the ones we issue
            seen += agree(texts(1840, 131), level); // up to version 40 at level H
        }
        assert!(seen > 2_200, "{seen}");
    }

    #[test]
    fn takes_the_smallest_version_that_holds_the_text() {
        // Source: ISO/IEC 18004 table 7, alphanumeric characters at level M.
        for (version, holds) in [(1, 20), (2, 38), (9, 262), (10, 311), (15, 600), (26, 1542), (27, 1637), (40, 3391)] {
            let encode = |len: usize| Symbol::encode(&"A".repeat(len), Level::M).map(|symbol| symbol.version());
            assert_eq!(encode(holds), Ok(version));
            let over = if version == 40 { Err(CodecError::Qr) } else { Ok(version + 1) };
            assert_eq!(encode(holds + 1), over);
        }
        assert_eq!(Symbol::encode("abc", Level::M), Err(CodecError::Qr));
        assert_eq!(Symbol::encode("VN1:Ă", Level::M), Err(CodecError::Qr));
    }

    #[test]
    fn runs_are_the_dark_modules() {
        let symbol = Symbol::encode("VN1:GREEN CARD", Level::M).expect("fits");
        for y in 0..symbol.width() {
            let by_run: Vec<usize> = symbol.runs(y).flat_map(|(first, len)| first..first + len).collect();
            let by_module: Vec<usize> = (0..symbol.width()).filter(|&x| symbol.dark(x, y)).collect();
            assert_eq!(by_run, by_module);
        }
    }
}
