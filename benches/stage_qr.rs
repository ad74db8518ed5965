//! QR text -> modules with the mask chosen, against the `qrcode` crate alone.

use criterion::{Criterion, Throughput};
use qrcode::{EcLevel, QrCode};
use thexanh::codec::qr::{Level, Symbol};

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("qr");
    group.throughput(Throughput::Elements(1));
    for (profile, texts) in [("compact", &fixtures.compact), ("hc1", &fixtures.hc1)] {
        group.bench_function(profile, |bencher| {
            let mut next = fixtures::round(texts);
            bencher.iter(|| Symbol::encode(next(), Level::M));
        });
        group.bench_function(format!("{profile}-qrcode"), |bencher| {
            let mut next = fixtures::round(texts);
            bencher.iter(|| QrCode::with_error_correction_level(next(), EcLevel::M));
        });
    }
    group.finish();
}
