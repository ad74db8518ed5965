//! COSE_Sign1 -> its parts, against the `coset` crate.

use coset::TaggedCborSerializable as _;
use criterion::{Criterion, Throughput};
use thexanh::certificate::Profile;
use thexanh::codec::cose;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let coses = fixtures.coses(Profile::Compact);
    let mut group = criterion.benchmark_group("cose");
    group.throughput(Throughput::Bytes(fixtures::mean_len(&coses)));
    group.bench_function("parse", |bencher| {
        let mut next = fixtures::round(&coses);
        // Borrowed parts cannot leave the closure; their lengths can.
        bencher.iter(|| cose::parse(next()).map(|sign1| (sign1.alg, sign1.payload.len(), sign1.signature.len())));
    });
    group.bench_function("parse-coset", |bencher| {
        let mut next = fixtures::round(&coses);
        bencher.iter(|| coset::CoseSign1::from_tagged_slice(next()));
    });
    group.finish();
}
