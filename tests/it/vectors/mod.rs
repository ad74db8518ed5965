//! Our own vectors: the file is what `make vectors` makes, each has its verdict, and no change of any bit is believed.

mod make;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use thexanh::app::{Engine, REASONS};
use thexanh::certificate::UnixSeconds;
use thexanh::clock::Clock;
use thexanh::revocation::{self, Change};
use thexanh::trust::TrustListDocument;

use crate::app::config;

#[derive(Deserialize)]
struct File {
    trust_list: TrustListDocument,
    revoked: Vec<String>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    text: String,
    at: i64,
    expected: Value,
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/verify.json")
}

/// The vectors, and what verifies them under its clock.
fn read() -> (Vec<Vector>, Clock, Engine) {
    let text = std::fs::read_to_string(path()).expect("tests/vectors/verify.json: `make vectors` makes it");
    let file: File = serde_json::from_str(&text).expect("vectors");
    let clock = Clock::fixed(UnixSeconds(0));
    let engine = Engine::new(clock.clone(), 8, config().ed25519_engine());
    engine.set_trust(file.trust_list.into_list(engine.ed25519()).expect("a trust list"));
    engine.trust().warm();
    let revoked = file.revoked.iter().map(|uvci| Change::Add(revocation::entry(uvci)));
    engine.take_events(&(1..).zip(revoked).collect::<Vec<_>>());
    (file.vectors, clock, engine)
}

fn verdict(engine: &Engine, text: &str) -> Value {
    let mut json = Vec::new();
    engine.answer(text, &mut json);
    serde_json::from_slice(&json).expect("JSON")
}

/// Compares every member that is expected, and finds none of the other kind.
fn differs(expected: &Value, verdict: &Value) -> bool {
    const MEMBERS: [&str; 7] = ["result", "card", "reason", "rule", "profile", "type", "certificate"];
    MEMBERS.iter().any(|member| expected.get(member) != verdict.get(member))
}

#[test]
fn the_file_is_what_make_vectors_makes() {
    let made = serde_json::to_string_pretty(&make::document()).expect("JSON") + "\n";
    if std::env::var_os("MAKE_VECTORS").is_some() {
        std::fs::write(path(), &made).expect("writes");
    }
    let kept = std::fs::read_to_string(path()).expect("reads");
    assert!(
        kept == made,
        "tests/vectors/verify.json is not what the code makes: run `make vectors` and read the difference"
    );
}

#[test]
fn every_vector_has_its_verdict_and_every_reason_a_vector() {
    let (vectors, clock, engine) = read();
    let mut reasons = BTreeSet::new();
    for vector in &vectors {
        clock.set(UnixSeconds(vector.at));
        for time in ["first", "second", "third"] {
            let verdict = verdict(&engine, &vector.text);
            assert!(!differs(&vector.expected, &verdict), "{}, the {time} time: {verdict}", vector.name);
        }
        reasons.extend(vector.expected["reason"].as_str().map(str::to_owned));
    }
    assert_eq!(reasons, REASONS.iter().map(|reason| (*reason).to_owned()).collect());
}

/// Fails if a changed text is accepted with facts that nobody signed.
///
/// A text that is refused may be mended by a change, such as one with a byte too many: then it is one of the others.
fn believes_nothing_else(engine: &Engine, vectors: &[Vector], vector: &Vector, changed: &str, what: &str) {
    let verdict = verdict(engine, changed);
    if verdict["result"] == "rejected" {
        return;
    }
    let certificate = &verdict["certificate"];
    let signed = match vector.expected.get("certificate") {
        Some(own) => own == certificate,
        None => vectors.iter().any(|other| other.expected.get("certificate") == Some(certificate)),
    };
    assert!(signed, "{}, {what}: {verdict}", vector.name);
}

#[test]
fn no_flipped_bit_and_no_cut_is_believed() {
    let (vectors, clock, engine) = read();
    let mut tried = 0_u64;
    for vector in &vectors {
        clock.set(UnixSeconds(vector.at));
        let text = vector.text.as_bytes();
        if text.len() > 1000 {
            continue; // the two that are too large: every flip leaves them so
        }
        for bit in 0..text.len() * 8 {
            let mut flipped = text.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(flipped) = String::from_utf8(flipped) {
                believes_nothing_else(&engine, &vectors, vector, &flipped, &format!("text bit {bit}"));
                tried += 1;
            }
        }
        for cut in 0..text.len() {
            if let Some(cut_short) = vector.text.get(..cut) {
                believes_nothing_else(&engine, &vectors, vector, cut_short, &format!("text cut at {cut}"));
                tried += 1;
            }
        }
        let mut len = 0;
        make::recoded(&vector.text, |cose| len = cose.len());
        for bit in 0..len * 8 {
            let flipped = make::recoded(&vector.text, |cose| cose[bit / 8] ^= 1 << (bit % 8)).expect("as before");
            believes_nothing_else(&engine, &vectors, vector, &flipped, &format!("COSE bit {bit}"));
            tried += 1;
        }
        for cut in 0..len {
            let cut_short = make::recoded(&vector.text, |cose| cose.truncate(cut)).expect("as before");
            believes_nothing_else(&engine, &vectors, vector, &cut_short, &format!("COSE cut at {cut}"));
            tried += 1;
        }
    }
    assert!(tried > 100_000, "{tried}");
}
