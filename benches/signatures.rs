//! The Ed25519 signatures of the compact texts under their four keys, with what verifies them: every path, and the peers.

use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use ed25519_dalek::{Signature, VerifyingKey, verify_batch};
use thexanh::certificate::Profile;
use thexanh::ed25519::{Batch, Engine, Key};
use thexanh::trust::TrustList;

use crate::fixtures::{Fixtures, pick};

/// An engine and its keys, each with its comb.
pub type Prepared = (Arc<Engine>, Vec<Key>);

/// Signatures under keys that take turns.
pub struct Signatures {
    /// What was signed, and the signature.
    signed: Vec<(Vec<u8>, [u8; 64])>,
    /// The keys for each path that this processor has.
    pub prepared: Vec<Prepared>,
    dalek: Vec<VerifyingKey>,
    aws_lc: Vec<ParsedPublicKey>,
}

impl Signatures {
    pub fn new(fixtures: &Fixtures) -> Signatures {
        let signatures = fixtures.signatures(Profile::Compact).into_iter();
        let signed = signatures.map(|(tbs, signature)| (tbs, signature.try_into().expect("64 bytes"))).collect();
        let points: Vec<[u8; 32]> = fixtures
            .ed25519
            .iter()
            .map(|key| *key.spki_der().last_chunk().expect("the key ends the SubjectPublicKeyInfo"))
            .collect();
        // The engines of the trust lists, so that a key has one comb wherever it is used.
        let ready = |(engine, _): &(Arc<Engine>, TrustList)| {
            let prepare = |point| {
                let mut key = Key::from_bytes(point).expect("a point");
                engine.prepare(&mut key);
                engine.warm(&key);
                key
            };
            (Arc::clone(engine), points.iter().map(prepare).collect())
        };
        let parsed = |point: &[u8; 32]| ParsedPublicKey::new(&ED25519, point).expect("a point");
        let all = Signatures {
            signed,
            prepared: fixtures.lists.iter().map(ready).collect(),
            dalek: points.iter().map(|point| VerifyingKey::from_bytes(point).expect("a point")).collect(),
            aws_lc: points.iter().map(parsed).collect(),
        };
        assert!(all.dalek(1) && all.aws_lc(2) && all.dalek_batch(0) == Batch::SIZE);
        all
    }

    /// One signature.
    pub fn one(&self, (engine, keys): &Prepared, at: usize) -> bool {
        let (tbs, signature) = pick(&self.signed, at);
        engine.verifies(pick(keys, at), signature, |message| message.extend_from_slice(tbs))
    }

    /// Those from `first` on, as many as a batch holds. Returns how many are good.
    pub fn batch(&self, (engine, keys): &Prepared, first: usize) -> usize {
        let mut batch = engine.batch();
        for at in first..first + Batch::SIZE {
            let (tbs, signature) = pick(&self.signed, at);
            batch.push(pick(keys, at), signature, |message| message.extend_from_slice(tbs));
        }
        batch.verify().count_ones() as usize
    }

    /// One by ed25519-dalek's `verify_strict`.
    pub fn dalek(&self, at: usize) -> bool {
        let (tbs, signature) = pick(&self.signed, at);
        pick(&self.dalek, at).verify_strict(tbs, &Signature::from_bytes(signature)).is_ok()
    }

    /// A batch by ed25519-dalek's `verify_batch`, which has one answer for all, and another verdict.
    pub fn dalek_batch(&self, first: usize) -> usize {
        let range = first..first + Batch::SIZE;
        let messages: Vec<&[u8]> = range.clone().map(|at| pick(&self.signed, at).0.as_slice()).collect();
        let signatures: Vec<Signature> =
            range.clone().map(|at| Signature::from_bytes(&pick(&self.signed, at).1)).collect();
        let keys: Vec<VerifyingKey> = range.map(|at| *pick(&self.dalek, at)).collect();
        if verify_batch(&messages, &signatures, &keys).is_ok() { Batch::SIZE } else { 0 }
    }

    /// One by aws-lc-rs.
    pub fn aws_lc(&self, at: usize) -> bool {
        let (tbs, signature) = pick(&self.signed, at);
        pick(&self.aws_lc, at).verify_sig(tbs, signature).is_ok()
    }
}
