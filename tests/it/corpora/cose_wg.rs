//! The COSE working group's examples: COSE_Sign1 through our reader, and every other message refused by it.
//!
//! Each example holds the Sig_structure that was signed, so ours is compared with it byte by byte.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value as Cbor;
use serde_json::Value;
use thexanh::certificate::UnixSeconds;
use thexanh::codec::{CodecError, cose, cwt};
use thexanh::keys::{Algorithm, PublicKey};

use super::{array, bytes, corpus, json, text};

const FOLDERS: [&str; 8] = [
    "CWT",
    "RFC8152",
    "ecdsa-examples",
    "eddsa-examples",
    "rsa-pss-examples",
    "sign-tests",
    "sign1-tests",
    "x509-examples",
];

/// Good COSE_Sign1 that we refuse all the same: the word that says so, and why it is right for us.
const REFUSED_HERE: [(&str, &str, &str); 5] = [
    ("ecdsa-examples/ecdsa-sig-02", "key_algorithm", "P-384: HCERT §3.3.2 has P-256 and RSA, we add Ed25519"),
    ("ecdsa-examples/ecdsa-sig-03", "key_algorithm", "P-521: the same"),
    ("ecdsa-examples/ecdsa-sig-04", "algorithm_mismatch", "ES512 on P-256: a P-256 key of ours signs with SHA-256"),
    ("eddsa-examples/eddsa-sig-02", "key_algorithm", "Ed448: the same as P-384"),
    ("sign1-tests/sign-pass-02", "bad_signature", "external_aad: a QR text brings none, so ours is always h''"),
];

/// Every example by its folder and name.
fn examples() -> Option<BTreeMap<String, Value>> {
    let dir = corpus("cose-wg")?;
    let mut examples = BTreeMap::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(dir.join(folder)).expect("a folder of the corpus") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name in ASCII");
            examples.insert(format!("{folder}/{name}"), json(&path));
        }
    }
    assert_eq!(examples.len(), 49);
    Some(examples)
}

/// One DER element. Source: X.690 §8.1.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let len = u16::try_from(content.len()).expect("keys are short").to_be_bytes();
    let head = match content.len() {
        0..=0x7F => vec![tag, len[1]],
        0x80..=0xFF => vec![tag, 0x81, len[1]],
        _ => vec![tag, 0x82, len[0], len[1]],
    };
    [head, content].concat()
}

/// The DER SubjectPublicKeyInfo of an example's key.
fn spki(key: &Value) -> Vec<u8> {
    let field = |name: &str| match &key[format!("{name}_hex")] {
        Value::Null => URL_SAFE_NO_PAD.decode(text(&key[name])).expect("base64url"),
        hex => bytes(hex),
    };
    let oid = |hex: &str| der(0x06, &[&hex::decode(hex).expect("hexadecimal digits")]);
    let ec = |curve: &str| {
        let point = [&[0x04], &field("x")[..], &field("y")].concat();
        (vec![oid("2a8648ce3d0201"), oid(curve)], point)
    };
    let (algorithm, bits) = match (text(&key["kty"]), key["crv"].as_str()) {
        ("EC" | "EC2", Some("P-256")) => ec("2a8648ce3d030107"),
        ("EC", Some("P-384")) => ec("2b81040022"),
        ("EC", Some("P-521")) => ec("2b81040023"),
        ("OKP", Some("Ed25519")) => (vec![oid("2b6570")], field("x")),
        ("OKP", Some("Ed448")) => (vec![oid("2b6571")], field("x")),
        ("RSA", None) => {
            let positive = [&[0x00], &field("n")[..]].concat(); // its highest bit is set
            let numbers = der(0x30, &[&der(0x02, &[&positive]), &der(0x02, &[&field("e")])]);
            (vec![oid("2a864886f70d010101"), vec![0x05, 0x00]], numbers)
        }
        other => panic!("a key of a kind that no example had: {other:?}"),
    };
    der(0x30, &[&der(0x30, &[&algorithm.concat()]), &der(0x03, &[&[0x00], &bits])])
}

/// True if `key` accepts `signature` over `tbs` under a header's `alg`; else why not, in the words of the verifier.
fn check(key: &Value, alg: Option<i64>, signature: &[u8], tbs: &[u8]) -> Result<(), &'static str> {
    let key = PublicKey::from_spki_der(&spki(key)).map_err(|error| error.code())?;
    if !alg.is_some_and(|alg| key.algorithm().is_called(alg)) {
        return Err("algorithm_mismatch");
    }
    if key.verifies(signature, tbs) { Ok(()) } else { Err("bad_signature") }
}

