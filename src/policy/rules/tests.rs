use serde_json::{Value, json};

use super::*;
use crate::certificate::{Recovery, Test};
use crate::keys::Kid;
use crate::policy::{Asked, RuleFault, differences};

const NOW: UnixSeconds = UnixSeconds(1_627_784_100); // 2021-08-01T02:15:00Z

/// The built-in rules with some members of their JSON changed.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Rules, RulesError> {
    let mut json = serde_json::to_value(RulesDocument::default()).expect("JSON");
    change(&mut json);
    RulesDocument::read(json.to_string().as_bytes()).and_then(Rules::new)
}

fn code(change: impl FnOnce(&mut Value)) -> &'static str {
    changed(change).map_or_else(|error| error.code(), |_| "good")
}

fn dose(number: u8, series: u8, product: &str, days_ago: i64) -> Statement {
    let given_on = crate::certificate::date_from_day(day_from_date(NOW.vietnamese_date()) - days_ago);
    Statement::Vaccination(Dose { number, series, product: Product::Code(product.to_owned().into()), given_on })
}

fn unmet(rules: &Rules, statement: &Statement) -> String {
    rules.check(statement, NOW).map_or_else(|unmet| unmet.rule.to_string(), |()| "accepted".to_owned())
}

const PFIZER: &str = "EU/1/20/1528";
const JANSSEN: &str = "EU/1/20/1525";

/// Changes one thing.
type Spoil = fn(&mut Value);

#[test]
fn the_built_in_rules_are_what_was_always_so() {
    let rules = Rules::default();
    assert_eq!(rules, Rules::new(RulesDocument::default()).expect("they pass their own checks"));
    assert_eq!((rules.version(), rules.country()), (1, None));
    for (statement, card) in [
        (dose(1, 2, PFIZER, 0), CardColour::Yellow),
        (dose(2, 2, PFIZER, 0), CardColour::Green),
        (dose(3, 3, PFIZER, 0), CardColour::Green),
        (dose(2, 1, PFIZER, 0), CardColour::Green),
        (dose(1, 1, "Unknown", 5000), CardColour::Green),
    ] {
        assert_eq!((rules.card(&statement, NOW), crate::policy::card(&statement)), (card, card), "{statement:?}");
        assert_eq!(unmet(&rules, &statement), "accepted");
    }
    assert_eq!(unmet(&rules, &dose(1, 2, PFIZER, -1)), "dose_given");
    let test = |negative, hours: i64| Statement::Test(Test { negative, sampled_at: UnixSeconds(NOW.0 - hours * 3600) });
    assert_eq!([71, 72, 73].map(|hours| unmet(&rules, &test(true, hours))), ["accepted", "accepted", "test_recent"]);
    assert_eq!(unmet(&rules, &test(false, 1)), "test_negative");
}

#[test]
fn a_card_is_green_so_many_days_after_the_last_dose() {
    let card =
        |json: Value, statement: Statement| changed(|rules| rules["card"] = json).expect("rules").card(&statement, NOW);
    let waits = json!({"days_after_last_dose": 14, "boosters_wait": false, "complete_by": "certificate"});
    let of = |days| card(waits.clone(), dose(2, 2, PFIZER, days));
    assert_eq!([13, 14, 15].map(of), [CardColour::Yellow, CardColour::Green, CardColour::Green]);
    assert_eq!(card(waits.clone(), dose(1, 2, PFIZER, 100)), CardColour::Yellow);
    for (number, series, product, green) in [
        (3, 3, PFIZER, true),
        (2, 1, JANSSEN, true),
        (2, 1, PFIZER, true),
        (1, 1, JANSSEN, false),
        (3, 3, "Abdala", false),
        (2, 2, "of no list", false),
        (3, 3, "of no list", true),
    ] {
        let expected = if green { CardColour::Green } else { CardColour::Yellow };
        assert_eq!(card(waits.clone(), dose(number, series, product, 1)), expected, "{number}/{series} {product}");
    }
    let all = json!({"days_after_last_dose": 14, "boosters_wait": true, "complete_by": "certificate"});
    assert_eq!(card(all, dose(3, 3, PFIZER, 1)), CardColour::Yellow);
    let by_product = json!({"days_after_last_dose": 0, "boosters_wait": false, "complete_by": "product"});
    for (number, series, product, green) in [
        (1, 1, PFIZER, false),
        (2, 2, PFIZER, true),
        (2, 1, PFIZER, true),
        (1, 1, JANSSEN, true),
        (1, 1, "of no list", true),
    ] {
        let expected = if green { CardColour::Green } else { CardColour::Yellow };
        assert_eq!(card(by_product.clone(), dose(number, series, product, 1)), expected, "{number}/{series} {product}");
    }
}

