//! `GET /v1/trust-list`: the public keys that verifiers accept, as JSON, as JWKS, as a COSE key set, or as a
//! DID document, by `Accept`.

use std::sync::Arc;

use actix_web::http::header::{self, Header as _};
use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Problem, ProblemDocument};
use super::published::Published;
use crate::app::App;
use crate::certificate::UnixSeconds;
use crate::ed25519;
use crate::keys::{KeyError, PublicKey};
use crate::trust::{TrustList, TrustedKey, Usages, export};

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
            certificate: None,
        })
    }
}

/// The trust list in its four forms, made once a version. Mounted with the routes.
#[derive(Default)]
pub struct Forms(ArcSwapOption<(u64, [Published; 4])>);

impl Forms {
    /// The forms of the list that is in force, and its version.
    fn of(&self, app: &App) -> Result<Arc<(u64, [Published; 4])>, Problem> {
        let trust = app.trust();
        if let Some(made) = self.0.load_full().filter(|made| made.0 == trust.version()) {
            return Ok(made);
        }
        let made = published(&trust, app.clock().now(), &app.config().trust_list_did())?;
        let made = Arc::new((trust.version(), made));
        self.0.store(Some(Arc::clone(&made)));
        Ok(made)
    }
}

/// For how long a verifier may rely on a list, in seconds: a day without us, and its shift is over.
const NEXT_UPDATE_S: i64 = 24 * 3600;
const CACHE: &str = "public, max-age=60, stale-while-revalidate=300";
const JWKS: &str = "application/jwk-set+json";
const COSE_KEY_SET: &str = "application/cose-key-set";
const DID: &str = "application/did";

/// The public keys that certificates are accepted under.
///
/// Ask again with `If-None-Match`. Keys that were withdrawn stay listed in JSON, and are left out of the other forms.
#[utoipa::path(
    get, path = "/v1/trust-list", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the list that the caller has")),
    responses(
        (status = 200, description = "The list, in the form that `Accept` prefers, else JSON",
            content((TrustListDocument = "application/json"), (serde_json::Value = "application/jwk-set+json"), (Vec<u8> = "application/cose-key-set"), (serde_json::Value = "application/did")),
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
    let made = forms.of(&app)?;
    let [json, jwks, cose, did] = &made.1;
    let form = match preferred(&request) {
        Some(JWKS) => jwks,
        Some(COSE_KEY_SET) => cose,
        Some(DID) => did,
        _ => json,
    };
    Ok(form.answer(&request))
}

/// The public keys that certificates are accepted under, as a DID document.
///
/// Where the `did:web` method looks for it; laid out as the WHO's trust list, version 2. Keys that were withdrawn are left out.
#[utoipa::path(
    get, path = "/v1/trust-list/did.json", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the document that the caller has")),
    responses(
        (status = 200, description = "The DID document",
            content((serde_json::Value = "application/did")), headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The caller has it"),
        (status = 500, description = "`internal`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_trust_list_did(
    app: web::Data<App>,
    forms: web::Data<Forms>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let made = forms.of(&app)?;
    let [.., did] = &made.1;
    Ok(did.answer(&request))
}

/// The one of our media types that `Accept` likes best.
fn preferred(request: &HttpRequest) -> Option<&'static str> {
    let ranked = header::Accept::parse(request).ok()?.ranked();
    ranked.iter().find_map(|media| {
        let asked = match media.essence_str() {
            "application/did+json" | "application/did+ld+json" => DID, // what it was called before DID 1.1
            asked => asked,
        };
        ["application/json", JWKS, COSE_KEY_SET, DID].into_iter().find(|ours| asked.eq_ignore_ascii_case(ours))
    })
}

fn published(trust: &TrustList, now: UnixSeconds, did: &str) -> Result<[Published; 4], Problem> {
    let keys = trust.all();
    let document = TrustListDocument {
        version: trust.version(),
        issued_at: now.0,
        next_update: now.0 + NEXT_UPDATE_S,
        keys: keys.iter().map(|key| describe(key)).collect(),
    };
    let cose = export::cose_key_set(&keys).map_err(|_| Problem::internal("a COSE key set that cannot be encoded"))?;
    let json = |document: &serde_json::Value| serde_json::to_vec(document).map_err(Problem::internal);
    Ok([
        Published::new("application/json", CACHE, serde_json::to_vec(&document).map_err(Problem::internal)?),
        Published::new(JWKS, CACHE, json(&export::jwks(&keys))?),
        Published::new(COSE_KEY_SET, CACHE, cose),
        Published::new(DID, CACHE, json(&export::did_document(&keys, did))?),
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
