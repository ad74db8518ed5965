//! What a compact text costs besides its signature, against the peer's decoding of an HC1 text.

use criterion::Criterion;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    fixtures::chain(
        criterion,
        &[
            ("all-but-signature", &|at| fixtures.all_but_signature(at)),
            ("all-but-signature-dgc-decode", &|at| fixtures.dgc_decode(at)),
        ],
    );
}