#[test]
fn vaccinations_are_accepted_by_product_completeness_and_age() {
    let rules = |change: Value| {
        changed(|rules| {
            for (name, value) in change.as_object().expect("members") {
                rules["acceptance"]["vaccination"][name] = value.clone();
            }
        })
        .expect("rules")
    };
    let only = rules(json!({"products": [PFIZER, "CoronaVac"]}));
    assert_eq!(unmet(&only, &dose(1, 2, PFIZER, 1)), "accepted");
    assert_eq!(unmet(&only, &dose(1, 2, "CoronaVac", 1)), "accepted");
    assert_eq!(unmet(&only, &dose(2, 2, "Sputnik-V", 1)), "product_accepted");
    let green = rules(json!({"green_only": true}));
    assert_eq!(
        [dose(1, 2, PFIZER, 9), dose(2, 2, PFIZER, 9)].map(|dose| unmet(&green, &dose)),
        ["course_complete", "accepted"]
    );
    let aged = rules(json!({"max_age_days": 270}));
    let of = |days| unmet(&aged, &dose(2, 2, PFIZER, days));
    assert_eq!([269, 270, 271].map(of), ["accepted", "accepted", "course_recent"]);
    assert_eq!(unmet(&aged, &dose(3, 3, PFIZER, 5000)), "accepted", "boosters have an age of their own");
    let boosters = rules(json!({"booster_max_age_days": 100}));
    assert_eq!(unmet(&boosters, &dose(3, 3, PFIZER, 101)), "course_recent");
    assert_eq!(unmet(&boosters, &dose(2, 2, PFIZER, 101)), "accepted");
}

#[test]
fn tests_and_recoveries_are_accepted_within_their_days() {
    let rules = changed(|rules| {
        rules["acceptance"]["test"]["max_age_hours"] = json!(24);
        rules["acceptance"]["recovery"] = json!({"days_after_positive": 11, "max_age_days": 180});
    })
    .expect("rules");
    let test = |hours: i64| Statement::Test(Test { negative: true, sampled_at: UnixSeconds(NOW.0 - hours * 3600) });
    assert_eq!([23, 24, 25].map(|hours| unmet(&rules, &test(hours))), ["accepted", "accepted", "test_recent"]);
    let today = day_from_date(NOW.vietnamese_date());
    let day = crate::certificate::date_from_day;
    let recovery = |days: i64| {
        let (valid_from, valid_until) = (day(today - 1000), day(today + 1000));
        Statement::Recovery(Recovery { positive_on: day(today - days), valid_from, valid_until })
    };
    let of = |days| unmet(&rules, &recovery(days));
    assert_eq!([10, 11, 12].map(of), ["recovery_begun", "accepted", "accepted"]);
    assert_eq!([179, 180, 181].map(of), ["accepted", "accepted", "recovery_recent"]);
}

