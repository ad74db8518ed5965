//! Real QR texts, made by the core's own parts, and wrong ones made the same way.

use thexanh::certificate::{BirthDate, Dose, Product, Profile, UnixSeconds, Uvci};
use thexanh::codec::{self, cose};
use thexanh::issue::{Subject, issue};
use thexanh::keys::{Algorithm, IssuerKey};
use thexanh::name::PersonName;
use thexanh::policy;
use thexanh::store::IssuerKeyRow;
use thexanh::trust::Usages;

use crate::app::NOW;

pub fn key(algorithm: Algorithm) -> IssuerKey {
    IssuerKey::generate(algorithm).expect("generates")
}

/// A row of the trust list for a key, as our own keys have it but with no bounds.
pub fn listed(key: &IssuerKey) -> IssuerKeyRow {
    IssuerKeyRow {
        kid: key.kid(),
        spki_der: key.spki_der().to_vec(),
        country: "VN".to_owned(),
        national: true,
        usages: Usages::VACCINATION,
        own: true,
        signs_from: None,
        signs_until: None,
        trusted_from: None,
        trusted_until: None,
        withdrawn_at: None,
        certificate: None,
    }
}

/// A certificate of a first dose of two, issued at [`NOW`] under `key`. Each `serial` is another certificate.
pub fn text(key: &IssuerKey, serial: u128) -> String {
    text_given_on(key, serial, "2021-08-01")
}

pub fn text_given_on(key: &IssuerKey, serial: u128, given_on: &str) -> String {
    let profile = match key.algorithm() {
        Algorithm::EdDsa => Profile::Compact,
        Algorithm::Es256 | Algorithm::Ps256 => Profile::Hc1,
    };
    let given_on = given_on.parse().expect("a date");
    let dose = Dose { number: 1, series: 2, product: Product::Code("EU/1/20/1528".into()), given_on };
    let name = PersonName::parse("Nguyễn Thị Phương Thảo").expect("a name");
    let uvci = Uvci(serial.to_be_bytes());
    let subject = Subject { uvci, name: &name, birth: BirthDate::Year(1983), dose: &dose };
    issue(&subject, profile, key, NOW, expires_at()).expect("issues").text
}

/// The last second of [`text`]'s certificates.
pub fn expires_at() -> UnixSeconds {
    policy::expires_at(NOW)
}

/// A compact text around any payload, signed by `key` with any `alg` in its header.
pub fn forged(key: &IssuerKey, alg: i64, payload: &[u8]) -> String {
    let cose = cose::build(alg, key.kid().0, payload, |tbs| key.sign(tbs)).expect("signs");
    codec::encode_text(Profile::Compact, &cose).expect("short enough")
}

/// A text of this profile around any bytes.
pub fn around(prefix: &str, bytes: &[u8]) -> String {
    let mut text = prefix.to_owned();
    codec::base45::encode_onto(&mut text, bytes);
    text
}

/// A zlib stream of `len` zeros.
pub fn deflated_zeros(len: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; len]).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}
