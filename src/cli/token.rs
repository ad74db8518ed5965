//! `thexanh token`: a bearer token for a member of staff or a machine, signed under the key that signs nothing else.

use serde_json::json;

use super::{Answer, Context, Failure};
use crate::http::access::Role;
use crate::http::auth::Grant;

#[derive(Debug, clap::Args)]
pub(super) struct Token {
    /// facility, province, ministry, response or verifier
    #[arg(long, value_parser = role)]
    role: Role,
    /// Who holds it, such as a staff number; stands in the audit trail
    #[arg(long, value_name = "WHO")]
    subject: String,
    /// The facility's code, for role facility
    #[arg(long, value_name = "CODE")]
    facility: Option<String>,
    /// The province's code, for role province
    #[arg(long, value_name = "CODE")]
    province: Option<String>,
    /// Seconds for which it is good [default: tokens.lifetime_s of the settings]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..=366 * 86_400))]
    lifetime: Option<i64>,
}

fn role(word: &str) -> Result<Role, String> {
    let words = Role::STAFF.map(Role::as_str).join(", ");
    word.parse().map_err(|()| format!("roles are {words}"))
}

impl Token {
    pub fn run(self, context: &Context) -> Result<Answer, Failure> {
        let key = context.token_key(&context.keyring()?)?;
        let grant = Grant {
            role: self.role,
            subject: self.subject,
            facility: self.facility,
            province: self.province,
            lifetime_s: self.lifetime.unwrap_or(context.config.tokens.lifetime_s),
        };
        let now = context.clock.now();
        let token = key.mint(&grant, now).map_err(|_| {
            Failure::usage("a token needs a --subject; role facility needs --facility, role province --province")
        })?;
        let expires_at = now.0.saturating_add(grant.lifetime_s);
        context.say(&token, &json!({"token": token, "role": self.role.as_str(), "expires_at": expires_at}))?;
        Ok(Answer::Yes)
    }
}
