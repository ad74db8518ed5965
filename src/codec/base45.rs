//! Base45: QR's alphanumeric characters <-> bytes. Source: RFC 9285.

use super::CodecError;

/// The longest text that is decoded, prefix included; the largest real one has 1,093 characters (FACTS of the wire).
pub const MAX_TEXT_LEN: usize = 4096;
/// The most bytes that [`MAX_TEXT_LEN`] characters can hold.
pub const MAX_DECODED_LEN: usize = MAX_TEXT_LEN / 3 * 2 + 1;

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// A value no sum of three valid digits reaches, so that one comparison finds both a bad character and a triple over FFFF.
const INVALID: u32 = 1 << 24;

/// Each character's worth in the first, second and third place of a triple.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would refuse an index out of bounds")]
static WORTH: [[u32; 256]; 3] = {
    let mut table = [[INVALID; 256]; 3];
    let mut digit = 0;
    while digit < 45 {
        let c = ALPHABET[digit] as usize;
        table[0][c] = digit as u32;
        table[1][c] = digit as u32 * 45;
        table[2][c] = digit as u32 * 45 * 45;
        digit += 1;
    }
    table
};

/// How many bytes `text` holds, if it is Base45.
pub fn decoded_len(text: &str) -> usize {
    text.len() / 3 * 2 + text.len() % 3 / 2
}

/// The bytes in `text`, written to the front of `out`; returns how many.
///
/// Errors: [`CodecError::Base45`] for lower case, a newline, a length of 1 mod 3, a triple over FFFF or a pair over FF;
/// [`CodecError::TooLong`] if `out` is too short. Source: RFC 9285 §4.
pub fn decode_into(out: &mut [u8], text: &[u8]) -> Result<usize, CodecError> {
    let (triples, rest) = text.as_chunks::<3>();
    let len = triples.len() * 2 + rest.len() / 2;
    let (out, _) = out.split_at_mut_checked(len).ok_or(CodecError::TooLong)?;
    let (pairs, last) = out.as_chunks_mut::<2>();
    let mut worst = 0;
    for (pair, &[a, b, c]) in pairs.iter_mut().zip(triples) {
        let value = worth(0, a) + worth(1, b) + worth(2, c);
        worst = worst.max(value);
        *pair = (value as u16).to_be_bytes();
    }
    match (rest, last) {
        ([], []) => {}
        (&[a, b], [byte]) => {
            let value = worth(0, a) + worth(1, b);
            *byte = value as u8;
            worst = if value > 0xFF { INVALID } else { worst };
        }
        _ => return Err(CodecError::Base45),
    }
    if worst > 0xFFFF { Err(CodecError::Base45) } else { Ok(len) }
}

fn worth(place: usize, c: u8) -> u32 {
    #[expect(clippy::indexing_slicing, reason = "place is 0, 1 or 2, and every byte has a row")]
    WORTH[place][c as usize]
}

/// Appends `bytes` as Base45 to `text`.
pub fn encode_onto(text: &mut String, bytes: &[u8]) {
    let digit = |value: u16| ALPHABET.get(usize::from(value % 45)).map_or('0', |&c| char::from(c));
    text.reserve(bytes.len().div_ceil(2) * 3);
    let (pairs, rest) = bytes.as_chunks::<2>();
    for &pair in pairs {
        let value = u16::from_be_bytes(pair);
        text.extend([digit(value), digit(value / 45), digit(value / 45 / 45)]);
    }
    if let [byte] = rest {
        let value = u16::from(*byte);
        text.extend([digit(value), digit(value / 45)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Result<Vec<u8>, CodecError> {
        let mut out = [0; MAX_DECODED_LEN];
        decode_into(&mut out, text.as_bytes()).map(|len| out[..len].to_vec())
    }

    #[test]
    fn agrees_with_the_examples_of_rfc_9285() {
        for (plain, coded) in
            [("AB", "BB8"), ("Hello!!", "%69 VD92EX0"), ("base-45", "UJCLQE7W581"), ("ietf!", "QED8WEX0"), ("", "")]
        {
            let mut text = String::new();
            encode_onto(&mut text, plain.as_bytes());
            assert_eq!(text, coded);
            assert_eq!(decode(coded).as_deref(), Ok(plain.as_bytes()));
        }
    }

    #[test]
    fn refuses_what_rfc_9285_refuses() {
        for text in ["bb8", "BB8\n", "A", "BB8A", "GGW", ":::", "::", "V5", "ÀB", "BB8 \u{0}"] {
            assert_eq!(decode(text), Err(CodecError::Base45), "{text:?}");
        }
        assert_eq!(decode("FGW").as_deref(), Ok(&[0xFF, 0xFF][..]));
        assert_eq!(decode("U5").as_deref(), Ok(&[0xFF][..]));
    }

    #[test]
    fn every_pair_of_bytes_survives_the_round_trip() {
        for value in 0..=u16::MAX {
            let mut text = String::new();
            encode_onto(&mut text, &value.to_be_bytes());
            assert_eq!(decode(&text).as_deref(), Ok(&value.to_be_bytes()[..]));
        }
    }

    #[test]
    fn a_text_too_long_for_the_buffer_is_refused() {
        let mut out = [0; 2];
        assert_eq!(decode_into(&mut out, b"BB8BB8"), Err(CodecError::TooLong));
        assert_eq!(decode_into(&mut out, b"BB8"), Ok(2));
    }
}
