//! Why what a citizen asks for is not done.

use std::sync::Arc;

use super::record::InvalidField;
use crate::store::StoreError;

/// Why what a citizen asks for is not done. Nothing of it is stored then, but that it was tried.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CitizenError {
    /// A field is not what it should be.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// A code was sent to this number a moment ago.
    #[error("a code was sent to this number; another may be sent in {0} seconds")]
    TooSoon(i64),
    /// Too many codes for a number, too many tries of them, or too many claims, for one day.
    #[error("too many tries today; try again tomorrow")]
    DaySpent,
    /// The code is wrong, too old, used, tried too often, or was never sent.
    #[error("the code is not right, or no longer good")]
    WrongCode,
    /// Another account answers to this number.
    #[error("another account answers to this number")]
    PhoneInUse,
    /// No record is claimed by what was said.
    #[error("no record fits what was said, or more is needed to claim it")]
    ClaimRefused,
    /// Another account holds this person's record.
    #[error("another account holds this person's record; claim it with a fact from the paper slip")]
    Held,
    /// The account holds as many people as it may.
    #[error("an account holds 20 people at most")]
    TooManyPeople,
    /// The person's record does not hang on this account, or they have no registration.
    #[error("no registration of this person hangs on this account")]
    NotYours,
    /// It was withdrawn: registering again opens it.
    #[error("the registration was withdrawn")]
    Withdrawn,
    /// What the database holds cannot be read: a defect.
    #[error("a stored row cannot be read")]
    Unreadable,
    /// The database refused, or cannot be reached.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Too many are waiting; try again.
    #[error("too many are waiting; try again in a moment")]
    Busy,
}

impl From<StoreError> for CitizenError {
    fn from(error: StoreError) -> CitizenError {
        CitizenError::Store(Arc::new(error))
    }
}

impl CitizenError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            CitizenError::Invalid(error) => error.code,
            CitizenError::TooSoon(_) | CitizenError::DaySpent => "too_many_requests",
            CitizenError::WrongCode => "code_wrong",
            CitizenError::PhoneInUse => "phone_in_use",
            CitizenError::ClaimRefused => "claim_refused",
            CitizenError::Held => "person_held",
            CitizenError::TooManyPeople => "too_many_people",
            CitizenError::NotYours => "not_yours",
            CitizenError::Withdrawn => "registration_withdrawn",
            CitizenError::Unreadable => "row_unreadable",
            CitizenError::Store(error) => error.code(),
            CitizenError::Busy => "overloaded",
        }
    }
}
