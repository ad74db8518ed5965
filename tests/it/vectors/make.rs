//! Makes tests/vectors/verify.json: the same bytes every time, for keys, clock and signatures are fixed.

use ciborium::Value as Cbor;
use ciborium::cbor;
use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use thexanh::certificate::{BirthDate, Dose, Product, Profile, Uvci};
use thexanh::codec::{self, Facts, base45, cose, zlib};
use thexanh::keys::{IssuerKey, alg};
use thexanh::name::PersonName;
use thexanh::policy;
use thexanh::trust::TrustedKeyDocument;
use thexanh::trust::{TrustedKey, Usages};

use crate::app::NOW;
use crate::texts::{around, deflated_zeros, expires_at, listed};

/// A key whose signatures are the same every time.
struct Key {
    issuer: IssuerKey,
    p256: Option<p256::ecdsa::SigningKey>,
}

impl Key {
    /// PKCS#8 of RFC 8410 §7: version 0, the OID of Ed25519, the seed.
    fn ed25519(word: &str) -> Key {
        let der = [&hex::decode("302e020100300506032b657004220420").expect("hexadecimal")[..], &seed(word)].concat();
        Key { issuer: IssuerKey::from_pkcs8(&der).expect("an Ed25519 key"), p256: None }
    }

    /// PKCS#8 of RFC 5915: version 0, the OIDs of elliptic curves and P-256, an ECPrivateKey of version 1 with the scalar.
    fn p256(word: &str) -> Key {
        let head = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";
        let der = [&hex::decode(head).expect("hexadecimal")[..], &seed(word)].concat();
        let secret = p256::ecdsa::SigningKey::from_slice(&seed(word)).expect("a scalar");
        Key { issuer: IssuerKey::from_pkcs8(&der).expect("a P-256 key"), p256: Some(secret) }
    }

    fn sign(&self, tbs: &[u8]) -> Vec<u8> {
        match &self.p256 {
            None => self.issuer.sign(tbs),
            Some(secret) => {
                let signature: p256::ecdsa::Signature = secret.sign(tbs); // RFC 6979: no randomness
                signature.to_bytes().to_vec()
            }
        }
    }

    fn cose(&self, alg: i64, payload: &[u8]) -> Vec<u8> {
        cose::build(alg, self.issuer.kid().0, payload, |tbs| self.sign(tbs))
    }

    /// A COSE_Sign1 with these headers, whatever they are.
    fn with_headers(&self, protected: &Cbor, unprotected: Cbor, payload: &[u8]) -> Cbor {
        let protected = bytes(protected);
        let mut tbs = Vec::new();
        cose::write_tbs(&mut tbs, &protected, payload);
        Cbor::Array(vec![protected.into(), unprotected, payload.to_vec().into(), self.sign(&tbs).into()])
    }

    fn row(&self) -> TrustedKey {
        listed(&self.issuer).trusted().expect("an own key")
    }
}

fn seed(word: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, word.as_bytes());
    digest.as_ref().try_into().expect("32 bytes")
}

fn bytes(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("a vector takes all");
    out
}

/// The statement of most vectors, with what is changed in it.
struct Case {
    serial: u128,
    name: &'static str,
    birth: &'static str,
    dose: (u8, u8),
    product: &'static str,
    given_on: &'static str,
}

impl Case {
    fn of(serial: u128) -> Case {
        let name = "Nguyễn Thị Phương Thảo";
        Case { serial, name, birth: "1983-10-10", dose: (1, 2), product: "EU/1/20/1528", given_on: "2021-07-01" }
    }

    fn payload(&self, profile: Profile) -> Vec<u8> {
        let (name, birth) =
            (PersonName::parse(self.name).expect(self.name), self.birth.parse().unwrap_or(BirthDate::Unknown));
        let (given_on, product) = (self.given_on.parse().expect("a date"), self.product);
        let dose = Dose {
            number: self.dose.0,
            series: self.dose.1,
            product: Product::Code(product.to_owned().into()),
            given_on,
        };
        let product = policy::product_by_code(product).expect(product);
        let uvci = Uvci(self.serial.to_be_bytes());
        let facts = Facts { uvci, name: &name, birth, dose: &dose, product, issued_at: NOW, expires_at: expires_at() };
        codec::encode_claims(profile, &facts)
    }

    fn text(&self, profile: Profile, key: &Key) -> String {
        let alg = if key.p256.is_some() { alg::ES256 } else { alg::EDDSA };
        codec::encode_text(profile, &key.cose(alg, &self.payload(profile))).expect("short enough")
    }

    /// The facts that an accepted answer shows, from what went in.
    fn facts(&self) -> Value {
        let mut facts = json!({
            "uvci": Uvci(self.serial.to_be_bytes()).to_string(),
            "name": self.name, "dose": self.dose.0, "series": self.dose.1, "product": self.product,
            "given_on": self.given_on, "issuer": "VN", "expires_at": expires_at().0,
        });
        if !self.birth.is_empty() {
            facts["birth"] = self.birth.into();
        }
        facts
    }
}

