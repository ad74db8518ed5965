//! Reading back: the QR texts in a picture. The picture comes from outside, so its size is known before it is decoded.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};
use rxing::common::HybridBinarizer;
use rxing::multi::MultipleBarcodeReader;
use rxing::multi::qrcode::QRCodeMultiReader;
use rxing::qrcode::cpp_port::QrReader;
use rxing::{BinaryBitmap, DecodeHints, Luma8LuminanceSource};

/// The largest file that is read: more than a telephone's camera makes.
pub const MAX_FILE_LEN: usize = 10 * 1024 * 1024;
/// The largest picture, in pixels: 40 MB once decoded to grey.
pub const MAX_PIXELS: u64 = 40_000_000;

/// Why no QR text was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Over [`MAX_FILE_LEN`] or [`MAX_PIXELS`].
    #[error("the picture is larger than {} MiB or {} megapixels", MAX_FILE_LEN >> 20, MAX_PIXELS / 1_000_000)]
    TooLarge,
    /// Neither PNG nor JPEG, or broken.
    #[error("the file is not a PNG or JPEG picture")]
    NotAPicture,
    /// There is none in it that can be read.
    #[error("there is no readable QR code in the picture; take it closer, in good light and in focus")]
    NoCode,
}

impl ReadError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            ReadError::TooLarge => "picture_too_large",
            ReadError::NotAPicture => "picture_unreadable",
            ReadError::NoCode => "picture_without_code",
        }
    }
}

/// The texts of the QR codes in a PNG or JPEG, at least one.
///
/// `file`: at most [`MAX_FILE_LEN`] bytes and [`MAX_PIXELS`]. Errors: [`ReadError`].
pub fn read(file: &[u8]) -> Result<Vec<String>, ReadError> {
    if file.len() > MAX_FILE_LEN {
        return Err(ReadError::TooLarge);
    }
    let format = image::guess_format(file).ok().filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg));
    let format = format.ok_or(ReadError::NotAPicture)?;
    let reader = || ImageReader::with_format(Cursor::new(file), format);
    let (width, height) = reader().into_dimensions().map_err(|_| ReadError::NotAPicture)?;
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ReadError::TooLarge);
    }
    let picture = reader().decode().map_err(|_| ReadError::NotAPicture)?;
    // Transparent pixels are paper.
    let grey: Vec<u8> = match picture.color().has_alpha() {
        false => picture.into_luma8().into_raw(),
        true => picture.into_luma_alpha8().pixels().map(|pixel| over_white(pixel.0)).collect(),
    };
    // One reader overlooks one code in some hundreds, however well it is drawn; the two overlook different ones.
    let source = || HybridBinarizer::new(Luma8LuminanceSource::new(grey.clone(), width, height));
    let texts = texts_by(QRCodeMultiReader::default(), source());
    let texts = if texts.is_empty() { texts_by(QrReader, source()) } else { texts };
    if texts.is_empty() { Err(ReadError::NoCode) } else { Ok(texts) }
}

/// The texts that `reader` finds, each once, in its order.
fn texts_by(mut reader: impl MultipleBarcodeReader, source: HybridBinarizer<Luma8LuminanceSource>) -> Vec<String> {
    let hints = DecodeHints { TryHarder: Some(true), ..DecodeHints::default() };
    let found = reader.decode_multiple_with_hints(&mut BinaryBitmap::new(source), &hints);
    let mut texts: Vec<String> = Vec::new();
    for code in found.into_iter().flatten() {
        if !texts.iter().any(|text| text == code.getText()) {
            texts.push(code.getText().to_owned());
        }
    }
    texts
}

fn over_white([luma, alpha]: [u8; 2]) -> u8 {
    let (luma, alpha) = (u16::from(luma), u16::from(alpha));
    ((luma * alpha + 255 * (255 - alpha)) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::qr::{Level, Symbol};
    use crate::render::png::png;

    #[test]
    fn reads_what_was_rendered_at_every_level_and_scale() {
        let text = "VN1:".to_owned() + &"GREEN CARD 12%".repeat(18);
        for level in [Level::L, Level::M, Level::Q, Level::H] {
            for scale in [2, 3, 8] {
                let picture = png(&Symbol::encode(&text, level).expect("fits"), scale);
                assert_eq!(read(&picture), Ok(vec![text.clone()]), "{level:?} at {scale}");
            }
        }
    }

    #[test]
    fn overlooks_none_of_a_thousand_codes() {
        const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..1000 {
            let mut text = String::from("VN1:");
            while text.len() < 262 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                text.push(char::from(ALPHABET[(seed % 45) as usize]));
            }
            assert_eq!(read(&png(&Symbol::encode(&text, Level::M).expect("fits"), 4)), Ok(vec![text]));
        }
    }

    #[test]
    fn refuses_what_is_no_picture_too_large_or_without_a_code() {
        assert_eq!(read(b""), Err(ReadError::NotAPicture));
        assert_eq!(read(b"GIF89a"), Err(ReadError::NotAPicture));
        assert_eq!(read(&vec![0; MAX_FILE_LEN + 1]), Err(ReadError::TooLarge));
        assert_eq!(read(&vec![0; MAX_FILE_LEN]), Err(ReadError::NotAPicture));
        let mut white = Vec::new();
        image::GrayImage::from_pixel(64, 64, image::Luma([255]))
            .write_to(&mut Cursor::new(&mut white), ImageFormat::Png)
            .expect("writes");
        assert_eq!(read(&white), Err(ReadError::NoCode));
        let picture = png(&Symbol::encode("VN1:A", Level::M).expect("fits"), 8);
        for cut in (0..picture.len()).step_by(7) {
            let _ = read(&picture[..cut]); // whatever it says, it does not panic
        }
    }

    #[test]
    fn knows_a_picture_s_size_before_it_decodes_it() {
        // A PNG header that promises 40,001 x 1,000 pixels, and nothing behind it.
        let picture = png(&Symbol::encode("VN1:A", Level::M).expect("fits"), 1);
        let mut huge = picture.clone();
        huge[16..20].copy_from_slice(&40_001_u32.to_be_bytes());
        huge[20..24].copy_from_slice(&1_000_u32.to_be_bytes());
        let crc = crc(&huge[12..29]);
        huge[29..33].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(read(&huge), Err(ReadError::TooLarge));
    }

    /// The CRC-32 of a PNG chunk. Source: PNG specification, annex D.
    fn crc(bytes: &[u8]) -> u32 {
        let step = |crc: u32, byte: &u8| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
        };
        !bytes.iter().fold(!0, step)
    }
}
