//! Other countries' revocations: the EU gateway's batches, and the entries by which they name a certificate.
//!
//! ```json
//! {"country": "DE", "expires": "2022-08-01T00:00:00Z", "kid": "<base64 of 8 bytes>" / "UNKNOWN_KID",
//!  "hashType": "SIGNATURE" / "UCI" / "COUNTRYCODEUCI", "entries": [{"hash": "<base64 of 16 bytes>"}, ..]}
//! ```
//!
//! Source: dgc-gateway, `RevocationBatchDto`; what is hashed, as the countries' own apps hash it: the UCI as the certificate
//! writes it, with `URN:UVCI:` and check character, and the `iss` of the CWT before it for COUNTRYCODEUCI. The preimages cannot
//! be confused, so that one set holds all of them. The gateway wraps a batch in CMS; what comes here is the JSON inside it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::{Entry, entry};
use crate::certificate::UnixSeconds;
use crate::keys::{Algorithm, Kid};

/// The longest batch, in bytes of JSON: a thousand entries take some forty thousand.
pub const MAX_BATCH_BYTES: usize = 256 * 1024;
/// How many entries a batch has at most. Source: dgc-gateway.
pub const MAX_BATCH_ENTRIES: usize = 1000;

/// What the entries of a batch are hashes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HashType {
    /// The signature; of an ECDSA signature its first half, r: who has one can make another with the same r, and no other.
    Signature,
    /// The UCI as it is written.
    Uci,
    /// The issuer's country and the UCI.
    CountryCodeUci,
}

impl HashType {
    /// The word of the gateway.
    pub fn as_str(self) -> &'static str {
        match self {
            HashType::Signature => "SIGNATURE",
            HashType::Uci => "UCI",
            HashType::CountryCodeUci => "COUNTRYCODEUCI",
        }
    }
}

/// A batch as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Who sent it: two capital letters.
    pub country: String,
    /// The key of the certificates that it names, where its sender knows.
    pub kid: Option<Kid>,
    /// What its entries are hashes of.
    pub hash_type: HashType,
    /// From when on it is no longer in force.
    pub expires_at: UnixSeconds,
    /// 1 ..= [`MAX_BATCH_ENTRIES`], sorted, each once.
    pub entries: Vec<Entry>,
}

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// More than [`MAX_BATCH_BYTES`] or [`MAX_BATCH_ENTRIES`].
    #[error("a batch has at most {MAX_BATCH_ENTRIES} entries and {MAX_BATCH_BYTES} bytes")]
    TooLarge,
    /// Not the JSON of a batch.
    #[error("this is not the JSON of a revocation batch; unwrap its CMS first")]
    Malformed,
    /// No country's code.
    #[error("country: expected two capital letters")]
    Country,
    /// Neither eight bytes nor `UNKNOWN_KID`.
    #[error("kid: expected eight bytes in base64, or UNKNOWN_KID")]
    Kid,
    /// No instant.
    #[error("expires: expected an instant as in 2022-08-01T00:00:00Z")]
    Expires,
    /// No entry, or one that is not 16 bytes.
    #[error("entries: expected at least one, each a hash of 16 bytes in base64")]
    Entry,
}

impl BatchError {
    /// The one stable word for this error.
    pub fn code(self) -> &'static str {
        match self {
            BatchError::TooLarge => "batch_too_large",
            BatchError::Malformed => "batch_malformed",
            BatchError::Country => "batch_country",
            BatchError::Kid => "batch_kid",
            BatchError::Expires => "batch_expires",
            BatchError::Entry => "batch_entry",
        }
    }
}

#[derive(Deserialize)]
struct Document {
    country: String,
    expires: String,
    kid: Option<String>,
    #[serde(rename = "hashType")]
    hash_type: HashType,
    entries: Vec<EntryDocument>,
}

#[derive(Deserialize)]
struct EntryDocument {
    hash: String,
}

