//! A verifier node: no database, no secret keys. It follows another node by what that one signs, and verifies by what it knows.
//!
//! It holds lists to the anchor that it was given, or to the first that it saw, and everything else to the publishers that the
//! list names. What is refused changes nothing. When the issuer is away it goes on with what it knows, says in each answer how old
//! that is, and catches up by the events that it missed. It waits at `/v1/changes`, so a revocation or a withdrawal is in force
//! here within a second.

mod bundle;
mod issuer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::Engine;
use crate::app::changes::{Changes, Versions};
use crate::certificate::UnixSeconds;
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::PublicKey;
use crate::policy::{Rules, RulesDocument, RulesError};
use crate::revocation::{Index, IndexError, OfflineRevocations, SliceError, SliceId};
use crate::signed::{self, Kind, Refusal, Stamp};
use crate::tls::{self, RootsError};
use crate::trust::{DocumentError, Publisher, TrustListDocument};
use bundle::{Bundle, Part};
pub(crate) use issuer::Issuer;
use issuer::WAIT_S;

/// Why a node cannot follow another, or does not take what it was sent. What was known stays in force.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The address cannot be followed.
    #[error("the address of the node: {0}")]
    Url(&'static str),
    /// The roots that are to be believed cannot be used.
    #[error("verifier.ca: {0}")]
    Roots(#[from] RootsError),
    /// The anchor is no public Ed25519 key in PEM.
    #[error("the anchor is not a public key in PEM, as `thexanh keys anchor --out FILE` writes it")]
    Anchor,
    /// The directory cannot be read or written.
    #[error("what is known cannot be kept on disk: {0}")]
    Disk(String),
    /// The issuer does not answer.
    #[error("the issuer does not answer")]
    Unreachable,
    /// It answers with another status than it should.
    #[error("the issuer answers with status {0}")]
    Answer(u16),
    /// It sends more than there can be.
    #[error("the issuer sends more than there can be")]
    TooLarge,
    /// A signature, a type, a version or a time is refused.
    #[error("what the issuer sends is refused: {0}")]
    Refused(#[from] Refusal),
    /// The trust list is refused.
    #[error("the trust list is refused: {0}")]
    TrustList(#[from] DocumentError),
    /// The rules are refused.
    #[error("the rules are refused: {0}")]
    Rules(#[from] RulesError),
    /// The index of revocations is refused.
    #[error("the index of revocations is refused: {0}")]
    Index(#[from] IndexError),
    /// A slice is refused.
    #[error("a slice of the revocations is refused: {0}")]
    Slice(#[from] SliceError),
    /// What is new is not written as it should be, or does not follow on what is known.
    #[error("what the issuer tells is not written as it should be")]
    Malformed,
}

impl FollowError {
    /// The stable word for answers, logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            FollowError::Url(_) => "verifier_of",
            FollowError::Roots(error) => error.code(),
            FollowError::Anchor => "anchor_malformed",
            FollowError::Disk(_) => "disk",
            FollowError::Unreachable => "issuer_unreachable",
            FollowError::Answer(_) => "issuer_answer",
            FollowError::TooLarge => "too_large",
            FollowError::Refused(refusal) => refusal.code(),
            FollowError::TrustList(error) => error.code(),
            FollowError::Rules(error) => error.code(),
            FollowError::Index(error) => error.code(),
            FollowError::Slice(error) => error.code(),
            FollowError::Malformed => "malformed",
        }
    }
}

/// A signed resource that was taken, as it came.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its version and times.
    pub stamp: Stamp,
    /// The COSE_Sign1.
    pub signed: Bytes,
    /// The JSON in it.
    pub json: Bytes,
}

/// What is known.
#[derive(Default)]
struct Known {
    anchor: Option<Arc<PublicKey>>,
    trust_list: Option<(Resource, TrustListDocument)>,
    publishers: Vec<Publisher>,
    rules: Option<Resource>,
    index: Option<Resource>,
    revocations: OfflineRevocations,
    /// What the issuer said last.
    told: Versions,
    /// The highest version of what it said.
    told_version: u64,
    withdrawn: BTreeMap<String, i64>,
    /// When the index was last asked for.
    index_asked: Option<Instant>,
    /// Why the last try failed.
    trouble: Option<&'static str>,
}

/// The verifier node.
pub struct Follower {
    engine: Arc<Engine>,
    clock: Clock,
    issuer: Issuer,
    bundle: Bundle,
    known: Mutex<Known>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// How often the index is asked for at most: events are taken one by one, and the index is what the next start begins with.
const INDEX_EVERY: Duration = Duration::from_secs(5);
/// How long to wait after a failure, at first and at most.
const PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// After so many seconds without a word of the issuer, `/readyz` says so.
const QUIET_S: i64 = 60;

impl Follower {
    /// A node that follows the one at `url`, with what is on disk in force; it is not asked yet.
    ///
    /// `anchor`: the PEM text of the anchor to hold lists to; `None`: the one that is pinned, else the first that is seen.
    /// Errors: [`FollowError::Url`], [`FollowError::Roots`], [`FollowError::Anchor`], [`FollowError::Disk`].
    pub fn new(config: &Config, clock: Clock, url: &str, anchor: Option<&str>) -> Result<Follower, FollowError> {
        let bundle = Bundle::open(config.data.join("verifier"))?;
        let named = anchor.map(|pem| crate::keyring::public_key_of_pem(pem).ok_or(FollowError::Anchor)).transpose()?;
        let anchor = match named {
            Some(named) => Some(named),
            None => bundle.anchor()?,
        };
        let follower = Follower {
            engine: Arc::new(Engine::new(clock.clone(), config.cache.proofs_mib, config.ed25519_engine())),
            clock,
            issuer: Issuer::new(url, tls::roots(config.verifier.ca.as_deref())?)?,
            bundle,
            known: Mutex::new(Known { anchor: anchor.map(Arc::new), ..Known::default() }),
            stop: watch::Sender::new(false),
            task: Mutex::default(),
        };
        if let Err(error) = follower.take_from_disk() {
            tracing::warn!(code = error.code(), cause = %error, "what is on disk is not all of use; the issuer is asked for it");
        }
        Ok(follower)
    }

    /// Asks the issuer once, so that the node begins with what is so; then follows it until [`Follower::stop`].
    ///
    /// Errors: [`FollowError`] if it cannot be reached and nothing is on disk.
    pub async fn start(self: &Arc<Self>) -> Result<(), FollowError> {
        if let Err(error) = self.follow(0).await {
            self.note(Some(&error));
            if self.trust_list().is_none() {
                return Err(error);
            }
            tracing::warn!(code = error.code(), "the issuer is away; what is on disk is in force");
        }
        let follower = Arc::clone(self);
        let task = tokio::spawn(async move { follower.keep_following().await });
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        Ok(())
    }

    /// Follows no more.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    /// What verifies.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The anchor that lists are held to.
    pub fn anchor(&self) -> Option<Arc<PublicKey>> {
        self.known().anchor.clone()
    }

    /// The trust list, as the anchor signed it.
    pub fn trust_list(&self) -> Option<Resource> {
        self.known().trust_list.as_ref().map(|(resource, _)| resource.clone())
    }

    /// The rules.
    pub fn rules(&self) -> Option<Resource> {
        self.known().rules.clone()
    }

    /// The index of revocations.
    pub fn index(&self) -> Option<Resource> {
        self.known().index.clone()
    }

    /// A slice that the index names.
    pub fn slice(&self, id: &SliceId) -> Option<Bytes> {
        let known = self.known();
        known.revocations.slices().find(|(name, _)| name == id).map(|(_, bytes)| Bytes::copy_from_slice(bytes))
    }

    /// When the issuer was last heard of; `None` if never.
    pub fn synced_at(&self) -> Option<UnixSeconds> {
        self.engine.synced_at()
    }

    /// What is missing for texts to be verified; empty when nothing is.
    pub fn missing(&self) -> Vec<&'static str> {
        if self.known().trust_list.is_none() { vec!["a trust list"] } else { Vec::new() }
    }

    /// What is served all the same but not as it should be, for somebody to see to.
    pub fn remarks(&self) -> Vec<String> {
        let now = self.clock.now();
        let mut remarks = Vec::new();
        if let Some(at) = self.synced_at().filter(|at| now.0 - at.0 > QUIET_S) {
            remarks.push(format!("nothing was heard of the issuer for {} seconds", now.0 - at.0));
        }
        let known = self.known();
        if known.trust_list.as_ref().is_some_and(|(list, _)| list.stamp.is_stale(now)) {
            remarks.push("the trust list is stale".to_owned());
        }
        if let Some(code) = known.trouble {
            remarks.push(format!("the last try to follow the issuer failed: {code}"));
        }
        remarks
    }

    /// Sets the gauges, which are read off rather than counted.
    pub fn publish_gauges(&self) {
        let age = self.synced_at().map_or(f64::INFINITY, |at| (self.clock.now().0 - at.0) as f64);
        metrics::gauge!("thexanh_proofs_kept").set(self.engine.proofs_kept() as f64);
        metrics::gauge!("thexanh_trust_version").set(self.engine.trust().version() as f64);
        metrics::gauge!("thexanh_rules_version").set(self.engine.rules().version() as f64);
        metrics::gauge!("thexanh_revocations_version").set(self.engine.revoked().version() as f64);
        metrics::gauge!("thexanh_refresh_age_seconds").set(age);
        metrics::gauge!("thexanh_remarks").set(self.remarks().len() as f64);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_following(&self) {
        let (mut stop, mut pause) = (self.stop.subscribe(), PAUSE);
        loop {
            let done = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                done = self.follow(WAIT_S) => done,
            };
            self.note(done.as_ref().err());
            let Err(_) = done else {
                pause = PAUSE;
                continue;
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(MAX_PAUSE),
            }
        }
    }

    /// Says what went wrong, once, and once when it is over.
    fn note(&self, error: Option<&FollowError>) {
        let mut known = self.known();
        let before = std::mem::replace(&mut known.trouble, error.map(FollowError::code));
        match (before, error) {
            (None, Some(error)) => {
                tracing::error!(code = error.code(), cause = %error, "cannot follow the issuer; what is known stays in force");
            }
            (Some(_), None) => tracing::info!("the issuer is followed again"),
            _ => {}
        }
    }

    /// Waits for something newer than is known, for so many seconds, and takes it.
    async fn follow(&self, wait_s: u64) -> Result<(), FollowError> {
        if self.trust_list().is_none() {
            self.fetch_trust_list().await?;
            self.fetch_rules().await?;
            self.fetch_index().await?;
        }
        let told = self.known().told;
        let bytes = self.issuer.changes(&told, wait_s).await?;
        if let Some(bytes) = &bytes {
            let changes = self.open_changes(bytes)?;
            if changes.trust_signed > self.trust_list().map_or(0, |list| list.stamp.version) {
                self.fetch_trust_list().await?;
            }
            if changes.rules > self.rules().map_or(0, |rules| rules.stamp.version) {
                self.fetch_rules().await?;
            }
            if !self.take_changes(&changes)? {
                self.fetch_index().await?;
            }
            self.bundle.keep(Part::Changes, bytes)?;
        }
        let now = self.clock.now();
        self.engine.set_synced_at(now);
        self.bundle.note_synced(now)?;
        let behind = self.index().map_or(0, |index| index.stamp.version) < self.engine.revoked().version();
        if behind && self.known().index_asked.is_none_or(|at| at.elapsed() > INDEX_EVERY) {
            self.fetch_index().await?;
        }
        Ok(())
    }

    async fn fetch_trust_list(&self) -> Result<(), FollowError> {
        let bytes = self.issuer.signed("v1/trust-list").await?;
        self.take_trust_list(&bytes)?;
        self.bundle.keep(Part::TrustList, &bytes)
    }

    async fn fetch_rules(&self) -> Result<(), FollowError> {
        let bytes = self.issuer.signed("v1/rules").await?;
        self.take_rules(&bytes)?;
        self.bundle.keep(Part::Rules, &bytes)
    }

    async fn fetch_index(&self) -> Result<(), FollowError> {
        self.known().index_asked = Some(Instant::now());
        let bytes = self.issuer.signed("v1/revocations").await?;
        let resource = self.open(Kind::Revocations, &bytes, self.index().map_or(0, |index| index.stamp.version))?;
        let mut update = self.known().revocations.update(Index::parse(&resource.json)?)?;
        for slice in update.missing().into_iter().chain(update.missing_full()) {
            update.put(&self.issuer.slice(&slice).await?)?;
        }
        let revocations = update.finish()?;
        self.bundle.keep_slices(revocations.slices())?;
        self.bundle.keep(Part::Revocations, &bytes)?;
        self.take_revocations(resource, revocations)
    }

    fn take_revocations(&self, resource: Resource, revocations: OfflineRevocations) -> Result<(), FollowError> {
        self.engine.set_revoked(revocations.to_set().ok_or(SliceError::Missing)?);
        let mut known = self.known();
        known.told.revocations = known.told.revocations.max(revocations.version());
        (known.index, known.revocations) = (Some(resource), revocations);
        Ok(())
    }

    /// A resource that a publisher signed who may sign now.
    fn open(&self, kind: Kind, bytes: &[u8], at_least: u64) -> Result<Resource, FollowError> {
        let (known, now) = (self.known(), self.clock.now());
        let publishers = known.publishers.iter().filter(|publisher| publisher.may_sign(now));
        let opened = signed::open(kind, bytes, publishers.map(|publisher| &publisher.key), now, at_least)?;
        let json = Bytes::copy_from_slice(opened.payload);
        Ok(Resource { stamp: opened.stamp, signed: Bytes::copy_from_slice(bytes), json })
    }

    fn open_changes(&self, bytes: &[u8]) -> Result<Changes, FollowError> {
        let at_least = self.known().told_version;
        let resource = self.open(Kind::Changes, bytes, at_least)?;
        self.known().told_version = resource.stamp.version;
        serde_json::from_slice(&resource.json).map_err(|_| FollowError::Malformed)
    }

    /// Takes a list that the anchor signed. The first of all names the anchor, which is pinned.
    fn take_trust_list(&self, bytes: &[u8]) -> Result<(), FollowError> {
        let now = self.clock.now();
        let (anchor, at_least) = {
            let known = self.known();
            (known.anchor.clone(), known.trust_list.as_ref().map_or(0, |(list, _)| list.stamp.version))
        };
        let first = anchor.is_none();
        let anchor = match anchor {
            Some(anchor) => anchor,
            None => Arc::new(TrustListDocument::anchor_named_in(bytes)?),
        };
        let opened = signed::open(Kind::TrustList, bytes, [&*anchor], now, at_least)?;
        let document = TrustListDocument::of_payload(&opened)?;
        let publishers = document.publishers()?;
        let json = Bytes::copy_from_slice(opened.payload);
        let resource = Resource { stamp: opened.stamp, signed: Bytes::copy_from_slice(bytes), json };
        if first {
            self.bundle.pin(&anchor)?;
            let fingerprint = BASE64_STANDARD.encode(anchor.spki_hash());
            tracing::warn!(
                fingerprint,
                "the first anchor that was seen is pinned; compare it with the issuer's, or name it by --anchor"
            );
        }
        {
            let mut known = self.known();
            known.told.trust_signed = resource.stamp.version;
            known.anchor = Some(anchor);
            known.publishers = publishers;
            known.trust_list = Some((resource, document));
        }
        self.put_trust_in_force()
    }

    /// The list that the anchor signed, without the keys that were withdrawn since.
    fn put_trust_in_force(&self) -> Result<(), FollowError> {
        let document = {
            let known = self.known();
            let Some((_, document)) = &known.trust_list else { return Ok(()) };
            let mut document = document.clone();
            document.version = document.version.max(known.told.trust);
            document.withdraw(&known.withdrawn)?;
            document
        };
        if self.engine.trust().version() == document.version {
            return Ok(());
        }
        let list = document.into_list(self.engine.ed25519())?;
        list.warm();
        self.engine.set_trust(list);
        Ok(())
    }

    fn take_rules(&self, bytes: &[u8]) -> Result<(), FollowError> {
        let resource = self.open(Kind::Rules, bytes, self.rules().map_or(0, |rules| rules.stamp.version))?;
        let rules = Rules::new(RulesDocument::read(&resource.json)?)?;
        if rules.version() != resource.stamp.version {
            return Err(FollowError::Malformed);
        }
        self.engine.set_rules(rules);
        let mut known = self.known();
        known.told.rules = resource.stamp.version;
        known.rules = Some(resource);
        Ok(())
    }

    /// Takes what is new. Returns false if its events do not follow on those that are known: then the index is needed.
    fn take_changes(&self, changes: &Changes) -> Result<bool, FollowError> {
        {
            let mut known = self.known();
            known.told.trust = changes.trust;
            // What was withdrawn stays so until a list of the anchor's says otherwise.
            known.withdrawn.extend(changes.withdrawn.iter().map(|(key, at)| (key.clone(), *at)));
        }
        self.put_trust_in_force()?;
        let at = self.engine.revoked().version();
        if changes.revocations <= at {
            return Ok(true);
        }
        let Some(events) = &changes.events else { return Ok(false) };
        let events = events.iter().map(|event| event.change().ok_or(FollowError::Malformed));
        let mut events = events.collect::<Result<Vec<_>, _>>()?;
        events.retain(|(version, _)| *version > at);
        let follows = events.iter().zip(at + 1..).all(|((version, _), expected)| *version == expected);
        if !follows || events.last().is_none_or(|(version, _)| *version != changes.revocations) {
            return Ok(false);
        }
        self.engine.take_events(&events);
        self.known().told.revocations = changes.revocations;
        Ok(true)
    }

    /// Puts in force what is on disk, as far as it is whole.
    fn take_from_disk(&self) -> Result<(), FollowError> {
        let Some(bytes) = self.bundle.part(Part::TrustList)? else { return Ok(()) };
        self.take_trust_list(&bytes)?;
        if let Some(at) = self.bundle.synced_at() {
            self.engine.set_synced_at(at);
        }
        if let Some(bytes) = self.bundle.part(Part::Rules)? {
            self.take_rules(&bytes)?;
        }
        if let Some(bytes) = self.bundle.part(Part::Revocations)? {
            let resource = self.open(Kind::Revocations, &bytes, 0)?;
            let mut update = OfflineRevocations::default().update(Index::parse(&resource.json)?)?;
            for slice in update.missing().into_iter().chain(update.missing_full()) {
                update.put(&self.bundle.slice(&slice.id)?.ok_or(SliceError::Missing)?)?;
            }
            self.take_revocations(resource, update.finish()?)?;
        }
        if let Some(bytes) = self.bundle.part(Part::Changes)? {
            self.take_changes(&self.open_changes(&bytes)?)?;
        }
        Ok(())
    }
}
