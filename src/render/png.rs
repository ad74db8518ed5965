//! A symbol as PNG: one bit a pixel.

use crate::codec::qr::{QUIET_ZONE, Symbol};

/// How many pixels a module is wide unless asked: easy to read from a screen, 488 px for a version 9 code.
pub const SCALE: usize = 8;

/// The symbol as a 1-bit greyscale PNG, its quiet zone included.
///
/// `scale`: pixels a module, held to 1 ..= 32.
pub fn png(symbol: &Symbol, scale: usize) -> Vec<u8> {
    let scale = scale.clamp(1, 32);
    let side = (symbol.width() + 2 * QUIET_ZONE) * scale;
    let stride = side.div_ceil(8);
    let mut pixels = vec![0xFF; stride * side]; // 1 is white
    let (_, below) = pixels.split_at_mut(QUIET_ZONE * scale * stride);
    for (y, band) in below.chunks_exact_mut(stride * scale).take(symbol.width()).enumerate() {
        let (first, copies) = band.split_at_mut(stride);
        for (x, len) in symbol.runs(y) {
            darken(first, (x + QUIET_ZONE) * scale, len * scale);
        }
        copies.chunks_exact_mut(stride).for_each(|copy| copy.copy_from_slice(first));
    }
    let mut out = Vec::with_capacity(4096);
    let mut encoder = png::Encoder::new(&mut out, side as u32, side as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Up); // most rows equal the one above: what is left is zeros
    let mut writer = encoder.write_header().expect("a Vec takes every byte");
    writer.write_image_data(&pixels).expect("as many pixels as were announced");
    writer.finish().expect("a Vec takes every byte");
    out
}

/// Clears `len` bits from bit `first` on, the highest bit of a byte being the leftmost pixel.
fn darken(row: &mut [u8], first: usize, len: usize) {
    for at in first..first + len {
        if let Some(byte) = row.get_mut(at / 8) {
            *byte &= !(0x80 >> (at % 8));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::qr::Level;

    #[test]
    fn every_pixel_is_its_module_and_the_quiet_zone_is_white() {
        let symbol = Symbol::encode("VN1:GREEN CARD", Level::M).expect("fits");
        for scale in [1, 3, 8] {
            let picture = image::load_from_memory(&png(&symbol, scale)).expect("a PNG").into_luma8();
            assert_eq!(picture.width() as usize, 29 * scale);
            for (x, y, pixel) in picture.enumerate_pixels() {
                let (column, row) = (x as usize / scale, y as usize / scale);
                let dark = column >= 4 && row >= 4 && symbol.dark(column - 4, row - 4);
                assert_eq!(pixel.0[0], if dark { 0 } else { 255 }, "at {x}, {y}");
            }
        }
    }
}
