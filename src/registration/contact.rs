//! How a registration stands, and what facilities write down of their calls: one transaction each, with its audit entry.

use serde_json::Value;
use uuid::Uuid;

use super::sessions::{self, Placed};
use crate::certificate::UnixSeconds;
use crate::store::{Audited, NewContact, StoreError, Tx, Work};

/// How a registration stands before anybody called.
pub const REGISTERED: &str = "registered";
/// How a registration stands once its person has a place in a session.
pub const SCHEDULED: &str = "scheduled";
/// How a registration stands that was taken back: nobody is called.
pub const WITHDRAWN: &str = "withdrawn";
/// Every word for how a registration in a list stands.
pub const STATUSES: [&str; 7] = [REGISTERED, "called", "no_answer", SCHEDULED, "declined", "vaccinated", WITHDRAWN];
/// What may come of a contact.
pub const OUTCOMES: [&str; 5] = ["called", "no_answer", SCHEDULED, "declined", "vaccinated"];

/// What came of calling somebody.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Whom.
    pub person: Uuid,
    /// How their registration was seen to stand.
    pub seen_status: String,
    /// How many contacts were seen.
    pub seen_contacts: i64,
    /// One of [`OUTCOMES`].
    pub outcome: &'static str,
    /// In the caller's words.
    pub note: String,
    /// The session that they are to have a place in: (facility, id).
    pub session: Option<(String, Uuid)>,
    /// Who, when and why.
    pub audited: Audited,
}

/// What became of a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacted {
    /// It is written down; so many contacts there are now.
    Done(i64),
    /// There is no such registration.
    Unknown,
    /// The registration does not stand as it was seen.
    Changed,
    /// There is no place to be had; never [`Placed::New`] or [`Placed::Already`].
    NoPlace(Placed),
}

impl Work for Contact {
    type Output = Contacted;

    async fn run(&self, tx: &Tx<'_>) -> Result<Contacted, StoreError> {
        let state = tx.lock_registration(self.person).await?.filter(|state| state.status != WITHDRAWN);
        let Some(state) = state else { return Ok(Contacted::Unknown) };
        if (state.status.as_str(), state.contacts()) != (&*self.seen_status, self.seen_contacts) {
            return Ok(Contacted::Changed);
        }
        if let Some((facility, session)) = &self.session {
            let by = &self.audited;
            match sessions::place(tx, (facility, *session), self.person, &by.subject, by.at).await? {
                Placed::New | Placed::Already => {}
                refused => return Ok(Contacted::NoPlace(refused)),
            }
        }
        let count = self.seen_contacts + 1;
        let contact = self.document(count);
        let new = NewContact {
            person: self.person,
            seen_status: &self.seen_status,
            seen_contacts: self.seen_contacts,
            status: self.outcome,
            contact: &contact,
            at: self.audited.at,
        };
        // The row is locked, so that it still stands as it was compared.
        tx.contact(&new).await?;
        tx.audit(&self.audited).await?;
        Ok(Contacted::Done(count))
    }
}

impl Contact {
    /// The contact as it is kept with the registration.
    fn document(&self, count: i64) -> Value {
        let session = self.session.as_ref().map(|(facility, session)| sessions::session_name(facility, *session));
        let (by, UnixSeconds(at)) = (&self.audited, self.audited.at);
        serde_json::json!({
            "n": count, "by": by.subject, "place": by.place, "at": at, "outcome": self.outcome, "note": self.note,
            "session": session,
        })
    }
}
