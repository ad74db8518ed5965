//! The provider's keys, and what a JWT says that one of them signed.
//!
//! The key decides the algorithm, from a list of ours in which no secret is shared and nothing is `none`; the header only picks
//! among what the key can do. Source: RFC 7515, RFC 7517, RFC 8725.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::certificate::UnixSeconds;

/// Why a JWT is not believed; each says it for the log, and none of what the token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JwtError {
    /// No JWT, or longer than we read.
    #[error("it is no JWT")]
    Malformed,
    /// No key of the provider's has this name, or it needs one.
    #[error("no key of the provider's has its kid")]
    UnknownKey,
    /// The key does not sign with this algorithm, or we do not take it.
    #[error("its algorithm is not one of its key's")]
    Algorithm,
    /// The signature is not this key's.
    #[error("its signature is wrong")]
    Signature,
    /// `iss` or `aud` is somebody else, or there is none.
    #[error("it is not from this provider, or not for us")]
    Stranger,
    /// `exp` is now or past, or there is none.
    #[error("it has expired")]
    Expired,
    /// `nbf` or `iat` is to come.
    #[error("its time has not come")]
    Early,
}

/// A key of the provider's.
pub(super) struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Keys of a set that are looked at, and characters of a token that are read.
const MAX_KEYS: usize = 64;
const MAX_TOKEN_LEN: usize = 16 * 1024;
/// Seconds by which the provider's clock may be ahead of ours.
const SKEW_S: i64 = 60;

/// The keys of a JWK set that can sign for us; what we do not know in it is left out. `None`: it is no such set.
pub(super) fn keys(set: &Value) -> Option<Vec<Key>> {
    let members = set.get("keys")?.as_array()?.iter().take(MAX_KEYS);
    Some(members.filter_map(|member| key(serde_json::from_value(member.clone()).ok()?)).collect())
}

fn key(jwk: Jwk) -> Option<Key> {
    let algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![Algorithm::RS256, Algorithm::PS256],
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
        AlgorithmParameters::OctetKeyPair(curve) if curve.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
        _ => return None,
    };
    let named = |algorithm: &Algorithm| jwk.common.key_algorithm.is_none_or(|named| named == (*algorithm).into());
    let algorithms: Vec<Algorithm> = algorithms.into_iter().filter(named).collect();
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| signs && !algorithms.is_empty())?;
    Some(Key { kid: jwk.common.key_id, algorithms, key })
}

/// What a JWT says that one of `keys` signed, for `audience` and in force at `now`.
pub(super) fn claims(
    token: &str,
    keys: &[Key],
    issuer: &str,
    audience: &str,
    now: UnixSeconds,
) -> Result<Value, JwtError> {
    let token = Some(token).filter(|token| token.len() <= MAX_TOKEN_LEN).ok_or(JwtError::Malformed)?;
    let header = jsonwebtoken::decode_header(token).map_err(|_| JwtError::Malformed)?;
    if header.crit.is_some() {
        return Err(JwtError::Malformed); // it demands what we do not know
    }
    let named = |key: &&Key| match &header.kid {
        Some(kid) => key.kid.as_ref() == Some(kid),
        None => keys.len() == 1,
    };
    // Names may collide: every key that has this one is tried.
    let named: Vec<&Key> = keys.iter().filter(named).collect();
    if named.is_empty() {
        return Err(JwtError::UnknownKey);
    }
    let able = named.iter().filter(|key| key.algorithms.contains(&header.alg));
    let proved = able.map(|key| proved(token, key, header.alg, audience));
    let claims = proved.reduce(|best, next| if best == Err(JwtError::Signature) { next } else { best });
    let claims = claims.ok_or(JwtError::Algorithm)??;
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(JwtError::Stranger);
    }
    in_force(&claims, now)?;
    Ok(claims)
}

/// What a token says that `key` signed by `algorithm`, for `audience`, whatever the time and the issuer.
fn proved(token: &str, key: &Key, algorithm: Algorithm, audience: &str) -> Result<Value, JwtError> {
    use jsonwebtoken::errors::ErrorKind;
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["aud"]);
    validation.set_audience(&[audience]);
    validation.validate_exp = false; // the library asks the machine's clock; we are told the time
    let decoded = jsonwebtoken::decode::<Value>(token, &key.key, &validation);
    decoded.map(|decoded| decoded.claims).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => JwtError::Signature,
        ErrorKind::InvalidAudience | ErrorKind::MissingRequiredClaim(_) => JwtError::Stranger,
        _ => JwtError::Malformed,
    })
}

/// `now == exp` is too late (RFC 7519 §4.1.4); what begins a little later than now does so by the provider's clock.
fn in_force(claims: &Value, now: UnixSeconds) -> Result<(), JwtError> {
    let instant = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(|seconds| Some(seconds as i64)).ok_or(JwtError::Malformed),
    };
    if instant("exp")?.is_none_or(|exp| now.0 >= exp) {
        return Err(JwtError::Expired);
    }
    let early = [instant("nbf")?, instant("iat")?].into_iter().flatten().any(|from| from > now.0 + SKEW_S);
    if early { Err(JwtError::Early) } else { Ok(()) }
}
