//! Token Status Lists: what is revoked, in the standard form, for verifiers that know nothing else of us. Source:
//! draft-ietf-oauth-status-list-21 §4, §5.2, §6, in CWT form.
//!
//! ```cddl
//! StatusListToken = #6.18([ protected: bstr .cbor header, unprotected: {}, payload: bstr .cbor claims, signature: bstr .size 64 ])
//! header = {
//!   1 => -8,                               ; alg: EdDSA, under an Ed25519 key
//!   4 => bstr .size 8,                     ; kid: of the publisher's bare key
//!   16 => "application/statuslist+cwt",    ; typ (RFC 9596)
//! }
//! claims = {
//!   2 => tstr,                             ; sub: where the list is found
//!   4 => int,                              ; exp: not to be relied on after it
//!   6 => int,                              ; iat
//!   65533 => { "bits" => 1, "lst" => bstr, "aggregation_uri" => tstr },
//!   65534 => uint,                         ; ttl: seconds until a newer one may be there
//! }
//! ```
//!
//! `lst` is one zlib stream of [`LEN`] bits, eight a byte, the lowest first: 0 valid, 1 invalid. A certificate's bit is found by
//! where it stands in the transparency log, of which each list has [`LEN`] positions: its text has no room for a `status` claim.
//! Lists are of full length from the first entry on, so that they say nothing of how many there are.

use ciborium::Value;

use crate::certificate::UnixSeconds;
use crate::codec::CodecError;
use crate::codec::cbor::{Item, Reader};
use crate::codec::zlib;
use crate::keys::{Algorithm, IssuerKey, KeyError, Kid, PublicKey, alg};
use crate::policy::CLOCK_SKEW_S;
use crate::signed::{self, Refusal};

/// How many positions of the log are in one list: who asks for it means one of a million, and it has 2 kB with one in a thousand
/// revoked, 15 kB with one in a hundred. It never changes: verifiers reckon with it.
pub const LEN: u64 = 1 << 20;
/// The media type, which is the `typ` as well. Source: §5.2, §8.2.
pub const MEDIA_TYPE: &str = "application/statuslist+cwt";
/// `ttl`, in seconds: for how long a verifier may keep a list before it looks for a newer one.
pub const TTL_S: i64 = 60;
/// How long after `iat` a list expires, in seconds: a day without us, and it says nothing any more.
pub const LIFETIME_S: i64 = 24 * 3600;
/// The longest token that is read: a list that nothing compresses, and what is around it.
pub const MAX_LEN: usize = 192 << 10;

const ALG: i64 = 1;
const CRIT: i64 = 2;
const KID: i64 = 4;
const TYP: i64 = 16;
const SUB: i64 = 2;
const EXP: i64 = 4;
const IAT: i64 = 6;
const STATUS_LIST: i64 = 65533;
const TTL: i64 = 65534;

/// In which list the position of an entry in the log is, and where in that.
pub fn place(position: u64) -> (u64, u64) {
    (position / LEN, position % LEN)
}

/// A status list token whose signature was proved. Only [`open`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// Where the list is found.
    pub uri: &'a str,
    /// When it was signed.
    pub issued_at: UnixSeconds,
    /// Until when it says anything.
    pub expires_at: UnixSeconds,
    /// The kid of the key that signed it.
    pub signer: Kid,
}

