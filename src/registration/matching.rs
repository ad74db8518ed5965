//! Whose dose is it? Identity number and (name, or birth date and given name) agreeing, else name, birth date and phone.
//! Several answers are no answer, and nearly is no agreement: people are never merged silently.

use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

use crate::certificate::BirthDate;
use crate::store::PersonRow;

/// The most people who share a phone as a family does. Beyond it the phone is a health post's or a dormitory's, and a name
/// with a year of birth beside it is no longer one person.
const A_FAMILY: usize = 12;

/// What a record says of its person, for comparing.
pub(super) struct Described<'a> {
    /// The name as it is written, in NFC.
    pub name: &'a str,
    /// The transliterated name.
    pub name_key: &'a str,
    pub birth: BirthDate,
    /// How many digits its identity number has, if it has one.
    pub identity_digits: Option<usize>,
}

/// How two names are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// The same letters, and no mark against it.
    Same,
    /// The same letters, one of the two without a mark and the other with marks in one word alone: typed so, or a twin's.
    Unmarked,
    /// The same letters under other marks: Hùng and Hưng, as brothers are called.
    OtherMarks,
    /// One may be the other changed: the same given name, with a married name, a middle name more or less, or said first.
    Changed,
    /// Another given name, as twins have it.
    Other,
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

    /// How `row`'s name is like this one. Two words that were mistyped are another name: people look at it.
    fn names(&self, row: &PersonRow) -> Names {
        if row.name_key == self.name_key {
            return match () {
                () if row.name == self.name || marks_agree(&row.name, self.name) => Names::Same,
                () if row.name.is_ascii() || self.name.is_ascii() => Names::Unmarked,
                () => Names::OtherMarks,
            };
        }
        let (theirs, ours) = (row.name_key.rsplit_once('<'), self.name_key.rsplit_once('<'));
        let given =
            |name: &str, parts: Option<(&str, &str)>| parts.map_or(name.to_owned(), |(_, given)| given.to_owned());
        let said_first = |name: &str, parts: Option<(&str, &str)>| {
            parts.is_some_and(|(others, given)| {
                name.strip_prefix(given).and_then(|rest| rest.strip_prefix('<')) == Some(others)
            })
        };
        match given(&row.name_key, theirs) == given(self.name_key, ours)
            || said_first(&row.name_key, ours)
            || said_first(self.name_key, theirs)
        {
            true => Names::Changed,
            false => Names::Other,
        }
    }

    /// Whether the one under the same identity number is this person. A birth date with another given name does not do: it
    /// is the twin's, whose number was written into this one's line.
    fn agrees_by_identity(&self, row: &PersonRow) -> bool {
        let born_so = row.birth.agrees_with(self.birth);
        match self.names(row) {
            Names::Same => true,
            Names::Unmarked | Names::Changed => born_so,
            Names::OtherMarks | Names::Other => false,
        }
    }

    /// What somebody under the same phone number is, of `sharing` who are.
    fn by_phone(&self, row: &PersonRow, sharing: usize) -> Likeness {
        let exact = is_whole(row.birth) && is_whole(self.birth);
        let born_so = row.birth.agrees_with(self.birth);
        let family = sharing <= A_FAMILY;
        match (self.names(row), born_so, self.has_another_identity(row)) {
            (Names::Same, true, false) if exact || family => Likeness::Agrees,
            (Names::Same | Names::Unmarked | Names::OtherMarks, true, _) => Likeness::Nearly,
            // One thing may be wrong, two are another person.
            (Names::Changed, true, false) if family => Likeness::Nearly,
            (Names::Same, false, false) if swapped(row.birth, self.birth) => Likeness::Nearly,
            _ => Likeness::Differs,
        }
    }
}

/// What is said of somebody under the same phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    Agrees,
    /// All but one thing, which may have been mistyped or have changed.
    Nearly,
    Differs,
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// This person's.
    Known(Uuid),
    /// Nobody's we know.
    Nobody,
    /// Somebody's we may know, but it cannot be said whose: several fit, one fits nearly, or the number is another person's.
    Unclear,
}

/// Compares `described` with the people under the same identity number and under the same phone number.
pub(super) fn find(described: &Described<'_>, by_identity: &[PersonRow], by_phone: &[PersonRow]) -> Match {
    match only(by_identity.iter().filter(|row| described.agrees_by_identity(row))) {
        Match::Nobody if !by_identity.is_empty() => Match::Unclear,
        Match::Nobody => {
            let alike =
                |wanted: Likeness| by_phone.iter().filter(move |row| described.by_phone(row, by_phone.len()) == wanted);
            let agreeing = only(alike(Likeness::Agrees));
            // Another who is as they are known but for the number: which of the two is mistyped, a person must say.
            let rival =
                alike(Likeness::Nearly).any(|row| described.is_as_known(row) && described.has_another_identity(row));
            match agreeing {
                Match::Known(_) if rival => Match::Unclear,
                Match::Nobody if alike(Likeness::Nearly).next().is_some() => Match::Unclear,
                found => found,
            }
        }
        found => found,
    }
}

