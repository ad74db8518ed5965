//! What becomes of imported keys in a list that has keys already.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use super::TrustedKey;
use super::import::{Entry, Refusal};
use crate::certificate::UnixSeconds;
use crate::keys::Kid;

/// What becomes of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is new.
    Added,
    /// It is listed so already.
    Known,
    /// It is listed otherwise: usages, periods or certificate are new.
    Changed,
    /// It is not taken.
    Refused(Refusal),
}

impl Fate {
    /// The word for it in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Added => "added",
            Fate::Known => "known",
            Fate::Changed => "changed",
            Fate::Refused(_) => "refused",
        }
    }
}

/// What becomes of each of `entries`, in their order, where `listed` are listed.
///
/// A key of ours stays as it is under every kid, one that was withdrawn stays withdrawn, and no listed key moves to another
/// country. Of two entries of one list that differ the first counts.
pub fn merge<'a>(listed: &'a [TrustedKey], entries: &'a [Entry]) -> Vec<Fate> {
    let mut of_key: HashMap<&[u8], Vec<&TrustedKey>> = HashMap::with_capacity(listed.len());
    for key in listed {
        of_key.entry(key.key.spki_der()).or_default().push(key);
    }
    let mut seen: HashMap<(Kid, &[u8]), &TrustedKey> = HashMap::new();
    let fate = |entry: &'a Entry| match &entry.key {
        Err(refusal) => Fate::Refused(*refusal),
        Ok(key) => match seen.entry((key.kid, key.key.spki_der())) {
            Slot::Occupied(before) if is_alike(before.get(), key) => Fate::Known,
            Slot::Occupied(_) => Fate::Refused(Refusal::Conflict),
            Slot::Vacant(slot) => {
                slot.insert(key);
                among(of_key.get(key.key.spki_der()).map_or(&[], Vec::as_slice), key)
            }
        },
    };
    entries.iter().map(fate).collect()
}

/// What becomes of `key` where the same key is listed as `same`.
fn among(same: &[&TrustedKey], key: &TrustedKey) -> Fate {
    if same.iter().any(|listed| listed.own) {
        return Fate::Refused(Refusal::OwnKey);
    }
    if same.iter().any(|listed| listed.withdrawn_at.is_some()) {
        return Fate::Refused(Refusal::Withdrawn);
    }
    if same.iter().any(|listed| listed.country != key.country) {
        return Fate::Refused(Refusal::CountryMismatch);
    }
    match same.iter().find(|listed| listed.kid == key.kid) {
        None => Fate::Added,
        Some(listed) if is_alike(listed, key) => Fate::Known,
        Some(_) => Fate::Changed,
    }
}

/// How a key of ours is listed by a certificate over it, beside its other listings.
///
/// `own`: such a listing. `by`: what the certificate says. `signs_from`: from when it is to sign under the certificate's kid;
/// later if the certificate or the key begins later, and until either ends. How long it is trusted does not depend on the
/// certificate: what it signed is good until it expires.
/// Errors: [`Refusal::Withdrawn`], [`Refusal::CountryMismatch`], [`Refusal::NotASigner`] if the certificate is not for
/// vaccinations, [`Refusal::Expired`].
pub fn certified(own: TrustedKey, by: &TrustedKey, signs_from: UnixSeconds) -> Result<TrustedKey, Refusal> {
    let signs_from = [Some(signs_from), by.trusted_from, own.signs_from].into_iter().flatten().max();
    let signs_until = [by.trusted_until, own.signs_until].into_iter().flatten().min();
    if own.withdrawn_at.is_some() {
        return Err(Refusal::Withdrawn);
    }
    if by.country != own.country {
        return Err(Refusal::CountryMismatch);
    }
    if !by.usages.vaccination {
        return Err(Refusal::NotASigner);
    }
    if signs_until.is_some_and(|until| signs_from > Some(until)) {
        return Err(Refusal::Expired);
    }
    Ok(TrustedKey { kid: by.kid, signs_from, signs_until, certificate: by.certificate.clone(), ..own })
}

/// Whether two listings of one key under one kid say the same. A list without the certificate does not take it away.
fn is_alike(listed: &TrustedKey, key: &TrustedKey) -> bool {
    (&listed.country, listed.usages, listed.trusted_from, listed.trusted_until)
        == (&key.country, key.usages, key.trusted_from, key.trusted_until)
        && (key.certificate.is_none() || key.certificate == listed.certificate)
}
