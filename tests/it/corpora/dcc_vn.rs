//! The one public Vietnamese certificate: an EU DCC signed with RSA, of whose key nothing is published.

use ciborium::Value as Cbor;
use serde_json::Value;
use thexanh::certificate::{BirthDate, Certificate, Dose, Product, Profile, Statement, UnixSeconds, UvciText};
use thexanh::codec::qr::{Level, Symbol};
use thexanh::codec::{self, CodecError, cose};
use thexanh::keys::{Algorithm, IssuerKey, PublicKey};
use thexanh::policy;
use thexanh::trust::{TrustList, TrustedKey, Usages};
use thexanh::verify::{Rejection, check_signature};

use super::{array, corpus, json, text};
use crate::app::config;

fn sample() -> Option<Value> {
    Some(json(&corpus("dcc-vn")?.join("VN.json")))
}

/// What the corpus says that the certificate says, in our words.
fn stated(claims: &Value) -> Certificate<'_> {
    let (dcc, dose) = (&claims["dcc"], &array(&claims["dcc"]["v"])[0]);
    let count = |field: &str| dose[field].as_u64().and_then(|count| count.try_into().ok()).expect("1 ..= 255");
    let dose_stated = Dose {
        number: count("dn"),
        series: count("sd"),
        product: Product::Code(text(&dose["mp"]).to_owned().into()),
        given_on: text(&dose["dt"]).parse().expect("a date"),
    };
    Certificate {
        profile: Profile::Hc1,
        issuer: Some(text(&claims["iss"]).into()),
        issued_at: claims["iat"].as_i64().map(UnixSeconds),
        expires_at: claims["exp"].as_i64().map(UnixSeconds),
        uvci: UvciText::Foreign { text: text(&dose["ci"]).into(), written: None },
        name: format!("{} {}", text(&dcc["nam"]["fn"]), text(&dcc["nam"]["gn"])).into(),
        birth: BirthDate::Day(text(&dcc["dob"]).parse().expect("a date")),
        statement: Statement::Vaccination(dose_stated),
    }
}

#[test]
fn reads_the_vietnamese_certificate_as_it_is_stated() {
    let Some(sample) = sample() else { return };
    let claims = &sample["claims"];
    let certificate = codec::with_cose(text(&sample["text"]), |profile, bytes| {
        let sign1 = cose::parse(bytes)?;
        assert_eq!((claims["cose"].as_u64(), claims["alg"].as_i64()), (Some(bytes.len() as u64), sign1.alg));
        assert_eq!(sign1.signature.len(), 256, "RSA of 2,048 bits");
        codec::decode_claims(profile, sign1.payload).map(Certificate::into_owned)
    });
    assert_eq!(certificate, Ok::<_, CodecError>(stated(claims)));
}

#[test]
fn its_statement_is_whole_and_names_a_wrong_holder_which_is_read_all_the_same() {
    let Some(sample) = sample() else { return };
    let payload = codec::with_cose(text(&sample["text"]), |_, bytes| {
        cose::parse(bytes).map(|sign1| sign1.payload.to_vec()) // what our reader passes over is in it too
    });
    let claims: Cbor = ciborium::from_reader(&payload.expect("a COSE_Sign1")[..]).expect("CBOR");
    let entry = |map: &Cbor, key: i64| {
        let entries = map.as_map().expect("a map");
        entries.iter().find_map(|(k, v)| (*k == Cbor::from(key)).then(|| v.clone())).expect("the entry")
    };
    let dcc: Value = entry(&entry(&claims, -260), 1).deserialized().expect("texts, numbers, arrays and maps of texts");
    assert_eq!(dcc, sample["claims"]["dcc"]);

    let dose = &dcc["v"][0];
    let product = policy::product_by_code(text(&dose["mp"])).expect("AstraZeneca's product, which we certify");
    assert_ne!(text(&dose["ma"]), product.holder);
}

#[test]
fn its_qr_code_is_of_version_16_at_level_l_and_19_at_m() {
    let Some(sample) = sample() else { return };
    let (text, claims) = (text(&sample["text"]), &sample["claims"]);
    assert_eq!(claims["chars"], text.len());
    let version = |level| Symbol::encode(text, level).expect("fits").version();
    assert_eq!((&claims["ec"], &claims["version"]), (&"L".into(), &version(Level::L).to_string().into()));
    assert_eq!((version(Level::L), version(Level::M)), (16, 19));
}

#[test]
fn its_key_is_unknown_to_a_list_of_another() {
    let Some(sample) = sample() else { return };
    let other = IssuerKey::generate(Algorithm::Es256).expect("generates");
    let trusted = TrustedKey {
        key: PublicKey::from_spki_der(other.spki_der()).expect("an own key"),
        kid: other.kid(),
        country: "VN".to_owned(),
        national: true,
        usages: Usages::ALL,
        own: false,
        signs_from: None,
        signs_until: None,
        trusted_from: None,
        trusted_until: None,
        withdrawn_at: None,
    };
    let trust = TrustList::new(1, [trusted], &config().ed25519_engine()).expect("P-256 has prime order");
    let rejection = check_signature(text(&sample["text"]), &trust).expect_err("nobody has its key");
    assert_eq!((rejection, rejection.code()), (Rejection::UnknownKey, "unknown_key"));
}
