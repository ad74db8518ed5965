//! The rules as a publisher signed them: taken from the database, and signed anew where they changed or grow old.

use std::sync::Arc;

use bytes::Bytes;

use super::enlist::by_command_line;
use super::{App, StartError};
use crate::certificate::UnixSeconds;
use crate::keys::Kid;
use crate::signed::{self, Kind, Stamp};
use crate::store::StoreError;

/// For how long a verifier may rely on them, in seconds: a day without us, and its shift is over.
const NEXT_UPDATE_S: i64 = 24 * 3600;

/// The rules as they were signed.
#[derive(Debug)]
pub struct SignedRules {
    stamp: Stamp,
    signer: Kid,
    bytes: Bytes,
}

impl SignedRules {
    /// Which version they are, and until when.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The COSE_Sign1, byte for byte what every node serves.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl App {
    /// The newest rules that a publisher signed; `None` before the first.
    pub fn signed_rules(&self) -> Option<Arc<SignedRules>> {
        self.signed_rules.load_full()
    }

    /// Takes over what another node signed, and signs the rules in force if nobody has, or half of their time is over.
    ///
    /// Nodes that do it at once: one of them is stored, and served by all.
    pub(super) async fn refresh_signed_rules(&self) -> Result<(), StartError> {
        self.take_signed_rules().await?;
        let (rules, now) = (self.engine.rules(), self.clock.now());
        let trust = self.trust();
        let is_due = self.signed_rules.load().as_ref().is_none_or(|signed| {
            let Stamp { version, issued_at, next_update } = signed.stamp;
            let is_taken = trust.publisher_keys(now).any(|key| key.kid() == signed.signer);
            version < rules.version()
                || version == rules.version() && (now.0 > issued_at.0.midpoint(next_update.0) || !is_taken)
        });
        // Without a key that verifiers know there is nothing to sign with: `remarks` says so.
        let Some(key) = is_due.then(|| self.publisher_key().ok()).flatten() else { return Ok(()) };
        let stamp = Stamp { version: rules.version(), issued_at: now, next_update: UnixSeconds(now.0 + NEXT_UPDATE_S) };
        let bytes = signed::sign(Kind::Rules, stamp, rules.document().to_json().as_bytes(), &key)?;
        let by = by_command_line("rules.sign", format!("version {}: by the service", stamp.version), now);
        if self.store.put_signed(Kind::Rules, stamp, &bytes, &by).await? {
            tracing::info!(version = stamp.version, "the rules are signed");
        }
        Ok(self.take_signed_rules().await?)
    }

    async fn take_signed_rules(&self) -> Result<(), StoreError> {
        let known = self.signed_rules.load().as_ref().map(|signed| (signed.stamp.version, signed.stamp.issued_at));
        let stored = self.store.signed_stamp(Kind::Rules).await?;
        if stored.is_none() || stored <= known {
            return Ok(());
        }
        let Some(bytes) = self.store.signed(Kind::Rules).await? else { return Ok(()) };
        let (trust, now) = (self.trust(), self.clock.now());
        match signed::open(Kind::Rules, &bytes, trust.publisher_keys(now), now, 0) {
            Ok(opened) => {
                let (stamp, signer) = (opened.stamp, opened.signer());
                self.signed_rules.store(Some(Arc::new(SignedRules { stamp, signer, bytes: Bytes::from(bytes) })));
            }
            // Signed anew when it is due; until then what was served before still is.
            Err(refusal) => tracing::debug!(code = refusal.code(), "the signed rules in the database are refused"),
        }
        Ok(())
    }
}
