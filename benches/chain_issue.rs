//! From a dose to a picture of its signed certificate, against the same with the plain `qrcode` crate (and `image`).

use criterion::Criterion;

use crate::fixtures::{self, Fixtures};

pub fn bench(fixtures: &Fixtures, criterion: &mut Criterion) {
    fixtures::chain(
        criterion,
        &[
            ("issue-svg", &|at| fixtures.issue_svg(at)),
            ("issue-svg-qrcode", &|at| fixtures.issue_svg_qrcode(at)),
            ("issue-png", &|at| fixtures.issue_png(at)),
            ("issue-png-qrcode-image", &|at| fixtures.issue_png_qrcode_image(at)),
        ],
    );
}