impl Batch {
    /// The batch in `json`. Members that we do not know are passed over.
    ///
    /// Errors: [`BatchError`].
    pub fn parse(json: &[u8]) -> Result<Batch, BatchError> {
        if json.len() > MAX_BATCH_BYTES {
            return Err(BatchError::TooLarge);
        }
        let document: Document = serde_json::from_slice(json).map_err(|_| BatchError::Malformed)?;
        if document.country.len() != 2 || !document.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(BatchError::Country);
        }
        if document.entries.len() > MAX_BATCH_ENTRIES {
            return Err(BatchError::TooLarge);
        }
        let kid = match document.kid.as_deref() {
            None | Some("UNKNOWN_KID") => None,
            Some(text) => Some(Kid(bytes(text).ok_or(BatchError::Kid)?)),
        };
        let expires: jiff::Timestamp = document.expires.parse().map_err(|_| BatchError::Expires)?;
        let entries = document.entries.iter().map(|entry| bytes(&entry.hash).ok_or(BatchError::Entry));
        let mut entries: Vec<Entry> = entries.collect::<Result<_, _>>()?;
        entries.sort_unstable();
        entries.dedup();
        if entries.is_empty() {
            return Err(BatchError::Entry);
        }
        Ok(Batch {
            country: document.country,
            kid,
            hash_type: document.hash_type,
            expires_at: UnixSeconds(expires.as_second()),
            entries,
        })
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

/// The entries by which batches name a foreign certificate: by its signature, its UCI, and country and UCI.
///
/// `uci`: as the certificate writes it. `country`: its `iss`.
pub fn entries(uci: &str, country: &str, algorithm: Algorithm, signature: &[u8]) -> [Entry; 3] {
    let lasting = match algorithm {
        Algorithm::Es256 => signature.split_at(signature.len() / 2).0,
        Algorithm::EdDsa | Algorithm::Ps256 => signature,
    };
    [super::cut(lasting), entry(uci), super::cut(&[country.as_bytes(), uci.as_bytes()].concat())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(changes: &[(&str, serde_json::Value)]) -> Vec<u8> {
        let hash = |byte: u8| serde_json::json!({"hash": BASE64_STANDARD.encode([byte; 16])});
        let mut batch = serde_json::json!({
            "country": "DE", "expires": "2022-08-01T00:00:00+02:00", "kid": "AAECAwQFBgc=", "hashType": "UCI",
            "entries": [hash(255), hash(0), hash(0)],
        });
        for (name, value) in changes {
            batch[name] = value.clone();
        }
        batch.to_string().into_bytes()
    }

    #[test]
    fn reads_a_batch_as_the_gateway_writes_it() {
        let batch = Batch::parse(&json(&[])).expect("a batch");
        assert_eq!((batch.country.as_str(), batch.hash_type), ("DE", HashType::Uci));
        assert_eq!(batch.kid, Some(Kid([0, 1, 2, 3, 4, 5, 6, 7])));
        assert_eq!(batch.expires_at, UnixSeconds(1_659_304_800));
        assert_eq!(batch.entries, [[0; 16], [255; 16]], "sorted, each once");
        let unknown = Batch::parse(&json(&[("kid", "UNKNOWN_KID".into()), ("later", 1.into())])).expect("a batch");
        assert_eq!(unknown.kid, None);
        for (word, kind) in
            [("SIGNATURE", HashType::Signature), ("UCI", HashType::Uci), ("COUNTRYCODEUCI", HashType::CountryCodeUci)]
        {
            assert_eq!(Batch::parse(&json(&[("hashType", word.into())])).expect("a batch").hash_type, kind);
            assert_eq!(kind.as_str(), word);
        }
    }

    #[test]
    fn refuses_what_is_no_batch_by_name() {
        let entries = |count: usize| -> serde_json::Value {
            (0..count as u128)
                .map(|n| serde_json::json!({"hash": BASE64_STANDARD.encode(n.to_be_bytes())}))
                .collect::<Vec<_>>()
                .into()
        };
        let hash = |bytes: usize| serde_json::json!([{"hash": BASE64_STANDARD.encode(vec![7; bytes])}]);
        for (name, value, expected) in [
            ("country", "de".into(), BatchError::Country),
            ("country", "DEU".into(), BatchError::Country),
            ("country", "Ü".into(), BatchError::Country),
            ("kid", "AAEC".into(), BatchError::Kid),
            ("kid", "unknown".into(), BatchError::Kid),
            ("expires", "soon".into(), BatchError::Expires),
            ("hashType", "MD5".into(), BatchError::Malformed),
            ("entries", serde_json::Value::Null, BatchError::Malformed),
            ("entries", entries(0), BatchError::Entry),
            ("entries", hash(15), BatchError::Entry),
            ("entries", hash(17), BatchError::Entry),
            ("entries", hash(32), BatchError::Entry),
            ("entries", entries(1001), BatchError::TooLarge),
        ] {
            assert_eq!(Batch::parse(&json(&[(name, value)])), Err(expected), "{name}");
        }
        assert_eq!(Batch::parse(&json(&[("entries", entries(1000))])).expect("a batch").entries.len(), 1000);
        assert_eq!(Batch::parse(&json(&[("entries", entries(999))])).expect("a batch").entries.len(), 999);
        assert_eq!(Batch::parse(&vec![b' '; MAX_BATCH_BYTES + 1]), Err(BatchError::TooLarge));
        assert_eq!(Batch::parse(b"0\x82"), Err(BatchError::Malformed), "the CMS around it");
        assert_eq!(Batch::parse(&b"[".repeat(100_000)), Err(BatchError::Malformed));
    }

    #[test]
    fn the_first_half_of_an_ecdsa_signature_counts_and_the_whole_of_any_other() {
        let (one, other) = ([[1; 32], [2; 32]].concat(), [[1; 32], [3; 32]].concat());
        let of = |algorithm, signature: &[u8]| entries("URN:UVCI:01:DE:X#Y", "DE", algorithm, signature)[0];
        assert_eq!(of(Algorithm::Es256, &one), of(Algorithm::Es256, &other));
        assert_ne!(of(Algorithm::Ps256, &one), of(Algorithm::Ps256, &other));
        assert_ne!(of(Algorithm::EdDsa, &one), of(Algorithm::EdDsa, &other));
        let [_, uci, country_uci] = entries("URN:UVCI:01:DE:X#Y", "DE", Algorithm::Es256, &one);
        assert_eq!((uci, country_uci), (entry("URN:UVCI:01:DE:X#Y"), entry("DEURN:UVCI:01:DE:X#Y")));
    }
}
