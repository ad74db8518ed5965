//! Every integration test, in one binary.

mod embedded;
mod harness;
mod store;
