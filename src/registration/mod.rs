//! Registration, thin: people are enrolled, doses recorded and handed to `issue`. No HTTP types, no SQL.

pub mod accounts;
pub mod amend;
pub mod application;
pub mod backlog;
pub mod book;
pub mod certificates;
pub mod citizen;
pub mod claims;
pub mod contact;
pub mod corrections;
pub mod declaration;
pub mod doses;
mod enrol;
pub mod fhir;
pub mod health_number;
pub mod imports;
mod matching;
mod person_ids;
mod plan;
pub mod priority;
pub mod reactions;
mod record;
pub mod reference;
pub mod registrations;
mod renew;
mod restate;
pub mod revocations;
pub mod sessions;
mod standing;
pub mod tickets;

pub use citizen::CitizenError;
pub use doses::{DoseError, Recorded, Recorder};
pub use record::{DoseRecord, InvalidField, PersonRecord, bounded, normalize_identity, normalize_phone};
pub use registrations::{Registered, Registrar};
pub use renew::Renewed;
