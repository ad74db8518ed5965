//! The transparency log: what was signed, as the leaves of a Merkle tree that only grows. Pure: tiles and notes in, roots and
//! proofs out. Source: RFC 6962 §2.1; C2SP tlog-tiles, tlog-checkpoint, signed-note.
//!
//! What stands in the log is an [`entry`]: the SHA-256 of the Sig_structure (RFC 9052 §4.4) that was signed, header and payload.
//! It binds every signed fact, so another statement under a name that is known is another entry, and it leaves the signature out,
//! which for ES256 anybody can write in another way. It reveals nobody: the payload holds the UVCI, 128 random bits, so nobody
//! finds a person by trying names and dates. The forms of one statement are signed each by itself, at a time of its own, and each
//! is an entry of its own: a verifier hashes what it was shown and encodes nothing again.

pub mod checkpoint;
mod edge;
pub mod merkle;
mod tile;

use aws_lc_rs::digest::{SHA256, digest};

pub use checkpoint::Checkpoint;
pub use edge::{Edge, Frontier};
pub use tile::{MAX_SIZE, Resource, Tile, Tiles, WIDTH, leaves, needed};

use crate::codec::{self, CodecError, cose};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What stands in the log for a certificate.
///
/// `cose`: a COSE_Sign1 in any of its taggings. Errors: [`CodecError::Cose`].
pub fn entry(cose: &[u8]) -> Result<Hash, CodecError> {
    let sign1 = cose::parse(cose)?;
    let mut tbs = Vec::with_capacity(sign1.protected.len() + sign1.payload.len() + 32);
    sign1.write_tbs(&mut tbs);
    Ok(sha256(&tbs))
}

/// What stands in the log for a certificate as it is scanned. Errors: those of its decoding.
pub fn entry_of_text(text: &str) -> Result<Hash, CodecError> {
    codec::with_cose(text, |_, bytes| entry(bytes))
}

/// The first eight bytes of an entry as a number of the same order: what entries are found by.
pub fn head_of(entry: &Hash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *entry;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// By how many hexadecimal digits entries may be asked for in a log of `size` entries, so that each answer names some 16 to 256
/// of them and tells nobody which of these was meant: one at least, of a log that is smaller.
pub fn prefix_digits(size: u64) -> u32 {
    const ANONYMITY: u64 = 16;
    (size / ANONYMITY).checked_ilog(16).unwrap_or(0).max(1)
}

/// The SHA-256 of `bytes`.
fn sha256(bytes: &[u8]) -> Hash {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests;
