//! Base45 -> bytes, against the `base45` crate that the peer uses.

use criterion::{Criterion, Throughput};
use thexanh::codec::{MAX_DECODED_LEN, base45};

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let coded: Vec<&str> = fixtures.hc1.iter().filter_map(|text| text.strip_prefix("HC1:")).collect();
    let mut group = criterion.benchmark_group("base45");
    group.throughput(Throughput::Bytes(fixtures::mean_len(&coded)));
    group.bench_function("decode", |bencher| {
        let mut next = fixtures::round(&coded);
        let mut out = [0; MAX_DECODED_LEN];
        bencher.iter(|| base45::decode_into(&mut out, next().as_bytes()));
    });
    group.bench_function("decode-base45-crate", |bencher| {
        let mut next = fixtures::round(&coded);
        bencher.iter(|| ::base45::decode(next()));
    });
    group.finish();
}
