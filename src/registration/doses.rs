//! Doses in, certificates out: requests that arrive together share one transaction, one fsync, and each hears of its own row.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use uuid::Uuid;

use super::corrections;
use super::plan::{self, Answer, Plan};
use super::record::{CheckedDose, DoseRecord, InvalidField};
use crate::certificate::{CardColour, Profile, UnixSeconds, Uvci};
use crate::issue::IssueError;
use crate::keyring::{Keyring, KeyringError};
use crate::keys::IssuerKey;
use crate::sealing::DataKey;
use crate::store::{self, GroupCommit, Hash, Store, StoreError, Tx, Work};
use crate::trust::TrustList;

/// Why a dose was not recorded. Nothing of it is stored then.
#[derive(Debug, thiserror::Error)]
pub enum DoseError {
    /// A field is not what it should be.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// The facility used this record number for another dose.
    #[error("record_no: this number was used for another dose")]
    RecordConflict,
    /// The dose with this record number was voided since.
    #[error("record_no: the dose with this number was voided")]
    RecordVoided,
    /// It cannot be certified.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No key may sign now.
    #[error(transparent)]
    Keyring(#[from] Arc<KeyringError>),
    /// The database refused, or cannot be reached.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
    /// What the database holds cannot be read: a defect, not the caller's fault.
    #[error("a stored row cannot be read")]
    Unreadable,
    /// Too many are waiting; try again.
    #[error("too many doses are waiting; try again in a moment")]
    Busy,
}

impl DoseError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            DoseError::Invalid(error) => error.code,
            DoseError::RecordConflict => "record_conflict",
            DoseError::RecordVoided => "record_voided",
            DoseError::Issue(error) => error.code(),
            DoseError::Keyring(error) => error.code(),
            DoseError::Store(error) => error.code(),
            DoseError::Unreadable => "row_unreadable",
            DoseError::Busy => "busy",
        }
    }

    /// The field that is to blame, such as `person.name`.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            DoseError::Invalid(error) => Some(error.field),
            DoseError::RecordConflict | DoseError::RecordVoided => Some("record_no"),
            DoseError::Issue(IssueError::UnknownProduct) => Some("product"),
            DoseError::Issue(IssueError::Codec(_)) => Some("person.name"),
            DoseError::Issue(IssueError::KeyAlgorithm | IssueError::Key(_))
            | DoseError::Keyring(_)
            | DoseError::Store(_)
            | DoseError::Unreadable
            | DoseError::Busy => None,
        }
    }
}

/// Names a dose for ever; carries the person, by whom rows are distributed. Written `person.dose`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DoseId {
    /// Whose.
    pub person: Uuid,
    /// Which.
    pub dose: Uuid,
}

impl fmt::Display for DoseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.person.simple(), self.dose.simple())
    }
}

impl FromStr for DoseId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (person, dose) = text.split_once('.').ok_or(())?;
        let id = |text: &str| Uuid::try_parse(text).map_err(|_| ());
        Ok(DoseId { person: id(person)?, dose: id(dose)? })
    }
}

/// A recorded dose and the certificate that it caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// False if it had been recorded before.
    pub new: bool,
    /// The dose.
    pub dose: DoseId,
    /// Names the certificate.
    pub uvci: Uvci,
    /// Its colour.
    pub card: CardColour,
    /// Its QR text, compact.
    pub text: String,
    /// What is remarkable about the dose, as [`crate::policy::Flag::as_str`] words it.
    pub flags: Vec<String>,
}

/// Who sends a dose.
#[derive(Clone, Debug)]
pub struct Reporter {
    /// The facility's code.
    pub facility: String,
    /// The token's subject.
    pub subject: String,
}

/// A checked dose with what the store needs beside it: sealed columns and keyed hashes, never the numbers themselves.
pub(super) struct Row {
    pub facility: String,
    pub subject: String,
    pub dose: CheckedDose,
    pub request_hash: Hash,
    pub identity_hash: Option<Hash>,
    pub phone_hash: Option<Hash>,
    pub identity_sealed: Option<Vec<u8>>,
    pub phone_sealed: Option<Vec<u8>>,
}

/// What the recording of doses works with. The trust list says which key signs now.
pub struct Desk {
    /// Where rows go.
    pub store: Store,
    /// Who signs.
    pub keyring: Arc<Keyring>,
    /// What seals identity numbers and phones.
    pub data_key: Arc<DataKey>,
    /// The trust list in force, swapped whole.
    pub trust: Arc<ArcSwap<TrustList>>,
    /// For how many hours facilities may think about a correction.
    pub correction_hours: i64,
}

