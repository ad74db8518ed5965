//! `thexanh revoke UVCI --why`: one certificate is no longer accepted, from now on and for good.

use serde_json::json;

use super::{Answer, Context, Failure};
use crate::certificate::Uvci;
use crate::store::Revoked;

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// The certificate, as in its UVCI
    uvci: String,
    /// Why; kept in the database, never published
    #[arg(long, value_name = "REASON")]
    why: String,
}

impl Revoke {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let uvci: Uvci = self.uvci.parse().map_err(|_| {
            Failure::usage("that is no UVCI of ours; it reads URN:UVCI:01:VN: and 32 hexadecimal digits")
        })?;
        if self.why.trim().is_empty() {
            return Err(Failure::usage("--why must say why"));
        }
        let store = context.existing_store().await?;
        let (word, text) = match store.revoke(&uvci, "command line", &self.why, context.clock.now()).await? {
            Revoked::New => ("revoked", "revoked; every node on this database knows within a second"),
            Revoked::Already(_) => ("already_revoked", "it was revoked before"),
            Revoked::Unknown => ("unknown", "no certificate has this UVCI"),
        };
        context.say(text, &json!({"uvci": uvci.to_string(), "result": word}))?;
        Ok(if word == "unknown" { Answer::No } else { Answer::Yes })
    }
}
