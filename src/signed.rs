//! Signed resources: what verifiers follow (trust list, rules, revocations, changes), each version under one signature.
//!
//! ```cddl
//! Signed = #6.18([ protected: bstr .cbor header, unprotected: {}, payload: bstr, signature: bstr .size 64 ])
//! header = {
//!   1 => -8,                   ; alg: EdDSA, under an Ed25519 key
//!   4 => bstr .size 8,         ; kid: of the signer's bare key
//!   16 => tstr,                ; typ (RFC 9596): which resource this is
//!   "version" => uint,         ; goes up with every change of the content
//!   "issued_at" => int,        ; seconds since 1970
//!   "next_update" => int,      ; by when a newer one is promised, seconds since 1970
//!   * (int / tstr) => any      ; later ones; passed over, but never 2 (crit)
//! }
//! ```
//!
//! The payload is the resource's JSON in UTF-8.
//!
//! The keys of the header stand in the order above, which is that of deterministic CBOR; what is signed is the
//! Sig_structure of RFC 9052 §4.4 with no external data. The type stands under the signature, so that none serves two
//! purposes: the anchor signs trust lists, and publishers, whom the trust list names, sign the rest.
//!
//! A verifier keeps the highest version that it has seen and asks for at least that (no rollback). One that is stale is
//! still the best that is known: it is used, and said to be stale (no freeze that nobody sees).

use crate::certificate::UnixSeconds;
use crate::codec::CodecError;
use crate::codec::cbor::{Item, Reader};
use crate::codec::cose;
use crate::keys::{Algorithm, IssuerKey, KeyError, Kid, PublicKey, alg};
use crate::policy::CLOCK_SKEW_S;

/// The largest signed resource that is read, in bytes: a trust list of some 50,000 keys.
pub const MAX_LEN: usize = 32 << 20;
/// The media type of a COSE_Sign1. Source: RFC 9052 §11.3.
pub const MEDIA_TYPE: &str = "application/cose; cose-type=\"cose-sign1\"";

const TAG_COSE_SIGN1: u64 = 18;
const ALG: i64 = 1;
const CRIT: i64 = 2;
const KID: i64 = 4;
const TYP: i64 = 16;
const VERSION: &str = "version";
const ISSUED_AT: &str = "issued_at";
const NEXT_UPDATE: &str = "next_update";
const SIGNATURE_LEN: usize = 64;

/// Which resource is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The keys that are trusted; signed by the anchor.
    TrustList,
    /// What is certified and accepted; signed by a publisher.
    Rules,
    /// The index of what is revoked; signed by a publisher.
    Revocations,
    /// What is newer than the asker knows; signed by a publisher.
    Changes,
}

impl Kind {
    /// The `typ` in the header.
    pub fn typ(self) -> &'static str {
        match self {
            Kind::TrustList => "thexanh/trust-list",
            Kind::Rules => "thexanh/rules",
            Kind::Revocations => "thexanh/revocations",
            Kind::Changes => "thexanh/changes",
        }
    }
}

/// Which version a resource is, and from when to when it is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Goes up with every change of the content.
    pub version: u64,
    /// When it was signed.
    pub issued_at: UnixSeconds,
    /// By when a newer one is promised; not before `issued_at`.
    pub next_update: UnixSeconds,
}

impl Stamp {
    /// True if a newer one was promised by now: reported, never a reason to refuse.
    pub fn is_stale(&self, now: UnixSeconds) -> bool {
        now > self.next_update
    }
}

/// Why bytes are not taken as a signed resource. What was in force stays in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Over [`MAX_LEN`] bytes.
    #[error("it is larger than a signed resource may be")]
    TooLarge,
    /// Not of the form above.
    #[error("it is not a signed resource")]
    Malformed,
    /// Another resource than was asked for.
    #[error("it is signed as another resource")]
    WrongType,
    /// None of the keys that may sign it has its kid.
    #[error("it is signed by a key that may not sign it")]
    UnknownSigner,
    /// The signature is not of these bytes.
    #[error("its signature is wrong")]
    BadSignature,
    /// Signed more than the clock skew from now.
    #[error("it is signed at a time that is yet to come; check the clocks")]
    FromTheFuture,
    /// Another version was seen that is newer.
    #[error("it is older than what is known already")]
    OlderVersion,
}

