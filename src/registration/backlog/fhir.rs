//! FHIR R4 Immunization, one resource a line, with its Patient contained. Members that we do not know are left alone.
//! Source: hl7.org/fhir/R4/immunization.html, hl7.org/fhir/R4/patient.html.

use std::io::{self, Read};

use serde::Deserialize;

use super::cells::{Refused, refused};
use super::headings::Column;
use super::window::{MAX_ROW_BYTES, Window, line_end};

/// The cells that a resource gives, each with the path that it is at.
pub(super) const COLUMNS: [(Column, &str); 12] = [
    (Column::RecordNo, "Immunization.identifier[0].value"),
    (Column::Name, "Patient.name"),
    (Column::Birth, "Patient.birthDate"),
    (Column::Sex, "Patient.gender"),
    (Column::Phone, "Patient.telecom"),
    (Column::Identity, "Patient.identifier"),
    (Column::Product, "Immunization.vaccineCode"),
    (Column::Lot, "Immunization.lotNumber"),
    (Column::LotExpiresOn, "Immunization.expirationDate"),
    (Column::GivenAt, "Immunization.occurrenceDateTime"),
    (Column::Number, "Immunization.protocolApplied[0].doseNumberPositiveInt"),
    (Column::Facility, "Immunization.location"),
];

const LINE_TOO_LONG: Refused = refused("row_too_long", "the line is longer than 64 kB", "dòng dài quá 64 kB");
const NOT_JSON: Refused =
    refused("json_invalid", "the line is not a FHIR resource in JSON", "dòng không phải tài nguyên FHIR dạng JSON");
const NOT_IMMUNIZATION: Refused =
    refused("resource_unknown", "expected a resource of the type Immunization", "cần tài nguyên loại Immunization");
const NOT_COMPLETED: Refused =
    refused("not_completed", "the vaccination was not completed", "mũi tiêm này không được hoàn thành");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Immunization {
    resource_type: String,
    status: Option<String>,
    #[serde(default)]
    identifier: Vec<Identifier>,
    vaccine_code: Option<Concept>,
    patient: Option<Reference>,
    #[serde(default)]
    contained: Vec<Contained>,
    occurrence_date_time: Option<String>,
    lot_number: Option<String>,
    expiration_date: Option<String>,
    #[serde(default)]
    protocol_applied: Vec<Protocol>,
    location: Option<Reference>,
    #[serde(default)]
    performer: Vec<Performer>,
}

/// A Patient, or another resource of which nothing is used but its id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contained {
    resource_type: Option<String>,
    id: Option<String>,
    #[serde(default)]
    name: serde_json::Value,
    birth_date: Option<String>,
    gender: Option<String>,
    #[serde(default)]
    identifier: Vec<Identifier>,
    #[serde(default)]
    telecom: Vec<Contact>,
}

#[derive(Deserialize)]
struct Identifier {
    system: Option<String>,
    value: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Concept>,
}

