//! Tokens: of staff and machines, JWTs signed with Ed25519 under a key that signs nothing else; of citizens, sessions under a key
//! derived from it, which are short, and quick to check. They come as bearer tokens, or in a browser's cookies (`session.rs`).
//!
//! The JWT's algorithm is ours, not the token's; `iss`, `aud`, `exp` and `sub` must be there and right. Source: RFC 7519, RFC 8725.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::access::{Reach, Role, Route};
use super::login::Logins;
use super::openid::{self, Provider};
use super::problem::{Kind, Problem};
use super::reading;
use super::session::Session;
use crate::app::{App, Wrote};
use crate::certificate::UnixSeconds;
use crate::config::Tokens;
use crate::store::{Audited, Store};

/// Makes and checks bearer tokens.
pub struct TokenKey {
    secret: EncodingKey,
    public: DecodingKey,
    validation: Validation,
    issuer: String,
    audience: String,
    /// JWTs whose signature was proved, by SHA-256: staff send one all day, and a proof costs more than the rest of a request.
    /// What depends on the time is asked every time.
    proved: Cache<[u8; 32], Arc<Claims>>,
    /// Seals citizens' sessions: the MAC of the JWT key under a label of its own.
    sessions: hmac::Key,
    /// Seals log-ins that have begun, in the same way.
    logins: hmac::Key,
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(REDACTED)")
    }
}

/// The bytes are no Ed25519 secret key in PKCS#8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token key is not an Ed25519 key in PKCS#8; remove it and a new one is made, which ends all tokens in use")]
pub struct TokenKeyError;

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not a JWT of ours: broken, another algorithm, another key, another issuer or audience, or claims missing.
    #[error("the token is not one of ours")]
    Invalid,
    /// Its time is over (`exp` is now or earlier).
    #[error("the token has expired")]
    Expired,
    /// Its time has not come (`nbf`).
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A facility's token without a facility, or a province's without a province.
    #[error("the token does not say for which facility or province it is")]
    Incomplete,
}

impl AuthError {
    /// The one stable word for this error.
    pub fn code(self) -> &'static str {
        match self {
            AuthError::Expired => Kind::TOKEN_EXPIRED.code,
            AuthError::Invalid | AuthError::NotYetValid | AuthError::Incomplete => Kind::TOKEN_INVALID.code,
        }
    }
}

/// What a token is asked to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What its owner is.
    pub role: Role,
    /// `sub`: who its owner is, such as a name at the facility; written into the audit trail.
    pub subject: String,
    /// The facility's code; needed by role facility.
    pub facility: Option<String>,
    /// The province's code; needed by role province.
    pub province: Option<String>,
    /// How long it is good, in seconds.
    pub lifetime_s: i64,
}

/// Who sent a request, as its token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What they are.
    pub role: Role,
    /// `sub`.
    pub subject: String,
    /// The facility's code.
    pub facility: Option<String>,
    /// The province's code.
    pub province: Option<String>,
    /// The account's when a citizen logged in; 0 for staff.
    pub epoch: i64,
    /// From when on the token is no longer good.
    pub expires_at: UnixSeconds,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    nbf: Option<i64>,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    facility: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    province: Option<String>,
}

