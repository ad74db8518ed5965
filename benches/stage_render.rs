//! Modules -> SVG and PNG, against the `qrcode` crate's own renderers; its PNG goes through the `image` crate.

use criterion::{Criterion, Throughput};
use qrcode::render::svg::Color;
use qrcode::{EcLevel, QrCode};
use thexanh::codec::qr::{Level, Symbol};
use thexanh::render::png::{SCALE, png};
use thexanh::render::svg::svg;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let texts = || fixtures.compact.iter().take(64); // the peer takes a millisecond to make one
    let ours: Vec<Symbol> = texts().map(|text| Symbol::encode(text, Level::M).expect("fits")).collect();
    let theirs = texts().map(|text| QrCode::with_error_correction_level(text, EcLevel::M).expect("fits"));
    let theirs: Vec<QrCode> = theirs.collect();
    let mut group = criterion.benchmark_group("render");
    group.throughput(Throughput::Elements(1));
    group.bench_function("svg", |bencher| {
        let mut next = fixtures::round(&ours);
        bencher.iter(|| svg(next()));
    });
    group.bench_function("svg-qrcode", |bencher| {
        let mut next = fixtures::round(&theirs);
        bencher.iter(|| next().render::<Color<'_>>().build());
    });
    group.bench_function("png", |bencher| {
        let mut next = fixtures::round(&ours);
        bencher.iter(|| png(next(), SCALE));
    });
    group.bench_function("png-qrcode-image", |bencher| {
        let mut next = fixtures::round(&theirs);
        bencher.iter(|| fixtures::png_of(next()));
    });
    group.finish();
}
