//! The engine's verdict on a text that it proved before, against the peer, which keeps nothing.

use criterion::Criterion;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let engine = fixtures.warm_engine();
    fixtures::chain(
        criterion,
        &[("cached", &|at| fixtures.cached(&engine, at)), ("cached-dgc", &|at| fixtures.dgc(at))],
    );
}
