//! What is newer than somebody knows: versions, and the revocations between. Who follows us waits for it here.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;

use super::App;
use crate::revocation::Change;
use crate::store::StoreError;

/// The versions of what verifiers follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of the trust list in force.
    pub trust: u64,
    /// Of the newest that the anchor signed; 0 if it signed none.
    pub trust_signed: u64,
    /// Of the revocations.
    pub revocations: u64,
    /// Of the rules.
    pub rules: u64,
}

impl Versions {
    /// True if anything here is newer than what `known` has.
    pub fn is_newer_than(&self, known: &Versions) -> bool {
        self.trust > known.trust
            || self.trust_signed > known.trust_signed
            || self.revocations > known.revocations
            || self.rules > known.rules
    }
}

/// What is newer than the asker knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// The version of the trust list in force; it may be ahead of what the anchor signed.
    pub trust: u64,
    /// The version of the newest list that the anchor signed; 0 if it signed none.
    pub trust_signed: u64,
    /// The number of the last event among the revocations.
    pub revocations: u64,
    /// The version of the rules.
    pub rules: u64,
    /// The events after those that the asker knows, in their order; absent if there are too many: take the index then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub events: Option<Vec<Event>>,
    /// Every key that was withdrawn: the SHA-256 of its SubjectPublicKeyInfo in standard base64, and when. In force at once,
    /// whether or not the anchor has signed a list that says so: it only takes trust away.
    #[serde(default)]
    pub withdrawn: BTreeMap<String, i64>,
}

/// One event among the revocations: an entry that is revoked from it on, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number.
    pub v: u64,
    /// The entry that is revoked, in standard base64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub add: Option<String>,
    /// The entry that is no longer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remove: Option<String>,
}

impl Event {
    fn of(v: u64, change: Change) -> Event {
        let text = |entry: [u8; 16]| Some(BASE64_STANDARD.encode(entry));
        match change {
            Change::Add(entry) => Event { v, add: text(entry), remove: None },
            Change::Remove(entry) => Event { v, add: None, remove: text(entry) },
        }
    }

    /// Its number and the change; `None` if it is not one of the two, or no entry.
    pub fn change(&self) -> Option<(u64, Change)> {
        let entry = |text: &str| BASE64_STANDARD.decode(text).ok()?.try_into().ok();
        match (&self.add, &self.remove) {
            (Some(add), None) => Some((self.v, Change::Add(entry(add)?))),
            (None, Some(remove)) => Some((self.v, Change::Remove(entry(remove)?))),
            _ => None,
        }
    }
}

/// The most events that are told one by one; who is further behind takes the index.
pub const MAX_EVENTS: usize = 1_000;

impl App {
    /// The versions as they are now.
    pub fn versions(&self) -> Versions {
        *self.versions.borrow()
    }

    /// Tells those who wait what is so now.
    pub(super) fn tell_followers(&self) {
        let now = Versions {
            trust: self.trust().version(),
            trust_signed: self.signed_list().map_or(0, |list| list.stamp().version),
            revocations: self.engine.revoked().version(),
            rules: self.engine.rules().version(),
        };
        self.versions.send_if_modified(|told| {
            let moved = *told != now;
            *told = now;
            moved
        });
    }

    /// Returns once something is newer than what `known` has, or after `wait`, or when the service stops. Returns whether it is.
    pub async fn newer_than(&self, known: &Versions, wait: Duration) -> bool {
        let mut versions: watch::Receiver<Versions> = self.versions.subscribe();
        let mut stop = self.stop.subscribe();
        tokio::select! {
            moved = versions.wait_for(|now| now.is_newer_than(known)) => moved.is_ok(),
            () = tokio::time::sleep(wait) => false,
            _ = stop.wait_for(|stop| *stop) => false,
        }
    }

    /// What is newer than what `known` has. Errors: [`StoreError`].
    pub async fn changes_since(&self, known: &Versions) -> Result<Changes, StoreError> {
        let (now, trust) = (self.versions(), self.trust());
        let events = match now.revocations.saturating_sub(known.revocations) {
            0 => Some(Vec::new()),
            behind if behind > MAX_EVENTS as u64 => None,
            _ => {
                let events = self.store.revocation_events(known.revocations, MAX_EVENTS as i64).await?;
                let told = events.into_iter().filter(|(version, _)| *version <= now.revocations);
                Some(told.map(|(version, change)| Event::of(version, change)).collect())
            }
        };
        let withdrawn = trust
            .all()
            .into_iter()
            .filter_map(|key| Some((BASE64_STANDARD.encode(key.key.spki_hash()), key.withdrawn_at?.0)));
        Ok(Changes {
            trust: now.trust,
            trust_signed: now.trust_signed,
            revocations: now.revocations,
            rules: now.rules,
            events,
            withdrawn: withdrawn.collect(),
        })
    }
}
