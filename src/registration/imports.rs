//! A backlog file through the desk: read and checked on a thread of its own, and recorded chunk by chunk, each chunk one
//! transaction that holds the import's progress too. Memory is bounded by a few chunks, however long the file is.
//!
//! Chunks are committed in the file's order, one after the other: a person met in two of them is found by the second.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use super::backlog::rejects_header;
use super::backlog::{self, BacklogReader, BacklogRow, CellError, Media, OpenError};
use super::corrections;
use super::doses::{self, Desk, DoseError, Reporter, Row};
use super::plan::{Answer, Plan, Writes};
use crate::certificate::{Profile, UnixSeconds};
use crate::clock::Clock;
use crate::keyring::{Keyring, KeyringError};
use crate::language::Said;
use crate::sealing::DataKey;
use crate::store::{
    self, Candidate, DoseRow, Hash, ImportCounts, ImportRow, ImportStatus, KnownRecord, Realm, Reject, RejectReason,
    Store, StoreError, Tx, Work,
};
use crate::trust::TrustList;

/// Rows recorded in one transaction.
const CHUNK: usize = 2_000;
/// A chunk is closed when its cells are this long together.
const CHUNK_BYTES: usize = 4 << 20;
/// Rows of a transaction that are written together, while the next are signed.
const PART: usize = 500;
/// Chunks that wait for the one that is being recorded.
const AHEAD: usize = 2;
/// What rejected rows are sealed for.
const CELLS: &str = "import_reject";

/// Why an import does not go on. What is committed stays, and it goes on from there when it is begun again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is none that we read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file cannot be read on.
    #[error("the file cannot be read on: {0}")]
    Read(#[from] std::io::Error),
    /// No key may sign now.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The database refused, or cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process goes on with the same file.
    #[error("another process goes on with this import")]
    TakenOver,
    /// The thread that reads ended early: a defect.
    #[error("the file was not read to its end")]
    Unread,
}

impl ImportError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            ImportError::Open(error) => error.code(),
            ImportError::Read(_) => "file_unreadable",
            ImportError::Keyring(error) => error.code(),
            ImportError::Store(error) => error.code(),
            ImportError::TakenOver => "import_taken_over",
            ImportError::Unread => "internal",
        }
    }
}

/// How an import's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every row was read.
    Done,
    /// It was told to stop, and did after a chunk.
    Stopped,
}

/// The facilities whose doses a file may hold.
pub struct Places {
    /// Every facility's province.
    provinces: HashMap<String, String>,
    realm: Realm,
}

const FACILITY_UNKNOWN: (&str, Said) =
    ("facility_unknown", Said { en: "no facility has this code", vi: "không có cơ sở tiêm chủng nào mang mã này" });
const FACILITY_MISSING: (&str, Said) = (
    "facility_missing",
    Said {
        en: "the row names no facility, and none was given for the file",
        vi: "dòng này không ghi cơ sở tiêm chủng, và tệp cũng không có cơ sở chung",
    },
);
const NOT_YOURS: (&str, Said) =
    ("not_yours", Said { en: "this facility is another's", vi: "cơ sở tiêm chủng này thuộc về nơi khác" });

impl Places {
    /// The facilities of the reference data, as far as `realm` reaches.
    pub async fn read(store: &Store, realm: Realm) -> Result<Places, StoreError> {
        let facilities = store.facilities().await?;
        Ok(Places { provinces: facilities.into_iter().map(|place| (place.code, place.province)).collect(), realm })
    }

    /// The province of a facility that is within reach, else a word and a sentence.
    pub fn province_of(&self, facility: &str) -> Result<&str, (&'static str, Said)> {
        let province = self.provinces.get(facility).ok_or(FACILITY_UNKNOWN)?;
        let own = match &self.realm {
            Realm::Facility(code) => code == facility,
            Realm::Province(code) => code == province,
            Realm::All => true,
        };
        if own { Ok(province) } else { Err(NOT_YOURS) }
    }
}

/// How rows are checked: for whom, for which facilities, and when.
pub struct Checking {
    /// Which facilities.
    pub places: Places,
    /// The facility of rows that name none.
    pub facility: Option<String>,
    /// Who sends the file: the doses are recorded by them.
    pub subject: String,
    /// What the file is said to be.
    pub media: Media,
    /// Nothing later than now has happened.
    pub now: UnixSeconds,
}

/// A row that was read: checked, or with what is wrong.
struct ReadRow {
    line: u64,
    cells: Vec<String>,
    row: Result<Box<Row>, Vec<RejectReason>>,
}

/// Rows that were read together.
struct Chunk {
    rows: Vec<ReadRow>,
    headings: Arc<[String]>,
    /// How many rows of the file end with this chunk.
    rows_read: u64,
    /// How far into the file.
    bytes_read: u64,
}

