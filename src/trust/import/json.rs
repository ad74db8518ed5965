//! The lists that are JSON: JWK sets, the gateway's list of signer certificates, the WHO's `did.json`.

use serde_json::{Map, Value};

use super::{Claim, Format, ListError, MAX_KEYS, Refusal, decode, kid};
use crate::certificate::UnixSeconds;
use crate::codec::x509::{MAX_CERTIFICATE_LEN, X509Error};
use crate::keys::{Algorithm, KeyError};
use crate::trust::parts::Parts;
use crate::trust::{Usages, country};

type Claims = Vec<Result<Claim, Refusal>>;
type Object = Map<String, Value>;

/// Values of a document at most, an entry of the longest kind having some twenty: a few bytes of text may make a value of
/// eighty in memory.
const MAX_VALUES: usize = MAX_KEYS * 24;

/// The keys of a JSON document, whichever of the three it is.
pub(super) fn list(bytes: &[u8]) -> Result<(Format, Claims), ListError> {
    if bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > MAX_VALUES {
        return Err(ListError::TooLarge);
    }
    // Nesting is the library's to bound, at 128.
    match serde_json::from_slice(bytes).map_err(|_| ListError::Malformed)? {
        Value::Array(entries) => Ok((Format::Gateway, gateway(&entries, None))),
        Value::Object(document) => object(&document),
        _ => Err(ListError::UnknownFormat),
    }
}

fn object(document: &Object) -> Result<(Format, Claims), ListError> {
    if let Some(Value::Array(keys)) = document.get("keys") {
        return Ok((Format::Jwks, keys.iter().map(jwk).collect()));
    }
    if let Some(Value::Array(methods)) = document.get("verificationMethod") {
        let id = document.get("id").and_then(Value::as_str).unwrap_or_default();
        return Ok((Format::Did, methods.iter().map(|method| verification_method(method, id)).collect()));
    }
    if let Some(Value::Array(entries)) = document.get("certificates") {
        return Ok((Format::Gateway, gateway(entries, None)));
    }
    // What POST signercertificateUpdate answers: {"DE": [{"kid": .., "rawData": ..}], ..}
    let mut claims = Vec::new();
    for (code, entries) in document {
        let entries = entries.as_array().filter(|_| country::alpha2(code).is_some());
        claims.extend(gateway(entries.ok_or(ListError::UnknownFormat)?, Some(code)));
    }
    if claims.is_empty() { Err(ListError::UnknownFormat) } else { Ok((Format::Gateway, claims)) }
}

/// A text; `None` if it is absent or null, refused if it is anything else.
fn text<'a>(object: &'a Object, name: &str) -> Result<Option<&'a str>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::Malformed),
    }
}

fn instant(object: &Object, name: &str) -> Result<Option<UnixSeconds>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(at) => at.as_i64().map(|at| Some(UnixSeconds(at))).ok_or(Refusal::Malformed),
    }
}

/// Texts; none if it is absent, refused if it is anything else.
fn texts<'a>(object: &'a Object, name: &str) -> Result<Option<Vec<&'a str>>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(texts)) => {
            texts.iter().map(Value::as_str).collect::<Option<_>>().map(Some).ok_or(Refusal::Malformed)
        }
        Some(_) => Err(Refusal::Malformed),
    }
}

fn certificate(base64: &str) -> Result<Vec<u8>, Refusal> {
    if base64.len() > MAX_CERTIFICATE_LEN * 2 {
        return Err(X509Error::TooLong.into());
    }
    decode(base64.as_bytes()).ok_or(Refusal::Malformed)
}

/// A JWK. Its certificate (`x5c`, whose first is its own) goes before its parts, which may then be missing or of a curve
/// without a name; `country`, `usages`, `trusted_from`, `trusted_until` are members of ours.
fn jwk(value: &Value) -> Result<Claim, Refusal> {
    let jwk = value.as_object().ok_or(Refusal::Malformed)?;
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|secret| jwk.contains_key(*secret)) {
        return Err(Refusal::PrivateKey);
    }
    let certificate = texts(jwk, "x5c")?.and_then(|chain| chain.first().copied()).map(certificate).transpose()?;
    let key = parts(jwk);
    let mut claim = Claim {
        key: if certificate.is_some() { key.ok() } else { Some(key?) },
        algorithm: text(jwk, "alg")?.map(algorithm).transpose()?,
        country: text(jwk, "country")?.map(str::to_owned),
        usages: texts(jwk, "usages")?.map(Usages::from_words),
        trusted_from: instant(jwk, "trusted_from")?,
        trusted_until: instant(jwk, "trusted_until")?,
        certificate,
        ..Claim::default()
    };
    claim.kid = match text(jwk, "kid")?.map(kid) {
        // Texts would carry it, and none that we read carries a kid of another length.
        Some(None) if claim.certificate.is_none() => return Err(KeyError::Kid.into()),
        said => said.flatten(),
    };
    let signs = text(jwk, "use")?.is_none_or(|purpose| purpose == "sig");
    let verifies = texts(jwk, "key_ops")?.is_none_or(|operations| operations.contains(&"verify"));
    claim.refusal = (!signs || !verifies).then_some(Refusal::NotASigner);
    Ok(claim)
}