impl TokenKey {
    /// A new secret key, as PKCS#8 DER to be kept, under which [`TokenKey::from_pkcs8`] makes tokens.
    pub fn generate() -> Result<Zeroizing<Vec<u8>>, TokenKeyError> {
        let document = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(|_| TokenKeyError)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The key in `pkcs8` (DER), for tokens with this issuer and audience.
    pub fn from_pkcs8(pkcs8: &[u8], tokens: &Tokens) -> Result<TokenKey, TokenKeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| TokenKeyError)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&tokens.issuer]);
        validation.set_audience(&[&tokens.audience]);
        validation.validate_exp = false; // the library asks the machine's clock; we are told the time
        let derived = |label: &[u8]| {
            let label = hmac::Key::new(hmac::HMAC_SHA256, label);
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&label, pkcs8).as_ref())
        };
        Ok(TokenKey {
            secret: EncodingKey::from_ed_der(pkcs8),
            public: DecodingKey::from_ed_der(pair.public_key().as_ref()),
            validation,
            issuer: tokens.issuer.clone(),
            audience: tokens.audience.clone(),
            proved: Cache::new(MAX_PROVED),
            sessions: derived(b"thexanh citizen session"),
            logins: derived(b"thexanh staff login"),
        })
    }

    /// A signed token. Errors: [`AuthError::Incomplete`] when the role lacks its code.
    pub fn mint(&self, grant: &Grant, now: UnixSeconds) -> Result<String, AuthError> {
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: grant.subject.clone(),
            exp: now.0.saturating_add(grant.lifetime_s),
            iat: now.0,
            nbf: None,
            role: grant.role,
            facility: grant.facility.clone(),
            province: grant.province.clone(),
        };
        complete(&claims)?;
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.secret).map_err(|_| AuthError::Invalid)
    }

    /// A citizen's session until `expires_at`: `c.` and base64url of the account (16 bytes), its epoch and the instant (8 bytes
    /// each, big-endian), and the HMAC-SHA256 of these (32 bytes).
    pub fn mint_session(&self, account: Uuid, epoch: i64, expires_at: UnixSeconds) -> String {
        let mut bytes = account.as_bytes().to_vec();
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&expires_at.0.to_be_bytes());
        let tag = hmac::sign(&self.sessions, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        format!("{SESSION_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    fn verify_session(&self, coded: &str, now: UnixSeconds) -> Result<Caller, AuthError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(coded).map_err(|_| AuthError::Invalid)?;
        let (account, rest) = bytes.split_first_chunk::<16>().ok_or(AuthError::Invalid)?;
        let (epoch, rest) = rest.split_first_chunk::<8>().ok_or(AuthError::Invalid)?;
        let (expires_at, tag) = rest.split_first_chunk::<8>().ok_or(AuthError::Invalid)?;
        let signed = bytes.get(..32).unwrap_or_default();
        hmac::verify(&self.sessions, signed, tag).map_err(|_| AuthError::Invalid)?;
        let expires_at = UnixSeconds(i64::from_be_bytes(*expires_at));
        if now >= expires_at {
            return Err(AuthError::Expired);
        }
        let subject = Uuid::from_bytes(*account).simple().to_string();
        let epoch = i64::from_be_bytes(*epoch);
        Ok(Caller { role: Role::Citizen, subject, facility: None, province: None, epoch, expires_at })
    }

    /// What seals log-ins that have begun, on every node alike.
    pub(super) fn logins(&self) -> &hmac::Key {
        &self.logins
    }

    /// Who holds this token. `now == exp` is too late (RFC 7519 §4.1.4).
    pub fn verify(&self, token: &str, now: UnixSeconds) -> Result<Caller, AuthError> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(AuthError::Invalid);
        }
        if let Some(coded) = token.strip_prefix(SESSION_PREFIX) {
            return self.verify_session(coded, now);
        }
        let claims = self.prove(token)?;
        if now.0 >= claims.exp {
            return Err(AuthError::Expired);
        }
        if claims.nbf.is_some_and(|nbf| now.0 < nbf) {
            return Err(AuthError::NotYetValid);
        }
        complete(&claims)?;
        let Claims { role, sub, facility, province, .. } = &*claims;
        let (subject, facility, province) = (sub.clone(), facility.clone(), province.clone());
        Ok(Caller { role: *role, subject, facility, province, epoch: 0, expires_at: UnixSeconds(claims.exp) })
    }

    /// What a JWT of ours says, whatever the time.
    fn prove(&self, token: &str) -> Result<Arc<Claims>, AuthError> {
        let hash = digest(&SHA256, token.as_bytes());
        let name: [u8; 32] = hash.as_ref().try_into().map_err(|_| AuthError::Invalid)?;
        if let Some(claims) = self.proved.get(&name) {
            return Ok(claims);
        }
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.public, &self.validation);
        let claims = Arc::new(decoded.map_err(|_| AuthError::Invalid)?.claims);
        self.proved.insert(name, Arc::clone(&claims));
        Ok(claims)
    }
}

/// How many proved tokens are kept: more than a country has facilities at work.
const MAX_PROVED: u64 = 20_000;

/// Ours are under 500 characters; parsing more is work for nothing.
const MAX_TOKEN_LEN: usize = 4096;
/// What tells a session from a JWT, which begins with `{` in base64: `ey`.
const SESSION_PREFIX: &str = "c.";

fn complete(claims: &Claims) -> Result<(), AuthError> {
    let said = |code: &Option<String>| code.as_ref().is_some_and(|code| !code.is_empty());
    let placed = match claims.role {
        Role::Facility => said(&claims.facility),
        Role::Province => said(&claims.province),
        Role::Ministry | Role::Response | Role::Verifier => true,
        Role::Citizen => false, // a citizen's token is a session, never a JWT
    };
    if placed && !claims.sub.is_empty() { Ok(()) } else { Err(AuthError::Incomplete) }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Problem {
        let kind = match error {
            AuthError::Expired => Kind::TOKEN_EXPIRED,
            AuthError::Invalid | AuthError::NotYetValid | AuthError::Incomplete => Kind::TOKEN_INVALID,
        };
        Problem::new(kind).detail(error.to_string())
    }
}

