//! Synthetic people and their doses: the same for the same number, so that a second demo records nothing twice.

use serde_json::{Value, json};

use crate::http::access::Role;
use crate::http::login::DemoLogin;
use crate::registration::reference;
use crate::store::Facility;
use crate::synth::names;
use crate::synth::random::Random;

/// The demo's facilities: (code, name, province).
const FACILITIES: [(&str, &str, &str); 4] = [
    ("01001", "Điểm tiêm chủng quận Ba Đình", "01"),
    ("48001", "Điểm tiêm chủng quận Hải Châu", "48"),
    ("79001", "Điểm tiêm chủng Quận 1", "79"),
    ("79002", "Điểm tiêm chủng Thành phố Thủ Đức", "79"),
];

/// Each with the days between its two doses here.
const PRODUCTS: [(&str, i64); 4] =
    [("EU/1/21/1529", 56), ("EU/1/20/1528", 28), ("EU/1/20/1507", 28), ("BBIBP-CorV", 21)];

/// The demo's facilities.
pub(super) fn facilities() -> Vec<Facility> {
    let facility = |(code, name, province): (&str, &str, &str)| Facility {
        code: code.to_owned(),
        name: name.to_owned(),
        province: province.to_owned(),
    };
    FACILITIES.map(facility).into()
}

/// Whom one may log in as in the demo's pages: each facility, their provinces, the ministry, the response centre.
pub(super) fn staff() -> Vec<DemoLogin> {
    let login = |role, facility, province, name| DemoLogin { role, facility, province, name };
    let mut provinces: Vec<&str> = FACILITIES.iter().map(|(_, _, province)| *province).collect();
    provinces.dedup();
    let facilities = facilities().into_iter().map(|it| login(Role::Facility, Some(it.code), None, Some(it.name)));
    let provinces = provinces.into_iter().filter_map(reference::unit);
    let provinces = provinces.map(|it| login(Role::Province, None, Some(it.code.to_owned()), Some(it.name.to_owned())));
    let others = [Role::Ministry, Role::Response].map(|role| login(role, None, None, None));
    facilities.chain(provinces).chain(others).collect()
}

/// How many doses a synthetic person has had: every third one, every other two.
pub(super) fn doses_of(person: u32) -> u8 {
    if person.is_multiple_of(3) { 1 } else { 2 }
}

/// The facility that gave a person's doses.
pub(super) fn facility_of(person: u32) -> &'static str {
    let at = person as usize % FACILITIES.len();
    FACILITIES.get(at).map_or("", |(code, _, _)| code)
}

/// A dose of a synthetic person, as `POST /v1/doses` takes it.
///
/// `person`: from 0. `number`: 1 or 2. The first doses were given from June to mid-July 2021.
pub(super) fn dose(person: u32, number: u8) -> Value {
    let mut random = Random::new(u64::from(person));
    let female = random.happens(500);
    let family = names::family(&mut random);
    let name = names::person(&mut random, family, female).written();
    let birth = jiff::civil::date(1940, 1, 1).saturating_add(jiff::Span::new().days((random.draw() % 23_000) as i64));
    // Now and then only the year of birth is known, as on many a paper.
    let birth = if random.draw().is_multiple_of(20) { birth.year().to_string() } else { birth.to_string() };
    let (product, interval) = *random.pick(&PRODUCTS);
    let first = jiff::civil::date(2021, 6, 1).saturating_add(jiff::Span::new().days((random.draw() % 45) as i64));
    let given_on = first.saturating_add(jiff::Span::new().days(i64::from(number - 1) * interval));
    json!({
        "record_no": format!("DEMO-{person:06}-{number}"),
        "person": {
            "name": name, "birth": birth, "sex": if female { "female" } else { "male" },
            "phone": format!("09{person:08}"), "identity": format!("{:012}", 1_000_000_000 + u64::from(person)),
        },
        "product": product, "lot": format!("DEMO{}", random.draw() % 90 + 10), "lot_expires_on": "2021-12-31",
        "given_at": format!("{given_on}T02:15:00Z"), "number": number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::DoseRecord;

    #[test]
    fn every_synthetic_dose_is_one_that_the_api_takes() {
        for person in 0..1000 {
            for number in 1..=doses_of(person) {
                let value = dose(person, number);
                let record: Result<DoseRecord, _> = serde_json::from_value(value.clone());
                assert!(record.is_ok(), "{value}");
            }
        }
        assert_eq!(dose(7, 1), dose(7, 1));
    }
}
