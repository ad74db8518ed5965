//! `thexanh keys publisher`: the keys that sign what verifiers follow but the trust list.

use jiff::Timestamp;
use serde_json::json;

use super::{begin, change, instant, parse_kid, sign};
use crate::app::{OVERLAP_S, enlist, signer_row};
use crate::certificate::UnixSeconds;
use crate::cli::{Answer, Context, Failure};
use crate::keyring;
use crate::store::{KeyChange, Purpose};

#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Publisher {
    /// Make the next publisher: it signs from a later instant on, and the one before stops a day after that
    New {
        /// From when it signs, such as 2021-08-01T00:00:00Z [default: in 24 hours]
        #[arg(long, value_name = "INSTANT")]
        signs_from: Option<Timestamp>,
    },
    /// Stop trusting a publisher, now and for good
    Withdraw {
        /// The publisher, as listed
        kid: String,
        /// Why; for the audit table
        #[arg(long, value_name = "REASON", default_value = "")]
        why: String,
    },
}

impl Publisher {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Publisher::New { signs_from } => new(context, signs_from).await,
            Publisher::Withdraw { kid, why } => withdraw(context, &kid, &why).await,
        }
    }
}

async fn new(context: &Context, signs_from: Option<Timestamp>) -> Result<Answer, Failure> {
    let signs_from = begin(context, signs_from)?;
    let passphrase = context.passphrase()?;
    let keyring = context.keyring()?;
    let store = context.store().await?;
    enlist(&store, &keyring, context.clock.now()).await?;
    let rows = store.trust_rows().await?;
    let before = rows.signers.iter().filter(|row| row.purpose == Purpose::Publisher && row.withdrawn_at.is_none());
    let signs_until = UnixSeconds(signs_from.0 + OVERLAP_S);
    let key = keyring::add_publisher(&context.config.keys_dir(), &passphrase)?;
    let mut changes = vec![KeyChange::ListSigner(signer_row(Purpose::Publisher, key.spki_der(), Some(signs_from)))];
    changes.extend(before.map(|row| KeyChange::EndPublisher { kid: row.kid, signs_until }));
    let kid = key.kid().to_string();
    change(context, &store, &changes, "publisher.list", &format!("{kid} from {}", instant(signs_from))).await?;
    context.say(
        format_args!("{kid} is listed and signs from {}, once the anchor has signed the list", instant(signs_from)),
        &json!({"kid": kid, "signs_from": signs_from.0, "ends_at": signs_until.0}),
    )?;
    sign::after_a_change(context, &store).await?;
    Ok(Answer::Yes)
}

async fn withdraw(context: &Context, kid: &str, why: &str) -> Result<Answer, Failure> {
    let kid = parse_kid(kid)?;
    let store = context.existing_store().await?;
    let changes = [KeyChange::WithdrawPublisher(kid)];
    let changed = change(context, &store, &changes, "publisher.withdraw", &format!("{kid} {why}")).await?;
    let text = if changed { "withdrawn: nothing that it signs is taken any more" } else { "no publisher has this kid" };
    context.say(text, &json!({"kid": kid.to_string(), "withdrawn": changed}))?;
    if !changed {
        return Ok(Answer::No);
    }
    sign::after_a_change(context, &store).await?;
    Ok(Answer::Yes)
}
