//! The transparency log: an outbox of what was signed, and the tree that the holder of a lease makes of it after commit.
//!
//! The tree is a pure function of the entries in their order. Its tiles, where entries are found, its size, its root and its
//! checkpoint are written in one transaction under a fence, so that it goes on from there whatever failed, and no two nodes
//! make two trees of it. What is in a tile never changes; one that is not full only grows.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::people::{seconds, timestamp};
use super::{Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;
use crate::keys::KeyError;
use crate::tlog::{Checkpoint, Edge, Hash, Tile, head_of};

/// For how long the holder of the sequencer's lease holds it; another node takes over after that.
const LEASE: Duration = Duration::from_secs(3);
const SEQUENCER: &str = "log-sequencer";
/// Batches numbered in one transaction at most.
const BATCHES: i64 = 256;
/// Entries numbered in one transaction: no batch is begun beyond these. More than a second's of a country's.
const ENTRIES: i64 = 16_384;

const HEAD: StoreError = StoreError::Unreadable("log_head");
const TILE: StoreError = StoreError::Unreadable("log_tile");
const PENDING: StoreError = StoreError::Unreadable("log_pending");

/// The log as it was signed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The note.
    pub note: String,
    /// When.
    pub signed_at: UnixSeconds,
}

/// Makes the note of a checkpoint.
pub type SignCheckpoint<'a> = &'a (dyn Fn(&Checkpoint) -> Result<String, KeyError> + Sync);

/// Where entries are in the log; one place each, unless somebody put it in twice.
pub(super) type Places = HashMap<Hash, Vec<i64>>;

/// What came of numbering.
#[derive(Debug, PartialEq, Eq)]
pub enum Grown {
    /// The log grew.
    By {
        /// How many entries it has more.
        entries: u64,
        /// True if what waited was too much for one transaction: others may wait still.
        more: bool,
    },
    /// Nothing waits.
    Nothing,
    /// Another node holds the lease.
    Elsewhere,
}

impl Store {
    /// The same store, leaving the log out: what that costs is measured against it.
    pub fn without_log(self) -> Store {
        Store { logs: false, ..self }
    }

    /// Since when the oldest batch waits to be numbered; `None` if none does.
    pub async fn log_waits_since(&self) -> Result<Option<UnixSeconds>, StoreError> {
        let client = self.client().await?;
        let stmt = client.prepare_cached("-- log waits since\nSELECT min(at) FROM log_pending").await?;
        Ok(client.query_one(&stmt, &[]).await?.get::<_, Option<Timestamp>>(0).map(seconds))
    }

    /// Numbers what waits, if this node holds or gets the lease, and signs what the tree is then.
    ///
    /// `node`: this process. `origin`: what the log is called if it is new. `anew`: sign it again even if nothing waits. Errors: [`StoreError::Unreadable`] if the tree is not
    /// what was signed; within the answer, why the checkpoint could not be signed: then nothing was numbered.
    pub async fn grow_log(
        &self,
        node: Uuid,
        origin: &str,
        now: UnixSeconds,
        anew: bool,
        sign: SignCheckpoint<'_>,
    ) -> Result<Result<Grown, KeyError>, StoreError> {
        if !self.take_lease(SEQUENCER, node, LEASE).await? {
            return Ok(Ok(Grown::Elsewhere));
        }
        self.transact(&Grow { node, origin, now, anew, sign }).await
    }

    /// Lets another node number at once, rather than after the lease's end: what a process does that stops.
    pub async fn stop_logging(&self, node: Uuid) -> Result<(), StoreError> {
        self.give_lease_back(SEQUENCER, node).await
    }

    /// The log as it was signed last; `None` before the first entry.
    pub async fn log_head(&self) -> Result<Option<LogHead>, StoreError> {
        let client = self.client().await?;
        let sql = "-- log head\nSELECT origin, size, root, note, signed_at FROM log_head";
        let row = client.query_opt(&client.prepare_cached(sql).await?, &[]).await?;
        row.as_ref().map(head).transpose()
    }

    /// What is stored of these tiles, in any order, of level 0 the entries; perhaps more than a tile's width.
    pub async fn log_tiles(&self, tiles: &[Tile]) -> Result<Vec<(u8, u64, Vec<Hash>)>, StoreError> {
        let client = self.client().await?;
        let stmt = client.prepare_cached(TILES).await?;
        let (levels, ns) = keys(tiles);
        client.query(&stmt, &[&levels, &ns]).await?.iter().map(tile).collect()
    }