/// Reads a COSE_Sign1 as the verifier does.
fn check_sign1(message: &[u8], key: &Value) -> Result<(), &'static str> {
    let sign1 = cose::parse(message).map_err(CodecError::code)?;
    let mut tbs = Vec::new();
    sign1.write_tbs(&mut tbs);
    check(key, sign1.alg, sign1.signature, &tbs)
}

#[test]
fn agrees_with_every_cose_sign1_that_is_not_on_the_list() {
    let Some(examples) = examples() else { return };
    let (mut verified, mut listed) = (0, 0);
    let mut refused: BTreeMap<_, usize> = BTreeMap::new();
    for (name, example) in examples.iter().filter(|(_, example)| example["input"]["sign0"].is_object()) {
        let message = bytes(&example["output"]["cbor"]);
        let verdict = check_sign1(&message, &example["input"]["sign0"]["key"]);
        if let Some((_, word, why)) = REFUSED_HERE.iter().find(|(listed, ..)| listed == name) {
            assert_eq!(verdict, Err(*word), "{name} is listed: {why}");
            listed += 1;
        } else if example["fail"] == true {
            *refused.entry(verdict.expect_err(name)).or_default() += 1;
        } else {
            assert_eq!(verdict, Ok(()), "{name}");
            verified += 1;
        }
    }
    assert_eq!((verified, listed), (6, REFUSED_HERE.len()));
    // The tag 998; the alg -999 and the alg "unknown"; the payload, and a header added or removed after signing.
    let wanted = [("malformed_cose", 1), ("algorithm_mismatch", 2), ("bad_signature", 3)];
    assert_eq!(refused, BTreeMap::from(wanted));
}

#[test]
fn writes_the_sig_structure_that_was_signed() {
    let Some(examples) = examples() else { return };
    let mut run = 0;
    for (name, example) in &examples {
        let signed = &example["intermediates"]["ToBeSign_hex"];
        let external = example["input"]["sign0"]["external"].is_string();
        if !example["input"]["sign0"].is_object() || example["fail"] == true || external {
            continue;
        }
        let message = bytes(&example["output"]["cbor"]);
        let mut tbs = Vec::new();
        cose::parse(&message).expect("a good example").write_tbs(&mut tbs);
        assert_eq!(tbs, bytes(signed), "{name}");
        run += 1;
    }
    assert_eq!(run, 10);
}

/// The verifier refuses external_aad for want of any; the key itself accepts what was signed with it.
#[test]
fn a_signature_with_external_aad_is_good_over_its_own_sig_structure() {
    let Some(examples) = examples() else { return };
    let example = &examples["sign1-tests/sign-pass-02"];
    let (message, tbs) = (bytes(&example["output"]["cbor"]), bytes(&example["intermediates"]["ToBeSign_hex"]));
    let sign1 = cose::parse(&message).expect("a COSE_Sign1");
    assert_eq!(check(&example["input"]["sign0"]["key"], sign1.alg, sign1.signature, &tbs), Ok(()));
}

#[test]
fn refuses_every_message_that_is_no_cose_sign1() {
    let Some(examples) = examples() else { return };
    let mut run = BTreeMap::new();
    for (name, example) in &examples {
        let kinds = ["sign", "mac0", "encrypted"];
        let Some(kind) = kinds.into_iter().find(|kind| example["input"][kind].is_object()) else { continue };
        let parsed = cose::parse(&bytes(&example["output"]["cbor"])).map(|_| ());
        assert_eq!(parsed, Err(CodecError::Cose), "{name}");
        *run.entry(kind).or_insert(0) += 1;
    }
    assert_eq!(run, BTreeMap::from([("sign", 28), ("mac0", 2), ("encrypted", 2)]));
}

/// The `alg` and the signature of each COSE_Signature in a COSE_Sign, tagged or not. Source: RFC 9052 §4.1.
fn signatures(message: &[u8]) -> Vec<(Option<i64>, Vec<u8>)> {
    let read = |bytes: &[u8]| ciborium::from_reader::<Cbor, _>(bytes).expect("CBOR");
    let mut sign = read(message);
    if let Cbor::Tag(98, inside) = sign {
        sign = *inside;
    }
    let mut sign = sign.into_array().expect("[protected, unprotected, payload, signatures]");
    let each = sign.remove(3).into_array().expect("an array of COSE_Signature");
    let read = each.into_iter().map(|signature| {
        let signature = signature.into_array().expect("[protected, unprotected, signature]");
        let header = read(signature[0].as_bytes().expect("a protected header")).into_map().expect("a map");
        let alg =
            header.into_iter().find(|(label, _)| *label == Cbor::from(1)).and_then(|(_, alg)| alg.into_integer().ok());
        let alg = alg.and_then(|alg| i64::try_from(alg).ok());
        (alg, signature[2].as_bytes().expect("a signature").clone())
    });
    read.collect()
}

