//! Registration, thin: people are enrolled, doses recorded and handed to `issue`. No HTTP types, no SQL.

pub mod book;
pub mod certificates;
pub mod doses;
mod matching;
mod plan;
mod record;
pub mod reference;

pub use doses::{DoseError, Recorded, Recorder};
pub use record::{DoseRecord, PersonRecord};
