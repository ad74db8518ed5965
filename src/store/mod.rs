//! The only room that knows SQL: a pool, the schema, a file per table group. What is asked here is committed when it returns.

mod accounts;
mod attachments;
mod audit;
mod batch;
mod beats;
mod certificates;
mod corrections;
mod counts;
mod dose_changes;
mod doses;
pub mod embedded;
mod foreign_revocations;
mod holders;
mod imports;
mod key_changes;
mod key_imports;
mod keys;
mod lists;
mod log;
mod lookup;
mod migrations;
mod numbered;
mod people;
pub mod placement;
mod pool;
mod reactions;
mod reading;
mod reference;
mod registrations;
mod replicas;
mod restating;
mod revocation_events;
mod revocations;
mod rules;
mod sessions;
mod signed;
mod signers;
mod status_lists;
mod tally;
mod tickets;

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::{Object, Pool, Transaction};
use tokio_postgres::error::SqlState;

pub use accounts::{Challenge, PhoneDay};
pub use attachments::Attachment;
pub use audit::{AuditRow, Audited};
pub use batch::{Busy, GroupCommit, GroupCommitSettings};
pub use beats::{Beat, BeatRow, Rates, ReplicaRow};
pub use certificates::{CertificateDetail, CertificateRow, saying};
pub use corrections::{CorrectionPlace, CorrectionRow, QueueKey, QueueOf};
pub use counts::{CountRow, Counter, EPOCH, LAG_DAYS, Places};
pub use dose_changes::{DoseChangeRow, MAX_WAITING, WaitingChange};
pub use doses::{DoseRow, KnownRecord, RecordRow};
pub use holders::{HeldCertificate, HeldRecords, PlacedSession, ReactionRow};
pub use imports::{ImportCounts, ImportRow, ImportStatus, Realm, Reject, RejectReason};
pub use key_changes::KeyChange;
pub use key_imports::KeyImport;
pub use keys::IssuerKeyRow;
pub use lists::{ListFilter, ListKey, ListedRow, NewContact, RegistrationState, contacts};
pub use log::{Grown, LogHead, SignCheckpoint};
pub use lookup::PersonDetail;
pub use migrations::SCHEMA;
pub use numbered::NumberedDose;
pub use people::{Candidate, Lookup, LookupKind, NewPerson, PersonRow};
pub use reactions::{ReactedDose, ReportedReaction};
pub use reading::Freshness;
pub use reference::{Claim, Facility, Province, PutFacilities};
pub use registrations::{Member, RegisteredPerson, RegistrationRow};
pub use replicas::ReplicaStanding;
pub use restating::KnownPerson;
pub use revocations::{RevocationBatch, RevocationStanding, Revoked};
pub use rules::SetRules;
pub use sessions::{MAX_SESSIONS, PlacedRow, SessionRow};
pub use signers::{Purpose, SignerKeyRow, TrustRows};
pub use status_lists::{Settled, SignStatusList, StatusListRow};
pub use tally::{Course, Fact};
pub use tickets::{NewTicket, TicketRow};

use embedded::{Embedded, EmbeddedError};

/// A keyed hash that rows are found by, or a hash of what was sent.
pub type Hash = [u8; 32];

/// Where rows are kept.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// A PostgreSQL URL, several hosts allowed; `None` for the embedded server under `data_dir`.
    pub url: Option<String>,
    /// Where the embedded server keeps its files.
    pub data_dir: PathBuf,
    /// How many connections are kept at most.
    pub connections: usize,
    /// The schema to work in instead of `public`.
    pub schema: Option<String>,
}

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL cannot be read.
    #[error("DATABASE_URL: {0}")]
    Url(String),
    /// The URL of the replicas cannot be read.
    #[error("database.read_url: {0}")]
    ReadUrl(String),
    /// The embedded server does not start.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// No connection could be had in time.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The database refused.
    #[error("the database refused: {}", refusal(.0))]
    Refused(#[from] tokio_postgres::Error),
    /// It asked for another try more often than we try.
    #[error("the database asked for another try {0} times")]
    Contended(u32),
    /// The schema could not be brought up to date.
    #[error("the schema could not be brought up to date: {0}")]
    Migration(String),
    /// A row holds what we never write.
    #[error("a row of {0} cannot be read")]
    Unreadable(&'static str),
}

impl StoreError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::Url(_) => "database_url",
            StoreError::ReadUrl(_) => "database_read_url",
            StoreError::Embedded(error) => error.code(),
            StoreError::Unreachable(_) => "database_unreachable",
            StoreError::Refused(_) => "database_refused",
            StoreError::Contended(_) => "database_contended",
            StoreError::Migration(_) => "database_migration",
            StoreError::Unreadable(_) => "row_unreadable",
        }
    }

    /// True if the caller may try again and the database is to blame.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Unreachable(_) | StoreError::Contended(_))
    }

    /// True if the server is not there, or is about to go or has just come: another may answer what this one did not.
    fn is_of_a_server_that_went_away(&self) -> bool {
        const GOING: [SqlState; 3] = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
        match self {
            StoreError::Unreachable(_) => true,
            StoreError::Refused(error) => error.code().is_none_or(|code| GOING.contains(code)),
            _ => false,
        }
    }

    /// True if the transaction must be run again from its start: serialization, a deadlock, or one of our optimistic
    /// keys, which says that another node was faster.
    fn asks_for_another_try(&self) -> bool {
        const ASKING: [SqlState; 3] =
            [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::UNIQUE_VIOLATION];
        // What Citus hears while it copies a batch's rows to their servers it repeats in words, as an internal error.
        const REPEATED: [&str; 2] = ["duplicate key value violates unique constraint", "deadlock detected"];
        let StoreError::Refused(error) = self else { return false };
        error.as_db_error().is_some_and(|refused| {
            ASKING.contains(refused.code())
                || *refused.code() == SqlState::INTERNAL_ERROR
                    && REPEATED.iter().any(|words| refused.message().starts_with(words))
        })
    }

    /// True if it only says that a statement before it failed: 25P02.
    fn follows_another(&self) -> bool {
        matches!(self, StoreError::Refused(error) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION))
    }
}

