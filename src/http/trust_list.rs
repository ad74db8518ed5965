//! `GET /v1/trust-list`: the public keys that verifiers accept, as JSON, as JWKS, or as a COSE key set, by `Accept`.

use std::sync::Arc;

use actix_web::http::header::{self, Header as _};
use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use coset::iana::{Algorithm as CoseAlgorithm, EllipticCurve};
use coset::{CborSerializable as _, CoseKeyBuilder, CoseKeySet, Label};
use pkcs8::SubjectPublicKeyInfoRef;
use pkcs8::der::{Decode as _, asn1::UintRef};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::problem::{Problem, ProblemDocument};
use super::published::Published;
use crate::app::App;
use crate::certificate::UnixSeconds;
use crate::ed25519;
use crate::keys::{Algorithm, KeyError, PublicKey};
use crate::trust::{TrustList, TrustedKey, Usages};

/// The public keys that certificates are accepted under.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TrustListDocument {
    /// Goes up with every change.
    version: u64,
    /// When this version was put together here, in seconds since 1970.
    issued_at: i64,
    /// By when to ask again at the latest, in seconds since 1970.
    next_update: i64,
    /// Every key; several may share a kid.
    keys: Vec<TrustedKeyDocument>,
}

/// One public key. Times are seconds since 1970 and absent where there is no bound.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TrustedKeyDocument {
    /// A hint that narrows the search, in standard base64; may collide.
    #[schema(example = "LPCGKdiZxq8=")]
    kid: String,
    /// Whose it is: ISO 3166-1 alpha-2.
    #[schema(example = "VN")]
    country: String,
    /// `EdDSA`, `ES256` or `PS256`. The key decides, never the header.
    #[schema(example = "EdDSA")]
    algorithm: String,
    /// Whether it may sign the compact profile.
    national: bool,
    /// The DER SubjectPublicKeyInfo in standard base64.
    public_key: String,
    /// `vaccination`, `test`, `recovery`.
    usages: Vec<String>,
    /// Whether it is this registry's.
    own: bool,
    /// Certificates of its with an earlier `iat` are refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    signs_from: Option<i64>,
    /// Certificates of its with a later `iat` are refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    signs_until: Option<i64>,
    /// The first second of its trust.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    trusted_from: Option<i64>,
    /// The last second of its trust.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    trusted_until: Option<i64>,
    /// When it was withdrawn: all that it signed falls.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    withdrawn_at: Option<i64>,
}

/// Why a document is no trust list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// A kid or a public key is not base64, or a kid not 8 bytes.
    #[error("a kid or a public key in it is not written as it should be")]
    Malformed,
    /// A public key cannot be used.
    #[error("a key in it cannot be used: {0}")]
    Key(#[from] KeyError),
}

impl TrustListDocument {
    /// The trust list that this is. `ed25519`: through which its Ed25519 keys verify. Errors: every [`DocumentError`].
    pub fn into_list(self, ed25519: &Arc<ed25519::Engine>) -> Result<TrustList, DocumentError> {
        let keys = self.keys.into_iter().map(TrustedKey::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(TrustList::new(self.version, keys, ed25519)?)
    }
}

impl TryFrom<TrustedKeyDocument> for TrustedKey {
    type Error = DocumentError;

