//! What holders were told of their certificates a moment ago, ready to be sent again.
//!
//! Kept for a second at most, by account. What is lost if it is lost: nothing, it is read anew. What it costs: a certificate may
//! be in its holder's list a second late; one that is revoked on this node leaves all lists at once, on another within that second.

use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use uuid::Uuid;

/// How long a list is kept.
const KEPT: Duration = Duration::from_secs(1);

/// Lists of certificates by account.
pub struct HeldLists(Cache<Uuid, Bytes>);

impl HeldLists {
    /// Room for `bytes` of lists.
    pub fn new(bytes: u64) -> HeldLists {
        let weigh = |_: &Uuid, list: &Bytes| u32::try_from(list.len() + 200).unwrap_or(u32::MAX);
        HeldLists(Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(KEPT).build())
    }

    /// The list of an account, if it was asked for within the last second.
    pub fn recall(&self, account: Uuid) -> Option<Bytes> {
        self.0.get(&account)
    }

    /// Keeps the list of an account.
    pub fn keep(&self, account: Uuid, list: Bytes) {
        self.0.insert(account, list);
    }

    /// Forgets the list of an account: it holds other people from now on.
    pub fn forget(&self, account: Uuid) {
        self.0.invalidate(&account);
    }

    /// Forgets all lists.
    pub fn forget_all(&self) {
        self.0.invalidate_all();
    }
}
