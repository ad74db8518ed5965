//! The status lists: where in the transparency log revoked certificates stand, and each list as a publisher signed it.
//!
//! The holder of a lease settles revocation events in their order: it reads how each certificate stands by now, finds the
//! positions of its forms, and keeps those that are revoked. So a list is a function of the certificates' rows, whichever node
//! settled what, and nothing is scanned: an event costs a few look-ups by key. Which lists changed is noted with it, and they are
//! signed each in a transaction of its own, once for however many events there were.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::revocations::{names, uvci};
use super::{Hash, Store, StoreError, Tx, Work};
use crate::certificate::Uvci;
use crate::keys::KeyError;
use crate::revocation::status_list::{LEN, place};
use crate::tlog;

/// For how long the holder of the lease holds it; another node takes over after that.
const LEASE: Duration = Duration::from_secs(3);
const LISTER: &str = "status-lists";
/// Events settled in one transaction at most.
const EVENTS: i64 = 1_000;

const LIST: StoreError = StoreError::Unreadable("status_list");
const EVENT: StoreError = StoreError::Unreadable("revocation_event");

/// A list as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusListRow {
    /// Which list.
    pub n: u64,
    /// Whether it is to be signed anew, for something in it changed.
    pub changed: bool,
    /// Another one each time it is signed.
    pub token_id: Uuid,
    /// The token, if the asker does not know it.
    pub token: Option<Vec<u8>>,
}

/// Signs a list: given the places in it that are revoked. It may take a tenth of a second.
pub type SignStatusList = Arc<dyn Fn(&[u64]) -> Result<Vec<u8>, KeyError> + Send + Sync>;

/// What came of settling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Events up to and with this one are in the lists.
    UpTo {
        /// The event's number.
        version: u64,
        /// How many certificates among them are in no log: no list can tell of them.
        unlogged: usize,
    },
    /// The next one is of a certificate that is about to be put into the log.
    Waits,
    /// Another node holds the lease.
    Elsewhere,
}

impl Store {
    /// Every list, with the tokens that are not among `known`: numbers of lists, and which token of each.
    pub async fn status_lists(
        &self,
        known: impl IntoIterator<Item = (u64, Uuid)>,
    ) -> Result<Vec<StatusListRow>, StoreError> {
        let client = self.client().await?;
        let sql = "-- status lists
                   SELECT l.n, l.changed, l.token_id, CASE WHEN k.token_id IS NULL THEN l.token END
                   FROM status_list l LEFT JOIN unnest($1::bigint[], $2::uuid[]) AS k (n, token_id)
                        ON k.n = l.n AND k.token_id = l.token_id
                   ORDER BY l.n";
        let known = known.into_iter().map(|(n, token_id)| (i64::try_from(n).unwrap_or(i64::MAX), token_id));
        let (lists, tokens): (Vec<i64>, Vec<Uuid>) = known.unzip();
        let stmt = client.prepare_cached(sql).await?;
        let rows = client.query(&stmt, &[/* n */ &lists, /* token_id */ &tokens]).await?;
        let row = |row: &tokio_postgres::Row| {
            let (token_id, token) = (row.get(2), row.get(3));
            Ok(StatusListRow { n: number(row.get(0))?, changed: row.get(1), token_id, token })
        };
        rows.iter().map(row).collect()
    }

    /// Brings the next events into the lists, if this node holds or gets the lease.
    pub async fn settle_statuses(&self, node: Uuid) -> Result<Settled, StoreError> {
        if !self.take_lease(LISTER, node, LEASE).await? {
            return Ok(Settled::Elsewhere);
        }
        self.transact(&Settle(node)).await
    }

    /// Signs a list as it is by now, and stores it for all nodes. Returns false if another node holds the lease.
    ///
    /// Errors: within the answer, why it could not be signed: then nothing was changed.
    pub async fn sign_status_list(
        &self,
        node: Uuid,
        n: u64,
        sign: SignStatusList,
    ) -> Result<Result<bool, KeyError>, StoreError> {
        if !self.take_lease(LISTER, node, LEASE).await? {
            return Ok(Ok(false));
        }
        self.transact(&Sign { node, n, sign }).await
    }

    /// Lets another node go on at once, rather than after the lease's end: what a process does that stops.
    pub async fn stop_listing(&self, node: Uuid) -> Result<(), StoreError> {
        self.give_lease_back(LISTER, node).await
    }

