//! `thexanh revoke`: one certificate or a list of many is no longer accepted; `undo` takes that back within an hour;
//! `import` takes over what other countries revoked.

mod import;

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Context, Failure};
use crate::certificate::Uvci;
use crate::registration::revocations::{self, Counts, List, ListError, Listed, Named, RowAnswer, RowStatus, UndoError};
use crate::store::{Audited, Revoked};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Revoke {
    #[command(subcommand)]
    otherwise: Option<Otherwise>,
    /// The certificate, as in its UVCI
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    uvci: Option<String>,
    /// Why; kept in the database, never published
    #[arg(long, value_name = "REASON", required_unless_present = "file", conflicts_with = "file")]
    why: Option<String>,
    /// A list instead: a CSV file with the columns uvci and why
    #[arg(long, value_name = "FILE.csv")]
    file: Option<PathBuf>,
    /// Say what would come of each row of the list, and change nothing
    #[arg(long, requires = "file")]
    dry_run: bool,
    #[command(flatten)]
    by: By,
}

#[derive(Debug, Subcommand)]
enum Otherwise {
    /// Undo a revocation, or all of a list: within an hour, by another name than the one that revoked
    Undo {
        /// The certificate's UVCI, or the id that the revocation was answered with
        id: String,
        /// Why, for the audit trail
        #[arg(long, value_name = "REASON", default_value = "undone on the command line")]
        why: String,
        #[command(flatten)]
        by: By,
    },
    /// Import another country's revocation batch: the JSON of the EU gateway, out of its CMS
    Import(import::Import),
}

/// Who asks.
#[derive(Debug, clap::Args)]
struct By {
    /// Who asks, as the audit trail names them
    #[arg(long, value_name = "WHO", default_value = "command line")]
    by: String,
}

impl By {
    fn audited(&self, context: &Context, action: &'static str, why: &str) -> Result<Audited, Failure> {
        let subject = self.by.trim().to_owned();
        if subject.is_empty() {
            return Err(Failure::usage("--by must name somebody"));
        }
        let (at, role, place, why) = (context.clock.now(), "operator".to_owned(), String::new(), why.to_owned());
        Ok(Audited { at, role, subject, place, action, about: None, why })
    }
}

impl From<ListError> for Failure {
    fn from(error: ListError) -> Failure {
        match error {
            ListError::Empty | ListError::Columns => {
                Failure { code: error.code(), ..Failure::usage(error.to_string()) }
            }
            ListError::Io(_) => Failure::environment(error.code(), error.to_string()),
            ListError::Store(_) => {
                let text = format!("{error}; what was revoked stays so, and the same command goes on from there");
                Failure::environment(error.code(), text)
            }
        }
    }
}

impl Revoke {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match (self.otherwise, self.file, self.uvci, self.why) {
            (Some(Otherwise::Import(import)), ..) => import.run(context).await,
            (Some(Otherwise::Undo { id, why, by }), ..) => {
                undo(context, &id, &by.audited(context, "revocation.undo", &why)?).await
            }
            (None, Some(file), ..) => list(context, &file, self.dry_run, &self.by).await,
            (None, None, Some(uvci), Some(why)) => one(context, &uvci, &why, &self.by).await,
            (None, None, ..) => Err(Failure::usage("name a certificate and --why, or a list with --file")),
        }
    }
}

async fn one(context: &Context, uvci: &str, why: &str, by: &By) -> Result<Answer, Failure> {
    let uvci: Uvci = uvci
        .parse()
        .map_err(|_| Failure::usage("that is no UVCI of ours; it reads URN:UVCI:01:VN: and 32 hexadecimal digits"))?;
    if why.trim().is_empty() {
        return Err(Failure::usage("--why must say why"));
    }
    let by = by.audited(context, "certificate.revoke", why)?;
    let store = context.existing_store().await?;
    let id = Uuid::new_v4();
    let (word, text) = match store.revoke(&uvci, id, &by).await? {
        Revoked::New => ("revoked", "revoked; every node on this database knows within a second"),
        Revoked::Already(_) => ("already_revoked", "it was revoked before"),
        Revoked::Unknown => ("unknown", "no certificate has this UVCI"),
    };
    let mut value = json!({"uvci": uvci.to_string(), "result": word});
    if word == "revoked" {
        add(&mut value, "id", id.to_string());
    }
    context.say(text, &value)?;
    Ok(if word == "unknown" { Answer::No } else { Answer::Yes })
}

