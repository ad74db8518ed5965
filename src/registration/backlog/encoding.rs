//! From the bytes of a file to its characters, piece by piece: UTF-8 and UTF-16, with or without a byte order mark.
//!
//! Decoding never fails: what is no character becomes U+FFFD, and the cell that holds it is refused later.

use std::io::{self, Read};

/// How many bytes are taken from the source at a time.
const CHUNK: usize = 256 * 1024;

/// How a file's characters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// UTF-16, the low byte first: what Excel calls Unicode Text.
    Utf16Le,
    /// UTF-16, the high byte first.
    Utf16Be,
}

/// Characters out of a source of bytes.
pub(super) struct Decoder<R> {
    source: R,
    encoding: Encoding,
    raw: Vec<u8>,
    /// How much of `raw` holds bytes not decoded yet.
    held: usize,
    ended: bool,
    bytes_read: u64,
}

impl<R: Read> Decoder<R> {
    /// The decoder of `source`, its encoding known from its first bytes.
    pub fn open(source: R) -> io::Result<Self> {
        let raw = vec![0; CHUNK];
        let mut decoder = Decoder { source, encoding: Encoding::Utf8, raw, held: 0, ended: false, bytes_read: 0 };
        while !decoder.ended && decoder.held < CHUNK / 2 {
            decoder.take_in()?;
        }
        let (encoding, mark) = guess(decoder.held());
        decoder.encoding = encoding;
        decoder.raw.copy_within(mark..decoder.held, 0);
        decoder.held -= mark;
        Ok(decoder)
    }

    /// How the file is written.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How many bytes were taken from the source.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// True if what is held is no UTF-8 but text all the same: an old character set of one byte a letter.
    pub fn is_eight_bit(&self) -> bool {
        if self.encoding != Encoding::Utf8 {
            return false;
        }
        let (mut broken, mut letters) = (0, 0);
        for chunk in self.held().utf8_chunks() {
            broken += usize::from(!chunk.invalid().is_empty());
            letters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        }
        broken >= 3 && broken > letters
    }

    /// Appends the next characters to `text`; false once there are no more.
    pub fn read_into(&mut self, text: &mut String) -> io::Result<bool> {
        if self.held == 0 || !self.decode(text) {
            if self.ended {
                if self.held > 0 {
                    text.push(char::REPLACEMENT_CHARACTER); // a character of which the end is missing
                    self.held = 0;
                }
                return Ok(false);
            }
            self.take_in()?;
            self.decode(text);
        }
        Ok(true)
    }

    fn held(&self) -> &[u8] {
        self.raw.get(..self.held).unwrap_or_default()
    }

