//! Backlog files under way: where each stands, what was not taken of it, and what waits for somebody to say whose it is.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::people::{seconds, timestamp};
use super::{Hash, Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;

/// Whose doses a file may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Realm {
    /// Those of one facility, by its code.
    Facility(String),
    /// Those of a province's facilities, by its code.
    Province(String),
    /// Everybody's.
    All,
}

impl Realm {
    /// The word in the table.
    fn as_str(&self) -> &'static str {
        match self {
            Realm::Facility(_) => "facility",
            Realm::Province(_) => "province",
            Realm::All => "all",
        }
    }
}

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportStatus {
    /// Its turn has not come.
    Waiting,
    /// It is worked on.
    Running,
    /// Every row was read.
    Done,
    /// It cannot be read on: what is wrong is with the file.
    Failed,
    /// It was stopped, and goes on where it stopped.
    Interrupted,
}

impl ImportStatus {
    const ALL: [ImportStatus; 5] = [
        ImportStatus::Waiting,
        ImportStatus::Running,
        ImportStatus::Done,
        ImportStatus::Failed,
        ImportStatus::Interrupted,
    ];

    /// The word in the table and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            ImportStatus::Waiting => "waiting",
            ImportStatus::Running => "running",
            ImportStatus::Done => "done",
            ImportStatus::Failed => "failed",
            ImportStatus::Interrupted => "interrupted",
        }
    }

    /// True if it goes on when it is begun again.
    pub fn is_unfinished(self) -> bool {
        matches!(self, ImportStatus::Waiting | ImportStatus::Running | ImportStatus::Interrupted)
    }
}

/// What came of the rows so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Rows read, whatever came of them.
    pub rows: u64,
    /// How far into the file.
    pub bytes: u64,
    /// Doses that were not known.
    pub new_doses: u64,
    /// Doses that were known already.
    pub known_doses: u64,
    /// Of the new ones, those that wait for somebody to say whose they are.
    pub queued: u64,
    /// Rows not taken.
    pub rejected: u64,
}

/// An import as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRow {
    /// Names it.
    pub id: Uuid,
    /// Whose doses, where the file does not say.
    pub facility: Option<String>,
    /// The facility's province, or that of whoever sent it.
    pub province: Option<String>,
    /// Whose doses may be in it.
    pub realm: Realm,
    /// The token's subject, or `command line`.
    pub made_by: String,
    /// What it was said to be: `guess`, `csv`, `fhir`.
    pub media: String,
    /// SHA-256 of the whole file.
    pub file_hash: Hash,
    /// The file's headings, once they are known.
    pub headings: Vec<String>,
    /// Where it stands.
    pub status: ImportStatus,
    /// How long the file is.
    pub bytes_total: u64,
    /// What came of it so far.
    pub counts: ImportCounts,
    /// When it was begun.
    pub started_at: UnixSeconds,
    /// When it last went on.
    pub updated_at: UnixSeconds,
    /// When it ended.
    pub ended_at: Option<UnixSeconds>,
}

/// What is wrong with one cell of a row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectReason {
    /// The column's heading.
    pub column: String,
    /// The stable word.
    pub code: String,
    /// One sentence in English.
    pub en: String,
    /// One sentence in Vietnamese.
    pub vi: String,
}

/// A row that was not taken.
#[derive(Clone)]
pub struct Reject {
    /// The line in the file.
    pub line: u64,
    /// What is wrong with it.
    pub reasons: Vec<RejectReason>,
    /// Its cells, a JSON array of texts, sealed.
    pub cells_sealed: Vec<u8>,
}

impl std::fmt::Debug for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reject(line {})", self.line)
    }
}

const COLUMNS: &str = "import_id, facility_code, province_code, reach, made_by, media, file_hash, headings, status, \
                       bytes_total, bytes_done, rows_done, new_doses, known_doses, queued, rejected, started_at, \
                       updated_at, ended_at";

