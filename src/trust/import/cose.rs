//! COSE_KeySet -> claims.
//!
//! ```cddl
//! COSE_KeySet = [1* COSE_Key]
//! COSE_Key = { 1: kty, ? 2: kid bstr, ? 3: alg, ? 4: [* key_ops], ? -1: crv / n, ? -2: x / e, ? -3: y,
//!              ? "country": tstr, ? "usages": [* tstr], ? "trusted_from": int, ? "trusted_until": int, * label => any }
//! ```
//! Source: RFC 9052 §7, RFC 9053 §7, RFC 8230 §4; the labels that are text are ours.

use super::{Claim, ListError, MAX_KEYS, Refusal};
use crate::certificate::UnixSeconds;
use crate::codec::cbor::{Item, Reader};
use crate::keys::{Algorithm, KeyError, Kid};
use crate::trust::Usages;
use crate::trust::parts::Parts;

/// verify, of the key operations.
const VERIFY: i64 = 2;

/// The keys of a set. A set is CBOR as a whole, so one that is damaged anywhere has no entries to be told apart.
pub(super) fn key_set(bytes: &[u8]) -> Result<Vec<Result<Claim, Refusal>>, ListError> {
    let mut reader = Reader::new(bytes);
    let len = reader.list(MAX_KEYS).map_err(|_| ListError::Malformed)?;
    let mut claims = Vec::with_capacity(len);
    for _ in 0..len {
        claims.push(key(reader.skip().map_err(|_| ListError::Malformed)?));
    }
    reader.end().map_err(|_| ListError::Malformed)?;
    Ok(claims)
}

fn key(bytes: &[u8]) -> Result<Claim, Refusal> {
    let (mut kty, mut crv, mut alg) = (Item::Null, Item::Null, Item::Null);
    let (mut first, mut second, mut third) = (None, None, None); // what -1, -2 and -3 are, if they are bytes
    let (mut secret, mut verifies) = (false, true);
    let mut claim = Claim::default();
    let mut kid = None;
    Reader::new(bytes)
        .map(|label, value| {
            match label {
                Item::Int(1) => kty = value.scalar()?,
                Item::Int(2) => kid = Some(value.scalar()?),
                Item::Int(3) => alg = value.scalar()?,
                Item::Int(4) => verifies = may_verify(value.whole()?),
                Item::Int(-1) => {
                    crv = value.scalar()?;
                    first = as_bytes(crv);
                }
                Item::Int(-2) => second = as_bytes(value.scalar()?),
                Item::Int(-3) => third = as_bytes(value.scalar()?),
                // d of a curve's key; d to dmp and further primes of an RSA key
                Item::Int(-12..=-4) => secret = true,
                Item::Text("country") => claim.country = as_text(value.scalar()?).map(str::to_owned),
                Item::Text("usages") => claim.usages = Some(usages(value.whole()?)),
                Item::Text("trusted_from") => claim.trusted_from = as_instant(value.scalar()?),
                Item::Text("trusted_until") => claim.trusted_until = as_instant(value.scalar()?),
                _ => {}
            }
            Ok(())
        })
        .map_err(|_| Refusal::Malformed)?;
    claim.kid = match kid {
        None => None,
        Some(Item::Bytes(kid)) => Some(Kid(kid.try_into().map_err(|_| KeyError::Kid)?)),
        Some(_) => return Err(Refusal::Malformed),
    };
    claim.refusal = match (secret, verifies) {
        (true, _) => Some(Refusal::PrivateKey),
        (_, false) => Some(Refusal::NotASigner),
        _ => None,
    };
    let parts = match (kty, crv) {
        (Item::Int(1), Item::Int(6)) => Parts::Ed25519(second.ok_or(Refusal::Malformed)?),
        (Item::Int(2), Item::Int(1)) => {
            Parts::P256 { x: second.ok_or(Refusal::Malformed)?, y: third.ok_or(Refusal::Malformed)? }
        }
        (Item::Int(3), _) => Parts::Rsa { n: first.ok_or(Refusal::Malformed)?, e: second.ok_or(Refusal::Malformed)? },
        _ => return Err(KeyError::Algorithm.into()),
    };
    claim.key = Some(parts.to_spki_der()?);
    claim.algorithm = match alg {
        Item::Null => None,
        Item::Int(alg) => {
            let known =
                [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Ps256].into_iter().find(|known| known.is_called(alg));
            Some(known.ok_or(KeyError::Algorithm)?)
        }
        _ => return Err(KeyError::Algorithm.into()),
    };
    Ok(claim)
}

fn as_bytes(item: Item<'_>) -> Option<&[u8]> {
    if let Item::Bytes(bytes) = item { Some(bytes) } else { None }
}

fn as_text(item: Item<'_>) -> Option<&str> {
    if let Item::Text(text) = item { Some(text) } else { None }
}

fn as_instant(item: Item<'_>) -> Option<UnixSeconds> {
    if let Item::Int(at) = item { Some(UnixSeconds(at)) } else { None }
}

fn items<'a>(mut reader: Reader<'a>) -> Vec<Item<'a>> {
    let Ok(Item::Array(len)) = reader.item() else { return Vec::new() };
    (0..len).map_while(|_| reader.item().ok()).collect()
}

fn may_verify(operations: Reader<'_>) -> bool {
    items(operations).iter().any(|item| matches!(item, Item::Int(VERIFY) | Item::Text("verify")))
}

fn usages(words: Reader<'_>) -> Usages {
    Usages::from_words(items(words).into_iter().filter_map(as_text))
}
