//! Undoing revocations: within an hour, by somebody else than who made them, and only where the certificate is still true.

use std::collections::HashMap;
use std::str::FromStr;

use uuid::Uuid;

use crate::certificate::Uvci;
use crate::registration::restate::is_true;
use crate::store::{Audited, CertificateRow, DoseRow, RevocationBatch, Store, StoreError, Tx, Work};

/// For how long a revocation can be undone, in seconds.
pub const UNDO_WITHIN_S: i64 = 3600;

/// Certificates whose revocations are undone in one transaction.
const CHUNK: i64 = 200;

/// What is to be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The revocation of one certificate, alone or from a list.
    Certificate(Uvci),
    /// All of a request.
    Batch(Uuid),
}

impl FromStr for Named {
    type Err = ();

    /// Reads a UVCI of ours, or the id of a request.
    fn from_str(text: &str) -> Result<Named, ()> {
        match text.parse() {
            Ok(uvci) => Ok(Named::Certificate(uvci)),
            Err(_) => Uuid::try_parse(text).map(Named::Batch).map_err(|_| ()),
        }
    }
}

/// Why a revocation is not undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// We never issued this certificate.
    #[error("no certificate has this UVCI")]
    UnknownCertificate,
    /// No request to revoke has this id.
    #[error("no request to revoke has this id")]
    UnknownRevocation,
    /// The certificate was never revoked.
    #[error("the certificate was not revoked")]
    NotRevoked,
    /// It fell because a record was put right.
    #[error("it was revoked because the record was put right; put the record right again instead")]
    PutRight,
    /// The one who revoked it may not undo it.
    #[error("it takes another person than the one who revoked it")]
    SecondPerson,
    /// The hour is over.
    #[error("a revocation can be undone within an hour")]
    TooLate,
    /// What is known of the person changed since.
    #[error("the certificate is no longer true: the record was changed since")]
    NoLongerTrue,
    /// What the database holds cannot be read: a defect, not the caller's fault.
    #[error("a stored row cannot be read")]
    Unreadable,
    /// The database refused, or cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UndoError {
    /// The one stable word for this error.
    pub fn code(&self) -> &'static str {
        match self {
            UndoError::UnknownCertificate => "unknown_certificate",
            UndoError::UnknownRevocation => "unknown_revocation",
            UndoError::NotRevoked => "not_revoked",
            UndoError::PutRight => "put_right",
            UndoError::SecondPerson => "second_person_needed",
            UndoError::TooLate => "too_late",
            UndoError::NoLongerTrue => "no_longer_true",
            UndoError::Unreadable => "row_unreadable",
            UndoError::Store(error) => error.code(),
        }
    }
}

/// What came of undoing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The request that revoked.
    pub batch: Uuid,
    /// Certificates that are accepted again.
    pub restored: Vec<Uvci>,
    /// How many were undone before.
    pub already: u64,
    /// How many stay revoked: no longer true, or revoked again since.
    pub kept: u64,
}

/// Takes revocations back, as `by` asks at `by.at`. Done twice, it finds them undone.
///
/// A certificate that something else superseded meanwhile is accepted again as any superseded one is, as long as it is true.
/// Errors: [`UndoError`].
pub async fn undo(store: &Store, named: Named, by: &Audited) -> Result<Undone, UndoError> {
    match named {
        Named::Certificate(uvci) => undo_one(store, uvci, by).await,
        Named::Batch(id) => {
            let batch = store.revocation_batch(id).await?.ok_or(UndoError::UnknownRevocation)?;
            check(&batch, by)?;
            undo_all(store, &batch, by).await
        }
    }
}

async fn undo_one(store: &Store, uvci: Uvci, by: &Audited) -> Result<Undone, UndoError> {
    let standing = store.revocation_standing(&uvci).await?.ok_or(UndoError::UnknownCertificate)?;
    let id = standing.batch.ok_or(UndoError::NotRevoked)?;
    let undone_before = Undone { batch: id, restored: Vec::new(), already: 1, kept: 0 };
    if !standing.revoked {
        return Ok(undone_before);
    }
    let batch = store.revocation_batch(id).await?.ok_or(UndoError::UnknownRevocation)?;
    check(&batch, by)?;
    let rows = [(uvci, standing.person)];
    let chunk = store.transact(&UndoSome { batch: id, rows: &rows, whole: false, by }).await??;
    match (chunk.restored.is_empty(), chunk.untrue) {
        (false, _) => Ok(Undone { restored: chunk.restored, already: 0, ..undone_before }),
        (true, 1..) => Err(UndoError::NoLongerTrue),
        // Somebody was faster.
        (true, 0) => Ok(undone_before),
    }
}

