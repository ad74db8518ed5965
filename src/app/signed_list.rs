//! The trust list that the anchor signed: taken from the database, and signed anew where the anchor is kept here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::enlist::by_command_line;
use super::{App, StartError};
use crate::certificate::UnixSeconds;
use crate::config::Config;
use crate::keyring::KeyringError;
use crate::keys::{IssuerKey, Kid};
use crate::signed::{self, Kind, Stamp};
use crate::store::Store;
use crate::trust::{DocumentError, Publisher, TrustList, TrustListDocument};

/// A trust list as the anchor signed it, and its JSON, which stands in it.
#[derive(Debug)]
pub struct SignedList {
    stamp: Stamp,
    bytes: Bytes,
    json: Bytes,
    publishers: Vec<Publisher>,
    /// Kid and DER SubjectPublicKeyInfo.
    own_keys: Vec<(Kid, Vec<u8>)>,
}

/// A stored list that was refused, and when: it is not read again at every refresh.
pub(super) struct Refused {
    /// Its version and time.
    stored: (u64, UnixSeconds),
    /// Of the list in force by then: another one may name another anchor.
    trust_version: u64,
    at: Instant,
}

/// How long until a list that was refused is tried again: our clock may have been slow.
const RETRY: Duration = Duration::from_secs(10);

impl SignedList {
    /// The list in `bytes`, proved to be signed by the anchor that `trust` names. Errors: [`DocumentError`].
    pub fn open(bytes: Vec<u8>, trust: &TrustList, now: UnixSeconds) -> Result<SignedList, DocumentError> {
        let opened = signed::open(Kind::TrustList, &bytes, trust.anchor(), now, 0)?;
        let document = TrustListDocument::of_payload(&opened)?;
        let (stamp, json) = (opened.stamp, Bytes::copy_from_slice(opened.payload));
        let (publishers, own_keys) = (document.publishers()?, document.own_keys()?);
        Ok(SignedList { stamp, bytes: bytes.into(), json, publishers, own_keys })
    }

    /// Which version it is, and until when.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The COSE_Sign1, byte for byte what every node serves.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The JSON that was signed.
    pub fn json(&self) -> &Bytes {
        &self.json
    }
}

/// The stamp of a list that is put together at `now`. `config`: how long it may be relied on.
pub fn stamp(version: u64, config: &Config, now: UnixSeconds) -> Stamp {
    let next_update = UnixSeconds(now.0 + config.keys.trust_list_days * 24 * 3600);
    Stamp { version, issued_at: now, next_update }
}

/// Signs `trust` with the anchor and stores it for all nodes. Returns whether it was newer than what is stored.
///
/// `why`: for the audit table. Errors: [`StartError::Document`] if `anchor` is not the one that the list names.
pub async fn sign_list(
    store: &Store,
    trust: &TrustList,
    anchor: &IssuerKey,
    stamp: Stamp,
    why: &str,
) -> Result<bool, StartError> {
    let bytes = TrustListDocument::sign(&TrustListDocument::of(trust, stamp).to_json(), anchor)?;
    TrustListDocument::open(&bytes, trust.anchor(), stamp.issued_at, 0)?;
    let by = by_command_line("trust.sign", format!("version {}: {why}", stamp.version), stamp.issued_at);
    Ok(store.put_signed(Kind::TrustList, stamp, &bytes, &by).await?)
}

impl App {
    /// The newest list that the anchor signed; `None` if it signed none, or none that we take.
    pub fn signed_list(&self) -> Option<Arc<SignedList>> {
        self.signed_list.load_full()
    }

    /// The stamp of a list of this version that is put together now.
    pub fn stamp_of_list(&self, version: u64) -> Stamp {
        stamp(version, &self.config, self.clock.now())
    }

