//! From a compact text never seen before to a `Verified`, against the peer on the same holders' HC1 texts.

use criterion::Criterion;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    fixtures::chain(criterion, &[("one", &|at| fixtures.one(at)), ("one-dgc", &|at| fixtures.dgc(at))]);
}
