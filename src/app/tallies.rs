//! What the engine counts. Handles are taken once, so that counting costs one addition.

use std::collections::HashMap;

use metrics::Counter;

/// Every reason of DESIGN §3, in its order; each is a label of `thexanh_verdicts_total`.
pub const REASONS: [&str; 19] = [
    "too_large",
    "not_a_certificate",
    "unknown_prefix",
    "malformed_base45",
    "malformed_zlib",
    "malformed_cose",
    "malformed_claims",
    "unknown_key",
    "algorithm_mismatch",
    "bad_signature",
    "key_withdrawn",
    "key_not_yet_valid",
    "key_expired",
    "key_usage",
    "issuer_mismatch",
    "not_yet_valid",
    "expired",
    "revoked",
    "not_acceptable",
];

/// The engine's counters.
pub struct Tallies {
    accepted: Counter,
    rejected: HashMap<&'static str, Counter>,
    hits: Counter,
    misses: Counter,
}

impl Tallies {
    /// Registers the counters.
    pub fn new() -> Tallies {
        crate::telemetry::metrics();
        metrics::describe_counter!("thexanh_verdicts_total", "Verdicts given, by result and reason");
        metrics::describe_counter!("thexanh_proof_cache_total", "Look-ups of proved signatures, by outcome");
        let rejected = |reason| metrics::counter!("thexanh_verdicts_total", "result" => "rejected", "reason" => reason);
        Tallies {
            accepted: metrics::counter!("thexanh_verdicts_total", "result" => "accepted", "reason" => ""),
            rejected: REASONS.into_iter().map(|reason| (reason, rejected(reason))).collect(),
            hits: metrics::counter!("thexanh_proof_cache_total", "outcome" => "hit"),
            misses: metrics::counter!("thexanh_proof_cache_total", "outcome" => "miss"),
        }
    }

    /// Counts a verdict. `reason`: `None` for an accepted one.
    pub fn judged(&self, reason: Option<&'static str>) {
        match reason {
            None => self.accepted.increment(1),
            Some(reason) => {
                if let Some(counter) = self.rejected.get(reason) {
                    counter.increment(1);
                }
            }
        }
    }

    /// Counts a look-up among the proofs.
    pub fn looked_up(&self, hit: bool) {
        if hit { self.hits.increment(1) } else { self.misses.increment(1) }
    }
}
