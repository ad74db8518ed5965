//! The index of revocations as a publisher signed it: by whichever node is the first at its version, for all of them.

use bytes::Bytes;

use super::{App, StartError};
use crate::certificate::UnixSeconds;
use crate::revocation::Edition;
use crate::signed::{self, Kind, Stamp};

/// For how long an index may be relied on, in seconds: a day without us, and it is stale. It is signed anew at half of that.
const NEXT_UPDATE_S: i64 = 24 * 3600;

/// An index as a publisher signed it.
#[derive(Debug)]
pub struct SignedIndex {
    stamp: Stamp,
    bytes: Bytes,
}

impl SignedIndex {
    /// Which version it is, and until when.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The COSE_Sign1.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// True if half of its time is over.
    pub(super) fn is_due(&self, now: UnixSeconds) -> bool {
        now.0 > self.stamp.issued_at.0.midpoint(self.stamp.next_update.0)
    }
}

impl App {
    /// The signed form of an edition's index: what a node stored, else what is signed here, and stored for all.
    ///
    /// `None` while no node has a publisher key that the trust list names: [`App::remarks`] says so.
    pub(super) async fn signed_index(&self, edition: &Edition) -> Result<Option<SignedIndex>, StartError> {
        let (version, json) = (edition.index().version, edition.index().to_json());
        if let Some(stored) = self.stored_index(version, &json).await? {
            return Ok(Some(stored));
        }
        let Ok(key) = self.publisher_key() else { return Ok(None) };
        let issued_at = self.clock.now();
        let stamp = Stamp { version, issued_at, next_update: UnixSeconds(issued_at.0 + NEXT_UPDATE_S) };
        let bytes = signed::sign(Kind::Revocations, stamp, &json, &key)?;
        if !self.store.keep_signed(Kind::Revocations, stamp, &bytes).await?
            && let Some(stored) = self.stored_index(version, &json).await?
        {
            return Ok(Some(stored));
        }
        // Or another node is ahead of us: until we are where it is, ours is as good.
        Ok(Some(SignedIndex { stamp, bytes: bytes.into() }))
    }

    /// What is stored, if it is this index under a signature that verifiers take, and not due.
    async fn stored_index(&self, version: u64, json: &[u8]) -> Result<Option<SignedIndex>, StartError> {
        let stamp = self.store.signed_stamp(Kind::Revocations).await?;
        if stamp.is_none_or(|(stored, _)| stored != version) {
            return Ok(None);
        }
        let Some(bytes) = self.store.signed(Kind::Revocations).await? else { return Ok(None) };
        let (trust, now) = (self.trust(), self.clock.now());
        let opened = signed::open(Kind::Revocations, &bytes, trust.publisher_keys(now), now, version);
        let stamp = opened.ok().filter(|opened| opened.payload == json).map(|opened| opened.stamp);
        let index = stamp.map(|stamp| SignedIndex { stamp, bytes: bytes.into() });
        Ok(index.filter(|index| index.stamp.version == version && !index.is_due(now)))
    }
}
