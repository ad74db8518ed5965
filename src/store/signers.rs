//! The public halves of the anchor and of the publishers, and the whole trust list of one version.

use jiff::Timestamp;

use super::keys::version_of;
use super::people::seconds;
use super::{IssuerKeyRow, Store, StoreError, TRIES};
use crate::certificate::UnixSeconds;
use crate::keys::{Kid, PublicKey};
use crate::trust::Publisher;

/// What a key signs that is listed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The trust list. There is one at a time.
    Anchor,
    /// Rules, revocations and changes.
    Publisher,
}

impl Purpose {
    /// The word in the database, and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Anchor => "anchor",
            Purpose::Publisher => "publisher",
        }
    }
}

/// The public half of a key that signs what verifiers follow, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerKeyRow {
    /// What it signs.
    pub purpose: Purpose,
    /// The bare key's.
    pub kid: Kid,
    /// DER SubjectPublicKeyInfo, Ed25519.
    pub spki_der: Vec<u8>,
    /// Signing period.
    pub signs_from: Option<UnixSeconds>,
    /// Signing period.
    pub signs_until: Option<UnixSeconds>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<UnixSeconds>,
}

/// All keys of one version of the trust list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRows {
    /// The version that they make.
    pub version: u64,
    /// The keys that sign certificates.
    pub keys: Vec<IssuerKeyRow>,
    /// The anchor and the publishers, those that were withdrawn too.
    pub signers: Vec<SignerKeyRow>,
}

impl TrustRows {
    /// The anchor in force. Errors: [`StoreError::Unreadable`].
    pub fn anchor(&self) -> Result<Option<PublicKey>, StoreError> {
        self.in_force(Purpose::Anchor).next().map(|row| public_key(&row.spki_der)).transpose()
    }

    /// The publishers that were not withdrawn. Errors: [`StoreError::Unreadable`].
    pub fn publishers(&self) -> Result<Vec<Publisher>, StoreError> {
        let publisher = |row: &SignerKeyRow| {
            Ok(Publisher { key: public_key(&row.spki_der)?, from: row.signs_from, until: row.signs_until })
        };
        self.in_force(Purpose::Publisher).map(publisher).collect()
    }

    fn in_force(&self, purpose: Purpose) -> impl Iterator<Item = &SignerKeyRow> {
        self.signers.iter().filter(move |row| row.purpose == purpose && row.withdrawn_at.is_none())
    }
}

fn public_key(spki_der: &[u8]) -> Result<PublicKey, StoreError> {
    PublicKey::from_spki_der(spki_der).map_err(|_| StoreError::Unreadable("signer_key"))
}

impl Store {
    /// All keys, of one version: every change raises it in its own transaction, so what is read with it, and between two readings
    /// of it, is that version's, even if each answer comes from another replica.
    pub async fn trust_rows(&self) -> Result<TrustRows, StoreError> {
        for _ in 0..TRIES {
            let version = self.trust_version().await?;
            let (of_keys, keys) = self.issuer_keys().await?;
            let (of_signers, signers) = self.signer_keys().await?;
            let same = (keys.is_empty() || of_keys == version) && (signers.is_empty() || of_signers == version);
            if same && self.trust_version().await? == version {
                return Ok(TrustRows { version, keys, signers });
            }
        }
        Err(StoreError::Contended(TRIES))
    }

    async fn signer_keys(&self) -> Result<(u64, Vec<SignerKeyRow>), StoreError> {
        let sql = "-- signer keys
                   SELECT purpose, kid, spki, signs_from, signs_until, withdrawn_at,
                          coalesce((SELECT value FROM version WHERE topic = 'trust'), 0)
                   FROM signer_key ORDER BY key_hash";
        let rows = self.rows(sql, &[]).await?;
        let row = |row: &tokio_postgres::Row| {
            let (purpose, kid): (&str, &[u8]) = (row.get(0), row.get(1));
            let instant = |at: usize| row.get::<_, Option<Timestamp>>(at).map(seconds);
            Ok(SignerKeyRow {
                purpose: [Purpose::Anchor, Purpose::Publisher]
                    .into_iter()
                    .find(|known| known.as_str() == purpose)
                    .ok_or(StoreError::Unreadable("signer_key"))?,
                kid: kid.try_into().map(Kid).map_err(|_| StoreError::Unreadable("signer_key"))?,
                spki_der: row.get(2),
                signs_from: instant(3),
                signs_until: instant(4),
                withdrawn_at: instant(5),
            })
        };
        let version = rows.first().map_or(Ok(0), |row| version_of(row.get(6)))?;
        Ok((version, rows.iter().map(row).collect::<Result<_, StoreError>>()?))
    }
}