/// Signs a list.
///
/// `uri`: where it is found; `aggregation_uri`: where all lists are named. `invalid`: the places in it, below [`LEN`], of what is
/// revoked; others are passed over. `key`: a publisher's. Returns a tagged COSE_Sign1. Errors: [`KeyError::Algorithm`] for a key
/// that is not Ed25519, [`KeyError::Unavailable`].
pub fn sign(
    uri: &str,
    aggregation_uri: &str,
    invalid: impl IntoIterator<Item = u64>,
    issued_at: UnixSeconds,
    key: &IssuerKey,
) -> Result<Vec<u8>, KeyError> {
    if key.algorithm() != Algorithm::EdDsa {
        return Err(KeyError::Algorithm);
    }
    let list = Value::Map(vec![
        ("bits".into(), 1.into()),
        ("lst".into(), Value::Bytes(compressed(LEN, invalid))),
        ("aggregation_uri".into(), aggregation_uri.into()),
    ]);
    let claims = Value::Map(vec![
        (SUB.into(), uri.into()),
        (EXP.into(), (issued_at.0 + LIFETIME_S).into()),
        (IAT.into(), issued_at.0.into()),
        (STATUS_LIST.into(), list),
        (TTL.into(), TTL_S.into()),
    ]);
    let mut payload = Vec::new();
    ciborium::into_writer(&claims, &mut payload).expect("a Vec takes every byte");
    let header = coset::HeaderBuilder::new()
        .algorithm(coset::iana::Algorithm::EdDSA)
        .key_id(key.kid().0.to_vec())
        .value(TYP, MEDIA_TYPE.into())
        .build();
    let sign1 = coset::CoseSign1Builder::new().protected(header).payload(payload);
    let sign1 = sign1.try_create_signature(&[], |tbs| key.sign(tbs))?.build();
    Ok(coset::TaggedCborSerializable::to_tagged_vec(sign1).expect("byte strings are encodable"))
}

/// The compressed byte array of `len` statuses, all valid but those at `invalid`. Source: §4.1.
fn compressed(len: u64, invalid: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut bytes = vec![0_u8; len.div_ceil(8) as usize];
    for place in invalid {
        if let Some(byte) = bytes.get_mut((place / 8) as usize) {
            *byte |= 1 << (place % 8);
        }
    }
    zlib::deflate_long(&bytes)
}

/// The token in `bytes`, proved to be one of the signers'. What is in the list is not read.
///
/// `signers`: the publishers that may sign at `now`. Errors: the [`Refusal`]s but [`Refusal::OlderVersion`], in their order. One
/// that has expired is no error: its time is in what is returned.
pub fn open<'a, 'k>(
    bytes: &'a [u8],
    signers: impl IntoIterator<Item = &'k PublicKey>,
    now: UnixSeconds,
) -> Result<Opened<'a>, Refusal> {
    if bytes.len() > MAX_LEN {
        return Err(Refusal::TooLarge);
    }
    let sign1 = signed::parse(bytes).map_err(|_| Refusal::Malformed)?;
    let (kid, typ) = parse_header(sign1.protected).map_err(|_| Refusal::Malformed)?;
    if typ != MEDIA_TYPE {
        return Err(Refusal::WrongType);
    }
    let (uri, expires_at, issued_at) = parse_claims(sign1.payload).map_err(|_| Refusal::Malformed)?;
    sign1.prove(kid, signers)?;
    if issued_at.0 > now.0.saturating_add(CLOCK_SKEW_S) {
        return Err(Refusal::FromTheFuture);
    }
    Ok(Opened { uri, issued_at, expires_at, signer: kid })
}

fn parse_header(protected: &[u8]) -> Result<(Kid, &str), CodecError> {
    let (mut kid, mut typ, mut eddsa) = (None, None, false);
    let mut reader = Reader::new(protected);
    reader.map(|label, value| {
        match (label, value.scalar()?) {
            (Item::Int(ALG), value) => eddsa = value == Item::Int(alg::EDDSA),
            (Item::Int(CRIT), _) => return Err(CodecError::Cose), // whatever it names, it is nothing that we process
            (Item::Int(KID), Item::Bytes(bytes)) => kid = bytes.try_into().ok().map(Kid),
            (Item::Int(TYP), Item::Text(text)) => typ = Some(text),
            _ => {}
        }
        Ok(())
    })?;
    reader.end()?;
    match (kid, typ, eddsa) {
        (Some(kid), Some(typ), true) => Ok((kid, typ)),
        _ => Err(CodecError::Cose),
    }
}

