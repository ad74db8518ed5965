//! The trust list: for each kid every key with that kid, each with its country, its usages and its periods.

mod document;

use std::collections::HashMap;
use std::sync::Arc;

use crate::certificate::{Statement, UnixSeconds};
use crate::ed25519;
use crate::keys::{KeyError, Kid, PublicKey};

pub use document::{DocumentError, TrustListDocument, TrustedKeyDocument};

/// What a key may sign. A key that names none may sign all. Source: HCERT §5 (extended key usage OIDs of signing certificates).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usages {
    /// 1.3.6.1.4.1.1847.2021.1.1
    pub test: bool,
    /// 1.3.6.1.4.1.1847.2021.1.2
    pub vaccination: bool,
    /// 1.3.6.1.4.1.1847.2021.1.3
    pub recovery: bool,
}

impl Usages {
    /// No restriction.
    pub const ALL: Usages = Usages { test: true, vaccination: true, recovery: true };
    /// What our own keys sign.
    pub const VACCINATION: Usages = Usages { test: false, vaccination: true, recovery: false };

    /// The words used in the trust list.
    pub fn words(self) -> Vec<&'static str> {
        [(self.test, "test"), (self.vaccination, "vaccination"), (self.recovery, "recovery")]
            .into_iter()
            .filter_map(|(allowed, word)| allowed.then_some(word))
            .collect()
    }

    /// The usages that `words` name; words that we do not know are passed over, none at all means no restriction.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Usages {
        let mut usages = Usages::default();
        for word in words {
            match word {
                "test" => usages.test = true,
                "vaccination" => usages.vaccination = true,
                "recovery" => usages.recovery = true,
                _ => {}
            }
        }
        if usages == Usages::default() { Usages::ALL } else { usages }
    }

    /// The usages that a certificate's extended key usage OIDs name; none of the three means no restriction.
    pub fn from_oids<'a>(oids: impl IntoIterator<Item = &'a str>) -> Usages {
        // The second spelling of each stands in certificates issued before the first was registered.
        Usages::from_words(oids.into_iter().map(|oid| match oid {
            "1.3.6.1.4.1.1847.2021.1.1" | "1.3.6.1.4.1.0.1847.2021.1.1" => "test",
            "1.3.6.1.4.1.1847.2021.1.2" | "1.3.6.1.4.1.0.1847.2021.1.2" => "vaccination",
            "1.3.6.1.4.1.1847.2021.1.3" | "1.3.6.1.4.1.0.1847.2021.1.3" => "recovery",
            _ => "",
        }))
    }

    /// True if a key with these usages may sign `statement`.
    pub fn allow(self, statement: &Statement) -> bool {
        match statement {
            Statement::Vaccination(_) => self.vaccination,
            Statement::Test(_) => self.test,
            Statement::Recovery(_) => self.recovery,
        }
    }
}

/// A public key that we accept, and within which bounds.
#[derive(Debug)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// The kid that it is listed under: the bare key's, or its certificate's.
    pub kid: Kid,
    /// Whose it is: ISO 3166-1 alpha-2. This, not `iss`, is the issuer shown.
    pub country: String,
    /// True if it may sign the compact profile.
    pub national: bool,
    /// What it may sign.
    pub usages: Usages,
    /// True for keys of this registry, whose signing period is tested against `iat`.
    pub own: bool,
    /// Certificates issued earlier than this are none of its.
    pub signs_from: Option<UnixSeconds>,
    /// Certificates issued later than this are none of its.
    pub signs_until: Option<UnixSeconds>,
    /// Trusted from this instant.
    pub trusted_from: Option<UnixSeconds>,
    /// Trusted up to and including this instant.
    pub trusted_until: Option<UnixSeconds>,
    /// When it was withdrawn: from then on all that it signed falls.
    pub withdrawn_at: Option<UnixSeconds>,
}

/// A key that signs what verifiers follow, but no certificate and no trust list.
#[derive(Debug)]
pub struct Publisher {
    /// The key, Ed25519.
    pub key: PublicKey,
    /// What it signs is taken from this instant on.
    pub from: Option<UnixSeconds>,
    /// What it signs is taken up to and including this instant.
    pub until: Option<UnixSeconds>,
}

