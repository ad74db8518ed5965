//! The provider, over HTTP: what it says of itself, its keys, and a code exchanged for an ID token. Whatever it sends is bounded,
//! and it is asked again for what did not fit once in a while only. Source: OpenID Connect Discovery 1.0; RFC 6749, RFC 7636.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use reqwest::{Client, RequestBuilder, StatusCode, Url, header};
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};

use super::jwt::{self, JwtError, Key};
use super::standing::{NoStanding, Standing, standing};
use crate::certificate::UnixSeconds;
use crate::config::{Config, OpenId, Secret};
use crate::tls::{self, RootsError};

/// Why the provider cannot be set up. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// The file with the secret cannot be read.
    #[error("cannot read openid.client_secret_file: {0}; make it readable")]
    Secret(#[from] std::io::Error),
    /// The roots cannot be used.
    #[error("openid.ca: {0}")]
    Roots(#[from] RootsError),
}

impl OpenIdError {
    /// The one stable word for this error.
    pub fn code(&self) -> &'static str {
        match self {
            OpenIdError::Secret(_) => "openid_secret",
            OpenIdError::Roots(error) => error.code(),
        }
    }
}

/// Why nobody is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LoginError {
    /// It did not begin in this browser, or too long ago.
    #[error("the log-in did not begin in this browser, or too long ago")]
    State,
    /// The provider says that the person refused, or may not.
    #[error("the provider says access_denied")]
    Denied,
    /// The provider cannot be reached, or says what we do not understand.
    #[error("the provider {0}")]
    Provider(&'static str),
    /// The ID token is not believed.
    #[error("the ID token is not believed: {0}")]
    Token(#[from] JwtError),
    /// The ID token makes nobody of them.
    #[error("the ID token is of nobody here: {0}")]
    Standing(#[from] NoStanding),
    /// Our database does not say whether there is such a facility.
    #[error("the facility cannot be looked up: {0}")]
    Database(&'static str),
    /// The ID token answers another log-in.
    #[error("the ID token has another nonce, or is for another client as well")]
    Nonce,
}

impl LoginError {
    /// The one stable word for this error, by which the page words it.
    pub fn code(self) -> &'static str {
        match self {
            LoginError::State => "state",
            LoginError::Denied => "denied",
            LoginError::Provider(_) => "provider",
            LoginError::Database(_) => "unavailable",
            LoginError::Token(_) | LoginError::Nonce | LoginError::Standing(NoStanding::Subject) => "token",
            LoginError::Standing(NoStanding::Role) => "role",
            LoginError::Standing(NoStanding::Place) => "place",
        }
    }
}

/// How long the provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const MAX_ANSWER: usize = 256 * 1024;
/// Codes exchanged at once: a provider that is slow shall not hold everything that we have.
const AT_ONCE: usize = 64;
/// For how long what the provider says of itself is taken as it is, and for how long if it cannot be asked again.
const FRESH: Duration = Duration::from_secs(600);
const LASTING: Duration = Duration::from_secs(24 * 3600);
/// How often it is asked at most for more than is known, and where nothing is.
const BETWEEN: Duration = Duration::from_secs(30);
const UNTIL_THEN: Duration = Duration::from_secs(2);

/// The provider by which staff log in.
pub struct Provider {
    settings: OpenId,
    issuer: String,
    secret: Option<Secret>,
    redirect_uri: String,
    client: Client,
    /// What it said of itself last.
    known: ArcSwapOption<Known>,
    /// Held while it is asked.
    asked: Mutex<Asked>,
    exchanging: Semaphore,
    /// Whether it is asked while nobody waits for it.
    in_the_background: AtomicBool,
}

/// When the provider was asked.
#[derive(Default)]
struct Asked {
    /// In vain, with nothing known.
    in_vain: Option<Instant>,
    /// For more than was known.
    again: Option<Instant>,
}

/// What the provider says of itself.
struct Known {
    at: Instant,
    authorization_endpoint: Url,
    token_endpoint: Url,
    /// Whether the client's secret goes into the form, and not into a header.
    secret_in_form: bool,
    keys: Vec<Key>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.issuer)
    }
}

