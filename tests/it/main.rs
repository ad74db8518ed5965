//! Every integration test, in one binary.

#![allow(clippy::indexing_slicing, reason = "a test that indexes wrongly fails, as it should")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where the corpora and the database are"
)]

mod amend;
mod app;
mod audit;
mod citizens;
mod cli;
mod client;
mod corpora;
mod corrections;
mod crash;
mod desk;
mod embedded;
mod examples;
mod foreign;
mod foreign_revocations;
mod harness;
mod hsm;
mod http_access;
mod http_batch;
mod http_certificates;
mod http_doses;
mod http_problems;
mod http_public;
mod http_server;
mod http_verify;
mod imports;
mod interop;
mod keys;
mod layering;
mod log;
mod login;
mod nodes;
mod offline;
mod openid;
mod qr;
mod replicas;
mod revocations;
mod rules;
mod servers;
mod stats;
mod status_lists;
mod store;
mod synth;
mod texts;
mod trust_lists;
mod vectors;
mod walk;