/// Whose an unclear record may be: those under its identity number, and those under its phone who agree or nearly do.
pub(super) fn candidates(described: &Described<'_>, by_identity: &[PersonRow], by_phone: &[PersonRow]) -> Vec<Uuid> {
    let like = by_phone.iter().filter(|row| described.by_phone(row, by_phone.len()) != Likeness::Differs);
    let mut people: Vec<Uuid> = by_identity.iter().chain(like).map(|row| row.person).collect();
    people.sort_unstable();
    people.dedup();
    people
}

fn only<'a>(mut rows: impl Iterator<Item = &'a PersonRow>) -> Match {
    let Some(first) = rows.next() else { return Match::Nobody };
    if rows.any(|other| other.person != first.person) { Match::Unclear } else { Match::Known(first.person) }
}

fn is_whole(birth: BirthDate) -> bool {
    matches!(birth, BirthDate::Day(_))
}

/// True for 3 August and 8 March of one year: day and month read the other way round.
fn swapped(one: BirthDate, other: BirthDate) -> bool {
    match (one, other) {
        (BirthDate::Day(one), BirthDate::Day(other)) => {
            one.year() == other.year() && (one.day(), one.month()) == (other.month(), other.day())
        }
        _ => false,
    }
}

/// False if two names of the same letters have marks that differ. A name without any mark says nothing if the other has them
/// in several words, for then it was typed so; `Phan Minh Thanh` may be the twin of `Phan Minh Thành`. Where in a word the tone
/// stands, and Eth for Đ, are matters of keyboards.
fn marks_agree(one: &str, other: &str) -> bool {
    let typed_so = |plain: &str, other: &str| {
        plain.is_ascii() && other.split_whitespace().filter(|word| !word.is_ascii()).count() > 1
    };
    typed_so(one, other) || typed_so(other, one) || marked(one) == marked(other)
}

