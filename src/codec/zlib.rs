//! zlib, bounded: a text of 1 kB must not become 1 GB. Source: RFC 1950; HCERT §4.2.1.

use std::cell::RefCell;
use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::CodecError;

/// The longest CWT that is inflated; the largest real one has 900 bytes.
pub const MAX_INFLATED_LEN: usize = 16 * 1024;

thread_local! {
    /// Inflating state is 40 kB to allocate and a few bytes to reset, so each thread keeps one.
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(true));
}

/// Inflates one whole zlib stream.
///
/// `zlib`: an RFC 1950 stream and nothing behind it. Returns at most [`MAX_INFLATED_LEN`] bytes.
/// Errors: [`CodecError::Zlib`] for anything but a whole stream, [`CodecError::TooLong`] past the limit.
pub fn inflate(zlib: &[u8]) -> Result<Vec<u8>, CodecError> {
    INFLATE.with_borrow_mut(|state| {
        state.reset(true);
        // Real ones inflate to less than twice their length: room for four times that, then for the limit and one byte over.
        let mut out = Vec::with_capacity((zlib.len() * 4).clamp(1024, MAX_INFLATED_LEN + 1));
        loop {
            let read = usize::try_from(state.total_in()).map_err(|_| CodecError::Zlib)?;
            let rest = zlib.get(read..).ok_or(CodecError::Zlib)?;
            let status = state.decompress_vec(rest, &mut out, FlushDecompress::Finish).map_err(|_| CodecError::Zlib)?;
            match status {
                _ if out.len() > MAX_INFLATED_LEN => return Err(CodecError::TooLong),
                Status::StreamEnd if state.total_in() == zlib.len() as u64 => return Ok(out),
                Status::StreamEnd => return Err(CodecError::Zlib),
                Status::Ok | Status::BufError if out.len() == out.capacity() => {
                    out.reserve_exact(MAX_INFLATED_LEN + 1 - out.len());
                }
                Status::Ok | Status::BufError => return Err(CodecError::Zlib),
            }
        }
    })
}

/// `bytes` as one zlib stream at the best compression: what is signed once is scanned for a year.
///
/// `bytes`: at most [`MAX_INFLATED_LEN`], or nobody could read it. Errors: [`CodecError::TooLong`].
pub fn deflate(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    if bytes.len() > MAX_INFLATED_LEN {
        return Err(CodecError::TooLong);
    }
    // A stored block costs 5 bytes each 16 KiB, header and checksum 6: this always holds the whole stream.
    let mut out = Vec::with_capacity(bytes.len() + 64);
    let status = Compress::new(Compression::best(), true).compress_vec(bytes, &mut out, FlushCompress::Finish);
    match status {
        Ok(Status::StreamEnd) => Ok(out),
        _ => Err(CodecError::Zlib),
    }
}

/// `bytes`, however many, as one zlib stream at the best compression: for what others inflate by limits of their own.
pub fn deflate_long(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes every byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflates_to_the_limit_and_not_one_byte_over() {
        let zlib = |len: usize| {
            let mut out = Vec::with_capacity(4096);
            let bytes = vec![b'x'; len];
            Compress::new(Compression::best(), true)
                .compress_vec(&bytes, &mut out, FlushCompress::Finish)
                .expect("deflates");
            out
        };
        assert_eq!(inflate(&zlib(MAX_INFLATED_LEN - 1)).map(|out| out.len()), Ok(MAX_INFLATED_LEN - 1));
        assert_eq!(inflate(&zlib(MAX_INFLATED_LEN)).map(|out| out.len()), Ok(MAX_INFLATED_LEN));
        assert_eq!(inflate(&zlib(MAX_INFLATED_LEN + 1)), Err(CodecError::TooLong));
        assert_eq!(inflate(&zlib(1 << 20)), Err(CodecError::TooLong));
    }

    #[test]
    fn refuses_all_but_one_whole_stream() {
        let whole = deflate(b"Nguyen Thi Phuong Thao").expect("short");
        assert_eq!(inflate(&whole).as_deref(), Ok(&b"Nguyen Thi Phuong Thao"[..]));
        for cut in 0..whole.len() {
            assert_eq!(inflate(&whole[..cut]), Err(CodecError::Zlib), "cut at {cut}");
        }
        assert_eq!(inflate(&[&whole[..], b"x"].concat()), Err(CodecError::Zlib));
        assert_eq!(inflate(b"no zlib at all"), Err(CodecError::Zlib));
        assert!(inflate(&whole).is_ok(), "the state is reset after a failure");
    }
}
