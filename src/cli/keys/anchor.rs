//! `thexanh keys anchor`: the key that signs the trust list.

use std::path::PathBuf;

use serde_json::json;

use super::{PUBLIC, change, read, sign, write};
use crate::app::signer_row;
use crate::cli::{Answer, Context, Failure};
use crate::keyring;
use crate::keys::{Kid, PublicKey};
use crate::store::{KeyChange, Purpose};

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("instead").args(["new", "adopt"]))]
pub(in crate::cli) struct Anchor {
    /// Write its public half there, as PEM: what verifiers are given with --anchor
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Make one in the directory of the secret keys, which may be empty: on the machine that keeps it, off line
    #[arg(long)]
    new: bool,
    /// From now on the list is signed by the anchor whose public half is in this file. Verifiers that know another refuse it
    #[arg(long, value_name = "FILE")]
    adopt: Option<PathBuf>,
}

/// The largest public key that is read.
const MAX_PEM_BYTES: u64 = 64 << 10;

impl Anchor {
    pub async fn run(self, context: &Context) -> Result<Answer, Failure> {
        let spki_der = match (&self.adopt, self.new) {
            (Some(path), _) => adopt(context, path).await?,
            (None, true) => {
                let key = keyring::add_anchor(&context.config.keys_dir(), &context.new_passphrase()?)?;
                key.spki_der().to_vec()
            }
            (None, false) => public_half(context).await?,
        };
        let pem = keyring::public_pem(&spki_der);
        if let Some(path) = &self.out {
            write(path, PUBLIC, pem.as_bytes())?;
        }
        let (kid, fingerprint) = (Kid::of_der(&spki_der).to_string(), fingerprint(&spki_der));
        context.say(
            format_args!("{pem}kid          {kid}\nfingerprint  {fingerprint}"),
            &json!({"kid": kid, "fingerprint": fingerprint, "public_key": pem}),
        )?;
        Ok(Answer::Yes)
    }
}

/// SHA-256 over the SubjectPublicKeyInfo, in hexadecimal.
pub(super) fn fingerprint(spki_der: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, spki_der);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of the anchor that the list names; where there is no database, of the one in the directory of the secret keys.
async fn public_half(context: &Context) -> Result<Vec<u8>, Failure> {
    let here = keyring::anchor_spki_der(&context.config.keys_dir())?;
    if let Some(here) = here {
        return Ok(here);
    }
    let named = context.existing_store().await?.trust_rows().await?.anchor()?;
    named.map(|key| key.spki_der().to_vec()).ok_or_else(|| {
        Failure::environment("no_anchor", "no anchor is known; make one with `thexanh keys anchor --new`")
    })
}

async fn adopt(context: &Context, path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let text = String::from_utf8_lossy(&read(path, MAX_PEM_BYTES)?).into_owned();
    let usable = |key: &PublicKey| key.ed25519().is_some() && key.check_prime_order().is_ok();
    let key = keyring::public_key_of_pem(&text).filter(usable).ok_or_else(|| {
        Failure::environment("keys_not_public", format!("{} is not the PEM of an Ed25519 public key", path.display()))
    })?;
    let store = context.store().await?;
    let row = signer_row(Purpose::Anchor, key.spki_der(), None);
    let changes = [KeyChange::ListSigner(row)];
    let changed = change(context, &store, &changes, "anchor.adopt", &fingerprint(key.spki_der())).await?;
    if store.trust_rows().await?.anchor()?.is_none_or(|anchor| anchor.spki_der() != key.spki_der()) {
        let text = "this anchor gave its place to another before, and does not come back; make a new one";
        return Err(Failure::environment("anchor_withdrawn", text));
    }
    keyring::put_anchor_spki_der(&context.config.keys_dir(), key.spki_der())?;
    if changed {
        sign::after_a_change(context, &store).await?;
    }
    Ok(key.spki_der().to_vec())
}