    fn try_from(document: TrustedKeyDocument) -> Result<TrustedKey, DocumentError> {
        let spki_der = BASE64_STANDARD.decode(&document.public_key).map_err(|_| DocumentError::Malformed)?;
        Ok(TrustedKey {
            key: PublicKey::from_spki_der(&spki_der)?,
            kid: document.kid.parse().map_err(|_| DocumentError::Malformed)?,
            country: document.country,
            national: document.national,
            usages: Usages::from_words(document.usages.iter().map(String::as_str)),
            own: document.own,
            signs_from: document.signs_from.map(UnixSeconds),
            signs_until: document.signs_until.map(UnixSeconds),
            trusted_from: document.trusted_from.map(UnixSeconds),
            trusted_until: document.trusted_until.map(UnixSeconds),
            withdrawn_at: document.withdrawn_at.map(UnixSeconds),
        })
    }
}

/// The trust list in its three forms, made once a version. Mounted with the routes.
#[derive(Default)]
pub struct Forms(ArcSwapOption<(u64, [Published; 3])>);

/// For how long a verifier may rely on a list, in seconds: a day without us, and its shift is over.
const NEXT_UPDATE_S: i64 = 24 * 3600;
const CACHE: &str = "public, max-age=60, stale-while-revalidate=300";
const JWKS: &str = "application/jwk-set+json";
const COSE_KEY_SET: &str = "application/cose-key-set";

/// The public keys that certificates are accepted under.
///
/// Ask again with `If-None-Match`. Keys that were withdrawn stay listed in JSON, and are left out of the other two forms.
#[utoipa::path(
    get, path = "/v1/trust-list", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the list that the caller has")),
    responses(
        (status = 200, description = "The list, in the form that `Accept` prefers, else JSON",
            content((TrustListDocument = "application/json"), (serde_json::Value = "application/jwk-set+json"), (Vec<u8> = "application/cose-key-set")),
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has it"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_trust_list(
    app: web::Data<App>,
    forms: web::Data<Forms>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let trust = app.trust();
    let made = forms.0.load_full().filter(|made| made.0 == trust.version());
    let made = match made {
        Some(made) => made,
        None => {
            let made = Arc::new((trust.version(), published(&trust, app.clock().now())?));
            forms.0.store(Some(Arc::clone(&made)));
            made
        }
    };
    let [json, jwks, cose] = &made.1;
    let form = match preferred(&request) {
        Some(JWKS) => jwks,
        Some(COSE_KEY_SET) => cose,
        _ => json,
    };
    Ok(form.answer(&request))
}

/// The one of our media types that `Accept` likes best.
fn preferred(request: &HttpRequest) -> Option<&'static str> {
    let ranked = header::Accept::parse(request).ok()?.ranked();
    ranked.iter().find_map(|media| {
        ["application/json", JWKS, COSE_KEY_SET].into_iter().find(|ours| media.essence_str().eq_ignore_ascii_case(ours))
    })
}

fn published(trust: &TrustList, now: UnixSeconds) -> Result<[Published; 3], Problem> {
    let keys = trust.all();
    let document = TrustListDocument {
        version: trust.version(),
        issued_at: now.0,
        next_update: now.0 + NEXT_UPDATE_S,
        keys: keys.iter().map(|key| describe(key)).collect(),
    };
    let in_force = || keys.iter().filter(|key| key.withdrawn_at.is_none());
    let jwks = json!({ "keys": in_force().filter_map(|key| jwk(key)).collect::<Vec<_>>() });
    let cose = CoseKeySet(in_force().filter_map(|key| cose_key(key)).collect());
    let cose = cose.to_vec().map_err(|_| Problem::internal("a COSE key set that cannot be encoded"))?;
    Ok([
        Published::new("application/json", CACHE, serde_json::to_vec(&document).map_err(Problem::internal)?),
        Published::new(JWKS, CACHE, serde_json::to_vec(&jwks).map_err(Problem::internal)?),
        Published::new(COSE_KEY_SET, CACHE, cose),
    ])
}

/// How a key stands in the list.
pub fn describe(key: &TrustedKey) -> TrustedKeyDocument {
    TrustedKeyDocument {
        kid: key.kid.to_string(),
        country: key.country.clone(),
        algorithm: key.key.algorithm().as_str().to_owned(),
        national: key.national,
        public_key: BASE64_STANDARD.encode(key.key.spki_der()),
        usages: key.usages.words().into_iter().map(str::to_owned).collect(),
        own: key.own,
        signs_from: key.signs_from.map(|at| at.0),
        signs_until: key.signs_until.map(|at| at.0),
        trusted_from: key.trusted_from.map(|at| at.0),
        trusted_until: key.trusted_until.map(|at| at.0),
        withdrawn_at: key.withdrawn_at.map(|at| at.0),
    }
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