/// What both give, their statements sent without waiting for each other's answers.
///
/// Errors: the one that came first to the server; what it fails after that only hears that the transaction is aborted, and
/// the answers to both may arrive together.
pub async fn together<A, B, E: Into<StoreError>>(
    a: impl Future<Output = Result<A, E>>,
    b: impl Future<Output = Result<B, E>>,
) -> Result<(A, B), StoreError> {
    match tokio::join!(a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error.into()),
        (Err(a), Err(b)) => {
            let (a, b) = (a.into(), b.into());
            Err(if a.follows_another() { b } else { a })
        }
    }
}

/// What the server said without what it quoted: a detail or a message may repeat a value.
fn refusal(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refused) => {
            let table = refused.table().unwrap_or("-");
            format!("SQLSTATE {} at {table}, {}", refused.code().code(), refused.constraint().unwrap_or("-"))
        }
        None if error.is_closed() => "the connection was closed".into(),
        None => "the connection failed".into(),
    }
}

/// How often a transaction is tried.
const TRIES: u32 = 10;

/// The database. Cheap to clone; the embedded server stops when the last clone of the last process is gone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    embedded: Option<Arc<Embedded>>,
    /// Whether the database has Citus: the few statements that it does not take are asked otherwise there.
    on_citus: bool,
    /// Whether what is signed goes into the transparency log.
    logs: bool,
    origin: Arc<Origin>,
    replicas: Option<Arc<replicas::Replicas>>,
    /// How fresh look-ups must be.
    freshness: Freshness,
}

/// How a store was opened.
struct Origin {
    target: pool::Target,
    settings: StoreSettings,
}

/// Work done in one transaction, from its start again when the database asks for it.
pub trait Work: Sync {
    /// What it returns.
    type Output: Send;

    /// Does the work; whatever it wrote is undone if it fails.
    fn run(&self, tx: &Tx<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

/// An open transaction. Its methods stand in the files of the tables.
pub struct Tx<'c> {
    inner: Transaction<'c>,
    /// As in [`Store`].
    on_citus: bool,
    /// As in [`Store`].
    logs: bool,
    /// What it changes of what is counted, written with it.
    tally: Mutex<tally::Tally>,
}

impl Store {
    /// Connects, starting the embedded server where no URL is given.
    ///
    /// Errors: [`StoreError::Url`], [`StoreError::Embedded`], [`StoreError::Unreachable`].
    pub async fn open(settings: &StoreSettings) -> Result<Store, StoreError> {
        let (target, embedded) = match &settings.url {
            Some(url) => (pool::Target::parse(url)?, None),
            None => {
                let data_dir = settings.data_dir.clone();
                let started = tokio::task::spawn_blocking(move || Embedded::start(&data_dir)).await;
                let embedded = started.map_err(|error| StoreError::Unreachable(error.to_string()))??;
                (pool::Target::embedded(&embedded), Some(Arc::new(embedded)))
            }
        };
        let pool = pool::build(target.clone(), settings, false)?;
        let origin = Arc::new(Origin { target, settings: settings.clone() });
        let (replicas, freshness) = (None, Freshness::Now);
        let mut store = Store { pool, embedded, on_citus: false, logs: true, origin, replicas, freshness };
        let sql = "-- engine\nSELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')";
        store.on_citus = store.client().await?.query_one(sql, &[]).await?.get(0);
        if store.on_citus {
            store.pool = pool::build(store.origin.target.clone(), settings, true)?;
        }
        Ok(store)
    }

    /// Fails unless the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.client().await?.simple_query("-- ping\nSELECT 1").await?;
        Ok(())
    }

    /// The embedded server, if that is where rows are kept.
    pub fn embedded(&self) -> Option<&Embedded> {
        self.embedded.as_deref()
    }

    /// Runs `work` in one transaction and commits it.
    ///
    /// Run again from its start on 40001, 40P01 and 23505, after a pause that grows. Errors: what `work` fails with,
    /// [`StoreError::Contended`] after ten tries.
    pub async fn transact<W: Work>(&self, work: &W) -> Result<W::Output, StoreError> {
        for tried in 0..TRIES {
            match self.try_once(work).await {
                Err(error) if error.asks_for_another_try() => {
                    tokio::time::sleep(Duration::from_millis(u64::from(tried * tried))).await;
                }
                done => return done,
            }
        }
        Err(StoreError::Contended(TRIES))
    }

    async fn try_once<W: Work>(&self, work: &W) -> Result<W::Output, StoreError> {
        let mut client = self.client().await?;
        let inner = client.transaction().await?;
        let tx = Tx { inner, on_citus: self.on_citus, logs: self.logs, tally: Mutex::default() };
        let output = work.run(&tx).await?;
        tx.put_tally().await?;
        tx.inner.commit().await?;
        Ok(output)
    }

    async fn client(&self) -> Result<Object, StoreError> {
        pool::client(&self.pool).await
    }
}