/// A rejected row, as a preview shows it and a file of rejects holds it.
pub struct Rejected {
    /// The line in the file.
    pub line: u64,
    /// What is wrong.
    pub reasons: Vec<RejectReason>,
    /// The row as it was.
    pub cells: Vec<String>,
}

impl Rejected {
    /// The row as a line of a file of rejects: see [`backlog::rejects_line`].
    pub fn csv(&self) -> String {
        let reasons = self.reasons.iter().map(|reason| (reason.code.as_str(), reason.column.as_str()));
        backlog::rejects_line(&self.cells, self.line, reasons)
    }
}

/// Reads a file on a thread of its own, from its row `skip` on.
fn read<R: Read + Send + 'static>(
    source: R,
    checking: Checking,
    data_key: Arc<DataKey>,
    skip: u64,
) -> (mpsc::Receiver<Chunk>, JoinHandle<Result<(), ImportError>>) {
    let (send, receive) = mpsc::channel(AHEAD);
    let thread = tokio::task::spawn_blocking(move || read_chunks(source, &checking, &data_key, skip, &send));
    (receive, thread)
}

fn read_chunks<R: Read>(
    source: R,
    checking: &Checking,
    data_key: &DataKey,
    skip: u64,
    send: &mpsc::Sender<Chunk>,
) -> Result<(), ImportError> {
    let mut reader = BacklogReader::open(source, checking.media)?;
    let headings: Arc<[String]> = reader.headings().into();
    let (mut rows, mut bytes, mut rows_read) = (Vec::with_capacity(CHUNK), 0, 0);
    loop {
        let next = reader.next()?;
        let ended = next.is_none();
        if let Some(row) = next {
            rows_read += 1;
            if rows_read <= skip {
                continue;
            }
            bytes += row.cells.iter().map(String::len).sum::<usize>();
            rows.push(checking.row(row, data_key, |field| reader.column_of(field)));
        }
        // A file without a row is committed too: its headings, and that it was read.
        if ended || rows.len() == CHUNK || bytes > CHUNK_BYTES {
            bytes = 0;
            let rows = std::mem::replace(&mut rows, Vec::with_capacity(CHUNK));
            let headings = Arc::clone(&headings);
            let chunk = Chunk { rows, headings, rows_read, bytes_read: reader.bytes_read() };
            let heard = send.blocking_send(chunk).is_ok();
            if ended || !heard {
                return Ok(());
            }
        }
    }
}

impl Checking {
    fn row(&self, row: BacklogRow, data_key: &DataKey, column_of: impl Fn(&str) -> String) -> ReadRow {
        let BacklogRow { line, cells, facility, record } = row;
        let place = facility.or_else(|| self.facility.clone());
        let place = match place {
            None => Err(FACILITY_MISSING),
            Some(place) => self.places.province_of(&place).map(|_| place),
        };
        let mut reasons = Vec::new();
        if let Err((code, said)) = place {
            reasons.push(reason(&column_of("facility"), code, said));
        }
        let row = match (record, place) {
            (Err(errors), _) => {
                reasons.extend(errors.into_iter().map(RejectReason::from));
                Err(reasons)
            }
            (Ok(_), Err(_)) => Err(reasons),
            (Ok(record), Ok(facility)) => {
                let by = Reporter { facility, subject: self.subject.clone() };
                let row = doses::row(data_key, &by, record, self.now);
                row.map(Box::new).map_err(|error| vec![reason(&column_of(error.field), error.code, error.reason)])
            }
        };
        ReadRow { line, cells, row }
    }
}

fn reason(column: &str, code: &str, said: Said) -> RejectReason {
    RejectReason { column: column.to_owned(), code: code.to_owned(), en: said.en.to_owned(), vi: said.vi.to_owned() }
}

impl From<CellError> for RejectReason {
    fn from(error: CellError) -> RejectReason {
        reason(&error.column, error.code, error.reason)
    }
}

/// What is wrong with a good row whose dose was not recorded.
fn reason_of(error: &DoseError) -> RejectReason {
    let said = match error {
        DoseError::RecordConflict => {
            Said { en: "this number was used for another dose", vi: "số này đã dùng cho một mũi tiêm khác" }
        }
        _ => Said { en: "this dose cannot be certified", vi: "không thể cấp chứng nhận cho mũi tiêm này" },
    };
    reason(error.field().unwrap_or_default(), error.code(), said)
}

