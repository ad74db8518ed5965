//! One signature, and 64 together, under known keys, against the bare library calls.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use criterion::{Criterion, Throughput};
use thexanh::certificate::Profile;
use thexanh::ed25519::Batch;

use crate::fixtures::{self, Fixtures};
use crate::signatures::Signatures;

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let signatures = Signatures::new(fixtures);
    let mut group = criterion.benchmark_group("signature");
    group.throughput(Throughput::Elements(1));
    for keys in &signatures.prepared {
        group.bench_function(format!("ed25519-{:?}", keys.0.path()), |bencher| {
            let mut serials = 0..;
            bencher.iter(|| serials.next().map(|at| signatures.one(keys, at)));
        });
    }
    group.bench_function("ed25519-dalek-strict", |bencher| {
        let mut serials = 0..;
        bencher.iter(|| serials.next().map(|at| signatures.dalek(at)));
    });
    group.bench_function("ed25519-aws-lc", |bencher| {
        let mut serials = 0..;
        bencher.iter(|| serials.next().map(|at| signatures.aws_lc(at)));
    });

    group.throughput(Throughput::Elements(Batch::SIZE as u64));
    for keys in &signatures.prepared {
        group.bench_function(format!("ed25519-batch64-{:?}", keys.0.path()), |bencher| {
            let mut firsts = (0..).step_by(Batch::SIZE);
            bencher.iter(|| firsts.next().map(|first| signatures.batch(keys, first)));
        });
    }
    group.bench_function("ed25519-dalek-batch64", |bencher| {
        let mut firsts = (0..).step_by(Batch::SIZE);
        bencher.iter(|| firsts.next().map(|first| signatures.dalek_batch(first)));
    });

    group.throughput(Throughput::Elements(1));
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
