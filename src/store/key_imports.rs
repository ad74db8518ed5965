//! Other issuers' keys taken into the trust list: each with its audit entry, in the transaction that raises the list's version.

use serde_json::Value;

use super::keys::{ISSUER_KEYS, insert_key, issuer_key, key_hash, raise_trust_version};
use super::people::timestamp;
use super::{Audited, IssuerKeyRow, Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;
use crate::trust::TrustedKey;
use crate::trust::import::Entry;
use crate::trust::merge::{Fate, merge};

/// Keys to be taken in.
#[derive(Clone, Copy, Debug)]
pub struct KeyImport<'a> {
    /// What a list says.
    pub entries: &'a [Entry],
    /// True to hear what would become of them, and change nothing.
    pub dry_run: bool,
    /// Who imports it, for the audit table.
    pub by: &'a str,
    /// Now.
    pub at: UnixSeconds,
}

impl Store {
    /// Takes keys into the trust list, all that can be in one transaction. Returns what became of each, in their order.
    pub async fn import_keys(&self, import: &KeyImport<'_>) -> Result<Vec<Fate>, StoreError> {
        self.transact(import).await
    }
}

impl Work for KeyImport<'_> {
    type Output = Vec<Fate>;

    async fn run(&self, tx: &Tx<'_>) -> Result<Vec<Fate>, StoreError> {
        let stmt =
            tx.inner.prepare_cached("-- lock trust list\nSELECT FROM version WHERE topic = 'trust' FOR UPDATE").await?;
        tx.inner.query_opt(&stmt, &[]).await?;
        let stmt = tx.inner.prepare_cached(ISSUER_KEYS).await?;
        let rows = tx.inner.query(&stmt, &[]).await?;
        let listed = rows.iter().map(|row| issuer_key(row)?.trusted()).collect::<Result<Vec<_>, _>>()?;
        let fates = merge(&listed, self.entries);
        if self.dry_run {
            return Ok(fates);
        }
        let mut changed = false;
        for (fate, entry) in fates.iter().zip(self.entries) {
            let Ok(key) = &entry.key else { continue };
            changed |= match fate {
                Fate::Added => insert_key(tx, &IssuerKeyRow::of(key)).await?,
                Fate::Changed => update(tx, key).await?,
                Fate::Known | Fate::Refused(_) => continue,
            };
            tx.audit(&audited(self.by, self.at, fate.as_str(), &key.kid.to_string(), &key.country)).await?;
        }
        if changed {
            raise_trust_version(tx).await?;
        }
        Ok(fates)
    }
}

/// Brings a foreign key's listing to what a list says of it now.
async fn update(tx: &Tx<'_>, key: &TrustedKey) -> Result<bool, StoreError> {
    let sql = r#"-- change foreign key
        UPDATE issuer_key SET usages = $3, trusted_from = $4, trusted_until = $5, certificate = coalesce($6, certificate)
        WHERE key_hash = $1 AND kid = $2 AND NOT own AND withdrawn_at IS NULL"#;
    let stmt = tx.inner.prepare_cached(sql).await?;
    let usages: Value = key.usages.words().into();
    let (from, until) = (key.trusted_from.map(timestamp), key.trusted_until.map(timestamp));
    let hash = key_hash(key.key.spki_der());
    let certificate = key.certificate.as_deref();
    let changed =
        tx.inner.execute(&stmt, &[&hash, &key.kid.0.as_slice(), &usages, &from, &until, &certificate]).await?;
    Ok(changed == 1)
}

fn audited(by: &str, at: UnixSeconds, done: &str, kid: &str, country: &str) -> Audited {
    Audited {
        at,
        role: "operator".to_owned(),
        subject: by.to_owned(),
        place: String::new(),
        action: "key.import",
        about: None,
        why: format!("{done} {kid} of {country}"),
    }
}
