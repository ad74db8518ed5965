//! Whose dose is it? Identity number and (name or birth date) agreeing, else name, birth date and phone together.
//! Several answers are no answer: people are never merged silently.

use crate::certificate::BirthDate;
use crate::store::PersonRow;

/// What a record says of its person, for comparing.
pub(super) struct Described<'a> {
    /// The transliterated name.
    pub name_key: &'a str,
    pub birth: BirthDate,
    /// How many digits its identity number has, if it has one.
    pub identity_digits: Option<usize>,
}

impl Described<'_> {
    /// True if `row` has this name and this birth date, as far as it is known.
    pub fn is_as_known(&self, row: &PersonRow) -> bool {
        row.name_key == self.name_key && row.birth.agrees_with(self.birth)
    }

    /// True if `row` has this name or this birth date.
    pub fn agrees_in_part(&self, row: &PersonRow) -> bool {
        row.name_key == self.name_key || row.birth.agrees_with(self.birth)
    }

    /// True if `row` was enrolled with an identity number of the same kind. It was not found under this one, so it is
    /// another's: a twin's, or one of the two is mistyped. Nine digits and twelve may be one person's.
    pub fn has_another_identity(&self, row: &PersonRow) -> bool {
        self.identity_digits.is_some() && row.identity_digits == self.identity_digits
    }
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// This candidate's, by its place among `by_identity` and then `by_phone`.
    Known(uuid::Uuid),
    /// Nobody's we know.
    Nobody,
    /// Somebody's we may know, but it cannot be said whose: several fit, or the identity number is another person's.
    Unclear,
}

/// Compares `described` with the people under the same identity number and under the same phone number.
pub(super) fn find(described: &Described<'_>, by_identity: &[PersonRow], by_phone: &[PersonRow]) -> Match {
    let named_so = |row: &&PersonRow| row.name_key == described.name_key;
    let born_so = |row: &&PersonRow| row.birth.agrees_with(described.birth);
    let agreeing = by_identity.iter().filter(|row| named_so(row) || born_so(row));
    match only(agreeing) {
        Match::Nobody if !by_identity.is_empty() => Match::Unclear,
        Match::Nobody => {
            let agreeing = || by_phone.iter().filter(|row| described.is_as_known(row));
            match only(agreeing()) {
                Match::Known(_) if agreeing().any(|row| described.has_another_identity(row)) => Match::Unclear,
                found => found,
            }
        }
        found => found,
    }
}

fn only<'a>(mut rows: impl Iterator<Item = &'a PersonRow>) -> Match {
    let Some(first) = rows.next() else { return Match::Nobody };
    if rows.any(|other| other.person != first.person) { Match::Unclear } else { Match::Known(first.person) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u128, name_key: &str, birth: &str) -> PersonRow {
        PersonRow {
            person: uuid::Uuid::from_u128(id),
            name: name_key.into(),
            name_key: name_key.into(),
            birth: birth.parse().expect("a birth date"),
            identity_digits: Some(9),
        }
    }

    fn find_for(name_key: &str, birth: &str, by_identity: &[PersonRow], by_phone: &[PersonRow]) -> Match {
        find_with(Some(12), name_key, birth, by_identity, by_phone)
    }

    fn find_with(
        identity_digits: Option<usize>,
        name_key: &str,
        birth: &str,
        by_identity: &[PersonRow],
        by_phone: &[PersonRow],
    ) -> Match {
        let birth = birth.parse().expect("a birth date");
        find(&Described { name_key, birth, identity_digits }, by_identity, by_phone)
    }

    #[test]
    fn twins_with_names_that_transliterate_alike_are_told_apart_by_their_numbers() {
        let twin = [row(1, "NGUYEN<TUAN", "2010-05-05")];
        let find = |digits| find_with(digits, "NGUYEN<TUAN", "2010-05-05", &[], &twin);
        assert_eq!(find(Some(9)), Match::Unclear, "another number of nine digits");
        assert_eq!(find(Some(12)), Match::Known(uuid::Uuid::from_u128(1)), "the new number of one with an old one");
        assert_eq!(find(None), Match::Known(uuid::Uuid::from_u128(1)));
    }

    #[test]
    fn an_identity_number_needs_the_name_or_the_birth_date_beside_it() {
        let thao = [row(1, "NGUYEN<THAO", "1983-10-10")];
        let known = Match::Known(uuid::Uuid::from_u128(1));
        assert_eq!(find_for("NGUYEN<THAO", "1983-10-10", &thao, &[]), known);
        assert_eq!(find_for("NGUYEN<THAO", "1990-01-01", &thao, &[]), known, "a mistyped birth date");
        assert_eq!(find_for("TRAN<THAO", "1983", &thao, &[]), known, "a married name, a year only");
        assert_eq!(find_for("LE<AN", "1990-01-01", &thao, &[]), Match::Unclear, "a mistyped number");
        assert_eq!(find_for("LE<AN", "1990-01-01", &[], &[]), Match::Nobody);
    }

    #[test]
    fn a_phone_needs_name_and_birth_date_beside_it() {
        let family = [row(1, "NGUYEN<THAO", "1983-10-10"), row(2, "NGUYEN<AN", "2010-01-01")];
        assert_eq!(find_for("NGUYEN<AN", "2010-01-01", &[], &family), Match::Known(uuid::Uuid::from_u128(2)));
        assert_eq!(find_for("NGUYEN<AN", "1983-10-10", &[], &family), Match::Nobody);
        let twins = [row(1, "NGUYEN<AN", "2010"), row(2, "NGUYEN<AN", "2010-01-01")];
        assert_eq!(find_for("NGUYEN<AN", "2010-01-01", &[], &twins), Match::Unclear);
    }
}
