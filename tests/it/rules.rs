//! The rules over HTTP: a change is in force on every node at once, also for texts that are kept; a country's own rules; and
//! what cannot be the rules, refused by name.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use thexanh::certificate::{BirthDate, Dose, Product, Profile, Uvci};
use thexanh::codec::{self, Facts};
use thexanh::keys::{Algorithm, IssuerKey, alg};
use thexanh::name::PersonName;
use thexanh::policy::ProductRow;
use thexanh::store::{Audited, SetRules};

use crate::app::{NOW, TestApp};
use crate::client::Connection;
use crate::texts::{expires_at, forged, key, listed};

impl TestApp {
    /// Changes the rules in the database, as another process does it: without a word to this one. Returns their version.
    async fn set_rules(&self, change: impl FnOnce(&mut Value)) -> u64 {
        let mut rules = self.get("/v1/rules").await.json();
        let version = rules["version"].as_u64().expect("a version") + 1;
        rules["version"] = json!(version);
        change(&mut rules);
        let done = Audited {
            at: NOW,
            role: "operator".to_owned(),
            subject: "tester".to_owned(),
            place: String::new(),
            action: "rules.set",
            about: None,
            why: String::new(),
        };
        let set = self.app.store().set_rules(version, &rules.to_string(), &done).await.expect("sets");
        assert_eq!(set, SetRules::Set);
        version
    }
}

async fn verdict_of(address: SocketAddr, text: &str) -> Value {
    let headers = [("content-type", "text/plain")];
    Connection::open(address).await.request("POST", "/v1/verify", &headers, text.as_bytes()).await.json()
}

