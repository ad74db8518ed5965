//! How look-ups are asked: of the primary, or of a replica where they may lag, and of the primary again where that fails.

use deadpool_postgres::Pool;
use futures_util::future::try_join_all;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{Store, StoreError, pool};

/// How much of what was written a look-up must see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// All of it: the primary answers, or nobody does.
    Now,
    /// What the caller has just written: the primary answers, or, while it is away, a replica.
    JustWritten,
    /// What was written a moment ago may be missing: a replica answers, or the primary where none is fresh enough.
    MayLag,
}

/// What a statement is asked with.
pub(super) type Params<'p> = &'p [&'p (dyn ToSql + Sync)];

impl Store {
    /// The same store with look-ups this fresh. Only those that are asked by `rows`, `row` and `found` go to a replica; everything
    /// else, and all that is written, goes to the primary.
    pub fn reading(&self, freshness: Freshness) -> Store {
        Store { freshness, ..self.clone() }
    }

    /// The rows of a look-up.
    pub(super) async fn rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        let [rows] = self.rows_of([sql], params).await?;
        Ok(rows)
    }

    /// The first row of a look-up.
    pub(super) async fn row(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// The first row of a look-up by a key. What a replica has not got may just have been written: the primary is asked for it,
    /// if it is there.
    pub(super) async fn found(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, StoreError> {
        match self.row(sql, params).await? {
            None if self.freshness == Freshness::MayLag && self.replicas.is_some() => {
                self.reading(Freshness::JustWritten).row(sql, params).await
            }
            found => Ok(found),
        }
    }

    /// The rows of look-ups that take the same parameters, sent together and answered by one server.
    pub(super) async fn rows_of<const N: usize>(
        &self,
        asked: [&str; N],
        params: Params<'_>,
    ) -> Result<[Vec<Row>; N], StoreError> {
        let Some(replicas) = self.replicas.as_deref().filter(|_| self.freshness != Freshness::Now) else {
            return ask(&self.pool, asked, params).await;
        };
        if self.freshness == Freshness::MayLag
            && let Some(replica) = replicas.fresh()
            && let Some(rows) = replica.answer(asked, params).await
        {
            return Ok(rows);
        }
        // A primary that is known to be away is asked last: it may take its time to say nothing.
        let refused = match replicas.primary_is_away() {
            true => None,
            false => match ask(&self.pool, asked, params).await {
                Err(error) if error.is_of_a_server_that_went_away() => Some(error),
                answered => return answered,
            },
        };
        for replica in replicas.answering() {
            if let Some(rows) = replica.answer(asked, params).await {
                return Ok(rows);
            }
        }
        match refused {
            Some(error) => Err(error),
            None => ask(&self.pool, asked, params).await,
        }
    }
}

/// Asks the server behind `pool` all of `asked` with the same parameters, without waiting in between.
pub(super) async fn ask<const N: usize>(
    pool: &Pool,
    asked: [&str; N],
    params: Params<'_>,
) -> Result<[Vec<Row>; N], StoreError> {
    let client = pool::client(pool).await?;
    let client = &client;
    let each = asked.map(|sql| async move { client.query(&client.prepare_cached(sql).await?, params).await });
    let answered = try_join_all(each).await?;
    answered.try_into().map_err(|_| StoreError::Unreadable("an answer"))
}