impl Refusal {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::TooLarge => "too_large",
            Refusal::Malformed => "malformed",
            Refusal::WrongType => "wrong_type",
            Refusal::UnknownSigner => "unknown_signer",
            Refusal::BadSignature => "bad_signature",
            Refusal::FromTheFuture => "from_the_future",
            Refusal::OlderVersion => "older_version",
        }
    }
}

/// A signed resource whose signature was proved. Only [`open`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// Which version it is, and until when.
    pub stamp: Stamp,
    /// The resource: JSON that its own reader has yet to read.
    pub payload: &'a [u8],
    signer: Kid,
}

impl Opened<'_> {
    /// The kid of the key that signed it.
    pub fn signer(&self) -> Kid {
        self.signer
    }
}

/// Signs `payload` as a resource of this kind.
///
/// `key`: Ed25519; the anchor for trust lists, else a publisher. Returns a tagged COSE_Sign1. The same arguments give the
/// same bytes. Errors: [`KeyError::Algorithm`] for a key of another algorithm,
/// [`KeyError::Unavailable`].
pub fn sign(kind: Kind, stamp: Stamp, payload: &[u8], key: &IssuerKey) -> Result<Vec<u8>, KeyError> {
    if key.algorithm() != Algorithm::EdDsa {
        return Err(KeyError::Algorithm);
    }
    let header = coset::HeaderBuilder::new()
        .algorithm(coset::iana::Algorithm::EdDSA)
        .key_id(key.kid().0.to_vec())
        .value(TYP, kind.typ().into())
        .text_value(VERSION.to_owned(), stamp.version.into())
        .text_value(ISSUED_AT.to_owned(), stamp.issued_at.0.into())
        .text_value(NEXT_UPDATE.to_owned(), stamp.next_update.0.into())
        .build();
    let sign1 = coset::CoseSign1Builder::new().protected(header).payload(payload.to_vec());
    let sign1 = sign1.try_create_signature(&[], |tbs| key.sign(tbs))?.build();
    Ok(coset::TaggedCborSerializable::to_tagged_vec(sign1).expect("byte strings are encodable"))
}

/// The payload of a signed resource, nothing of it proved.
///
/// Errors: [`Refusal::TooLarge`], [`Refusal::Malformed`].
pub fn unproved_payload(bytes: &[u8]) -> Result<&[u8], Refusal> {
    if bytes.len() > MAX_LEN {
        return Err(Refusal::TooLarge);
    }
    parse(bytes).map(|sign1| sign1.payload).map_err(|_| Refusal::Malformed)
}

/// The resource of this kind in `bytes`, proved to be one of the signers'.
///
/// `signers`: the keys that may sign this kind at `now`. `at_least`: the highest version known. Errors: every [`Refusal`],
/// in the order in which they stand there. A stale one is no error: ask [`Stamp::is_stale`].
pub fn open<'a, 'k>(
    kind: Kind,
    bytes: &'a [u8],
    signers: impl IntoIterator<Item = &'k PublicKey>,
    now: UnixSeconds,
    at_least: u64,
) -> Result<Opened<'a>, Refusal> {
    if bytes.len() > MAX_LEN {
        return Err(Refusal::TooLarge);
    }
    let sign1 = parse(bytes).map_err(|_| Refusal::Malformed)?;
    let header = parse_header(sign1.protected).map_err(|_| Refusal::Malformed)?;
    if header.typ != kind.typ() {
        return Err(Refusal::WrongType);
    }
    sign1.prove(header.kid, signers)?;
    if header.stamp.issued_at.0 > now.0.saturating_add(CLOCK_SKEW_S) {
        return Err(Refusal::FromTheFuture);
    }
    if header.stamp.version < at_least {
        return Err(Refusal::OlderVersion);
    }
    Ok(Opened { stamp: header.stamp, payload: sign1.payload, signer: header.kid })
}

