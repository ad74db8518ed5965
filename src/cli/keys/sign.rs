//! `thexanh keys sign`: the trust list under the anchor. Here, or in three steps where the anchor is kept off line:
//! `--export` on a node, `sign FILE` there, `--import` on a node.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{PUBLIC, instant, read, write};
use crate::app::{by_command_line, sign_list, stamp, trust_list};
use crate::certificate::UnixSeconds;
use crate::cli::{Answer, Context, Failure};
use crate::keyring;
use crate::signed::{self, Kind, Stamp};
use crate::store::Store;
use crate::trust::{DocumentError, TrustListDocument};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("step").args(["file", "export", "import"]))]
pub(in crate::cli) struct Sign {
    /// A list that was exported: it is shown and signed with the anchor in the directory of the secret keys. No database is
    /// needed
    #[arg(requires = "out")]
    file: Option<PathBuf>,
    /// Where the signed list is written
    #[arg(long, value_name = "FILE", requires = "file")]
    out: Option<PathBuf>,
    /// Write the list that is to be signed to this file
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Take over a list that was signed elsewhere
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
}

impl Sign {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        match self {
            Sign { file: Some(file), out: Some(out), .. } => elsewhere(context, &file, &out),
            Sign { export: Some(file), .. } => export(context, &file).await,
            Sign { import: Some(file), .. } => import(context, &file).await,
            _ => here(context).await,
        }
    }
}

/// Signs the list if the anchor is here, else says what is to be done. Only people hear of it: the change was the answer.
pub(super) async fn after_a_change(context: &Context, store: &Store) -> Result<(), Failure> {
    if context.config.keys_dir().join(keyring::ANCHOR).exists() {
        match sign_here(context, store).await {
            Ok(stamp) => return context.tell(signed_until(stamp)),
            // The change is made; that it is not signed yet is no failure of it.
            Err(failure) => context.warn(&failure),
        }
    }
    context.tell("the list is to be signed by the anchor: `thexanh keys sign`, or --export and --import")
}

async fn sign_here(context: &Context, store: &Store) -> Result<Stamp, Failure> {
    let anchor = keyring::anchor(&context.config.keys_dir(), &context.passphrase()?)?;
    let trust = trust_list(store, &context.config.ed25519_engine()).await?;
    let stamp = stamp(trust.version(), &context.config, context.clock.now());
    sign_list(store, &trust, &anchor, stamp, "at the command line").await?;
    Ok(stamp)
}

async fn here(context: &Context) -> Result<Answer, Failure> {
    let stamp = sign_here(context, &context.existing_store().await?).await?;
    context.say(signed_until(stamp), &json!({"signed": stamp.version, "next_update": stamp.next_update.0}))?;
    Ok(Answer::Yes)
}

fn signed_until(stamp: Stamp) -> String {
    format!("version {} is signed, and may be relied on until {}", stamp.version, instant(stamp.next_update))
}

async fn export(context: &Context, path: &Path) -> Result<Answer, Failure> {
    let store = context.existing_store().await?;
    let trust = trust_list(&store, &context.config.ed25519_engine()).await?;
    let stamp = stamp(trust.version(), &context.config, context.clock.now());
    let document = TrustListDocument::of(&trust, stamp);
    write(path, PUBLIC, &document.to_json())?;
    context.say(
        format_args!("version {} is in {}; there: `thexanh keys sign FILE --out FILE`", stamp.version, path.display()),
        &json!({"version": stamp.version, "next_update": stamp.next_update.0, "file": path}),
    )?;
    Ok(Answer::Yes)
}

/// What is signed is shown first: whoever holds the anchor answers for it.
fn elsewhere(context: &Context, path: &Path, out: &Path) -> Result<Answer, Failure> {
    let json = read(path, signed::MAX_LEN as u64)?;
    let refused = |error: DocumentError| Failure::environment(error.code(), format!("{}: {error}", path.display()));
    let document = TrustListDocument::from_json(&json).map_err(refused)?;
    let anchor = keyring::anchor(&context.config.keys_dir(), &context.passphrase()?)?;
    let named = document.anchor.as_ref().map(|named| named.kid.as_str());
    if named != Some(anchor.kid().to_string().as_str()) {
        let text = format!("{} names another anchor than {}, which is the one here", path.display(), anchor.kid());
        return Err(Failure::environment("other_anchor", text));
    }
    let until = instant(UnixSeconds(document.next_update));
    context.tell(format_args!(
        "version {}, put together {}",
        document.version,
        instant(UnixSeconds(document.issued_at))
    ))?;
    for key in &document.keys {
        let (whose, state) = (if key.own { "ours" } else { "foreign" }, key.withdrawn_at.map(|_| "  withdrawn"));
        context.tell(format_args!(
            "  {}  {}  {}  {whose}{}",
            key.kid,
            key.algorithm,
            key.country,
            state.unwrap_or_default()
        ))?;
    }
    for publisher in &document.publishers {
        context.tell(format_args!("  {}  publisher", publisher.kid))?;
    }
    write(out, PUBLIC, &TrustListDocument::sign(&json, &anchor).map_err(refused)?)?;
    context.say(
        format_args!(
            "signed, to be relied on until {until}; on a node: `thexanh keys sign --import {}`",
            out.display()
        ),
        &json!({"signed": document.version, "next_update": document.next_update, "file": out}),
    )?;
    Ok(Answer::Yes)
}

async fn import(context: &Context, path: &Path) -> Result<Answer, Failure> {
    let bytes = read(path, signed::MAX_LEN as u64)?;
    let (store, now) = (context.existing_store().await?, context.clock.now());
    let trust = trust_list(&store, &context.config.ed25519_engine()).await?;
    let known = store.signed_stamp(Kind::TrustList).await?.map_or(0, |(version, _)| version);
    let refused = |error: DocumentError| Failure::environment(error.code(), format!("{}: {error}", path.display()));
    let document = TrustListDocument::open(&bytes, trust.anchor(), now, known).map_err(refused)?;
    let stamp = document.stamp();
    // A list of another registry, or of this one before its database was set back.
    let is_ours = stamp.version < trust.version() || document.says_the_same(&TrustListDocument::of(&trust, stamp));
    if stamp.version > trust.version() || !is_ours {
        let text = format!("{}: its keys are others than the ones listed here; export again", path.display());
        return Err(Failure::environment("other_keys", text));
    }
    let by = by_command_line("trust.import", format!("version {}", stamp.version), now);
    let stored = store.put_signed(Kind::TrustList, stamp, &bytes, &by).await?;
    let text = match stored {
        true => signed_until(stamp),
        false => "this version was signed later than that already".to_owned(),
    };
    context.say(text, &json!({"signed": stamp.version, "stored": stored, "next_update": stamp.next_update.0}))?;
    if stamp.version < trust.version() {
        context
            .tell(format_args!("the keys have changed since: version {} is to be signed as well", trust.version()))?;
    }
    Ok(if stored { Answer::Yes } else { Answer::No })
}
