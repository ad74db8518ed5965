//! CBOR read in place, strictly: definite lengths, no duplicate keys, nothing behind the end. Source: RFC 8949.
//!
//! Integers in longer forms than needed are read (436 of 575 real payloads are not deterministic); what would let two
//! readers see two things is refused. Writing is ciborium's, where speed is no matter.

use super::CodecError;

/// How deep arrays, maps and tags may nest; a DCC has four levels in a CWT of three.
const MAX_DEPTH: u8 = 16;
/// How many entries an array or map may have: comparing the keys of a map must stay cheap. A DCC has a dozen.
const MAX_ENTRIES: u64 = 128;

/// One item's beginning, or the whole of it where it has no content of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    /// Major types 0 and 1, held to 64 bits with sign.
    Int(i64),
    /// Major type 2.
    Bytes(&'a [u8]),
    /// Major type 3, valid UTF-8.
    Text(&'a str),
    /// Major type 4: so many items follow.
    Array(usize),
    /// Major type 5: so many pairs of items follow.
    Map(usize),
    /// Major type 6: one item follows.
    Tag(u64),
    /// Half, single or double.
    Float(f64),
    /// false, true.
    Bool(bool),
    /// null, undefined.
    Null,
    /// Any other simple value, and integers beyond 64 bits with sign.
    Other,
}

/// Reads items from the front of `bytes`. Every method's error is [`CodecError::Cbor`].
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes }
    }

    /// Fails unless everything was read.
    pub fn end(self) -> Result<(), CodecError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(CodecError::Cbor) }
    }

    /// The next item's beginning.
    #[inline]
    pub fn item(&mut self) -> Result<Item<'a>, CodecError> {
        let initial = self.byte()?;
        let (major, info) = (initial >> 5, initial & 0x1F);
        if major == 7 {
            return self.simple(info);
        }
        let value = self.argument(info)?;
        Ok(match major {
            0 => i64::try_from(value).map_or(Item::Other, Item::Int),
            1 => i64::try_from(value).map_or(Item::Other, |value| Item::Int(-1 - value)),
            2 => Item::Bytes(self.take(value)?),
            3 => Item::Text(std::str::from_utf8(self.take(value)?).map_err(|_| CodecError::Cbor)?),
            4 => Item::Array(self.entries(value, 1)?),
            5 => Item::Map(self.entries(value, 2)?),
            _ => Item::Tag(value),
        })
    }

    /// The number of items in the next item if it is an array of `most` at most, which may be more than a document's are.
    pub fn list(&mut self, most: usize) -> Result<usize, CodecError> {
        let initial = self.byte()?;
        let len = usize::try_from(self.argument(initial & 0x1F)?).ok();
        let fits = len.filter(|len| initial >> 5 == 4 && *len <= most && *len <= self.bytes.len());
        fits.ok_or(CodecError::Cbor)
    }

    /// The next item, whole: checked and passed over. Returns its bytes.
    pub fn skip(&mut self) -> Result<&'a [u8], CodecError> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_within(&mut self, depth: u8) -> Result<&'a [u8], CodecError> {
        let depth = depth.checked_sub(1).ok_or(CodecError::Cbor)?;
        let start = self.bytes;
        match self.item()? {
            Item::Array(len) => {
                for _ in 0..len {
                    self.skip_within(depth)?;
                }
            }
            Item::Map(len) => {
                let mut keys = Keys::default();
                for _ in 0..len {
                    let mut key = Reader::new(self.skip_within(depth)?);
                    keys.next(&mut key)?;
                    self.skip_within(depth)?;
                }
            }
            Item::Tag(_) => {
                self.skip_within(depth)?;
            }
            _ => {}
        }
        start.get(..start.len() - self.bytes.len()).ok_or(CodecError::Cbor)
    }

    /// The next item if it is a map: calls `entry` with each key and its value.
    ///
    /// Keys that stand twice are refused, whatever `entry` does with them. What `entry` does not take is passed over.
    #[inline]
    pub fn map(
        &mut self,
        mut entry: impl FnMut(Item<'a>, Value<'_, 'a>) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        let Item::Map(len) = self.item()? else { return Err(CodecError::Cbor) };
        let mut keys = Keys::default();
        for _ in 0..len {
            let key = keys.next(self)?;
            let unread = self.bytes.len();
            entry(key, Value(self))?;
            if self.bytes.len() == unread {
                self.skip()?;
            }
        }
        Ok(())
    }

    /// What an initial byte's low five bits say, with the bytes that follow it.
    #[inline]
    fn argument(&mut self, info: u8) -> Result<u64, CodecError> {
        Ok(match info {
            0..=23 => u64::from(info),
            24 => u64::from(self.byte()?),
            25 => u64::from(u16::from_be_bytes(self.array()?)),
            26 => u64::from(u32::from_be_bytes(self.array()?)),
            27 => u64::from_be_bytes(self.array()?),
            _ => return Err(CodecError::Cbor), // reserved, or of indefinite length
        })
    }

    fn simple(&mut self, info: u8) -> Result<Item<'a>, CodecError> {
        Ok(match info {
            20 => Item::Bool(false),
            21 => Item::Bool(true),
            22 | 23 => Item::Null,
            0..=19 => Item::Other,
            24 => match self.byte()? {
                0..=31 => return Err(CodecError::Cbor), // RFC 8949 §3.3: these have a shorter form only
                _ => Item::Other,
            },
            25 => Item::Float(half(u16::from_be_bytes(self.array()?))),
            26 => Item::Float(f64::from(f32::from_be_bytes(self.array()?))),
            27 => Item::Float(f64::from_be_bytes(self.array()?)),
            _ => return Err(CodecError::Cbor),
        })
    }

    /// A count of entries, each of at least `items` bytes, that the rest can hold.
    fn entries(&self, count: u64, items: usize) -> Result<usize, CodecError> {
        match usize::try_from(count) {
            Ok(len) if count <= MAX_ENTRIES && len * items <= self.bytes.len() => Ok(len),
            _ => Err(CodecError::Cbor),
        }
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        let (&first, rest) = self.bytes.split_first().ok_or(CodecError::Cbor)?;
        self.bytes = rest;
        Ok(first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (&first, rest) = self.bytes.split_first_chunk().ok_or(CodecError::Cbor)?;
        self.bytes = rest;
        Ok(first)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], CodecError> {
        let len = usize::try_from(len).map_err(|_| CodecError::Cbor)?;
        let (first, rest) = self.bytes.split_at_checked(len).ok_or(CodecError::Cbor)?;
        self.bytes = rest;
        Ok(first)
    }
}