/// True if `bytes` begin as a tagged COSE_Sign1 does, and so are no JSON.
pub fn is_signed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xD2, 0x84])
}

/// A COSE_Sign1 of a publisher's or of the anchor's, unproved.
pub(crate) struct Sign1<'a> {
    /// The header, as it was signed.
    pub protected: &'a [u8],
    /// What was signed.
    pub payload: &'a [u8],
    signature: &'a [u8],
}

impl Sign1<'_> {
    /// Proves that one of `signers`, of this kid, signed it. Errors: [`Refusal::UnknownSigner`], [`Refusal::BadSignature`].
    pub fn prove<'k>(&self, kid: Kid, signers: impl IntoIterator<Item = &'k PublicKey>) -> Result<(), Refusal> {
        let may_sign = |key: &&PublicKey| key.algorithm() == Algorithm::EdDsa && key.kid() == kid;
        let mut signers = signers.into_iter().filter(may_sign).peekable();
        signers.peek().ok_or(Refusal::UnknownSigner)?;
        let mut tbs = Vec::with_capacity(self.protected.len() + self.payload.len() + 32);
        cose::write_tbs(&mut tbs, self.protected, self.payload);
        if signers.any(|key| key.verifies(self.signature, &tbs)) { Ok(()) } else { Err(Refusal::BadSignature) }
    }
}

/// Stricter than certificates are read, which others write too: tagged, and nothing unprotected.
pub(crate) fn parse(bytes: &[u8]) -> Result<Sign1<'_>, CodecError> {
    let mut reader = Reader::new(bytes);
    if (reader.item()?, reader.item()?) != (Item::Tag(TAG_COSE_SIGN1), Item::Array(4)) {
        return Err(CodecError::Cose);
    }
    let Item::Bytes(protected) = reader.item()? else { return Err(CodecError::Cose) };
    if reader.item()? != Item::Map(0) {
        return Err(CodecError::Cose);
    }
    let Item::Bytes(payload) = reader.item()? else { return Err(CodecError::Cose) };
    let Item::Bytes(signature) = reader.item()? else { return Err(CodecError::Cose) };
    reader.end()?;
    if signature.len() != SIGNATURE_LEN {
        return Err(CodecError::Cose);
    }
    Ok(Sign1 { protected, payload, signature })
}

struct Header<'a> {
    kid: Kid,
    typ: &'a str,
    stamp: Stamp,
}

fn parse_header(protected: &[u8]) -> Result<Header<'_>, CodecError> {
    let (mut kid, mut typ, mut eddsa) = (None, None, false);
    let (mut version, mut issued_at, mut next_update) = (None, None, None);
    let mut reader = Reader::new(protected);
    reader.map(|label, value| {
        match (label, value.scalar()?) {
            (Item::Int(ALG), value) => eddsa = value == Item::Int(alg::EDDSA),
            (Item::Int(CRIT), _) => return Err(CodecError::Cose), // whatever it names, it is nothing that we process
            (Item::Int(KID), Item::Bytes(bytes)) => kid = bytes.try_into().ok().map(Kid),
            (Item::Int(TYP), Item::Text(text)) => typ = Some(text),
            (Item::Text(VERSION), Item::Int(number)) => version = u64::try_from(number).ok(),
            (Item::Text(ISSUED_AT), Item::Int(at)) => issued_at = Some(UnixSeconds(at)),
            (Item::Text(NEXT_UPDATE), Item::Int(at)) => next_update = Some(UnixSeconds(at)),
            _ => {}
        }
        Ok(())
    })?;
    reader.end()?;
    let stamp = match (version, issued_at, next_update) {
        (Some(version), Some(issued_at), Some(next_update)) if issued_at <= next_update => {
            Stamp { version, issued_at, next_update }
        }
        _ => return Err(CodecError::Cose),
    };
    match (kid, typ, eddsa) {
        (Some(kid), Some(typ), true) => Ok(Header { kid, typ, stamp }),
        _ => Err(CodecError::Cose),
    }
}

#[cfg(test)]
mod tests;
