//! Other issuers' keys come in and go out, over the real routes and a real database, and certificates are accepted by them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use thexanh::app::{App, by_command_line};
use thexanh::certificate::{Profile, UnixSeconds};
use thexanh::codec::{pkcs10, x509};
use thexanh::keyring::Keyring;
use thexanh::keys::{Algorithm, IssuerKey, Kid, PublicKey};
use thexanh::store::{IssuerKeyRow, KeyChange, KeyImport};
use thexanh::trust::import::{self, List, Refusal};
use thexanh::trust::merge::{self, Fate};
use thexanh::trust::{TrustedKey, Usages, export};
use thexanh::verify;

use crate::app::{NOW, TestApp, config, dose_of};
use crate::cli::Place;
use crate::texts::{key, listed, text};

impl TestApp {
    /// Imports a list, and has it known here when this returns.
    async fn import_keys(&self, list: &List) -> Vec<Fate> {
        let import = KeyImport { entries: &list.entries, dry_run: false, by: "tester", at: self.clock.now() };
        let fates = self.app.store().import_keys(&import).await.expect("imports");
        self.app.refresh().await.expect("refreshes");
        fates
    }

    async fn trust_list_as(&self, media: &str) -> Vec<u8> {
        let answer = self.request("GET", "/v1/trust-list", &[("accept", media)], b"").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, media));
        answer.body
    }
}

fn read(bytes: &[u8], country: Option<&str>) -> List {
    import::read(bytes, country).unwrap_or_else(|error| panic!("{error}"))
}

/// A foreign key, trusted for a year around now.
fn foreign(key: &IssuerKey, country: &str) -> IssuerKeyRow {
    IssuerKeyRow {
        country: country.to_owned(),
        national: false,
        own: false,
        trusted_from: Some(UnixSeconds(NOW.0 - 1000)),
        trusted_until: Some(UnixSeconds(NOW.0 + 1000)),
        ..listed(key)
    }
}

