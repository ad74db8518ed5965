//! `[openid]`: the provider by which staff log in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError};

section! {
    /// The OpenID Connect provider by which staff log in, and whose bearer tokens are taken.
    pub struct OpenId {
        /// The provider's issuer identifier, `https://`, or `http://` on this machine; what it publishes at `/.well-known/openid-configuration` below it is all that we need to know. Unset: there is none.
        pub issuer: Option<String> = None,
        /// Who we are there; another name than `tokens.audience`. Register `{http.public_url}/login/openid/callback` as the redirect URI, the authorization code flow, and PKCE with S256.
        pub client_id: String = String::new(),
        /// A file whose first line is our secret there. Unset: a public client.
        pub client_secret_file: Option<PathBuf> = None,
        /// What people call the provider; stands on the button.
        pub name: String = "OpenID Connect".to_owned(),
        /// A PEM file with the root certificates that are believed of the provider. Unset: those that browsers believe.
        pub ca: Option<PathBuf> = None,
        /// What is asked for, with spaces between; the claims below may need more.
        pub scopes: String = "openid".to_owned(),
        /// `login` has the provider ask who it is at every log-in: for desks that people share, where logging out here leaves them logged in there. Unset: as the provider does.
        pub prompt: Option<String> = None,
        /// The claim that names somebody in the audit trail; it must be the same in ID tokens and in bearer tokens, and never pass to somebody else.
        pub subject_claim: String = "sub".to_owned(),
        /// The claim that says what somebody is: a text or a list of them, of which one must be a role. A full stop leads into it: `realm_access.roles`.
        pub role_claim: String = "role".to_owned(),
        /// The claim with the facility's code.
        pub facility_claim: String = "facility".to_owned(),
        /// The claim with the province's code.
        pub province_claim: String = "province".to_owned(),
        /// What the provider's roles are here, such as `{ "vaccination-nurse" = "facility" }`; others count for nothing. Empty: they are called facility, province, ministry, response and verifier there too.
        pub roles: BTreeMap<String, String> = BTreeMap::new(),
        /// What the provider's facilities are called here; others are refused. Empty: they have our codes there too.
        pub facilities: BTreeMap<String, String> = BTreeMap::new(),
        /// The same for provinces.
        pub provinces: BTreeMap<String, String> = BTreeMap::new(),
    }
}

impl OpenId {
    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let Some(issuer) = &self.issuer else { return Ok(()) };
        let right = reqwest::Url::parse(issuer).is_ok_and(|url| {
            let here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
            (url.scheme() == "https" || url.scheme() == "http" && here) && url.query().or(url.fragment()).is_none()
        });
        if !right {
            return Err(ConfigError::Inconsistent(
                "openid.issuer must begin with https:// and a host, or with http:// on this machine, and have no query",
            ));
        }
        if self.client_id.is_empty() || config.http.public_url.is_empty() {
            return Err(ConfigError::Inconsistent(
                "openid.issuer needs openid.client_id, and http.public_url, to which people are sent back",
            ));
        }
        if self.client_id == config.tokens.audience {
            return Err(ConfigError::Inconsistent(
                "openid.client_id and tokens.audience must differ, or whoever gets hold of an ID token could use it as a bearer token",
            ));
        }
        let claims = [&self.subject_claim, &self.role_claim, &self.facility_claim, &self.province_claim];
        if claims.iter().any(|claim| claim.is_empty()) {
            return Err(ConfigError::Inconsistent("openid's claims must have names"));
        }
        let known =
            |role: &String| ["facility", "province", "ministry", "response", "verifier"].contains(&role.as_str());
        if !self.roles.values().all(known) {
            return Err(ConfigError::Inconsistent(
                "openid.roles leads to facility, province, ministry, response or verifier",
            ));
        }
        Ok(())
    }
}
