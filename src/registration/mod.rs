//! Registration, thin: people are enrolled, doses recorded and handed to `issue`. No HTTP types, no SQL.

pub mod amend;
pub mod certificates;
pub mod corrections;
pub mod doses;
mod matching;
mod plan;
mod record;
pub mod reference;
mod renew;
mod restate;

pub use doses::{DoseError, Recorded, Recorder};
pub use record::{DoseRecord, PersonRecord};
pub use renew::Renewed;