/// The value of a map's entry: taken once and whole, so that the next key is found behind it.
pub struct Value<'r, 'a>(&'r mut Reader<'a>);

impl<'a> Value<'_, 'a> {
    /// The value if it is no array, map or tag; [`Item::Other`] for one of those.
    #[inline]
    pub fn scalar(self) -> Result<Item<'a>, CodecError> {
        let begin = *self.0;
        match self.0.item()? {
            Item::Array(_) | Item::Map(_) | Item::Tag(_) => {
                *self.0 = begin;
                self.0.skip()?;
                Ok(Item::Other)
            }
            scalar => Ok(scalar),
        }
    }

    /// The value, whatever it is, to be read by itself.
    pub fn whole(self) -> Result<Reader<'a>, CodecError> {
        self.0.skip().map(Reader::new)
    }

    /// As [`Reader::map`], in place.
    #[inline]
    pub fn map(self, entry: impl FnMut(Item<'a>, Value<'_, 'a>) -> Result<(), CodecError>) -> Result<(), CodecError> {
        self.0.map(entry)
    }
}

/// The keys of a map seen so far.
#[derive(Default)]
struct Keys<'a> {
    /// Integers of -24 ..= 23, which nearly all keys are, as bits: however they are written, they are the same.
    small: u64,
    /// Others, as they are written.
    few: [&'a [u8]; 16],
    len: usize,
    more: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    /// The next key of `map`, unless it was there before.
    #[inline]
    fn next(&mut self, map: &mut Reader<'a>) -> Result<Item<'a>, CodecError> {
        let begin = *map;
        let key = map.item()?;
        if let Item::Int(small @ -24..=23) = key {
            let bit = 1 << (small + 24);
            let seen = self.small & bit != 0;
            self.small |= bit;
            return if seen { Err(CodecError::Cbor) } else { Ok(key) };
        }
        *map = begin;
        self.add(map.skip()?, key)
    }

    fn add(&mut self, bytes: &'a [u8], key: Item<'a>) -> Result<Item<'a>, CodecError> {
        let mut seen = self.few.iter().take(self.len).chain(&self.more);
        if seen.any(|other| *other == bytes || is_the_same(other, &key)) {
            return Err(CodecError::Cbor);
        }
        match self.few.get_mut(self.len) {
            Some(slot) => *slot = bytes,
            None => self.more.push(bytes),
        }
        self.len += 1;
        Ok(key)
    }
}

