//! The running service: the verify engine's snapshots and caches, what keeps them fresh, and the desk that records doses.
//! Knows no HTTP.

mod beats;
pub mod changes;
pub mod editions;
mod ended;
pub mod engine;
mod enlist;
mod held;
pub mod hub;
pub mod imports;
mod lately;
pub mod live;
mod log;
mod meters;
mod pictures;
mod proofs;
mod refresh;
mod registry;
mod replicas;
mod revoking;
mod signed_index;
mod signed_list;
mod signed_rules;
pub mod sms;
mod spool;
pub mod stats;
mod status_lists;
mod tallies;
pub mod verdict;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use changes::Versions;
pub use ended::EndedSessions;
pub use engine::Engine;
pub use enlist::{OVERLAP_S, by_command_line, enlist, issuer_row, rotation, signer_row};
pub use held::HeldLists;
use imports::Imports;
pub use lately::{Lately, Wrote};
pub use log::Logged;
pub use meters::{Meter, Meters};
pub use pictures::Picture;
use pictures::Pictures;
pub use proofs::Name;
pub use refresh::trust_list;
pub use registry::Registry;
pub use signed_index::SignedIndex;
pub use signed_list::{SignedList, sign_list, stamp};
pub use signed_rules::SignedRules;
pub use spool::{SpoolFile, SpoolReader, SpoolWriter};
pub use status_lists::SignedStatusList;
pub use tallies::{REASONS, Tallies};
pub use verdict::{Outcome, Verdict};

use crate::certificate::{Dose, Product, Profile, Statement, Uvci};
use crate::clock::Clock;
use crate::codec::qr::{Level, Symbol};
use crate::config::Config;
use crate::keyring::Keyring;
use crate::keys::KeyError;
use crate::policy::RulesError;
use crate::registration::amend::{AmendError, Change, Outcome as Changed};
use crate::registration::certificates::{CertificateError, Shown};
use crate::registration::corrections::{Actor, Answer, Answered, CorrectionError, CorrectionId};
use crate::registration::doses::{Desk, DoseId};
use crate::registration::{Recorder, Registrar};
use crate::render::pdf::{Page, QrModules};
use crate::sealing::DataKey;
use crate::store::{CertificateRow, GroupCommitSettings, Store, StoreError};
use crate::tls::RootsError;
use crate::trust::{DocumentError, TrustList};
use crate::{policy, render, revocation};

