//! COSE_Sign1 read in place. Source: RFC 9052 §4.2, §4.4.
//!
//! ```cddl
//! COSE_Sign1 = #6.18([ protected: bstr .cbor header_map / h'', unprotected: header_map, payload: bstr, signature: bstr ])
//! Sig_structure = [ "Signature1", protected: bstr, external_aad: h'', payload: bstr ]
//! ```

use super::CodecError;
use super::cbor::{Item, Reader};

const TAG_COSE_SIGN1: u64 = 18;
const TAG_CWT: u64 = 61;
const HEADER_ALG: i64 = 1;
const HEADER_CRIT: i64 = 2;
const HEADER_KID: i64 = 4;

/// A COSE_Sign1, unproved, borrowed from the bytes it was read from.
#[derive(Clone, Copy, Debug)]
pub struct CoseSign1<'a> {
    /// The protected header as received: what was signed, never encoded again. An empty map is the zero-length string.
    pub protected: &'a [u8],
    /// `alg`; `None` if absent or no integer.
    pub alg: Option<i64>,
    /// `kid`; a hint, may collide.
    pub kid: Option<&'a [u8]>,
    /// The CWT.
    pub payload: &'a [u8],
    /// As the algorithm says.
    pub signature: &'a [u8],
}

#[derive(Default)]
struct Header<'a> {
    alg: Option<Option<i64>>,
    kid: Option<&'a [u8]>,
}

/// The COSE_Sign1 in `bytes`, tagged 18, untagged, or 61(18(..)).
///
/// Errors: [`CodecError::Cose`] for anything else: a nil payload, a critical header that we do not know, bytes behind the
/// end. Where a header stands in both maps the protected one wins. Source: RFC 9052 §3, §4.2; RFC 8392 §6.
pub fn parse(bytes: &[u8]) -> Result<CoseSign1<'_>, CodecError> {
    parse_strictly(bytes).map_err(|_| CodecError::Cose)
}

fn parse_strictly(bytes: &[u8]) -> Result<CoseSign1<'_>, CodecError> {
    let mut reader = Reader::new(bytes);
    let mut item = reader.item()?;
    if item == Item::Tag(TAG_CWT) {
        item = reader.item()?;
        if item != Item::Tag(TAG_COSE_SIGN1) {
            return Err(CodecError::Cose);
        }
    }
    if item == Item::Tag(TAG_COSE_SIGN1) {
        item = reader.item()?;
    }
    if item != Item::Array(4) {
        return Err(CodecError::Cose);
    }
    let Item::Bytes(protected) = reader.item()? else { return Err(CodecError::Cose) };
    let first = match protected {
        [] => Header::default(), // RFC 9052 §3: a zero-length string is the empty map
        _ => {
            let mut inside = Reader::new(protected);
            let header = parse_header(&mut inside)?;
            inside.end()?;
            header
        }
    };
    // RFC 9052 §3, §4.4: whichever way an empty map was sent, the zero-length string is what was signed.
    let protected = if Reader::new(protected).item() == Ok(Item::Map(0)) { &[] } else { protected };
    let second = parse_header(&mut reader)?;
    let Item::Bytes(payload) = reader.item()? else { return Err(CodecError::Cose) };
    let Item::Bytes(signature) = reader.item()? else { return Err(CodecError::Cose) };
    reader.end()?;
    let alg = first.alg.or(second.alg).flatten();
    Ok(CoseSign1 { protected, alg, kid: first.kid.or(second.kid), payload, signature })
}

