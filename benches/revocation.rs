//! What is revoked at a million entries: a look-up beside the standard library's set, the bytes of an entry, how long changes
//! take, and what an offline verifier fetches.

use std::collections::HashSet;
use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use thexanh::revocation::{Change, Edition, Entry, OfflineRevocations, RevocationSet, entry};

use crate::fixtures::pick;
use crate::memory::resident_bytes;

const MANY: u64 = 1_000_000;
/// Look-ups that are timed together.
const LOOKUPS: usize = 100_000;

/// Entries of a million that are revoked, then of as many that are not.
fn entries() -> (Vec<Entry>, Vec<Entry>) {
    let of = |from: u64| (from..from + MANY).map(|number| entry(&format!("URN:UVCI:01:VN:{number:032X}"))).collect();
    (of(0), of(MANY))
}

/// What is asked for, one of each two: by chance those that are revoked or others, half and half, as it would never be in life.
/// They lie in the order in which they are asked: who asks has just made the entry of a certificate at hand, and fetching it from
/// far memory (60 ns here, when they lay among the million) is no part of a look-up.
fn questions(revoked: &[Entry], others: &[Entry]) -> Vec<[Entry; 2]> {
    let two = |of: &[Entry], at: usize| [*pick(of, at * 19), *pick(of, at * 19 + 1)];
    let both = |at| [two(revoked, at), two(others, at + LOOKUPS / 2)];
    let mut asked: Vec<_> = (0..LOOKUPS / 2).flat_map(both).collect();
    // By bits that no index looks at, so that it is in no order for them.
    asked.sort_by_key(|[entry, _]| entry.last_chunk::<8>().copied());
    asked
}

/// Looks up one after the other, each only when the last is answered.
fn lookups(contains: impl Fn(&Entry) -> bool, asked: &[[Entry; 2]]) -> usize {
    // Which of two depends on what was found: a processor that guesses ahead would time its guesses.
    asked.iter().fold(0, |found, two| found + usize::from(contains(pick(two, found))))
}

pub fn bench(_: &crate::fixtures::Fixtures, criterion: &mut Criterion) {
    let (revoked, others) = entries();
    let set: RevocationSet = revoked.iter().copied().collect();
    let peer: HashSet<Entry> = revoked.iter().copied().collect();
    let asked = questions(&revoked, &others);
    let mut group = criterion.benchmark_group("revocation");
    group.throughput(Throughput::Elements(LOOKUPS as u64));
    group.bench_function("contains", |b| b.iter(|| lookups(|entry| set.contains(entry), &asked)));
    group.bench_function("contains@std-hashset", |b| b.iter(|| lookups(|entry| peer.contains(entry), &asked)));
    group.finish();
    let mut group = criterion.benchmark_group("revocation");
    let next = [(MANY + 1, Change::Add(entry("one more")))];
    group.bench_function("one-more", |b| b.iter(|| set.after(&next)));
    group.finish();
}

pub fn print() {
    let (revoked, others) = entries();
    let set: RevocationSet = revoked.iter().copied().collect();
    let peer: HashSet<Entry> = revoked.iter().copied().collect();
    // Half of those asked for are revoked; then none.
    for (name, revoked) in [("lookup", &revoked), ("lookup-none", &others)] {
        let asked = questions(revoked, &others);
        let found = if name == "lookup" { LOOKUPS / 2 } else { 0 };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..60 {
            ours.push(timed(|| assert_eq!(lookups(|entry| set.contains(entry), &asked), found)));
            theirs.push(timed(|| assert_eq!(lookups(|entry| peer.contains(entry), &asked), found)));
        }
        let (ours, theirs) = (median(ours) * 1e9 / LOOKUPS as f64, median(theirs) * 1e9 / LOOKUPS as f64);
        println!("peer: std-hashset {theirs:.1} ns");
        println!("figure: revocation/{name} {ours:.1} ns {:.2}x std-hashset", theirs / ours);
    }
    drop(peer);

    // The first ones take what the allocator kept of what was dropped: only what the eight after them take is counted.
    let make = |sets| (0..sets).map(|_| revoked.iter().copied().collect()).collect::<Vec<RevocationSet>>();
    let first = make(4);
    let before = resident_bytes();
    let more = make(8);
    let bytes = (resident_bytes() - before) as f64 / (8 * MANY) as f64;
    println!("figure: revocation/bytes-per-entry {bytes:.1} bytes");
    println!("figure: revocation/bytes-per-entry-counted {:.1} bytes", set.bytes() as f64 / MANY as f64);
    drop((first, more));

    let events: Vec<_> = (MANY + 1..).zip(others.iter().copied().map(Change::Add)).take(10_000).collect();
    let one = events.get(..1).expect("one");
    let times = |events: &[_]| median((0..30).map(|_| timed(|| drop(black_box(set.after(events))))).collect());
    println!("figure: revocation/one-more {:.1} us", times(one) * 1e6);
    println!("figure: revocation/apply-10k {:.2} ms", times(&events) * 1e3);

    let start = Instant::now();
    let edition = Edition::new(&set, &Edition::default());
    println!("figure: revocation/edition-1m {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let filters: u64 = edition.index().layers.iter().map(|layer| layer.filter.bytes).sum();
    println!("figure: revocation/filter-1m {:.3} MB", filters as f64 / 1e6);
    for (name, changes) in [("delta-day", 500), ("delta-10k", 10_000)] {
        let next = Edition::new(&set.after(events.get(..changes).unwrap_or_default()), &edition);
        println!("figure: revocation/{name} {:.1} kB", delta(&edition, &next) as f64 / 1e3);
    }
}

/// Bytes that who has one edition's filters fetches to have the next one's, index included.
fn delta(last: &Edition, next: &Edition) -> u64 {
    let mut known = OfflineRevocations::default().update(last.index().clone()).expect("the first");
    last.slices().for_each(|slice| known.put(slice.bytes()).expect("its own"));
    let update = known.finish().expect("whole").update(next.index().clone()).expect("newer");
    next.index().to_json().len() as u64 + update.missing().iter().map(|slice| slice.bytes).sum::<u64>()
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
