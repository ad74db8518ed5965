//! From an HC1 text to a `Verified`, against the peer on the same texts under the same key.

use criterion::Criterion;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    fixtures::chain(criterion, &[("es256", &|at| fixtures.es256(at)), ("es256-dgc", &|at| fixtures.dgc(at))]);
}
