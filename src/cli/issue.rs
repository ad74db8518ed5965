//! `thexanh issue`: the certificate that a person has, as the registry has it; one is issued if none is in force.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::{Answer, Context, Failure};
use crate::app;
use crate::certificate::Profile;
use crate::codec::qr::{Level, Symbol};
use crate::registration::certificates::CertificateError;
use crate::render::terminal;
use crate::store::Audited;

#[derive(Debug, clap::Args)]
pub(super) struct Issue {
    /// Whose, as the answer to their dose named them
    #[arg(long, value_name = "ID")]
    person: Uuid,
    /// The form: compact for at home, hc1 for travel
    #[arg(long, value_name = "FORM", default_value = "compact")]
    profile: String,
    /// Who asks, as the audit trail names them
    #[arg(long, value_name = "WHO", default_value = "command line")]
    by: String,
}

impl Issue {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let profile: Profile = self.profile.parse().map_err(|()| Failure::usage("--profile is compact or hc1"))?;
        if self.by.trim().is_empty() {
            return Err(Failure::usage("--by must name somebody"));
        }
        let keyring = Arc::new(context.keyring()?);
        let (store, now) = (context.existing_store().await?, context.clock.now());
        let desk = app::desk(&context.config, &context.clock, &store, keyring).await?;
        let by = Audited {
            at: now,
            role: "operator".to_owned(),
            subject: self.by.trim().to_owned(),
            place: String::new(),
            action: "certificate.issue",
            about: Some(self.person),
            why: "asked for on the command line".to_owned(),
        };
        let shown = match desk.issue_to(self.person, &by, now).await {
            Ok(issued) => {
                desk.show(&desk.store, &issued.certificate.uvci, profile, now).await.map(|shown| (shown, issued.new))
            }
            Err(error) => Err(error),
        };
        let (shown, new) = match shown {
            Ok(shown) => shown,
            Err(CertificateError::Unknown) => {
                context.say("nobody has this id", &json!({"result": "unknown_person"}))?;
                return Ok(Answer::No);
            }
            Err(error @ CertificateError::NoDose) => {
                context.say(&error, &json!({"result": error.code()}))?;
                return Ok(Answer::No);
            }
            Err(error) => return Err(Failure::environment(error.code(), error.to_string())),
        };
        let row = &shown.detail.row;
        let symbol = Symbol::encode(&shown.text, Level::M)
            .map_err(|_| Failure::environment("row_unreadable", "the text fits into no QR code"))?;
        let word = if new { "issued" } else { "in_force" };
        let plain = format!(
            "{}\n{}\n{}, {}, {}/{} MŨI, {}",
            terminal::terminal(&symbol),
            shown.text,
            if new { "issued now" } else { "in force" },
            row.card.as_str(),
            row.number,
            row.series,
            row.uvci,
        );
        let value = json!({
            "result": word, "uvci": row.uvci.to_string(), "card": row.card.as_str(), "dose": row.number,
            "series": row.series, "profile": profile.as_str(), "issued_at": row.issued_at.0,
            "expires_at": row.expires_at.0, "text": shown.text,
        });
        context.say(plain, &value)?;
        Ok(Answer::Yes)
    }
}
