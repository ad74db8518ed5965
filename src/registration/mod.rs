//! Registration, thin: people are enrolled, doses recorded and handed to `issue`. No HTTP types, no SQL.

pub mod certificates;
pub mod contact;
pub mod doses;
mod matching;
mod plan;
pub mod reactions;
mod record;
pub mod reference;
pub mod sessions;
pub mod tickets;

pub use doses::{DoseError, Recorded, Recorder};
pub use record::{DoseRecord, PersonRecord, bounded, normalize_identity, normalize_phone};
