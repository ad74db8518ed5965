//! The running service: the verify engine's snapshots and caches, and what keeps them fresh. Knows no HTTP.

pub mod engine;
mod proofs;
mod tallies;
pub mod verdict;

use std::sync::Arc;

pub use engine::Engine;
pub use verdict::Verdict;

use crate::clock::Clock;
use crate::config::Config;
use crate::trust::TrustList;

/// The service: what its routes and commands share.
pub struct App {
    config: Config,
    clock: Clock,
    engine: Engine,
}

impl App {
    /// The verdict on a QR text as scanned, as of now.
    pub fn verify(&self, text: &str) -> Verdict {
        self.engine.verify(text)
    }

    /// The verdict on a text that was proved before, `None` for any other: never more than a look-up's work.
    pub fn verify_known(&self, text: &str) -> Option<Verdict> {
        self.engine.verify_known(text)
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The keys that are trusted now.
    pub fn trust(&self) -> Arc<TrustList> {
        self.engine.trust()
    }

    /// What is missing for requests to be served in full; empty when nothing is.
    pub async fn missing(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Sets the gauges that are read rather than counted.
    pub fn publish_gauges(&self) {
        metrics::gauge!("thexanh_proofs_kept").set(self.engine.proofs_kept() as f64);
    }
}