/// True if `other`, written in another way, is the same key: 100 in two bytes and 100 in three bytes are.
fn is_the_same(other: &[u8], key: &Item<'_>) -> bool {
    match key {
        Item::Array(_) | Item::Map(_) | Item::Tag(_) | Item::Other | Item::Float(_) => false,
        key => Reader::new(other).item() == Ok(*key),
    }
}

/// An IEEE 754 half. Source: RFC 8949 appendix D.
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF));
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// Fails unless `bytes` are one well-formed item of definite lengths, of the depth and size we read, and nothing more.
pub fn well_formed(bytes: &[u8]) -> Result<(), CodecError> {
    let mut reader = Reader::new(bytes);
    reader.skip()?;
    reader.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_ciborium_writes() {
        for value in
            [0, 1, 23, 24, 255, 256, 65_535, 65_536, u32::MAX as i64, i64::MAX, -1, -24, -25, -256, -257, i64::MIN]
        {
            let mut bytes = Vec::new();
            ciborium::into_writer(&value, &mut bytes).expect("writes");
            assert_eq!(Reader::new(&bytes).item(), Ok(Item::Int(value)), "{value}");
        }
        for value in [0.0, -0.5, 1.5, 65_504.0, 1e10, 3.4e38, 1e300, f64::INFINITY, 6e-8] {
            let mut bytes = Vec::new();
            ciborium::into_writer(&value, &mut bytes).expect("writes");
            assert_eq!(Reader::new(&bytes).item(), Ok(Item::Float(value)), "{value}");
        }
    }

    #[test]
    fn refuses_duplicate_keys_at_any_depth_and_with_many_keys() {
        assert_eq!(well_formed(&[0xA2, 0x01, 0x00, 0x02, 0x00]), Ok(())); // {1: 0, 2: 0}
        assert_eq!(well_formed(&[0xA2, 0x01, 0x00, 0x01, 0x00]), Err(CodecError::Cbor)); // {1: 0, 1: 0}
        assert_eq!(well_formed(&[0xA2, 0x01, 0x00, 0x18, 0x01, 0x00]), Err(CodecError::Cbor)); // the second 1 in two bytes
        assert_eq!(well_formed(&[0xA2, 0x18, 0x64, 0x00, 0x19, 0x00, 0x64, 0x00]), Err(CodecError::Cbor)); // 100 in two and in three
        assert_eq!(well_formed(&[0xA2, 0x37, 0x00, 0x38, 0x17, 0x00]), Err(CodecError::Cbor)); // -24 in one and in two
        assert_eq!(well_formed(&[0x81, 0xA2, 0x01, 0x00, 0x01, 0x00]), Err(CodecError::Cbor)); // [{1: 0, 1: 0}]
        let many = |last: u8| {
            let mut bytes = vec![0xB4]; // a map of 20
            (0..19).for_each(|key| bytes.extend([key, 0x00]));
            bytes.extend([last, 0x00]);
            well_formed(&bytes)
        };
        assert_eq!((many(0x13), many(0x12), many(0x00)), (Ok(()), Err(CodecError::Cbor), Err(CodecError::Cbor)));
    }

    #[test]
    fn bounds_depth_and_counts_before_it_reads() {
        let nested = |depth: usize| well_formed(&[vec![0x81; depth - 1], vec![0x00]].concat());
        assert_eq!((nested(15), nested(16), nested(17)), (Ok(()), Ok(()), Err(CodecError::Cbor)));
        assert_eq!(well_formed(&[0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), Err(CodecError::Cbor));
        assert_eq!(well_formed(&[0x5B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]), Err(CodecError::Cbor));
        let wide = |len: u8| well_formed(&[vec![0x98, len], vec![0; len.into()]].concat());
        assert_eq!((wide(127), wide(128), wide(129)), (Ok(()), Ok(()), Err(CodecError::Cbor)));
    }

    #[test]
    fn refuses_indefinite_lengths_and_trailing_bytes() {
        for bytes in [&[0x9F, 0xFF][..], &[0xBF, 0xFF], &[0x5F, 0xFF], &[0x7F, 0xFF], &[0xFF], &[0x00, 0x00], &[]] {
            assert_eq!(well_formed(bytes), Err(CodecError::Cbor), "{bytes:02x?}");
        }
    }
}
