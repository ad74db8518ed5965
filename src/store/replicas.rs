//! Read replicas: which of them answer, as of when, and which are passed over.
//!
//! How far one has come is told by beats: this process writes a number of its own to the primary again and again, and looks for
//! it on each replica. Commits are replayed in the order of the primary's log; so one that shows beat n has all that was
//! acknowledged before n was sent. No clocks are compared, and a replica that was left on another history by a fail-over stops
//! where it is, for no beat of ours reaches it any more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use tokio::sync::watch;
use tokio_postgres::Row;
use uuid::Uuid;

use super::pool::{self, Target};
use super::reading::{Params, ask};
use super::{Store, StoreError, StoreSettings};

/// A server that does not answer within this is taken to be away; it is waited for longer, and back as soon as it answers.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many beats are remembered: more than are sent while the slowest replica that can be asked is behind.
const BEATS: usize = 1024;

/// The replicas, and what is known of the primary.
pub(super) struct Replicas {
    /// Whose beats these are.
    node: Uuid,
    max_lag: Duration,
    /// A connection of its own: a pool that is busy is no primary that is away.
    primary: Pool,
    away: AtomicBool,
    hosts: Vec<Replica>,
    /// Who is next.
    turn: AtomicUsize,
    /// The beats of late, with when each was begun to be sent.
    beats: Mutex<VecDeque<(i64, Instant)>>,
}

/// One replica.
pub(super) struct Replica {
    name: String,
    pool: Pool,
    standing: watch::Sender<Standing>,
}

#[derive(Clone, Copy, Default)]
struct Standing {
    answers: bool,
    /// The newest beat that it shows.
    shown: Option<i64>,
    /// It has all that was acknowledged before this; `None` if nothing is known.
    as_of: Option<Instant>,
}

/// How a replica stands, for those who watch over the service.
#[derive(Clone, Debug)]
pub struct ReplicaStanding {
    /// `host:port`.
    pub name: String,
    /// Whether it answers.
    pub answers: bool,
    /// How old what it knows is at most; `None` if it has shown nothing of this process yet.
    pub lag: Option<Duration>,
    /// Whether look-ups go there: it answers, and is fresh enough.
    pub in_use: bool,
}

impl Store {
    /// This store with replicas for look-ups: each host of `url`. Watches over them from now on, for as long as it lives.
    ///
    /// `max_lag`: how far behind one may be that is asked. Must be called within a tokio runtime. Errors: [`StoreError::ReadUrl`].
    pub fn with_replicas(mut self, url: &str, max_lag: Duration) -> Result<Store, StoreError> {
        let said = |error| match error {
            StoreError::Url(problem) => StoreError::ReadUrl(problem),
            error => error,
        };
        let target = Target::parse(url).map_err(said)?;
        let hosts = target.hosts().into_iter().map(|(name, target)| {
            let pool = pool::build(target, &self.origin.settings, self.on_citus)?;
            Ok(Replica { name, pool, standing: watch::Sender::default() })
        });
        let one = StoreSettings { connections: 1, ..self.origin.settings.clone() };
        let replicas = Arc::new(Replicas {
            node: Uuid::new_v4(),
            max_lag,
            primary: pool::build(self.origin.target.clone(), &one, self.on_citus)?,
            away: AtomicBool::new(false),
            hosts: hosts.collect::<Result<_, StoreError>>().map_err(said)?,
            turn: AtomicUsize::new(0),
            beats: Mutex::default(),
        });
        tokio::spawn(send_beats(Arc::downgrade(&replicas)));
        for at in 0..replicas.hosts.len() {
            tokio::spawn(look_for_beats(Arc::downgrade(&replicas), at));
        }
        self.replicas = Some(replicas);
        Ok(self)
    }

    /// How each replica stands; none if there are none.
    pub fn replica_standings(&self) -> Vec<ReplicaStanding> {
        let Some(replicas) = &self.replicas else { return Vec::new() };
        let standing = |replica: &Replica| {
            let standing = *replica.standing.borrow();
            let lag = standing.as_of.map(|at| at.elapsed());
            let in_use = standing.answers && lag.is_some_and(|lag| lag <= replicas.max_lag);
            ReplicaStanding { name: replica.name.clone(), answers: standing.answers, lag, in_use }
        };
        replicas.hosts.iter().map(standing).collect()
    }

    /// How old the look-ups are at most that go on while the primary is away: by the oldest replica that may answer them. `None`
    /// while the primary is there, or no replica is that may.
    pub fn age(&self) -> Option<Duration> {
        let replicas = self.replicas.as_deref().filter(|replicas| replicas.primary_is_away())?;
        replicas.answering().last().and_then(|replica| replica.standing.borrow().as_of).map(|at| at.elapsed())
    }

    /// True if there are replicas, and the primary took no beat when it was asked last; whether or not one of them may answer.
    pub fn primary_is_away(&self) -> bool {
        self.replicas.as_deref().is_some_and(Replicas::primary_is_away)
    }
}

