//! The edges of Ed25519: ed25519-speccheck and CCTV. Keys and signatures on which implementations are known to differ.
//!
//! Every path of the engine has the verdict of dalek's `verify_strict`. The trust list's gate before it,
//! [`PublicKey::check_prime_order`], is stricter: of the 44 vectors here that `verify_strict` accepts, 43 have a key with
//! torsion and are refused. The 44th is an ordinary signature.

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use thexanh::keys::PublicKey;

use super::{array, bytes, corpus, json, text, verifies_on_every_path};

/// Source: RFC 8410 §4: SEQUENCE { SEQUENCE { 1.3.101.112 }, BIT STRING of 32 bytes }.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];

/// One key, one signature and one message.
struct Vector {
    key: [u8; 32],
    signature: Vec<u8>,
    message: Vec<u8>,
}

impl Vector {
    fn new(key: &Value, signature: &Value, message: Vec<u8>) -> Vector {
        let key = bytes(key).try_into().expect("a key has 32 bytes");
        Vector { key, signature: bytes(signature), message }
    }

    fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_spki_der(&[&SPKI_PREFIX[..], &self.key].concat()).ok()
    }

    /// Ours, below the gate.
    fn verifies(&self) -> bool {
        self.public_key().is_some_and(|key| {
            let verdict = verifies_on_every_path(&self.key, &self.signature, &self.message);
            assert_eq!(key.verifies(&self.signature, &self.message), verdict);
            verdict
        })
    }

    /// Ours, as a trust list has it.
    fn verifies_past_the_gate(&self) -> bool {
        self.public_key().is_some_and(|key| key.check_prime_order().is_ok()) && self.verifies()
    }

    /// The oracle.
    fn verifies_strictly(&self) -> bool {
        let signature = Signature::from_slice(&self.signature).expect("64 bytes");
        VerifyingKey::from_bytes(&self.key).is_ok_and(|key| key.verify_strict(&self.message, &signature).is_ok())
    }
}

#[test]
fn agrees_with_the_strict_column_of_speccheck() {
    // The row "Dalek strict" of its results.md, which libsodium's equals: XXXV XXXX XXXX. Case 3 has a key and an R of mixed order.
    const STRICT: [bool; 12] = [false, false, false, true, false, false, false, false, false, false, false, false];
    let Some(dir) = corpus("ed25519-speccheck") else { return };
    let mut run = 0;
    let cases = json(&dir.join("cases.json"));
    for (number, (case, published)) in array(&cases).iter().zip(STRICT).enumerate() {
        let vector = Vector::new(&case["pub_key"], &case["signature"], bytes(&case["message"]));
        assert_eq!(vector.verifies_strictly(), published, "the oracle in case {number}");
        assert_eq!(vector.verifies(), published, "case {number}");
        assert!(!vector.verifies_past_the_gate(), "case {number}");
        run += 1;
    }
    assert_eq!((run, array(&cases).len()), (12, 12));
}

#[test]
fn agrees_with_verify_strict_on_every_vector_of_cctv() {
    let Some(dir) = corpus("cctv-ed25519") else { return };
    let (mut run, mut accepted, mut past_the_gate) = (0, 0, 0);
    for case in array(&json(&dir.join("ed25519/ed25519vectors.json"))) {
        let vector = Vector::new(&case["key"], &case["sig"], text(&case["msg"]).into());
        let flags: Vec<&str> = case["flags"].as_array().into_iter().flatten().map(text).collect();
        // What the flags themselves say of a check without cofactor that refuses small orders.
        let refusable = |flag: &&str| matches!(*flag, "low_order_A" | "low_order_R" | "low_order_residue");
        let strictly = !flags.iter().any(refusable);
        assert_eq!(vector.verifies_strictly(), strictly, "the oracle in {case}");
        assert_eq!(vector.verifies(), strictly, "{case}");
        let gated = strictly && !flags.contains(&"low_order_component_A");
        assert_eq!(vector.verifies_past_the_gate(), gated, "{case}");
        run += 1;
        accepted += usize::from(strictly);
        past_the_gate += usize::from(gated);
    }
    assert_eq!((run, accepted, past_the_gate), (914, 43, 1));
}
