//! Dose -> signed certificate as QR text, against the bare signature in it.

use criterion::{Criterion, Throughput};
use thexanh::certificate::Profile;
use thexanh::issue::issue;
use thexanh::policy;

use crate::fixtures::{self, Fixtures, NOW};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let expires_at = policy::expires_at(NOW);
    let mut group = criterion.benchmark_group("issue");
    group.throughput(Throughput::Elements(1));
    for (profile, key) in [(Profile::Compact, fixtures::pick(&fixtures.ed25519, 0)), (Profile::Hc1, &fixtures.p256)] {
        group.bench_function(profile.as_str(), |bencher| {
            let mut next = fixtures::round(&fixtures.holders);
            bencher.iter(|| issue(&next().subject(), profile, key, NOW, expires_at));
        });
        let signed = fixtures.signatures(profile);
        group.bench_function(format!("{}-signature-only", profile.as_str()), |bencher| {
            let mut next = fixtures::round(&signed);
            bencher.iter(|| key.sign(&next().0));
        });
    }
    group.finish();
}
