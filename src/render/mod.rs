//! Pictures of a certificate, and texts out of pictures. A QR code is always dark on white, with a quiet zone of four.

pub mod pdf;
pub mod png;
pub mod read;
pub mod svg;
pub mod terminal;