/// A caller who may use the route that was asked for, and how far.
#[derive(Clone, Debug)]
pub struct Staff {
    /// Who it is.
    pub caller: Caller,
    /// Never [`Reach::No`].
    pub reach: Reach,
    /// Held until the answer is sent, of a request that may write.
    _wrote: Option<Arc<Wrote>>,
}

impl Staff {
    /// Who sent this request to one of the rows of [`super::access::ROUTES`], by its token.
    pub fn of(request: &HttpRequest, now: UnixSeconds) -> Result<Staff, Problem> {
        let rows = request.app_data::<Rows>().map_or(&[][..], |rows| rows.0);
        let method = if request.method() == "HEAD" { "GET" } else { request.method().as_str() };
        let row =
            rows.iter().find(|row| row.method == method).ok_or_else(|| Problem::internal("no row for a route"))?;
        let key = request.app_data::<web::Data<TokenKey>>().ok_or_else(|| Problem::internal("no token key mounted"))?;
        let token = token(request)?;
        let caller = match (key.verify(token, now), provider(request)) {
            // Not ours: perhaps the provider's.
            (Err(AuthError::Invalid), Some(provider)) => openid::bearer(provider, token, &key.audience, now)?,
            (verified, _) => verified?,
        };
        let app = request.app_data::<web::Data<App>>().ok_or_else(|| Problem::internal("no service mounted"))?;
        let staff = match row.who.reach(caller.role) {
            Reach::No => return Err(Problem::new(Kind::ROLE_NOT_ALLOWED)),
            reach => Staff { _wrote: reading::note_write(request, app, &caller), caller, reach },
        };
        if let Some(account) = staff.account()
            && app.ended_sessions().is_over(account, staff.caller.epoch)
        {
            return Err(AuthError::Expired.into());
        }
        Ok(staff)
    }

    /// The database for a look-up of theirs that may lag, but never behind what they wrote.
    pub fn lookups(&self, request: &HttpRequest, app: &App) -> Store {
        reading::lookups(request, app, Some(&self.caller))
    }

    /// Whether something that belongs to this facility, in this province, is within reach.
    pub fn may_touch(&self, facility: &str, province: Option<&str>) -> Result<(), Problem> {
        let own = match self.caller.role {
            Role::Facility => self.caller.facility.as_deref() == Some(facility),
            Role::Province => province.is_some() && self.caller.province.as_deref() == province,
            Role::Citizen | Role::Ministry | Role::Response | Role::Verifier => false,
        };
        match self.reach {
            Reach::All => Ok(()),
            Reach::Own if own => Ok(()),
            Reach::Own | Reach::No => Err(Problem::new(Kind::NOT_YOURS)),
        }
    }

    /// The account that the caller is logged in to; `None` for staff.
    pub fn account(&self) -> Option<Uuid> {
        (self.caller.role == Role::Citizen).then(|| Uuid::try_parse(&self.caller.subject).ok()).flatten()
    }

    /// The account that the caller is logged in to. Errors: [`Kind::ROLE_NOT_ALLOWED`] for staff.
    pub fn citizen(&self) -> Result<Uuid, Problem> {
        self.account().ok_or_else(|| Problem::new(Kind::ROLE_NOT_ALLOWED))
    }

    /// What the caller did, for the audit table. `why`: their purpose, never personal data.
    pub fn audited(&self, action: &'static str, about: Option<Uuid>, why: &str, at: UnixSeconds) -> Audited {
        let caller = &self.caller;
        Audited {
            at,
            role: caller.role.as_str().to_owned(),
            subject: caller.subject.clone(),
            place: caller.facility.as_deref().or(caller.province.as_deref()).unwrap_or("").to_owned(),
            action,
            about,
            why: why.to_owned(),
        }
    }

    /// The facility that the caller speaks for.
    pub fn facility(&self) -> Result<&str, Problem> {
        self.caller.facility.as_deref().ok_or_else(|| Problem::new(Kind::ROLE_NOT_ALLOWED))
    }
}

