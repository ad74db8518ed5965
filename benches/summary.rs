//! The figures we publish, one line a whole path: the last lines of `cargo bench`.
//!
//! The machine is shared: paths and peers take turns in short rounds, so that a neighbour's noise falls on all alike, and the
//! median of the rounds leaves out the rounds that it fell on. Each begins a round with a batch that is not timed: a verifier at
//! work has its tables in the cache. Every verdict is looked at; a wrong one fails the run.

use std::time::Instant;

use thexanh::ed25519::{Batch, Path};

use crate::fixtures::Fixtures;
use crate::signatures::Signatures;

/// How many of a kind are timed together: a few milliseconds, or twenty for what is slow.
const MANY: usize = 8 * Batch::SIZE;
const FEW: usize = 16;
const ROUNDS: usize = 60;

/// What is measured, and what it is compared with; a peer is compared with none.
struct Measured<'a> {
    name: String,
    against: &'static str,
    /// How many come right of so many from a number on.
    run: Box<dyn Fn(usize, usize) -> usize + 'a>,
    len: usize,
    /// Seconds for one, one a round.
    times: Vec<f64>,
}

/// Prints what the peers and then what our paths take.
pub fn print(fixtures: &Fixtures) {
    let engine = fixtures.warm_engine();
    let signatures = Signatures::new(fixtures);
    let mut all = vec![
        each("verify-strict", "", MANY, |at| signatures.dalek(at)),
        each("aws-lc", "", MANY, |at| signatures.aws_lc(at)),
        whole("dalek-batch64", "", |first| signatures.dalek_batch(first)),
        each("dgc", "", MANY, |at| fixtures.dgc(at)),
        each("dgc-decode", "", MANY, |at| fixtures.dgc_decode(at)),
        each("qrcode", "", FEW, |at| fixtures.issue_svg_qrcode(at)),
        each("qrcode+image", "", FEW, |at| fixtures.issue_png_qrcode_image(at)),
    ];
    for (path, suffix) in [(Path::Vector, ""), (Path::Portable, "@portable")] {
        let prepared = signatures.prepared.iter().find(|(engine, _)| engine.path() == path);
        let Some((trust, keys)) = fixtures.trust_by(path).zip(prepared) else { continue };
        let name = |name: &str| format!("{name}{suffix}");
        all.push(each(name("sig/one"), "verify-strict", MANY, |at| signatures.one(keys, at)));
        all.push(whole(name("sig/batch64"), "verify-strict", |first| signatures.batch(keys, first)));
        all.push(whole(name("chain/batch64"), "dgc", |first| fixtures.batch(trust, first)));
        all.push(each(name("chain/one"), "dgc", MANY, |at| fixtures.one(trust, at)));
    }
    all.push(each("chain/es256", "dgc", MANY, |at| fixtures.es256(at)));
    all.push(each("chain/all-but-signature", "dgc-decode", MANY, |at| fixtures.all_but_signature(at)));
    all.push(each("chain/cached", "dgc", MANY, |at| fixtures.cached(&engine, at)));
    all.push(each("issue/svg", "qrcode", FEW, |at| fixtures.issue_svg(at)));
    all.push(each("issue/png", "qrcode+image", FEW, |at| fixtures.issue_png(at)));

    for round in 0..ROUNDS {
        for measured in &mut all {
            let first = round * measured.len;
            (measured.run)(first, measured.len.min(Batch::SIZE));
            let start = Instant::now();
            let right = (measured.run)(first, measured.len);
            measured.times.push(start.elapsed().as_secs_f64() / measured.len as f64);
            assert_eq!(right, measured.len, "{}: all come right", measured.name);
        }
    }
    let medians: Vec<(&str, &str, f64)> = all
        .iter_mut()
        .map(|measured| (measured.name.as_str(), measured.against, median_us(&mut measured.times)))
        .collect();
    let of = |name: &str| medians.iter().find(|(other, ..)| *other == name).map(|(.., us)| *us);
    let (peers, ours): (Vec<_>, Vec<_>) = medians.iter().partition(|(_, against, _)| against.is_empty());
    peers.iter().for_each(|(name, _, us)| println!("peer: {name} {us:.2} us"));
    if fixtures.trust_by(Path::Vector).is_none() {
        for name in ["sig/one", "sig/batch64", "chain/batch64", "chain/one"] {
            println!("figure: {name} n/a (no AVX-512 IFMA)");
        }
    }
    for (name, against, us) in ours {
        let peer = of(against).expect("every peer is measured");
        println!("figure: {name} {us:.2} us {:.2}x {against}", peer / us);
    }
}

/// A call a number, which is right or not.
fn each<'a>(
    name: impl Into<String>,
    against: &'static str,
    len: usize,
    is_right: impl Fn(usize) -> bool + 'a,
) -> Measured<'a> {
    let run = move |first: usize, len: usize| (first..first + len).filter(|&at| is_right(at)).count();
    Measured { name: name.into(), against, run: Box::new(run), len, times: Vec::with_capacity(ROUNDS) }
}

/// A call a batch, which says how many are right.
fn whole<'a>(name: impl Into<String>, against: &'static str, batch: impl Fn(usize) -> usize + 'a) -> Measured<'a> {
    let run = move |first: usize, len: usize| (first..first + len).step_by(Batch::SIZE).map(&batch).sum();
    Measured { name: name.into(), against, run: Box::new(run), len: MANY, times: Vec::with_capacity(ROUNDS) }
}

fn median_us(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN) * 1e6
}