    /// Up to which event the lists are settled.
    pub async fn statuses_reached(&self) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let row = client.query_opt(&client.prepare_cached(REACHED).await?, &[]).await?;
        row.map_or(Ok(0), |row| number(row.get(0)))
    }
}

const REACHED: &str = "-- statuses reached\nSELECT version FROM status_reached WHERE topic = 'events'";

fn number(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| LIST)
}

/// A certificate by now.
struct Standing {
    revoked: bool,
    /// What stands in the log for each of its forms.
    forms: Vec<Hash>,
}

struct Settle(Uuid);

impl Work for Settle {
    type Output = Settled;

    async fn run(&self, tx: &Tx<'_>) -> Result<Settled, StoreError> {
        if !tx.holds_lease(LISTER, self.0).await? {
            return Ok(Settled::Elsewhere);
        }
        let row = tx.inner.query_opt(&tx.inner.prepare_cached(REACHED).await?, &[]).await?;
        let reached = row.map_or(Ok(0), |row| number(row.get(0)))?;
        let mut events = tx.events_about(reached).await?;
        let Some((last, _)) = events.last().copied() else {
            return Ok(Settled::UpTo { version: reached, unlogged: 0 });
        };
        let uvcis: Vec<Uvci> = events.iter().filter_map(|(_, uvci)| *uvci).collect();
        let standings = tx.standings(&uvcis).await?;
        let forms: Vec<Hash> = standings.values().flat_map(|standing| standing.forms.iter().copied()).collect();
        let (places, waiting) = tx.log_places(&forms).await?;
        let waits = |(_, uvci): &(u64, Option<Uvci>)| {
            let standing = uvci.as_ref().and_then(|uvci| standings.get(uvci));
            standing.is_some_and(|standing| standing.forms.iter().any(|form| waiting.contains(form)))
        };
        let version = match events.iter().position(waits) {
            None => last,
            Some(first) => {
                events.truncate(first);
                match events.last() {
                    None => return Ok(Settled::Waits),
                    Some((version, _)) => *version,
                }
            }
        };
        let (mut invalid, mut valid, mut unlogged) = (Vec::<i64>::new(), Vec::new(), 0);
        let settled: HashSet<Uvci> = events.iter().filter_map(|(_, uvci)| *uvci).collect();
        for standing in settled.iter().filter_map(|uvci| standings.get(uvci)) {
            let found: Vec<&Vec<i64>> = standing.forms.iter().filter_map(|form| places.get(form)).collect();
            unlogged += usize::from(found.len() < standing.forms.len());
            if standing.revoked { &mut invalid } else { &mut valid }.extend(found.into_iter().flatten().copied());
        }
        tx.set_statuses(&invalid, &valid).await?;
        tx.statuses_reach(version).await?;
        Ok(Settled::UpTo { version, unlogged })
    }
}