impl Provider {
    /// The provider of the settings; `None` if they name none. Nothing is asked yet. Errors: [`OpenIdError`].
    pub fn new(config: &Config) -> Result<Option<Provider>, OpenIdError> {
        let settings = config.openid.clone();
        let Some(issuer) = settings.issuer.clone() else { return Ok(None) };
        let secret = settings.client_secret_file.as_ref().map(std::fs::read_to_string).transpose()?;
        let roots = tls::roots(settings.ca.as_deref())?;
        let client = tls::http_client(roots).timeout(PATIENCE).connect_timeout(PATIENCE / 2).no_proxy();
        Ok(Some(Provider {
            issuer,
            secret: secret.map(|text| Secret::new(text.lines().next().unwrap_or_default().trim())),
            redirect_uri: format!("{}{}", config.http.public_url, super::CALLBACK),
            client: client.build().expect("what it is built from is whole"),
            settings,
            known: ArcSwapOption::empty(),
            asked: Mutex::default(),
            exchanging: Semaphore::new(AT_ONCE),
            in_the_background: AtomicBool::new(false),
        }))
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Where people log in, and come back from with a code. `challenge`: of the verifier, by S256.
    pub(super) async fn authorization_url(
        &self,
        state: &str,
        nonce: &str,
        challenge: &str,
    ) -> Result<String, LoginError> {
        let mut url = self.known().await?.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", state)
            .append_pair("nonce", nonce)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(prompt) = &self.settings.prompt {
            url.query_pairs_mut().append_pair("prompt", prompt);
        }
        Ok(url.into())
    }

    /// Whether an answer that says to be of `iss` is this provider's (RFC 9207).
    pub(super) fn is(&self, iss: &str) -> bool {
        iss == self.issuer
    }

    /// Who logged in, for the code that they came back with. Errors: [`LoginError`].
    pub(super) async fn exchange(
        &self,
        code: &str,
        verifier: &str,
        nonce: &str,
        now: UnixSeconds,
    ) -> Result<Standing, LoginError> {
        let known = self.known().await?;
        let _one = self.exchanging.try_acquire().map_err(|_| LoginError::Provider("keeps too many waiting"))?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", verifier),
        ];
        let mut request = self.client.post(known.token_endpoint.clone());
        match &self.secret {
            Some(secret) if !known.secret_in_form => {
                // Both are coded as in a form first: RFC 6749 §2.3.1.
                let coded = |text| coded(&[("", text)]).trim_start_matches('=').to_owned();
                let (id, secret) = (coded(&self.settings.client_id), coded(secret.reveal()));
                request = request.basic_auth(id, Some(secret));
            }
            Some(secret) => form.extend([("client_id", &*self.settings.client_id), ("client_secret", secret.reveal())]),
            None => form.push(("client_id", &self.settings.client_id)),
        }
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.ask(request.body(coded(&form))).await?;
        let token = answer.get("id_token").and_then(Value::as_str);
        let token = token.ok_or(LoginError::Provider("gave no ID token for the code"))?;
        let client_id = &self.settings.client_id;
        let claims = match jwt::claims(token, &known.keys, &self.issuer, client_id, now) {
            Err(JwtError::UnknownKey) => {
                let known = self.asked_again().await?;
                jwt::claims(token, &known.keys, &self.issuer, client_id, now)?
            }
            other => other?,
        };
        let said = |name: &str| claims.get(name).and_then(Value::as_str);
        if said("nonce") != Some(nonce) || claims.get("azp").is_some() && said("azp") != Some(client_id) {
            return Err(LoginError::Nonce);
        }
        Ok(standing(&claims, &self.settings)?)
    }

    /// Who holds a bearer token of the provider's for `audience`, and until when it is good.
    ///
    /// Nothing is waited for: a token under a key that is not known yet is refused, and the provider asked for the next one's sake.
    pub(super) fn bearer(
        self: &Arc<Self>,
        token: &str,
        audience: &str,
        now: UnixSeconds,
    ) -> Result<(Standing, UnixSeconds), LoginError> {
        let known = self.known.load_full().filter(|known| known.at.elapsed() < LASTING);
        let keys = known.as_ref().map_or(&[][..], |known| &known.keys);
        let claims = jwt::claims(token, keys, &self.issuer, audience, now);
        if claims == Err(JwtError::UnknownKey) || known.is_none_or(|known| known.at.elapsed() > FRESH) {
            self.ask_in_the_background();
        }
        let claims = claims?;
        let expires_at = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
        Ok((standing(&claims, &self.settings)?, UnixSeconds(expires_at as i64)))
    }