fn import_of(row: &Row) -> Result<ImportRow, StoreError> {
    const UNREADABLE: StoreError = StoreError::Unreadable("import");
    let code = |at: usize| Some(row.get::<_, String>(at)).filter(|code| !code.is_empty());
    let count = |at: usize| u64::try_from(row.get::<_, i64>(at)).map_err(|_| UNREADABLE);
    let (facility, province) = (code(1), code(2));
    let realm = match row.get(3) {
        "facility" => Realm::Facility(facility.clone().ok_or(UNREADABLE)?),
        "province" => Realm::Province(province.clone().ok_or(UNREADABLE)?),
        "all" => Realm::All,
        _ => return Err(UNREADABLE),
    };
    let status: &str = row.get(8);
    let headings: Value = row.get(7);
    Ok(ImportRow {
        id: row.get(0),
        facility,
        province,
        realm,
        made_by: row.get(4),
        media: row.get(5),
        file_hash: super::people::hash_of(row.get(6)).ok_or(UNREADABLE)?,
        headings: serde_json::from_value(headings).map_err(|_| UNREADABLE)?,
        status: ImportStatus::ALL.into_iter().find(|known| known.as_str() == status).ok_or(UNREADABLE)?,
        bytes_total: count(9)?,
        counts: ImportCounts {
            bytes: count(10)?,
            rows: count(11)?,
            new_doses: count(12)?,
            known_doses: count(13)?,
            queued: count(14)?,
            rejected: count(15)?,
        },
        started_at: seconds(row.get(16)),
        updated_at: seconds(row.get(17)),
        ended_at: row.get::<_, Option<Timestamp>>(18).map(seconds),
    })
}

/// The database's form of a count: files are shorter than 2^63 bytes.
fn big(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Store {
    /// Begins an import, or gives the one of the same file and facility that is not finished.
    ///
    /// `new`: as it is to stand. A file whose import is over is begun again, and finds its doses known.
    pub async fn begin_import(&self, new: &ImportRow) -> Result<ImportRow, StoreError> {
        self.transact(&Begin(new)).await
    }

    /// The import with this id.
    pub async fn import(&self, id: Uuid) -> Result<Option<ImportRow>, StoreError> {
        let sql = format!("-- import\nSELECT {COLUMNS} FROM import WHERE import_id = $1");
        let row = self.found(&sql, &[/* id */ &id]).await?;
        row.as_ref().map(import_of).transpose()
    }

    /// Says where an import stands; its counts are left as they are. `ended_at` is set when it is over.
    pub async fn set_import_status(&self, id: Uuid, status: ImportStatus, at: UnixSeconds) -> Result<(), StoreError> {
        let client = self.client().await?;
        // What waits has not begun: the time that it takes is counted from its turn on.
        let sql = "-- set import status
                   UPDATE import SET started_at = CASE WHEN status = 'waiting' THEN $3 ELSE started_at END,
                                     status = $2, updated_at = $3, ended_at = $4
                   WHERE import_id = $1";
        let stmt = client.prepare_cached(sql).await?;
        let ended = (!status.is_unfinished()).then(|| timestamp(at));
        client.execute(&stmt, &[&id, &status.as_str(), &timestamp(at), &ended]).await?;
        Ok(())
    }

    /// Up to `limit` rows that were not taken of an import, after this line, in order.
    pub async fn import_rejects(&self, id: Uuid, after: u64, limit: i64) -> Result<Vec<Reject>, StoreError> {
        const UNREADABLE: StoreError = StoreError::Unreadable("import_reject");
        let sql = "-- import rejects
                   SELECT row_no, errors, cells FROM import_reject WHERE import_id = $1 AND row_no > $2
                   ORDER BY row_no LIMIT $3";
        let rows = self.rows(sql, &[/* id */ &id, /* after */ &big(after), /* limit */ &limit]).await?;
        let reject = |row: &Row| {
            let errors: Value = row.get(1);
            let text = |error: &Value, member: &str| Some(error.get(member)?.as_str()?.to_owned());
            let reason = |error: &Value| {
                Some(RejectReason {
                    column: text(error, "column")?,
                    code: text(error, "code")?,
                    en: text(error, "en")?,
                    vi: text(error, "vi")?,
                })
            };
            Ok(Reject {
                line: u64::try_from(row.get::<_, i64>(0)).map_err(|_| UNREADABLE)?,
                reasons: errors
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(reason)
                    .collect::<Option<_>>()
                    .ok_or(UNREADABLE)?,
                cells_sealed: row.get(2),
            })
        };
        rows.iter().map(reject).collect()
    }
}

struct Begin<'a>(&'a ImportRow);