async fn undo_all(store: &Store, batch: &RevocationBatch, by: &Audited) -> Result<Undone, UndoError> {
    let mut undone = Undone { batch: batch.id, restored: Vec::new(), already: 0, kept: 0 };
    let mut after = None;
    loop {
        let page = store.revoked_by(batch.id, after, CHUNK).await?;
        let rows: Vec<(Uvci, Uuid)> =
            page.iter().filter(|(.., before)| !before).map(|(uvci, person, _)| (*uvci, *person)).collect();
        undone.already += (page.len() - rows.len()) as u64;
        let chunk = store.transact(&UndoSome { batch: batch.id, rows: &rows, whole: true, by }).await??;
        undone.kept += (rows.len() - chunk.restored.len()) as u64;
        undone.restored.extend(chunk.restored);
        match page.last() {
            Some((uvci, ..)) => after = Some(*uvci),
            None => return Ok(undone),
        }
    }
}

/// Fails unless `by` may undo the batch now.
fn check(batch: &RevocationBatch, by: &Audited) -> Result<(), UndoError> {
    if batch.put_right {
        return Err(UndoError::PutRight);
    }
    if batch.made_by == by.subject {
        return Err(UndoError::SecondPerson);
    }
    // What was begun in time may be finished.
    if by.at.0 > batch.made_at.0 + UNDO_WITHIN_S && !batch.undone {
        return Err(UndoError::TooLate);
    }
    Ok(())
}

struct UndoSome<'a> {
    batch: Uuid,
    rows: &'a [(Uvci, Uuid)],
    /// All of the batch is being undone: one audit entry for it, however many transactions.
    whole: bool,
    by: &'a Audited,
}

struct Chunk {
    restored: Vec<Uvci>,
    /// How many stay revoked because they are no longer true.
    untrue: u64,
}

impl Work for UndoSome<'_> {
    type Output = Result<Chunk, UndoError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        let mut people: Vec<Uuid> = self.rows.iter().map(|(_, person)| *person).collect();
        people.sort_unstable();
        people.dedup();
        let asked: Vec<Uvci> = self.rows.iter().map(|(uvci, _)| *uvci).collect();
        let mut chunk = Chunk { restored: Vec::new(), untrue: 0 };
        if !asked.is_empty() {
            let doses = tx.lock_people(&people).await?;
            let revoked = tx.still_revoked(self.batch, &people, &asked).await?;
            match self.judge(tx, &people, &doses, &revoked, &mut chunk).await? {
                Ok(()) => {}
                Err(error) => return Ok(Err(error)),
            }
            tx.undo_revocations(self.batch, &people, &chunk.restored, &self.by.subject, self.by.at).await?;
        }
        let audited = match self.whole {
            true => tx.begin_undo(self.batch, &self.by.subject, self.by.at).await?,
            false => !chunk.restored.is_empty(),
        };
        if audited {
            let about = people.first().copied().filter(|_| !self.whole);
            tx.audit(&Audited { about, ..self.by.clone() }).await?;
        }
        Ok(Ok(chunk))
    }
}

impl UndoSome<'_> {
    /// Finds out which of `revoked` still say what is known of their people, who are locked.
    async fn judge(
        &self,
        tx: &Tx<'_>,
        people: &[Uuid],
        doses: &[DoseRow],
        revoked: &[Uvci],
        chunk: &mut Chunk,
    ) -> Result<Result<(), UndoError>, StoreError> {
        let known = tx.known_people(people).await?;
        let certificates = tx.certificates_of(people).await?;
        let by_uvci: HashMap<Uvci, &CertificateRow> = certificates.iter().map(|row| (row.uvci, row)).collect();
        for uvci in revoked {
            let Some(row) = by_uvci.get(uvci) else { continue };
            let Some(person) = known.iter().find(|known| known.row.person == row.person) else { continue };
            let theirs: Vec<DoseRow> = doses.iter().filter(|dose| dose.person == row.person).cloned().collect();
            match is_true(row, &person.row, &theirs) {
                Ok(true) => chunk.restored.push(*uvci),
                Ok(false) => chunk.untrue += 1,
                Err(_) => return Ok(Err(UndoError::Unreadable)),
            }
        }
        Ok(Ok(()))
    }
}