    /// Asks the provider what it says of itself, if nobody does, and it was not asked a moment ago; nobody waits for it.
    pub(in crate::http) fn ask_in_the_background(self: &Arc<Self>) {
        if self.asked.try_lock().is_err() || self.in_the_background.swap(true, Ordering::Relaxed) {
            return;
        }
        let asking = InTheBackground(Arc::clone(self));
        tokio::spawn(async move { asking.0.asked_again().await.map(drop) });
    }

    /// What the provider says of itself, asked for where it is not fresh; an older answer if it cannot be asked.
    async fn known(&self) -> Result<Arc<Known>, LoginError> {
        match self.known.load_full() {
            Some(known) if known.at.elapsed() < FRESH => Ok(known),
            Some(known) if known.at.elapsed() < LASTING => Ok(self.asked_again().await.unwrap_or(known)),
            _ => self.asked_again().await,
        }
    }

    /// Asks anew, unless that was done a moment ago.
    async fn asked_again(&self) -> Result<Arc<Known>, LoginError> {
        let seen = self.known.load_full();
        let mut asked = self.asked.lock().await;
        // What is older counts as nothing: it is neither given again, nor a reason to wait longer with the next question.
        let known = self.known.load_full().filter(|known| known.at.elapsed() < LASTING);
        let within = |at: Option<Instant>, time| at.is_some_and(|at| at.elapsed() < time);
        match known {
            // Somebody else asked while this one waited.
            Some(known) if seen.is_none_or(|seen| seen.at != known.at) => return Ok(known),
            Some(known) if within(asked.again, BETWEEN) => return Ok(known),
            Some(_) => asked.again = Some(Instant::now()),
            None if within(asked.in_vain, UNTIL_THEN) => {
                return Err(LoginError::Provider("could not be asked a moment ago"));
            }
            None => {}
        }
        match self.discover().await {
            Ok(found) => {
                let found = Arc::new(found);
                self.known.store(Some(Arc::clone(&found)));
                Ok(found)
            }
            Err(error) => {
                asked.in_vain = Some(Instant::now());
                tracing::warn!(code = error.code(), cause = %error, "the OpenID Connect provider was asked in vain");
                Err(error)
            }
        }
    }

    /// Source: OpenID Connect Discovery 1.0 §4.
    async fn discover(&self) -> Result<Known, LoginError> {
        let path = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata = self.ask(self.client.get(path)).await?;
        if metadata.get("issuer").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(LoginError::Provider("is another than openid.issuer says"));
        }
        let endpoint = |name: &str| {
            let url = metadata.get(name).and_then(Value::as_str).and_then(|text| Url::parse(text).ok());
            let same = self.issuer.split(':').next();
            url.filter(|url| url.scheme() == "https" || Some(url.scheme()) == same)
                .ok_or(LoginError::Provider("does not say where its endpoints are"))
        };
        let listed = |name: &str, word: &str| {
            metadata.get(name).and_then(Value::as_array).map(|list| list.iter().any(|item| item == word))
        };
        let set = self.ask(self.client.get(endpoint("jwks_uri")?)).await?;
        Ok(Known {
            at: Instant::now(),
            authorization_endpoint: endpoint("authorization_endpoint")?,
            token_endpoint: endpoint("token_endpoint")?,
            secret_in_form: listed("token_endpoint_auth_methods_supported", "client_secret_basic") == Some(false),
            keys: jwt::keys(&set).ok_or(LoginError::Provider("has no set of keys"))?,
        })
    }

    /// The JSON object that is answered to `request`.
    async fn ask(&self, request: RequestBuilder) -> Result<Value, LoginError> {
        const UNREACHABLE: LoginError = LoginError::Provider("cannot be reached, or took too long");
        let request = request.header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(|_| UNREACHABLE)?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_client_error() => return Err(LoginError::Provider("refused what we asked")),
            _ => return Err(LoginError::Provider("failed")),
        }
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|_| UNREACHABLE)? {
            if bytes.len() + part.len() > MAX_ANSWER {
                return Err(LoginError::Provider("answered with more than we read"));
            }
            bytes.extend_from_slice(&part);
        }
        serde_json::from_slice(&bytes).map_err(|_| LoginError::Provider("did not answer in JSON"))
    }
}

/// The provider is asked while nobody waits for it. Dropped, it is not any more, however that ended.
struct InTheBackground(Arc<Provider>);

impl Drop for InTheBackground {
    fn drop(&mut self) {
        self.0.in_the_background.store(false, Ordering::Relaxed);
    }
}

/// Names and values as a form has them.
fn coded(pairs: &[(&str, &str)]) -> String {
    let mut url = Url::parse("form:/").expect("it is a URL");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}