    /// Up to `limit` entries whose first eight bytes are `from ..= to`, by those and by their index.
    pub async fn log_entries(&self, from: u64, to: u64, limit: i64) -> Result<Vec<(u64, u64)>, StoreError> {
        let client = self.client().await?;
        let sql = "-- log entries
                   SELECT head, position FROM log_entry WHERE head >= $1 AND head <= $2 ORDER BY head, position LIMIT $3";
        let stmt = client.prepare_cached(sql).await?;
        let rows = client.query(&stmt, &[/* from */ &ordered(from), /* to */ &ordered(to), &limit]).await?;
        rows.iter().map(|row| Ok((unordered(row.get(0)), number(row.get(1), HEAD)?))).collect()
    }

    /// Which of these certificates of ours are known to the registry.
    pub async fn known_certificates(&self, uvcis: &[&[u8]]) -> Result<Vec<Vec<u8>>, StoreError> {
        let client = self.client().await?;
        let sql = "-- known certificates\nSELECT uvci FROM certificate_by_uvci WHERE uvci = ANY($1)";
        let rows = client.query(&client.prepare_cached(sql).await?, &[/* uvcis */ &uvcis]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

const TILES: &str = "-- log tiles
    SELECT t.level, t.n, t.hashes FROM unnest($1::bigint[], $2::bigint[]) AS k (level, n)
    JOIN log_tile t ON t.level = k.level AND t.n = k.n";

fn keys(tiles: &[Tile]) -> (Vec<i64>, Vec<i64>) {
    let n = |tile: &Tile| i64::try_from(tile.n).unwrap_or(i64::MAX);
    tiles.iter().map(|tile| (i64::from(tile.level), n(tile))).unzip()
}

fn number(value: i64, unreadable: StoreError) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| unreadable)
}

/// A number as one that the database orders in the same way, and back.
fn ordered(head: u64) -> i64 {
    (head ^ (1 << 63)).cast_signed()
}

fn unordered(head: i64) -> u64 {
    head.cast_unsigned() ^ (1 << 63)
}

/// Hashes put end to end.
fn hashes(bytes: &[u8], unreadable: StoreError) -> Result<Vec<Hash>, StoreError> {
    match bytes.as_chunks::<32>() {
        (hashes, []) => Ok(hashes.to_vec()),
        _ => Err(unreadable),
    }
}

fn slices(hashes: &[Hash]) -> Vec<&[u8]> {
    hashes.iter().map(Hash::as_slice).collect()
}

fn entry(bytes: &[u8]) -> Result<Hash, StoreError> {
    bytes.try_into().map_err(|_| TILE)
}

fn tile(row: &Row) -> Result<(u8, u64, Vec<Hash>), StoreError> {
    let level = u8::try_from(row.get::<_, i64>(0)).map_err(|_| TILE)?;
    Ok((level, number(row.get(1), TILE)?, hashes(row.get(2), TILE)?))
}

fn head(row: &Row) -> Result<LogHead, StoreError> {
    let root = row.get::<_, &[u8]>(2).try_into().map_err(|_| HEAD)?;
    let checkpoint = Checkpoint { origin: row.get(0), size: number(row.get(1), HEAD)?, root };
    Ok(LogHead { checkpoint, note: row.get(3), signed_at: seconds(row.get(4)) })
}

impl Tx<'_> {
    /// Puts entries into the outbox, one row of them, to be numbered after commit.
    pub async fn log(&self, entries: &[Hash], at: UnixSeconds) -> Result<(), StoreError> {
        if !self.logs || entries.is_empty() {
            return Ok(());
        }
        let sql = "-- log\nINSERT INTO log_pending (batch_id, at, entries) VALUES ($1, $2, $3)";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (batch, at, entries) = (Uuid::new_v4(), timestamp(at), entries.as_flattened());
        self.inner.execute(&stmt, &[/* batch_id */ &batch, /* at */ &at, /* entries */ &entries]).await?;
        Ok(())
    }
}

struct Grow<'a> {
    node: Uuid,
    origin: &'a str,
    now: UnixSeconds,
    anew: bool,
    sign: SignCheckpoint<'a>,
}

impl Work for Grow<'_> {
    type Output = Result<Grown, KeyError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        if !tx.holds_lease(SEQUENCER, self.node).await? {
            return Ok(Ok(Grown::Elsewhere));
        }
        let (batches, entries, more) = tx.log_batches().await?;
        if batches.is_empty() && !self.anew {
            return Ok(Ok(Grown::Nothing));
        }
        let before = tx.lock_log_head().await?.map(|head| head.checkpoint);
        let (origin, size) = before.as_ref().map_or((self.origin, 0), |head| (head.origin.as_str(), head.size));
        let mut edge = tx.log_edge(size).await?;
        if before.as_ref().is_some_and(|head| head.root != edge.root()) {
            return Err(TILE);
        }
        entries.iter().for_each(|entry| edge.push(*entry));
        let checkpoint = Checkpoint { origin: origin.to_owned(), size: edge.size(), root: edge.root() };
        // Before anything is written: what is signed is handed out only once this is committed.
        let note = match (self.sign)(&checkpoint) {
            Ok(note) => note,
            Err(error) => return Ok(Err(error)),
        };
        tx.put_log_tiles(edge.into_tiles()).await?;
        tx.find_log_entries(&entries, size).await?;
        tx.put_log_head(&LogHead { checkpoint, note, signed_at: self.now }).await?;
        tx.forget_log_batches(&batches).await?;
        Ok(Ok(Grown::By { entries: entries.len() as u64, more }))
    }
}

