//! A registration as a citizen sends it, and what is left when every field was checked. Every refusal names its field.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::declaration::{CONSENT_VERSION, Declaration};
use super::priority;
use super::record::{
    IN_THE_FUTURE, InvalidField, bounded, normalize_identity, normalize_phone, optional, parse_name, refuse,
};
use super::reference;
use crate::certificate::{BirthDate, UnixSeconds};
use crate::name::PersonName;

/// A registration, as `POST /v1/registrations` takes it.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The whole name, family name first.
    pub name: String,
    /// `YYYY-MM-DD`, or `YYYY-MM` or `YYYY` where no more is known.
    pub birth: String,
    /// `female`, `male` or `other`.
    pub sex: String,
    /// A Vietnamese phone number; may be missing for family with an identity number or a guardian.
    pub phone: Option<String>,
    /// The identity number: nine digits, or twelve.
    pub identity: Option<String>,
    /// The commune's code of the General Statistics Office, five digits.
    pub ward: String,
    /// House and street, 1 to 200 characters.
    pub address: String,
    /// 1 to 100 characters.
    pub occupation: String,
    /// The priority group, as `/v1/reference/priority-groups` lists it; 0 for none.
    pub priority: u64,
    /// The health declaration.
    pub declaration: Declaration,
    /// The consent; without it nobody is registered.
    pub consent: Option<Consent>,
    /// Who answers for somebody under 18.
    pub guardian: Option<Guardian>,
}

/// The consent to be vaccinated.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// The version of the text, as `/v1/reference/declaration` shows it.
    pub version: String,
    /// Who gave it: `self`, or `guardian` for somebody under 18.
    pub by: String,
}

/// Who answers for a minor.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Guardian {
    /// The whole name.
    pub name: String,
    /// What they are to the minor: `mother`, `father` or `guardian`.
    pub relation: String,
    /// Their phone number.
    pub phone: String,
}

/// What may be changed about a registration, each only if it is there. Name, birth and identity change by a correction.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The phone number.
    pub phone: Option<String>,
    /// The commune's code.
    pub ward: Option<String>,
    /// House and street.
    pub address: Option<String>,
    /// The occupation.
    pub occupation: Option<String>,
    /// The priority group.
    pub priority: Option<u64>,
}

/// A consent as it is kept.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct KeptConsent {
    /// The version of the text.
    pub version: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// `self` or `guardian`.
    pub by: String,
}

/// Checked: where somebody lives.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub ward: &'static str,
    pub district: &'static str,
}

pub(super) struct CheckedGuardian {
    pub name: String,
    pub relation: String,
    pub phone: String,
}

/// A registration whose every field was checked.
pub(super) struct CheckedApplication {
    pub name: PersonName,
    pub birth: BirthDate,
    pub sex: String,
    pub phone: Option<String>,
    pub identity: Option<String>,
    pub place: Place,
    pub address: String,
    pub occupation: String,
    pub rank: i64,
    pub declaration: Declaration,
    pub consent: KeptConsent,
    pub guardian: Option<CheckedGuardian>,
}

/// A change whose every field was checked.
pub(super) struct CheckedChange {
    pub phone: Option<String>,
    pub place: Option<Place>,
    pub address: Option<String>,
    pub occupation: Option<String>,
    pub rank: Option<i64>,
}

/// From this age on people register and consent for themselves. Source: Civil Code 2015, article 21.
const OF_AGE: i16 = 18;
const MAX_ADDRESS_CHARS: usize = 200;
const MAX_OCCUPATION_CHARS: usize = 100;

impl Application {
    /// The registration with every field checked against its form and against the others at `now`.
    pub(super) fn check(self, now: UnixSeconds) -> Result<CheckedApplication, InvalidField> {
        let name = parse_name("name", &self.name)?;
        let (birth, minor) = born(&self.birth, now)?;
        let sex = Some(self.sex).filter(|sex| matches!(&**sex, "female" | "male" | "other"));
        let phone = optional(self.phone, |phone| normalize_phone(&phone)).ok_or(bad_phone("phone"))?;
        let identity = optional(self.identity, |identity| normalize_identity(&identity)).ok_or(refuse(
            "identity",
            "identity_invalid",
            "expected nine or twelve digits",
            "cần chín hoặc mười hai chữ số",
        ))?;
        let guardian = self.guardian.map(check_guardian).transpose()?;
        let consent = self.consent.ok_or(refuse(
            "consent",
            "consent_missing",
            "nobody is registered without consent",
            "không thể đăng ký khi chưa có sự đồng ý",
        ))?;
        match (minor, &guardian, &*consent.by) {
            (true, None, _) => Err(refuse(
                "guardian",
                "guardian_missing",
                "somebody under 18 is registered by a parent or guardian",
                "người dưới 18 tuổi cần cha mẹ hoặc người giám hộ đăng ký",
            )),
            (true, Some(_), "guardian") | (false, _, "self") => Ok(()),
            (true, Some(_), _) | (false, ..) => Err(refuse(
                "consent.by",
                "consent_invalid",
                "expected self from 18 years on, and guardian before",
                "cần self từ đủ 18 tuổi, guardian khi chưa đủ",
            )),
        }?;
        if phone.is_none() && identity.is_none() && guardian.is_none() {
            let said = ("a phone or an identity number is needed", "cần số điện thoại hoặc số định danh");
            return Err(refuse("phone", "phone_missing", said.0, said.1));
        }
        Ok(CheckedApplication {
            name,
            birth,
            sex: sex.ok_or(refuse(
                "sex",
                "word_unknown",
                "expected female, male or other",
                "cần female, male hoặc other",
            ))?,
            phone,
            identity,
            place: place(&self.ward)?,
            address: text("address", self.address, MAX_ADDRESS_CHARS)?,
            occupation: text("occupation", self.occupation, MAX_OCCUPATION_CHARS)?,
            rank: rank(self.priority)?,
            declaration: self.declaration.check()?,
            consent: check_consent(consent, now)?,
            guardian,
        })
    }
}