fn parse_header<'a>(reader: &mut Reader<'a>) -> Result<Header<'a>, CodecError> {
    let mut header = Header::default();
    reader.map(|key, value| {
        match key {
            Item::Int(HEADER_ALG) => {
                header.alg = Some(match value.scalar()? {
                    Item::Int(alg) => Some(alg),
                    _ => None,
                });
            }
            // Whatever it names, it is nothing that we process (RFC 9052 §3.1).
            Item::Int(HEADER_CRIT) => return Err(CodecError::Cose),
            Item::Int(HEADER_KID) => {
                let Item::Bytes(kid) = value.scalar()? else { return Err(CodecError::Cose) };
                header.kid = Some(kid);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(header)
}

impl CoseSign1<'_> {
    /// Appends the Sig_structure, the bytes that get signed, to `tbs`. Source: RFC 9052 §4.4.
    pub fn write_tbs(&self, tbs: &mut Vec<u8>) {
        write_tbs(tbs, self.protected, self.payload);
    }
}

/// Appends the Sig_structure of `protected` and `payload` to `tbs`. Source: RFC 9052 §4.4.
pub fn write_tbs(tbs: &mut Vec<u8>, protected: &[u8], payload: &[u8]) {
    tbs.extend_from_slice(b"\x84\x6aSignature1"); // an array of 4, a text of 10
    push_bytes(tbs, protected);
    tbs.push(0x40); // external_aad: h''
    push_bytes(tbs, payload);
}

/// A byte string in its shortest form.
fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    const BYTES: u8 = 2 << 5;
    match u16::try_from(bytes.len()) {
        Ok(len @ 0..=23) => out.push(BYTES | len as u8),
        Ok(len @ 24..=0xFF) => out.extend([BYTES | 24, len as u8]),
        Ok(len) => {
            out.push(BYTES | 25);
            out.extend(len.to_be_bytes());
        }
        Err(_) => {
            out.push(BYTES | 26); // far below 4 GiB: nothing over 16 KiB is parsed
            out.extend((bytes.len() as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}

/// Builds and encodes a tagged COSE_Sign1 with `alg` and `kid` in its protected header.
///
/// `sign`: from the Sig_structure to the signature. Returns its bytes, 18(..). Errors: those of `sign`.
pub fn build<E>(
    alg: i64,
    kid: [u8; 8],
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    use coset::TaggedCborSerializable;
    let header = coset::HeaderBuilder::new().algorithm(assigned(alg)).key_id(kid.to_vec()).build();
    let sign1 = coset::CoseSign1Builder::new().protected(header).payload(payload.to_vec());
    let sign1 = sign1.try_create_signature(&[], sign)?.build();
    Ok(sign1.to_tagged_vec().expect("byte strings are encodable"))
}

fn assigned(alg: i64) -> coset::iana::Algorithm {
    use coset::iana::EnumI64;
    coset::iana::Algorithm::from_i64(alg).expect("issuing keys have registered algorithms")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [h'A10126', {4: h'0102'}, h'CAFE', h'AA'] with what is varied in the test.
    fn sign1(head: &[u8], protected: &[u8], unprotected: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut bytes = head.to_vec();
        bytes.push(0x84); // array of 4
        push_bytes(&mut bytes, protected);
        bytes.extend(unprotected);
        bytes.extend(payload);
        bytes.extend([0x41, 0xAA]); // h'AA'
        bytes
    }

    const ALG: &[u8] = &[0xA1, 0x01, 0x26]; // {1: -7}
    const KID: &[u8] = &[0xA1, 0x04, 0x42, 0x01, 0x02]; // {4: h'0102'}
    const PAYLOAD: &[u8] = &[0x42, 0xCA, 0xFE]; // h'CAFE'

    #[test]
    fn reads_all_three_taggings() {
        for head in [&[][..], &[0xD2], &[0xD8, 0x3D, 0xD2]] {
            let bytes = sign1(head, ALG, KID, PAYLOAD);
            let sign1 = parse(&bytes).expect("well-formed");
            assert_eq!((sign1.alg, sign1.kid, sign1.payload), (Some(-7), Some(&[1, 2][..]), &[0xCA, 0xFE][..]));
        }
        assert!(parse(&sign1(&[0xD8, 0x3D], ALG, KID, PAYLOAD)).is_err(), "61 without 18");
        assert!(parse(&sign1(&[0xD1], ALG, KID, PAYLOAD)).is_err(), "17 is COSE_Mac0");
    }

    #[test]
    fn the_protected_header_wins_and_may_be_empty() {
        let both = [0xA2, 0x01, 0x27, 0x04, 0x41, 0x09]; // {1: -8, 4: h'09'}
        let bytes = sign1(&[], ALG, &both, PAYLOAD);
        let parsed = parse(&bytes).expect("well-formed");
        assert_eq!((parsed.alg, parsed.kid), (Some(-7), Some(&[9][..])));
        let bytes = sign1(&[], &[], &both, PAYLOAD);
        assert_eq!(parse(&bytes).expect("well-formed").alg, Some(-8));
    }

    #[test]
    fn an_empty_protected_map_is_signed_as_the_zero_length_string() {
        for empty in [&[][..], &[0xA0], &[0xB8, 0x00]] {
            let bytes = sign1(&[], empty, KID, PAYLOAD);
            let mut tbs = Vec::new();
            parse(&bytes).expect("well-formed").write_tbs(&mut tbs);
            // ["Signature1", h'', h'', h'CAFE']
            assert_eq!(tbs, b"\x84\x6aSignature1\x40\x40\x42\xca\xfe", "{empty:02x?}");
        }
        assert!(parse(&sign1(&[], &[0xA0, 0x00], KID, PAYLOAD)).is_err(), "trailing byte behind the empty map");
    }

    #[test]
    fn refuses_nil_payloads_critical_headers_and_trailing_bytes() {
        assert!(parse(&sign1(&[], ALG, KID, &[0xF6])).is_err(), "nil payload");
        assert!(parse(&sign1(&[], &[0xA1, 0x02, 0x81, 0x01], KID, PAYLOAD)).is_err(), "crit");
        assert!(parse(&[&sign1(&[], ALG, KID, PAYLOAD)[..], &[0]].concat()).is_err(), "trailing byte");
        assert!(parse(&sign1(&[], &[ALG, &[0]].concat(), KID, PAYLOAD)).is_err(), "trailing byte in the header");
        assert!(parse(&sign1(&[], ALG, &[0xA2, 4, 0x41, 1, 4, 0x41, 2], PAYLOAD)).is_err(), "kid twice");
    }

    #[test]
    fn writes_the_sig_structure_that_coset_writes() {
        for len in [0, 23, 24, 255, 256, 70_000] {
            let payload = vec![7; len];
            let header = coset::HeaderBuilder::new().algorithm(coset::iana::Algorithm::ES256).build();
            let sign1 = coset::CoseSign1Builder::new().protected(header).payload(payload.clone()).build();
            let mut tbs = vec![1, 2, 3];
            write_tbs(&mut tbs, ALG, &payload);
            assert!(tbs[3..] == sign1.tbs_data(&[]), "payload of {len}");
        }
    }
}
