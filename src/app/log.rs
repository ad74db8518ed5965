//! The transparency log of this node: numbering what waits, where it may, and reading tiles, places and proofs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::App;
use super::upkeep::{self, Said};
use crate::config::Config;
use crate::store::{Grown, LogHead, StoreError};
use crate::tlog::{self, Checkpoint, Hash, Resource, Tile, Tiles, WIDTH, checkpoint, head_of, leaves, needed};

/// The log is tended once in so many refreshes: each second, by the default settings.
const EVERY: u32 = 5;
/// By when an entry is in the log, in seconds; one that waits longer is reported.
const PROMISED_S: i64 = 10;
/// Requests that may read the log from the database at once; who issues has the other connections.
const READERS: usize = 4;
/// How long a reader waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// More entries than any prefix that is answered has.
const MAX_NAMED: i64 = 10_000;

/// What this node knows of the log.
pub struct Log {
    head: ArcSwapOption<LogHead>,
    /// Since when the oldest batch waits, in seconds since 1970; 0 if none does.
    waits_since: AtomicI64,
    readers: Arc<Semaphore>,
}

impl Default for Log {
    fn default() -> Log {
        Log { head: ArcSwapOption::empty(), waits_since: AtomicI64::new(0), readers: Arc::new(Semaphore::new(READERS)) }
    }
}

/// That an entry is in the log, and the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Where, from 0.
    pub index: u64,
    /// The hashes from its neighbour to the root's child. Source: RFC 6962 §2.1.1.
    pub proof: Vec<Hash>,
    /// The log that it is proved to be in.
    pub head: Arc<LogHead>,
}

/// What a new log is called: where it is found, without the scheme.
fn origin(config: &Config) -> String {
    let url = config.http.public_url.as_str();
    let name = format!("{}/v1/log", url.split_once("://").map_or(url, |(_, rest)| rest));
    if !url.is_empty() && checkpoint::is_origin(&name) { name } else { "localhost/v1/log".to_owned() }
}

impl App {
    /// Numbers what waits to be put into the log, if this node may sign and none other is at it, and notes how the log is.
    ///
    /// Errors: [`StoreError`]; what waits goes on waiting.
    pub async fn tend_log(&self) -> Result<(), StoreError> {
        // A publisher that signed and was withdrawn or is over: verifiers know another.
        let mut anew = self.store.log_head().await?.is_some_and(|head| !self.may_sign(&head.note));
        if (anew || self.store.log_waits_since().await?.is_some())
            && let Ok(key) = self.publisher_key()
        {
            let (origin, sign) = (origin(&self.config), |checkpoint: &Checkpoint| checkpoint.sign(&key));
            loop {
                match self.store.grow_log(self.node, &origin, self.clock.now(), anew, &sign).await? {
                    // What came meanwhile waits for the next time: while much is signed, some always waits.
                    Ok(Grown::By { more: true, .. }) if !*self.stop.borrow() => anew = false,
                    Ok(Grown::By { .. } | Grown::Nothing | Grown::Elsewhere) => break,
                    Err(error) => {
                        tracing::warn!(code = error.code(), "cannot sign the transparency log; what was signed waits");
                        break;
                    }
                }
                self.note_log().await?;
            }
        }
        self.note_log().await
    }

    /// Notes how the log is.
    async fn note_log(&self) -> Result<(), StoreError> {
        let waits_since = self.store.log_waits_since().await?.map_or(0, |at| at.0.max(1));
        self.log.waits_since.store(waits_since, Ordering::Relaxed);
        let head = self.store.log_head().await?;
        self.log.head.store(head.map(Arc::new));
        Ok(())
    }

    /// Whether a publisher signed this note that may sign now.
    fn may_sign(&self, note: &str) -> bool {
        let trust = self.trust();
        Checkpoint::open(note.as_bytes(), trust.publisher_keys(self.clock.now())).is_ok()
    }

    /// Tends the log until `stop` says so.
    pub(super) async fn keep_log(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let said = Said {
            fails: "cannot tend the transparency log; what was signed waits",
            works: "the transparency log is tended again",
        };
        let every = Duration::from_millis(self.config.cache.refresh_ms) * EVERY;
        upkeep::keep(every, stop, said, || self.tend_log()).await;
    }

    /// The log as it was signed last; `None` before its first entry. A second old at most, while the database is there.
    pub fn log_head(&self) -> Option<Arc<LogHead>> {
        self.log.head.load_full()
    }

