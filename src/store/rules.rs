//! The rules as documents: every version that was ever in force, and which one is.

use super::people::timestamp;
use super::{Audited, Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;

/// What came of setting the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetRules {
    /// They are in force.
    Set,
    /// Another version than they were made from is in force: this one.
    Stale(u64),
}

/// The version that is in force before any was set: the one that is built in.
const BUILT_IN: u64 = 1;

const VERSION: &str = "-- rules version\nSELECT value FROM version WHERE topic = 'rules'";

impl Store {
    /// The version of the rules in force; 1, the built-in ones, before any were set.
    pub async fn rules_version(&self) -> Result<u64, StoreError> {
        let row = self.row(VERSION, &[]).await?;
        row.map_or(Ok(BUILT_IN), |row| version_of(row.get(0)))
    }

    /// The document in force; `None` for the built-in one.
    pub async fn rules(&self) -> Result<Option<String>, StoreError> {
        let sql = "-- rules
                   SELECT document FROM rules WHERE version = (SELECT value FROM version WHERE topic = 'rules')";
        Ok(self.row(sql, &[]).await?.map(|row| row.get(0)))
    }

    /// Puts `document` in force as version `version`, if the version before it is in force; audited in the same transaction.
    pub async fn set_rules(&self, version: u64, document: &str, done: &Audited) -> Result<SetRules, StoreError> {
        self.transact(&Put { version, document, done }).await
    }
}

fn version_of(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Unreadable("version"))
}

struct Put<'a> {
    version: u64,
    document: &'a str,
    done: &'a Audited,
}

impl Work for Put<'_> {
    type Output = SetRules;

    async fn run(&self, tx: &Tx<'_>) -> Result<SetRules, StoreError> {
        let in_force = tx.rules_version().await?;
        if in_force + 1 != self.version {
            return Ok(SetRules::Stale(in_force));
        }
        tx.insert_rules(self.version, self.document, self.done.at, &self.done.subject).await?;
        tx.audit(self.done).await?;
        Ok(SetRules::Set)
    }
}

impl Tx<'_> {
    async fn rules_version(&self) -> Result<u64, StoreError> {
        let stmt = self.inner.prepare_cached(VERSION).await?;
        let row = self.inner.query_opt(&stmt, &[]).await?;
        row.map_or(Ok(BUILT_IN), |row| version_of(row.get(0)))
    }

    /// Two that set one version at once: the second collides on its key, starts again, and finds that it is stale.
    async fn insert_rules(&self, version: u64, document: &str, at: UnixSeconds, by: &str) -> Result<(), StoreError> {
        let version = i64::try_from(version).map_err(|_| StoreError::Unreadable("version"))?;
        let sql = "-- insert rules\nINSERT INTO rules (version, document, set_at, set_by) VALUES ($1, $2, $3, $4)";
        let stmt = self.inner.prepare_cached(sql).await?;
        self.inner.execute(&stmt, &[&version, &document, /* set_at */ &timestamp(at), /* set_by */ &by]).await?;
        let sql = "-- raise rules version
                   INSERT INTO version (topic, value) VALUES ('rules', $1)
                   ON CONFLICT (topic) DO UPDATE SET value = excluded.value";
        self.inner.execute(&self.inner.prepare_cached(sql).await?, &[&version]).await?;
        Ok(())
    }
}
