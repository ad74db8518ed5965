//! How long a trust list of a thousand keys takes from its signed bytes to being in force: half of the keys are Ed25519, as ours,
//! half are P-256, as most other countries'. Tables for fast verification are made when a key is first used, not here.

use std::hint::black_box;
use std::time::Instant;

use thexanh::certificate::UnixSeconds;
use thexanh::ed25519::{self, Path};
use thexanh::keys::{Algorithm, IssuerKey, PublicKey};
use thexanh::signed::Stamp;
use thexanh::trust::{TrustList, TrustListDocument, TrustedKey, Usages};

use crate::fixtures::NOW;

const KEYS: usize = 1_000;

fn public(key: &IssuerKey) -> PublicKey {
    PublicKey::from_spki_der(key.spki_der()).expect("a public key")
}

fn trusted(algorithm: Algorithm) -> TrustedKey {
    let key = IssuerKey::generate(algorithm).expect("a key");
    TrustedKey {
        key: public(&key),
        kid: key.kid(),
        country: "DE".to_owned(),
        national: false,
        usages: Usages::VACCINATION,
        own: false,
        signs_from: None,
        signs_until: None,
        trusted_from: Some(NOW),
        trusted_until: None,
        withdrawn_at: None,
        certificate: None,
    }
}

pub fn print() {
    let engine = ed25519::Engine::new(Path::available().first().copied().unwrap_or(Path::Library));
    let anchor = IssuerKey::generate(Algorithm::EdDsa).expect("a key");
    let keys = (0..KEYS).map(|at| trusted(if at % 2 == 0 { Algorithm::EdDsa } else { Algorithm::Es256 }));
    let list = TrustList::new(7, keys, &engine).expect("good keys");
    let list = list.with_signers(Some(public(&anchor)), Vec::new()).expect("an anchor");
    let stamp = Stamp { version: 7, issued_at: NOW, next_update: UnixSeconds(NOW.0 + 86_400) };
    let bytes = TrustListDocument::sign(&TrustListDocument::of(&list, stamp).to_json(), &anchor).expect("signs");
    let anchor = public(&anchor);
    let mut times: Vec<f64> = (0..31)
        .map(|_| {
            let begun = Instant::now();
            let document = TrustListDocument::open(&bytes, [&anchor], NOW, 7).expect("signed by the anchor");
            black_box(document.into_list(&engine).expect("good keys"));
            begun.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
    println!("figure: trust/load-1000-keys {:.1} ms", median * 1e3);
}
