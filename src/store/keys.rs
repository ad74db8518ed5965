//! Our public keys and the version of the trust list made of them.

use jiff::Timestamp;
use serde_json::Value;

use super::people::{seconds, timestamp};
use super::{Store, StoreError, Tx, Work};
use crate::certificate::UnixSeconds;
use crate::keys::{Kid, PublicKey};
use crate::trust::{TrustedKey, Usages};

/// A public key of the trust list, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerKeyRow {
    /// The kid it is listed under.
    pub kid: Kid,
    /// DER SubjectPublicKeyInfo.
    pub spki_der: Vec<u8>,
    /// Whose.
    pub country: String,
    /// True if it may sign the compact profile.
    pub national: bool,
    /// What it may sign.
    pub usages: Usages,
    /// True for keys of this registry.
    pub own: bool,
    /// Signing period.
    pub signs_from: Option<UnixSeconds>,
    /// Signing period.
    pub signs_until: Option<UnixSeconds>,
    /// Trust period.
    pub trusted_from: Option<UnixSeconds>,
    /// Trust period.
    pub trusted_until: Option<UnixSeconds>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<UnixSeconds>,
    /// The DER certificate that it is listed by, if we have it.
    pub certificate: Option<Vec<u8>>,
}

impl IssuerKeyRow {
    /// How a key of a list is stored.
    pub fn of(key: &TrustedKey) -> IssuerKeyRow {
        IssuerKeyRow {
            kid: key.kid,
            spki_der: key.key.spki_der().to_vec(),
            country: key.country.clone(),
            national: key.national,
            usages: key.usages,
            own: key.own,
            signs_from: key.signs_from,
            signs_until: key.signs_until,
            trusted_from: key.trusted_from,
            trusted_until: key.trusted_until,
            withdrawn_at: key.withdrawn_at,
            certificate: key.certificate.as_deref().map(<[u8]>::to_vec),
        }
    }

    /// The key, parsed. Errors: [`StoreError::Unreadable`].
    pub fn trusted(self) -> Result<TrustedKey, StoreError> {
        let key = PublicKey::from_spki_der(&self.spki_der).map_err(|_| StoreError::Unreadable("issuer_key"))?;
        Ok(TrustedKey {
            key,
            kid: self.kid,
            country: self.country,
            national: self.national,
            usages: self.usages,
            own: self.own,
            signs_from: self.signs_from,
            signs_until: self.signs_until,
            trusted_from: self.trusted_from,
            trusted_until: self.trusted_until,
            withdrawn_at: self.withdrawn_at,
            certificate: self.certificate.map(Vec::into_boxed_slice),
        })
    }
}

pub(super) fn key_hash(spki_der: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, spki_der).as_ref().to_vec()
}

impl Store {
    /// The version of the trust list; 0 before the first key.
    pub async fn trust_version(&self) -> Result<u64, StoreError> {
        let row = self.row("-- trust version\nSELECT value FROM version WHERE topic = 'trust'", &[]).await?;
        row.map_or(Ok(0), |row| version_of(row.get(0)))
    }

    /// Every key, and the version of the list they make: both of one instant.
    pub async fn issuer_keys(&self) -> Result<(u64, Vec<IssuerKeyRow>), StoreError> {
        let rows = self.rows(ISSUER_KEYS, &[]).await?;
        let version = rows.first().map_or(Ok(0), |row| version_of(row.get(0)))?;
        Ok((version, rows.iter().map(issuer_key).collect::<Result<_, _>>()?))
    }

    /// Lists a key, raising the list's version. Returns false if it is listed already: it is left as it is.
    pub async fn put_issuer_key(&self, key: &IssuerKeyRow) -> Result<bool, StoreError> {
        self.transact(&PutKey(key)).await
    }

    /// Withdraws every key with this kid, raising the list's version. Returns false if none was in force.
    pub async fn withdraw_issuer_key(&self, kid: Kid, at: UnixSeconds) -> Result<bool, StoreError> {
        self.transact(&WithdrawKey(kid, at)).await
    }
}

