//! Pictures of a certificate.

pub mod pdf;
