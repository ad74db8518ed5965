//! Revocations by the ministry: a list of many, read row by row and committed in chunks; and a second person's undoing of them.

mod list;
mod undo;

use std::collections::HashSet;
use std::io::Read;

use uuid::Uuid;

use crate::certificate::{UnixSeconds, Uvci};
use crate::store::{Audited, Revoked, Store, StoreError};

pub use list::{List, ListRow, MAX_WHY_CHARS};
pub use undo::{Named, UNDO_WITHIN_S, UndoError, Undone, undo};

/// Rows that share a transaction.
const CHUNK: usize = 500;

/// Why a list is not read, or not to its end. What was committed before stays; the same list sent again goes on.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Nothing is in it.
    #[error("the list is empty")]
    Empty,
    /// Its first line does not name the columns.
    #[error("the first line must name the columns uvci and why, each once")]
    Columns,
    /// Its bytes could not be read.
    #[error("the list could not be read")]
    Io(#[from] std::io::Error),
    /// The database refused, or cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ListError {
    /// The one stable word for this error.
    pub fn code(&self) -> &'static str {
        match self {
            ListError::Empty => "file_empty",
            ListError::Columns => "columns_missing",
            ListError::Io(_) => "file_unreadable",
            ListError::Store(error) => error.code(),
        }
    }
}

/// What came of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStatus {
    /// The certificate is revoked now.
    Revoked,
    /// It was before.
    Already,
    /// We never issued it.
    Unknown,
    /// The row cannot be read.
    Malformed,
}

impl RowStatus {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            RowStatus::Revoked => "revoked",
            RowStatus::Already => "already",
            RowStatus::Unknown => "unknown",
            RowStatus::Malformed => "malformed",
        }
    }
}

impl From<Revoked> for RowStatus {
    fn from(revoked: Revoked) -> RowStatus {
        match revoked {
            Revoked::Unknown => RowStatus::Unknown,
            Revoked::New => RowStatus::Revoked,
            Revoked::Already(_) => RowStatus::Already,
        }
    }
}

/// The answer to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowAnswer {
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// Which certificate, if it is one of ours by its form. Of a malformed row nothing is repeated.
    pub uvci: Option<Uvci>,
    /// What came of it.
    pub status: RowStatus,
    /// The column that is malformed; empty where the whole row is.
    pub field: Option<&'static str>,
}

/// How many rows came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Revoked now.
    pub revoked: u64,
    /// Revoked before.
    pub already: u64,
    /// Never issued.
    pub unknown: u64,
    /// Not to be read.
    pub malformed: u64,
}

impl Counts {
    fn count(&mut self, status: RowStatus) {
        *match status {
            RowStatus::Revoked => &mut self.revoked,
            RowStatus::Already => &mut self.already,
            RowStatus::Unknown => &mut self.unknown,
            RowStatus::Malformed => &mut self.malformed,
        } += 1;
    }
}

/// What is done with a list's rows.
enum Doing {
    /// They are revoked, at this instant, as this batch.
    Revoke(Uuid, UnixSeconds),
    /// It is said what would come of them. With what was met so far, for a list may name one certificate twice.
    Preview(HashSet<Uvci>),
}

/// A list under way.
pub struct Listed<R: Read> {
    store: Store,
    list: List<R>,
    doing: Doing,
    counts: Counts,
}

impl<R: Read> Listed<R> {
    /// A list that is revoked as `batch`; who asked is in the audit trail when this returns.
    pub async fn begin(store: Store, list: List<R>, batch: Uuid, by: &Audited) -> Result<Listed<R>, ListError> {
        store.begin_revocations(batch, by).await?;
        Ok(Listed { store, list, doing: Doing::Revoke(batch, by.at), counts: Counts::default() })
    }

    /// A list of which it is only said what would come of it. Nothing is written.
    pub fn preview(store: Store, list: List<R>) -> Listed<R> {
        Listed { store, list, doing: Doing::Preview(HashSet::new()), counts: Counts::default() }
    }

    /// The answers to the next rows, in their order; empty at the end. What they say is committed.
    pub async fn next(&mut self) -> Result<Vec<RowAnswer>, ListError> {
        let mut rows = Vec::with_capacity(CHUNK);
        while rows.len() < CHUNK {
            match self.list.next_row()? {
                Some(row) => rows.push(row),
                None => break,
            }
        }
        let asked: Vec<(Uvci, &str)> =
            rows.iter().filter_map(|row| row.asked.as_ref().ok().map(|(uvci, why)| (*uvci, why.as_str()))).collect();
        let mut came = match &mut self.doing {
            _ if asked.is_empty() => Vec::new(),
            Doing::Revoke(batch, at) => self.store.revoke_some(*batch, &asked, *at).await?,
            Doing::Preview(met) => {
                let uvcis: Vec<Uvci> = asked.iter().map(|(uvci, _)| *uvci).collect();
                let came = self.store.would_revoke(&uvcis).await?;
                let again = |(uvci, came)| match came {
                    Revoked::New if !met.insert(uvci) => Revoked::Already(UnixSeconds(0)),
                    came => came,
                };
                uvcis.into_iter().zip(came).map(again).collect()
            }
        }
        .into_iter();
        let mut answers = Vec::with_capacity(rows.len());
        for row in &rows {
            let (uvci, status, field) = match &row.asked {
                Ok((uvci, _)) => (Some(*uvci), came.next().map_or(RowStatus::Unknown, RowStatus::from), None),
                Err(field) => (None, RowStatus::Malformed, Some(*field)),
            };
            self.counts.count(status);
            answers.push(RowAnswer { line: row.line, uvci, status, field });
        }
        Ok(answers)
    }

    /// True if it is only said what would come of it.
    pub fn is_preview(&self) -> bool {
        matches!(self.doing, Doing::Preview(_))
    }

    /// How many rows came out how, so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}
