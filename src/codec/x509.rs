//! A signer's X.509 certificate -> what a trust list keeps of it. Source: RFC 5280 §4.1; HCERT §3.3.3 and §5.
//!
//! The certificate's own signature is not checked: a key is trusted for the list that it stands in, which is signed as a
//! whole or laid in by the operator. The national roots that sign such certificates stand in no list of ours.
//!
//! Read leniently for the same reason. What is named here is read, all else is passed over as bytes: the certificates that
//! really sign break DER where it says nothing of the key, with `cA FALSE` written out or an extended key usage of none.
//!
//! ```asn1
//! Certificate    ::= SEQUENCE { tbsCertificate, signatureAlgorithm ANY, signature ANY }
//! TBSCertificate ::= SEQUENCE { version [0] OPTIONAL, serialNumber ANY, signature ANY, issuer Name,
//!                    validity SEQUENCE { notBefore Time, notAfter Time }, subject Name, subjectPublicKeyInfo,
//!                    issuerUniqueID [1] OPTIONAL, subjectUniqueID [2] OPTIONAL, extensions [3] OPTIONAL }
//! Name           ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
//! Extensions     ::= SEQUENCE OF SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN OPTIONAL, extnValue OCTET STRING }
//! ExtKeyUsage    ::= SEQUENCE OF OBJECT IDENTIFIER
//! ```

use pkcs8::der::asn1::{AnyRef, GeneralizedTime, ObjectIdentifier, UtcTime};
use pkcs8::der::{self, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

use crate::certificate::UnixSeconds;
use crate::keys::Kid;
use crate::trust::Usages;

/// The longest certificate that is read; the longest of the member states' test data has 1,634 bytes, an RSA key of 8,192
/// bits signed by another adds 2 KiB.
pub const MAX_CERTIFICATE_LEN: usize = 8 * 1024;

/// countryName, 2.5.4.6, as its DER content.
const OID_COUNTRY: &[u8] = &[0x55, 0x04, 0x06];
/// extKeyUsage, 2.5.29.37, as its DER content.
const OID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x25];

/// Why bytes are not a certificate that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum X509Error {
    /// Over [`MAX_CERTIFICATE_LEN`].
    #[error("longer than an X.509 certificate of a signer can be")]
    TooLong,
    /// Not one DER certificate.
    #[error("malformed X.509 certificate")]
    Malformed,
}

impl X509Error {
    /// The stable word for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            X509Error::TooLong => "x509_too_large",
            X509Error::Malformed => "malformed_x509",
        }
    }
}

impl From<der::Error> for X509Error {
    fn from(_: der::Error) -> Self {
        X509Error::Malformed
    }
}

/// What a trust list keeps of a signer's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerCertificate {
    /// First 8 bytes of SHA-256 over the whole certificate. Source: HCERT §3.3.3.
    pub kid: Kid,
    /// The DER SubjectPublicKeyInfo as it stands there; whether its key is one of ours [`crate::keys::PublicKey`] says.
    pub spki_der: Vec<u8>,
    /// The subject's country, else the issuer's, in upper case; `None` if neither names one of two letters.
    pub country: Option<String>,
    /// `notBefore`.
    pub valid_from: UnixSeconds,
    /// `notAfter`: the last second.
    pub valid_until: UnixSeconds,
    /// What its extended key usages allow; a certificate that names none of the three allows all.
    pub usages: Usages,
}

/// What a trust list keeps of the certificate in `der`.
///
/// `der`: one certificate of at most [`MAX_CERTIFICATE_LEN`] bytes and nothing behind it. Unproved, see the top of this file.
/// Errors: [`X509Error`]. Source: RFC 5280 §4.1.
pub fn parse(der: &[u8]) -> Result<SignerCertificate, X509Error> {
    if der.len() > MAX_CERTIFICATE_LEN {
        return Err(X509Error::TooLong);
    }
    let mut whole = SliceReader::new(der)?;
    let mut tbs = inside(inside(whole.decode()?, Tag::Sequence)?.decode()?, Tag::Sequence)?;
    whole.finish(())?;
    if tbs.peek_tag()?.is_context_specific() {
        skip(&mut tbs)?; // version
    }
    skip(&mut tbs)?; // serialNumber
    skip(&mut tbs)?; // signature
    let issuer = tbs.decode()?;
    let mut validity = inside(tbs.decode()?, Tag::Sequence)?;
    let (valid_from, valid_until) = (time(validity.decode()?)?, time(validity.decode()?)?);
    let subject = tbs.decode()?;
    let spki_der = tbs.tlv_bytes()?.to_vec();
    let mut usages = Vec::new();
    while !tbs.is_finished() {
        let field: AnyRef<'_> = tbs.decode()?;
        if field.tag() == (Tag::ContextSpecific { constructed: true, number: TagNumber::N3 }) {
            usages.extend(extended_key_usages(field.value())?);
        }
    }
    let usages = Usages::from_oids(usages.iter().map(String::as_str));
    let country = country(subject).or_else(|| country(issuer));
    Ok(SignerCertificate { kid: Kid::of_der(der), spki_der, country, valid_from, valid_until, usages })
}

