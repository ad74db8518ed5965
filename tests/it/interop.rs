//! An implementation in another language verifies what we issue, from the trust list alone.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use thexanh::http::access::Role;
use thexanh::keys::Algorithm;
use thexanh::revocation::entry;
use thexanh::revocation::filter::{self, Filter};
use thexanh::revocation::run::Run;

use crate::app::TestApp;

/// What a script of tests/interop prints, a line each: it is given a file with `content`, and `lines`.
pub fn run(script: &str, content: &[u8], lines: &[&str]) -> Vec<Value> {
    let root = env!("CARGO_MANIFEST_DIR");
    let python = std::env::var("INTEROP_PYTHON").unwrap_or_else(|_| "target/interop/bin/python".to_owned());
    let file = std::env::temp_dir().join(format!("thexanh-it-{}-{script}", std::process::id()));
    std::fs::write(&file, content).expect("writes");
    let child = Command::new(std::path::Path::new(root).join(python))
        .arg(format!("tests/interop/{script}.py"))
        .arg(&file)
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.expect("the Python of the tests: `make test` installs it");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(lines.join("\n").as_bytes()).expect("hands over the lines");
    drop(input);
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success(), "{script}.py failed");
    std::fs::remove_file(file).expect("removes");
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn python_looks_entries_up_in_a_filter_as_we_do() {
    for len in [0, 1, 2, 1000] {
        let entries: Vec<_> = (0..len + 1000).map(|number| entry(&number.to_string())).collect();
        let bytes = filter::build(Run::new(entries[..len].to_vec()).entries());
        let ours = Filter::parse(&bytes).expect("whole");
        let lines: Vec<String> = entries.iter().map(hex::encode).collect();
        let theirs = run("may_be_revoked", &bytes, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        let expected: Vec<Value> = entries.iter().map(|entry| ours.may_contain(entry).into()).collect();
        assert_eq!(theirs, expected);
        assert!(theirs[..len].iter().all(|hit| hit == true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_verifies_a_compact_and_an_hc1_text_from_the_trust_list_alone() {
    let app = TestApp::start().await;
    let (uvci, compact) = app.certificate("R-1").await;
    let hc1 = app.get_as(Role::Facility, &format!("/v1/certificates/{uvci}.txt?profile=hc1")).await;
    let hc1 = hc1.text().to_owned();
    assert!(compact.starts_with("VN1:") && hc1.starts_with("HC1:"));
    // The same certificate under somebody else's signature: base45 of the last two bytes, changed.
    let forged = compact.strip_suffix(&compact[compact.len() - 3..]).map(|text| format!("{text}000")).expect("long");
    let trust = app.get("/v1/trust-list").await.body;
    let answers = run("verify", &trust, &[&compact, &hc1, &forged]);
    assert_eq!(answers.len(), 3);
    for answer in &answers[..2] {
        assert_eq!(answer["accepted"], true, "{answer}");
        let claims = &answer["claims"];
        assert_eq!(claims["iss"], "VN");
        assert_eq!(claims["uvci"], uvci.to_string());
        assert_eq!(claims["name"], "Nguyễn Thị Phương Thảo");
        assert_eq!((&claims["dose"], &claims["series"]), (&1.into(), &2.into()));
        assert_eq!(claims["iat"], app.clock.now().0);
    }
    assert_eq!(answers[0]["claims"]["given_on_day"], 18_784, "2021-06-06");
    assert_eq!(answers[1]["claims"]["given_on"], "2021-06-06");
    assert_eq!(answers[1]["claims"]["product"], "EU/1/20/1528");
    assert_eq!(answers[0]["claims"]["exp"], answers[1]["claims"]["exp"]);
    assert_eq!(answers[2]["accepted"], false);
    app.stop().await;
}

#[tokio::test]
async fn the_dgc_crate_verifies_an_hc1_text_by_its_whole_chain() {
    let app = TestApp::start().await;
    app.certificate("R-1").await;
    let second = app.dose("R-2", 2).await.json();
    let uvci = second["uvci"].as_str().expect("a UVCI");
    let hc1 = app.get_as(Role::Facility, &format!("/v1/certificates/{uvci}.txt?profile=hc1")).await;
    let issuers = app.keyring.issuers();
    let key = issuers.iter().find(|key| key.algorithm() == Algorithm::Es256).expect("a key");
    let point = key.spki_der().last_chunk::<65>().expect("the point ends the SubjectPublicKeyInfo");
    let mut trust = dgc::TrustList::new();
    trust.add(&key.kid().0, point.to_vec());
    let (read, signature) = dgc::validate(hc1.text(), &trust).expect("a certificate");
    assert!(signature.is_valid());
    assert_eq!((read.issuer.as_str(), read.certs.len()), ("VN", 1));
    let stated = &read.certs[&1];
    assert_eq!((stated.date_of_birth.as_str(), stated.name.surname.as_deref()), ("1983-10-10", Some("Nguyễn")));
    let dose = &stated.vaccines[0];
    assert_eq!((dose.id.as_str(), dose.dose_number, dose.total_doses), (uvci, 2, 2));
    assert_eq!(dose.medicinal_product, "EU/1/20/1528");
    // Under another key of the same kid the same text is none.
    let other = thexanh::keys::IssuerKey::generate(Algorithm::Es256).expect("generates");
    let mut trust = dgc::TrustList::new();
    trust.add(&key.kid().0, other.spki_der().last_chunk::<65>().expect("a point").to_vec());
    assert!(!dgc::validate(hc1.text(), &trust).expect("a certificate").1.is_valid());
    app.stop().await;
}
