//! Every benchmark, in one binary: a file per stage, a file per whole path, and the figures that we publish at the end.

mod chain_all_but_signature;
mod chain_cached;
mod chain_es256;
mod chain_issue;
mod chain_one;
mod fixtures;
mod memory;
mod revocation;
mod signatures;
mod stage_base45;
mod stage_claims;
mod stage_cose;
mod stage_issue;
mod stage_name;
mod stage_qr;
mod stage_render;
mod stage_signature;
mod stage_zlib;
mod summary;
mod trust;

use std::time::Duration;

use criterion::Criterion;

use fixtures::Fixtures;

/// The service's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // Cargo says `--bench` when it benches, and not when it only tests that benches run.
    let benching = std::env::args().any(|argument| argument == "--bench");
    let criterion = Criterion::default().without_plots().sample_size(50);
    let criterion = criterion.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_millis(1500));
    let mut criterion = criterion.configure_from_args();
    let fixtures = Fixtures::new();
    for bench in [
        stage_base45::bench,
        stage_claims::bench,
        stage_cose::bench,
        stage_issue::bench,
        stage_name::bench,
        stage_qr::bench,
        stage_render::bench,
        stage_signature::bench,
        stage_zlib::bench,
        chain_all_but_signature::bench,
        chain_cached::bench,
        chain_es256::bench,
        chain_issue::bench,
        chain_one::bench,
        revocation::bench,
    ] {
        bench(&fixtures, &mut criterion);
    }
    criterion.final_summary();
    // A filter's figures are those of its groups.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let wanted = |groups: &[&str]| benching && groups.iter().any(|group| group.contains(&filter));
    if wanted(&["cache"]) {
        memory::print(&fixtures);
    }
    if wanted(&["revocation"]) {
        revocation::print();
    }
    if wanted(&["trust"]) {
        trust::print();
    }
    if wanted(&["sig", "chain", "issue"]) {
        summary::print(&fixtures);
    }
}
