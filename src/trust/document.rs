//! The trust list as JSON, and the same JSON signed by the anchor.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Publisher, TrustList, TrustedKey, Usages};
use crate::certificate::UnixSeconds;
use crate::ed25519;
use crate::keys::{IssuerKey, KeyError, Kid, PublicKey};
use crate::signed::{self, Kind, Opened, Refusal, Stamp};

/// The public keys that certificates are accepted under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustListDocument {
    /// Goes up with every change.
    pub version: u64,
    /// When this was put together, in seconds since 1970.
    pub issued_at: i64,
    /// By when to ask again at the latest, in seconds since 1970.
    pub next_update: i64,
    /// The key that signs this list. It proves nothing here: a verifier holds lists to the anchor that it was given, or to the
    /// first that it saw.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub anchor: Option<AnchorDocument>,
    /// The keys that sign rules, revocations and changes.
    #[serde(default)]
    pub publishers: Vec<PublisherDocument>,
    /// Every key; several may share a kid.
    pub keys: Vec<TrustedKeyDocument>,
}

/// The key that signs the trust list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnchorDocument {
    /// In standard base64.
    #[schema(example = "LPCGKdiZxq8=")]
    pub kid: String,
    /// The DER SubjectPublicKeyInfo in standard base64.
    pub public_key: String,
}

/// A key that signs what verifiers follow. Times are seconds since 1970 and absent where there is no bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublisherDocument {
    /// In standard base64.
    #[schema(example = "LPCGKdiZxq8=")]
    pub kid: String,
    /// The DER SubjectPublicKeyInfo in standard base64.
    pub public_key: String,
    /// What it signs is taken from this instant on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<i64>,
    /// What it signs is taken up to and including this instant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<i64>,
}

/// One public key. Times are seconds since 1970 and absent where there is no bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustedKeyDocument {
    /// A hint that narrows the search, in standard base64; may collide.
    #[schema(example = "LPCGKdiZxq8=")]
    pub kid: String,
    /// Whose it is: ISO 3166-1 alpha-2.
    #[schema(example = "VN")]
    pub country: String,
    /// `EdDSA`, `ES256` or `PS256`. The key decides, never the header.
    #[schema(example = "EdDSA")]
    pub algorithm: String,
    /// Whether it may sign the compact profile.
    pub national: bool,
    /// The DER SubjectPublicKeyInfo in standard base64.
    pub public_key: String,
    /// `vaccination`, `test`, `recovery`.
    pub usages: Vec<String>,
    /// Whether it is this registry's.
    pub own: bool,
    /// Certificates of its with an earlier `iat` are refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signs_from: Option<i64>,
    /// Certificates of its with a later `iat` are refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signs_until: Option<i64>,
    /// The first second of its trust.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trusted_from: Option<i64>,
    /// The last second of its trust.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trusted_until: Option<i64>,
    /// When it was withdrawn: all that it signed falls.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withdrawn_at: Option<i64>,
}

/// Why a document is no trust list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON of this form; or a kid or a public key is not base64, or a kid not 8 bytes.
    #[error("it is no trust list, or a kid or a public key in it is not written as it should be")]
    Malformed,
    /// A public key cannot be used.
    #[error("a key in it cannot be used: {0}")]
    Key(#[from] KeyError),
    /// The signature around it is refused.
    #[error(transparent)]
    Signed(#[from] Refusal),
    /// The list and the signature around it name different versions or times.
    #[error("it is signed as another version than it says it is")]
    Contradiction,
}

impl DocumentError {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            DocumentError::Malformed => "malformed",
            DocumentError::Key(error) => error.code(),
            DocumentError::Signed(refusal) => refusal.code(),
            DocumentError::Contradiction => "contradiction",
        }
    }
}

impl TrustListDocument {
    /// What is published of `list`. `stamp`: its times; the version is the list's own.
    pub fn of(list: &TrustList, stamp: Stamp) -> TrustListDocument {
        let anchor = list.anchor().map(|key| AnchorDocument {
            kid: key.kid().to_string(),
            public_key: BASE64_STANDARD.encode(key.spki_der()),
        });
        let publishers = list.publishers().iter().map(|publisher| PublisherDocument {
            kid: publisher.key.kid().to_string(),
            public_key: BASE64_STANDARD.encode(publisher.key.spki_der()),
            from: publisher.from.map(|at| at.0),
            until: publisher.until.map(|at| at.0),
        });
        TrustListDocument {
            version: list.version(),
            issued_at: stamp.issued_at.0,
            next_update: stamp.next_update.0,
            anchor,
            publishers: publishers.collect(),
            keys: list.all().into_iter().map(TrustedKeyDocument::from).collect(),
        }
    }

    /// The document in JSON. Errors: [`DocumentError::Malformed`].
    pub fn from_json(json: &[u8]) -> Result<TrustListDocument, DocumentError> {
        serde_json::from_slice(json).map_err(|_| DocumentError::Malformed)
    }