impl Replicas {
    /// True if the primary took no beat when it was asked last.
    pub fn primary_is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// The next replica in turn that is fresh enough.
    pub fn fresh(&self) -> Option<&Replica> {
        let fresh = |replica: &&Replica| {
            let standing = *replica.standing.borrow();
            standing.answers && standing.as_of.is_some_and(|at| at.elapsed() <= self.max_lag)
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.hosts.len().max(1);
        let (before, from) = self.hosts.split_at_checked(turn)?;
        from.iter().chain(before).find(fresh)
    }

    /// The replicas that answer and of which it is known how far they have come, the freshest first. One that has shown nothing of
    /// this process may be as it was long ago.
    pub fn answering(&self) -> Vec<&Replica> {
        let as_of = |replica: &Replica| {
            let standing = *replica.standing.borrow();
            standing.as_of.filter(|_| standing.answers)
        };
        let known = self.hosts.iter().filter_map(|replica| Some((as_of(replica)?, replica)));
        let mut known: Vec<(Instant, &Replica)> = known.collect();
        known.sort_by_key(|(as_of, _)| std::cmp::Reverse(*as_of));
        known.into_iter().map(|(_, replica)| replica).collect()
    }

    /// How long the watch rests between two looks.
    fn rest(&self) -> Duration {
        (self.max_lag / 10).clamp(Duration::from_millis(20), Duration::from_millis(200))
    }

    async fn beat(&self, n: i64) -> Result<(), StoreError> {
        let client = pool::client(&self.primary).await?;
        let sql = "-- replica beat
                   INSERT INTO replica_beat (node, n, sent_at) VALUES ($1, $2, now())
                   ON CONFLICT (node) DO UPDATE SET n = excluded.n, sent_at = excluded.sent_at";
        client.execute(&client.prepare_cached(sql).await?, &[/* node */ &self.node, /* n */ &n]).await?;
        Ok(())
    }

    /// Forgets the beats of processes that ended long ago.
    async fn forget_old_beats(&self) -> Result<(), StoreError> {
        let client = pool::client(&self.primary).await?;
        client
            .execute("-- forget beats\nDELETE FROM replica_beat WHERE sent_at < now() - interval '1 day'", &[])
            .await?;
        Ok(())
    }

    fn remember(&self, n: i64) {
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beats.push_back((n, Instant::now()));
        if beats.len() > BEATS {
            beats.pop_front();
        }
    }

    fn sent_at(&self, n: i64) -> Option<Instant> {
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beats.iter().rev().find(|(beat, _)| *beat == n).map(|(_, at)| *at)
    }

    fn set_away(&self, away: bool) {
        match (self.away.swap(away, Ordering::Relaxed), away) {
            (false, true) => tracing::error!("the primary database does not answer; look-ups go on from replicas"),
            (true, false) => tracing::info!("the primary database answers again"),
            _ => {}
        }
    }
}

impl Replica {
    /// What it answers; `None` if it fails or goes away meanwhile, and is to be passed over.
    pub async fn answer<const N: usize>(&self, asked: [&str; N], params: Params<'_>) -> Option<[Vec<Row>; N]> {
        let mut standing = self.standing.subscribe();
        let answered = tokio::select! {
            answered = ask(&self.pool, asked, params) => answered,
            _ = standing.wait_for(|standing| !standing.answers) => Err(StoreError::Unreachable("it went away".into())),
        };
        match answered {
            Ok(rows) => return Some(rows),
            Err(error) => {
                metrics::counter!("thexanh_replica_failures_total", "replica" => self.name.clone()).increment(1);
                if error.is_of_a_server_that_went_away() {
                    self.set_answering(false, error.code());
                }
            }
        }
        None
    }

    fn set_answering(&self, answers: bool, why: &'static str) {
        let changed =
            self.standing.send_if_modified(|standing| std::mem::replace(&mut standing.answers, answers) != answers);
        match answers {
            true if changed => tracing::info!(replica = %self.name, "a read replica answers"),
            false if changed => {
                // Whoever gets a connection later makes a new one.
                self.pool.retain(|_, _| false);
                tracing::warn!(replica = %self.name, code = why, "a read replica does not answer, and is passed over");
            }
            _ => {}
        }
    }

    /// The newest beat of `node` that it shows.
    async fn shown(&self, node: Uuid) -> Result<Option<i64>, StoreError> {
        let sql = "-- beat shown\nSELECT n FROM replica_beat WHERE node = $1";
        let [rows] = ask(&self.pool, [sql], &[/* node */ &node]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }
}

/// What `work` gives; `late` is called if that takes longer than it should.
async fn within_patience<T>(work: impl Future<Output = T>, late: impl FnOnce()) -> T {
    let mut work = std::pin::pin!(work);
    match tokio::time::timeout(PATIENCE, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            late();
            work.await
        }
    }
}

/// Sends beats to the primary for as long as the store lives.
async fn send_beats(replicas: Weak<Replicas>) {
    let mut forgotten = false;
    for n in 1.. {
        let Some(replicas) = replicas.upgrade() else { return };
        replicas.remember(n);
        let sent = within_patience(replicas.beat(n), || replicas.set_away(true)).await;
        replicas.set_away(sent.is_err());
        if sent.is_ok() && !forgotten {
            forgotten = replicas.forget_old_beats().await.is_ok();
        }
        let rest = replicas.rest();
        drop(replicas);
        tokio::time::sleep(rest).await;
    }
}

/// Looks at what one replica shows for as long as the store lives.
async fn look_for_beats(replicas: Weak<Replicas>, at: usize) {
    loop {
        let Some(replicas) = replicas.upgrade() else { return };
        let Some(replica) = replicas.hosts.get(at) else { return };
        let late = || replica.set_answering(false, "timeout");
        match within_patience(replica.shown(replicas.node), late).await {
            Ok(shown) => {
                let sent_at = shown.and_then(|n| replicas.sent_at(n));
                replica.standing.send_if_modified(|standing| {
                    // One that shows the same for long is no wiser and no more foolish, even if we forgot when that was sent.
                    if shown != standing.shown {
                        (standing.shown, standing.as_of) = (shown, sent_at);
                    }
                    false // nobody waits for it
                });
                replica.set_answering(true, "");
            }
            Err(error) => replica.set_answering(false, error.code()),
        }
        let rest = replicas.rest();
        drop(replicas);
        tokio::time::sleep(rest).await;
    }
}