#[test]
fn products_are_added_and_never_changed_or_taken_back() {
    let new = json!({"number": 77, "code": "EU/1/21/1618", "name": "Nuvaxovid", "holder": "ORG-100032020",
        "prophylaxis": "1162643001", "course": 2, "min_interval_days": 21, "exists_since": "2021-11-01"});
    let more = changed(|rules| rules["products"].as_array_mut().expect("rows").push(new.clone())).expect("rules");
    assert_eq!(more.product(&Product::UnknownNumber(77)).map(|row| row.code), Some("EU/1/21/1618"));
    let named = Dose { number: 1, series: 2, product: Product::UnknownNumber(77), given_on: NOW.vietnamese_date() };
    assert_eq!(more.code(&named), Some("EU/1/21/1618"));
    assert_eq!(unmet(&more, &Statement::Vaccination(named.clone())), "accepted");
    assert_eq!(unmet(&Rules::default(), &Statement::Vaccination(named)), "product_known");
    assert_eq!(RulesDocument::default().may_follow(more.document()), Err(RulesError::ProductGone(77)));
    let mut other = more.document().clone();
    other.products.last_mut().expect("rows").name.push('!');
    assert_eq!(other.may_follow(more.document()), Err(RulesError::ProductChanged(77)));
    assert_eq!(code(|rules| rules["products"][3]["holder"] = json!("ORG-0")), "product_changed");
    assert_eq!(code(|rules| drop(rules["products"].as_array_mut().expect("rows").pop())), "product_gone");
    assert_eq!(
        code(|rules| rules["products"].as_array_mut().expect("rows").extend([new.clone(), new])),
        "product_twice"
    );
}

#[test]
fn what_rules_cannot_be_is_refused_by_name() {
    let cases: &[(&str, Spoil)] = &[
        ("good", |_| {}),
        ("rules_malformed", |rules| rules["more"] = json!(1)),
        ("rules_malformed", |rules| rules["acceptance"]["test"]["max_age_hour"] = json!(1)),
        ("rules_malformed", |rules| drop(rules.as_object_mut().expect("members").remove("card"))),
        ("rules_malformed", |rules| rules["card"]["complete_by"] = json!("law")),
        ("rules_malformed", |rules| rules["products"][0]["exists_since"] = json!("2020-13-01")),
        ("rules_malformed", |rules| rules["card"]["days_after_last_dose"] = json!(-1)),
        ("rules_out_of_bounds", |rules| rules["version"] = json!(0)),
        ("rules_out_of_bounds", |rules| rules["version"] = json!(1_u64 << 53)),
        ("good", |rules| rules["card"]["days_after_last_dose"] = json!(3650)),
        ("rules_out_of_bounds", |rules| rules["card"]["days_after_last_dose"] = json!(3651)),
        ("rules_out_of_bounds", |rules| rules["acceptance"]["test"]["max_age_hours"] = json!(0)),
        ("rules_out_of_bounds", |rules| rules["acceptance"]["test"]["max_age_hours"] = json!(8761)),
        ("rules_out_of_bounds", |rules| rules["acceptance"]["vaccination"]["products"] = json!([""])),
        ("rules_out_of_bounds", |rules| rules["acceptance"]["vaccination"]["products"] = json!(vec!["x"; 129])),
        ("rules_out_of_bounds", |rules| rules["country"] = json!("vn")),
        ("rules_out_of_bounds", |rules| rules["value_sets"] = json!({"x": vec!["c"; 1001]})),
        ("rules_out_of_bounds", |rules| rules["products"][0]["course"] = json!(10)),
    ];
    for (at, (expected, change)) in cases.iter().enumerate() {
        assert_eq!(code(change), *expected, "case {at}");
    }
    assert_eq!(RulesDocument::read(&vec![b' '; crate::policy::MAX_DOCUMENT_BYTES + 1]), Err(RulesError::TooLong));
    assert_eq!(RulesDocument::read(b"[]").map_err(|error| error.code()), Err("rules_malformed"));
}