impl Tx<'_> {
    /// The next events after `version`, and which certificate of ours each is about; `None` of an imported one.
    async fn events_about(&self, version: u64) -> Result<Vec<(u64, Option<Uvci>)>, StoreError> {
        let sql = "-- events about certificates
                   SELECT version, uvci FROM revocation_event WHERE version > $1 ORDER BY version LIMIT $2";
        let after = i64::try_from(version).map_err(|_| EVENT)?;
        let stmt = self.inner.prepare_cached(sql).await?;
        let rows = self.inner.query(&stmt, &[/* after */ &after, /* limit */ &EVENTS]).await?;
        let about = |row: &tokio_postgres::Row| row.get::<_, Option<&[u8]>>(1).map(uvci).transpose();
        rows.iter().map(|row| Ok((number(row.get(0))?, about(row)?))).collect()
    }

    /// How these certificates stand. In two steps: a certificate is found by its name, and read with its person.
    async fn standings(&self, uvcis: &[Uvci]) -> Result<HashMap<Uvci, Standing>, StoreError> {
        const CERTIFICATE: StoreError = StoreError::Unreadable("certificate");
        if uvcis.is_empty() {
            return Ok(HashMap::new());
        }
        let names = names(uvcis);
        let sql = "-- holders\nSELECT uvci, person_id FROM certificate_by_uvci WHERE uvci = ANY($1)";
        let rows = self.inner.query(&self.inner.prepare_cached(sql).await?, &[&names]).await?;
        let people: Vec<Uuid> = rows.iter().map(|row| row.get(1)).collect();
        let sql = "-- standings of certificates
                   SELECT uvci, revoked_at IS NOT NULL, compact, hc1 FROM certificate
                   WHERE person_id = ANY($1) AND uvci = ANY($2)";
        let rows = self.inner.query(&self.inner.prepare_cached(sql).await?, &[&people, &names]).await?;
        let standing = |row: &tokio_postgres::Row| {
            let forms = [Some(row.get::<_, &[u8]>(2)), row.get(3)].into_iter().flatten().map(tlog::entry);
            let forms = forms.collect::<Result<_, _>>().map_err(|_| CERTIFICATE)?;
            Ok((uvci(row.get(0))?, Standing { revoked: row.get(1), forms }))
        };
        rows.iter().map(standing).collect()
    }

    /// Notes what is revoked and what is not, and which lists have changed by it. A list that is not there yet is signed by what
    /// is noted when it is made.
    async fn set_statuses(&self, invalid: &[i64], valid: &[i64]) -> Result<(), StoreError> {
        let add = "-- set invalid
                   INSERT INTO status_invalid (position) SELECT * FROM unnest($1::bigint[])
                   ON CONFLICT (position) DO NOTHING RETURNING position";
        let take = "-- set valid\nDELETE FROM status_invalid WHERE position = ANY($1) RETURNING position";
        let mut changed = HashSet::new();
        for (sql, positions) in [(add, invalid), (take, valid)] {
            let rows = self.inner.query(&self.inner.prepare_cached(sql).await?, &[&positions]).await?;
            for row in rows {
                changed.insert(row.get::<_, i64>(0) / LEN as i64);
            }
        }
        let changed: Vec<i64> = changed.into_iter().collect();
        let mark = "-- status lists changed\nUPDATE status_list SET changed = true WHERE n = ANY($1)";
        self.inner.execute(&self.inner.prepare_cached(mark).await?, &[/* n */ &changed]).await?;
        Ok(())
    }

    async fn statuses_reach(&self, version: u64) -> Result<(), StoreError> {
        let sql = "-- statuses reach
                   INSERT INTO status_reached (topic, version) VALUES ('events', $1)
                   ON CONFLICT (topic) DO UPDATE SET version = excluded.version";
        let version = i64::try_from(version).map_err(|_| EVENT)?;
        self.inner.execute(&self.inner.prepare_cached(sql).await?, &[/* version */ &version]).await?;
        Ok(())
    }
}

struct Sign {
    node: Uuid,
    n: u64,
    sign: SignStatusList,
}

impl Work for Sign {
    type Output = Result<bool, KeyError>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Self::Output, StoreError> {
        if !tx.holds_lease(LISTER, self.node).await? {
            return Ok(Ok(false));
        }
        let n = i64::try_from(self.n).map_err(|_| LIST)?;
        let first = n.checked_mul(LEN as i64).ok_or(LIST)?;
        let sql = "-- invalid of a list\nSELECT position FROM status_invalid WHERE position >= $1 AND position < $2";
        let stmt = tx.inner.prepare_cached(sql).await?;
        let end = first.saturating_add(LEN as i64);
        let rows = tx.inner.query(&stmt, &[/* first */ &first, /* end */ &end]).await?;
        let invalid = rows.iter().map(|row| number(row.get(0)).map(|position| place(position).1));
        let (invalid, sign) = (invalid.collect::<Result<Vec<_>, _>>()?, Arc::clone(&self.sign));
        let signed = tokio::task::spawn_blocking(move || sign(&invalid)).await;
        let token = match signed.map_err(|error| StoreError::Unreachable(error.to_string()))? {
            Ok(token) => token,
            Err(error) => return Ok(Err(error)),
        };
        let sql = "-- put status list
                   INSERT INTO status_list (n, changed, token_id, token) VALUES ($1, false, $2, $3)
                   ON CONFLICT (n) DO UPDATE SET changed = false, token_id = excluded.token_id, token = excluded.token";
        let (stmt, id) = (tx.inner.prepare_cached(sql).await?, Uuid::new_v4());
        tx.inner.execute(&stmt, &[&n, /* token_id */ &id, /* token */ &token]).await?;
        Ok(Ok(true))
    }
}
