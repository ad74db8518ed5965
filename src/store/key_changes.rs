//! Changes of the trust list: each one transaction, with its audit entry, that raises the list's version once.

use super::keys::{insert_key, key_hash, raise_trust_version, withdraw_key};
use super::people::timestamp;
use super::{Audited, IssuerKeyRow, Purpose, SignerKeyRow, Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;
use crate::keys::Kid;

/// One change of the trust list.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// Lists a key that signs certificates; one that is listed already is left as it is.
    List(IssuerKeyRow),
    /// A key signs no longer than so, and is trusted until the last of what it signed has expired.
    End {
        /// Every key with this kid.
        kid: Kid,
        /// Its last second of signing.
        signs_until: UnixSeconds,
        /// Its last second of trust.
        trusted_until: UnixSeconds,
    },
    /// Withdraws every key with this kid that signs certificates: all that it signed falls.
    Withdraw(Kid),
    /// Lists an anchor or a publisher; one that is listed already is left as it is. An anchor takes the place of the one before.
    ListSigner(SignerKeyRow),
    /// A publisher signs no longer than so.
    EndPublisher {
        /// Every publisher with this kid.
        kid: Kid,
        /// Its last second of signing.
        signs_until: UnixSeconds,
    },
    /// Withdraws every publisher with this kid.
    WithdrawPublisher(Kid),
}

impl Store {
    /// Makes changes of the trust list, all or none. Returns how many changed anything; if none did, nothing is written down.
    pub async fn change_keys(&self, changes: &[KeyChange], by: &Audited) -> Result<usize, StoreError> {
        self.transact(&ChangeKeys { changes, by }).await
    }
}

struct ChangeKeys<'a> {
    changes: &'a [KeyChange],
    by: &'a Audited,
}

impl Work for ChangeKeys<'_> {
    type Output = usize;

    async fn run(&self, tx: &Tx<'_>) -> Result<usize, StoreError> {
        let mut changed = 0;
        for change in self.changes {
            changed += usize::from(self.change(tx, change).await?);
        }
        if changed > 0 {
            raise_trust_version(tx).await?;
            tx.audit(self.by).await?;
        }
        Ok(changed)
    }
}

impl ChangeKeys<'_> {
    async fn change(&self, tx: &Tx<'_>, change: &KeyChange) -> Result<bool, StoreError> {
        let at = self.by.at;
        match change {
            KeyChange::List(row) => insert_key(tx, row).await,
            KeyChange::End { kid, signs_until, trusted_until } => {
                let sql = "-- end key
                           UPDATE issuer_key SET signs_until = $2, trusted_until = least(coalesce(trusted_until, $3), $3)
                           WHERE kid = $1 AND withdrawn_at IS NULL AND (signs_until IS NULL OR signs_until > $2)";
                let stmt = tx.inner.prepare_cached(sql).await?;
                let (signs, trusted) = (timestamp(*signs_until), timestamp(*trusted_until));
                Ok(tx.inner.execute(&stmt, &[/* kid */ &kid.0.as_slice(), &signs, &trusted]).await? > 0)
            }
            KeyChange::Withdraw(kid) => withdraw_key(tx, *kid, at).await,
            KeyChange::ListSigner(row) => {
                let added = insert_signer(tx, row).await?;
                if added && row.purpose == Purpose::Anchor {
                    withdraw_other_anchors(tx, &row.spki_der, at).await?;
                }
                Ok(added)
            }
            KeyChange::EndPublisher { kid, signs_until } => {
                let sql = "-- end publisher
                           UPDATE signer_key SET signs_until = $2 WHERE kid = $1 AND purpose = 'publisher'
                           AND withdrawn_at IS NULL AND (signs_until IS NULL OR signs_until > $2)";
                let stmt = tx.inner.prepare_cached(sql).await?;
                Ok(tx.inner.execute(&stmt, &[&kid.0.as_slice(), &timestamp(*signs_until)]).await? > 0)
            }
            KeyChange::WithdrawPublisher(kid) => {
                let sql = "-- withdraw publisher
                           UPDATE signer_key SET withdrawn_at = $2
                           WHERE kid = $1 AND purpose = 'publisher' AND withdrawn_at IS NULL";
                let stmt = tx.inner.prepare_cached(sql).await?;
                Ok(tx.inner.execute(&stmt, &[&kid.0.as_slice(), &timestamp(at)]).await? > 0)
            }
        }
    }
}

async fn insert_signer(tx: &Tx<'_>, row: &SignerKeyRow) -> Result<bool, StoreError> {
    let sql = "-- put signer key
               INSERT INTO signer_key (key_hash, purpose, kid, spki, signs_from, signs_until, withdrawn_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key_hash) DO NOTHING";
    let stmt = tx.inner.prepare_cached(sql).await?;
    let instant = |at: Option<UnixSeconds>| at.map(timestamp);
    let added = tx
        .inner
        .execute(
            &stmt,
            &[
                &key_hash(&row.spki_der),
                &row.purpose.as_str(),
                &row.kid.0.as_slice(),
                &row.spki_der,
                &instant(row.signs_from),
                &instant(row.signs_until),
                &instant(row.withdrawn_at),
            ],
        )
        .await?;
    Ok(added == 1)
}

async fn withdraw_other_anchors(tx: &Tx<'_>, spki_der: &[u8], at: UnixSeconds) -> Result<(), StoreError> {
    let sql = "-- withdraw anchors
               UPDATE signer_key SET withdrawn_at = $2
               WHERE purpose = 'anchor' AND key_hash <> $1 AND withdrawn_at IS NULL";
    let stmt = tx.inner.prepare_cached(sql).await?;
    tx.inner.execute(&stmt, &[/* key_hash */ &key_hash(spki_der), /* at */ &timestamp(at)]).await?;
    Ok(())
}