impl Work for Begin<'_> {
    type Output = ImportRow;

    async fn run(&self, tx: &Tx<'_>) -> Result<ImportRow, StoreError> {
        let new = self.0;
        let (facility, hash) = (new.facility.as_deref().unwrap_or(""), new.file_hash.as_slice());
        let find = "-- import by file
                    SELECT import_id FROM import_by_file WHERE file_hash = $1 AND facility_code = $2 FOR UPDATE";
        let find = tx.inner.prepare_cached(find).await?;
        let known = tx.inner.query_opt(&find, &[/* hash */ &hash, /* facility */ &facility]).await?;
        if let Some(row) = &known {
            let id: Uuid = row.get(0);
            let sql = format!("-- import to go on with\nSELECT {COLUMNS} FROM import WHERE import_id = $1");
            let row = tx.inner.query_opt(&tx.inner.prepare_cached(&sql).await?, &[/* id */ &id]).await?;
            let earlier = row.as_ref().map(import_of).transpose()?;
            // Another caller may not go on under the first one's reach: theirs is an import of its own.
            if let Some(earlier) = earlier.filter(|row| row.status.is_unfinished() && row.realm == new.realm) {
                return Ok(earlier);
            }
        }
        let insert = "-- begin import
                      INSERT INTO import (import_id, facility_code, province_code, reach, made_by, media, file_hash, headings,
                                          status, bytes_total, bytes_done, rows_done, new_doses, known_doses, queued,
                                          rejected, started_at, updated_at)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, '[]', $8, $9, 0, 0, 0, 0, 0, 0, $10, $10)";
        let name = match known {
            None => {
                "-- name import's file\nINSERT INTO import_by_file (file_hash, facility_code, import_id) VALUES ($1, $2, $3)"
            }
            Some(_) => {
                "-- rename import's file\nUPDATE import_by_file SET import_id = $3 WHERE file_hash = $1 AND facility_code = $2"
            }
        };
        let (insert, name) = (tx.inner.prepare_cached(insert).await?, tx.inner.prepare_cached(name).await?);
        let province = new.province.as_deref().unwrap_or("");
        tx.inner
            .execute(
                &insert,
                &[
                    &new.id,
                    &facility,
                    &province,
                    &new.realm.as_str(),
                    &new.made_by,
                    &new.media,
                    &hash,
                    &new.status.as_str(),
                    &big(new.bytes_total),
                    &timestamp(new.started_at),
                ],
            )
            .await?;
        tx.inner.execute(&name, &[/* hash */ &hash, /* facility */ &facility, /* import */ &new.id]).await?;
        Ok(new.clone())
    }
}

impl Tx<'_> {
    /// Locks an import to the transaction's end. Returns how many of its rows are committed: if that is not what the caller
    /// believed, another process goes on with it.
    pub async fn lock_import(&self, id: Uuid) -> Result<Option<u64>, StoreError> {
        let sql = "-- lock import\nSELECT rows_done FROM import WHERE import_id = $1 FOR UPDATE";
        let row = self.inner.query_opt(&self.inner.prepare_cached(sql).await?, &[/* id */ &id]).await?;
        Ok(row.and_then(|row| u64::try_from(row.get::<_, i64>(0)).ok()))
    }

    /// Moves a locked import on, in the transaction that writes its rows.
    pub async fn advance_import(
        &self,
        id: Uuid,
        to: &ImportCounts,
        headings: &[String],
        at: UnixSeconds,
    ) -> Result<(), StoreError> {
        let sql = "-- advance import
                   UPDATE import SET bytes_done = $2, rows_done = $3, new_doses = $4, known_doses = $5, queued = $6,
                                     rejected = $7, headings = $8, updated_at = $9
                   WHERE import_id = $1";
        let stmt = self.inner.prepare_cached(sql).await?;
        let counts = [to.bytes, to.rows, to.new_doses, to.known_doses, to.queued, to.rejected].map(big);
        let [bytes, rows, new, known, queued, rejected] = &counts;
        let headings: Value = headings.into();
        self.inner.execute(&stmt, &[&id, bytes, rows, new, known, queued, rejected, &headings, &timestamp(at)]).await?;
        Ok(())
    }

    /// Keeps rows that were not taken.
    pub async fn insert_rejects(&self, id: Uuid, rejects: &[Reject]) -> Result<(), StoreError> {
        if rejects.is_empty() {
            return Ok(());
        }
        let sql = "-- reject rows
                   INSERT INTO import_reject (import_id, row_no, errors, cells)
                   SELECT $1, * FROM unnest($2::bigint[], $3::jsonb[], $4::bytea[])";
        let stmt = self.inner.prepare_cached(sql).await?;
        let lines: Vec<i64> = rejects.iter().map(|reject| big(reject.line)).collect();
        let told = |reason: &RejectReason| serde_json::json!({"column": reason.column, "code": reason.code, "en": reason.en, "vi": reason.vi});
        let errors: Vec<Value> =
            rejects.iter().map(|reject| reject.reasons.iter().map(told).collect::<Vec<_>>().into()).collect();
        let cells: Vec<&[u8]> = rejects.iter().map(|reject| reject.cells_sealed.as_slice()).collect();
        self.inner.execute(&stmt, &[&id, &lines, &errors, &cells]).await?;
        Ok(())
    }
}
