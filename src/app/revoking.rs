//! Revocations asked of this node, and their undoing: in force here when they are answered, elsewhere at the next poll.

use std::io::Read;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::App;
use crate::certificate::Uvci;
use crate::registration::revocations::{
    self as revoking, ListError, Listed, Named, RowAnswer, RowStatus, UndoError, Undone,
};
use crate::revocation::{self, Change};
use crate::store::{Audited, Revoked, StoreError};

/// Lists of revocations that may be in work at once: each is held in memory.
pub(super) const LISTS_AT_ONCE: usize = 2;

impl App {
    /// Revokes one certificate, as a batch of its own: it is rejected here when this returns.
    pub async fn revoke(&self, uvci: &Uvci, batch: Uuid, by: &Audited) -> Result<Revoked, StoreError> {
        let revoked = self.store.revoke(uvci, batch, by).await?;
        if revoked != Revoked::Unknown {
            // The poller brings the version; the certificate does not wait for it.
            self.fell(&[*uvci]);
        }
        Ok(revoked)
    }

    /// The answers to the next rows of a list; empty at its end. What they revoke is rejected here when this returns.
    pub async fn revoke_next<R: Read>(&self, list: &mut Listed<R>) -> Result<Vec<RowAnswer>, ListError> {
        let answers = list.next().await?;
        let revoked = answers.iter().filter(|answer| answer.status == RowStatus::Revoked && !list.is_preview());
        self.fell(&revoked.filter_map(|answer| answer.uvci).collect::<Vec<_>>());
        Ok(answers)
    }

    /// Undoes revocations: what they revoked is accepted here again when this returns.
    pub async fn undo_revocations(&self, named: Named, by: &Audited) -> Result<Undone, UndoError> {
        let undone = revoking::undo(&self.store, named, by).await?;
        let change = |uvci: &Uvci| Change::Remove(revocation::entry(&uvci.text()));
        self.engine.put_ahead(&undone.restored.iter().map(change).collect::<Vec<_>>());
        self.held_lists.forget_all();
        Ok(undone)
    }

    /// Room for one more list of revocations, which is held in memory; `None` if there is none.
    pub fn room_for_list(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.lists).try_acquire_owned().ok()
    }

    /// Rejects these certificates here from now on: they are revoked in the database.
    pub fn fell(&self, revoked: &[Uvci]) {
        if revoked.is_empty() {
            return;
        }
        let change = |uvci: &Uvci| Change::Add(revocation::entry(&uvci.text()));
        self.engine.put_ahead(&revoked.iter().map(change).collect::<Vec<_>>());
        revoked.iter().for_each(|uvci| self.pictures.forget(*uvci));
        self.held_lists.forget_all();
    }
}
