//! Synthetic people: a backlog as facilities have it, dirty on purpose, and the truth beside it, so that the matching of
//! people can be scored; and QR texts for load testers. The same seed gives the same bytes.

pub mod dirt;
pub mod files;
pub mod names;
pub mod people;
pub mod places;
pub mod random;
pub mod rows;
pub mod score;
pub mod texts;
pub mod trial;