impl Publisher {
    /// True if what it signs is taken at `now`.
    pub fn may_sign(&self, now: UnixSeconds) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now <= until)
    }
}

/// An immutable snapshot of the keys we accept.
#[derive(Debug)]
pub struct TrustList {
    version: u64,
    keys: HashMap<Kid, Vec<Arc<TrustedKey>>>,
    anchor: Option<PublicKey>,
    publishers: Vec<Publisher>,
    ed25519: Arc<ed25519::Engine>,
}

impl TrustList {
    /// The list of `keys` at `version`; several may share a kid, and keep their order.
    ///
    /// `ed25519`: through which its Ed25519 keys verify. Errors: [`KeyError::WeakPoint`] for an Ed25519 key that is not
    /// canonical and of prime order.
    pub fn new(
        version: u64,
        keys: impl IntoIterator<Item = TrustedKey>,
        ed25519: &Arc<ed25519::Engine>,
    ) -> Result<TrustList, KeyError> {
        let mut list = TrustList {
            version,
            keys: HashMap::new(),
            anchor: None,
            publishers: Vec::new(),
            ed25519: Arc::clone(ed25519),
        };
        for mut key in keys {
            key.key.check_prime_order()?;
            key.key.prepare(ed25519);
            list.keys.entry(key.kid).or_default().push(Arc::new(key));
        }
        Ok(list)
    }

    /// The same list with the keys that sign what verifiers follow.
    ///
    /// Errors: [`KeyError::Algorithm`] for one that is not Ed25519, [`KeyError::WeakPoint`] as in [`TrustList::new`].
    pub fn with_signers(self, anchor: Option<PublicKey>, publishers: Vec<Publisher>) -> Result<TrustList, KeyError> {
        for key in anchor.iter().chain(publishers.iter().map(|publisher| &publisher.key)) {
            key.ed25519().ok_or(KeyError::Algorithm)?;
            key.check_prime_order()?;
        }
        Ok(TrustList { anchor, publishers, ..self })
    }

    /// The key that signs the list itself, if it is known. A verifier holds lists to the anchor that it began with.
    pub fn anchor(&self) -> Option<&PublicKey> {
        self.anchor.as_ref()
    }

    /// The keys that sign rules, revocations and changes.
    pub fn publishers(&self) -> &[Publisher] {
        &self.publishers
    }

    /// Of those, the keys whose signatures are taken at `now`.
    pub fn publisher_keys(&self, now: UnixSeconds) -> impl Iterator<Item = &PublicKey> {
        self.publishers.iter().filter(move |publisher| publisher.may_sign(now)).map(|publisher| &publisher.key)
    }

    /// The version of the registry's list that this is.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Every key with this kid; empty if there is none.
    pub fn keys(&self, kid: &Kid) -> &[Arc<TrustedKey>] {
        self.keys.get(kid).map_or(&[], Vec::as_slice)
    }

    /// Makes ready what verifying under the national keys needs, some milliseconds of work a key. Others become ready in use.
    pub fn warm(&self) {
        let national = self.keys.values().flatten().filter(|key| key.national && key.withdrawn_at.is_none());
        national.filter_map(|key| key.key.ed25519()).for_each(|key| self.ed25519.warm(key));
    }

    /// True if `signature` is `key`'s over what `write` appends.
    pub fn verifies(&self, key: &TrustedKey, signature: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> bool {
        match key.key.ed25519() {
            Some(key) => self.ed25519.verifies(key, signature, write),
            None => {
                let mut tbs = Vec::with_capacity(1024);
                write(&mut tbs);
                key.key.verifies(signature, &tbs)
            }
        }
    }

    /// A batch of signatures of its Ed25519 keys, to verify together.
    pub fn batch(&self) -> ed25519::Batch<'_> {
        self.ed25519.batch()
    }

    /// Every key, ordered by kid.
    pub fn all(&self) -> Vec<&TrustedKey> {
        let mut keys: Vec<&TrustedKey> = self.keys.values().flatten().map(Arc::as_ref).collect();
        keys.sort_by_key(|key| key.kid);
        keys
    }
}
