//! A dose as a facility sends it, and what is left when every field was checked. Every refusal names its field.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::certificate::{BirthDate, UnixSeconds};
use crate::language::Said;
use crate::name::{NameError, PersonName};
use crate::policy::{self, ProductRow};

/// A completed dose, as `POST /v1/doses` takes it.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DoseRecord {
    /// The facility's own number of this record, 1 to 64 characters: unique in the facility.
    pub record_no: String,
    /// Who was vaccinated.
    pub person: PersonRecord,
    /// The product's code, as `/v1/reference/products` lists it.
    pub product: String,
    /// The lot, 1 to 40 characters.
    pub lot: String,
    /// The last day on which the lot may be used, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lot_expires_on: Option<String>,
    /// When it was given: an instant with its offset, RFC 3339.
    pub given_at: String,
    /// Which dose of the person's it is, as the facility counts, 1 to 9.
    pub number: u64,
    /// Who gave it, 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vaccinator: Option<String>,
}

/// A person, as a facility knows them.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonRecord {
    /// Who it is, if the desk has them before it: as a session's list or a look-up names them. It counts only if name or birth date
    /// agree; otherwise they are looked for as everybody is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The whole name, family name first.
    pub name: String,
    /// `YYYY-MM-DD`, or `YYYY-MM` or `YYYY` where no more is known.
    pub birth: String,
    /// `female`, `male` or `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    /// A Vietnamese phone number, with or without +84.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The identity number: nine digits, or twelve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The commune's code of the General Statistics Office, five digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ward: Option<String>,
}

/// Which field is refused, and why. What it held is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {}", reason.en)]
pub struct InvalidField {
    /// The field's path in the request, such as `person.name`.
    pub field: &'static str,
    /// The stable word.
    pub code: &'static str,
    /// One sentence for people.
    pub reason: Said,
}

/// A dose whose every field was checked.
#[derive(Clone)]
pub(super) struct CheckedDose {
    pub record_no: String,
    /// Who the desk says it is.
    pub known: Option<Uuid>,
    pub name: PersonName,
    pub birth: BirthDate,
    pub sex: Option<String>,
    /// `+84` and nine or ten digits.
    pub phone: Option<String>,
    pub identity: Option<String>,
    pub ward: Option<String>,
    pub product: &'static ProductRow,
    pub lot: String,
    pub lot_expires_on: Option<Date>,
    pub given_at: UnixSeconds,
    pub given_on: Date,
    pub number: u8,
    pub vaccinator: Option<String>,
}

impl CheckedDose {
    /// What is the same for the same dose however it was written: NFC or NFD, `+84` or 0, one offset or another; also whether or
    /// not it was said which of the people whom we know it is.
    pub fn canonical(&self) -> String {
        let whole = (
            (&self.record_no, self.name.as_str(), self.birth.to_string(), &self.sex, &self.phone, &self.identity),
            (&self.ward, self.product.code, &self.lot, self.lot_expires_on.map(|day| day.to_string())),
            (self.given_at.0, self.number, &self.vaccinator),
        );
        serde_json::to_string(&whole).expect("texts and numbers are JSON")
    }
}

/// Nothing is in the future before it is tomorrow in Viet Nam: clocks of facilities differ by minutes and hours.
pub(super) const IN_THE_FUTURE: (&str, &str) = ("it lies in the future", "ngày này còn ở tương lai");

