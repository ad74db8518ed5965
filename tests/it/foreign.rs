//! Certificates of other countries over HTTP: read as issuers write them, refused where two readers could see two things.

use ciborium::Value as Cbor;
use serde_json::{Value, json};
use thexanh::certificate::Profile;
use thexanh::codec::{self, cose};
use thexanh::keys::{Algorithm, IssuerKey, alg};
use thexanh::store::IssuerKeyRow;
use thexanh::trust::Usages;

use crate::app::{NOW, TestApp};
use crate::texts::{key, listed};

fn map(fields: &[(&str, Cbor)]) -> Cbor {
    Cbor::Map(fields.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
}

/// A date as CBOR's own type of dates has it.
fn tagged(date: &str) -> Cbor {
    Cbor::Tag(0, Box::new(date.into()))
}

fn name() -> Cbor {
    map(&[
        ("fn", "Musterfrau-Gößinger".into()),
        ("gn", "Gabriele".into()),
        ("fnt", "MUSTERFRAU<GOESSINGER".into()),
        ("gnt", "GABRIELE".into()),
    ])
}

fn entry(fields: &[(&str, Cbor)]) -> Cbor {
    let mut all = vec![
        ("tg", "840539006".into()),
        ("co", "AT".into()),
        ("is", "Ministry of Health, Austria".into()),
        ("ci", "urn:uvci:01:at:10807843f94aee0ee5093fbc254bd813#B".into()),
    ];
    all.extend_from_slice(fields);
    map(&all)
}

fn vaccination(number: Cbor, series: Cbor, given_on: Cbor) -> Cbor {
    entry(&[
        ("vp", "1119349007".into()),
        ("mp", "EU/1/20/1528".into()),
        ("ma", "ORG-100030215".into()),
        ("dn", number),
        ("sd", series),
        ("dt", given_on),
    ])
}

fn usual() -> Cbor {
    vaccination(2.into(), 2.into(), "2021-06-18".into())
}

fn test(result: &str, sampled_at: Cbor) -> Cbor {
    entry(&[("tt", "LP6464-4".into()), ("tr", result.into()), ("sc", sampled_at), ("tc", "Testing centre".into())])
}

fn recovery(from: &str, until: &str) -> Cbor {
    entry(&[("fr", "2021-05-01".into()), ("df", tagged(from)), ("du", until.into())])
}

fn dcc(statements: &[(&str, Cbor)]) -> Cbor {
    let mut fields = vec![("ver", "1.3.0".into()), ("nam", name()), ("dob", "1998-02-26".into())];
    fields.extend_from_slice(statements);
    map(&fields)
}

fn one(group: &str, entry: Cbor) -> Cbor {
    dcc(&[(group, Cbor::Array(vec![entry]))])
}

/// With one field of it otherwise, or left out.
fn with(dcc: Cbor, field: &str, value: Option<Cbor>) -> Cbor {
    let Cbor::Map(mut fields) = dcc else { panic!("a map") };
    fields.retain(|(key, _)| *key != Cbor::from(field));
    fields.extend(value.map(|value| (field.into(), value)));
    Cbor::Map(fields)
}

fn claims_with(dcc: Cbor, exp: Cbor, iat: Cbor, more: &[(Cbor, Cbor)]) -> Cbor {
    let mut claims = vec![
        (1.into(), "AT".into()),
        (4.into(), exp),
        (6.into(), iat),
        ((-260).into(), Cbor::Map(vec![(1.into(), dcc)])),
    ];
    claims.extend_from_slice(more);
    Cbor::Map(claims)
}

fn claims(dcc: Cbor) -> Cbor {
    claims_with(dcc, (NOW.0 + 1000).into(), (NOW.0 - 1000).into(), &[])
}

fn bytes(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("a vector takes all");
    bytes
}

fn text(key: &IssuerKey, payload: &[u8]) -> String {
    let cose = cose::build(alg::ES256, key.kid().0, payload, |tbs| key.sign(tbs));
    codec::encode_text(Profile::Hc1, &cose).expect("short enough")
}

/// A service that trusts an Austrian key for everything, and another for recoveries alone.
async fn service() -> (TestApp, IssuerKey, IssuerKey) {
    let (app, all, recoveries) = (TestApp::start().await, key(Algorithm::Es256), key(Algorithm::Es256));
    for (key, usages) in [(&all, Usages::ALL), (&recoveries, Usages { recovery: true, ..Usages::default() })] {
        let row = IssuerKeyRow { country: "AT".to_owned(), national: false, own: false, usages, ..listed(key) };
        assert!(app.app.store().put_issuer_key(&row).await.expect("lists"));
    }
    app.app.refresh().await.expect("refreshes");
    (app, all, recoveries)
}

fn said(verdict: &Value) -> String {
    match (verdict["result"].as_str(), verdict["rule"].as_str()) {
        (Some("accepted"), _) => "accepted".to_owned(),
        (_, Some(rule)) => rule.to_owned(),
        _ => verdict["reason"].as_str().expect("a reason").to_owned(),
    }
}

#[tokio::test]
async fn vaccinations_tests_and_recoveries_each_have_their_verdict() {
    let (app, key, recoveries) = service().await;
    let verdict = async |key: &IssuerKey, dcc: Cbor| app.verify(&text(key, &bytes(&claims(dcc)))).await;
    let facts = |more: Value| {
        let mut facts = json!({"uvci": "URN:UVCI:01:AT:10807843F94AEE0EE5093FBC254BD813", "name": "Musterfrau-Gößinger Gabriele",
            "birth": "1998-02-26", "issuer": "AT", "expires_at": NOW.0 + 1000});
        facts.as_object_mut().expect("members").extend(more.as_object().expect("members").clone());
        facts
    };
    let vaccination_facts = facts(json!({"dose": 2, "series": 2, "product": "EU/1/20/1528", "given_on": "2021-06-18"}));
    let test_facts = facts(json!({"sampled_at": NOW.0 - 3600}));
    let recovery_facts =
        facts(json!({"positive_on": "2021-05-01", "valid_from": "2021-05-12", "valid_until": "2021-10-28"}));
    for (group, entry, facts) in [
        ("v", usual(), vaccination_facts),
        ("t", test("260415000", "2021-08-01T03:15:00+02".into()), test_facts),
        ("r", recovery("2021-05-12", "2021-10-28"), recovery_facts),
    ] {
        let verdict = verdict(&key, one(group, entry)).await;
        assert_eq!(
            (&verdict["result"], &verdict["card"], &verdict["profile"]),
            (&json!("accepted"), &json!("green"), &json!("hc1"))
        );
        assert_eq!(verdict["type"].as_str().and_then(|word| word.chars().next()), group.chars().next());
        assert_eq!(verdict["certificate"], facts);
    }
    assert_eq!(verdict(&key, one("v", vaccination(1.into(), 2.into(), "2021-06-18".into()))).await["card"], "yellow");
    for (expected, dcc) in [
        ("dose_given", one("v", vaccination(1.into(), 2.into(), "2021-08-02".into()))),
        ("test_negative", one("t", test("260373001", "2021-08-01T00:00:00Z".into()))),
        ("test_recent", one("t", test("260415000", "2021-07-29T02:14:59Z".into()))),
        ("accepted", one("t", test("260415000", "2021-07-29T02:15:00Z".into()))),
        ("recovery_begun", one("r", recovery("2021-08-02", "2021-10-28"))),
        ("accepted", one("r", recovery("2021-08-01", "2021-08-01"))),
        ("recovery_recent", one("r", recovery("2021-05-12", "2021-07-31"))),
    ] {
        assert_eq!(said(&verdict(&key, dcc).await), expected);
    }
    assert_eq!(said(&verdict(&recoveries, one("r", recovery("2021-05-12", "2021-10-28"))).await), "accepted");
    assert_eq!(said(&verdict(&recoveries, one("v", usual())).await), "key_usage");
    app.stop().await;
}

#[tokio::test]
async fn certificates_are_read_as_issuers_write_them() {
    let (app, key, _) = service().await;
    let plain = one("v", usual());
    let null = || Cbor::Null;
    let names = |fields: &[(&str, Cbor)]| with(plain.clone(), "nam", Some(map(fields)));
    let (exp, iat): (Cbor, Cbor) = ((NOW.0 + 1000).into(), (NOW.0 - 1000).into());
    let float = |seconds: i64| Cbor::Float(seconds as f64 + 0.5);
    let of = |number: Cbor, series: Cbor| one("v", vaccination(number, series, "2021-06-18".into()));
    let more =
        |key: Cbor| claims_with(plain.clone(), exp.clone(), iat.clone(), &[(key, map(&[("x", Cbor::Bytes(vec![1]))]))]);
    let tolerated = [
        ("as the schema says", claims(plain.clone())),
        ("float exp and iat", claims_with(plain.clone(), float(NOW.0 + 1000), float(NOW.0 - 1000), &[])),
        ("no iat", claims_with(plain.clone(), exp.clone(), null(), &[])),
        ("iat a minute ahead", claims_with(plain.clone(), exp.clone(), (NOW.0 + 60).into(), &[])),
        ("in its last second", claims_with(plain.clone(), NOW.0.into(), iat.clone(), &[])),
        ("float dn and sd", claims(of(Cbor::Float(2.0), Cbor::Float(2.0)))),
        ("a booster, 3/3", claims(of(3.into(), 3.into()))),
        ("a booster, 2/1", claims(of(2.into(), 1.into()))),
        ("a tagged date", claims(one("v", vaccination(2.into(), 2.into(), tagged("2021-06-18"))))),
        ("an instant for a date", claims(one("v", vaccination(2.into(), 2.into(), "2021-06-18T00:00:00Z".into())))),
        ("null groups", claims(dcc(&[("t", null()), ("v", Cbor::Array(vec![usual()])), ("r", null())]))),
        ("a key of a later schema", claims(with(plain.clone(), "x", Some(map(&[("y", Cbor::Bool(true))]))))),
        ("a claim that we do not know", more(99.into())),
        ("a claim by name", more("x".into())),
        ("the birth date's year", claims(with(plain.clone(), "dob", Some("1998".into())))),
        ("the birth date's month", claims(with(plain.clone(), "dob", Some("1998-02".into())))),
        ("no birth date", claims(with(plain.clone(), "dob", Some("".into())))),
        ("no gn", claims(names(&[("fn", "Abdullah".into()), ("fnt", "ABDULLAH".into())]))),
        ("a null gn", claims(names(&[("fn", "Abdullah".into()), ("gn", null()), ("fnt", "ABDULLAH".into())]))),
        ("a transliteration alone", claims(names(&[("fnt", "ABDULLAH<ALI".into())]))),
    ];
    for (what, claims) in &tolerated {
        assert_eq!(said(&app.verify(&text(&key, &bytes(claims))).await), "accepted", "{what}");
    }
    let Cbor::Map(mut twice) = usual() else { panic!("a map") };
    twice.push(("mp".into(), "Sputnik-V".into()));
    let twice = Cbor::Map(twice);
    let hcert = |forms: Vec<(Cbor, Cbor)>| Cbor::Map(vec![(4.into(), exp.clone()), ((-260).into(), Cbor::Map(forms))]);
    let refused = [
        ("not_yet_valid", "iat over a minute ahead", claims_with(plain.clone(), exp.clone(), (NOW.0 + 61).into(), &[])),
        ("expired", "a second too late", claims_with(plain.clone(), (NOW.0 - 1).into(), iat.clone(), &[])),
        ("malformed_claims", "no exp", claims_with(plain.clone(), null(), iat.clone(), &[])),
        ("malformed_claims", "two entries", claims(dcc(&[("v", Cbor::Array(vec![usual(), usual()]))]))),
        ("malformed_claims", "no entry", claims(dcc(&[("v", Cbor::Array(vec![]))]))),
        (
            "malformed_claims",
            "two groups",
            claims(dcc(&[
                ("v", Cbor::Array(vec![usual()])),
                ("r", Cbor::Array(vec![recovery("2021-05-12", "2021-10-28")])),
            ])),
        ),
        ("malformed_claims", "no group", claims(dcc(&[]))),
        (
            "malformed_claims",
            "a group twice",
            claims(dcc(&[("v", Cbor::Array(vec![usual()])), ("v", Cbor::Array(vec![usual()]))])),
        ),
        (
            "malformed_claims",
            "a claim twice",
            claims_with(plain.clone(), exp.clone(), iat.clone(), &[(4.into(), exp.clone())]),
        ),
        ("malformed_claims", "a field twice", claims(one("v", twice))),
        ("malformed_claims", "a half dose", claims(of(Cbor::Float(1.5), 2.into()))),
        ("malformed_claims", "dose 0", claims(of(0.into(), 2.into()))),
        ("malformed_claims", "no version", claims(with(plain.clone(), "ver", None))),
        ("malformed_claims", "no name", claims(with(plain.clone(), "nam", None))),
        ("malformed_claims", "an empty name", claims(names(&[("fn", "".into())]))),
        ("malformed_claims", "no birth date at all", claims(with(plain.clone(), "dob", None))),
        (
            "malformed_claims",
            "a birth date that is none",
            claims(with(plain.clone(), "dob", Some("1998-02-30".into()))),
        ),
        ("malformed_claims", "no dose", claims(one("v", entry(&[])))),
        ("malformed_claims", "WHO's DDCC alone", hcert(vec![(3.into(), plain.clone())])),
        ("malformed_claims", "two forms", hcert(vec![(1.into(), plain.clone()), ((-1).into(), Cbor::Array(vec![]))])),
        ("issuer_mismatch", "another country's iss", with_iss(claims(plain.clone()), "DE".into())),
    ];
    for (reason, what, claims) in &refused {
        assert_eq!(said(&app.verify(&text(&key, &bytes(claims))).await), *reason, "{what}");
    }
    for iss in [Cbor::Null, "Gesundheitsministerium".into(), "at".into()] {
        assert_eq!(said(&app.verify(&text(&key, &bytes(&with_iss(claims(plain.clone()), iss)))).await), "accepted");
    }
    // A map of four whose length is not said: 0xBF, its items, 0xFF; and a byte behind the end.
    let good = bytes(&claims(plain.clone()));
    let indefinite = [&[0xBF], &good[1..], &[0xFF]].concat();
    assert_eq!(good[0], 0xA4);
    for payload in [indefinite, [&good[..], &[0xF6]].concat(), good[..good.len() - 1].to_vec()] {
        assert_eq!(said(&app.verify(&text(&key, &payload)).await), "malformed_claims");
    }
    app.stop().await;
}

fn with_iss(claims: Cbor, iss: Cbor) -> Cbor {
    let Cbor::Map(mut claims) = claims else { panic!("a map") };
    claims[0].1 = iss;
    Cbor::Map(claims)
}
