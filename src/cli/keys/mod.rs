//! `thexanh keys`: the keys that sign certificates, the publishers, the anchor, and the list that names them all; a file per
//! subject.

mod anchor;
mod backup;
mod list;
mod new;
mod publisher;
mod sign;

use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::{Answer, Context, Failure};
use crate::app::by_command_line;
use crate::certificate::UnixSeconds;
use crate::keys::{Algorithm, Kid};
use crate::store::{KeyChange, Store};

/// For how long verifiers know a new key before it signs, unless said otherwise: the longest they go without asking.
const AHEAD_S: i64 = 24 * 3600;

/// The mode of a file that is for everybody to read.
const PUBLIC: u32 = 0o644;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Keys {
    /// Make one more key: verifiers know it at once, and it signs from a later instant on
    New {
        /// EdDSA signs the compact profile, ES256 the EU's
        #[arg(long, default_value = "EdDSA", value_parser = algorithm)]
        algorithm: Algorithm,
        /// From when it signs, such as 2021-08-01T00:00:00Z [default: in 24 hours]
        #[arg(long, value_name = "INSTANT")]
        signs_from: Option<Timestamp>,
    },
    /// Make the next key: it signs from a later instant on, and the one before stops a day after that
    Rotate {
        /// EdDSA signs the compact profile, ES256 the EU's
        #[arg(long, default_value = "EdDSA", value_parser = algorithm)]
        algorithm: Algorithm,
        /// From when it signs, such as 2021-08-01T00:00:00Z [default: in 24 hours]
        #[arg(long, value_name = "INSTANT")]
        signs_from: Option<Timestamp>,
    },
    /// List the trusted keys, the publishers and the anchor, and what of it is signed
    List,
    /// Stop trusting a key, now and for good: every certificate that it signed is rejected
    Withdraw {
        /// The key, as listed
        kid: String,
        /// Why; for the audit table
        #[arg(long, value_name = "REASON", default_value = "")]
        why: String,
    },
    /// Show the key that signs the trust list, and its fingerprint; make it, or say which one it is
    Anchor(anchor::Anchor),
    /// Make and withdraw the keys that sign rules, revocations and changes
    #[command(subcommand)]
    Publisher(publisher::Publisher),
    /// Sign the trust list with the anchor: here, or where the anchor is kept
    Sign(sign::Sign),
    /// Put all secret keys into one encrypted file
    Backup(backup::Backup),
    /// Bring the secret keys of a backup back, into an empty directory
    Restore(backup::Restore),
}

fn algorithm(word: &str) -> Result<Algorithm, String> {
    let made = word.parse().ok().filter(|algorithm| matches!(algorithm, Algorithm::EdDsa | Algorithm::Es256));
    made.ok_or_else(|| "keys are made for EdDSA or ES256".to_owned())
}

impl Keys {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Keys::New { algorithm, signs_from } => new::run(context, algorithm, signs_from, false).await,
            Keys::Rotate { algorithm, signs_from } => new::run(context, algorithm, signs_from, true).await,
            Keys::List => list::run(context).await,
            Keys::Withdraw { kid, why } => withdraw(context, &kid, &why).await,
            Keys::Anchor(anchor) => anchor.run(context).await,
            Keys::Publisher(publisher) => publisher.run(context).await,
            Keys::Sign(sign) => sign.run(context).await,
            Keys::Backup(backup) => backup.run(context),
            Keys::Restore(restore) => restore.run(context),
        }
    }
}

async fn withdraw(context: &Context, kid: &str, why: &str) -> Result<Answer, Failure> {
    let kid = parse_kid(kid)?;
    let store = context.existing_store().await?;
    let changed = change(context, &store, &[KeyChange::Withdraw(kid)], "key.withdraw", &format!("{kid} {why}")).await?;
    let text = if changed { "withdrawn: all that it signed is rejected" } else { "no key in force has this kid" };
    context.say(text, &json!({"kid": kid.to_string(), "withdrawn": changed}))?;
    if !changed {
        return Ok(Answer::No);
    }
    // It is in force whether or not the list can be signed now: nodes see it, and tell verifiers by themselves.
    sign::after_a_change(context, &store).await?;
    Ok(Answer::Yes)
}

fn parse_kid(kid: &str) -> Result<Kid, Failure> {
    kid.parse().map_err(|_| Failure::usage("a kid reads as `thexanh keys list` prints it"))
}

/// Changes the trust list, with an audit entry. Returns whether anything changed.
async fn change(
    context: &Context,
    store: &Store,
    changes: &[KeyChange],
    action: &'static str,
    why: &str,
) -> Result<bool, Failure> {
    let by = by_command_line(action, why.trim().to_owned(), context.clock.now());
    Ok(store.change_keys(changes, &by).await? > 0)
}

/// From when a new key signs: as asked, or a day from now. Errors: a time that is over.
fn begin(context: &Context, asked: Option<Timestamp>) -> Result<UnixSeconds, Failure> {
    let now = context.clock.now();
    let from = asked.map_or(UnixSeconds(now.0 + AHEAD_S), |at| UnixSeconds(at.as_second()));
    if from < now {
        return Err(Failure::usage("--signs-from must not be in the past: verifiers must know a key before it signs"));
    }
    Ok(from)
}

fn instant(at: UnixSeconds) -> String {
    Timestamp::from_second(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// The bytes of a file, at most `max` of them.
fn read(path: &Path, max: u64) -> Result<Vec<u8>, Failure> {
    let unreadable =
        |problem: String| Failure::environment("file_unreadable", format!("{}: {problem}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    match bytes.len() as u64 > max {
        true => Err(unreadable("it is larger than such a file may be".to_owned())),
        false => Ok(bytes),
    }
}

/// Writes a new file with this mode; one that is there is left alone.
fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(mode).open(path).and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    });
    written.map_err(|error| {
        let text = format!("{}: {error}; name a file that is not there yet and can be written", path.display());
        Failure::environment("file_unwritable", text)
    })
}
