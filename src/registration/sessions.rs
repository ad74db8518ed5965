//! Places in vaccination sessions: as many as there are, whoever asks at once.

use uuid::Uuid;

use super::contact::{SCHEDULED, WITHDRAWN};
use crate::certificate::UnixSeconds;
use crate::store::{Audited, StoreError, Tx, Work};

/// What became of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It is theirs.
    New,
    /// It was theirs before.
    Already,
    /// Every place is taken.
    Full,
    /// The session's day is past.
    Over,
    /// There is no such session.
    UnknownSession,
    /// Whoever is to have it has not registered.
    UnknownRegistration,
}

/// A session's name in addresses: the facility's code, a full stop and 32 hexadecimal digits.
pub fn session_name(facility: &str, session: Uuid) -> String {
    format!("{facility}.{}", session.simple())
}

/// The facility and the id in a session's name.
pub fn parse_session_name(name: &str) -> Option<(String, Uuid)> {
    let (facility, id) = name.rsplit_once('.')?;
    let id = Some(id).filter(|id| id.len() == 32).and_then(|id| Uuid::try_parse(id).ok())?;
    (!facility.is_empty() && facility.len() <= 32).then(|| (facility.to_owned(), id))
}

/// Takes a place in a session; how the person's registration stands is not changed.
pub(super) async fn place(
    tx: &Tx<'_>,
    session: (&str, Uuid),
    person: Uuid,
    by: &str,
    now: UnixSeconds,
) -> Result<Placed, StoreError> {
    let Some(day) = tx.session_day(session.0, session.1).await? else { return Ok(Placed::UnknownSession) };
    if tx.has_place(session.1, person).await? {
        return Ok(Placed::Already);
    }
    if day < now.vietnamese_date() {
        return Ok(Placed::Over);
    }
    Ok(if tx.take_place(session, person, by, now).await? { Placed::New } else { Placed::Full })
}

/// A place for somebody who registered; their registration stands as scheduled then.
#[derive(Clone, Debug)]
pub struct Place {
    /// The facility's code.
    pub facility: String,
    /// The session.
    pub session: Uuid,
    /// For whom.
    pub person: Uuid,
    /// Who, when and why.
    pub audited: Audited,
}

impl Work for Place {
    type Output = Placed;

    async fn run(&self, tx: &Tx<'_>) -> Result<Placed, StoreError> {
        let state = tx.lock_registration(self.person).await?;
        if state.is_none_or(|state| state.status == WITHDRAWN) {
            return Ok(Placed::UnknownRegistration);
        }
        let (session, by) = ((&*self.facility, self.session), &self.audited);
        let placed = place(tx, session, self.person, &by.subject, by.at).await?;
        if placed == Placed::New {
            tx.set_status(&[self.person], SCHEDULED).await?;
            tx.audit(by).await?;
        }
        Ok(placed)
    }
}

/// A place given back: true if there was one. Whoever has no other stands as called.
#[derive(Clone, Debug)]
pub struct GiveBack(
    /// Whose place, and where.
    pub Place,
);

impl Work for GiveBack {
    type Output = bool;

    async fn run(&self, tx: &Tx<'_>) -> Result<bool, StoreError> {
        let GiveBack(place) = self;
        let state = tx.lock_registration(place.person).await?;
        if !tx.give_place_back(&place.facility, place.session, place.person).await? {
            return Ok(false);
        }
        let scheduled = state.is_some_and(|state| state.status == SCHEDULED);
        if scheduled && !tx.has_place_from(place.person, place.audited.at.vietnamese_date()).await? {
            tx.set_status(&[place.person], "called").await?;
        }
        tx.audit(&place.audited).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_s_name_is_read_as_it_is_written_and_nothing_else_is() {
        let id = Uuid::from_u128(7);
        for facility in ["79001", "BV.115", "a"] {
            assert_eq!(parse_session_name(&session_name(facility, id)), Some((facility.to_owned(), id)));
        }
        for name in ["", ".", "79001", "79001.", ".00000000000000000000000000000007", "79001.7", "79001.zz"] {
            assert_eq!(parse_session_name(name), None, "{name}");
        }
    }
}