/// Why the service cannot start, or cannot refresh what it knows.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database refused, or cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key of the trust list cannot be used.
    #[error("a key of the trust list cannot be used: {0}; `thexanh keys list` names them")]
    Key(#[from] KeyError),
    /// The signed trust list is refused; what was in force stays in force.
    #[error("the signed trust list is refused: {0}; sign it again with `thexanh keys sign`")]
    Document(#[from] DocumentError),
    /// The rules in the database are none that this version of the service can read.
    #[error("the rules in the database cannot be used: {0}")]
    Rules(#[from] RulesError),
    /// The roots that are believed of the SMS gateway cannot be used.
    #[error("sms.ca: {0}")]
    Roots(#[from] RootsError),
    /// The process is being stopped.
    #[error("the process is being stopped")]
    Interrupted,
}

impl StartError {
    /// The one stable word for this error.
    pub fn code(&self) -> &'static str {
        match self {
            StartError::Store(error) => error.code(),
            StartError::Key(error) => error.code(),
            StartError::Document(error) => error.code(),
            StartError::Rules(error) => error.code(),
            StartError::Roots(error) => error.code(),
            StartError::Interrupted => "interrupted",
        }
    }
}

/// A desk without the service around it, that signs with the keys of the trust list as it is now: what a command works with.
pub async fn desk(config: &Config, clock: &Clock, store: &Store, keyring: Arc<Keyring>) -> Result<Desk, StartError> {
    let engine = Engine::new(clock.clone(), 0, config.ed25519_engine());
    engine.take_keys(store).await?;
    let data_key = Arc::new(DataKey::new(keyring.data_key()));
    let correction_hours = config.corrections.hours;
    Ok(Desk { store: store.clone(), keyring, data_key, trust: engine.trust_in_force(), correction_hours })
}

/// The service: what its routes and commands share.
pub struct App {
    config: Config,
    clock: Clock,
    store: Store,
    /// Names this process to the other nodes, for as long as it lives.
    node: Uuid,
    engine: Arc<Engine>,
    desk: Desk,
    recorder: Recorder,
    registrar: Registrar,
    sms: sms::Sms,
    held_lists: HeldLists,
    /// Who has just written; `None` where there are no replicas that could be behind.
    lately: Option<Lately>,
    editions: editions::Editions,
    ended_sessions: EndedSessions,
    imports: Imports,
    log: log::Log,
    registry: Arc<Registry>,
    pictures: Pictures,
    stats: stats::Stats,
    status_lists: status_lists::StatusLists,
    hub: hub::Hub,
    /// The newest list that the anchor signed.
    signed_list: ArcSwapOption<SignedList>,
    signed_rules: ArcSwapOption<SignedRules>,
    /// The one in the database, if it was refused.
    refused_list: ArcSwapOption<signed_list::Refused>,
    /// Lists of revocations that may be in work at once.
    lists: Arc<Semaphore>,
    /// When the snapshots were last known to be what the database holds.
    refreshed: ArcSwap<Option<Instant>>,
    /// What those who follow us are told.
    versions: watch::Sender<Versions>,
    stop: watch::Sender<bool>,
    /// The tasks that [`App::start`] spawns; taken by [`App::stop`].
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// For how long the snapshots may be older than the database before the node is not ready.
const STALE: Duration = Duration::from_secs(10);

impl App {
    /// The service on an open and migrated store: snapshots read, and kept fresh from now on.
    ///
    /// Must be called within a tokio runtime. Errors: [`StartError`].
    pub async fn start(
        config: Config,
        clock: Clock,
        store: Store,
        keyring: Arc<Keyring>,
    ) -> Result<Arc<App>, StartError> {
        let max_lag = Duration::from_millis(config.database.max_lag_ms);
        let store = match &config.database.read_url {
            Some(url) => store.with_replicas(url.reveal(), max_lag)?,
            None => store,
        };
        let data_key = Arc::new(DataKey::new(keyring.data_key()));
        let engine = Arc::new(Engine::new(clock.clone(), config.cache.proofs_mib, config.ed25519_engine()));
        let trust = engine.trust_in_force();
        let desk = || Desk {
            store: store.clone(),
            keyring: Arc::clone(&keyring),
            data_key: Arc::clone(&data_key),
            trust: Arc::clone(&trust),
            correction_hours: config.corrections.hours,
        };
        let (desk, recorder) = (desk(), Recorder::new(desk(), GroupCommitSettings::default()));
        let registrar = Registrar::new(store.clone(), Arc::clone(&data_key), config.citizens.group_commit());
        let imports_dir = config.data.join("imports");
        let app = Arc::new(App {
            registrar,
            sms: sms::Sms::new(&config.sms)?,
            held_lists: HeldLists::new(config.cache.lists_mib << 20),
            lately: config.database.read_url.as_ref().map(|_| Lately::new(max_lag)),
            ended_sessions: EndedSessions::default(),
            log: log::Log::default(),
            registry: Arc::new(Registry::new(store.clone())),
            pictures: Pictures::new(config.cache.pictures_mib << 20),
            stats: stats::Stats::default(),
            status_lists: status_lists::StatusLists::default(),
            hub: hub::Hub::default(),
            lists: Arc::new(Semaphore::new(revoking::LISTS_AT_ONCE)),
            config,
            clock,
            store,
            node: Uuid::new_v4(),
            engine,
            editions: editions::Editions::default(),
            imports: Imports::new(spool::Spool::new(imports_dir, data_key)),
            desk,
            recorder,
            signed_list: ArcSwapOption::empty(),
            signed_rules: ArcSwapOption::empty(),
            refused_list: ArcSwapOption::empty(),
            refreshed: ArcSwap::from_pointee(None),
            versions: watch::Sender::default(),
            stop: watch::Sender::new(false),
            tasks: Mutex::default(),
        });
        app.refresh().await?;
        app.make_edition().await?;
        app.tend_status_lists().await?;
        let tasks = vec![
            tokio::spawn(Arc::clone(&app).keep_fresh(app.stop.subscribe())),
            tokio::spawn(Arc::clone(&app).keep_editions(app.stop.subscribe())),
            tokio::spawn(Arc::clone(&app).keep_log(app.stop.subscribe())),
            tokio::spawn(Arc::clone(&app).keep_status_lists(app.stop.subscribe())),
            tokio::spawn(Arc::clone(&app).import_what_is_sent(app.stop.subscribe())),
            tokio::spawn(Arc::clone(&app).keep_beating(app.stop.subscribe())),
            tokio::spawn(Arc::clone(&app).keep_counts(app.stop.subscribe())),
        ];
        *app.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        Ok(app)
    }

    /// Commits what was accepted, stops refreshing, and returns when both are done. Stop listening first.
    pub async fn stop(&self) {
        self.recorder.drain().await;
        self.registrar.drain().await;
        self.sms.drain().await;
        self.registry.drain().await;
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let _ = task.await;
        }
        let (store, node) = (&self.store, self.node);
        let given_back = [
            store.stop_sequencing(node).await,
            store.stop_logging(node).await,
            store.stop_listing(node).await,
            store.stop_folding(node).await,
        ];
        for given_back in given_back {
            if let Err(error) = given_back {
                tracing::warn!(code = error.code(), "could not give a lease back; another node waits for its end");
            }
        }
    }

    /// Changes a dose, or notes the change for a second person. What is revoked by it is rejected here when this returns.
    pub async fn amend(&self, id: DoseId, change: &Change, by: &str, why: &str) -> Result<Changed, AmendError> {
        let outcome = self.desk.amend(id, change, by, why, self.clock.now()).await?;
        Ok(self.follow(outcome))
    }

    /// Confirms or refuses a change that waits. What is revoked by it is rejected here when this returns.
    pub async fn confirm(&self, id: DoseId, change: Uuid, by: &str, confirmed: bool) -> Result<Changed, AmendError> {
        let outcome = self.desk.confirm(id, change, by, confirmed, self.clock.now()).await?;
        Ok(self.follow(outcome))
    }

    /// Answers a correction. What is revoked by it is rejected here when this returns.
    pub async fn answer_correction(
        &self,
        id: CorrectionId,
        version: i64,
        answer: &Answer,
        by: &Actor,
    ) -> Result<Answered, CorrectionError> {
        let answered = self.desk.answer(id, version, answer, by, self.clock.now()).await?;
        self.fell(&answered.revoked);
        Ok(answered)
    }

    fn follow(&self, outcome: Changed) -> Changed {
        if let Changed::Applied(amended) = &outcome {
            self.fell(&amended.revoked);
        }
        outcome
    }

    /// A picture of a certificate that is not revoked, read from `store`.
    pub async fn picture(
        &self,
        store: &Store,
        uvci: Uvci,
        profile: Profile,
        picture: Picture,
    ) -> Result<Bytes, CertificateError> {
        let key = (uvci, profile, picture);
        if let Some(bytes) = self.pictures.recall(&key) {
            return Ok(bytes);
        }
        let shown = self.desk.show(store, &uvci, profile, self.clock.now()).await?;
        let bytes = tokio::task::spawn_blocking(move || render(&shown, picture)).await;
        let bytes = Bytes::from(bytes.map_err(|_| CertificateError::Unreadable)??);
        self.pictures.keep(key, bytes.clone());
        Ok(bytes)
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Who has just written, where look-ups are asked of replicas.
    pub fn lately(&self) -> Option<&Lately> {
        self.lately.as_ref()
    }

    /// Whether a certificate is revoked, whatever the row that it was read from says: a replica's may be older.
    pub fn is_revoked(&self, row: &CertificateRow) -> bool {
        row.revoked_at.is_some() || self.engine.revoked().contains(&revocation::entry(&row.uvci.text()))
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The verify engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The desk that hands out certificates.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Records doses.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The counters, as dashboards are shown them.
    pub fn stats(&self) -> &stats::Stats {
        &self.stats
    }

    /// Where those listen who watch.
    pub fn hub(&self) -> &hub::Hub {
        &self.hub
    }

    /// Registers citizens.
    pub fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// The way to those who wait for a code.
    pub fn sms(&self) -> &sms::Sms {
        &self.sms
    }

    /// What holders were told of their certificates a moment ago.
    pub fn held_lists(&self) -> &HeldLists {
        &self.held_lists
    }

    /// Which sessions are over before their time.
    pub fn ended_sessions(&self) -> &EndedSessions {
        &self.ended_sessions
    }

    /// Whether the registry knows a certificate.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Receives backlog files, and imports them in its turn.
    pub fn imports(&self) -> &Imports {
        &self.imports
    }

    /// What is counted.
    pub fn tallies(&self) -> &Tallies {
        self.engine.tallies()
    }

    /// The keys that are trusted now.
    pub fn trust(&self) -> Arc<TrustList> {
        self.engine.trust()
    }

    /// What is missing for requests to be served in full; empty when nothing is.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        // A replica that answers is enough to go on with, and to be asked: see `remarks`.
        if !self.is_fresh() && self.store.replica_standings().iter().all(|replica| !replica.answers) {
            missing.push("the database");
        }
        let trust = self.trust();
        for profile in [Profile::Compact, Profile::Hc1] {
            if self.desk.keyring.signing_key(profile, &trust, self.clock.now()).is_err() {
                missing.push(match profile {
                    Profile::Compact => "a signing key for compact",
                    Profile::Hc1 => "a signing key for hc1",
                });
            }
        }
        if *self.stop.borrow() {
            missing.push("the will to go on: the service is stopping");
        }
        missing
    }

    /// Whether the snapshots were what the database holds a moment ago.
    fn is_fresh(&self) -> bool {
        self.refreshed.load().is_some_and(|at| at.elapsed() < STALE)
    }

    /// Sets the gauges, which are read off rather than counted.
    pub fn publish_gauges(&self) {
        let trust = self.trust();
        let revoked = self.engine.revoked();
        metrics::gauge!("thexanh_proofs_kept").set(self.engine.proofs_kept() as f64);
        metrics::gauge!("thexanh_pictures_kept").set(self.pictures.len() as f64);
        metrics::gauge!("thexanh_doses_waiting").set(self.recorder.waiting() as f64);
        metrics::gauge!("thexanh_registrations_waiting").set(self.registrar.waiting() as f64);
        metrics::gauge!("thexanh_trust_version").set(trust.version() as f64);
        metrics::gauge!("thexanh_rules_version").set(self.engine.rules().version() as f64);
        metrics::gauge!("thexanh_revocations_version").set(revoked.version() as f64);
        metrics::gauge!("thexanh_revocations").set(revoked.len() as f64);
        metrics::gauge!("thexanh_revocations_index_version").set(self.editions.newest().index().version as f64);
        let age = self.refreshed.load().map_or(f64::INFINITY, |at| at.elapsed().as_secs_f64());
        metrics::gauge!("thexanh_refresh_age_seconds").set(age);
        self.publish_signed_list_gauges();
        self.publish_replica_gauges();
        self.publish_log_gauges();
    }
}

fn render(shown: &Shown, picture: Picture) -> Result<Vec<u8>, CertificateError> {
    let symbol = || Symbol::encode(&shown.text, Level::M).map_err(|_| CertificateError::Unreadable);
    Ok(match picture {
        Picture::Txt => shown.text.clone().into_bytes(),
        Picture::Svg => render::svg::svg(&symbol()?).into_bytes(),
        Picture::Png => render::png::png(&symbol()?, render::png::SCALE),
        Picture::Pdf => {
            let symbol = symbol()?;
            let product = match &shown.certificate.statement {
                Statement::Vaccination(Dose { product: Product::Code(code), .. }) => policy::product_by_code(code),
                _ => None,
            };
            let page = Page {
                certificate: &shown.certificate,
                product_name: product.map(|product| product.name).ok_or(CertificateError::Unreadable)?,
                card: shown.detail.row.card,
                symbol: QrModules { width: symbol.width(), dark: &|x, y| symbol.dark(x, y) },
            };
            render::pdf::render(&page).map_err(|_| CertificateError::Unreadable)?
        }
    })
}
