//! What holders were told of their certificates a moment ago, ready to be sent again.
//!
//! Kept for a second at most, by account. What is lost if it is lost: nothing, it is read anew. What it costs: a certificate may
//! be in its holder's list a second late; one that is revoked on this node leaves all lists at once, on another within that second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use uuid::Uuid;

/// How long a list is kept.
const KEPT: Duration = Duration::from_secs(1);

/// Lists of certificates by account.
pub struct HeldLists {
    lists: Cache<Uuid, Bytes>,
    /// How often something was forgotten.
    forgotten: AtomicU64,
}

/// When a list was begun to be read: before or after something was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun(u64);

impl HeldLists {
    /// Room for `bytes` of lists.
    pub fn new(bytes: u64) -> HeldLists {
        let weigh = |_: &Uuid, list: &Bytes| u32::try_from(list.len() + 200).unwrap_or(u32::MAX);
        let lists = Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(KEPT).build();
        HeldLists { lists, forgotten: AtomicU64::new(0) }
    }

    /// The list of an account, if it was asked for within the last second.
    pub fn recall(&self, account: Uuid) -> Option<Bytes> {
        self.lists.get(&account)
    }

    /// What is to be said of a list that is about to be read and then kept.
    pub fn begin(&self) -> Begun {
        Begun(self.forgotten.load(Ordering::SeqCst))
    }

    /// Keeps the list of an account, unless something was forgotten since it was begun to be read: it may be as it was before.
    pub fn keep(&self, account: Uuid, list: Bytes, begun: Begun) {
        if self.begin() == begun {
            self.lists.insert(account, list);
            if self.begin() != begun {
                self.lists.invalidate(&account); // whoever forgot in between may not have seen it
            }
        }
    }

    /// Forgets the list of an account: it holds other people from now on.
    pub fn forget(&self, account: Uuid) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.lists.invalidate(&account);
    }

    /// Forgets all lists.
    pub fn forget_all(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.lists.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_was_read_before_something_was_forgotten_is_not_kept() {
        let (account, list) = (Uuid::new_v4(), Bytes::from_static(b"[]"));
        let kept = |forget: fn(&HeldLists, Uuid)| {
            let lists = HeldLists::new(1 << 20);
            let begun = lists.begin();
            forget(&lists, account);
            lists.keep(account, list.clone(), begun);
            lists.recall(account).is_some()
        };
        assert!(kept(|_, _| ()));
        assert!(!kept(|lists, account| lists.forget(account)));
        assert!(!kept(|lists, _| lists.forget_all()));
    }
}