type Batch = Vec<(Row, UnixSeconds)>;
type Answers = Vec<Result<Recorded, DoseError>>;

/// Records doses by group commit.
pub struct Recorder {
    desk: Arc<Desk>,
    commits: GroupCommit<Batch, Answers>,
}

impl Recorder {
    /// A recorder whose queue holds `queue` requests at most.
    pub fn new(desk: Desk, settings: crate::store::GroupCommitSettings) -> Recorder {
        let desk = Arc::new(desk);
        let worker = Arc::clone(&desk);
        let commits = GroupCommit::new(settings, move |batches: Vec<Batch>| {
            let desk = Arc::clone(&worker);
            async move { commit(&desk, batches).await }
        });
        Recorder { desk, commits }
    }

    /// Records one dose of `by`'s and returns its certificate, once both are committed.
    ///
    /// Repeated with the same content it gives the same answer. Errors: every [`DoseError`].
    pub async fn record(&self, by: &Reporter, dose: DoseRecord, now: UnixSeconds) -> Result<Recorded, DoseError> {
        let mut answers = self.record_many(by, vec![dose], now).await;
        answers.pop().unwrap_or(Err(DoseError::Busy))
    }

    /// Records many, in order; each row's answer stands at its place, and a refused row leaves the others alone.
    pub async fn record_many(&self, by: &Reporter, doses: Vec<DoseRecord>, now: UnixSeconds) -> Answers {
        let checked = doses.into_iter().map(|dose| row(&self.desk.data_key, by, dose, now));
        let mut answers: Vec<Option<Result<Recorded, DoseError>>> = Vec::new();
        let mut batch = Batch::new();
        for row in checked {
            match row {
                Ok(row) => {
                    batch.push((row, now));
                    answers.push(None);
                }
                Err(error) => answers.push(Some(Err(error.into()))),
            }
        }
        let mut committed = match batch.is_empty() {
            true => Vec::new(),
            false => self.commits.submit(batch).await.unwrap_or_default(),
        }
        .into_iter();
        answers.into_iter().map(|answer| answer.or_else(|| committed.next()).unwrap_or(Err(DoseError::Busy))).collect()
    }

    /// Waits until everything that was accepted is committed; nothing more is accepted from then on.
    pub async fn drain(&self) {
        self.commits.drain().await;
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.commits.len()
    }
}

/// The dose, checked, with what the store needs beside it. Errors: the first field that is not what it should be.
pub(super) fn row(data_key: &DataKey, by: &Reporter, dose: DoseRecord, now: UnixSeconds) -> Result<Row, InvalidField> {
    let dose = dose.check(now)?;
    let hash = |kind: &str, value: &Option<String>| value.as_ref().map(|value| data_key.lookup_hash(kind, value));
    let seal = |kind: &str, value: &Option<String>| value.as_ref().map(|value| data_key.seal(kind, value));
    Ok(Row {
        facility: by.facility.clone(),
        subject: by.subject.clone(),
        request_hash: data_key.lookup_hash("dose", &dose.canonical()),
        identity_hash: hash("identity", &dose.identity),
        phone_hash: hash("phone", &dose.phone),
        identity_sealed: seal("identity", &dose.identity),
        phone_sealed: seal("phone", &dose.phone),
        dose,
    })
}

/// Commits batches in one transaction and answers each; on a failure all of them hear the same.
async fn commit(desk: &Desk, batches: Vec<Batch>) -> Vec<Answers> {
    let lengths: Vec<usize> = batches.iter().map(Vec::len).collect();
    let rows: Batch = batches.into_iter().flatten().collect();
    let answers = match commit_rows(desk, &rows).await {
        Ok(answers) => answers,
        Err(error) => {
            let shared = |error: &CommitError| match error {
                CommitError::Keyring(error) => DoseError::Keyring(Arc::clone(error)),
                CommitError::Store(error) => DoseError::Store(Arc::clone(error)),
            };
            rows.iter().map(|_| Err(shared(&error))).collect()
        }
    };
    let mut answers = answers.into_iter();
    lengths.into_iter().map(|len| answers.by_ref().take(len).collect()).collect()
}

/// What fails a whole batch.
enum CommitError {
    Keyring(Arc<KeyringError>),
    Store(Arc<StoreError>),
}