    fn take_in(&mut self) -> io::Result<()> {
        let free = self.raw.get_mut(self.held..).unwrap_or_default();
        let read = loop {
            match self.source.read(free) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.held += read;
        self.bytes_read += read as u64;
        self.ended = read == 0;
        Ok(())
    }

    /// Decodes what is held, up to a character of which the end is missing; false if that is all there is.
    fn decode(&mut self, text: &mut String) -> bool {
        let rest = match self.encoding {
            Encoding::Utf8 => decode_utf8(self.held(), text),
            Encoding::Utf16Le => decode_utf16(self.held(), u16::from_le_bytes, text),
            Encoding::Utf16Be => decode_utf16(self.held(), u16::from_be_bytes, text),
        };
        let used = self.held - rest;
        self.raw.copy_within(used..self.held, 0);
        self.held = rest;
        used > 0
    }
}

/// The encoding, and how many bytes its mark has. Without a mark: letters and digits leave every second byte of UTF-16 zero.
fn guess(start: &[u8]) -> (Encoding, usize) {
    match start {
        [0xEF, 0xBB, 0xBF, ..] => return (Encoding::Utf8, 3),
        [0xFF, 0xFE, ..] => return (Encoding::Utf16Le, 2),
        [0xFE, 0xFF, ..] => return (Encoding::Utf16Be, 2),
        _ => {}
    }
    let pairs = start.as_chunks::<2>().0;
    let pairs = pairs.get(..pairs.len().min(512)).unwrap_or_default();
    let high = pairs.iter().filter(|[first, second]| *first == 0 && *second != 0).count();
    let low = pairs.iter().filter(|[first, second]| *first != 0 && *second == 0).count();
    match pairs.len() / 3 {
        _ if pairs.len() < 8 => (Encoding::Utf8, 0),
        third if low > third && low > 8 * high => (Encoding::Utf16Le, 0),
        third if high > third && high > 8 * low => (Encoding::Utf16Be, 0),
        _ => (Encoding::Utf8, 0),
    }
}

/// Returns how many bytes at the end are the beginning of a character.
fn decode_utf8(mut bytes: &[u8], text: &mut String) -> usize {
    loop {
        match std::str::from_utf8(bytes) {
            Ok(good) => {
                text.push_str(good);
                return 0;
            }
            Err(error) => {
                let (good, rest) = bytes.split_at_checked(error.valid_up_to()).unwrap_or_default();
                text.push_str(std::str::from_utf8(good).unwrap_or_default());
                let Some(broken) = error.error_len() else { return rest.len() };
                text.push(char::REPLACEMENT_CHARACTER);
                bytes = rest.get(broken..).unwrap_or_default();
            }
        }
    }
}

/// Returns how many bytes at the end are the beginning of a character.
fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, text: &mut String) -> usize {
    let (pairs, odd) = bytes.as_chunks::<2>();
    // The first half of a character beyond U+FFFF waits for the second.
    let waiting = usize::from(pairs.last().is_some_and(|&pair| (0xD800..0xDC00).contains(&unit(pair))));
    let whole = pairs.get(..pairs.len() - waiting).unwrap_or_default();
    text.reserve(whole.len());
    let decoded = char::decode_utf16(whole.iter().map(|&pair| unit(pair)));
    text.extend(decoded.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    odd.len() + 2 * waiting
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(into.get_mut(..1).unwrap_or_default())
        }
    }

    fn decoded(bytes: &[u8]) -> (Encoding, String) {
        let whole = all(Decoder::open(bytes).expect("opens"));
        assert_eq!(all(Decoder::open(Drip(bytes)).expect("opens")), whole, "the same byte by byte");
        whole
    }

    fn all<R: Read>(mut decoder: Decoder<R>) -> (Encoding, String) {
        let mut text = String::new();
        while decoder.read_into(&mut text).expect("reads") {}
        (decoder.encoding(), text)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn reads_utf_8_and_utf_16_with_and_without_a_mark() {
        let text = "Họ tên,Ngày sinh\nĐỗ Thị Ước,3/8/1983\n";
        assert_eq!(decoded(text.as_bytes()), (Encoding::Utf8, text.into()));
        assert_eq!(decoded(format!("\u{feff}{text}").as_bytes()), (Encoding::Utf8, text.into()));
        for mark in ["", "\u{feff}"] {
            let marked = format!("{mark}{text}😀");
            let expected = format!("{text}😀");
            assert_eq!(decoded(&utf16(&marked, u16::to_le_bytes)), (Encoding::Utf16Le, expected.clone()));
            assert_eq!(decoded(&utf16(&marked, u16::to_be_bytes)), (Encoding::Utf16Be, expected));
        }
    }

    #[test]
    fn what_is_no_character_becomes_a_replacement_mark() {
        assert_eq!(decoded(b"a\xFFb\xC3"), (Encoding::Utf8, "a\u{fffd}b\u{fffd}".into()));
        assert_eq!(
            decoded(b"\xFF\xFEa\0\x00\xD8"),
            (Encoding::Utf16Le, "a\u{fffd}".into()),
            "half a character at the end"
        );
        assert_eq!(decoded(b"\xFF\xFEa\0b"), (Encoding::Utf16Le, "a\u{fffd}".into()), "an odd byte at the end");
        assert_eq!(decoded(b"\xFF\xFE\x00\xD8a\0"), (Encoding::Utf16Le, "\u{fffd}a".into()));
        assert_eq!(decoded(b""), (Encoding::Utf8, String::new()));
        assert_eq!(decoded(b"a,\0,b").0, Encoding::Utf8, "a zero byte alone makes no UTF-16");
    }

    #[test]
    fn characters_cut_by_the_end_of_a_piece_are_whole_again() {
        let text = "ữ".repeat(CHUNK);
        assert!(decoded(text.as_bytes()).1 == text);
        let text = format!("a{}", "😀".repeat(CHUNK / 2));
        assert!(all(Decoder::open(&*utf16(&format!("\u{feff}{text}"), u16::to_le_bytes)).expect("opens")).1 == text);
    }

    #[test]
    fn tells_an_old_character_set_from_a_lone_wrong_byte() {
        let eight_bit = |bytes: &[u8]| Decoder::open(bytes).expect("opens").is_eight_bit();
        assert!(eight_bit(b"H\xE4 t\xAAn,Ng\xC0y sinh\nNguy\xD4n V\xA8n A")); // TCVN3
        assert!(!eight_bit("Họ tên,Ngày sinh\n".as_bytes()));
        assert!(!eight_bit(b"name,dob\nNguy\xD4n V\xA8n A"), "two wrong bytes cost their cells only");
        assert!(!eight_bit(&utf16("\u{feff}Họ tên,Ngày sinh", u16::to_le_bytes)));
    }
}
