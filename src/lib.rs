//! # thexanh, "the green card"
//!
//! Signs compact COSE vaccination certificates as QR codes and verifies scanned ones at very high rates.
//! Read [`issue`] and [`verify`] first: they are the service. ARCHITECTURE.md draws the whole.

// The core: pure. No async, no actix, no postgres, no clock, no environment, no logging.
pub mod certificate;

// The edges: they may use the core; the core never uses them.
pub mod clock;
pub mod config;
pub mod telemetry;