/// The rows of the access table for one path; each resource carries its own.
#[derive(Clone, Copy)]
pub(super) struct Rows(pub &'static [Route]);

fn provider(request: &HttpRequest) -> Option<&Arc<Provider>> {
    request.app_data::<web::Data<Logins>>().and_then(|logins| logins.openid.as_ref())
}

/// The token that a request comes with: its bearer's, or else that of the session which it names.
fn token(request: &HttpRequest) -> Result<&str, Problem> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let Some(value) = headers.next() else {
        let session = Session::named(request)?.and_then(|session| session.token(request));
        return session.ok_or_else(|| Problem::new(Kind::NO_TOKEN));
    };
    if headers.next().is_some() {
        return Err(AuthError::Invalid.into());
    }
    let text = value.to_str().map_err(|_| AuthError::Invalid)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::new(Kind::NO_TOKEN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_660_000_000);

    fn key_of(tokens: &Tokens) -> TokenKey {
        TokenKey::from_pkcs8(&TokenKey::generate().expect("generates"), tokens).expect("reads")
    }

    fn grant() -> Grant {
        let facility = Some("79-001".to_owned());
        Grant { role: Role::Facility, subject: "nurse".to_owned(), facility, province: None, lifetime_s: 60 }
    }

    #[test]
    fn a_token_says_what_it_was_asked_to_until_the_second_it_expires() {
        let key = key_of(&Tokens::default());
        let token = key.mint(&grant(), NOW).expect("mints");
        let caller = key.verify(&token, UnixSeconds(NOW.0 + 59)).expect("good");
        assert_eq!((caller.role, caller.subject.as_str()), (Role::Facility, "nurse"));
        assert_eq!(caller.facility.as_deref(), Some("79-001"));
        assert_eq!(key.verify(&token, UnixSeconds(NOW.0 + 60)), Err(AuthError::Expired));
        assert_eq!(key.verify(&token, UnixSeconds(NOW.0 + 61)), Err(AuthError::Expired));
    }

    #[test]
    fn tokens_of_other_keys_issuers_and_audiences_are_refused() {
        let key = key_of(&Tokens::default());
        let other = |change: fn(&mut Tokens)| {
            let mut tokens = Tokens::default();
            change(&mut tokens);
            let pkcs8 = TokenKey::generate().expect("generates");
            let ours = TokenKey::from_pkcs8(&pkcs8, &Tokens::default()).expect("reads");
            let theirs = TokenKey::from_pkcs8(&pkcs8, &tokens).expect("reads");
            ours.verify(&theirs.mint(&grant(), NOW).expect("mints"), NOW)
        };
        assert!(other(|_| {}).is_ok());
        assert_eq!(other(|tokens| tokens.issuer = "other".to_owned()), Err(AuthError::Invalid));
        assert_eq!(other(|tokens| tokens.audience = "other".to_owned()), Err(AuthError::Invalid));
        let foreign = key_of(&Tokens::default()).mint(&grant(), NOW).expect("mints");
        assert_eq!(key.verify(&foreign, NOW), Err(AuthError::Invalid));
    }

    #[test]
    fn no_other_algorithm_is_believed() {
        use base64::Engine as _;
        let key = key_of(&Tokens::default());
        let token = key.mint(&grant(), NOW).expect("mints");
        let (_, rest) = token.split_once('.').expect("three parts");
        let (payload, signature) = rest.split_once('.').expect("three parts");
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256"}"#, r#"{"typ":"JWT"}"#, "{"] {
            let header = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(header);
            assert_eq!(key.verify(&format!("{header}.{payload}.{signature}"), NOW), Err(AuthError::Invalid));
            assert_eq!(key.verify(&format!("{header}.{payload}."), NOW), Err(AuthError::Invalid));
        }
        let hmac = EncodingKey::from_secret(b"guess");
        let claims = serde_json::json!({"iss":"thexanh","aud":"thexanh","sub":"x","exp":NOW.0 + 9,"iat":NOW.0,"role":"ministry"});
        let forged = jsonwebtoken::encode(&Header::default(), &claims, &hmac).expect("encodes");
        assert_eq!(key.verify(&forged, NOW), Err(AuthError::Invalid));
    }

    #[test]
    fn every_required_claim_is_missed_when_it_is_absent() {
        let key = key_of(&Tokens::default());
        let whole = serde_json::json!({"iss":"thexanh","aud":"thexanh","sub":"x","exp":NOW.0 + 9,"iat":NOW.0,"role":"ministry"});
        let sign = |claims: &serde_json::Value| {
            jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), claims, &key.secret).expect("encodes")
        };
        assert!(key.verify(&sign(&whole), NOW).is_ok());
        for claim in ["iss", "aud", "sub", "exp", "role"] {
            let mut claims = whole.clone();
            claims.as_object_mut().expect("an object").remove(claim);
            assert_eq!(key.verify(&sign(&claims), NOW), Err(AuthError::Invalid), "{claim}");
        }
        for (claim, value, error) in [
            ("role", "facility".into(), AuthError::Incomplete),
            ("role", "province".into(), AuthError::Incomplete),
            ("role", "king".into(), AuthError::Invalid),
            ("sub", "".into(), AuthError::Incomplete),
            ("nbf", serde_json::json!(NOW.0 + 1), AuthError::NotYetValid),
        ] {
            let mut claims = whole.clone();
            claims[claim] = value;
            assert_eq!(key.verify(&sign(&claims), NOW), Err(error), "{claim}");
        }
    }
}