/// Checks a file and writes nothing. `rejected` is shown every row that would not be taken, `moved` how far it is.
///
/// What only the database knows is not looked at: a record number used for another dose, say.
pub async fn preview<R: Read + Send + 'static>(
    data_key: Arc<DataKey>,
    source: R,
    checking: Checking,
    mut rejected: impl FnMut(&[String], Rejected),
    mut moved: impl FnMut(&ImportCounts) -> bool,
) -> Result<(ImportCounts, Ended), ImportError> {
    let (mut chunks, thread) = read(source, checking, data_key, 0);
    let mut counts = ImportCounts::default();
    while let Some(chunk) = chunks.recv().await {
        (counts.rows, counts.bytes) = (chunk.rows_read, chunk.bytes_read);
        for ReadRow { line, cells, row } in chunk.rows {
            if let Err(reasons) = row {
                counts.rejected += 1;
                rejected(&chunk.headings, Rejected { line, reasons, cells });
            }
        }
        if !moved(&counts) {
            return Ok((counts, Ended::Stopped));
        }
    }
    thread.await.map_err(|_| ImportError::Unread)??;
    Ok((counts, Ended::Done))
}

/// Records the doses of a file, from where its import stands to its end.
///
/// `clock`: asked for each chunk, so that a certificate's `iat` and the import's progress are of the time when they are written.
/// `moved` is told after each chunk what came of the rows so far, and says whether to go on. Errors: [`ImportError`]; the
/// import's row says the same.
pub async fn run<R: Read + Send + 'static>(
    desk: &Desk,
    source: R,
    checking: Checking,
    import: &ImportRow,
    clock: &Clock,
    mut moved: impl FnMut(&ImportCounts) -> bool,
) -> Result<(ImportCounts, Ended), ImportError> {
    desk.store.set_import_status(import.id, ImportStatus::Running, clock.now()).await?;
    let (chunks, thread) = read(source, checking, Arc::clone(&desk.data_key), import.counts.rows);
    let ended = match record(desk, chunks, import, clock, &mut moved).await {
        Ok((counts, Ended::Done)) => {
            thread.await.map_err(|_| ImportError::Unread).flatten().map(|()| (counts, Ended::Done))
        }
        stopped => stopped,
    };
    let status = match &ended {
        Ok((_, Ended::Done)) => ImportStatus::Done,
        Ok((_, Ended::Stopped)) => ImportStatus::Interrupted,
        Err(ImportError::Open(_) | ImportError::Read(_) | ImportError::Unread) => ImportStatus::Failed,
        Err(ImportError::TakenOver) => return ended,
        Err(_) => ImportStatus::Interrupted,
    };
    match desk.store.set_import_status(import.id, status, clock.now()).await {
        Err(error) if ended.is_ok() => Err(error.into()),
        _ => ended,
    }
}

async fn record(
    desk: &Desk,
    mut chunks: mpsc::Receiver<Chunk>,
    import: &ImportRow,
    clock: &Clock,
    moved: &mut impl FnMut(&ImportCounts) -> bool,
) -> Result<(ImportCounts, Ended), ImportError> {
    let mut counts = import.counts;
    while let Some(chunk) = chunks.recv().await {
        let (trust, now) = (desk.trust.load_full(), clock.now());
        desk.keyring.signing_key(Profile::Compact, &trust, now)?;
        let planner =
            Planner { chunk, keyring: Arc::clone(&desk.keyring), trust, data_key: Arc::clone(&desk.data_key), now };
        let work = CommitChunk { desk, planner: Arc::new(planner), import: import.id, before: counts };
        counts = desk.store.transact(&work).await?.ok_or(ImportError::TakenOver)?;
        if !moved(&counts) {
            return Ok((counts, Ended::Stopped));
        }
    }
    Ok((counts, Ended::Done))
}

/// What a chunk's rows are planned and certified with, on a thread of its own.
struct Planner {
    chunk: Chunk,
    keyring: Arc<Keyring>,
    trust: Arc<TrustList>,
    data_key: Arc<DataKey>,
    now: UnixSeconds,
}

/// What becomes of some of a chunk's rows.
#[derive(Default)]
struct Part {
    writes: Writes,
    rejects: Vec<Reject>,
    new_doses: u64,
    known_doses: u64,
}

/// What the store knows of a chunk's rows.
struct Known {
    records: Vec<KnownRecord>,
    candidates: Vec<Candidate>,
    doses: Vec<DoseRow>,
}