fn rejected(reason: &str) -> Value {
    json!({"result": "rejected", "card": "red", "reason": reason})
}

fn accepted(card: &str, profile: &str, kind: &str, facts: Value) -> Value {
    json!({"result": "accepted", "card": card, "profile": profile, "type": kind, "certificate": facts})
}

/// A DCC in its CWT, with `group` (`v`, `t` or `r`) around `entry`.
fn hc1_payload(group: &str, entry: Cbor) -> Vec<u8> {
    let name = cbor!({"fn" => "Nguyễn", "fnt" => "NGUYEN", "gn" => "Thị Phương Thảo", "gnt" => "THI<PHUONG<THAO"});
    let dcc = Cbor::Map(vec![
        ("ver".into(), "1.3.0".into()),
        ("nam".into(), name.expect("CBOR")),
        ("dob".into(), "1983-10-10".into()),
        (group.into(), Cbor::Array(vec![entry])),
    ]);
    let hcert = Cbor::Map(vec![(1.into(), dcc)]);
    bytes(&Cbor::Map(vec![
        (1.into(), "VN".into()),
        (4.into(), expires_at().0.into()),
        (6.into(), NOW.0.into()),
        ((-260).into(), hcert),
    ]))
}

fn hc1(cose: &[u8]) -> String {
    codec::encode_text(Profile::Hc1, cose).expect("short enough")
}