impl Tx<'_> {
    /// Where these entries are in the log, and those that wait to be put into it. What is in neither was never signed by us.
    pub(super) async fn log_places(&self, entries: &[Hash]) -> Result<(Places, HashSet<Hash>), StoreError> {
        let mut places = self.find_in_log(entries).await?;
        let missing: Vec<Hash> = entries.iter().filter(|entry| !places.contains_key(*entry)).copied().collect();
        if missing.is_empty() {
            return Ok((places, HashSet::new()));
        }
        let sql = "-- wait for the log
                   SELECT k.entry FROM unnest($1::bytea[]) AS k (entry)
                   WHERE EXISTS (SELECT 1 FROM log_pending p WHERE position(k.entry IN p.entries) > 0)";
        let stmt = self.inner.prepare_cached(sql).await?;
        let rows = self.inner.query(&stmt, &[/* entries */ &slices(&missing)]).await?;
        let waiting = rows.iter().map(|row| entry(row.get(0))).collect::<Result<HashSet<_>, _>>()?;
        // One that waited when it was looked for in the log, and no longer after that, is there now.
        let between: Vec<Hash> = missing.into_iter().filter(|entry| !waiting.contains(entry)).collect();
        if !between.is_empty() {
            places.extend(self.find_in_log(&between).await?);
        }
        Ok((places, waiting))
    }

    /// Where these entries are, those that are there. Asked twice: where what begins like them is, and whether it is them.
    async fn find_in_log(&self, entries: &[Hash]) -> Result<Places, StoreError> {
        let sql = "-- log places\nSELECT head, position FROM log_entry WHERE head = ANY($1)";
        let heads: Vec<i64> = entries.iter().map(|entry| ordered(head_of(entry))).collect();
        let stmt = self.inner.prepare_cached(sql).await?;
        let rows = self.inner.query(&stmt, &[/* heads */ &heads]).await?;
        let mut of_head: HashMap<i64, Vec<i64>> = HashMap::new();
        rows.iter().for_each(|row| of_head.entry(row.get(0)).or_default().push(row.get(1)));
        let found = |(entry, head)| of_head.get(head).into_iter().flatten().map(move |position| (entry, *position));
        let pairs = entries.iter().map(Hash::as_slice).zip(&heads).flat_map(found);
        let (entries, positions): (Vec<&[u8]>, Vec<i64>) = pairs.unzip();
        let sql = "-- confirm log places
                   SELECT k.entry, k.position FROM unnest($1::bytea[], $2::bigint[]) AS k (entry, position)
                   JOIN log_tile t ON t.level = 0 AND t.n = k.position / 256
                   WHERE substring(t.hashes FROM CAST(k.position % 256 * 32 + 1 AS integer) FOR 32) = k.entry";
        let stmt = self.inner.prepare_cached(sql).await?;
        let rows = self.inner.query(&stmt, &[/* entries */ &entries, /* positions */ &positions]).await?;
        let mut places = Places::new();
        for row in rows {
            places.entry(entry(row.get(0))?).or_default().push(row.get(1));
        }
        Ok(places)
    }

    /// What waits, oldest first, as much as goes into one transaction: the batches, all their entries, and whether more may wait.
    async fn log_batches(&self) -> Result<(Vec<Uuid>, Vec<Hash>, bool), StoreError> {
        let sql = "-- log batches
                   SELECT batch_id, entries, waiting FROM (
                       SELECT batch_id, at, entries, count(*) OVER () AS waiting,
                              CAST(sum(octet_length(entries)) OVER (ORDER BY at, batch_id) AS bigint) - octet_length(entries) AS before
                       FROM (SELECT batch_id, at, entries FROM log_pending ORDER BY at, batch_id LIMIT $1) AS oldest
                   ) AS counted WHERE before < $2 ORDER BY at, batch_id";
        let stmt = self.inner.prepare_cached(sql).await?;
        let bytes = ENTRIES * size_of::<Hash>() as i64;
        let rows = self.inner.query(&stmt, &[/* batches */ &BATCHES, /* bytes */ &bytes]).await?;
        let mut entries = Vec::new();
        for row in &rows {
            entries.extend(hashes(row.get(1), PENDING)?);
        }
        let waiting = rows.first().map_or(0, |row| row.get(2));
        let more = waiting == BATCHES || waiting > rows.len() as i64;
        Ok((rows.iter().map(|row| row.get(0)).collect(), entries, more))
    }

    async fn forget_log_batches(&self, batches: &[Uuid]) -> Result<(), StoreError> {
        let sql = "-- forget log batches\nDELETE FROM log_pending WHERE batch_id = ANY($1)";
        self.inner.execute(&self.inner.prepare_cached(sql).await?, &[/* batches */ &batches]).await?;
        Ok(())
    }

    async fn lock_log_head(&self) -> Result<Option<LogHead>, StoreError> {
        let sql = "-- lock log head\nSELECT origin, size, root, note, signed_at FROM log_head FOR UPDATE";
        let row = self.inner.query_opt(&self.inner.prepare_cached(sql).await?, &[]).await?;
        row.as_ref().map(head).transpose()
    }

    /// Where a tree of `size` entries goes on.
    async fn log_edge(&self, size: u64) -> Result<Edge, StoreError> {
        let stmt = self.inner.prepare_cached(TILES).await?;
        let (levels, ns) = keys(&Edge::tiles_of(size));
        let rows = self.inner.query(&stmt, &[&levels, &ns]).await?;
        let mut tiles = rows.iter().map(tile).collect::<Result<Vec<_>, _>>()?;
        let of = |wanted: Tile| {
            let found = tiles.iter_mut().find(|(level, n, _)| (*level, *n) == (wanted.level, wanted.n))?;
            Some(std::mem::take(&mut found.2))
        };
        Edge::new(size, of).ok_or(TILE)
    }

    /// Writes tiles down. One that is there is replaced by what has more hashes and begins with those it has.
    async fn put_log_tiles(&self, tiles: Vec<(Tile, Vec<Hash>)>) -> Result<(), StoreError> {
        let sql = "-- put log tiles
                   INSERT INTO log_tile (level, n, hashes) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
                   ON CONFLICT (level, n) DO UPDATE SET hashes = excluded.hashes
                   WHERE log_tile.hashes = substring(excluded.hashes FROM 1 FOR octet_length(log_tile.hashes))";
        let stmt = self.inner.prepare_cached(sql).await?;
        let (tiles, hashes): (Vec<Tile>, Vec<Vec<Hash>>) = tiles.into_iter().unzip();
        let (levels, ns) = keys(&tiles);
        let bytes: Vec<&[u8]> = hashes.iter().map(|hashes| hashes.as_flattened()).collect();
        let written = self.inner.execute(&stmt, &[&levels, &ns, /* hashes */ &bytes]).await?;
        if written == tiles.len() as u64 { Ok(()) } else { Err(TILE) }
    }

    /// Lets entries be found by their first eight bytes. `first`: the index of the first of them.
    async fn find_log_entries(&self, entries: &[Hash], first: u64) -> Result<(), StoreError> {
        let sql = "-- find log entries
                   INSERT INTO log_entry (head, position) SELECT * FROM unnest($1::bigint[], $2::bigint[])";
        let stmt = self.inner.prepare_cached(sql).await?;
        let heads = entries.iter().map(|entry| ordered(head_of(entry)));
        let first = i64::try_from(first).map_err(|_| HEAD)?;
        // In the index's order: neighbours are written together.
        let mut rows: Vec<(i64, i64)> = heads.zip(first..).collect();
        rows.sort_unstable();
        let (heads, positions): (Vec<i64>, Vec<i64>) = rows.into_iter().unzip();
        self.inner.execute(&stmt, &[/* heads */ &heads, /* positions */ &positions]).await?;
        Ok(())
    }

    async fn put_log_head(&self, head: &LogHead) -> Result<(), StoreError> {
        let sql = "-- put log head
                   INSERT INTO log_head (origin, size, root, note, signed_at) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note,
                                                      signed_at = excluded.signed_at";
        let stmt = self.inner.prepare_cached(sql).await?;
        let Checkpoint { origin, size, root } = &head.checkpoint;
        let (size, signed_at) = (i64::try_from(*size).map_err(|_| HEAD)?, timestamp(head.signed_at));
        self.inner.execute(&stmt, &[origin, &size, &root.as_slice(), &head.note, &signed_at]).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_orders_is_in_the_order_of_the_bytes() {
        let heads = [0, 1, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX];
        assert!(heads.is_sorted_by_key(|head| ordered(*head)));
        assert_eq!(heads.map(|head| unordered(ordered(head))), heads);
    }
}