    /// Takes over what was signed, and signs if that is for us to do: the anchor is here, and what is signed is older than
    /// the list in force, or half of its time is over.
    pub(super) async fn refresh_signed_list(&self) -> Result<(), StartError> {
        self.take_signed_list().await?;
        let (trust, now) = (self.trust(), self.clock.now());
        let Some(anchor) = self.desk.keyring.anchor() else { return Ok(()) };
        let is_named = trust.anchor().is_some_and(|named| named.spki_der() == anchor.spki_der());
        let is_due = match self.signed_list.load().as_deref() {
            None => true,
            Some(signed) => {
                let Stamp { version, issued_at, next_update } = signed.stamp;
                version < trust.version() || version == trust.version() && now.0 > issued_at.0.midpoint(next_update.0)
            }
        };
        if is_named && is_due {
            let stamp = self.stamp_of_list(trust.version());
            if sign_list(&self.store, &trust, anchor, stamp, "by the service, which has the anchor").await? {
                tracing::info!(version = stamp.version, "the trust list is signed");
            }
            self.take_signed_list().await?;
        }
        Ok(())
    }

    async fn take_signed_list(&self) -> Result<(), StartError> {
        let known = self.signed_list().map(|list| (list.stamp.version, list.stamp.issued_at));
        let stored = self.store.signed_stamp(Kind::TrustList).await?;
        let (trust, now) = (self.trust(), self.clock.now());
        let Some(stored) = stored.filter(|stored| known.is_none_or(|known| known < *stored)) else { return Ok(()) };
        let before = self.refused_list.load_full();
        let was_refused = before.as_ref().filter(|refused| refused.stored == stored);
        if was_refused.is_some_and(|refused| refused.trust_version == trust.version() && refused.at.elapsed() < RETRY) {
            return Ok(());
        }
        let Some(bytes) = self.store.signed(Kind::TrustList).await? else { return Ok(()) };
        match SignedList::open(bytes, &trust, now) {
            Ok(list) => {
                self.desk.keyring.verifiers_know(list.own_keys.clone());
                self.signed_list.store(Some(Arc::new(list)));
                self.refused_list.store(None);
            }
            Err(error) => {
                if was_refused.is_none() {
                    tracing::error!(code = error.code(), cause = %error, "the signed trust list in the database is refused; what was served before still is");
                }
                let refused = Refused { stored, trust_version: trust.version(), at: Instant::now() };
                self.refused_list.store(Some(Arc::new(refused)));
            }
        }
        Ok(())
    }

    /// What is served all the same but not as it should be, for somebody to see to.
    pub fn remarks(&self) -> Vec<String> {
        let (trust, now) = (self.trust(), self.clock.now());
        let mut remarks = Vec::new();
        match self.signed_list.load().as_deref() {
            None => remarks.push("no trust list is signed"),
            Some(list) => {
                if list.stamp.version < trust.version() {
                    remarks.push("the signed trust list is older than the one in force");
                }
                if list.stamp.is_stale(now) {
                    remarks.push("the signed trust list is stale");
                }
            }
        }
        if self.refused_list.load().is_some() {
            remarks.push("the signed trust list in the database is refused");
        }
        if self.publisher_key().is_err() {
            remarks.push("no publisher key here is one that the trust list names");
        }
        if self.log_is_late() {
            remarks.push("what was signed waits longer than ten seconds to be in the transparency log");
        }
        if self.status_lists_are_late() {
            remarks.push("a revocation waits longer than thirty seconds to be in its status list");
        }
        remarks.into_iter().map(str::to_owned).chain(self.writes_missing()).collect()
    }

    /// The key that signs rules, revocations and changes now. Errors: [`KeyringError::NoPublisherKey`].
    ///
    /// Once a list is signed it is one that this list names: verifiers follow what is signed, and know no other.
    pub fn publisher_key(&self) -> Result<IssuerKey, KeyringError> {
        let (trust, signed, now) = (self.trust(), self.signed_list(), self.clock.now());
        let Some(signed) = signed else { return self.desk.keyring.publisher_key(trust.publishers(), now) };
        let in_force =
            |named: &&Publisher| trust.publishers().iter().any(|listed| listed.key.spki_der() == named.key.spki_der());
        self.desk.keyring.publisher_key(signed.publishers.iter().filter(in_force), now)
    }

    pub(super) fn publish_signed_list_gauges(&self) {
        let list = self.signed_list.load();
        let stamp = list.as_ref().map(|list| list.stamp);
        metrics::gauge!("thexanh_trust_signed_version").set(stamp.map_or(0.0, |stamp| stamp.version as f64));
        metrics::gauge!("thexanh_trust_next_update").set(stamp.map_or(0.0, |stamp| stamp.next_update.0 as f64));
        metrics::gauge!("thexanh_remarks").set(self.remarks().len() as f64);
    }
}