fn rule(identifier: &str, logic: Value) -> Value {
    let certificate_type = match &identifier[..2] {
        "VR" => "Vaccination",
        "TR" => "Test",
        "RR" => "Recovery",
        _ => "General",
    };
    let kind = if identifier.starts_with("IR") { "Invalidation" } else { "Acceptance" };
    json!({
        "Identifier": identifier, "Type": kind, "Country": &identifier[3..5], "Version": "1.0.0", "SchemaVersion": "1.0.0",
        "Engine": "CERTLOGIC", "EngineVersion": "1.0.0", "CertificateType": certificate_type,
        "Description": [{"lang": "en", "desc": "A rule of the tests, and of nobody else."}],
        "ValidFrom": "2021-07-01T00:00:00Z", "ValidTo": "2022-07-01T00:00:00Z", "AffectedFields": ["v.0"], "Logic": logic,
    })
}

fn with_rules(rules: Vec<Value>) -> Result<Rules, RulesError> {
    changed(|document| document["certlogic"] = rules.into())
}

/// Which rule a vaccination issued by `issuer` does not meet; `?` behind one that is open.
fn asked(rules: &Rules, issuer: &str, dcc: &Value, now: UnixSeconds) -> String {
    let statement = dose(2, 2, PFIZER, 20);
    let (issued_at, expires_at) = (Some(UnixSeconds(NOW.0 - 100)), None);
    let asked = Asked { dcc, statement: &statement, issuer, issued_at, expires_at, kid: Kid([1; 8]) };
    match rules.country().expect("a country's rules").check(&asked, now) {
        Ok(()) => "accepted".to_owned(),
        Err(Unmet { rule, open }) => format!("{rule}{}", if open { "?" } else { "" }),
    }
}

fn dcc() -> Value {
    json!({"ver": "1.3.0", "v": [{"mp": PFIZER, "dn": 2, "sd": 2, "dt": "2021-07-12", "ci": "URN:UVCI:01:FR:1"}]})
}

#[test]
fn a_countrys_rules_are_asked_where_and_while_they_are_in_force() {
    let no = json!({"===": [1, 2]});
    let ask = |rules: Vec<Value>, issuer: &str| asked(&with_rules(rules).expect("rules"), issuer, &dcc(), NOW);
    let but = |mut rule: Value, member: &str, value: &str| {
        rule[member] = json!(value);
        rule
    };
    assert_eq!(ask(vec![rule("VR-VN-0001", no.clone())], "FR"), "VR-VN-0001");
    assert_eq!(ask(vec![rule("GR-VN-0001", no.clone())], "FR"), "GR-VN-0001");
    assert_eq!(ask(vec![rule("TR-VN-0001", no.clone())], "FR"), "accepted", "a rule for tests");
    assert_eq!(ask(vec![rule("IR-FR-0001", no.clone())], "FR"), "IR-FR-0001", "the issuer's own");
    assert_eq!(ask(vec![rule("IR-FR-0001", no.clone())], "DE"), "accepted");
    assert_eq!(ask(vec![but(rule("VR-VN-0001", no.clone()), "Region", "HN")], "FR"), "accepted", "another region's");
    // The second at which it begins, and the last one.
    for (member, value, expected) in [
        ("ValidFrom", "2021-08-01T02:15:00Z", "VR-VN-0001"),
        ("ValidFrom", "2021-08-01T09:15:01+07:00", "accepted"),
        ("ValidTo", "2021-08-01T02:15:00Z", "VR-VN-0001"),
        ("ValidTo", "2021-08-01T02:14:59Z", "accepted"),
    ] {
        assert_eq!(ask(vec![but(rule("VR-VN-0001", no.clone()), member, value)], "FR"), expected, "{member} {value}");
    }
    // The newest version that is in force counts, not the order in which they stand.
    let (old, new) = (rule("VR-VN-0001", no), but(rule("VR-VN-0001", json!(true)), "Version", "1.10.0"));
    assert_eq!(ask(vec![old.clone(), new.clone()], "FR"), "accepted");
    assert_eq!(ask(vec![but(new, "ValidFrom", "2022-01-01T00:00:00Z"), old], "FR"), "VR-VN-0001");
}