impl Planner {
    /// Plans the rows in their order and hands them on part by part: the database writes one while the next is signed.
    fn plan(&self, known: Known, send: &mpsc::Sender<Part>) -> Result<(), KeyringError> {
        let key = self.keyring.signing_key(Profile::Compact, &self.trust, self.now)?;
        let mut plan = Plan::new(&key, self.now, known.records, known.candidates, known.doses);
        for rows in self.chunk.rows.chunks(PART) {
            let mut part = Part::default();
            for read in rows {
                let reasons = match read.row.as_deref().map(|row| plan.take(row)) {
                    Err(reasons) => reasons.clone(),
                    Ok(Answer::Ready(Err(error))) => vec![reason_of(&error)],
                    Ok(Answer::Ready(Ok(recorded))) if recorded.new => {
                        part.new_doses += 1;
                        continue;
                    }
                    Ok(Answer::Ready(Ok(_)) | Answer::Stored(_)) => {
                        part.known_doses += 1;
                        continue;
                    }
                };
                let cells_sealed = seal_cells(&self.data_key, &read.cells);
                part.rejects.push(Reject { line: read.line, reasons, cells_sealed });
            }
            part.writes = plan.drain();
            if send.blocking_send(part).is_err() {
                break; // the transaction failed, and says why itself
            }
        }
        Ok(())
    }
}

/// A chunk as one transaction: what is known of its people, what becomes of its rows, and how far the import is.
struct CommitChunk<'a> {
    desk: &'a Desk,
    planner: Arc<Planner>,
    import: Uuid,
    before: ImportCounts,
}

impl Work for CommitChunk<'_> {
    /// `None`: another process goes on with this import.
    type Output = Option<ImportCounts>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Option<ImportCounts>, StoreError> {
        let Some(known) = self.read(tx).await? else { return Ok(None) };
        let (chunk, now) = (&self.planner.chunk, self.planner.now);
        let mut counts = ImportCounts { rows: chunk.rows_read, bytes: chunk.bytes_read, ..self.before };
        let (send, mut parts) = mpsc::channel(AHEAD);
        let planner = Arc::clone(&self.planner);
        let planning = tokio::task::spawn_blocking(move || planner.plan(known, &send));
        while let Some(part) = parts.recv().await {
            doses::write(tx, &part.writes, now).await?;
            let queued = corrections::queue_unclear(tx, &part.writes.unclear, self.desk.correction_hours, now);
            store::together(queued, tx.insert_rejects(self.import, &part.rejects)).await?;
            counts.new_doses += part.new_doses;
            counts.known_doses += part.known_doses;
            counts.queued += part.writes.unclear.len() as u64;
            counts.rejected += part.rejects.len() as u64;
        }
        // A plan that broke off must not be committed as if it were whole.
        let planned = planning.await.map_err(|_| StoreError::Unreadable("dose"))?;
        planned.map_err(|_| StoreError::Unreadable("issuer_key"))?;
        tx.advance_import(self.import, &counts, &chunk.headings, now).await?;
        Ok(Some(counts))
    }
}

impl CommitChunk<'_> {
    /// What the store knows of the rows, their people locked; `None` if the import does not stand where it should.
    async fn read(&self, tx: &Tx<'_>) -> Result<Option<Known>, StoreError> {
        let rows = || self.planner.chunk.rows.iter().filter_map(|read| read.row.as_ref().ok());
        let records: Vec<(String, String)> =
            rows().map(|row| (row.facility.clone(), row.dose.record_no.clone())).collect();
        let identities: Vec<Hash> = rows().filter_map(|row| row.identity_hash).collect();
        let phones: Vec<Hash> = rows().filter_map(|row| row.phone_hash).collect();
        let known = store::together(tx.records(&records), tx.candidates(&identities, &phones));
        let (stands_at, (records, candidates)) = store::together(tx.lock_import(self.import), known).await?;
        if stands_at != Some(self.before.rows) {
            return Ok(None);
        }
        let mut people: Vec<Uuid> = candidates.iter().map(|candidate| candidate.row.person).collect();
        people.sort_unstable();
        people.dedup();
        let doses = if people.is_empty() { Vec::new() } else { tx.lock_people(&people).await? };
        Ok(Some(Known { records, candidates, doses }))
    }
}

fn seal_cells(data_key: &DataKey, cells: &[String]) -> Vec<u8> {
    data_key.seal(CELLS, &serde_json::to_string(cells).expect("texts are JSON"))
}

/// The rows of an import that were not taken, after this line, at most `limit`; `None` of a row that does not open.
pub async fn rejected(
    store: &Store,
    data_key: &DataKey,
    import: Uuid,
    after: u64,
    limit: i64,
) -> Result<Vec<Rejected>, StoreError> {
    let rows = store.import_rejects(import, after, limit).await?;
    let opened = rows.into_iter().map(|reject| {
        let cells = data_key.open(CELLS, &reject.cells_sealed).ok();
        let cells = cells.and_then(|cells| serde_json::from_str(&cells).ok());
        let cells = cells.ok_or(StoreError::Unreadable("import_reject"))?;
        Ok(Rejected { line: reject.line, reasons: reject.reasons, cells })
    });
    opened.collect()
}
