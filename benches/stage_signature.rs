//! One signature under a known key, against the bare library calls.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use criterion::{Criterion, Throughput};
use ed25519_dalek::{Signature, VerifyingKey};
use thexanh::certificate::Profile;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("signature");
    group.throughput(Throughput::Elements(1));

    let (signed, key) = (fixtures.signatures(Profile::Compact), fixtures::public(&fixtures.ed25519));
    group.bench_function("ed25519", |bencher| {
        let mut next = fixtures::round(&signed);
        bencher.iter(|| {
            let (tbs, signature) = next();
            key.verifies(signature, tbs)
        });
    });
    let bytes = key.spki_der().last_chunk::<32>().expect("the key ends the SubjectPublicKeyInfo");
    let dalek = VerifyingKey::from_bytes(bytes).expect("a point");
    group.bench_function("ed25519-dalek-strict", |bencher| {
        let mut next = fixtures::round(&signed);
        bencher.iter(|| {
            let (tbs, signature) = next();
            Signature::from_slice(signature).is_ok_and(|signature| dalek.verify_strict(tbs, &signature).is_ok())
        });
    });

    let (signed, key) = (fixtures.signatures(Profile::Hc1), fixtures::public(&fixtures.p256));
    group.bench_function("es256", |bencher| {
        let mut next = fixtures::round(&signed);
        bencher.iter(|| {
            let (tbs, signature) = next();
            key.verifies(signature, tbs)
        });
    });
    let point = key.spki_der().last_chunk::<65>().expect("the point ends the SubjectPublicKeyInfo");
    let unparsed = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    group.bench_function("es256-aws-lc-unparsed", |bencher| {
        let mut next = fixtures::round(&signed);
        bencher.iter(|| {
            let (tbs, signature) = next();
            unparsed.verify(tbs, signature)
        });
    });
    group.finish();
}