/// The whole document.
pub fn document() -> Value {
    let (home, travel) = (Key::ed25519("thexanh vectors, home"), Key::p256("thexanh vectors, travel"));
    let unlisted = Key::ed25519("thexanh vectors, unlisted");
    let changed = |word: &str, change: fn(&mut TrustedKey)| {
        let key = Key::ed25519(word);
        let mut row = key.row();
        change(&mut row);
        (key, row)
    };
    let bounded = [
        ("key_withdrawn", changed("withdrawn", |key| key.withdrawn_at = Some(NOW))),
        ("key_not_yet_valid", changed("early", |key| key.signs_from = Some(expires_at()))),
        ("key_expired", changed("late", |key| key.signs_until = Some(thexanh::certificate::UnixSeconds(NOW.0 - 1)))),
        ("key_usage", changed("tests only", |key| key.usages = Usages { test: true, ..Usages::default() })),
        ("key_usage", changed("foreign", |key| key.national = false)),
        ("issuer_mismatch", changed("of another country", |key| key.country = "FR".to_owned())),
    ];
    let anything = TrustedKey { usages: Usages::ALL, ..travel.row() };
    let mut keys = vec![TrustedKeyDocument::from(&home.row()), TrustedKeyDocument::from(&anything)];
    keys.extend(bounded.iter().map(|(_, (_, row))| TrustedKeyDocument::from(row)));

    let mut vectors: Vec<Value> = Vec::new();
    let mut at = |at: i64, name: &str, text: String, expected: Value| {
        vectors.push(json!({"name": name, "text": text, "at": at, "expected": expected}));
    };

    // What is accepted, in both profiles.
    let cases = [
        ("one dose of two", "yellow", Case::of(1)),
        ("two doses of two", "green", Case { dose: (2, 2), product: "EU/1/21/1529", ..Case::of(2) }),
        ("one dose of one", "green", Case { dose: (1, 1), product: "EU/1/20/1525", ..Case::of(3) }),
        ("a booster after two", "green", Case { dose: (3, 3), ..Case::of(4) }),
        ("a booster after one", "green", Case { dose: (2, 1), ..Case::of(5) }),
        ("two doses of three", "yellow", Case { dose: (2, 3), product: "Abdala", ..Case::of(6) }),
        ("a year of birth", "yellow", Case { birth: "1983", ..Case::of(7) }),
        ("a year and month of birth", "yellow", Case { birth: "1983-10", ..Case::of(8) }),
        ("no date of birth", "yellow", Case { birth: "", ..Case::of(9) }),
        ("born before 1970", "yellow", Case { birth: "1930-01-01", ..Case::of(10) }),
        ("Đ, a hyphen and an apostrophe", "yellow", Case { name: "Đỗ Ê-đê D'Anh", ..Case::of(11) }),
        ("a name of one word", "yellow", Case { name: "Thảo", ..Case::of(12) }),
    ];
    for (name, card, case) in &cases {
        for (profile, key) in [(Profile::Compact, &home), (Profile::Hc1, &travel)] {
            let expected = accepted(card, profile.as_str(), "vaccination", case.facts());
            at(NOW.0, &format!("{name}, {}", profile.as_str()), case.text(profile, key), expected);
        }
    }

    // Tolerances of form.
    let first = Case::of(1);
    let (compact, dcc) = (first.payload(Profile::Compact), first.payload(Profile::Hc1));
    let yellow = |profile: &str| accepted("yellow", profile, "vaccination", first.facts());
    let vn1 = |cose: &Cbor| around("VN1:", &bytes(cose));
    let kid = || Cbor::Bytes(home.issuer.kid().0.to_vec());
    let usual = || Cbor::Map(vec![(1.into(), alg::EDDSA.into()), (4.into(), kid())]);
    let bare = home.with_headers(&usual(), Cbor::Map(vec![]), &compact);
    at(NOW.0, "COSE_Sign1 without its tag", vn1(&bare), yellow("compact"));
    let tagged = Cbor::Tag(61, Box::new(Cbor::Tag(18, Box::new(bare.clone()))));
    at(NOW.0, "COSE_Sign1 in a CWT tag", vn1(&tagged), yellow("compact"));
    let outside = home.with_headers(
        &Cbor::Map(vec![(1.into(), alg::EDDSA.into())]),
        Cbor::Map(vec![(4.into(), kid())]),
        &compact,
    );
    at(NOW.0, "kid in the unprotected header", vn1(&outside), yellow("compact"));
    at(NOW.0, "alg Ed25519 of RFC 9864", around("VN1:", &home.cose(-19, &compact)), yellow("compact"));
    at(NOW.0, "alg ESP256 of RFC 9864", hc1(&travel.cose(-9, &dcc)), yellow("hc1"));
    at(
        NOW.0,
        "white space around the text",
        format!(" \r\n{}\t\n", first.text(Profile::Compact, &home)),
        yellow("compact"),
    );
    at(expires_at().0, "in its last second", first.text(Profile::Compact, &home), yellow("compact"));
    at(NOW.0 - 60, "a clock that is a minute behind", first.text(Profile::Compact, &home), yellow("compact"));

    // Tests and recoveries.
    let uvci = |serial: u128| Uvci(serial.to_be_bytes()).to_string();
    let common = |serial: u128| -> Vec<(Cbor, Cbor)> {
        vec![
            ("tg".into(), "840539006".into()),
            ("co".into(), "VN".into()),
            ("is".into(), "Bộ Y tế".into()),
            ("ci".into(), uvci(serial).into()),
        ]
    };
    let test = |serial: u128, result: &str| {
        let mut entry = common(serial);
        entry.push(("tt".into(), "LP6464-4".into()));
        entry.push(("tr".into(), result.into()));
        entry.push(("sc".into(), "2021-07-31T09:00:00+07:00".into()));
        hc1(&travel.cose(alg::ES256, &hc1_payload("t", Cbor::Map(entry))))
    };
    let holder = |serial: u128| json!({"uvci": uvci(serial), "name": "Nguyễn Thị Phương Thảo", "birth": "1983-10-10", "issuer": "VN", "expires_at": expires_at().0});
    let mut facts = holder(20);
    facts["sampled_at"] = 1_627_696_800.into();
    at(NOW.0, "a negative test", test(20, "260415000"), accepted("green", "hc1", "test", facts));
    let mut refused = rejected("not_acceptable");
    refused["rule"] = "test_negative".into();
    at(NOW.0, "a positive test", test(21, "260373001"), refused.clone());
    refused["rule"] = "test_recent".into();
    at(1_627_696_800 + 72 * 3600 + 1, "a test a second older than 72 hours", test(22, "260415000"), refused.clone());
    let mut entry = common(23);
    for (key, day) in [("fr", "2021-05-01"), ("df", "2021-05-12"), ("du", "2021-10-28")] {
        entry.push((key.into(), day.into()));
    }
    let recovery = hc1(&travel.cose(alg::ES256, &hc1_payload("r", Cbor::Map(entry))));
    let mut facts = holder(23);
    facts["positive_on"] = "2021-05-01".into();
    facts["valid_from"] = "2021-05-12".into();
    facts["valid_until"] = "2021-10-28".into();
    at(NOW.0, "a recovery", recovery.clone(), accepted("green", "hc1", "recovery", facts));
    refused["rule"] = "recovery_recent".into();
    at(NOW.0 + 90 * 86_400, "a recovery of too long ago", recovery, refused.clone());

    // One for each reason, in the order in which things are checked.
    let good = first.text(Profile::Compact, &home);
    let signature_changed = {
        let mut cose = home.cose(alg::EDDSA, &compact);
        *cose.last_mut().expect("a signature") ^= 1;
        around("VN1:", &cose)
    };
    let two_statements = hc1_payload("w", Cbor::Null);
    let crit =
        Cbor::Map(vec![(1.into(), alg::EDDSA.into()), (2.into(), Cbor::Array(vec![99.into()])), (4.into(), kid())]);
    let nil = Cbor::Array(vec![bytes(&usual()).into(), Cbor::Map(vec![]), Cbor::Null, vec![0; 64].into()]);
    let refusals = [
        ("too_large", "over 4 KiB", format!("VN1:{}", "0".repeat(4093))),
        ("too_large", "a decompression bomb", around("HC1:", &deflated_zeros(1 << 20))),
        ("not_a_certificate", "an address", "https://example.vn/?id=1".to_owned()),
        ("not_a_certificate", "nothing", String::new()),
        ("unknown_prefix", "a version of the future", good.replacen("VN1:", "VN2:", 1)),
        ("malformed_base45", "lower case", good.to_lowercase().replacen("vn1:", "VN1:", 1)),
        ("malformed_base45", "a length of 1 in 3", good[..4 + 3 * 4 + 1].to_owned()),
        ("malformed_zlib", "not compressed", around("HC1:", b"not compressed")),
        ("malformed_zlib", "cut short", {
            let stream = zlib::deflate(&travel.cose(alg::ES256, &dcc)).expect("short");
            around("HC1:", &stream[..stream.len() - 5])
        }),
        ("malformed_cose", "not COSE", around("VN1:", b"not COSE")),
        ("malformed_cose", "no payload", vn1(&nil)),
        ("malformed_cose", "a critical header", vn1(&home.with_headers(&crit, Cbor::Map(vec![]), &compact))),
        ("malformed_cose", "a byte too many", around("VN1:", &[&home.cose(alg::EDDSA, &compact)[..], &[0]].concat())),
        ("malformed_claims", "no claims", around("VN1:", &home.cose(alg::EDDSA, &[0xA0]))),
        ("malformed_claims", "the EU's claims in the compact profile", around("VN1:", &home.cose(alg::EDDSA, &dcc))),
        ("malformed_claims", "no statement", hc1(&travel.cose(alg::ES256, &two_statements))),
        ("unknown_key", "a key that nobody lists", first.text(Profile::Compact, &unlisted)),
        ("algorithm_mismatch", "ES256 said, Ed25519 meant", around("VN1:", &home.cose(alg::ES256, &compact))),
        ("bad_signature", "the last bit changed", signature_changed),
        ("revoked", "revoked", Case::of(30).text(Profile::Compact, &home)),
        ("revoked", "revoked, in the other profile", Case::of(30).text(Profile::Hc1, &travel)),
    ];
    for (reason, name, text) in refusals {
        at(NOW.0, name, text, rejected(reason));
    }
    for (number, (reason, (key, _))) in bounded.iter().enumerate() {
        let case = Case::of(40 + number as u128);
        at(NOW.0, &format!("{reason}, key {}", number + 1), case.text(Profile::Compact, key), rejected(reason));
    }
    at(NOW.0 - 61, "a minute and a second too early", good.clone(), rejected("not_yet_valid"));
    at(expires_at().0 + 1, "a second too late", good, rejected("expired"));
    refused["rule"] = "dose_given".into();
    let tomorrow = Case { given_on: "2021-08-02", ..Case::of(50) };
    at(NOW.0, "a dose of tomorrow", tomorrow.text(Profile::Compact, &home), refused.clone());
    refused["rule"] = "product_known".into();
    at(NOW.0, "a product of the future", around("VN1:", &home.cose(alg::EDDSA, &unknown_product(&compact))), refused);

    json!({
        "trust_list": {"version": 1, "issued_at": NOW.0, "next_update": expires_at().0, "keys": keys},
        "revoked": [uvci(30)],
        "vectors": vectors,
    })
}

/// Compact claims with a product number that the table does not hold.
fn unknown_product(compact: &[u8]) -> Vec<u8> {
    let mut claims: Cbor = ciborium::from_reader(compact).expect("our own");
    let hcert = claims.as_map_mut().and_then(|claims| claims.iter_mut().find(|(key, _)| *key == (-260).into()));
    let (_, statement) = hcert.and_then(|(_, hcert)| hcert.as_map_mut()?.first_mut()).expect("our own");
    statement.as_array_mut().expect("our own")[5] = 999.into();
    bytes(&claims)
}

/// The text with its COSE_Sign1's bytes changed by `change`.
pub fn recoded(text: &str, change: impl FnOnce(&mut Vec<u8>)) -> Option<String> {
    let (identifier, coded) = text.trim().split_at_checked(4)?;
    let mut bytes = vec![0; 4096];
    let len = base45::decode_into(&mut bytes, coded.as_bytes()).ok()?;
    bytes.truncate(len);
    let mut cose = if identifier == "HC1:" { zlib::inflate(&bytes).ok()? } else { bytes };
    change(&mut cose);
    let cose = if identifier == "HC1:" { zlib::deflate(&cose).ok()? } else { cose };
    Some(around(identifier, &cose))
}
