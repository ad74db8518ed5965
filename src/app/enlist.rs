//! How keys of ours come into the trust list: those of a first start, and the next one of a rotation.

use super::StartError;
use crate::certificate::UnixSeconds;
use crate::keyring::Keyring;
use crate::keys::{IssuerKey, KeyError, Kid, PublicKey};
use crate::policy;
use crate::store::{Audited, IssuerKeyRow, KeyChange, Purpose, SignerKeyRow, Store};
use crate::trust::Usages;

/// Lists the keys of this node's keyring as ours from `now` on, for each use that has no key of ours listed yet: each
/// algorithm of certificates, the publisher, the anchor.
///
/// What a first start does; later keys are listed by `thexanh keys`, which says from when they sign. Returns how many.
pub async fn enlist(store: &Store, keyring: &Keyring, now: UnixSeconds) -> Result<usize, StartError> {
    let listed = store.trust_rows().await?;
    let own = listed.keys.iter().filter(|row| row.own).map(|row| PublicKey::from_spki_der(&row.spki_der));
    let algorithms = own.map(|key| key.map(|key| key.algorithm())).collect::<Result<Vec<_>, _>>()?;
    let unlisted = keyring.issuers().into_iter().filter(|key| !algorithms.contains(&key.algorithm()));
    let mut changes: Vec<_> = unlisted.map(|key| KeyChange::List(issuer_row(&key, now))).collect();
    let has = |purpose| listed.signers.iter().any(|row| row.purpose == purpose);
    if let Some(spki_der) = keyring.anchor_spki_der().filter(|_| !has(Purpose::Anchor)) {
        changes.push(KeyChange::ListSigner(signer_row(Purpose::Anchor, spki_der, None)));
    }
    if !has(Purpose::Publisher) {
        let row = |key: &IssuerKey| signer_row(Purpose::Publisher, key.spki_der(), Some(now));
        changes.extend(keyring.publishers().iter().map(|key| KeyChange::ListSigner(row(key))));
    }
    let by = by_command_line("key.list", "the keys of the first start".to_owned(), now);
    Ok(store.change_keys(&changes, &by).await?)
}

/// For how long the key before may sign on, in seconds: nodes that have not got the next one yet do.
pub const OVERLAP_S: i64 = 24 * 3600;

/// What is to be changed for `key` to follow those of its algorithm: it signs from `signs_from` on, and they for
/// [`OVERLAP_S`] more. They stay trusted until the last that they signed has expired.
pub fn rotation(listed: &[IssuerKeyRow], key: &IssuerKey, signs_from: UnixSeconds) -> Result<Vec<KeyChange>, KeyError> {
    let signs_until = UnixSeconds(signs_from.0 + OVERLAP_S);
    let mut changes = vec![KeyChange::List(issuer_row(key, signs_from))];
    for row in listed.iter().filter(|row| row.own && row.withdrawn_at.is_none()) {
        let is_of_it = PublicKey::from_spki_der(&row.spki_der)?.algorithm() == key.algorithm();
        if is_of_it && row.signs_until.is_none_or(|until| until > signs_until) {
            let trusted_until = policy::expires_at(signs_until);
            changes.push(KeyChange::End { kid: row.kid, signs_until, trusted_until });
        }
    }
    Ok(changes)
}

/// How a key of ours is listed that signs certificates from `signs_from` on.
pub fn issuer_row(key: &IssuerKey, signs_from: UnixSeconds) -> IssuerKeyRow {
    IssuerKeyRow {
        kid: key.kid(),
        spki_der: key.spki_der().to_vec(),
        country: policy::COUNTRY.to_owned(),
        national: true,
        usages: Usages::VACCINATION,
        own: true,
        signs_from: Some(signs_from),
        signs_until: None,
        trusted_from: None,
        trusted_until: None,
        withdrawn_at: None,
    }
}

/// How a key is listed that signs what verifiers follow.
pub fn signer_row(purpose: Purpose, spki_der: &[u8], signs_from: Option<UnixSeconds>) -> SignerKeyRow {
    SignerKeyRow {
        purpose,
        kid: Kid::of_der(spki_der),
        spki_der: spki_der.to_vec(),
        signs_from,
        signs_until: None,
        withdrawn_at: None,
    }
}

/// The audit entry of what is done to keys by whoever runs our commands, or by the service itself.
pub fn by_command_line(action: &'static str, why: String, at: UnixSeconds) -> Audited {
    let (role, subject) = ("operator".to_owned(), "command line".to_owned());
    Audited { at, role, subject, place: String::new(), action, about: None, why }
}