impl DoseRecord {
    /// The dose with every field checked against its form and against the others at `now`.
    pub(super) fn check(self, now: UnixSeconds) -> Result<CheckedDose, InvalidField> {
        let today = now.vietnamese_date();
        let person = self.person;
        let name = parse_name("person.name", &person.name)?;
        let birth: BirthDate = person.birth.parse().map_err(|_| {
            refuse(
                "person.birth",
                "date_invalid",
                "expected YYYY-MM-DD, YYYY-MM or YYYY, a day of the calendar",
                "cần YYYY-MM-DD, YYYY-MM hoặc YYYY, một ngày có thật",
            )
        })?;
        let born = birth.earliest().ok_or(refuse(
            "person.birth",
            "date_missing",
            "at least the year is needed",
            "cần ít nhất năm sinh",
        ))?;
        let product = policy::product_by_code(&self.product).ok_or(refuse(
            "product",
            "product_unknown",
            "see /v1/reference/products for the codes",
            "xem mã vắc xin ở /v1/reference/products",
        ))?;
        let given_at = instant(&self.given_at).ok_or(refuse(
            "given_at",
            "instant_invalid",
            "expected an instant such as 2021-08-01T02:15:00Z",
            "cần thời điểm như 2021-08-01T02:15:00Z",
        ))?;
        let given_on = given_at.vietnamese_date();
        let number = u8::try_from(self.number).ok().filter(|number| (1..=9).contains(number));
        match () {
            () if born > today => Err(refuse("person.birth", "date_in_the_future", IN_THE_FUTURE.0, IN_THE_FUTURE.1)),
            () if given_on > today => Err(refuse("given_at", "date_in_the_future", IN_THE_FUTURE.0, IN_THE_FUTURE.1)),
            () if given_on < product.exists_since => Err(refuse(
                "given_at",
                "date_before_product",
                "the product did not exist yet",
                "khi đó vắc xin này chưa có",
            )),
            () if given_on < born => Err(refuse(
                "given_at",
                "date_before_birth",
                "the person was not born yet",
                "khi đó người này chưa sinh ra",
            )),
            () => Ok(()),
        }?;
        Ok(CheckedDose {
            record_no: bounded(self.record_no, 64).ok_or(refuse(
                "record_no",
                "text_invalid",
                "expected 1 to 64 characters without control characters",
                "cần 1 đến 64 ký tự, không có ký tự điều khiển",
            ))?,
            known: person.id,
            name,
            birth,
            sex: optional(person.sex, |sex| matches!(&*sex, "female" | "male" | "other").then_some(sex)).ok_or(
                refuse("person.sex", "word_unknown", "expected female, male or other", "cần female, male hoặc other"),
            )?,
            phone: optional(person.phone, |phone| normalize_phone(&phone)).ok_or(refuse(
                "person.phone",
                "phone_invalid",
                "expected a Vietnamese phone number",
                "cần số điện thoại Việt Nam",
            ))?,
            identity: optional(person.identity, |identity| normalize_identity(&identity)).ok_or(refuse(
                "person.identity",
                "identity_invalid",
                "expected nine or twelve digits",
                "cần chín hoặc mười hai chữ số",
            ))?,
            ward: optional(person.ward, |ward| digits(&ward, 5)).ok_or(refuse(
                "person.ward",
                "ward_invalid",
                "expected the five digits of a commune's code",
                "cần mã xã, phường gồm năm chữ số",
            ))?,
            product,
            lot: bounded(self.lot, 40).ok_or(refuse(
                "lot",
                "text_invalid",
                "expected 1 to 40 characters without control characters",
                "cần 1 đến 40 ký tự, không có ký tự điều khiển",
            ))?,
            lot_expires_on: optional(self.lot_expires_on, |day| Some(day).filter(|day| day.len() == 10)?.parse().ok())
                .ok_or(refuse(
                    "lot_expires_on",
                    "date_invalid",
                    "expected YYYY-MM-DD, a day of the calendar",
                    "cần YYYY-MM-DD, một ngày có thật",
                ))?,
            given_at,
            given_on,
            number: number.ok_or(refuse("number", "number_invalid", "expected 1 to 9", "cần 1 đến 9"))?,
            vaccinator: optional(self.vaccinator, |name| bounded(name, 100)).ok_or(refuse(
                "vaccinator",
                "text_invalid",
                "expected 1 to 100 characters without control characters",
                "cần 1 đến 100 ký tự, không có ký tự điều khiển",
            ))?,
        })
    }
}

/// The name in `text`, or why `field` is refused.
pub(super) fn parse_name(field: &'static str, text: &str) -> Result<PersonName, InvalidField> {
    PersonName::parse(text).map_err(|error| {
        let (en, vi) = match error {
            NameError::Empty => ("a name is needed", "cần có họ tên"),
            NameError::TooLong => ("it is longer than a certificate can carry", "dài hơn mức chứng nhận ghi được"),
            NameError::NotAName => ("it holds what is no part of a name", "có ký tự không thuộc về tên người"),
            NameError::LostLetter => (
                "a letter of it cannot be written in A to Z; see ICAO 9303",
                "có chữ không viết được bằng A đến Z; xem ICAO 9303",
            ),
        };
        refuse(field, error.code(), en, vi)
    })
}