    /// The JSON that is published and signed.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a trust list has text keys")
    }

    /// The document that the anchor signed.
    ///
    /// `anchors`: the keys that may sign it. `at_least`: the highest version known. Errors: [`DocumentError::Signed`],
    /// [`DocumentError::Malformed`], [`DocumentError::Contradiction`].
    pub fn open<'k>(
        bytes: &[u8],
        anchors: impl IntoIterator<Item = &'k PublicKey>,
        now: UnixSeconds,
        at_least: u64,
    ) -> Result<TrustListDocument, DocumentError> {
        TrustListDocument::of_payload(&signed::open(Kind::TrustList, bytes, anchors, now, at_least)?)
    }

    /// The document in what was opened. Errors: [`DocumentError::Malformed`], [`DocumentError::Contradiction`].
    pub fn of_payload(opened: &Opened<'_>) -> Result<TrustListDocument, DocumentError> {
        let document = TrustListDocument::from_json(opened.payload)?;
        if document.stamp() == opened.stamp { Ok(document) } else { Err(DocumentError::Contradiction) }
    }

    /// `json`, a document, signed as it is. Errors: [`DocumentError::Malformed`], [`DocumentError::Key`].
    pub fn sign(json: &[u8], anchor: &IssuerKey) -> Result<Vec<u8>, DocumentError> {
        let stamp = TrustListDocument::from_json(json)?.stamp();
        Ok(signed::sign(Kind::TrustList, stamp, json, anchor)?)
    }

    /// Its version and times.
    pub fn stamp(&self) -> Stamp {
        Stamp {
            version: self.version,
            issued_at: UnixSeconds(self.issued_at),
            next_update: UnixSeconds(self.next_update),
        }
    }

    /// True if `other` lists the same keys at the same version, whenever either was put together.
    pub fn says_the_same(&self, other: &TrustListDocument) -> bool {
        (self.version, &self.anchor, &self.publishers, &self.keys)
            == (other.version, &other.anchor, &other.publishers, &other.keys)
    }

    /// The keys that it names as publishers. Errors: [`DocumentError::Malformed`], [`DocumentError::Key`].
    pub fn publishers(&self) -> Result<Vec<Publisher>, DocumentError> {
        let publisher = |document: &PublisherDocument| {
            Ok(Publisher {
                key: public_key(&document.public_key)?,
                from: document.from.map(UnixSeconds),
                until: document.until.map(UnixSeconds),
            })
        };
        self.publishers.iter().map(publisher).collect()
    }

    /// This registry's own keys, each by its kid and DER SubjectPublicKeyInfo. Errors: [`DocumentError::Malformed`].
    pub fn own_keys(&self) -> Result<Vec<(Kid, Vec<u8>)>, DocumentError> {
        let own = self.keys.iter().filter(|key| key.own).map(|key| {
            let spki_der = BASE64_STANDARD.decode(&key.public_key).map_err(|_| DocumentError::Malformed)?;
            Ok((key.kid.parse().map_err(|_| DocumentError::Malformed)?, spki_der))
        });
        own.collect()
    }

    /// The trust list that this is. `ed25519`: through which its Ed25519 keys verify.
    ///
    /// Errors: [`DocumentError::Malformed`], [`DocumentError::Key`].
    pub fn into_list(self, ed25519: &Arc<ed25519::Engine>) -> Result<TrustList, DocumentError> {
        let publishers = self.publishers()?;
        let anchor = self.anchor.map(|anchor| public_key(&anchor.public_key)).transpose()?;
        let keys = self.keys.into_iter().map(TrustedKey::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(TrustList::new(self.version, keys, ed25519)?.with_signers(anchor, publishers)?)
    }
}

fn public_key(base64: &str) -> Result<PublicKey, DocumentError> {
    let spki_der = BASE64_STANDARD.decode(base64).map_err(|_| DocumentError::Malformed)?;
    Ok(PublicKey::from_spki_der(&spki_der)?)
}

impl TryFrom<TrustedKeyDocument> for TrustedKey {
    type Error = DocumentError;

    fn try_from(document: TrustedKeyDocument) -> Result<TrustedKey, DocumentError> {
        Ok(TrustedKey {
            key: public_key(&document.public_key)?,
            kid: document.kid.parse().map_err(|_| DocumentError::Malformed)?,
            country: document.country,
            national: document.national,
            usages: Usages::from_words(document.usages.iter().map(String::as_str)),
            own: document.own,
            signs_from: document.signs_from.map(UnixSeconds),
            signs_until: document.signs_until.map(UnixSeconds),
            trusted_from: document.trusted_from.map(UnixSeconds),
            trusted_until: document.trusted_until.map(UnixSeconds),
            withdrawn_at: document.withdrawn_at.map(UnixSeconds),
        })
    }
}

