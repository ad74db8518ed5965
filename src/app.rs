//! The running service: the verify engine's snapshots and caches, and what keeps them fresh. Knows no HTTP.

pub mod engine;
mod proofs;
mod tallies;
pub mod verdict;

pub use engine::Engine;
pub use verdict::Verdict;