pub(super) fn refuse(field: &'static str, code: &'static str, en: &'static str, vi: &'static str) -> InvalidField {
    InvalidField { field, code, reason: Said { en, vi } }
}

/// `Some(None)` for an absent field, `Some(Some(..))` for a good one, `None` for a bad one.
pub(super) fn optional<T>(field: Option<String>, check: impl FnOnce(String) -> Option<T>) -> Option<Option<T>> {
    match field {
        None => Some(None),
        Some(text) => check(text).map(Some),
    }
}

fn instant(text: &str) -> Option<UnixSeconds> {
    if text.len() > 40 {
        return None;
    }
    text.parse::<jiff::Timestamp>().ok().map(|instant| UnixSeconds(instant.as_second()))
}

/// The text without white space at its ends, if that leaves 1 ..= `max` characters and no control character.
pub fn bounded(text: String, max: usize) -> Option<String> {
    let trimmed = text.trim();
    // Bidirectional and zero-width marks make a text look like another.
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let good = !trimmed.is_empty() && trimmed.chars().count() <= max && !trimmed.chars().any(hidden);
    good.then(|| trimmed.to_owned())
}

pub(super) fn digits(text: &str, len: usize) -> Option<String> {
    (text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
}

/// A Vietnamese phone number as it is kept: `+84` and nine or ten digits, from 0912345678, 84912345678, +84 912 345 678, 912.345.678.
pub fn normalize_phone(text: &str) -> Option<String> {
    if text.len() > 32 {
        return None;
    }
    let kept: String = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')' | '\u{a0}')).collect();
    let national = match kept.strip_prefix('+').or_else(|| kept.strip_prefix("00")) {
        Some(international) => international.strip_prefix("84")?,
        None => {
            kept.strip_prefix('0').or_else(|| kept.strip_prefix("84").filter(|rest| rest.len() >= 9)).unwrap_or(&kept)
        }
    };
    let national = national.strip_prefix('0').unwrap_or(national); // +84 (0) 912..
    let good = (9..=10).contains(&national.len()) && national.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| format!("+84{national}"))
}