/// Every key, behind the version of the list.
pub(super) const ISSUER_KEYS: &str = r#"-- issuer keys
    SELECT coalesce((SELECT value FROM version WHERE topic = 'trust'), 0),
           kid, spki, country, "national", usages, own, signs_from, signs_until, trusted_from, trusted_until,
           withdrawn_at, certificate
    FROM issuer_key ORDER BY key_hash, kid"#;

/// A row of [`ISSUER_KEYS`].
pub(super) fn issuer_key(row: &tokio_postgres::Row) -> Result<IssuerKeyRow, StoreError> {
    let kid: &[u8] = row.get(1);
    let usages: Value = row.get(5);
    let words = usages.as_array().into_iter().flatten().filter_map(Value::as_str);
    let instant = |at: usize| row.get::<_, Option<Timestamp>>(at).map(seconds);
    Ok(IssuerKeyRow {
        kid: kid.try_into().map(Kid).map_err(|_| StoreError::Unreadable("issuer_key"))?,
        spki_der: row.get(2),
        country: row.get(3),
        national: row.get(4),
        usages: Usages::from_words(words),
        own: row.get(6),
        signs_from: instant(7),
        signs_until: instant(8),
        trusted_from: instant(9),
        trusted_until: instant(10),
        withdrawn_at: instant(11),
        certificate: row.get(12),
    })
}

pub(super) fn version_of(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Unreadable("version"))
}

struct PutKey<'a>(&'a IssuerKeyRow);

impl Work for PutKey<'_> {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        let added = insert_key(tx, self.0).await?;
        if added {
            raise_trust_version(tx).await?;
        }
        Ok(added)
    }
}

/// Lists a key without raising the version. Returns false if it is listed under this kid already.
pub(super) async fn insert_key(tx: &Tx<'_>, key: &IssuerKeyRow) -> Result<bool, StoreError> {
    let sql = r#"-- put key
        INSERT INTO issuer_key (key_hash, kid, spki, country, "national", usages, own, signs_from, signs_until,
                                trusted_from, trusted_until, withdrawn_at, certificate)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (key_hash, kid) DO NOTHING"#;
    let stmt = tx.inner.prepare_cached(sql).await?;
    let usages: Value = key.usages.words().into();
    let instant = |at: Option<UnixSeconds>| at.map(timestamp);
    let added = tx
        .inner
        .execute(
            &stmt,
            &[
                &key_hash(&key.spki_der),
                &key.kid.0.as_slice(),
                &key.spki_der,
                &key.country,
                &key.national,
                &usages,
                &key.own,
                &instant(key.signs_from),
                &instant(key.signs_until),
                &instant(key.trusted_from),
                &instant(key.trusted_until),
                &instant(key.withdrawn_at),
                &key.certificate,
            ],
        )
        .await?;
    Ok(added == 1)
}

struct WithdrawKey(Kid, UnixSeconds);

impl Work for WithdrawKey {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        let changed = withdraw_key(tx, self.0, self.1).await?;
        if changed {
            raise_trust_version(tx).await?;
        }
        Ok(changed)
    }
}

/// Withdraws every key with this kid, under all its kids, without raising the version. Returns false if none was in force.
pub(super) async fn withdraw_key(tx: &Tx<'_>, kid: Kid, at: UnixSeconds) -> Result<bool, StoreError> {
    let sql = "-- withdraw key
               UPDATE issuer_key SET withdrawn_at = $2 WHERE withdrawn_at IS NULL
               AND key_hash IN (SELECT key_hash FROM issuer_key WHERE kid = $1)";
    let stmt = tx.inner.prepare_cached(sql).await?;
    Ok(tx.inner.execute(&stmt, &[/* kid */ &kid.0.as_slice(), /* at */ &timestamp(at)]).await? > 0)
}

/// In the transaction that changes the list: the row's lock puts changes in order.
pub(super) async fn raise_trust_version(tx: &Tx<'_>) -> Result<(), StoreError> {
    let sql = "-- raise trust version
               INSERT INTO version (topic, value) VALUES ('trust', 1)
               ON CONFLICT (topic) DO UPDATE SET value = version.value + 1";
    let stmt = tx.inner.prepare_cached(sql).await?;
    tx.inner.execute(&stmt, &[]).await?;
    Ok(())
}
