//! `GET /v1/trust-list`: the public keys that verifiers accept, as JSON, signed by the anchor, as JWKS, or as a COSE key set,
//! by `Accept`.

use std::sync::Arc;

use actix_web::http::header::{self, Header as _};
use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use coset::iana::{Algorithm as CoseAlgorithm, EllipticCurve};
use coset::{CborSerializable as _, CoseKeyBuilder, CoseKeySet, Label};
use pkcs8::SubjectPublicKeyInfoRef;
use pkcs8::der::{Decode as _, asn1::UintRef};
use serde_json::json;

use super::problem::{Kind, Problem, ProblemDocument};
use super::published::Published;
use crate::app::{App, SignedList};
use crate::keys::Algorithm;
use crate::signed;
use crate::trust::{TrustList, TrustListDocument, TrustedKey};

/// The trust list in its forms, made once a version and a signature. Mounted with the routes.
#[derive(Default)]
pub struct Forms(ArcSwapOption<Made>);

/// The forms of one list.
struct Made {
    /// The version of the list in force.
    version: u64,
    /// The signed list that was there.
    signed_list: Option<Arc<SignedList>>,
    json: Published,
    jwks: Published,
    cose_key_set: Published,
    signed: Option<Published>,
}

impl Forms {
    /// The forms of what is in force now.
    fn of(&self, app: &App) -> Result<Arc<Made>, Problem> {
        let (trust, signed_list) = (app.trust(), app.signed_list());
        let issued_at = |list: &Option<Arc<SignedList>>| list.as_ref().map(|list| list.stamp().issued_at);
        let is_it = |made: &Arc<Made>| {
            made.version == trust.version() && issued_at(&made.signed_list) == issued_at(&signed_list)
        };
        if let Some(made) = self.0.load_full().filter(is_it) {
            return Ok(made);
        }
        let made = Arc::new(published(app, &trust, signed_list)?);
        self.0.store(Some(Arc::clone(&made)));
        Ok(made)
    }
}

const CACHE: &str = "public, max-age=60, stale-while-revalidate=300";
const JWKS: &str = "application/jwk-set+json";
const COSE_KEY_SET: &str = "application/cose-key-set";
const COSE: &str = "application/cose";

/// The public keys that certificates are accepted under.
///
/// Ask again with `If-None-Match`. Keys that were withdrawn stay listed in JSON, and are left out of the key sets. The signed
/// form is the newest that the anchor signed, the same on every node: where the anchor is kept off line it may be older than
/// the JSON, never newer.
#[utoipa::path(
    get, path = "/v1/trust-list", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the list that the caller has")),
    responses(
        (status = 200, description = "The list, in the form that `Accept` prefers, else JSON. `application/cose` is a COSE_Sign1 over the JSON",
            content((TrustListDocument = "application/json"), (Vec<u8> = "application/cose"), (serde_json::Value = "application/jwk-set+json"), (Vec<u8> = "application/cose-key-set")),
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has it"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`not_signed`: the anchor has signed no list yet", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_trust_list(
    app: web::Data<App>,
    forms: web::Data<Forms>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let made = forms.of(&app)?;
    let form = match preferred(&request) {
        Some(JWKS) => &made.jwks,
        Some(COSE_KEY_SET) => &made.cose_key_set,
        Some(COSE) => made.signed.as_ref().ok_or_else(|| Problem::new(Kind::NOT_SIGNED))?,
        _ => &made.json,
    };
    Ok(form.answer(&request))
}

/// The one of our media types that `Accept` likes best.
fn preferred(request: &HttpRequest) -> Option<&'static str> {
    let ranked = header::Accept::parse(request).ok()?.ranked();
    ranked.iter().find_map(|media| {
        let ours = ["application/json", JWKS, COSE_KEY_SET, COSE];
        ours.into_iter().find(|ours| media.essence_str().eq_ignore_ascii_case(ours))
    })
}

fn published(app: &App, trust: &TrustList, signed_list: Option<Arc<SignedList>>) -> Result<Made, Problem> {
    let keys = trust.all();
    let in_force = || keys.iter().filter(|key| key.withdrawn_at.is_none());
    let jwks = json!({ "keys": in_force().filter_map(|key| jwk(key)).collect::<Vec<_>>() });
    let cose = CoseKeySet(in_force().filter_map(|key| cose_key(key)).collect());
    let cose = cose.to_vec().map_err(|_| Problem::internal("a COSE key set that cannot be encoded"))?;
    let json = match &signed_list {
        Some(signed) if signed.stamp().version == trust.version() => signed.json().to_vec(),
        _ => TrustListDocument::of(trust, app.stamp_of_list(trust.version())).to_json(),
    };
    let signed = signed_list.as_ref().map(|list| Published::new(signed::MEDIA_TYPE, CACHE, list.bytes().to_vec()));
    Ok(Made {
        version: trust.version(),
        signed_list,
        json: Published::new("application/json", CACHE, json),
        jwks: Published::new(JWKS, CACHE, serde_json::to_vec(&jwks).map_err(Problem::internal)?),
        cose_key_set: Published::new(COSE_KEY_SET, CACHE, cose),
        signed,
    })
}

/// What a public key is made of.
enum Parts<'a> {
    Ed25519(&'a [u8]),
    P256 { x: &'a [u8], y: &'a [u8] },
    Rsa { n: &'a [u8], e: &'a [u8] },
}

/// The parts of a key. `None` for a point written in short (RFC 5480 §2.2): JWK has no room for it, the JSON form has.
fn parts(key: &TrustedKey) -> Option<Parts<'_>> {
    let bits = SubjectPublicKeyInfoRef::try_from(key.key.spki_der()).ok()?.subject_public_key.as_bytes()?;
    match key.key.algorithm() {
        Algorithm::EdDsa => Some(Parts::Ed25519(bits)),
        Algorithm::Es256 => {
            let (x, y) = bits.strip_prefix(&[4]).filter(|point| point.len() == 64)?.split_at_checked(32)?;
            Some(Parts::P256 { x, y })
        }
        // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017 A.1.1)
        Algorithm::Ps256 => match Vec::<UintRef<'_>>::from_der(bits).ok()?.as_slice() {
            [n, e] => Some(Parts::Rsa { n: n.as_bytes(), e: e.as_bytes() }),
            _ => None,
        },
    }
}

