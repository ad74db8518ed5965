//! Who has just written, for as long as a replica that is asked may not have it: their look-ups ask the primary meanwhile, so
//! that everybody reads what they wrote.
//!
//! What is lost if it is lost, as in a restart: a caller may for a moment read what was so before their write.

use std::time::Duration;

use moka::sync::Cache;

/// The callers who have just written, by what names them.
pub struct Lately {
    writers: Cache<String, ()>,
    kept: Duration,
}

/// A caller is writing. Dropped, it has been written.
#[derive(Debug)]
pub struct Wrote {
    writers: Cache<String, ()>,
    who: String,
}

/// How many callers are remembered at most; one that is forgotten early may read what was so before.
const MAX_WRITERS: u64 = 100_000;

impl Lately {
    /// Remembers for `max_lag`, behind which no replica is that is asked.
    pub fn new(max_lag: Duration) -> Lately {
        Lately { writers: Cache::builder().max_capacity(MAX_WRITERS).time_to_live(max_lag).build(), kept: max_lag }
    }

    /// Remembers that `who` writes, until what is returned is dropped and the time after that is over.
    pub fn writes(&self, who: String) -> Wrote {
        self.writers.insert(who.clone(), ());
        Wrote { writers: self.writers.clone(), who }
    }

    /// Whether `who` has just written.
    pub fn wrote(&self, who: &str) -> bool {
        self.writers.contains_key(who)
    }

    /// For how long that is so after a write.
    pub fn kept(&self) -> Duration {
        self.kept
    }
}

impl Drop for Wrote {
    fn drop(&mut self) {
        self.writers.insert(std::mem::take(&mut self.who), ());
    }
}