impl Change {
    pub(super) fn check(self) -> Result<CheckedChange, InvalidField> {
        Ok(CheckedChange {
            phone: optional(self.phone, |phone| normalize_phone(&phone)).ok_or(bad_phone("phone"))?,
            place: self.ward.map(|ward| place(&ward)).transpose()?,
            address: self.address.map(|address| text("address", address, MAX_ADDRESS_CHARS)).transpose()?,
            occupation: self.occupation.map(|work| text("occupation", work, MAX_OCCUPATION_CHARS)).transpose()?,
            rank: self.priority.map(rank).transpose()?,
        })
    }
}

/// The birth date, and whether that makes a minor. Where only year or month is known, the first day counts.
pub(super) fn born(text: &str, now: UnixSeconds) -> Result<(BirthDate, bool), InvalidField> {
    let birth: BirthDate = text.parse().map_err(|_| {
        let said = ("expected YYYY-MM-DD, YYYY-MM or YYYY, a day of the calendar", "cần ngày có thật, dạng YYYY-MM-DD");
        refuse("birth", "date_invalid", said.0, said.1)
    })?;
    let first = birth.earliest().ok_or(refuse(
        "birth",
        "date_missing",
        "at least the year is needed",
        "cần ít nhất năm sinh",
    ))?;
    let today = now.vietnamese_date();
    if first > today {
        return Err(refuse("birth", "date_in_the_future", IN_THE_FUTURE.0, IN_THE_FUTURE.1));
    }
    let birthday = (today.month(), today.day()) >= (first.month(), first.day());
    let age = today.year() - first.year() - i16::from(!birthday);
    Ok((birth, age < OF_AGE))
}

fn check_consent(consent: Consent, now: UnixSeconds) -> Result<KeptConsent, InvalidField> {
    match consent.version == CONSENT_VERSION {
        true => Ok(KeptConsent { version: consent.version, at: now.0, by: consent.by }),
        false => Err(refuse(
            "consent.version",
            "version_unknown",
            "expected the version that /v1/reference/declaration shows",
            "cần phiên bản ở /v1/reference/declaration",
        )),
    }
}

fn check_guardian(guardian: Guardian) -> Result<CheckedGuardian, InvalidField> {
    let relation = Some(guardian.relation).filter(|word| matches!(&**word, "mother" | "father" | "guardian"));
    Ok(CheckedGuardian {
        name: parse_name("guardian.name", &guardian.name)?.as_str().to_owned(),
        relation: relation.ok_or(refuse(
            "guardian.relation",
            "word_unknown",
            "expected mother, father or guardian",
            "cần mother, father hoặc guardian",
        ))?,
        phone: normalize_phone(&guardian.phone).ok_or(bad_phone("guardian.phone"))?,
    })
}

fn bad_phone(field: &'static str) -> InvalidField {
    refuse(field, "phone_invalid", "expected a Vietnamese phone number", "cần số điện thoại Việt Nam")
}

fn place(ward: &str) -> Result<Place, InvalidField> {
    let ward = reference::ward(ward).ok_or(refuse(
        "ward",
        "ward_unknown",
        "there is no commune with this code; see /v1/reference/wards",
        "không có xã, phường với mã này; xem /v1/reference/wards",
    ))?;
    Ok(Place { ward: ward.unit.code, district: ward.district.code })
}

fn rank(group: u64) -> Result<i64, InvalidField> {
    priority::rank(group).ok_or(refuse(
        "priority",
        "group_unknown",
        "expected a group of /v1/reference/priority-groups, or 0",
        "cần nhóm ở /v1/reference/priority-groups, hoặc 0",
    ))
}

fn text(field: &'static str, text: String, max: usize) -> Result<String, InvalidField> {
    bounded(text, max).ok_or(refuse(
        field,
        "text_invalid",
        "it is empty, too long, or holds control characters",
        "để trống, quá dài hoặc có ký tự điều khiển",
    ))
}

#[cfg(test)]
#[path = "application/tests.rs"]
pub(super) mod tests;
