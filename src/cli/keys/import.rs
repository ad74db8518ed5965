//! `thexanh keys import`: other issuers' keys into the trust list, and the certificate over a key of ours.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use super::{begin, change, instant, read, sign};
use crate::certificate::UnixSeconds;
use crate::cli::{Answer, Context, Failure};
use crate::store::{IssuerKeyRow, KeyChange, KeyImport, Store};
use crate::trust::import::{self, Entry, Format, MAX_LIST_LEN, Refusal};
use crate::trust::merge::{self, Fate};
use crate::trust::{TrustedKey, country};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Import {
    /// A JWK set, a COSE key set, certificates (PEM, DER, base64), the gateway's list or a did.json
    file: PathBuf,
    /// Whose keys they are, where the file does not say; a key that is said to be another country's is refused
    #[arg(long, value_name = "CC", value_parser = country_code)]
    country: Option<String>,
    /// Say what would become of each key, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// From when a key of ours signs under the kid of its certificate [default: in 24 hours]
    #[arg(long, value_name = "INSTANT")]
    signs_from: Option<Timestamp>,
}

fn country_code(text: &str) -> Result<String, &'static str> {
    country::alpha2(text).ok_or("a country reads as ISO 3166-1 has it, such as FI or FIN")
}

/// Who imports, for the audit table.
const BY: &str = "command line";

/// What became of an entry.
enum Outcome {
    Foreign(Fate),
    /// A key of ours, which signs under the kid of its certificate from this instant on.
    Certified(UnixSeconds),
}

impl Import {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let now = context.clock.now();
        let signs_from = begin(context, self.signs_from)?;
        let list = import::read(&read(&self.file, MAX_LIST_LEN as u64)?, self.country.as_deref())
            .map_err(|error| Failure::environment(error.code(), format!("{}: {error}", self.file.display())))?;
        let store = context.existing_store().await?;
        let import = KeyImport { entries: &list.entries, dry_run: self.dry_run, by: BY, at: now };
        let fates = store.import_keys(&import).await?;
        let (mut taken, mut refused, mut changed) = (0, 0, false);
        for (at, (entry, fate)) in list.entries.iter().zip(fates).enumerate() {
            let outcome = match (&entry.key, fate) {
                (Ok(key), Fate::Refused(Refusal::OwnKey)) if list.format == Format::Certificates => {
                    self.certify(context, &store, key, signs_from).await?
                }
                (_, fate) => Outcome::Foreign(fate),
            };
            let no = matches!(outcome, Outcome::Foreign(Fate::Refused(_)));
            *if no { &mut refused } else { &mut taken } += 1;
            changed |= !no && !matches!(outcome, Outcome::Foreign(Fate::Known));
            say(context, at + 1, entry, &outcome)?;
        }
        let tried = if self.dry_run { "; nothing was changed" } else { "" };
        context.tell(format_args!("{}: {taken} taken or known, {refused} refused{tried}", list.format.as_str()))?;
        if changed && !self.dry_run {
            sign::after_a_change(context, &store).await?;
        }
        Ok(if taken > 0 { Answer::Yes } else { Answer::No })
    }

    /// Lists a key of ours under the kid of its certificate.
    async fn certify(
        &self,
        context: &Context,
        store: &Store,
        by: &TrustedKey,
        signs_from: UnixSeconds,
    ) -> Result<Outcome, Failure> {
        let (_, rows) = store.issuer_keys().await?;
        let rows: Vec<_> = rows.into_iter().filter(|row| row.own && row.spki_der == by.key.spki_der()).collect();
        if by.certificate.is_none() {
            return Ok(Outcome::Foreign(Fate::Refused(Refusal::OwnKey)));
        }
        if rows.iter().any(|row| row.kid == by.kid) {
            return Ok(Outcome::Foreign(Fate::Known));
        }
        let bare = rows.into_iter().find(|row| row.certificate.is_none());
        let Some(own) = bare else { return Ok(Outcome::Foreign(Fate::Refused(Refusal::OwnKey))) };
        match merge::certified(own.trusted()?, by, signs_from) {
            Err(refusal) => Ok(Outcome::Foreign(Fate::Refused(refusal))),
            Ok(key) => {
                let from = key.signs_from.unwrap_or(signs_from);
                if !self.dry_run {
                    let why = format!("{} from {}", key.kid, instant(from));
                    change(context, store, &[KeyChange::List(IssuerKeyRow::of(&key))], "key.certify", &why).await?;
                }
                Ok(Outcome::Certified(from))
            }
        }
    }
}

/// Says what became of an entry; people are spared what was known.
fn say(context: &Context, number: usize, entry: &Entry, outcome: &Outcome) -> Result<(), Failure> {
    let (word, reason, detail) = match outcome {
        Outcome::Foreign(Fate::Known) if !context.is_for_machines() => return Ok(()),
        Outcome::Foreign(Fate::Refused(refusal)) => ("refused", Some(refusal.code()), format!(": {refusal}")),
        Outcome::Foreign(fate) => (fate.as_str(), None, String::new()),
        Outcome::Certified(from) => ("certified", None, format!(", and signs under this kid from {}", instant(*from))),
    };
    let kid = entry.kid.map(|kid| kid.to_string());
    let country = entry.key.as_ref().ok().map(|key| key.country.as_str());
    context.say(
        format_args!("{number}  {}  {}  {word}{detail}", kid.as_deref().unwrap_or("-"), country.unwrap_or("-")),
        &json!({"entry": number, "kid": kid, "country": country, "result": word, "reason": reason}),
    )
}