/// `sub`, `exp` and `iat`.
fn parse_claims(payload: &[u8]) -> Result<(&str, UnixSeconds, UnixSeconds), CodecError> {
    let (mut sub, mut exp, mut iat) = (None, None, None);
    let mut reader = Reader::new(payload);
    reader.map(|claim, value| {
        match (claim, value.scalar()?) {
            (Item::Int(SUB), Item::Text(text)) => sub = Some(text),
            (Item::Int(EXP), Item::Int(at)) => exp = Some(UnixSeconds(at)),
            (Item::Int(IAT), Item::Int(at)) => iat = Some(UnixSeconds(at)),
            _ => {}
        }
        Ok(())
    })?;
    reader.end()?;
    match (sub, exp, iat) {
        (Some(sub), Some(exp), Some(iat)) if iat <= exp => Ok((sub, exp, iat)),
        _ => Err(CodecError::Claims),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_686_920_170);
    const URI: &str = "https://example.com/v1/status-lists/1";
    const ALL: &str = "https://example.com/v1/status-lists";

    fn inflated(zlib: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        flate2::read::ZlibDecoder::new(zlib).read_to_end(&mut bytes).expect("a zlib stream");
        bytes
    }

    fn key() -> IssuerKey {
        IssuerKey::generate(Algorithm::EdDsa).expect("generates")
    }

    fn public(key: &IssuerKey) -> PublicKey {
        PublicKey::from_spki_der(key.spki_der()).expect("own keys are accepted")
    }

    /// The claims of a token, as another reader sees them.
    fn claims(token: &[u8]) -> Vec<(i64, Value)> {
        let Value::Tag(18, sign1) = ciborium::from_reader(token).expect("CBOR") else { panic!("no COSE_Sign1") };
        let payload = sign1.as_array().and_then(|sign1| sign1[2].as_bytes()).expect("a payload");
        let Value::Map(claims) = ciborium::from_reader(payload.as_slice()).expect("CBOR") else { panic!("no map") };
        let key = |key: &Value| key.as_integer().and_then(|key| i64::try_from(key).ok()).expect("an integer");
        claims.into_iter().map(|(claim, value)| (key(&claim), value)).collect()
    }

    /// The bits of a token's list.
    fn bits(token: &[u8]) -> Vec<u8> {
        let claims = claims(token);
        let list = claims.iter().find(|(claim, _)| *claim == STATUS_LIST).and_then(|(_, list)| list.as_map());
        let lst = list.and_then(|list| list.iter().find(|(key, _)| key.as_text() == Some("lst")));
        inflated(lst.and_then(|(_, lst)| lst.as_bytes()).expect("a list"))
    }

    #[test]
    fn statuses_are_packed_as_in_the_examples_of_the_specification() {
        // §4.1: sixteen statuses, and what they are compressed to there.
        let statuses = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
        let invalid = (0..16).filter(|place| statuses[*place as usize] == 1);
        let ours = inflated(&compressed(16, invalid));
        assert_eq!(ours, [0xB9, 0xA3]);
        assert_eq!(ours, inflated(&hex::decode("78dadbb918000217015d").expect("hexadecimal")));

        // Appendix "Test vectors", 1 bit: a list of our length.
        let invalid = [0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345];
        let theirs = "78daeddc010dc0200c0041a88249400ad2903e0f4bba00bd93f002beb7a2a2010000a91e0900000000000000000000000000\
                      000080729604000000000000000000000000000000000000000000000000000000000000000000000000000000005c6f4800\
                      000000000000fc2c240000000000000000000000be1b12000000000000000000ecaa4b000000000000000000000000000000\
                      009b0b0900000000000000000038de9400000000000000002a30cc010000000080642f0bd8011b";
        let ours = inflated(&compressed(LEN, invalid));
        assert_eq!(ours.len(), 1 << 17);
        assert!(ours == inflated(&hex::decode(theirs).expect("hexadecimal")), "another list than the specification's");
    }

    #[test]
    fn a_position_is_in_one_list_and_has_one_bit_there() {
        for (position, expected) in [
            (0, (0, 0)),
            (LEN - 1, (0, LEN - 1)),
            (LEN, (1, 0)),
            (LEN + 1, (1, 1)),
            (2 * LEN - 1, (1, LEN - 1)),
            (u64::MAX, (u64::MAX / LEN, LEN - 1)),
        ] {
            assert_eq!(place(position), expected);
        }
        for place in [0, 1, 6, 7, 8, 9, LEN - 2, LEN - 1] {
            let bits = bits(&sign(URI, ALL, [place], NOW, &key()).expect("signs"));
            let set: Vec<u64> = (0..LEN).filter(|at| bits[(at / 8) as usize] >> (at % 8) & 1 == 1).collect();
            assert_eq!(set, [place]);
        }
        assert!(bits(&sign(URI, ALL, [LEN, u64::MAX], NOW, &key()).expect("signs")).iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_is_signed_opens_under_its_signer_and_says_what_the_specification_asks_for() {
        let (ours, other) = (key(), key());
        let token = sign(URI, ALL, [3, 4], NOW, &ours).expect("signs");
        // 18([ h'A3 01 27 04 48 kid 10 78 1A "application/statuslist+cwt"', {}, ...
        let header = [&[0xA3, 0x01, 0x27, 0x04, 0x48][..], &ours.kid().0, &[0x10, 0x78, 0x1A], MEDIA_TYPE.as_bytes()];
        let header = header.concat();
        assert_eq!(token[..4], [0xD2, 0x84, 0x58, header.len() as u8]);
        assert_eq!(token[4..4 + header.len()], header);
        assert_eq!(token[4 + header.len()], 0xA0);
        let claims = claims(&token);
        let claim = |key: i64| &claims.iter().find(|(claim, _)| *claim == key).expect("a claim").1;
        assert_eq!(claims.len(), 5);
        assert_eq!(claim(2).as_text(), Some(URI));
        assert_eq!((claim(4), claim(6), claim(65534)), (&(NOW.0 + 86_400).into(), &NOW.0.into(), &60.into()));
        let list = claim(65533).as_map().expect("a map");
        let member = |name: &str| &list.iter().find(|(key, _)| key.as_text() == Some(name)).expect("a member").1;
        assert_eq!((list.len(), member("bits"), member("aggregation_uri").as_text()), (3, &1.into(), Some(ALL)));
        assert_eq!(bits(&token)[0], 0b0001_1000);

        let opened = open(&token, &[public(&other), public(&ours)], NOW).expect("opens");
        let expires_at = UnixSeconds(NOW.0 + 86_400);
        assert_eq!(opened, Opened { uri: URI, issued_at: NOW, expires_at, signer: ours.kid() });
        assert_eq!(open(&token, &[public(&other)], NOW), Err(Refusal::UnknownSigner));
        let early = |seconds: i64| open(&token, &[public(&ours)], UnixSeconds(NOW.0 - seconds)).err();
        assert_eq!([59, 60, 61].map(early), [None, None, Some(Refusal::FromTheFuture)]);
        let es256 = IssuerKey::generate(Algorithm::Es256).expect("generates");
        assert_eq!(sign(URI, ALL, [], NOW, &es256), Err(KeyError::Algorithm));
    }

    #[test]
    fn a_changed_or_cut_token_is_refused_and_so_is_another_resource_of_the_same_signer() {
        let key = key();
        let token = sign(URI, ALL, [3], NOW, &key).expect("signs");
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut spoilt = token.clone();
                spoilt[at] ^= 1 << bit;
                assert!(open(&spoilt, &[public(&key)], NOW).is_err(), "bit {bit} of byte {at}");
            }
            assert!(open(&token[..at], &[public(&key)], NOW).is_err(), "cut at {at}");
        }
        let stamp = signed::Stamp { version: 1, issued_at: NOW, next_update: NOW };
        let other = signed::sign(signed::Kind::Revocations, stamp, b"{}", &key).expect("signs");
        assert_eq!(open(&other, &[public(&key)], NOW), Err(Refusal::WrongType));
        let opened = signed::open(signed::Kind::Revocations, &token, &[public(&key)], NOW, 0);
        assert_eq!(opened.err(), Some(Refusal::Malformed));
        for (len, refusal) in
            [(MAX_LEN - 1, Refusal::Malformed), (MAX_LEN, Refusal::Malformed), (MAX_LEN + 1, Refusal::TooLarge)]
        {
            assert_eq!(open(&vec![0xD2; len], &[public(&key)], NOW), Err(refusal));
        }
    }

    #[test]
    fn the_list_that_compresses_worst_is_still_read() {
        // Half of the bits, by a generator: no run, nothing to say in fewer bits than it has.
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let invalid: Vec<u64> = (0..LEN).filter(|_| random() % 2 == 0).collect();
        let key = key();
        let token = sign(URI, ALL, invalid, NOW, &key).expect("signs");
        assert!(token.len() > 1 << 17 && open(&token, &[public(&key)], NOW).is_ok());
    }
}
