//! What the service counts. Handles are taken once, so that counting costs one addition.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::Counter;

use super::meters::Meters;

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

/// The service's counters.
pub struct Tallies {
    accepted: Counter,
    rejected: HashMap<&'static str, Counter>,
    hits: Counter,
    misses: Counter,
    unregistered: Counter,
    new_doses: Counter,
    repeated_doses: Counter,
    meters: Arc<Meters>,
}

impl Tallies {
    /// Registers the counters.
    pub fn register() -> Tallies {
        crate::telemetry::metrics();
        metrics::describe_counter!("thexanh_verdicts_total", "Verdicts given, by result and reason");
        metrics::describe_counter!("thexanh_proof_cache_total", "Look-ups of proved signatures, by outcome");
        metrics::describe_counter!(
            "thexanh_verdicts_unregistered_total",
            "Certificates under own keys that the registry does not know: any is an alarm"
        );
        metrics::describe_counter!("thexanh_doses_total", "Doses answered with their certificate, by outcome");
        let rejected = |reason| metrics::counter!("thexanh_verdicts_total", "result" => "rejected", "reason" => reason);
        Tallies {
            accepted: metrics::counter!("thexanh_verdicts_total", "result" => "accepted", "reason" => ""),
            rejected: REASONS.into_iter().map(|reason| (reason, rejected(reason))).collect(),
            hits: metrics::counter!("thexanh_proof_cache_total", "outcome" => "hit"),
            misses: metrics::counter!("thexanh_proof_cache_total", "outcome" => "miss"),
            unregistered: metrics::counter!("thexanh_verdicts_unregistered_total"),
            new_doses: metrics::counter!("thexanh_doses_total", "outcome" => "recorded"),
            repeated_doses: metrics::counter!("thexanh_doses_total", "outcome" => "repeated"),
            meters: Arc::default(),
        }
    }

    /// Counts a verdict. `reason`: `None` for an accepted one.
    pub fn judged(&self, reason: Option<&'static str>) {
        self.meters.verifications.add(1);
        match reason {
            None => self.accepted.increment(1),
            Some(reason) => {
                if let Some(counter) = self.rejected.get(reason) {
                    counter.increment(1);
                }
            }
        }
    }

    /// Counts a proof found.
    pub fn hit(&self) {
        self.hits.increment(1);
    }

    /// Counts a proof not found.
    pub fn missed(&self) {
        self.misses.increment(1);
    }

    /// Counts a certificate under an own key that the registry does not know.
    pub fn unregistered(&self) {
        self.unregistered.increment(1);
    }

    /// Counts a dose that was answered with its certificate. `new`: it had not been recorded before.
    pub fn recorded(&self, new: bool) {
        if new {
            self.new_doses.increment(1);
            self.meters.doses.add(1);
        } else {
            self.repeated_doses.increment(1);
        }
    }

    /// What those who watch are told of this node.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }
}