/// Source: RFC 7517, RFC 8037 (OKP). The kid is the JWK's as in the JSON form.
fn jwk(key: &TrustedKey) -> Option<serde_json::Value> {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let (kid, alg) = (key.kid.to_string(), key.key.algorithm().as_str());
    Some(match parts(key)? {
        Parts::Ed25519(x) => {
            json!({"kty": "OKP", "crv": "Ed25519", "x": encode(x), "kid": kid, "alg": alg, "use": "sig"})
        }
        Parts::P256 { x, y } => {
            json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "kid": kid, "alg": alg, "use": "sig"})
        }
        Parts::Rsa { n, e } => {
            json!({"kty": "RSA", "n": encode(n), "e": encode(e), "kid": kid, "alg": alg, "use": "sig"})
        }
    })
}

/// Source: RFC 9052 §7, RFC 9053 §7; RFC 8230 §4 (RSA: kty 3, n -1, e -2).
fn cose_key(key: &TrustedKey) -> Option<coset::CoseKey> {
    let builder = match parts(key)? {
        Parts::Ed25519(x) => CoseKeyBuilder::new_okp_key()
            .param(coset::iana::OkpKeyParameter::Crv as i64, (EllipticCurve::Ed25519 as i64).into())
            .param(coset::iana::OkpKeyParameter::X as i64, x.to_vec().into())
            .algorithm(CoseAlgorithm::EdDSA),
        Parts::P256 { x, y } => {
            let builder = CoseKeyBuilder::new_ec2_pub_key(EllipticCurve::P_256, x.to_vec(), y.to_vec());
            builder.algorithm(CoseAlgorithm::ES256)
        }
        Parts::Rsa { n, e } => {
            let mut rsa =
                coset::CoseKey { kty: coset::KeyType::Assigned(coset::iana::KeyType::RSA), ..Default::default() };
            rsa.params = vec![(Label::Int(-1), n.to_vec().into()), (Label::Int(-2), e.to_vec().into())];
            rsa.alg = Some(coset::Algorithm::Assigned(CoseAlgorithm::PS256));
            rsa.key_id = key.kid.0.to_vec();
            return Some(rsa);
        }
    };
    Some(builder.key_id(key.kid.0.to_vec()).build())
}
