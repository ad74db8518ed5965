//! A person's record as FHIR R4 resources: Patient and Immunization, in a Bundle. Pure: facts in, JSON out.
//!
//! Source: HL7 FHIR R4 (4.0.1) Bundle, Patient, Immunization.

use serde_json::{Value, json};
use uuid::Uuid;

use super::health_number;
use crate::certificate::UnixSeconds;
use crate::policy;
use crate::store::{DoseRow, PersonRow};

/// The media type of the bundle. Source: FHIR R4 §2.1.0.6.
pub const MEDIA: &str = "application/fhir+json";

/// What a Patient is made of.
pub struct Subject<'a> {
    /// Who.
    pub row: &'a PersonRow,
    /// `female`, `male`, `other`.
    pub sex: Option<&'a str>,
    /// `+84..`
    pub phone: Option<&'a str>,
    /// The identity number.
    pub identity: Option<&'a str>,
    /// Their doses.
    pub doses: Vec<&'a DoseRow>,
}

/// The records of `subjects` as a Bundle of type `collection`.
pub fn bundle(subjects: &[Subject<'_>], now: UnixSeconds) -> Value {
    let mut entries = Vec::new();
    for subject in subjects {
        entries.push(entry(subject.row.person, patient(subject)));
        entries.extend(subject.doses.iter().map(|dose| entry(dose.dose, immunization(dose))));
    }
    json!({"resourceType": "Bundle", "type": "collection", "timestamp": instant(now), "entry": entries})
}

fn entry(id: Uuid, resource: Value) -> Value {
    json!({"fullUrl": format!("urn:uuid:{id}"), "resource": resource})
}

fn put(resource: &mut Value, member: &str, value: Value) {
    if let Some(members) = resource.as_object_mut() {
        members.insert(member.to_owned(), value);
    }
}

fn instant(at: UnixSeconds) -> String {
    jiff::Timestamp::from_second(at.0).unwrap_or_default().to_string()
}

fn patient(subject: &Subject<'_>) -> Value {
    let row = subject.row;
    let mut identifiers = vec![json!({"system": "urn:thexanh:health-number", "value": health_number::of(row.person)})];
    identifiers.extend(subject.identity.map(|number| json!({"system": "urn:thexanh:identity", "value": number})));
    let (family, given) = row.name.split_once(' ').unwrap_or((&row.name, ""));
    let mut name = json!({"use": "official", "text": row.name, "family": family});
    if !given.is_empty() {
        put(&mut name, "given", json!(given.split(' ').collect::<Vec<_>>()));
    }
    let mut patient = json!({
        "resourceType": "Patient",
        "id": row.person,
        "identifier": identifiers,
        "name": [name],
        "gender": subject.sex.unwrap_or("unknown"),
    });
    let birth = row.birth.to_string();
    if !birth.is_empty() {
        put(&mut patient, "birthDate", json!(birth));
    }
    if let Some(phone) = subject.phone {
        put(&mut patient, "telecom", json!([{"system": "phone", "value": phone}]));
    }
    patient
}

fn immunization(dose: &DoseRow) -> Value {
    let name = policy::product_by_code(&dose.product).map_or(dose.product.as_str(), |product| product.name);
    let coding = json!([{"system": "https://ec.europa.eu/health/vaccines-covid-19-names", "code": dose.product, "display": name}]);
    let mut immunization = json!({
        "resourceType": "Immunization",
        "id": dose.dose,
        "identifier": [{"system": format!("urn:thexanh:record:{}", dose.facility), "value": dose.record_no}],
        "status": "completed",
        "vaccineCode": {"coding": coding, "text": name},
        "patient": {"reference": format!("urn:uuid:{}", dose.person)},
        "occurrenceDateTime": instant(dose.given_at),
        "recorded": instant(dose.recorded_at),
        "primarySource": true,
        "lotNumber": dose.lot,
        "performer": [{"actor": {"identifier": {"system": "urn:thexanh:facility", "value": dose.facility}}}],
        "protocolApplied": [{"doseNumberPositiveInt": dose.number}],
    });
    if let Some(day) = dose.lot_expires_on {
        put(&mut immunization, "expirationDate", json!(day.to_string()));
    }
    immunization
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_patient_and_an_immunization_for_each_dose() {
        let row = PersonRow {
            person: Uuid::from_u128(1),
            name: "Nguyễn Thị An".into(),
            name_key: "NGUYEN<THI<AN".into(),
            birth: "1983-10".parse().expect("a birth date"),
            identity_digits: None,
        };
        let dose = DoseRow {
            person: row.person,
            dose: Uuid::from_u128(2),
            facility: "79001".into(),
            record_no: "R-1".into(),
            product: "EU/1/20/1528".into(),
            lot: "FE8405".into(),
            lot_expires_on: Some(jiff::civil::date(2021, 12, 31)),
            given_at: UnixSeconds(1_627_784_100),
            number: 1,
            flags: Vec::new(),
            recorded_at: UnixSeconds(1_627_784_160),
            recorded_by: "nurse".into(),
            vaccinator: None,
        };
        let subject = Subject { row: &row, sex: Some("female"), phone: None, identity: None, doses: vec![&dose] };
        let bundle = bundle(&[subject], UnixSeconds(1_627_784_200));
        let patient = &bundle["entry"][0]["resource"];
        assert_eq!((&patient["gender"], &patient["birthDate"]), (&json!("female"), &json!("1983-10")));
        assert_eq!(patient["name"][0]["given"], json!(["Thị", "An"]));
        assert!(patient.get("telecom").is_none());
        let given = &bundle["entry"][1]["resource"];
        assert_eq!(given["patient"]["reference"], bundle["entry"][0]["fullUrl"]);
        assert_eq!((&given["status"], &given["lotNumber"]), (&json!("completed"), &json!("FE8405")));
        assert_eq!(given["occurrenceDateTime"], "2021-08-01T02:15:00Z");
        assert_eq!(given["expirationDate"], "2021-12-31");
        assert_eq!(given["protocolApplied"][0]["doseNumberPositiveInt"], 1);
    }
}
