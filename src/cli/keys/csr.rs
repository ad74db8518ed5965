//! `thexanh keys csr`: asks a national CA to certify a key of ours.

use serde_json::json;

use crate::cli::{Answer, Context, Failure};
use crate::codec::pkcs10::{self, Subject};
use crate::keys::Kid;
use crate::policy;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Csr {
    /// The key, as `thexanh keys list` prints it
    #[arg(long)]
    kid: Kid,
    /// The name of the organisation
    #[arg(long, value_name = "NAME", value_parser = name)]
    organization: Option<String>,
    /// What the certificate is to call the key
    #[arg(long, value_name = "NAME", default_value = "Vaccination certificate signer", value_parser = name)]
    common_name: String,
}

/// Source: RFC 5280 appendix A.1, ub-organization-name and ub-common-name.
fn name(text: &str) -> Result<String, &'static str> {
    let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("a name has 1 to 64 characters") }
}

impl Csr {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let keyring = context.keyring()?;
        let (_, rows) = context.existing_store().await?.issuer_keys().await?;
        let listed = rows.iter().find(|row| row.own && row.kid == self.kid);
        let key = listed.and_then(|row| keyring.issuers().into_iter().find(|key| key.spki_der() == row.spki_der));
        let Some(key) = key else {
            context.say("no key of this node has this kid", &json!({"kid": self.kid.to_string(), "found": false}))?;
            return Ok(Answer::No);
        };
        let subject = Subject {
            country: policy::COUNTRY,
            organization: self.organization.as_deref(),
            common_name: &self.common_name,
        };
        let der = pkcs10::request(subject, &key)
            .map_err(|error| Failure::environment(error.code(), format!("cannot make the request: {error}")))?;
        let pem = pkcs8::der::pem::encode_string("CERTIFICATE REQUEST", pkcs8::LineEnding::LF, &der)
            .map_err(|error| Failure::environment("output", format!("cannot write the request: {error}")))?;
        context.say(pem.trim_end(), &json!({"kid": self.kid.to_string(), "request": pem}))?;
        Ok(Answer::Yes)
    }
}