/// What a list of another registry must say of a key as this one does.
type Said = (Kid, Vec<u8>, String, Vec<&'static str>, Option<UnixSeconds>, Option<UnixSeconds>);

fn said(key: &TrustedKey) -> Said {
    let usages = key.usages.words();
    (key.kid, key.key.spki_der().to_vec(), key.country.clone(), usages, key.trusted_from, key.trusted_until)
}

fn all_said(app: &App) -> BTreeSet<Said> {
    app.trust().all().into_iter().filter(|key| key.withdrawn_at.is_none()).map(said).collect()
}

#[tokio::test]
async fn an_export_imported_elsewhere_gives_the_same_keys() {
    let here = TestApp::start_with(|config| config.http.public_url = "https://the.example:8443".to_owned()).await;
    let (finnish, withdrawn, travel) = (key(Algorithm::Es256), key(Algorithm::EdDsa), key(Algorithm::Es256));
    let other_kid = IssuerKeyRow { kid: Kid(*b"by other"), usages: Usages::ALL, ..foreign(&travel, "SE") };
    let withdrawn = IssuerKeyRow { withdrawn_at: Some(NOW), ..foreign(&withdrawn, "SE") };
    for row in [foreign(&finnish, "FI"), other_kid, withdrawn] {
        assert!(here.app.store().put_issuer_key(&row).await.expect("lists"));
    }
    here.app.refresh().await.expect("refreshes");
    let keys = here.app.trust();
    let pem = export::pem(&keys.all()).into_bytes();
    let did = here.get("/v1/trust-list/did.json").await;
    assert_eq!((did.status, did.header("content-type")), (200, "application/did"));
    assert_eq!(did.body, here.trust_list_as("application/did").await);
    let document = did.json();
    assert_eq!(
        document["id"], "did:web:the.example%3A8443:v1:trust-list",
        "which did:web looks for where it is served"
    );
    let id = format!("did:web:the.example%3A8443:v1:trust-list:DDCC:FIN:DSC#{}", finnish.kid());
    let methods = document["verificationMethod"].as_array().expect("methods");
    assert!(methods.iter().any(|method| method["id"] == id), "{document}");
    let forms = [
        ("jwks", here.trust_list_as("application/jwk-set+json").await),
        ("cose", here.trust_list_as("application/cose-key-set").await),
        ("did", did.body),
        ("certificates", pem),
    ];
    for (format, bytes) in forms {
        // Another registry, whose own keys are none of these.
        let there = TestApp::start().await;
        let own: Vec<_> = there.keyring.issuers().iter().map(IssuerKey::kid).collect();
        let list = read(&bytes, None);
        assert_eq!((list.format.as_str(), list.entries.len()), (format, 4), "without the withdrawn one");
        let fates = there.import_keys(&list).await;
        assert_eq!(fates.iter().filter(|fate| **fate == Fate::Added).count(), 2, "{fates:?}");
        // The tests' registries share their keyring, so that theirs are known there as own.
        assert_eq!(fates.iter().filter(|fate| **fate == Fate::Refused(Refusal::OwnKey)).count(), own.len());
        assert_eq!(all_said(&there.app), all_said(&here.app), "{format}");
        let (reason, accepted) = (there.verify(&text(&travel, 1)).await, there.verify(&text(&finnish, 2)).await);
        assert_eq!(
            (&reason["reason"], &accepted["reason"]),
            (&json!("unknown_key"), &json!("issuer_mismatch")),
            "{format}"
        );
    }
}

#[tokio::test]
async fn a_certificate_signed_by_an_imported_key_is_accepted_and_the_compact_form_is_not() {
    let app = TestApp::start().await;
    let (travel, compact) = (key(Algorithm::Es256), key(Algorithm::EdDsa));
    let (from_travel, from_compact) = (text(&travel, 1), text(&compact, 2));
    assert_eq!(app.verify(&from_travel).await["reason"], "unknown_key");
    let version = app.app.trust().version();
    let rows = [foreign(&travel, "VN"), foreign(&compact, "VN")].map(|row| row.trusted().expect("keys"));
    let jwks = export::jwks(&rows.iter().collect::<Vec<_>>()).to_string();
    let list = read(jwks.as_bytes(), None);
    assert_eq!(app.import_keys(&list).await, [Fate::Added; 2]);
    assert_eq!(app.app.trust().version(), version + 1, "once for the list");
    let verdict = app.verify(&from_travel).await;
    assert_eq!(
        (&verdict["result"], &verdict["certificate"]["issuer"]),
        (&json!("accepted"), &json!("VN")),
        "{verdict}"
    );
    assert_eq!(app.verify(&from_compact).await["reason"], "key_usage", "a foreign key is never national");
    app.clock.set(UnixSeconds(NOW.0 + 1000));
    assert_eq!(app.verify(&from_travel).await["result"], "accepted");
    app.clock.set(UnixSeconds(NOW.0 + 1001));
    assert_eq!(app.verify(&from_travel).await["reason"], "key_expired");
    app.clock.set(NOW);

    // Again it changes nothing; a longer period does; and both stand in the audit table.
    assert_eq!(app.import_keys(&list).await, [Fate::Known; 2]);
    assert_eq!(app.app.trust().version(), version + 1);
    let longer = jwks.replace(&(NOW.0 + 1000).to_string(), &(NOW.0 + 2000).to_string());
    assert_eq!(app.import_keys(&read(longer.as_bytes(), None)).await, [Fate::Changed; 2]);
    app.clock.set(UnixSeconds(NOW.0 + 2000));
    assert_eq!(app.verify(&from_travel).await["result"], "accepted");
    app.clock.set(NOW);
    let of = |done: &str| {
        format!("SELECT count(*) FROM audit WHERE action = 'key.import' AND subject = 'tester' AND why LIKE '{done} %'")
    };
    assert_eq!((app.count(&of("added")).await, app.count(&of("changed")).await), (2, 2));

    // A dry run says the same and does nothing.
    let dry = KeyImport { entries: &list.entries, dry_run: true, by: "tester", at: NOW };
    let version = app.app.store().trust_version().await.expect("reads");
    assert_eq!(app.app.store().import_keys(&dry).await.expect("plans"), [Fate::Changed; 2]);
    assert_eq!(app.app.store().trust_version().await.expect("reads"), version);
}

#[tokio::test]
async fn an_import_never_touches_own_withdrawn_or_other_countries_keys() {
    let app = TestApp::start().await;
    let (withdrawn, finnish) = (key(Algorithm::Es256), key(Algorithm::Es256));
    for row in [foreign(&withdrawn, "FI"), foreign(&finnish, "FI")] {
        app.app.store().put_issuer_key(&row).await.expect("lists");
    }
    app.app.store().withdraw_issuer_key(withdrawn.kid(), NOW).await.expect("withdraws");
    let before = app.app.store().issuer_keys().await.expect("reads");
    let rows = [
        foreign(&app.keyring.issuers()[0], "VN"),
        IssuerKeyRow { kid: Kid(*b"our key!"), ..foreign(&app.keyring.issuers()[1], "SE") },
        foreign(&withdrawn, "FI"),
        IssuerKeyRow { kid: Kid(*b"it again"), ..foreign(&withdrawn, "FI") },
        foreign(&finnish, "SE"),
        IssuerKeyRow { kid: Kid(*b"another!"), ..foreign(&finnish, "SE") },
        foreign(&key(Algorithm::EdDsa), "NO"),
    ];
    let rows = rows.map(|row| row.trusted().expect("a key"));
    let mut keys: Vec<&TrustedKey> = rows.iter().collect();
    let twice = TrustedKey { trusted_until: None, ..foreign_of(&rows[6]) };
    keys.extend([&rows[6], &twice]);
    let fates = app.import_keys(&read(export::jwks(&keys).to_string().as_bytes(), None)).await;
    let refused = Fate::Refused;
    let expected = [
        refused(Refusal::OwnKey),
        refused(Refusal::OwnKey),
        refused(Refusal::Withdrawn),
        refused(Refusal::Withdrawn),
        refused(Refusal::CountryMismatch),
        refused(Refusal::CountryMismatch),
        Fate::Added,
        Fate::Known,
        refused(Refusal::Conflict),
    ];
    assert_eq!(fates, expected);
    let (version, after) = app.app.store().issuer_keys().await.expect("reads");
    assert_eq!((version, after.len()), (before.0 + 1, before.1.len() + 1));
    assert!(before.1.iter().all(|row| after.contains(row)));
}

/// The same key, listed once more.
fn foreign_of(key: &TrustedKey) -> TrustedKey {
    IssuerKeyRow::of(key).trusted().expect("a key")
}

/// The member states' certificates as one PEM, and their texts under the list that it makes: each has the verdict that it
/// has where its certificate's key alone is listed.
#[tokio::test]
async fn the_member_states_certificates_come_in_as_pem_and_their_texts_have_their_verdicts() {
    let Some(directory) = crate::corpora::corpus("dgc-testdata") else { return };
    let app = TestApp::start().await;
    let vectors = vectors(&directory);
    let certificates: BTreeSet<&str> = vectors.iter().map(|vector| vector.certificate.as_str()).collect();
    let pem = |certificate: &&str| format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
    // Austria made those that name no country.
    let (named, nameless): (Vec<&str>, Vec<&str>) = certificates.iter().copied().partition(|base64: &&str| {
        let der = BASE64_STANDARD.decode(base64).expect("base64");
        x509::parse(&der).expect("a certificate").country.is_some()
    });
    for (certificates, country) in [(named, None), (nameless, Some("AT"))] {
        let pem: String = certificates.iter().map(pem).collect();
        let list = read(pem.as_bytes(), country);
        assert_eq!(list.entries.len(), certificates.len());
        let fates = app.import_keys(&list).await;
        assert!(fates.iter().all(|fate| *fate == Fate::Added), "{fates:?}");
    }
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for vector in &vectors {
        app.clock.set(vector.clock);
        let verdict = app.verify(&vector.text).await;
        let word = |verdict: &Value| verdict["reason"].as_str().unwrap_or("accepted").to_owned();
        // Where the file's own certificate is not the signer's, another file's may be.
        let alone = alone(vector);
        if alone != "unknown_key" {
            assert_eq!(word(&verdict), alone, "{}: {verdict}", vector.path.display());
        }
        *words.entry(word(&verdict)).or_default() += 1;
    }
    assert!(words["accepted"] >= 190 && words["key_usage"] >= 60, "{words:?}");
}

struct Vector {
    path: PathBuf,
    text: String,
    /// DER in base64.
    certificate: String,
    clock: UnixSeconds,
}

fn vectors(directory: &Path) -> Vec<Vector> {
    let mut vectors = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                let file = crate::corpora::json(&path);
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let (Some(qr), Some(certificate)) = (text(&file["PREFIX"]), text(&file["TESTCTX"]["CERTIFICATE"]))
                else {
                    continue;
                };
                let clock = text(&file["TESTCTX"]["VALIDATIONCLOCK"]).expect("a clock");
                let clock =
                    clock.parse::<jiff::Timestamp>().or_else(|_| format!("{clock}Z").parse()).expect("an instant");
                vectors.push(Vector { path, text: qr, certificate, clock: UnixSeconds(clock.as_second()) });
            }
        }
    }
    vectors
}

