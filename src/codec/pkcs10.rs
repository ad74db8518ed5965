//! A key of ours -> a request that a national CA certifies it. Source: RFC 2986; RFC 8410 §9 and RFC 5758 §3.2 (algorithms).
//!
//! ```asn1
//! CertificationRequest ::= SEQUENCE { info CertificationRequestInfo, algorithm AlgorithmIdentifier, signature BIT STRING }
//! CertificationRequestInfo ::= SEQUENCE { version INTEGER (0), subject Name, subjectPKInfo, attributes [0] SET OF Attribute }
//! ```

use pkcs8::der::Encode as _;
use pkcs8::der::asn1::{SequenceOf, UintRef};

use crate::keys::{Algorithm, IssuerKey, KeyError};

/// Whom the certificate is to name.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// countryName: two letters.
    pub country: &'a str,
    /// organizationName.
    pub organization: Option<&'a str>,
    /// commonName.
    pub common_name: &'a str,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0C;
const PRINTABLE_STRING: u8 = 0x13;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
/// `[0]`, constructed.
const ATTRIBUTES: u8 = 0xA0;

/// 2.5.4.6, 2.5.4.10, 2.5.4.3
const COUNTRY: &[u8] = &[0x55, 0x04, 0x06];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0A];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 1.2.840.113549.1.9.14
const EXTENSION_REQUEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x0E];
/// 2.5.29.15, 2.5.29.37
const KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x0F];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x25];
/// 1.3.6.1.4.1.1847.2021.1.2: vaccination, which is what our keys sign. Source: HCERT §5.
const VACCINATION: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x8E, 0x37, 0x8F, 0x65, 0x01, 0x02];
/// 1.3.101.112 and 1.2.840.10045.4.3.2 (ecdsa-with-SHA256): both stand without parameters.
const ED25519: &[u8] = &[0x2B, 0x65, 0x70];
const ECDSA_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];

/// The DER request that `subject` be certified to have `key`, for signing vaccination certificates, signed by `key`.
///
/// Errors: [`KeyError::Algorithm`] for a key that signs otherwise than Ed25519 or ES256, [`KeyError::Unavailable`].
pub fn request(subject: Subject<'_>, key: &IssuerKey) -> Result<Vec<u8>, KeyError> {
    let info = der(SEQUENCE, &[&[0x02, 0x01, 0x00], &name(subject), key.spki_der(), &attributes()]);
    let signature = key.sign(&info)?;
    let (algorithm, signature) = match key.algorithm() {
        Algorithm::EdDsa => (ED25519, signature),
        Algorithm::Es256 => (ECDSA_SHA256, ecdsa_der(&signature)?),
        Algorithm::Ps256 => return Err(KeyError::Algorithm),
    };
    let algorithm = der(SEQUENCE, &[&der(OID, &[algorithm])]);
    Ok(der(SEQUENCE, &[&info, &algorithm, &der(BIT_STRING, &[&[0], &signature])]))
}

fn name(subject: Subject<'_>) -> Vec<u8> {
    let attribute = |id: &[u8], tag: u8, value: &str| {
        der(SET, &[&der(SEQUENCE, &[&der(OID, &[id]), &der(tag, &[value.as_bytes()])])])
    };
    let organization = subject.organization.map(|name| attribute(ORGANIZATION, UTF8_STRING, name));
    der(
        SEQUENCE,
        &[
            &attribute(COUNTRY, PRINTABLE_STRING, subject.country),
            &organization.unwrap_or_default(),
            &attribute(COMMON_NAME, UTF8_STRING, subject.common_name),
        ],
    )
}

/// The extensions that we ask for: digitalSignature, and the usage that verifiers look for.
fn attributes() -> Vec<u8> {
    let usage = der(OCTET_STRING, &[&[BIT_STRING, 0x02, 0x07, 0x80]]);
    let key_usage = der(SEQUENCE, &[&der(OID, &[KEY_USAGE]), &[0x01, 0x01, 0xFF], &usage]);
    let usages = der(OCTET_STRING, &[&der(SEQUENCE, &[&der(OID, &[VACCINATION])])]);
    let extended = der(SEQUENCE, &[&der(OID, &[EXTENDED_KEY_USAGE]), &usages]);
    let extensions = der(SET, &[&der(SEQUENCE, &[&key_usage, &extended])]);
    der(ATTRIBUTES, &[&der(SEQUENCE, &[&der(OID, &[EXTENSION_REQUEST]), &extensions])])
}

/// Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } of r||s. Source: RFC 3279 §2.2.3.
fn ecdsa_der(signature: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (r, s) = signature.split_at_checked(32).ok_or(KeyError::Algorithm)?;
    let mut value = SequenceOf::<UintRef<'_>, 2>::new();
    for number in [r, s] {
        let number = UintRef::new(number).map_err(|_| KeyError::Algorithm)?;
        value.add(number).map_err(|_| KeyError::Algorithm)?;
    }
    value.to_der().map_err(|_| KeyError::Algorithm)
}

/// One DER item: its tag, its length in the shortest form, its parts one after the other.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let len = content.len().to_be_bytes();
    let len: Vec<u8> = len.into_iter().skip_while(|byte| *byte == 0).collect();
    let head = match len.as_slice() {
        [] => vec![tag, 0],
        [short @ ..=0x7F] => vec![tag, *short],
        long => [&[tag, 0x80 | long.len() as u8], long].concat(),
    };
    [head, content].concat()
}