#[test]
fn a_rule_sees_the_certificate_and_what_stands_outside_of_it() {
    let sees = |logic: Value| {
        let rules = changed(|document| {
            document["certlogic"] = json!([rule("VR-VN-0001", logic)]);
            document["value_sets"] = json!({"vaccines": [PFIZER]});
        });
        asked(&rules.expect("rules"), "FR", &dcc(), NOW) == "accepted"
    };
    let is = |path: &str, value: Value| json!({"===": [{"var": path}, value]});
    assert!(sees(is("payload.v.0.mp", json!(PFIZER))));
    assert!(sees(is("external.validationClock", json!("2021-08-01T02:15:00Z"))));
    assert!(sees(is("external.countryCode", json!("VN"))));
    assert!(sees(is("external.issuerCountryCode", json!("FR"))));
    assert!(sees(is("external.iat", json!("2021-08-01T02:13:20Z"))));
    assert!(sees(is("external.kid", json!("AQEBAQEBAQE="))));
    assert!(sees(json!({"!": [{"var": "external.exp"}]})));
    assert!(sees(json!({"in": [{"var": "payload.v.0.mp"}, {"var": "external.valueSets.vaccines"}]})));
    assert!(!sees(json!({"in": ["Sputnik-V", {"var": "external.valueSets.vaccines"}]})));
}

#[test]
fn a_rule_that_cannot_be_asked_is_open_and_one_that_failed_is_named_first() {
    let broken = json!({"<": [{"var": "payload.v.0.nothing"}, 1]});
    let sets: Vec<Value> = (0..1000).map(|i| json!(i.to_string())).collect();
    let endless =
        json!({"reduce": [{"var": "external.valueSets.x"}, [{"var": "accumulator"}, {"var": "accumulator"}], 1]});
    let ask = |rules: Vec<Value>, dcc: &Value| {
        let rules = changed(|document| {
            document["certlogic"] = rules.into();
            document["value_sets"] = json!({"x": sets.clone()});
        });
        asked(&rules.expect("rules"), "FR", dcc, NOW)
    };
    assert_eq!(ask(vec![rule("VR-VN-0001", broken.clone())], &dcc()), "VR-VN-0001?");
    assert_eq!(ask(vec![rule("VR-VN-0002", endless)], &dcc()), "VR-VN-0002?");
    let failed = rule("VR-VN-0009", json!(false));
    assert_eq!(ask(vec![rule("VR-VN-0001", broken), failed], &dcc()), "VR-VN-0009");
    let mut newer = rule("VR-VN-0001", json!(true));
    newer["SchemaVersion"] = json!("1.3.0");
    for (ver, expected) in [
        (json!("1.2.9"), "VR-VN-0001?"),
        (json!("1.3.0"), "accepted"),
        (json!("1.3.1"), "accepted"),
        (json!("2.0.0"), "VR-VN-0001?"),
        (json!("one"), "VR-VN-0001?"),
        (json!(null), "VR-VN-0001?"),
    ] {
        assert_eq!(ask(vec![newer.clone()], &json!({"ver": ver})), expected, "{ver}");
    }
}

