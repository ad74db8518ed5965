//! The figures we publish, one line a whole path: the last lines of `cargo bench`.
//!
//! The machine is shared: paths and peers take turns in short rounds, so that a neighbour's noise falls on all alike, and the
//! median of the rounds leaves out the rounds that it fell on. Every verdict is looked at; a wrong one fails the run.

use std::time::Instant;

use crate::fixtures::Fixtures;

/// How many verdicts are timed together: a few milliseconds for the slowest path, so that a round often goes undisturbed.
const BATCH: usize = 32;
const ROUNDS: usize = 300;

/// A path to measure, and the one that it is compared with; a peer is compared with none.
struct Path<'a> {
    name: &'a str,
    against: &'a str,
    accepts: Box<dyn Fn(usize) -> bool + 'a>,
    /// Seconds a verdict, one a round.
    times: Vec<f64>,
}

/// Prints what the peers and then what our paths take.
pub fn print(fixtures: &Fixtures) {
    let engine = fixtures.warm_engine();
    let mut paths = [
        Path::new("chain/es256", "dgc", |at| fixtures.es256(at)),
        Path::new("chain/one", "dgc", |at| fixtures.one(at)),
        Path::new("chain/all-but-signature", "dgc-decode", |at| fixtures.all_but_signature(at)),
        Path::new("chain/cached", "dgc", |at| fixtures.cached(&engine, at)),
        Path::new("issue/svg", "qrcode", |at| fixtures.issue_svg(at)),
        Path::new("issue/png", "qrcode+image", |at| fixtures.issue_png(at)),
        Path::new("qrcode", "", |at| fixtures.issue_svg_qrcode(at)),
        Path::new("qrcode+image", "", |at| fixtures.issue_png_qrcode_image(at)),
        Path::new("dgc", "", |at| fixtures.dgc(at)),
        Path::new("dgc-decode", "", |at| fixtures.dgc_decode(at)),
    ];
    for round in 0..ROUNDS {
        for path in &mut paths {
            let first = round * BATCH;
            let start = Instant::now();
            let accepted = (first..first + BATCH).filter(|&at| (path.accepts)(at)).count();
            path.times.push(start.elapsed().as_secs_f64() / BATCH as f64);
            assert_eq!(accepted, BATCH, "{} accepts every certificate", path.name);
        }
    }
    let medians: Vec<(&str, &str, f64)> =
        paths.iter_mut().map(|path| (path.name, path.against, path.median_us())).collect();
    let of = |name: &str| medians.iter().find(|(other, ..)| *other == name).map(|(.., us)| *us);
    let (peers, ours): (Vec<_>, Vec<_>) = medians.iter().partition(|(_, against, _)| against.is_empty());
    peers.iter().for_each(|(name, _, us)| println!("peer: {name} {us:.2} us"));
    for (name, against, us) in ours {
        let peer = of(against).expect("every peer is measured");
        println!("figure: {name} {us:.2} us {:.2}x {against}", peer / us);
    }
}

impl<'a> Path<'a> {
    fn new(name: &'a str, against: &'a str, accepts: impl Fn(usize) -> bool + 'a) -> Path<'a> {
        Path { name, against, accepts: Box::new(accepts), times: Vec::with_capacity(ROUNDS) }
    }

    fn median_us(&mut self) -> f64 {
        self.times.sort_by(f64::total_cmp);
        self.times.get(self.times.len() / 2).copied().unwrap_or(f64::NAN) * 1e6
    }
}