#[derive(Deserialize)]
struct Concept {
    #[serde(default)]
    coding: Vec<Coding>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct Coding {
    code: Option<String>,
    display: Option<String>,
}

#[derive(Deserialize)]
struct Contact {
    system: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    reference: Option<String>,
    identifier: Option<Identifier>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protocol {
    dose_number_positive_int: Option<u64>,
    dose_number_string: Option<String>,
}

#[derive(Deserialize)]
struct Performer {
    actor: Option<Reference>,
}

#[derive(Deserialize)]
struct HumanName {
    text: Option<String>,
    family: Option<String>,
    #[serde(default)]
    given: Vec<String>,
}

/// A resource's cells, or what is wrong with it; `None` for an empty line.
type Resource = Result<Option<Vec<String>>, (Vec<String>, Refused)>;

/// The next line and its number; `None` at the end of the file.
pub(super) fn next<R: Read>(window: &mut Window<R>) -> io::Result<Option<(u64, Resource)>> {
    let text = window.ahead();
    if text.is_empty() {
        return Ok(None);
    }
    let line = window.line();
    let within = text.as_bytes().get(..text.len().min(MAX_ROW_BYTES)).unwrap_or_default();
    let end = match line_end(within) {
        Some((end, _)) => end,
        None if text.len() > MAX_ROW_BYTES => {
            window.skip_line()?;
            return Ok(Some((line, Err((empty_cells(), LINE_TOO_LONG)))));
        }
        None => text.len(),
    };
    let resource = read(text.get(..end).unwrap_or_default());
    window.skip_line()?;
    Ok(Some((line, resource)))
}

fn empty_cells() -> Vec<String> {
    vec![String::new(); COLUMNS.len()]
}

fn read(line: &str) -> Resource {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let resource: Immunization = serde_json::from_str(line).map_err(|_| (empty_cells(), NOT_JSON))?;
    if resource.resource_type != "Immunization" {
        return Err((empty_cells(), NOT_IMMUNIZATION));
    }
    let completed = resource.status.as_deref() == Some("completed");
    let cells = cells(resource);
    if completed { Ok(Some(cells)) } else { Err((cells, NOT_COMPLETED)) }
}

fn cells(resource: Immunization) -> Vec<String> {
    let patient = patient(&resource);
    let number = resource.protocol_applied.first().and_then(|protocol| {
        protocol
            .dose_number_positive_int
            .map(|number| number.to_string())
            .or_else(|| protocol.dose_number_string.clone())
    });
    let facility = resource
        .location
        .iter()
        .chain(resource.performer.iter().filter_map(|performer| performer.actor.as_ref()))
        .find_map(|place| place.identifier.as_ref()?.value.clone());
    let record_no = resource.identifier.first().and_then(|identifier| identifier.value.clone());
    let product = resource.vaccine_code.as_ref().and_then(product);
    let of = |read: fn(&Contained) -> Option<String>| patient.and_then(read);
    let cells = [
        record_no,
        of(name),
        of(|patient| patient.birth_date.clone()),
        of(|patient| patient.gender.clone().filter(|gender| gender != "unknown")),
        of(phone),
        of(identity),
        product,
        resource.lot_number.clone(),
        resource.expiration_date.clone(),
        resource.occurrence_date_time.clone(),
        number,
        facility,
    ];
    cells.map(Option::unwrap_or_default).to_vec()
}

/// The Patient that the resource is about, if it is contained; the only one there is, if it is not said which.
fn patient(resource: &Immunization) -> Option<&Contained> {
    let mut patients = resource.contained.iter().filter(|one| one.resource_type.as_deref() == Some("Patient"));
    match resource.patient.as_ref().and_then(|patient| patient.reference.as_deref()) {
        Some(reference) => {
            let id = reference.strip_prefix('#')?;
            patients.find(|patient| patient.id.as_deref() == Some(id))
        }
        None => patients.next().filter(|_| patients.next().is_none()),
    }
}

/// The first coding that is a product of ours, else the text, else what the first coding says.
fn product(concept: &Concept) -> Option<String> {
    let codes = || concept.coding.iter().filter_map(|coding| coding.code.as_deref());
    let ours = codes().find(|code| super::cells::product(code).is_ok());
    let display = || concept.coding.iter().find_map(|coding| coding.display.as_deref());
    ours.or(concept.text.as_deref()).or_else(display).or_else(|| codes().next()).map(str::to_owned)
}

fn name(patient: &Contained) -> Option<String> {
    let names: Vec<HumanName> = Vec::deserialize(&patient.name).ok()?;
    let name = names.into_iter().next()?;
    name.text.filter(|text| !text.trim().is_empty()).or_else(|| {
        let parts: Vec<String> = name.family.into_iter().chain(name.given).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    })
}

fn phone(patient: &Contained) -> Option<String> {
    let is_phone = |contact: &&Contact| matches!(contact.system.as_deref(), Some("phone" | "sms"));
    patient.telecom.iter().find(is_phone).and_then(|contact| contact.value.clone())
}

/// The identifier that is an identity number by its type or system; the only one there is, if none says.
fn identity(patient: &Contained) -> Option<String> {
    let says = |identifier: &&Identifier| {
        let kind = identifier.kind.as_ref();
        let codes = kind.into_iter().flat_map(|kind| &kind.coding).filter_map(|coding| coding.code.as_deref());
        let words = codes.chain(kind.and_then(|kind| kind.text.as_deref())).chain(identifier.system.as_deref());
        // NI and NNxxx: hl7.org/fhir/v2/0203.
        words.map(str::to_ascii_lowercase).any(|word| {
            matches!(word.as_str(), "ni" | "nnvnm")
                || ["cccd", "cmnd", "identity"].iter().any(|part| word.contains(part))
        })
    };
    let only = || {
        patient
            .identifier
            .first()
            .filter(|one| patient.identifier.len() == 1 && one.kind.is_none() && one.system.is_none())
    };
    patient.identifier.iter().find(says).or_else(only).and_then(|identifier| identifier.value.clone())
}
