//! Base45: the examples of RFC 9285, and cases of two implementations that the field uses.

use thexanh::codec::CodecError;
use thexanh::codec::base45::{decode_into, encode_onto};

use super::{array, bytes, corpus, json, text};

fn decode(coded: &str) -> Result<Vec<u8>, CodecError> {
    let mut out = [0; 256];
    decode_into(&mut out, coded.as_bytes()).map(|len| out[..len].to_vec())
}

fn encode(plain: &[u8]) -> String {
    let mut coded = String::new();
    encode_onto(&mut coded, plain);
    coded
}

#[test]
fn reads_and_writes_every_good_base45_case() {
    let Some(dir) = corpus("base45") else { return };
    let cases = json(&dir.join("base45.json"));
    let mut run = 0;
    for case in array(&cases["valid"]).iter().chain(array(&cases["edge"])) {
        let (plain, coded) = (bytes(&case["plain_hex"]), text(&case["text"]));
        assert_eq!(decode(coded).as_deref(), Ok(&plain[..]), "{case}");
        assert_eq!(encode(&plain), coded, "{case}");
        run += 1;
    }
    assert_eq!(run, 9);
}

#[test]
fn refuses_every_bad_base45_case() {
    let Some(dir) = corpus("base45") else { return };
    let cases = json(&dir.join("base45.json"));
    let mut run = 0;
    for case in array(&cases["invalid"]) {
        assert_eq!(decode(text(&case["text"])), Err(CodecError::Base45), "{case}");
        run += 1;
    }
    assert_eq!(run, 9);
}

#[test]
fn every_character_of_base45_has_its_worth() {
    let Some(dir) = corpus("base45") else { return };
    let cases = json(&dir.join("base45.json"));
    let alphabet = text(&cases["alphabet"]);
    assert_eq!(alphabet.len(), 45);
    for (worth, character) in (0..).zip(alphabet.chars()) {
        let coded = format!("{character}0"); // worth + 0 * 45
        assert_eq!((decode(&coded), encode(&[worth])), (Ok(vec![worth]), coded));
    }
}