/// Reads what is in `field` if it is of this tag.
fn inside(field: AnyRef<'_>, tag: Tag) -> der::Result<SliceReader<'_>> {
    field.tag().assert_eq(tag)?;
    SliceReader::new(field.value())
}

fn skip(reader: &mut SliceReader<'_>) -> der::Result<()> {
    reader.tlv_bytes().map(|_| ())
}

/// UTCTime or GeneralizedTime, in UTC and with seconds as RFC 5280 §4.1.2.5 demands.
fn time(field: AnyRef<'_>) -> der::Result<UnixSeconds> {
    let since_1970 = match field.tag() {
        Tag::UtcTime => field.decode_as::<UtcTime>()?.to_unix_duration(),
        _ => field.decode_as::<GeneralizedTime>()?.to_unix_duration(),
    };
    i64::try_from(since_1970.as_secs()).map(UnixSeconds).map_err(|_| Tag::GeneralizedTime.value_error())
}

/// The first countryName of a Name that is two letters. A Name that cannot be read has none: it is no matter for the key.
fn country(name: AnyRef<'_>) -> Option<String> {
    let mut names = inside(name, Tag::Sequence).ok()?;
    while !names.is_finished() {
        let mut attributes = inside(names.decode().ok()?, Tag::Set).ok()?;
        while !attributes.is_finished() {
            let mut attribute = inside(attributes.decode().ok()?, Tag::Sequence).ok()?;
            let (id, value): (AnyRef<'_>, AnyRef<'_>) = (attribute.decode().ok()?, attribute.decode().ok()?);
            if let (OID_COUNTRY, &[first, second]) = (id.value(), value.value())
                && first.is_ascii_alphabetic()
                && second.is_ascii_alphabetic()
            {
                return Some([first, second].map(|letter| char::from(letter).to_ascii_uppercase()).iter().collect());
            }
        }
    }
    None
}

/// The extended key usages among `extensions`. One that is no object identifier of the library's size is none of ours.
fn extended_key_usages(extensions: &[u8]) -> der::Result<Vec<String>> {
    let mut usages = Vec::new();
    let mut extensions = inside(SliceReader::new(extensions)?.decode()?, Tag::Sequence)?;
    while !extensions.is_finished() {
        let mut extension = inside(extensions.decode()?, Tag::Sequence)?;
        if extension.decode::<AnyRef<'_>>()?.value() != OID_EXTENDED_KEY_USAGE {
            continue;
        }
        if extension.peek_tag()? == Tag::Boolean {
            skip(&mut extension)?; // critical
        }
        let mut value = inside(extension.decode()?, Tag::OctetString)?;
        let mut ids = inside(value.decode()?, Tag::Sequence)?;
        while !ids.is_finished() {
            let id: AnyRef<'_> = ids.decode()?;
            usages.extend(id.decode_as::<ObjectIdentifier>().map(|id| id.to_string()));
        }
    }
    Ok(usages)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;
    use crate::keys::{Algorithm, PublicKey};

    /// Made for this test: openssl req -x509 -new -key (P-256) -subj /C=VN/CN=DSC -days 730
    /// -addext extendedKeyUsage=1.3.6.1.4.1.1847.2021.1.2
    const BY_OPENSSL: &str = "MIIBojCCAUmgAwIBAgIUGc4gVq78zaUsDd49lRRcK0/429wwCgYIKoZIzj0EAwIwGzELMAkGA1UEBhMCVk4x\
        DDAKBgNVBAMMA0RTQzAeFw0yNjExMjQxNzA5MDlaFw0yODExMjMxNzA5MDlaMBsxCzAJBgNVBAYTAlZOMQwwCgYDVQQDDANEU0MwWTATBgcqhkjO\
        PQIBBggqhkjOPQMBBwNCAATklaz/l6Vn0Bc4ZSsbD8auI3yRoLY1Z8o6fnkY12GrCgy+fo0kSlt+JO93ZTMKoqoeGdGaGY1TNwyfa6a503Sto2sw\
        aTAdBgNVHQ4EFgQULda8bGXEsu5YIxpj4iB9u8eaSIUwHwYDVR0jBBgwFoAULda8bGXEsu5YIxpj4iB9u8eaSIUwDwYDVR0TAQH/BAUwAwEB/zAW\
        BgNVHSUEDzANBgsrBgEEAY43j2UBAjAKBggqhkjOPQQDAgNHADBEAiBcposflO1jBcY/3GA2T/vQJmOtR4X/3tRAhk7Mb88qtwIgeimT1sqTUOQ0\
        VJ+Amjd0tl3kBQLA1T/fiwIMnpziCIw=";

    fn at(text: &str) -> UnixSeconds {
        UnixSeconds(text.parse::<jiff::Timestamp>().expect(text).as_second())
    }

    /// One DER item: tag, length in the shortest form, the parts.
    fn item(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let len = content.len();
        let head = match len {
            0..=0x7F => vec![tag, len as u8],
            0x80..=0xFF => vec![tag, 0x81, len as u8],
            _ => vec![tag, 0x82, (len >> 8) as u8, len as u8],
        };
        [head, content].concat()
    }

    /// SEQUENCE { SET { SEQUENCE { 2.5.4.6, PrintableString country } } }
    fn name(country: &str) -> Vec<u8> {
        let attribute = item(0x30, &[&item(0x06, &[OID_COUNTRY]), &item(0x13, &[country.as_bytes()])]);
        item(0x30, &[&item(0x31, &[&attribute])])
    }

    /// SEQUENCE { extnID, extnValue }, its value a SEQUENCE OF these identifiers.
    fn key_usage(ids: &[&[u8]]) -> Vec<u8> {
        let ids: Vec<u8> = ids.iter().flat_map(|id| item(0x06, &[id])).collect();
        item(0x30, &[&item(0x06, &[OID_EXTENDED_KEY_USAGE]), &item(0x04, &[&item(0x30, &[&ids])])])
    }

    const UTC: &[u8] = b"\x17\x0D210501000000Z";
    const GENERALIZED: &[u8] = b"\x18\x0F20510501000000Z";
    const SPKI: &[u8] = &[0x30, 0x03, 0x06, 0x01, 0x2A]; // SEQUENCE { 1.2 }: enough for what stands around it
    const NO_NAME: &[u8] = &[0x30, 0x00];
    // 1.3.6.1.4.1.1847.2021.1.n, and the other spelling with a 0 before 1847
    const REGISTERED: [u8; 10] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x8E, 0x37, 0x8F, 0x65, 0x01];
    const UNREGISTERED: [u8; 11] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x00, 0x8E, 0x37, 0x8F, 0x65, 0x01];

    /// A certificate of these parts, with an empty signature.
    fn certificate(issuer: &[u8], subject: &[u8], validity: &[&[u8]], extensions: &[u8]) -> Vec<u8> {
        let version = [0xA0, 0x03, 0x02, 0x01, 0x02]; // [0] { 2 }
        let serial = [0x02, 0x02, 0x00, 0x01]; // 1 in two bytes: no DER, and passed over
        let extensions = item(0xA3, &[&item(0x30, &[extensions])]);
        let validity = item(0x30, validity);
        let tbs = item(0x30, &[&version, &serial, &[0x30, 0x00], issuer, &validity, subject, SPKI, &extensions]);
        item(0x30, &[&tbs, &[0x30, 0x00], &[0x03, 0x01, 0x00]])
    }

    fn usages(extensions: &[u8]) -> Result<Usages, X509Error> {
        parse(&certificate(NO_NAME, NO_NAME, &[UTC, UTC], extensions)).map(|certificate| certificate.usages)
    }

    #[test]
    fn reads_a_certificate_that_openssl_made() {
        let der = BASE64_STANDARD.decode(BY_OPENSSL).expect("base64");
        let certificate = parse(&der).expect("a certificate");
        assert_eq!(certificate.kid, Kid([0x2B, 0x0F, 0xD1, 0x5F, 0x12, 0x35, 0x78, 0x49])); // by sha256sum
        assert_eq!(certificate.country.as_deref(), Some("VN"));
        assert_eq!(certificate.valid_from, at("2026-11-24T17:09:09Z"));
        assert_eq!(certificate.valid_until, at("2028-11-23T17:09:09Z"));
        assert_eq!(certificate.usages, Usages::VACCINATION);
        let key = PublicKey::from_spki_der(&certificate.spki_der).expect("a key");
        assert_eq!(key.algorithm(), Algorithm::Es256);
    }

    #[test]
    fn passes_over_what_it_does_not_read() {
        // basicConstraints { cA FALSE }, which DER leaves out, critical as 01 instead of FF
        let basic =
            item(0x30, &[&[0x06, 0x03, 0x55, 0x1D, 0x13], &[0x01, 0x01, 0x01], b"\x04\x05\x30\x03\x01\x01\x00"]);
        let der = certificate(NO_NAME, NO_NAME, &[UTC, GENERALIZED], &basic);
        let certificate = parse(&der).expect("a certificate");
        assert_eq!(
            (certificate.spki_der.as_slice(), certificate.country, certificate.usages),
            (SPKI, None, Usages::ALL)
        );
        assert_eq!(
            (certificate.valid_from, certificate.valid_until),
            (at("2021-05-01T00:00:00Z"), at("2051-05-01T00:00:00Z"))
        );
    }

    #[test]
    fn the_subject_names_the_country_else_the_issuer() {
        let country = |issuer: &[u8], subject: &[u8]| {
            parse(&certificate(issuer, subject, &[UTC, UTC], &[])).expect("a certificate").country
        };
        assert_eq!(country(&name("SE"), &name("li")).as_deref(), Some("LI"));
        assert_eq!(country(&name("SE"), NO_NAME).as_deref(), Some("SE"));
        assert_eq!(country(&name("SE"), &name("Sweden")).as_deref(), Some("SE"));
        assert_eq!(country(&[0x04, 0x00], &name("S1")), None);
    }

    #[test]
    fn usages_are_those_of_the_three_in_either_spelling() {
        let id = |prefix: &[u8], n: u8| [prefix, &[n]].concat();
        let (test, vaccination) = (id(&REGISTERED, 1), id(&REGISTERED, 2));
        assert_eq!(usages(&key_usage(&[&vaccination])), Ok(Usages::VACCINATION));
        assert_eq!(usages(&key_usage(&[&id(&UNREGISTERED, 2)])), Ok(Usages::VACCINATION));
        let test_and_recovery = Usages { test: true, recovery: true, ..Usages::default() };
        assert_eq!(usages(&key_usage(&[&test, &id(&UNREGISTERED, 3)])), Ok(test_and_recovery));
        // serverAuth beside it, and an identifier longer than the library holds
        let (server, long) = ([0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01], [0x2A; 60]);
        assert_eq!(usages(&key_usage(&[&server, &long, &vaccination])), Ok(Usages::VACCINATION));
        assert_eq!(usages(&key_usage(&[&server])), Ok(Usages::ALL));
        assert_eq!(
            usages(&key_usage(&[])),
            Ok(Usages::ALL),
            "RFC 5280 demands one, a test of the member states has none"
        );
        assert_eq!(usages(b"\x30\x05\x06\x03\x55\x1D\x25"), Err(X509Error::Malformed), "a key usage without a value");
    }

    #[test]
    fn refuses_what_is_no_certificate_and_never_panics() {
        let der = BASE64_STANDARD.decode(BY_OPENSSL).expect("base64");
        for cut in 0..der.len() {
            assert_eq!(parse(&der[..cut]), Err(X509Error::Malformed), "cut at {cut}");
        }
        assert_eq!(parse(&[&der[..], &[0]].concat()), Err(X509Error::Malformed));
        let local = b"\x17\x11210501000000+0700";
        for validity in [&[UTC][..], &[UTC, local], &[UTC, b"\x17\x0D211301000000Z"], &[UTC, SPKI]] {
            let certificate = certificate(NO_NAME, NO_NAME, validity, &[]);
            assert_eq!(parse(&certificate), Err(X509Error::Malformed), "{validity:02X?}");
        }
        for bit in 0..der.len() * 8 {
            let mut flipped = der.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = parse(&flipped); // whatever it says, it does not panic
        }
    }

    #[test]
    fn reads_up_to_the_limit_and_not_one_byte_over() {
        let padded = |padding: usize| {
            // SEQUENCE { subjectKeyIdentifier, OCTET STRING } of any length
            let extension = item(0x30, &[&[0x06, 0x03, 0x55, 0x1D, 0x0E], &item(0x04, &[&vec![0; padding]])]);
            certificate(NO_NAME, NO_NAME, &[UTC, UTC], &extension)
        };
        let around = padded(4096).len() - 4096;
        for (len, ok) in
            [(MAX_CERTIFICATE_LEN - 1, true), (MAX_CERTIFICATE_LEN, true), (MAX_CERTIFICATE_LEN + 1, false)]
        {
            let der = padded(len - around);
            assert_eq!(der.len(), len);
            assert_eq!(parse(&der).map(|_| ()), if ok { Ok(()) } else { Err(X509Error::TooLong) });
        }
    }
}
