//! `GET /v1/trust-list`: the public keys that verifiers accept, as JSON, signed by the anchor, as JWKS, as a COSE key set, or
//! as a DID document, by `Accept`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use arc_swap::ArcSwapOption;

use super::problem::{Kind, Problem, ProblemDocument};
use super::published::{COSE, Published, preferred};
use crate::app::{App, SignedList};
use crate::signed;
use crate::trust::{TrustList, TrustListDocument, export};

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
    did: Published,
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
const DID: &str = "application/did";
// What it was called before DID 1.1.
const DID_JSON: &str = "application/did+json";
const DID_LD_JSON: &str = "application/did+ld+json";

/// The public keys that certificates are accepted under.
///
/// Ask again with `If-None-Match`. Keys that were withdrawn stay listed in JSON, and are left out of the key sets and the DID
/// document. The signed form is the newest that the anchor signed, the same on every node: where the anchor is kept off line it
/// may be older than the JSON, never newer.
#[utoipa::path(
    get, path = "/v1/trust-list", tag = "trust",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of the list that the caller has")),
    responses(
        (status = 200, description = "The list, in the form that `Accept` prefers, else JSON. `application/cose` is a COSE_Sign1 over the JSON",
            content((TrustListDocument = "application/json"), (Vec<u8> = "application/cose"), (serde_json::Value = "application/jwk-set+json"), (Vec<u8> = "application/cose-key-set"), (serde_json::Value = "application/did")),
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
    let form = match preferred(&request, &["application/json", JWKS, COSE_KEY_SET, COSE, DID, DID_JSON, DID_LD_JSON]) {
        Some(JWKS) => &made.jwks,
        Some(COSE_KEY_SET) => &made.cose_key_set,
        Some(DID | DID_JSON | DID_LD_JSON) => &made.did,
        Some(COSE) => made.signed.as_ref().ok_or_else(|| Problem::new(Kind::NOT_SIGNED))?,
        _ => &made.json,
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
    Ok(made.did.answer(&request))
}

fn published(app: &App, trust: &TrustList, signed_list: Option<Arc<SignedList>>) -> Result<Made, Problem> {
    let keys = trust.all();
    let cose = export::cose_key_set(&keys).map_err(|_| Problem::internal("a COSE key set that cannot be encoded"))?;
    let did = export::did_document(&keys, &app.config().trust_list_did());
    let bytes = |document: &serde_json::Value| serde_json::to_vec(document).map_err(Problem::internal);
    let json = match &signed_list {
        Some(signed) if signed.stamp().version == trust.version() => signed.json().to_vec(),
        _ => TrustListDocument::of(trust, app.stamp_of_list(trust.version())).to_json(),
    };
    let signed = signed_list.as_ref().map(|list| Published::new(signed::MEDIA_TYPE, CACHE, list.bytes().to_vec()));
    Ok(Made {
        version: trust.version(),
        signed_list,
        json: Published::new("application/json", CACHE, json),
        jwks: Published::new(JWKS, CACHE, bytes(&export::jwks(&keys))?),
        cose_key_set: Published::new(COSE_KEY_SET, CACHE, cose),
        did: Published::new(DID, CACHE, bytes(&did)?),
        signed,
    })
}