/// The first verdict by this version of the rules.
async fn by(version: u64, address: SocketAddr, text: &str) -> Value {
    for _ in 0..500 {
        let verdict = verdict_of(address, text).await;
        if verdict["as_of"]["rules"] == version {
            return verdict;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("version {version} is not in force after five seconds");
}

#[tokio::test]
async fn a_change_is_in_force_on_every_node_at_once_also_for_a_text_that_is_kept() {
    let app = TestApp::start().await;
    let other = app.another().await;
    app.certificate("R-1").await;
    // The second dose was given 28 days ago.
    let answer = app.dose("R-2", 2).await.json();
    let text = answer["text"].as_str().expect("a text");
    for _ in 0..3 {
        for address in [app.address(), other.address()] {
            let verdict = verdict_of(address, text).await;
            assert_eq!((&verdict["card"], &verdict["as_of"]["rules"]), (&json!("green"), &json!(1)));
        }
    }
    assert!(
        app.app.engine().answer_known(text, &mut Vec::new()) && other.app.engine().answer_known(text, &mut Vec::new())
    );
    for (days, card) in [(29, "yellow"), (28, "green"), (29, "yellow")] {
        let version = app.set_rules(|rules| rules["card"]["days_after_last_dose"] = json!(days)).await;
        for address in [app.address(), other.address()] {
            let verdict = by(version, address, text).await;
            assert_eq!((&verdict["result"], &verdict["card"]), (&json!("accepted"), &json!(card)), "{days} days");
            assert_eq!(verdict["certificate"]["dose"], 2, "the facts are the same");
        }
    }
    let version = app.set_rules(|rules| rules["acceptance"]["vaccination"]["green_only"] = json!(true)).await;
    for address in [app.address(), other.address()] {
        let verdict = by(version, address, text).await;
        assert_eq!((&verdict["reason"], &verdict["rule"]), (&json!("not_acceptable"), &json!("course_complete")));
        assert!(verdict.get("certificate").is_none() && verdict.get("open").is_none());
    }
    // Time alone changes the colour of a kept answer too: tomorrow the second dose is 29 days old.
    app.clock.set(thexanh::certificate::UnixSeconds(NOW.0 + 86_400));
    let verdict = app.verify(text).await;
    assert_eq!((&verdict["result"], &verdict["card"]), (&json!("accepted"), &json!("green")));
    other.stop().await;
    app.stop().await;
}

/// Rules as a country publishes them.
fn country_rules() -> Value {
    let rule = |identifier: &str, desc: &str, fields: Value, logic: Value| {
        let certificate_type = match &identifier[..2] {
            "VR" => "Vaccination",
            "TR" => "Test",
            _ => "General",
        };
        json!({
            "Identifier": identifier, "Type": "Acceptance", "Country": "VN", "Version": "1.0.0", "SchemaVersion": "1.0.0",
            "Engine": "CERTLOGIC", "EngineVersion": "0.7.5", "CertificateType": certificate_type,
            "Description": [{"lang": "en", "desc": desc}], "ValidFrom": "2021-06-01T00:00:00Z",
            "ValidTo": "2030-06-01T00:00:00Z", "AffectedFields": fields, "Logic": logic,
        })
    };
    let vaccinated = |then: Value| json!({"if": [{"var": "payload.v.0"}, then, true]});
    let booster = json!({"if": [{">": [{"var": "payload.v.0.dn"}, {"var": "payload.v.0.sd"}]}, true, {">": [{"var": "payload.v.0.dn"}, 2]}]});
    let clock = json!({"plusTime": [{"var": "external.validationClock"}, 0, "day"]});
    let after = |days: i64| json!({"plusTime": [{"var": "payload.v.0.dt"}, days, "day"]});
    json!([
        rule(
            "GR-VN-0001",
            "The disease must be COVID-19 of the value set.",
            json!(["v.0.tg"]),
            vaccinated(
                json!({"in": [{"var": "payload.v.0.tg"}, {"var": "external.valueSets.disease-agent-targeted"}]})
            )
        ),
        rule(
            "VR-VN-0001",
            "At least 14 days must have passed since the last dose, unless it is a booster.",
            json!(["v.0", "v.0.dt", "v.0.dn"]),
            vaccinated(json!({"if": [booster, true, {"not-before": [clock.clone(), after(14)]}]}))
        ),
        rule(
            "VR-VN-0002",
            "The last dose of a first course must not be older than 270 days.",
            json!(["v.0", "v.0.dt", "v.0.dn"]),
            vaccinated(json!({"if": [booster, true, {"not-after": [clock, after(270)]}]}))
        ),
        rule(
            "VR-VN-0003",
            "Sputnik V is not accepted at this border.",
            json!(["v.0", "v.0.mp"]),
            vaccinated(json!({"!": [{"in": [{"var": "payload.v.0.mp"}, ["Sputnik-V", "Sputnik-Light"]]}]}))
        ),
        rule(
            "TR-VN-0001",
            "Of tests only those of one kind are accepted.",
            json!(["t.0", "t.0.tt"]),
            json!({"===": [{"var": "payload.t.0.tt"}, "LP6464-4"]})
        ),
    ])
}

/// A certificate of dose `number` of `series` of `product`, given `given_on`, in the form that the key signs.
fn certified(key: &IssuerKey, serial: u128, product: &str, (number, series): (u8, u8), given_on: &str) -> String {
    let name = PersonName::parse("Nguyễn Thị Phương Thảo").expect("a name");
    let product = Product::Code(product.to_owned().into());
    let dose = Dose { number, series, product, given_on: given_on.parse().expect("a date") };
    let profile = if key.algorithm() == Algorithm::Es256 { Profile::Hc1 } else { Profile::Compact };
    let subject = thexanh::issue::Subject {
        uvci: Uvci(serial.to_be_bytes()),
        name: &name,
        birth: BirthDate::Year(1983),
        dose: &dose,
    };
    thexanh::issue::issue(&subject, profile, key, NOW, expires_at()).expect("issues").text
}

#[tokio::test]
async fn a_countrys_rules_are_loaded_and_a_verdict_names_the_one_that_failed() {
    let app = TestApp::start().await;
    let other = app.another().await;
    let keys = [key(Algorithm::EdDsa), key(Algorithm::Es256)];
    for key in &keys {
        assert!(app.app.store().put_issuer_key(&listed(key)).await.expect("lists"));
    }
    app.app.refresh().await.expect("refreshes");
    other.app.refresh().await.expect("refreshes");
    let cases = [
        ("EU/1/20/1528", (2, 2), "2021-07-18", "accepted"), // 14 days ago
        ("EU/1/20/1528", (2, 2), "2021-07-19", "VR-VN-0001"),
        ("EU/1/20/1528", (3, 3), "2021-07-31", "accepted"),
        ("EU/1/20/1528", (2, 1), "2021-07-31", "accepted"),
        ("EU/1/20/1528", (1, 2), "2021-01-01", "accepted"),
        ("EU/1/20/1528", (2, 2), "2020-11-05", "accepted"), // until midnight UTC, 270 days later
        ("EU/1/20/1528", (2, 2), "2020-11-04", "VR-VN-0002"),
        ("Sputnik-V", (2, 2), "2021-06-01", "VR-VN-0003"),
    ];
    let made = cases.iter().enumerate();
    let texts: Vec<_> = made
        .flat_map(|(at, (product, course, day, expected))| {
            keys.each_ref().map(|key| (certified(key, at as u128, product, *course, day), *expected))
        })
        .collect();
    for (text, _) in &texts {
        for address in [app.address(), other.address()] {
            for _ in 0..3 {
                assert_eq!(
                    verdict_of(address, text).await["result"],
                    "accepted",
                    "without a country's rules, and kept"
                );
            }
        }
    }
    let version = app
        .set_rules(|rules| {
            rules["certlogic"] = country_rules();
            rules["value_sets"] = json!({"disease-agent-targeted": ["840539006"]});
        })
        .await;
    let named = |verdict: &Value| match verdict["result"].as_str() {
        Some("accepted") => "accepted".to_owned(),
        _ => {
            assert_eq!((&verdict["reason"], verdict.get("open")), (&json!("not_acceptable"), None), "{verdict}");
            verdict["rule"].as_str().expect("a rule").to_owned()
        }
    };
    for address in [app.address(), other.address()] {
        for (text, expected) in &texts {
            for _ in 0..2 {
                let verdict = by(version, address, text).await;
                assert_eq!(named(&verdict), *expected, "{text}");
            }
        }
    }
    let lines: Vec<&str> = texts.iter().map(|(text, _)| text.as_str()).collect();
    let headers = [("content-type", "text/plain")];
    let batch = app.request("POST", "/v1/verify/batch", &headers, lines.join("\n").as_bytes()).await.lines();
    let expected: Vec<&str> = texts.iter().map(|(_, expected)| *expected).collect();
    assert_eq!(batch.iter().map(named).collect::<Vec<_>>(), expected);
    // A rule that needs what no certificate has is open: not accepted, and said to be open.
    let version = app
        .set_rules(|rules| {
            rules["certlogic"][1]["Logic"] = json!({"<": [{"var": "payload.v.0.nothing"}, 1]});
        })
        .await;
    let verdict = by(version, app.address(), &texts[0].0).await;
    assert_eq!(
        (&verdict["reason"], &verdict["rule"], &verdict["open"]),
        (&json!("not_acceptable"), &json!("VR-VN-0001"), &json!(true))
    );
    let version = app.set_rules(|rules| rules["certlogic"] = json!([])).await;
    assert_eq!(by(version, app.address(), &texts[2].0).await["result"], "accepted");
    other.stop().await;
    app.stop().await;
}

#[tokio::test]
async fn a_product_that_is_added_is_accepted_from_then_on_and_shown_by_its_code() {
    let app = TestApp::start().await;
    let key = key(Algorithm::EdDsa);
    assert!(app.app.store().put_issuer_key(&listed(&key)).await.expect("lists"));
    app.app.refresh().await.expect("refreshes");
    let row = ProductRow {
        number: 901,
        code: "EU/1/21/1618",
        name: "Nuvaxovid",
        holder: "ORG-100032020",
        prophylaxis: "1162643001",
        course: 2,
        min_interval_days: 21,
        exists_since: jiff::civil::date(2021, 11, 1),
    };
    let name = PersonName::parse("Nguyễn Thị Phương Thảo").expect("a name");
    let dose = Dose { number: 2, series: 2, product: Product::Code(row.code.into()), given_on: NOW.vietnamese_date() };
    let facts = Facts {
        uvci: Uvci([9; 16]),
        name: &name,
        birth: BirthDate::Year(1983),
        dose: &dose,
        product: &row,
        issued_at: NOW,
        expires_at: expires_at(),
    };
    let text = forged(&key, alg::EDDSA, &codec::encode_claims(Profile::Compact, &facts));
    assert_eq!(app.verify(&text).await["rule"], "product_known");
    let version = app
        .set_rules(|rules| {
            let products = rules["products"].as_array_mut().expect("rows");
            products.push(json!({
                "number": row.number, "code": row.code, "name": row.name, "holder": row.holder,
                "prophylaxis": row.prophylaxis, "course": row.course, "min_interval_days": row.min_interval_days,
                "exists_since": row.exists_since.to_string(),
            }));
        })
        .await;
    for _ in 0..3 {
        let verdict = by(version, app.address(), &text).await;
        assert_eq!((&verdict["card"], &verdict["certificate"]["product"]), (&json!("green"), &json!(row.code)));
    }
    // A country's rules see it as any other.
    let version = app
        .set_rules(|rules| {
            rules["certlogic"] = country_rules();
            rules["certlogic"][3]["Logic"] = json!({"!": [{"===": [{"var": "payload.v.0.ma"}, row.holder]}]});
            rules["value_sets"] = json!({"disease-agent-targeted": ["840539006"]});
        })
        .await;
    assert_eq!(by(version, app.address(), &text).await["rule"], "VR-VN-0001", "given today");
    app.clock.set(thexanh::certificate::UnixSeconds(NOW.0 + 14 * 86_400));
    assert_eq!(app.verify(&text).await["rule"], "VR-VN-0003");
    app.stop().await;
}

#[tokio::test]
async fn rules_that_cannot_be_read_leave_those_in_force() {
    let app = TestApp::start().await;
    let (_, text) = app.certificate("R-1").await;
    let version = app.set_rules(|rules| rules["acceptance"]["test"]["max_age_hours"] = json!(48)).await;
    assert_eq!(by(version, app.address(), &text).await["result"], "accepted");
    // As a later version of the service would write them.
    app.set_rules(|rules| rules["of_later_versions"] = json!(true)).await;
    assert!(app.app.refresh().await.is_err_and(|error| error.code() == "rules_malformed"));
    let verdict = app.verify(&text).await;
    assert_eq!((&verdict["result"], &verdict["as_of"]["rules"]), (&json!("accepted"), &json!(version)));
    assert_eq!(app.get("/v1/rules").await.json()["acceptance"]["test"]["max_age_hours"], 48);
    let sql = app.sql().await;
    sql.batch_execute("UPDATE version SET value = 2 WHERE topic = 'rules'; DELETE FROM rules WHERE version = 3")
        .await
        .expect("mends");
    assert!(app.app.refresh().await.is_ok());
    app.stop().await;
}

#[tokio::test]
async fn two_who_set_the_rules_at_once_are_not_both_obeyed() {
    let app = TestApp::start().await;
    let rules = app.get("/v1/rules").await.text().replace("\"version\":1", "\"version\":2");
    let done = |subject: &str| Audited {
        at: NOW,
        role: "operator".to_owned(),
        subject: subject.to_owned(),
        place: String::new(),
        action: "rules.set",
        about: None,
        why: String::new(),
    };
    let (store, a, b) = (app.app.store(), done("a"), done("b"));
    let (a, b) = tokio::join!(store.set_rules(2, &rules, &a), store.set_rules(2, &rules, &b));
    let mut outcomes = [a.expect("answers"), b.expect("answers")];
    outcomes.sort_by_key(|outcome| *outcome == SetRules::Set);
    assert_eq!(outcomes, [SetRules::Stale(2), SetRules::Set]);
    assert_eq!(app.count("SELECT count(*) FROM audit WHERE action = 'rules.set'").await, 1);
    app.stop().await;
}

#[tokio::test]
async fn the_rules_are_published_with_their_products_and_sent_once_a_version() {
    let app = TestApp::start().await;
    let answer = app.get("/v1/rules").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let rules = answer.json();
    assert_eq!((&rules["version"], &rules["certlogic"], &rules["country"]), (&json!(1), &json!([]), &json!("VN")));
    assert_eq!(rules["acceptance"]["test"]["max_age_hours"], 72);
    let pfizer =
        rules["products"].as_array().and_then(|rows| rows.iter().find(|row| row["number"] == 4)).expect("listed");
    assert_eq!((&pfizer["code"], &pfizer["course"]), (&json!("EU/1/20/1528"), &json!(2)));
    let tag = answer.header("etag").to_owned();
    let same = app.request("GET", "/v1/rules", &[("if-none-match", &tag)], b"").await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    app.set_rules(|rules| rules["card"]["days_after_last_dose"] = json!(14)).await;
    app.app.refresh().await.expect("refreshes");
    let next = app.request("GET", "/v1/rules", &[("if-none-match", &tag)], b"").await;
    assert_eq!((next.status, &next.json()["version"]), (200, &json!(2)));
    assert!(app.get("/metrics").await.text().contains("thexanh_rules_version 2"));
    app.stop().await;
}

#[test]
fn the_command_shows_checks_and_sets_them_and_refuses_by_name() {
    let place = crate::cli::Place::new("rules");
    let service = place.serve();
    let write = |name: &str, value: &Value| std::fs::write(place.0.join(name), value.to_string()).expect("writes");
    let (status, shown) = place.json(&["rules", "show"]);
    assert_eq!((status, &shown[0]["version"]), (0, &json!(1)));
    let mut rules = shown[0].clone();
    rules["acceptance"]["test"]["max_age_hours"] = json!(48);
    write("new.json", &rules);
    let difference = json!({"path": "acceptance.test.max_age_hours", "before": 72, "after": 48});
    let (status, said) = place.json(&["rules", "check", "new.json"]);
    assert_eq!((status, &said[..]), (0, &[difference.clone(), json!({"result": "good", "differences": 1})][..]));
    assert_eq!(place.json(&["rules", "show"]).1[0]["version"], 1, "nothing was changed");
    let (status, said) = place.json(&["rules", "set", "new.json", "--why", "a test"]);
    assert_eq!((status, &said[..]), (0, &[difference, json!({"result": "set", "version": 2})][..]));
    let refused = |file: &str, code: &str| {
        for verb in ["check", "set"] {
            let (status, said) = place.json(&["rules", verb, file]);
            assert_eq!(
                (status, &said[0]["result"], &said[0]["code"]),
                (1, &json!("refused"), &json!(code)),
                "{verb} {file}"
            );
        }
    };
    refused("new.json", "rules_stale");
    write("bad.json", &json!({"version": 2}));
    refused("bad.json", "rules_malformed");
    write("country.json", &country_rules());
    refused("country.json", "rule_value_set");
    let set = match crate::corpora::corpus("ehn-dcc-valuesets") {
        Some(dir) => dir.join("disease-agent-targeted.json"),
        None => {
            write("set.json", &json!({"valueSetId": "disease-agent-targeted", "valueSetValues": {"840539006": {}}}));
            place.0.join("set.json")
        }
    };
    let set = set.to_str().expect("text");
    let (status, said) = place.json(&["rules", "set", "country.json", "--value-set", set]);
    assert_eq!((status, said.last()), (0, Some(&json!({"result": "set", "version": 3}))), "{said:?}");
    let mut bad = country_rules();
    bad[0]["Logic"] = json!({"foo": []});
    write("country.json", &bad);
    refused("country.json", "rule_logic");
    let (_, shown) = place.json(&["rules", "show"]);
    assert_eq!((&shown[0]["version"], shown[0]["certlogic"].as_array().map(Vec::len)), (&json!(3), Some(5)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..500 {
            let mut connection = Connection::open(service.address).await;
            let rules = connection.request("GET", "/v1/rules", &[], b"").await;
            if rules.json() == shown[0] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the service does not go by the new rules after five seconds");
    });
    assert_eq!(service.end(rustix::process::Signal::TERM).code(), Some(0));
}