async fn list(context: &Context, path: &Path, dry_run: bool, by: &By) -> Result<Answer, Failure> {
    let file = File::open(path).map_err(|error| {
        Failure::environment("file_unreadable", format!("cannot read {}: {error}; make it readable", path.display()))
    })?;
    let list = List::open(file)?;
    let store = context.existing_store().await?;
    let id = Uuid::new_v4();
    let why = format!("a list of certificates to revoke, {id}");
    let mut listed = match dry_run {
        true => Listed::preview(store, list),
        false => Listed::begin(store, list, id, &by.audited(context, "certificate.revoke_list", &why)?).await?,
    };
    loop {
        let answers = listed.next().await?;
        if answers.is_empty() {
            break;
        }
        answers.iter().try_for_each(|answer| tell(context, answer))?;
    }
    let counts = listed.counts();
    conclude(context, counts, (!dry_run).then_some(id))?;
    Ok(if counts.unknown + counts.malformed > 0 { Answer::No } else { Answer::Yes })
}

/// Adds a member to an object.
fn add(object: &mut Value, name: &str, member: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), member.into());
    }
}

/// Machines hear of every row, people of those that ask for something to be done.
fn tell(context: &Context, answer: &RowAnswer) -> Result<(), Failure> {
    let status = answer.status.as_str();
    let (line, uvci) = (answer.line, answer.uvci.map(|uvci| uvci.to_string()));
    if context.is_for_machines() {
        let mut value = json!({"line": line, "status": status});
        uvci.into_iter().for_each(|uvci| add(&mut value, "uvci", uvci));
        answer.field.into_iter().for_each(|field| add(&mut value, "field", field));
        return context.say("", &value);
    }
    match answer.status {
        RowStatus::Revoked | RowStatus::Already => Ok(()),
        RowStatus::Unknown => {
            context.tell(format_args!("line {line}: no certificate has the UVCI {}", uvci.unwrap_or_default()))
        }
        RowStatus::Malformed => {
            let column = answer.field.filter(|field| !field.is_empty()).unwrap_or("the row");
            context.tell(format_args!("line {line}: {column} cannot be read"))
        }
    }
}

fn conclude(context: &Context, counts: Counts, id: Option<Uuid>) -> Result<(), Failure> {
    let Counts { revoked, already, unknown, malformed } = counts;
    let rest = format!("{already} revoked before, {unknown} unknown, {malformed} that cannot be read");
    let text = match id {
        None => format!("{revoked} would be revoked, {rest}; nothing was changed"),
        Some(id) => {
            format!("{revoked} revoked, {rest}; `thexanh revoke undo {id} --by WHO` takes it back within an hour")
        }
    };
    let counts = json!({"revoked": revoked, "already": already, "unknown": unknown, "malformed": malformed});
    let mut value = json!({"status": "done", "counts": counts});
    match id {
        None => add(&mut value, "dry_run", true),
        Some(id) => add(&mut value, "id", id.to_string()),
    }
    context.say(text, &value)
}

async fn undo(context: &Context, id: &str, by: &Audited) -> Result<Answer, Failure> {
    let named: Named =
        id.parse().map_err(|()| Failure::usage("that is neither a UVCI of ours nor the id of a revocation"))?;
    let store = context.existing_store().await?;
    let undone = match revocations::undo(&store, named, by).await {
        Ok(undone) => undone,
        Err(UndoError::Store(error)) => return Err(error.into()),
        Err(error) => {
            context.say(&error, &json!({"result": error.code()}))?;
            return Ok(Answer::No);
        }
    };
    let (restored, already, kept) = (undone.restored.len(), undone.already, undone.kept);
    let text = format!(
        "{restored} accepted again, {already} undone before, {kept} stay revoked because they are no longer true"
    );
    let value = json!({"result": "undone", "id": undone.batch.to_string(), "undone": restored, "already": already, "kept": kept});
    context.say(text, &value)?;
    Ok(if kept > 0 { Answer::No } else { Answer::Yes })
}
