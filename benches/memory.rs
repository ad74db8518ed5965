//! What a kept proof costs: bytes an entry at a million of them, the time of its insertion, and what a flood leaves of the hot ones.

use std::hint::black_box;
use std::time::Instant;

use thexanh::app::engine::Engine;
use thexanh::certificate::{BirthDate, Dose, Product, Profile, Uvci};
use thexanh::clock::Clock;
use thexanh::ed25519::{self, Path};
use thexanh::issue::{Subject, issue};
use thexanh::name::PersonName;
use thexanh::policy;

use crate::fixtures::{Fixtures, NOW, pick, trust_list};

const MANY: usize = 1_000_000;
const HOT: usize = 10_000;
/// The default of `cache.proofs_mib`.
const DEFAULT_MIB: u64 = 64;

pub fn print(fixtures: &Fixtures) {
    let texts = texts(fixtures);
    let engine = |mib| {
        let path = Path::available().first().expect("the library is always there");
        let engine = Engine::new(Clock::fixed(NOW), mib, ed25519::Engine::new(*path));
        engine.set_trust(trust_list(&fixtures.ed25519, engine.ed25519()));
        engine.trust().warm();
        engine
    };
    let mut out = Vec::with_capacity(1024);
    let mut ask = |engine: &Engine, text: &str| {
        out.clear();
        engine.answer(text, &mut out);
        assert!(out.starts_with(br#"{"result":"accepted""#));
        black_box(&out);
    };

    let roomy = engine(4096);
    let before = resident_bytes();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for texts in texts.chunks(1000) {
        for times in [&mut first, &mut second] {
            let start = Instant::now();
            texts.iter().for_each(|text| ask(&roomy, text));
            times.push(start.elapsed().as_secs_f64() * 1e6 / texts.len() as f64);
        }
    }
    let kept = roomy.proofs_kept();
    let bytes = (resident_bytes() - before) as f64 / kept as f64;
    assert!(kept as usize > MANY / 100 * 99, "{kept} are kept");
    println!("figure: cache/bytes-per-entry {bytes:.0} bytes");
    println!("figure: cache/insert {:.2} us", median(&mut second) - median(&mut first));
    drop(roomy);

    // A day's flood of texts, each seen twice, so that the door lets them in, while the hot ones go on being asked for.
    let usual = engine(DEFAULT_MIB);
    let (hot, flood) = texts.split_at(HOT);
    (0..3).for_each(|_| hot.iter().for_each(|text| ask(&usual, text)));
    for (at, text) in flood.iter().take(500_000).enumerate() {
        (0..2).for_each(|_| ask(&usual, text));
        ask(&usual, pick(hot, at).as_str());
    }
    let left = hot.iter().filter(|text| usual.answer_known(text, &mut Vec::new())).count();
    println!("figure: cache/hot-after-flood {:.1} %", left as f64 * 100.0 / HOT as f64);
    println!("figure: cache/default-capacity {} entries", usual.proofs_kept());
}

fn texts(fixtures: &Fixtures) -> Vec<String> {
    let name = PersonName::parse("Nguyễn Thị Phương Thảo").expect("a name");
    let product = Product::Code("EU/1/20/1528".into());
    let dose = Dose { number: 2, series: 2, product, given_on: jiff::civil::date(2021, 8, 1) };
    let birth = BirthDate::Day(jiff::civil::date(1983, 10, 10));
    let text = |(number, key)| {
        let subject = Subject { uvci: Uvci(u128::to_be_bytes(number)), name: &name, birth, dose: &dose };
        issue(&subject, Profile::Compact, key, NOW, policy::expires_at(NOW)).expect("issues").text
    };
    (0..MANY as u128).zip(fixtures.ed25519.iter().cycle()).map(text).collect()
}

/// What of this process is in memory. Source: proc(5), /proc/self/statm, in pages of 4 KiB.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("pages") * 4096
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
