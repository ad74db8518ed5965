//! Registration, thin: people are enrolled, doses recorded and handed to `issue`. No HTTP types, no SQL.

pub mod accounts;
pub mod application;
pub mod certificates;
pub mod citizen;
pub mod claims;
pub mod declaration;
pub mod doses;
mod enrol;
pub mod fhir;
pub mod health_number;
mod matching;
mod plan;
pub mod priority;
mod record;
pub mod reference;
pub mod registrations;

pub use citizen::CitizenError;
pub use doses::{DoseError, Recorded, Recorder};
pub use record::{DoseRecord, InvalidField, PersonRecord};
pub use registrations::{Registered, Registrar};
