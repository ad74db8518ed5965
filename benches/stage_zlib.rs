//! zlib -> COSE_Sign1, against the library's own reader made anew for each text.

use criterion::{Criterion, Throughput};
use std::io::Read as _;
use thexanh::certificate::Profile;
use thexanh::codec::zlib;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let inflated = fixtures.coses(Profile::Hc1);
    let deflated: Vec<Vec<u8>> = inflated.iter().map(|cose| zlib::deflate(cose).expect("short")).collect();
    let mut group = criterion.benchmark_group("zlib");
    group.throughput(Throughput::Bytes(fixtures::mean_len(&inflated)));
    group.bench_function("inflate", |bencher| {
        let mut next = fixtures::round(&deflated);
        bencher.iter(|| zlib::inflate(next()));
    });
    group.bench_function("inflate-flate2", |bencher| {
        let mut next = fixtures::round(&deflated);
        bencher.iter(|| {
            let mut out = Vec::new();
            flate2::read::ZlibDecoder::new(next().as_slice()).read_to_end(&mut out).map(|_| out)
        });
    });
    group.finish();
}