async fn commit_rows(desk: &Desk, rows: &Batch) -> Result<Answers, CommitError> {
    let Some(now) = rows.iter().map(|(_, now)| *now).max() else { return Ok(Vec::new()) };
    let trust = desk.trust.load_full();
    let key = desk.keyring.signing_key(Profile::Compact, &trust, now);
    let key = key.map_err(|error| CommitError::Keyring(Arc::new(error)))?;
    let written =
        desk.store.transact(&CommitRows { rows, key: &key, now, correction_hours: desk.correction_hours }).await;
    written.map_err(|error| CommitError::Store(Arc::new(error)))
}

/// A batch as one transaction: read what is known, plan, write.
struct CommitRows<'a> {
    rows: &'a Batch,
    key: &'a IssuerKey,
    now: UnixSeconds,
    correction_hours: i64,
}

impl Work for CommitRows<'_> {
    type Output = Answers;

    async fn run(&self, tx: &Tx<'_>) -> Result<Answers, StoreError> {
        let rows = || self.rows.iter().map(|(row, _)| row);
        let records: Vec<(String, String)> =
            rows().map(|row| (row.facility.clone(), row.dose.record_no.clone())).collect();
        let identities: Vec<Hash> = rows().filter_map(|row| row.identity_hash).collect();
        let phones: Vec<Hash> = rows().filter_map(|row| row.phone_hash).collect();
        let (records, candidates) = store::together(tx.records(&records), tx.candidates(&identities, &phones)).await?;
        let named: Vec<Uuid> = rows().filter_map(|row| row.dose.known).collect();
        let named = if named.is_empty() { Vec::new() } else { tx.people(&named).await? };
        let mut people: Vec<Uuid> = candidates.iter().map(|candidate| candidate.row.person).collect();
        people.extend(named.iter().map(|row| row.person));
        people.sort_unstable();
        people.dedup();
        let doses = if people.is_empty() { Vec::new() } else { tx.lock_people(&people).await? };
        let mut plan = Plan::new(self.key, self.now, records, candidates, doses);
        plan.know(named);
        let planned: Vec<Answer> = rows().map(|row| plan.take(row)).collect();
        write(tx, &plan.writes, self.now).await?;
        corrections::queue_unclear(tx, &plan.writes.unclear, self.correction_hours, self.now).await?;
        with_stored_certificates(tx, planned).await
    }
}

/// Writes what a plan adds.
pub(super) async fn write(tx: &Tx<'_>, writes: &plan::Writes, now: UnixSeconds) -> Result<(), StoreError> {
    if !writes.superseded.is_empty() {
        tx.supersede(&writes.superseded, now).await?;
    }
    // Whoever is enrolled with this dose has not registered.
    let enrolled: HashSet<Uuid> = writes.people.iter().map(|new| new.row.person).collect();
    let mut known: Vec<Uuid> = writes.doses.iter().map(|dose| dose.person).collect();
    known.retain(|person| !enrolled.contains(person));
    tx.mark_vaccinated(&known).await?;
    let people = store::together(tx.insert_people(&writes.people), tx.insert_lookups(&writes.lookups));
    let doses = store::together(tx.insert_doses(&writes.doses), tx.insert_records(&writes.records));
    let certificates = tx.insert_certificates(&writes.certificates);
    store::together(store::together(people, doses), certificates).await?;
    Ok(())
}

/// Fills in the answers for doses that had been recorded under another number.
pub(super) async fn with_stored_certificates(tx: &Tx<'_>, planned: Vec<Answer>) -> Result<Answers, StoreError> {
    let stored = |answer: &Answer| match answer {
        Answer::Stored(dose) => Some(dose.person),
        Answer::Ready(_) => None,
    };
    let people: Vec<Uuid> = planned.iter().filter_map(stored).collect();
    let certificates = match people.is_empty() {
        true => Vec::new(),
        false => tx.certificates_of(&people).await?,
    };
    let answer = |answer: Answer| match answer {
        Answer::Ready(answer) => answer,
        Answer::Stored(dose) => {
            let of_person = certificates.iter().filter(|certificate| certificate.person == dose.person);
            match store::saying(dose.dose, of_person) {
                Some(certificate) => plan::recorded(dose, certificate, true),
                None => Err(DoseError::Unreadable),
            }
        }
    };
    Ok(planned.into_iter().map(answer).collect())
}