/// The RSA-PSS examples are all COSE_Sign, which the reader refuses; their signatures are checked without it.
#[test]
fn the_keys_agree_with_the_signatures_inside_cose_sign() {
    let Some(examples) = examples() else { return };
    let mut run: BTreeMap<_, usize> = BTreeMap::new();
    for (name, example) in &examples {
        if !example["input"]["sign"].is_object() || example["fail"] == true {
            continue;
        }
        let signers = array(&example["input"]["sign"]["signers"]);
        let signed = array(&example["intermediates"]["signers"]);
        let inside = signatures(&bytes(&example["output"]["cbor"]));
        assert_eq!((signed.len(), inside.len()), (signers.len(), signers.len()), "{name}");
        for ((signer, signed), (alg, signature)) in signers.iter().zip(signed).zip(inside) {
            let verdict = check(&signer["key"], alg, &signature, &bytes(&signed["ToBeSign_hex"]));
            let named = text(&signer["protected"]["alg"]);
            let wanted = match (named, signer["key"]["crv"].as_str()) {
                ("ES256", Some("P-256")) | ("EdDSA", Some("Ed25519")) | ("RSA-PSS-256", None) => Ok(()),
                // With the keys that REFUSED_HERE names, and PS384 and PS512, which HCERT §3.3.2 lacks.
                ("ES512", Some("P-256")) | ("RSA-PSS-384" | "RSA-PSS-512", None) => Err("algorithm_mismatch"),
                _ => Err("key_algorithm"),
            };
            assert_eq!(verdict, wanted, "{name}");
            *run.entry((named, wanted.is_ok())).or_default() += 1;
        }
    }
    let wanted = [
        (("ES256", true), 14),
        (("EdDSA", true), 1),
        (("RSA-PSS-256", true), 1),
        (("ES384", false), 1),
        (("ES512", false), 3),
        (("EdDSA", false), 1),
        (("RSA-PSS-384", false), 1),
        (("RSA-PSS-512", false), 1),
    ];
    assert_eq!(run, BTreeMap::from(wanted));
}

/// RFC 8392 knows no hcert, without which nothing is a certificate; so each claim set is read once without and once with one.
#[test]
fn reads_the_claims_of_the_cwt_examples_once_they_have_an_hcert() {
    let Some(examples) = examples() else { return };
    let (iss, exp, iat) = (Some("coap://as.example.com"), Some(1_444_064_944), Some(1_443_944_944));
    let wanted = [
        ("CWT/A_3", (iss, exp, iat)),
        ("CWT/A_4", (iss, exp, iat)),
        ("CWT/A_5", (iss, exp, iat)),
        ("CWT/A_7", (None, None, iat)), // 1443944944.5: a float is read as its whole seconds
    ];
    for (name, claims) in wanted {
        let mut payload = bytes(&examples[name]["input"]["plaintext_hex"]);
        assert!(cwt::parse(&payload).is_err(), "{name} has no hcert");
        payload[0] += 1; // a map of one entry more
        payload.extend([0x39, 0x01, 0x03, 0xA1, 0x20, 0x00]); // -260: {-1: 0}
        let read = cwt::parse(&payload).expect(name);
        let seconds = |at: Option<UnixSeconds>| at.map(|UnixSeconds(seconds)| seconds);
        assert_eq!((read.iss, seconds(read.exp), seconds(read.iat)), claims, "{name}");
    }
}

#[test]
fn verifies_the_cwt_that_was_nested_in_an_encrypted_one() {
    let Some(examples) = examples() else { return };
    let nested = bytes(&examples["CWT/A_6"]["input"]["plaintext_hex"]);
    let key = &examples["CWT/A_3"]["input"]["sign0"]["key"]; // RFC 8392 §A.2.3: one key for both
    assert_eq!(check_sign1(&nested, key), Ok(()));
    assert_eq!(PublicKey::from_spki_der(&spki(key)).map(|key| key.algorithm()), Ok(Algorithm::Es256));
}