/// A name of JOSE. Source: RFC 7518 §3.1, RFC 8037, RFC 9864.
fn algorithm(name: &str) -> Result<Algorithm, KeyError> {
    match name {
        "Ed25519" => Ok(Algorithm::EdDsa),
        "ESP256" => Ok(Algorithm::Es256),
        name => name.parse(),
    }
}

/// The key that the parts of a JWK are, as a DER SubjectPublicKeyInfo.
fn parts(jwk: &Object) -> Result<Vec<u8>, Refusal> {
    let bytes = |name: &str| {
        let text = text(jwk, name)?.filter(|text| text.len() <= 4096);
        text.and_then(|text| decode(text.as_bytes())).ok_or(Refusal::Malformed)
    };
    let spki_der = match (text(jwk, "kty")?, text(jwk, "crv")?) {
        (Some("OKP"), Some("Ed25519")) => Parts::Ed25519(&bytes("x")?).to_spki_der(),
        (Some("EC"), Some("P-256")) => Parts::P256 { x: &bytes("x")?, y: &bytes("y")? }.to_spki_der(),
        (Some("RSA"), _) => Parts::Rsa { n: &bytes("n")?, e: &bytes("e")? }.to_spki_der(),
        (Some(_), _) => Err(KeyError::Algorithm),
        (None, _) => return Err(Refusal::Malformed),
    };
    Ok(spki_der?)
}

/// Entries of the gateway's list: `rawData` is the certificate, `thumbprint` its SHA-256 in hexadecimal digits.
fn gateway(entries: &[Value], country: Option<&str>) -> Claims {
    entries.iter().map(|entry| signer(entry, country)).collect()
}

fn signer(entry: &Value, country: Option<&str>) -> Result<Claim, Refusal> {
    let entry = entry.as_object().ok_or(Refusal::Malformed)?;
    let certificate = certificate(text(entry, "rawData")?.ok_or(Refusal::Malformed)?)?;
    let said = text(entry, "kid")?.map(|said| kid(said).ok_or(Refusal::KidMismatch)).transpose()?;
    let thumbprint = text(entry, "thumbprint")?.is_none_or(|said| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate);
        let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        digits.eq_ignore_ascii_case(said)
    });
    let refusal = match text(entry, "certificateType")? {
        Some(kind) if kind != "DSC" => Some(Refusal::NotASigner),
        _ => (!thumbprint).then_some(Refusal::KidMismatch),
    };
    let country = text(entry, "country")?.or(country).map(str::to_owned);
    Ok(Claim { kid: said, certificate: Some(certificate), country, refusal, ..Claim::default() })
}

/// A verification method of the WHO's `did.json`: a JWK, whose id says domain, participant and usage, `-` being any:
/// `did:web:HOST:v2:trustlist:DOMAIN:PARTICIPANT:USAGE#kid`. Members say the same where the id leaves it open.
fn verification_method(method: &Value, document: &str) -> Result<Claim, Refusal> {
    let method = match method {
        Value::String(_) => return Err(Refusal::Reference),
        method => method.as_object().ok_or(Refusal::Malformed)?,
    };
    let (id, fragment) = text(method, "id")?.and_then(|id| id.split_once('#')).ok_or(Refusal::Malformed)?;
    let id = if id.is_empty() { document } else { id };
    let mut path = id.rsplit(':').take_while(|level| !level.starts_with("trust"));
    let [usage, participant, domain] = [(); 3].map(|()| path.next().filter(|level| *level != "-"));
    let coded = |name: &str| method.get(name).and_then(|coding| coding.get("code")?.as_str()?.strip_prefix('#'));
    let (usage, participant, domain) =
        (coded("keyusage").or(usage), coded("participant").or(participant), coded("domain").or(domain));
    let mut claim = jwk(method.get("publicKeyJwk").ok_or(Refusal::Malformed)?)?;
    claim.kid = claim.kid.or_else(|| kid(fragment));
    claim.country = participant.map(str::to_owned).or(claim.country);
    claim.refusal = match (usage, domain) {
        (Some("DSC"), None | Some("DCC" | "DDCC")) => claim.refusal,
        (Some("DSC"), _) => Some(Refusal::OtherDomain),
        _ => Some(Refusal::NotASigner),
    };
    Ok(claim)
}
