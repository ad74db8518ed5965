//! Name -> `A-Z` and `<`, against the bare decomposition that loses Đ.

use criterion::{Criterion, Throughput};
use thexanh::name::transliterate;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let names: Vec<&str> = fixtures.holders.iter().map(|holder| holder.name.as_str()).collect();
    let mut group = criterion.benchmark_group("name");
    group.throughput(Throughput::Bytes(fixtures::mean_len(&names)));
    group.bench_function("transliterate", |bencher| {
        let mut next = fixtures::round(&names);
        bencher.iter(|| transliterate(next()));
    });
    group.bench_function("nfd-without-marks", |bencher| {
        let mut next = fixtures::round(&names);
        bencher.iter(|| {
            let bare = next().nfd().filter(|&c| !is_combining_mark(c));
            bare.flat_map(char::to_uppercase).collect::<String>()
        });
    });
    group.finish();
}
