//! `thexanh revoke import`: another country's revocation batch, in force until it expires or is deleted.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::{Answer, By, Context, Failure};
use crate::policy;
use crate::revocation::foreign::{Batch, BatchError, MAX_BATCH_BYTES};

/// The longest id of a batch; the gateway's are UUIDs.
const MAX_ID_CHARS: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The batch: {"country", "expires", "kid", "hashType", "entries": [{"hash"}]}
    #[arg(required_unless_present = "deleted", conflicts_with = "deleted")]
    file: Option<PathBuf>,
    /// Whose batch it must be
    #[arg(long, value_name = "CC", conflicts_with = "deleted")]
    country: Option<String>,
    /// The gateway's id of the batch: one imported under it before is replaced [default: the file's hash]
    #[arg(long, value_name = "ID", conflicts_with = "deleted")]
    id: Option<String>,
    /// Remove the batch of this id, which its country deleted
    #[arg(long, value_name = "ID")]
    deleted: Option<String>,
    #[command(flatten)]
    by: By,
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Failure {
        Failure::environment(error.code(), error.to_string())
    }
}

impl Import {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        if let Some(id) = &self.deleted {
            return self.delete(context, id).await;
        }
        let bytes = read(self.file.as_deref().ok_or_else(|| Failure::usage("name the batch's file"))?)?;
        let batch = Batch::parse(&bytes)?;
        let id = match &self.id {
            Some(id) => bounded(id)?,
            None => BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &bytes)),
        };
        if self.country.as_ref().is_some_and(|country| !country.eq_ignore_ascii_case(&batch.country)) {
            return Err(Failure::environment("batch_country", "the batch is another country's than --country says"));
        }
        if batch.country == policy::COUNTRY {
            let text = "our own certificates are revoked with `thexanh revoke`, not by a batch";
            return Err(Failure::environment("batch_country", text));
        }
        if batch.expires_at < context.clock.now() {
            return Err(Failure::environment("batch_expired", "the batch has expired; there is nothing to import"));
        }
        let why = format!("batch {id} of {}, {} entries", batch.country, batch.entries.len());
        let by = self.by.audited(context, "revocation.import", &why)?;
        let new = context.existing_store().await?.import_revocations(&id, &batch, &by).await?;
        let (entries, country) = (batch.entries.len(), &batch.country);
        let text = match new {
            true => format!("{entries} entries of {country} are in force until the batch expires; it is batch {id}"),
            false => format!("batch {id} was imported before; nothing changed"),
        };
        let result = if new { "imported" } else { "already_imported" };
        context.say(text, &json!({"result": result, "id": id, "country": country, "entries": entries}))?;
        Ok(Answer::Yes)
    }

    async fn delete(&self, context: &Context, id: &str) -> Result<Answer, Failure> {
        let id = bounded(id)?;
        let by = self.by.audited(context, "revocation.import_deleted", &format!("batch {id}"))?;
        let removed = context.existing_store().await?.delete_foreign_revocations(&id, &by).await?;
        let (text, result, answer) = match removed {
            true => ("removed; what no other batch names is accepted again", "removed", Answer::Yes),
            false => ("no batch has this id", "unknown", Answer::No),
        };
        context.say(text, &json!({"result": result, "id": id}))?;
        Ok(answer)
    }
}

fn bounded(id: &str) -> Result<String, Failure> {
    let good = (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| id.to_owned()).ok_or_else(|| Failure::usage("a batch's id has 1 to 100 visible ASCII characters"))
}

/// The file's bytes, one more than a batch may have at most.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BATCH_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        Failure::environment("file_unreadable", format!("cannot read {}: {error}; make it readable", path.display()))
    })?;
    Ok(bytes)
}
