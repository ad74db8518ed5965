//! From a compact text never seen before to a `Verified`, one at a time and 64 at once, on every path of Ed25519 that this
//! processor has; against the peer on the same holders' HC1 texts.

use criterion::{Criterion, Throughput};
use thexanh::ed25519::Batch;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    fixtures::chain(criterion, &[("one-dgc", &|at| fixtures.dgc(at))]);
    for (engine, trust) in &fixtures.lists {
        fixtures::chain(criterion, &[(&format!("one-{:?}", engine.path()), &|at| fixtures.one(trust, at))]);
    }
    let mut group = criterion.benchmark_group("chain");
    group.throughput(Throughput::Elements(Batch::SIZE as u64));
    for (engine, trust) in &fixtures.lists {
        group.bench_function(format!("batch64-{:?}", engine.path()), |bencher| {
            let mut firsts = (0..).step_by(Batch::SIZE);
            bencher.iter(|| firsts.next().map(|first| fixtures.batch(trust, first)));
        });
    }
    group.finish();
}
