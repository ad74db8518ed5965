//! # thexanh, "the green card"
//!
//! Signs compact COSE vaccination certificates as QR codes and verifies scanned ones at very high rates.
//! Read [`issue`] and [`verify`] first: they are the service. ARCHITECTURE.md draws the whole.

// The core: pure. No async, no actix, no postgres, no clock, no environment, no logging.
pub mod certificate;
pub mod certlogic;
pub mod codec;
pub mod ed25519;
pub mod issue;
pub mod keys;
pub mod language;
pub mod name;
pub mod policy;
pub mod render;
pub mod revocation;
pub mod signed;
pub mod tlog;
pub mod trust;
pub mod verify;

// The edges: they fetch, store and speak. They may use the core; the core never uses them.
pub mod app;
pub mod auditor;
pub mod cli;
pub mod clock;
pub mod config;
pub mod follower;
pub mod hsm;
pub mod http;
pub mod keyring;
pub mod registration;
pub mod sealing;
pub mod store;
pub mod synth;
pub mod telemetry;
pub mod tls;