impl From<&TrustedKey> for TrustedKeyDocument {
    fn from(key: &TrustedKey) -> TrustedKeyDocument {
        TrustedKeyDocument {
            kid: key.kid.to_string(),
            country: key.country.clone(),
            algorithm: key.key.algorithm().as_str().to_owned(),
            national: key.national,
            public_key: BASE64_STANDARD.encode(key.key.spki_der()),
            usages: key.usages.words().into_iter().map(str::to_owned).collect(),
            own: key.own,
            signs_from: key.signs_from.map(|at| at.0),
            signs_until: key.signs_until.map(|at| at.0),
            trusted_from: key.trusted_from.map(|at| at.0),
            trusted_until: key.trusted_until.map(|at| at.0),
            withdrawn_at: key.withdrawn_at.map(|at| at.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ed25519::{Engine, Path};
    use crate::keys::Algorithm;

    const NOW: UnixSeconds = UnixSeconds(1_660_000_000);

    fn key() -> IssuerKey {
        IssuerKey::generate(Algorithm::EdDsa).expect("generates")
    }

    fn public(key: &IssuerKey) -> PublicKey {
        PublicKey::from_spki_der(key.spki_der()).expect("a key")
    }

    fn list(version: u64, anchor: &IssuerKey, publisher: &IssuerKey) -> TrustList {
        let publisher = Publisher { key: public(publisher), from: Some(NOW), until: None };
        let list = TrustList::new(version, [], &Engine::new(Path::Library)).expect("no key is weak");
        list.with_signers(Some(public(anchor)), vec![publisher]).expect("Ed25519")
    }

    fn stamp(version: u64) -> Stamp {
        Stamp { version, issued_at: NOW, next_update: UnixSeconds(NOW.0 + 60) }
    }

    #[test]
    fn what_is_signed_reads_back_with_its_publishers_and_its_anchor() {
        let (anchor, publisher) = (key(), key());
        let document = TrustListDocument::of(&list(3, &anchor, &publisher), stamp(3));
        let bytes = TrustListDocument::sign(&document.to_json(), &anchor).expect("signs");
        let opened = TrustListDocument::open(&bytes, [&public(&anchor)], NOW, 3).expect("opens");
        assert_eq!((&opened, opened.stamp()), (&document, stamp(3)));
        let read = opened.into_list(&Engine::new(Path::Library)).expect("a list");
        assert_eq!(read.anchor().map(PublicKey::kid), Some(anchor.kid()));
        let kids = |now: i64| -> Vec<_> { read.publisher_keys(UnixSeconds(now)).map(PublicKey::kid).collect() };
        assert_eq!((kids(NOW.0 - 1), kids(NOW.0)), (vec![], vec![publisher.kid()]));
    }

    #[test]
    fn a_list_that_is_signed_as_another_version_is_refused() {
        let (anchor, publisher) = (key(), key());
        let json = TrustListDocument::of(&list(3, &anchor, &publisher), stamp(3)).to_json();
        let later = Stamp { next_update: UnixSeconds(NOW.0 + 61), ..stamp(3) };
        for other in [stamp(2), stamp(4), later] {
            let bytes = signed::sign(Kind::TrustList, other, &json, &anchor).expect("signs");
            let opened = TrustListDocument::open(&bytes, [&public(&anchor)], NOW, 0);
            assert_eq!(opened, Err(DocumentError::Contradiction));
        }
        let bytes = signed::sign(Kind::TrustList, stamp(3), b"{}", &anchor).expect("signs");
        assert_eq!(TrustListDocument::open(&bytes, [&public(&anchor)], NOW, 0), Err(DocumentError::Malformed));
        let unknown = TrustListDocument::open(&bytes, [&public(&publisher)], NOW, 0);
        assert_eq!(unknown, Err(DocumentError::Signed(Refusal::UnknownSigner)));
    }

    #[test]
    fn lists_say_the_same_whenever_they_were_put_together() {
        let (anchor, publisher) = (key(), key());
        let at = |version, now: i64| {
            let stamp = Stamp { issued_at: UnixSeconds(now), ..stamp(version) };
            TrustListDocument::of(&list(version, &anchor, &publisher), stamp)
        };
        assert!(at(3, NOW.0).says_the_same(&at(3, NOW.0 + 1)));
        assert!(!at(3, NOW.0).says_the_same(&at(4, NOW.0)));
        let other = TrustListDocument::of(&list(3, &anchor, &key()), stamp(3));
        assert!(!at(3, NOW.0).says_the_same(&other));
    }

    #[test]
    fn only_ed25519_signs_what_verifiers_follow() {
        let p256 = IssuerKey::generate(Algorithm::Es256).expect("generates");
        let list = || TrustList::new(1, [], &Engine::new(Path::Library)).expect("no key is weak");
        assert_eq!(list().with_signers(Some(public(&p256)), vec![]).map(|_| ()), Err(KeyError::Algorithm));
        let publisher = Publisher { key: public(&p256), from: None, until: None };
        assert_eq!(list().with_signers(None, vec![publisher]).map(|_| ()), Err(KeyError::Algorithm));
    }
}
