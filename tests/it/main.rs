//! All integration tests, one binary.

mod app;
mod client;
mod harness;
mod http_problems;