#[test]
fn a_countrys_rule_that_could_not_be_asked_is_refused_when_it_is_loaded() {
    let good = || rule("VR-VN-0001", json!(true));
    let fault = |rules: Vec<Value>| match with_rules(rules) {
        Ok(_) => "good",
        Err(error) => error.code(),
    };
    let but = |member: &str, value: Value| {
        let mut rule = good();
        rule[member] = value;
        fault(vec![rule])
    };
    let nested = |depth: usize| (0..depth).fold(json!(true), |inner, _| json!({"!": [inner]}));
    for (expected, member, value) in [
        ("good", "Version", json!("2.0.0")),
        ("rules_malformed", "more", json!(1)),
        ("rule_logic", "Logic", Value::Null),
        ("rule_identifier", "Identifier", json!("VR-VN-001")),
        ("rule_identifier", "Identifier", json!("XR-VN-0001")),
        ("rule_identifier", "Identifier", json!("VR-vn-0001")),
        ("rule_identifier", "Identifier", json!("TR-VN-0001")),
        ("rule_identifier", "Identifier", json!("VR-DE-0001")),
        ("rule_identifier", "Type", json!("Invalidation")),
        ("rule_type", "Type", json!("Advice")),
        ("rule_type", "CertificateType", json!("Antibody")),
        ("rule_version", "Version", json!("1.0")),
        ("rule_version", "SchemaVersion", json!("1.0.0.0")),
        ("rule_engine", "Engine", json!("AT-METADATA")),
        ("good", "EngineVersion", json!("1.3.1")),
        ("rule_engine", "EngineVersion", json!("1.3.2")),
        ("rule_period", "ValidFrom", json!("2021-07-01")),
        ("rule_period", "ValidTo", json!("2021-06-30T23:59:59Z")),
        ("rule_logic", "Logic", json!({"foo": [1]})),
        // Two levels of JSON each, and three around them: JSON is read to 127.
        ("good", "Logic", nested(62)),
        ("rules_malformed", "Logic", nested(63)),
        ("rule_value_set", "Logic", json!({"in": [1, {"var": "external.valueSets.none"}]})),
        ("rule_value_set", "Logic", json!({"reduce": [[], {"var": "data.external.valueSets.none"}, 0]})),
        ("rule_too_long", "AffectedFields", json!(["x".repeat(33_000)])),
        ("rule_too_many", "Logic", json!({"and": vec![1; 10_000]})),
    ] {
        let shown = value.to_string().chars().take(40).collect::<String>();
        assert_eq!(but(member, value), expected, "{member} {shown}");
    }
    let mut elsewhere = rule("VR-DE-0001", json!(true));
    elsewhere["Country"] = json!("DE");
    assert_eq!(fault(vec![elsewhere]), "rule_country");
    assert_eq!(fault(vec![good(), good()]), "rule_twice");
    let many = |count: usize| (0..count).map(|i| rule(&format!("VR-VN-{i:04}"), json!(true))).collect();
    assert_eq!([255, 256, 257].map(|count| fault(many(count))), ["good", "good", "rule_too_many"]);
    let error = with_rules(vec![rule("VR-VN-0001", json!({"foo": [1]}))]).expect_err("refused");
    let RulesError::Rule { identifier, fault: RuleFault::Logic(message) } = error else { panic!("{error:?}") };
    assert_eq!((identifier.as_str(), message.as_str()), ("VR-VN-0001", "unrecognised operator: \"foo\""));
}

#[test]
fn a_difference_is_named_by_where_it_is() {
    let before = with_rules(vec![rule("VR-VN-0001", json!(true)), rule("VR-VN-0002", json!(true))]).expect("rules");
    let mut after = before.document().clone();
    after.version = 9;
    after.acceptance.test.max_age_hours = 48;
    after.acceptance.vaccination.max_age_days = Some(270);
    after.certlogic.remove(0);
    let paths: Vec<_> = differences(before.document(), &after)
        .into_iter()
        .map(|difference| (difference.path, difference.before.is_some(), difference.after.is_some()))
        .collect();
    let expected = [
        ("acceptance.test.max_age_hours", true, true),
        ("acceptance.vaccination.max_age_days", false, true),
        ("certlogic.VR-VN-0001 1.0.0", true, false),
    ];
    assert_eq!(paths, expected.map(|(path, before, after)| (path.to_owned(), before, after)));
    assert_eq!(differences(&after, &after), []);
}