/// An identity number as it is kept: nine digits or twelve, not all the same.
pub fn normalize_identity(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|c| !matches!(c, ' ' | '.' | '-')).take(13).collect();
    // A row of one digit is what is typed where there is no number: it would make one person of many.
    let typed = kept.bytes().skip(1).any(|digit| Some(digit) != kept.bytes().next());
    digits(&kept, 9).or_else(|| digits(&kept, 12)).filter(|_| typed)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The dose of DESIGN §3.
    pub fn sample() -> DoseRecord {
        DoseRecord {
            record_no: "BVX-2021-000123".into(),
            person: PersonRecord {
                id: None,
                name: "Nguyễn Thị Phương Thảo".into(),
                birth: "1983-10-10".into(),
                sex: Some("female".into()),
                phone: Some("0912345678".into()),
                identity: Some("001183012345".into()),
                ward: Some("00001".into()),
            },
            product: "EU/1/20/1528".into(),
            lot: "FE8405".into(),
            lot_expires_on: Some("2021-12-31".into()),
            given_at: "2021-08-01T02:15:00Z".into(),
            number: 1,
            vaccinator: None,
        }
    }

    const NOW: UnixSeconds = UnixSeconds(1_627_784_100); // 2021-08-01T02:15:00Z, 09:15 in Viet Nam

    fn refused(change: impl FnOnce(&mut DoseRecord)) -> Option<(&'static str, &'static str)> {
        let mut record = sample();
        change(&mut record);
        record.check(NOW).err().map(|error| (error.field, error.code))
    }

    #[test]
    fn takes_a_good_dose() {
        let dose = sample().check(NOW).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((dose.phone.as_deref(), dose.given_on.to_string().as_str()), (Some("+84912345678"), "2021-08-01"));
    }

    #[test]
    fn names_the_field_that_cannot_be_certified() {
        assert_eq!(refused(|dose| dose.person.name = "王小明".into()), Some(("person.name", "name_loses_a_letter")));
        assert_eq!(refused(|dose| dose.person.name = " ".into()), Some(("person.name", "name_empty")));
        assert_eq!(refused(|dose| dose.product = "EU/1/20/9999".into()), Some(("product", "product_unknown")));
        assert_eq!(refused(|dose| dose.person.birth = "1983-02-30".into()), Some(("person.birth", "date_invalid")));
        assert_eq!(refused(|dose| dose.person.birth = String::new()), Some(("person.birth", "date_missing")));
        assert_eq!(
            refused(|dose| dose.person.birth = "2021-08-02".into()),
            Some(("person.birth", "date_in_the_future"))
        );
        assert_eq!(refused(|dose| dose.given_at = "2021-08-01".into()), Some(("given_at", "instant_invalid")));
        assert_eq!(
            refused(|dose| dose.given_at = "2020-12-01T00:00:00Z".into()),
            Some(("given_at", "date_before_product"))
        );
        assert_eq!(refused(|dose| dose.person.birth = "2021-08-01".into()), None, "born and vaccinated on one day");
        assert_eq!(refused(|dose| dose.record_no = "x".repeat(65)), Some(("record_no", "text_invalid")));
        assert_eq!(refused(|dose| dose.record_no = "a\nb".into()), Some(("record_no", "text_invalid")));
        assert_eq!(refused(|dose| dose.lot = String::new()), Some(("lot", "text_invalid")));
        assert_eq!(
            refused(|dose| dose.lot_expires_on = Some("31/12/2021".into())),
            Some(("lot_expires_on", "date_invalid"))
        );
        assert_eq!(refused(|dose| dose.number = 0), Some(("number", "number_invalid")));
        assert_eq!(refused(|dose| dose.number = 10), Some(("number", "number_invalid")));
        for (chars, code) in [(0, Some(("vaccinator", "text_invalid"))), (1, None), (100, None)] {
            assert_eq!(refused(|dose| dose.vaccinator = Some("x".repeat(chars))), code);
        }
        let long = refused(|dose| dose.vaccinator = Some("x".repeat(101)));
        assert_eq!(long, Some(("vaccinator", "text_invalid")));
        assert_eq!(refused(|dose| dose.person.sex = Some("F".into())), Some(("person.sex", "word_unknown")));
        assert_eq!(
            refused(|dose| dose.person.identity = Some("12345".into())),
            Some(("person.identity", "identity_invalid"))
        );
        assert_eq!(refused(|dose| dose.person.ward = Some("1".into())), Some(("person.ward", "ward_invalid")));
    }

    #[test]
    fn nothing_is_in_the_future_before_it_is_tomorrow_in_viet_nam() {
        let given = |text: &str| refused(|dose| dose.given_at = text.into());
        assert_eq!(given("2021-08-01T16:59:59Z"), None, "23:59:59 today");
        assert_eq!(given("2021-08-01T17:00:00Z"), Some(("given_at", "date_in_the_future")), "0:00 tomorrow");
    }

    #[test]
    fn reads_phone_numbers_as_people_write_them() {
        for text in ["0912345678", "84912345678", "+84912345678", "+84 (0) 912 345 678", "912.345.678", "0912-345-678"]
        {
            assert_eq!(normalize_phone(text).as_deref(), Some("+84912345678"), "{text}");
        }
        for text in ["", "12345", "+1 202 555 0100", "09123456789012", "0912345abc"] {
            assert_eq!(normalize_phone(text), None, "{text}");
        }
        assert_eq!(normalize_identity("001 183 012 345").as_deref(), Some("001183012345"));
        assert_eq!(normalize_identity("0011830123456"), None);
        assert_eq!(normalize_identity("000000000000"), None);
        assert_eq!(normalize_identity("111111111"), None);
        assert_eq!(normalize_identity("111111112").as_deref(), Some("111111112"));
    }
}
