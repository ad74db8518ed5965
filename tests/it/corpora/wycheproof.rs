//! Project Wycheproof: the three algorithms we verify, each key through its SubjectPublicKeyInfo.
//!
//! None of these files calls a result "acceptable", so nothing is on an allow-list; one that appears must be judged here.

use serde_json::Value;
use thexanh::keys::{Algorithm, PublicKey};

use super::{array, bytes, corpus, json, text, verifies_on_every_path};

/// What the cases of a file came to.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    accepted: usize,
    refused: usize,
}

/// A file's groups; their cases are as many as it says.
fn groups(file: &str) -> Option<Vec<Value>> {
    let file = json(&corpus("wycheproof")?.join("testvectors_v1").join(file));
    let groups = array(&file["testGroups"]).to_vec();
    let cases: usize = groups.iter().map(|group| array(&group["tests"]).len()).sum();
    assert_eq!(file["numberOfTests"], cases);
    Some(groups)
}

/// True if the key of `group` accepts the signature of `case`; a key that is refused accepts none.
fn accepts(group: &Value, case: &Value, algorithm: Algorithm) -> bool {
    let key = PublicKey::from_spki_der(&bytes(&group["publicKeyDer"]));
    key.is_ok_and(|key| {
        assert_eq!(key.algorithm(), algorithm);
        let (signature, message) = (bytes(&case["sig"]), bytes(&case["msg"]));
        let verdict = key.verifies(&signature, &message);
        if let Some(point) = key.spki_der().last_chunk().filter(|_| algorithm == Algorithm::EdDsa) {
            assert_eq!(verifies_on_every_path(point, &signature, &message), verdict, "case {}", case["tcId"]);
        }
        verdict
    })
}

/// Asks for the file's own verdict on every case of `groups`.
fn run(groups: &[Value], algorithm: Algorithm) -> Tally {
    let mut tally = Tally::default();
    for group in groups {
        for case in array(&group["tests"]) {
            let wanted = match text(&case["result"]) {
                "valid" => true,
                "invalid" => false,
                other => panic!("case {} is {other}: judge it here, with a reason", case["tcId"]),
            };
            assert_eq!(accepts(group, case, algorithm), wanted, "case {}: {}", case["tcId"], case["comment"]);
            *if wanted { &mut tally.accepted } else { &mut tally.refused } += 1;
        }
    }
    tally
}

#[test]
fn agrees_with_wycheproof_on_ed25519() {
    let Some(groups) = groups("ed25519_test.json") else { return };
    assert_eq!(run(&groups, Algorithm::EdDsa), Tally { accepted: 88, refused: 63 });
}

#[test]
fn the_gate_of_the_trust_list_takes_every_ed25519_key_of_wycheproof() {
    let Some(groups) = groups("ed25519_test.json") else { return };
    let mut run = 0;
    for group in &groups {
        let key = PublicKey::from_spki_der(&bytes(&group["publicKeyDer"])).expect("a key");
        assert_eq!(key.check_prime_order(), Ok(()), "{}", group["publicKey"]);
        run += 1;
    }
    assert_eq!(run, 78);
}

#[test]
fn agrees_with_wycheproof_on_ecdsa_with_signatures_of_64_bytes() {
    let Some(groups) = groups("ecdsa_secp256r1_sha256_p1363_test.json") else { return };
    assert_eq!(run(&groups, Algorithm::Es256), Tally { accepted: 173, refused: 89 });
}

/// COSE has r||s alone (RFC 9053 §2.1): a verifier that also read DER would take two texts for one signature.
#[test]
fn refuses_every_ecdsa_signature_in_der_even_the_valid_ones() {
    let Some(groups) = groups("ecdsa_secp256r1_sha256_test.json") else { return };
    let mut run = 0;
    for group in &groups {
        for case in array(&group["tests"]) {
            assert!(!accepts(group, case, Algorithm::Es256), "case {}: {}", case["tcId"], case["comment"]);
            run += 1;
        }
    }
    assert_eq!(run, 484);
}

#[test]
fn agrees_with_wycheproof_on_rsa_pss() {
    let Some(groups) = groups("rsa_pss_2048_sha256_mgf1_32_test.json") else { return };
    // RFC 8230 §2: PS256 is SHA-256, MGF1 with SHA-256 and a salt of 32 bytes, and nothing else.
    let is_ps256 = |group: &Value| {
        group["sha"] == "SHA-256" && group["mgf"] == "MGF1" && group["mgfSha"] == "SHA-256" && group["sLen"] == 32
    };
    let (ps256, skipped): (Vec<Value>, Vec<Value>) = groups.into_iter().partition(is_ps256);
    assert_eq!(
        (ps256.len(), skipped.len()),
        (1, 0),
        "this file is of these parameters; a group of others would be skipped"
    );
    assert_eq!(run(&ps256, Algorithm::Ps256), Tally { accepted: 63, refused: 45 });
}
