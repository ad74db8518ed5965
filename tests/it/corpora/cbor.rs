//! CBOR that is not well-formed, as QCBOR's tests collect it: refused alone, and wherever a certificate could carry it.
//!
//! A reader that refused everything would pass, so each place is also shown to take a good item.

use thexanh::codec::{CodecError, cbor, cose, cwt};

use super::{array, bytes, corpus, json, text};

/// A CWT whose last claim is `item`: what breaks off in it breaks off in the whole.
fn claims_ending_with(item: &[u8]) -> Vec<u8> {
    let mut payload = vec![0xA2]; // a map of 2
    payload.extend([0x39, 0x01, 0x03]); // -260: hcert
    payload.extend([0xA1, 0x20, 0x00]); // {-1: 0}
    payload.extend([0x18, 0x63]); // 99: a claim that nobody knows
    payload.extend(item);
    payload
}

/// A CWT whose hcert is `item`.
fn claims_of_hcert(item: &[u8]) -> Vec<u8> {
    let mut payload = vec![0xA1]; // a map of 1
    payload.extend([0x39, 0x01, 0x03]); // -260: hcert
    payload.extend([0xA1, 0x20]); // {-1: item}
    payload.extend(item);
    payload
}

/// A COSE_Sign1 whose protected header ends with `item`.
fn sign1_with_header(item: &[u8]) -> Vec<u8> {
    let mut protected = vec![0xA1, 0x18, 0x63]; // {99: item}
    protected.extend(item);
    let mut sign1 = vec![0xD2, 0x84]; // 18, an array of 4
    sign1.push(0x40 | u8::try_from(protected.len()).ok().filter(|len| *len < 24).expect("every case is short"));
    sign1.extend(protected);
    sign1.push(0xA0); // {}
    sign1.extend([0x41, 0x00, 0x41, 0x00]); // h'00', h'00'
    sign1
}

/// Which of the places take `item`: alone, as a claim, as the statement, in a protected header.
fn taken(item: &[u8]) -> [bool; 4] {
    [
        cbor::well_formed(item).is_ok(),
        cwt::parse(&claims_ending_with(item)).is_ok(),
        cwt::parse(&claims_of_hcert(item)).is_ok(),
        cose::parse(&sign1_with_header(item)).is_ok(),
    ]
}

#[test]
fn refuses_every_item_that_is_not_well_formed_wherever_it_stands() {
    let Some(dir) = corpus("cbor-not-well-formed") else { return };
    let mut run = 0;
    for case in array(&json(&dir.join("qcbor_not_well_formed.json"))) {
        let item = bytes(&case["hex"]);
        assert_eq!(cbor::well_formed(&item), Err(CodecError::Cbor), "{}", text(&case["note"]));
        assert_eq!(taken(&item), [false; 4], "{}", text(&case["note"]));
        run += 1;
    }
    assert_eq!(run, 122);
}

#[test]
fn takes_well_formed_items_in_the_same_places() {
    for item in ["00", "3863", "4100", "6161", "820001", "a20102 0304", "c100", "f820", "f5", "f93c00", "8181818100"] {
        let item = hex::decode(item.replace(' ', "")).expect("hexadecimal digits");
        assert_eq!(taken(&item), [true; 4], "{item:02x?}");
    }
}