/// The verdict on a text where nothing is listed but the key of its own certificate, as the certificate has it.
fn alone(vector: &Vector) -> &'static str {
    let der = BASE64_STANDARD.decode(&vector.certificate).expect("base64");
    let certificate = x509::parse(&der).expect("a certificate");
    let listed = TrustedKey {
        key: PublicKey::from_spki_der(&certificate.spki_der).expect("a key"),
        kid: certificate.kid,
        country: certificate.country.unwrap_or_else(|| "AT".to_owned()),
        national: false,
        usages: certificate.usages,
        own: false,
        signs_from: None,
        signs_until: None,
        trusted_from: Some(certificate.valid_from),
        trusted_until: Some(certificate.valid_until),
        withdrawn_at: None,
        certificate: None,
    };
    let trust = thexanh::trust::TrustList::new(1, [listed], &config().ed25519_engine()).expect("a list");
    match verify::check_signature(&vector.text, &trust) {
        Ok(signed) => {
            let (revoked, rules) = (Default::default(), Default::default());
            signed.accept(&revoked, &rules, vector.clock).map_or_else(|rejection| rejection.code(), |_| "accepted")
        }
        Err(rejection) => rejection.code(),
    }
}

/// Runs openssl in a directory.
fn openssl(directory: &Path, arguments: &str) -> String {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output();
    let output = output.expect("openssl: `make test` installs it");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes a CA of this country in a directory.
fn make_ca(directory: &Path, country: &str) {
    openssl(directory, "ecparam -name prime256v1 -genkey -noout -out ca.key");
    openssl(directory, &format!("req -x509 -new -key ca.key -subj /C={country}/CN=CSCA -days 3650 -out ca.pem"));
}

const CERTIFY: &str = "x509 -req -in key.csr -CA ca.pem -CAkey ca.key -copy_extensions copy -days 730 -out key.pem";

#[tokio::test]
async fn a_certified_key_signs_under_its_certificates_kid_and_falls_under_both() {
    let place = Place::new("certified");
    let keyring = Keyring::open_or_create(&place.0.join("keys"), "a passphrase of the tests").expect("makes keys");
    let app = TestApp::start_with_keys(keyring).await;
    make_ca(&place.0, "VN");
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        app.clock.set(NOW);
        let key = &app.keyring.issuers().into_iter().find(|key| key.algorithm() == algorithm).expect("a key");
        let subject = pkcs10::Subject { country: "VN", organization: Some("Bộ Y tế"), common_name: "DSC" };
        let csr = pkcs10::request(subject, key).expect("a request");
        std::fs::write(place.0.join("key.der"), csr).expect("writes");
        openssl(&place.0, "req -inform DER -in key.der -out key.csr");
        let said = openssl(&place.0, "req -in key.csr -verify -noout -text -nameopt utf8,sep_comma_plus");
        for part in ["Bộ Y tế", "Digital Signature", "1.3.6.1.4.1.1847.2021.1.2"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        openssl(&place.0, CERTIFY);
        let list = read(&std::fs::read(place.0.join("key.pem")).expect("reads"), None);
        assert_eq!(app.import_keys(&list).await, [Fate::Refused(Refusal::OwnKey)], "the command alone re-lists it");
        // As if it had been made when these tests are.
        let by = list.entries[0].key.as_ref().expect("a key");
        let by = &TrustedKey { trusted_from: Some(NOW), ..foreign_of(by) };
        assert_ne!(by.kid, key.kid());
        let signs_from = UnixSeconds(NOW.0 + 100);
        let own = |listed: &IssuerKey| {
            let trust = app.app.trust();
            trust.own().iter().find(|own| own.kid == listed.kid()).map(|own| foreign_of(own)).expect("listed")
        };
        for (changed, refusal) in [
            (TrustedKey { country: "SE".into(), ..foreign_of(by) }, Refusal::CountryMismatch),
            (TrustedKey { usages: Usages { test: true, ..Usages::default() }, ..foreign_of(by) }, Refusal::NotASigner),
            (TrustedKey { trusted_until: Some(UnixSeconds(signs_from.0 - 1)), ..foreign_of(by) }, Refusal::Expired),
        ] {
            assert_eq!(merge::certified(own(key), &changed, signs_from).err(), Some(refusal));
        }
        let certified = merge::certified(own(key), by, signs_from).expect("may be listed");
        assert_eq!((certified.signs_from, certified.signs_until), (Some(signs_from), by.trusted_until));
        assert!(certified.own && certified.national && certified.certificate.is_some());
        let row = IssuerKeyRow::of(&certified);
        let change = [KeyChange::List(row)];
        for listed in [1, 0] {
            let by = by_command_line("key.certify", "a test".to_owned(), NOW);
            assert_eq!(app.app.store().change_keys(&change, &by).await.expect("lists"), listed);
        }
        app.app.refresh().await.expect("refreshes");

        let profile = if algorithm == Algorithm::EdDsa { Profile::Compact } else { Profile::Hc1 };
        let kid_at = |at: UnixSeconds| app.keyring.signing_key(profile, &app.app.trust(), at).expect("one signs").kid();
        assert_eq!(kid_at(UnixSeconds(signs_from.0 - 1)), key.kid());
        assert_eq!((kid_at(signs_from), kid_at(by.trusted_until.expect("ends"))), (by.kid, by.kid));
        assert_eq!(
            kid_at(UnixSeconds(by.trusted_until.expect("ends").0 + 1)),
            key.kid(),
            "then the bare key signs again"
        );
    }
    let (_, before) = app.certificate("R-1").await;
    let kids: Vec<_> = app.app.trust().own().iter().map(|own| own.kid).collect();
    assert_eq!(kids.len(), 4, "each key under two kids");
    let signs_from = app.app.trust().own().iter().filter_map(|own| own.signs_from).max().expect("begins");
    app.clock.set(signs_from);
    let (uvci, after) = app.certificate_of(&dose_of(1)).await;
    let verdict = app.verify(&after).await;
    let certified = app
        .app
        .trust()
        .own()
        .iter()
        .find(|own| own.certificate.is_some() && own.key.algorithm() == Algorithm::EdDsa)
        .expect("listed")
        .kid;
    assert_eq!((&verdict["result"], &verdict["kid"]), (&json!("accepted"), &json!(certified.to_string())), "{verdict}");
    let travel = app
        .request(
            "GET",
            &format!("/v1/certificates/{uvci}.txt?profile=hc1"),
            &[("authorization", &app.bearer(thexanh::http::access::Role::Facility))],
            b"",
        )
        .await;
    assert_eq!(travel.status, 200, "{}", travel.text());
    let verdict = app.verify(travel.text()).await;
    assert_eq!(verdict["result"], "accepted", "{verdict}");
    assert_ne!(
        verdict["kid"],
        json!(
            app.keyring
                .issuers()
                .iter()
                .find(|key| key.algorithm() == Algorithm::Es256)
                .expect("a key")
                .kid()
                .to_string()
        )
    );
    app.clock.set(NOW);
    assert_eq!(app.verify(&before).await["result"], "accepted", "under its old kid");

    // The exports carry the certificates.
    let pem = export::pem(&app.app.trust().all());
    assert_eq!((pem.matches("BEGIN CERTIFICATE").count(), pem.matches("BEGIN PUBLIC KEY").count()), (2, 2));

    assert!(app.app.store().withdraw_issuer_key(certified, NOW).await.expect("withdraws"));
    app.app.refresh().await.expect("refreshes");
    assert_eq!(app.verify(&before).await["reason"], "key_withdrawn", "it is the key that falls, not the kid");
    app.clock.set(signs_from);
    assert_eq!(app.verify(&after).await["reason"], "key_withdrawn");
    let row = before_row(&app).await;
    assert_eq!(
        merge::certified(row.trusted().expect("a key"), &certified_by(&app), NOW).err(),
        Some(Refusal::Withdrawn)
    );
}

async fn before_row(app: &TestApp) -> IssuerKeyRow {
    let (_, rows) = app.app.store().issuer_keys().await.expect("reads");
    rows.into_iter().find(|row| row.own && row.withdrawn_at.is_some()).expect("withdrawn")
}

fn certified_by(app: &TestApp) -> TrustedKey {
    app.app.trust().own().iter().find(|own| own.certificate.is_some()).map(|own| foreign_of(own)).expect("certified")
}

#[test]
fn the_command_line_imports_exports_and_certifies() {
    let place = Place::new("trust-lists");
    let (_, keys) = place.json(&["keys", "new", "--algorithm", "ES256"]);
    let kid = keys[0]["kid"].as_str().expect("a kid");
    make_ca(&place.0, "VN");
    let (status, said) = place.json(&["keys", "csr", "--kid", kid, "--organization", "Bộ Y tế"]);
    assert_eq!(status, 0, "{said:?}");
    std::fs::write(place.0.join("key.csr"), said[0]["request"].as_str().expect("PEM")).expect("writes");
    assert_eq!(place.json(&["keys", "csr", "--kid", "AAAAAAAAAAA="]).0, 1);
    openssl(&place.0, CERTIFY);
    let imported = |arguments: &[&str]| {
        let (status, said) = place.json(&[&["keys", "import"][..], arguments].concat());
        let words =
            said.iter().map(|entry| entry["reason"].as_str().or(entry["result"].as_str()).expect("a word").to_owned());
        (status, words.collect::<Vec<_>>())
    };
    assert_eq!(imported(&["key.pem", "--dry-run"]), (0, vec!["certified".to_owned()]));
    assert_eq!(imported(&["key.pem"]), (0, vec!["certified".to_owned()]));
    assert_eq!(imported(&["key.pem"]), (0, vec!["known".to_owned()]));
    assert_eq!(imported(&["key.pem", "--signs-from", "2021-01-01T00:00:00Z"]), (2, vec![]));
    let (_, listed) = place.json(&["keys", "list"]);
    let of_key = |kid: &Value| {
        listed.iter().find(|key| key["kid"] == *kid).expect("listed")["signs_from"].as_i64().expect("begins")
    };
    let certified = said_kid(&place, "key.pem");
    assert!(of_key(&json!(certified)) >= of_key(&json!(kid)), "verifiers know the kid before it is signed with");

    // Another country's certificates, one of them not to be read.
    openssl(&place.0, "ecparam -name prime256v1 -genkey -noout -out fi.key");
    openssl(&place.0, "req -x509 -new -key fi.key -subj /C=FI/CN=DSC -days 30 -out fi.pem");
    let fi = std::fs::read_to_string(place.0.join("fi.pem")).expect("PEM");
    std::fs::write(
        place.0.join("list.pem"),
        format!("{fi}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    )
    .expect("writes");
    let words = |words: [&str; 2]| words.map(str::to_owned).to_vec();
    assert_eq!(imported(&["list.pem", "--dry-run"]), (0, words(["added", "malformed_x509"])));
    assert_eq!(imported(&["list.pem", "--country", "SE"]), (1, words(["country_mismatch", "malformed_x509"])));
    assert_eq!(imported(&["list.pem", "--country", "FIN"]), (0, words(["added", "malformed_x509"])));
    assert_eq!(imported(&["list.pem"]), (0, words(["known", "malformed_x509"])));
    assert_eq!(imported(&["absent.pem"]).0, 3);
    assert_eq!(imported(&["passphrase"]).0, 3, "no list");
    assert_eq!(imported(&["fi.key"]), (1, vec!["private_key".to_owned()]));

    // What is exported is known where it is from, own keys apart.
    for format in ["jwks", "cose", "did", "pem"] {
        let exported = place.command(&["keys", "export", "--format", format]).output().expect("starts");
        assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
        std::fs::write(place.0.join("exported"), &exported.stdout).expect("writes");
        let (_, mut words) = imported(&["exported"]);
        words.sort();
        // The certificate over our key is known as such only where it stands as one.
        let middle = if format == "pem" { "known" } else { "own_key" };
        assert_eq!(words, ["known", middle, "own_key", "own_key", "own_key"], "{format}");
        let own = place.command(&["keys", "export", "--own", "--format", format]).output().expect("starts");
        assert!(own.stdout.len() < exported.stdout.len());
    }
    let (_, keys) = place.json(&["keys", "list"]);
    let certificates = keys.iter().filter(|key| key["own"].is_boolean());
    assert_eq!(certificates.count(), 5, "two of the first run, the new one under two kids, and the foreign one");
}

/// The kid of the certificate in a file.
fn said_kid(place: &Place, file: &str) -> String {
    let list = read(&std::fs::read(place.0.join(file)).expect("reads"), None);
    list.entries[0].kid.expect("a kid").to_string()
}
