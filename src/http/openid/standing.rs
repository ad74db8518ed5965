//! What the provider's claims make somebody here: a role, and the place that it needs.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::OpenId;
use crate::http::access::Role;
use crate::registration::reference;

/// Who somebody is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub subject: String,
    pub role: Role,
    pub facility: Option<String>,
    pub province: Option<String>,
}

/// Why claims make nobody of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoStanding {
    /// The subject is missing, or none that can stand in an audit trail.
    #[error("it does not say whose it is")]
    Subject,
    /// No role of ours, or more than one.
    #[error("it names no role of ours, or more than one")]
    Role,
    /// A facility's staff without one facility, or a province's without one province.
    #[error("it names no facility or province, or more than one, or none that we know")]
    Place,
}

/// The longest subject (OpenID Connect Core §2), and the longest code of a place.
const MAX_SUBJECT_CHARS: usize = 255;
const MAX_CODE_CHARS: usize = 40;

/// What `claims` make of whom they are about.
pub(super) fn standing(claims: &Value, settings: &OpenId) -> Result<Standing, NoStanding> {
    let subject = found(claims, &settings.subject_claim).and_then(Value::as_str);
    let subject = subject.filter(|sub| is_plain(sub, MAX_SUBJECT_CHARS)).ok_or(NoStanding::Subject)?.to_owned();
    let named = values(claims, &settings.role_claim);
    let ours = named.iter().filter_map(|name| mapped(&settings.roles, name)).filter_map(|word| word.parse().ok());
    let role = only(ours.filter(|role| *role != Role::Citizen)).ok_or(NoStanding::Role)?;
    let place = |claim: &str, map| {
        let named = values(claims, claim);
        let code = only(named.iter().filter_map(|name| mapped(map, name)));
        code.filter(|code| is_plain(code, MAX_CODE_CHARS)).map(str::to_owned).ok_or(NoStanding::Place)
    };
    let facility =
        (role == Role::Facility).then(|| place(&settings.facility_claim, &settings.facilities)).transpose()?;
    let province =
        (role == Role::Province).then(|| place(&settings.province_claim, &settings.provinces)).transpose()?;
    let is_one = |code: &str| code.len() == 2 && reference::unit(code).is_some();
    if province.as_deref().is_some_and(|code| !is_one(code)) {
        return Err(NoStanding::Place);
    }
    Ok(Standing { subject, role, facility, province })
}

fn is_plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// What the settings call what the provider calls `name`.
fn mapped<'a>(map: &'a BTreeMap<String, String>, name: &'a str) -> Option<&'a str> {
    if map.is_empty() { Some(name) } else { map.get(name).map(String::as_str) }
}

/// The one value that there is, however often; `None` for several.
fn only<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// A claim. The name is the claim's whole, or leads into objects at its full stops.
fn found<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |inside, part| inside.get(part)))
}

/// The texts in a claim: itself, or all of a list.
fn values(claims: &Value, name: &str) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match found(claims, name) {
        Some(Value::Array(list)) => list.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(claims: Value, settings: &OpenId) -> Result<(Role, Option<String>, Option<String>), NoStanding> {
        let mut claims = claims;
        claims["sub"] = "an".into();
        standing(&claims, settings).map(|standing| (standing.role, standing.facility, standing.province))
    }

    #[test]
    fn a_role_comes_with_the_place_that_it_needs() {
        let settings = OpenId::default();
        let facility = Some("79001".to_owned());
        assert_eq!(
            of(json!({"role": "facility", "facility": "79001"}), &settings),
            Ok((Role::Facility, facility.clone(), None))
        );
        assert_eq!(of(json!({"role": "facility", "facility": 79001}), &settings), Ok((Role::Facility, facility, None)));
        let province = Ok((Role::Province, None, Some("79".to_owned())));
        assert_eq!(of(json!({"role": ["province"], "province": ["79", "79"], "facility": "x"}), &settings), province);
        assert_eq!(of(json!({"role": "ministry", "facility": "x"}), &settings), Ok((Role::Ministry, None, None)));
        for claims in [
            json!({"role": "facility"}),
            json!({"role": "facility", "facility": ""}),
            json!({"role": "facility", "facility": ["79001", "79002"]}),
            json!({"role": "facility", "facility": {"code": "79001"}}),
            json!({"role": "facility", "facility": "7\n"}),
            json!({"role": "facility", "facility": "7".repeat(41)}),
            json!({"role": "province", "facility": "79001"}),
            json!({"role": "province", "province": "00"}),
            json!({"role": "province", "province": "001"}), // a district
        ] {
            assert_eq!(of(claims.clone(), &settings), Err(NoStanding::Place), "{claims}");
        }
    }

    #[test]
    fn nobody_has_no_role_or_two_or_a_citizens() {
        for role in [
            json!(null),
            json!(""),
            json!("king"),
            json!("citizen"),
            json!([]),
            json!(["ministry", "response"]),
            json!({}),
        ] {
            assert_eq!(of(json!({"role": role}), &OpenId::default()), Err(NoStanding::Role), "{role}");
        }
        assert_eq!(of(json!({}), &OpenId::default()), Err(NoStanding::Role));
    }

    #[test]
    fn claims_and_values_are_called_what_the_settings_say() {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let settings = OpenId {
            role_claim: "realm_access.roles".to_owned(),
            facility_claim: "https://id.example/site".to_owned(),
            roles: map(&[("nurse", "facility"), ("clerk", "facility"), ("minister", "ministry")]),
            facilities: map(&[("BV-1", "79001")]),
            ..OpenId::default()
        };
        let claims =
            |roles: Value, site: &str| json!({"realm_access": {"roles": roles}, "https://id.example/site": site});
        let facility = Ok((Role::Facility, Some("79001".to_owned()), None));
        assert_eq!(of(claims(json!(["offline_access", "nurse", "clerk"]), "BV-1"), &settings), facility);
        assert_eq!(of(claims(json!(["nurse", "minister"]), "BV-1"), &settings), Err(NoStanding::Role));
        assert_eq!(of(claims(json!(["facility"]), "BV-1"), &settings), Err(NoStanding::Role), "only what is listed");
        assert_eq!(of(claims(json!(["nurse"]), "79001"), &settings), Err(NoStanding::Place), "only what is listed");
    }

    #[test]
    fn a_subject_is_a_line_of_up_to_255_characters() {
        let named = |sub: Value| standing(&json!({"sub": sub, "role": "ministry"}), &OpenId::default());
        for (len, good) in [(0, false), (1, true), (254, true), (255, true), (256, false)] {
            assert_eq!(named("x".repeat(len).into()).is_ok(), good, "{len}");
        }
        for sub in [json!("a\nb"), json!(7), json!(null)] {
            assert_eq!(named(sub.clone()), Err(NoStanding::Subject), "{sub}");
        }
        let settings = OpenId { subject_claim: "staff.number".to_owned(), ..OpenId::default() };
        let claims = json!({"sub": "another in each client", "staff": {"number": "n-7"}, "role": "ministry"});
        assert_eq!(standing(&claims, &settings).map(|standing| standing.subject), Ok("n-7".to_owned()));
        let without = json!({"sub": "x", "role": "ministry"});
        assert_eq!(standing(&without, &settings), Err(NoStanding::Subject), "nothing else stands in for it");
    }
}
