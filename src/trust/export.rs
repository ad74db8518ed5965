//! The keys of a list in the formats of others. Keys that were withdrawn are left out of all of them.
//!
//! What the formats have no room for goes along in members of our own (`country`, `usages`, `trusted_from`, `trusted_until`),
//! which others pass over and [`super::import`] reads again. Signing periods stay at home: they bind our keys only.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ciborium::Value as Cbor;
use coset::iana::{Algorithm as CoseAlgorithm, EllipticCurve, KeyType, OkpKeyParameter};
use coset::{CborSerializable as _, CoseError, CoseKey, CoseKeyBuilder, CoseKeySet, Label};
use serde_json::{Value, json};

use super::parts::{self, Parts};
use super::{TrustedKey, country};

fn in_force<'a>(keys: &'a [&TrustedKey]) -> impl Iterator<Item = &'a TrustedKey> {
    keys.iter().copied().filter(|key| key.withdrawn_at.is_none())
}

/// A JWK Set. A point written in short is left out. Source: RFC 7517, RFC 8037 (OKP).
pub fn jwks(keys: &[&TrustedKey]) -> Value {
    json!({ "keys": in_force(keys).filter_map(jwk).collect::<Vec<_>>() })
}

/// A key as a JWK. The kid is in standard base64, as the field writes kids in JSON.
fn jwk(key: &TrustedKey) -> Option<Value> {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let mut jwk = match parts::of(&key.key)? {
        Parts::Ed25519(x) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(x)}),
        Parts::P256 { x, y } => json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)}),
        Parts::Rsa { n, e } => json!({"kty": "RSA", "n": encode(n), "e": encode(e)}),
    };
    let members = jwk.as_object_mut()?;
    let mut say = |name: &str, value: Value| members.insert(name.to_owned(), value);
    say("kid", key.kid.to_string().into());
    say("alg", key.key.algorithm().as_str().into());
    say("use", "sig".into());
    say("country", key.country.as_str().into());
    say("usages", key.usages.words().into());
    for (name, at) in [("trusted_from", key.trusted_from), ("trusted_until", key.trusted_until)] {
        if let Some(at) = at {
            say(name, at.0.into());
        }
    }
    Some(jwk)
}

/// A COSE_KeySet. A point written in short is left out. Source: RFC 9052 §7. Errors: none that a key of a list can cause.
pub fn cose_key_set(keys: &[&TrustedKey]) -> Result<Vec<u8>, CoseError> {
    CoseKeySet(in_force(keys).filter_map(cose_key).collect()).to_vec()
}

/// Source: RFC 9052 §7, RFC 9053 §7; RFC 8230 §4 (RSA: kty 3, n -1, e -2).
fn cose_key(key: &TrustedKey) -> Option<CoseKey> {
    let mut cose = match parts::of(&key.key)? {
        Parts::Ed25519(x) => CoseKeyBuilder::new_okp_key()
            .param(OkpKeyParameter::Crv as i64, (EllipticCurve::Ed25519 as i64).into())
            .param(OkpKeyParameter::X as i64, x.to_vec().into())
            .algorithm(CoseAlgorithm::EdDSA)
            .build(),
        Parts::P256 { x, y } => CoseKeyBuilder::new_ec2_pub_key(EllipticCurve::P_256, x.to_vec(), y.to_vec())
            .algorithm(CoseAlgorithm::ES256)
            .build(),
        Parts::Rsa { n, e } => CoseKey {
            kty: coset::KeyType::Assigned(KeyType::RSA),
            params: vec![(Label::Int(-1), n.to_vec().into()), (Label::Int(-2), e.to_vec().into())],
            alg: Some(coset::Algorithm::Assigned(CoseAlgorithm::PS256)),
            ..Default::default()
        },
    };
    cose.key_id = key.kid.0.to_vec();
    let mut say = |name: &str, value: Cbor| cose.params.push((Label::Text(name.to_owned()), value));
    say("country", key.country.as_str().into());
    say("usages", Cbor::Array(key.usages.words().into_iter().map(Cbor::from).collect()));
    for (name, at) in [("trusted_from", key.trusted_from), ("trusted_until", key.trusted_until)] {
        if let Some(at) = at {
            say(name, at.0.into());
        }
    }
    Some(cose)
}

/// A DID document as the WHO's trust list has it, each key with its certificate where we have one.
///
/// `did`: what the document is found by. A key's id says domain, country by alpha-3 (alpha-2 where there is none) and usage.
/// Source: smart-trust, "GDHCN Trustlists", version 2.
pub fn did_document(keys: &[&TrustedKey], did: &str) -> Value {
    let method = |key: &TrustedKey| {
        let mut jwk = jwk(key)?;
        if let Some(certificate) = &key.certificate {
            jwk.as_object_mut()?.insert("x5c".to_owned(), json!([BASE64_STANDARD.encode(certificate)]));
        }
        let country = country::alpha3(&key.country).unwrap_or(&key.country);
        let controller = format!("{did}:DDCC:{country}:DSC");
        Some(json!({
            "id": format!("{controller}#{}", key.kid), "type": "JsonWebKey2020", "controller": controller,
            "publicKeyJwk": jwk,
        }))
    };
    json!({
        "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"],
        "id": did,
        "controller": did,
        "verificationMethod": in_force(keys).filter_map(method).collect::<Vec<_>>(),
    })
}

/// The DID that the document at `url` is found by, `url` being without the `/did.json` at its end.
/// Source: the did:web method, "Read (Resolve)".
pub fn did_web(url: &str) -> String {
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = url.split_once('/').unwrap_or((url, ""));
    let levels = path.split('/').filter(|level| !level.is_empty()).map(|level| format!(":{level}"));
    format!("did:web:{}{}", host.replace(':', "%3A"), levels.collect::<String>())
}

/// PEM: certificates where we have them, else bare public keys, each below lines that say what neither can.
/// Source: RFC 7468 §2 (explanatory text).
pub fn pem(keys: &[&TrustedKey]) -> String {
    let mut text = String::new();
    for key in in_force(keys) {
        let instant = |name: &str, at: Option<crate::certificate::UnixSeconds>| {
            at.map_or(String::new(), |at| format!("{name}: {}\n", at.0))
        };
        let (label, der) = match &key.certificate {
            Some(certificate) => ("CERTIFICATE", certificate.as_ref()),
            None => ("PUBLIC KEY", key.key.spki_der()),
        };
        let _ = write!(
            text,
            "kid: {}\ncountry: {}\nusages: {}\n{}{}-----BEGIN {label}-----\n",
            key.kid,
            key.country,
            key.usages.words().join(" "),
            instant("trusted_from", key.trusted_from),
            instant("trusted_until", key.trusted_until),
        );
        let base64 = BASE64_STANDARD.encode(der);
        for line in base64.as_bytes().chunks(64) {
            text.push_str(&String::from_utf8_lossy(line));
            text.push('\n');
        }
        let _ = writeln!(text, "-----END {label}-----");
    }
    text
}