/// The letters of each word and, apart from them, its tones.
fn marked(name: &str) -> Vec<(String, String)> {
    let letter = |c: char| if matches!(c, 'đ' | 'ð' | 'ɖ') { 'd' } else { c };
    let word = |word: &str| {
        let lower = word.nfd().flat_map(char::to_lowercase).map(letter);
        lower.partition(|c| !matches!(c, '\u{300}' | '\u{301}' | '\u{303}' | '\u{309}' | '\u{323}'))
    };
    name.split(|c: char| c.is_whitespace() || c == '-').filter(|part| !part.is_empty()).map(word).collect()
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
        find(&Described { name: name_key, name_key, birth, identity_digits }, by_identity, by_phone)
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

    /// A person with the name as written, and a record of it.
    fn written(id: u128, name: &str, birth: &str, identity_digits: Option<usize>) -> PersonRow {
        let name = crate::name::PersonName::parse(name).expect("a name");
        PersonRow { name: name.as_str().into(), identity_digits, ..row(id, name.matching_key(), birth) }
    }

    fn find_written(record: &PersonRow, by_identity: &[PersonRow], by_phone: &[PersonRow]) -> Match {
        let PersonRow { name, name_key, birth, identity_digits, .. } = record;
        let described = Described { name, name_key, birth: *birth, identity_digits: *identity_digits };
        find(&described, by_identity, by_phone)
    }

    fn id(id: u128) -> Match {
        Match::Known(Uuid::from_u128(id))
    }

    #[test]
    fn twins_are_never_merged_whatever_they_share() {
        let hung = [written(1, "Nguyễn Văn Hùng", "2008-05-05", Some(12))];
        for brother in ["Nguyễn Văn Dũng", "Nguyễn Văn Hưng", "Nguyễn Minh Dũng"] {
            let twin = written(2, brother, "2008-05-05", Some(12));
            assert_ne!(find_written(&twin, &hung, &hung), id(1), "{brother} under the other one's number");
            assert_ne!(find_written(&twin, &[], &hung), id(1), "{brother} under a number of his own");
            let child = PersonRow { identity_digits: None, ..twin };
            assert_ne!(find_written(&child, &[], &hung), id(1), "{brother} without a number");
        }
        let thanh = [written(1, "Phan Minh Thành", "2008-05-05", None)];
        let without_marks = written(2, "Phan Minh Thanh", "2008-05-05", None);
        assert_eq!(
            find_written(&without_marks, &[], &thanh),
            Match::Unclear,
            "a name of its own, or typed without marks"
        );
        assert_eq!(find_written(&without_marks, &thanh, &thanh), id(1), "under the same number it was typed so");
        let dung = written(2, "Nguyễn Văn Dũng", "2008-05-05", None);
        assert_eq!(find_written(&dung, &[], &hung), Match::Nobody, "another given name is another person");
        let both = [hung[0].clone(), written(2, "Nguyễn Văn Hưng", "2008-05-05", None)];
        assert_eq!(find_written(&written(0, "Nguyễn Văn Hưng", "2008-05-05", None), &[], &both), id(2), "by the marks");
        assert_eq!(find_written(&written(0, "NGUYEN VAN HUNG", "2008-05-05", None), &[], &both), Match::Unclear);
    }

    #[test]
    fn ways_to_type_a_name_are_one_name() {
        let known = [written(1, "Đặng Thị Thùy Hoà", "1983-03-08", None)];
        for text in ["Đặng Thị Thuỳ Hòa", "ĐẶNG THỊ THÙY HOÀ", "Ðặng  Thị Thùy Hoà", "DANG THI THUY HOA"]
        {
            assert_eq!(find_written(&written(0, text, "1983-03-08", None), &[], &known), id(1), "{text}");
        }
        let decomposed: String = "Đặng Thị Thùy Hoà".nfd().collect();
        assert!(marks_agree(&decomposed, "Đặng Thị Thùy Hoà"));
        assert_eq!(find_written(&written(0, "Đặng Thị Thúy Hoa", "1983-03-08", None), &[], &known), Match::Unclear);
    }

    #[test]
    fn a_phone_and_all_but_one_thing_is_for_people_to_decide() {
        let known = [written(1, "Nguyễn Thị Lan", "1983-03-08", Some(12))];
        let by_phone = |name, birth, digits| find_written(&written(0, name, birth, digits), &[], &known);
        assert_eq!(by_phone("Nguyễn Thị Lan", "1983-03-08", None), id(1));
        assert_eq!(by_phone("Nguyễn Thị Lan", "1983-08-03", None), Match::Unclear, "day and month swapped");
        assert_eq!(by_phone("Nguyễn Thị Lan", "1983-08-04", None), Match::Nobody, "another day");
        assert_eq!(by_phone("Trần Thị Lan", "1983-03-08", None), Match::Unclear, "a married name");
        assert_eq!(by_phone("Nguyễn Lan", "1983", None), Match::Unclear, "no middle name, the year only");
        assert_eq!(by_phone("Lan Nguyễn Thị", "1983-03-08", None), Match::Unclear, "given name first");
        assert_eq!(by_phone("Nguyễn Thị Lan", "1983-03-08", Some(12)), Match::Unclear, "another number");
        assert_eq!(by_phone("Trần Thị Lan", "1983-03-08", Some(12)), Match::Nobody, "another name and number");
        assert_eq!(by_phone("Nguyễn Thị Lan", "1983-08-03", Some(12)), Match::Nobody, "another birth date and number");
        assert_eq!(by_phone("Nguyễn Thị Lan", "1983-08-03", Some(9)), Match::Unclear, "the other card's number");
    }

    #[test]
    fn a_number_and_a_birth_date_need_the_given_name() {
        let known = [written(1, "Nguyễn Thị Lan", "1983-03-08", Some(12))];
        let by_number = |name, birth| find_written(&written(0, name, birth, Some(12)), &known, &[]);
        assert_eq!(by_number("Trần Thị Lan", "1983"), id(1), "a married name, the year only");
        assert_eq!(by_number("Lan Nguyễn Thị", "1983-03-08"), id(1), "given name first");
        assert_eq!(by_number("Nguyễn Thị Lan", "1983-08-03"), id(1), "day and month swapped");
        assert_eq!(by_number("Trần Thị Lan", "1983-08-03"), Match::Unclear, "neither name nor birth date");
        for twin in ["Nguyễn Thị Hoa", "Trần Thị Hoa", "Hoa Nguyễn Thị", "Trần Hoa", "Nguyễn Lan Thị", "Nguyễn Thị Lân"]
        {
            assert_eq!(by_number(twin, "1983-03-08"), Match::Unclear, "{twin}");
        }
    }

    #[test]
    fn a_phone_that_many_share_needs_the_whole_birth_date() {
        let sharing = |others: u128| -> Vec<PersonRow> {
            let other = |n| written(n, "Lê Văn Tám", "1950-01-01", None);
            (2..2 + others).map(other).chain([written(1, "Nguyễn Thị Hoa", "1955", None)]).collect()
        };
        let find =
            |birth, sharing: &[PersonRow]| find_written(&written(0, "Nguyễn Thị Hoa", birth, None), &[], sharing);
        assert_eq!(find("1955", &sharing(10)), id(1), "eleven");
        assert_eq!(find("1955", &sharing(11)), id(1), "twelve");
        assert_eq!(find("1955", &sharing(12)), Match::Unclear, "thirteen");
        let post: Vec<PersonRow> =
            sharing(12).into_iter().chain([written(99, "Nguyễn Thị Hoa", "1956-02-03", None)]).collect();
        assert_eq!(find("1956-02-03", &post), id(99));
    }

    #[test]
    fn the_candidates_of_an_unclear_record_are_those_who_come_near() {
        let known = [written(1, "Nguyễn Thị Lan", "1983-03-08", None), written(2, "Lê Văn Tám", "1950-01-01", None)];
        let record = written(0, "Nguyễn Thị Lan", "1983-08-03", None);
        let described = Described {
            name: &record.name,
            name_key: &record.name_key,
            birth: record.birth,
            identity_digits: record.identity_digits,
        };
        assert_eq!(candidates(&described, &[], &known), [Uuid::from_u128(1)]);
        assert_eq!(candidates(&described, &known[1..], &known), [Uuid::from_u128(1), Uuid::from_u128(2)]);
    }
}