    /// True if something was signed longer ago than it may take to be in the log.
    pub(super) fn log_is_late(&self) -> bool {
        let since = self.log.waits_since.load(Ordering::Relaxed);
        since != 0 && self.clock.now().0 - since > PROMISED_S
    }

    /// Room for one who reads the log; `None` if there is none for a while.
    pub async fn room_for_log(&self) -> Option<OwnedSemaphorePermit> {
        let room = Arc::clone(&self.log.readers).acquire_owned();
        tokio::time::timeout(PATIENCE, room).await.ok()?.ok()
    }

    /// Whether the log has such a tile, and as wide.
    pub fn log_has(&self, resource: Resource) -> bool {
        let asked = resource.tile();
        let there = self.log_head().and_then(|head| Tile::of_tree(asked.level, asked.n, head.checkpoint.size));
        there.is_some_and(|there| there.width >= asked.width)
    }

    /// The bytes of a tile or of its entries that [`App::log_has`].
    pub async fn log_resource(&self, resource: Resource) -> Result<Option<Vec<u8>>, StoreError> {
        let asked = resource.tile();
        let Some(hashes) = self.log_tile(asked).await? else { return Ok(None) };
        Ok(Some(match resource {
            Resource::Hashes(Tile { level: 0, .. }) => leaves(&hashes).concat(),
            Resource::Hashes(_) => hashes.concat(),
            // Each behind its length. Source: C2SP tlog-tiles.
            Resource::Entries(_) => hashes.iter().flat_map(|entry| [&[0, 32], &entry[..]].concat()).collect(),
        }))
    }

    /// What is stored of a tile, cut to its width; of level 0 the entries.
    async fn log_tile(&self, tile: Tile) -> Result<Option<Vec<Hash>>, StoreError> {
        let stored = self.store.log_tiles(&[tile]).await?.pop();
        Ok(stored.and_then(|(_, _, hashes)| hashes.get(..tile.width.into()).map(<[Hash]>::to_vec)))
    }

    /// The entries of the log that begin with a prefix, by their first eight bytes, each with its index.
    ///
    /// `digits`: how many hexadecimal digits the prefix has, `prefix` what number they are.
    pub async fn log_named(&self, prefix: u64, digits: u32) -> Result<Vec<(u64, u64)>, StoreError> {
        let size = self.log_head().map_or(0, |head| head.checkpoint.size);
        let free = 64 - 4 * digits;
        let (from, rest) = (prefix << free, (1 << free) - 1);
        let mut named = self.store.log_entries(from, from | rest, MAX_NAMED).await?;
        named.retain(|(_, index)| *index < size);
        Ok(named)
    }

    /// Proves that an entry is in the log; `None` if it is not, or not yet.
    ///
    /// Errors: [`StoreError::Unreadable`] if the tiles do not make the proof.
    pub async fn log_proof(&self, entry: &Hash) -> Result<Option<Logged>, StoreError> {
        const TILE: StoreError = StoreError::Unreadable("log_tile");
        let Some(head) = self.log_head() else { return Ok(None) };
        let (size, begins) = (head.checkpoint.size, head_of(entry));
        for (_, index) in self.store.log_entries(begins, begins, MAX_NAMED).await? {
            if index >= size {
                continue;
            }
            let wanted = needed(index, size);
            let (mut tiles, mut is_there) = (Tiles::default(), false);
            for (level, n, mut hashes) in self.store.log_tiles(&wanted).await? {
                let width = Tile::of_tree(level, n, size).map_or(0, |tile| tile.width);
                hashes.truncate(width.into());
                if level == 0 && n == index / WIDTH {
                    is_there = hashes.get((index % WIDTH) as usize) == Some(entry);
                }
                tiles.add(level, n, if level == 0 { leaves(&hashes) } else { hashes });
            }
            if is_there {
                let proof = tiles.inclusion(index, size).ok_or(TILE)?;
                let leaf = tlog::merkle::leaf_hash(entry);
                let holds = tlog::merkle::proves(&leaf, index, size, &proof, &head.checkpoint.root);
                return if holds { Ok(Some(Logged { index, proof, head })) } else { Err(TILE) };
            }
        }
        Ok(None)
    }

    pub(super) fn publish_log_gauges(&self) {
        let size = self.log_head().map_or(0, |head| head.checkpoint.size);
        let since = self.log.waits_since.load(Ordering::Relaxed);
        let waits = if since == 0 { 0 } else { self.clock.now().0 - since };
        metrics::gauge!("thexanh_log_size").set(size as f64);
        metrics::gauge!("thexanh_log_waits_seconds").set(waits as f64);
    }
}
