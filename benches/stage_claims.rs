//! CWT -> facts in both profiles, against `ciborium`, and against the peer's own container.

use criterion::{Criterion, Throughput};
use thexanh::certificate::Profile;
use thexanh::codec::decode_claims;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let (compact, hc1) = (fixtures.payloads(Profile::Compact), fixtures.payloads(Profile::Hc1));
    let mut group = criterion.benchmark_group("claims");
    for (profile, payloads) in [(Profile::Compact, &compact), (Profile::Hc1, &hc1)] {
        group.throughput(Throughput::Bytes(fixtures::mean_len(payloads)));
        group.bench_function(profile.as_str(), |bencher| {
            let mut next = fixtures::round(payloads);
            bencher.iter(|| decode_claims(profile, next()));
        });
        group.bench_function(format!("{}-ciborium", profile.as_str()), |bencher| {
            let mut next = fixtures::round(payloads);
            bencher.iter(|| ciborium::from_reader::<ciborium::Value, _>(next().as_slice()));
        });
    }
    group.bench_function("hc1-dgc", |bencher| {
        let mut next = fixtures::round(&hc1);
        bencher.iter(|| ciborium::from_reader::<dgc::DgcContainer, _>(next().as_slice()));
    });
    group.finish();
}
