//! Look-ups by the holder: what an account sees of its people, and their certificates.

use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;
use uuid::Uuid;

use super::accounts::members_of;
use super::certificates::{self, CertificateRow, certificate_of};
use super::doses::{self, DoseRow, dose_of};
use super::people::seconds;
use super::registrations::{
    REGISTERED_PERSON, REGISTERED_PERSON_COUNT, REGISTRATION, RegisteredPerson, RegistrationRow, registered_person_of,
    registration_of,
};
use super::{Store, StoreError};
use crate::certificate::UnixSeconds;

/// A certificate as its holder sees it.
#[derive(Clone, Debug)]
pub struct HeldCertificate {
    /// The certificate.
    pub row: CertificateRow,
    /// The holder's name, as it is registered.
    pub name: String,
}

/// What somebody felt after a dose.
#[derive(Clone, Debug)]
pub struct ReactionRow {
    /// Whose.
    pub person: Uuid,
    /// Which.
    pub reaction: Uuid,
    /// After which dose.
    pub dose: Uuid,
    /// Words of the list.
    pub symptoms: serde_json::Value,
    /// How bad.
    pub severity: String,
    /// Since when.
    pub onset_at: UnixSeconds,
    /// When it was told.
    pub made_at: UnixSeconds,
}

/// A vaccination session that somebody is placed in.
#[derive(Clone, Debug)]
pub struct PlacedSession {
    /// Who.
    pub person: Uuid,
    /// Which.
    pub session: Uuid,
    /// Where: the facility's code.
    pub facility: String,
    /// The facility's name, if it is in the reference data.
    pub facility_name: Option<String>,
    /// The day.
    pub on_day: Date,
    /// `HH:MM`.
    pub begins: String,
    /// `HH:MM`.
    pub ends: String,
    /// The product's code, if it is known.
    pub product: Option<String>,
}

/// What an account sees of its people.
#[derive(Clone, Default)]
pub struct HeldRecords {
    /// Who they are, each with their registration if there is one.
    pub people: Vec<(RegisteredPerson, Option<RegistrationRow>)>,
    /// Their doses, but those that were voided.
    pub doses: Vec<DoseRow>,
    /// Their certificates.
    pub certificates: Vec<CertificateRow>,
    /// Their reactions.
    pub reactions: Vec<ReactionRow>,
    /// Where they are placed.
    pub sessions: Vec<PlacedSession>,
}

impl Store {
    /// The certificates of everybody whose record hangs on an account, newest first.
    pub async fn certificates_held(&self, account: Uuid) -> Result<Vec<HeldCertificate>, StoreError> {
        let people = members_of(self, account).await?;
        let sql = format!(
            "-- certificates of people
             SELECT {}, p.name FROM person p JOIN certificate c ON c.person_id = p.person_id
             WHERE p.person_id = ANY($1) ORDER BY c.issued_at DESC, c.number DESC",
            certificates::COLUMNS
        );
        let rows = self.rows(&sql, &[/* people */ &people]).await?;
        let held = |row: &Row| {
            let certificate = certificate_of(row, 0)?;
            Ok(HeldCertificate { row: certificate, name: row.get(certificates::COLUMN_COUNT) })
        };
        rows.iter().map(held).collect()
    }

    /// Everything that an account sees of its people.
    pub async fn records_held(&self, account: Uuid) -> Result<HeldRecords, StoreError> {
        let ids = members_of(self, account).await?;
        if ids.is_empty() {
            return Ok(HeldRecords::default());
        }
        let people = format!(
            "-- people held
             SELECT {REGISTERED_PERSON}, {REGISTRATION} FROM person p LEFT JOIN registration r ON r.person_id = p.person_id
             WHERE p.person_id = ANY($1) ORDER BY p.created_at, p.person_id"
        );
        let person = |row: &Row| {
            let person = registered_person_of(row, 0)?;
            let registration = registration_of(row, REGISTERED_PERSON_COUNT, person.ward.as_deref());
            Ok((person, registration))
        };
        let doses = format!(
            "-- doses held
             SELECT {} FROM dose d WHERE d.person_id = ANY($1) AND d.voided_at IS NULL ORDER BY d.given_at",
            doses::COLUMNS
        );
        let certificates = format!(
            "-- certificates held
             SELECT {} FROM certificate c WHERE c.person_id = ANY($1) ORDER BY c.issued_at, c.number",
            certificates::COLUMNS
        );
        let reactions = "-- reactions held
             SELECT person_id, reaction_id, dose_id, symptoms, severity, onset_at, made_at FROM reaction
             WHERE person_id = ANY($1) ORDER BY made_at";
        let sessions = "-- sessions held
             WITH p AS MATERIALIZED (SELECT person_id, facility_code, session_id FROM person_session WHERE person_id = ANY($1))
             SELECT p.person_id, s.session_id, s.facility_code, f.name, s.on_day, s.begins, s.ends, s.product
             FROM p JOIN session s ON s.facility_code = p.facility_code AND s.session_id = p.session_id
             LEFT JOIN facility f ON f.code = s.facility_code ORDER BY s.on_day, s.begins";
        let asked = [&*people, &*doses, &*certificates, reactions, sessions];
        let [people, doses, certificates, reactions, sessions] = self.rows_of(asked, &[/* people */ &ids]).await?;
        Ok(HeldRecords {
            people: people.iter().map(person).collect::<Result<_, StoreError>>()?,
            doses: doses.iter().map(dose_of).collect::<Result<_, _>>()?,
            certificates: certificates.iter().map(|row| certificate_of(row, 0)).collect::<Result<_, _>>()?,
            reactions: reactions.iter().map(reaction_of).collect(),
            sessions: sessions.iter().map(session_of).collect(),
        })
    }
}

fn reaction_of(row: &Row) -> ReactionRow {
    ReactionRow {
        person: row.get(0),
        reaction: row.get(1),
        dose: row.get(2),
        symptoms: row.get(3),
        severity: row.get(4),
        onset_at: seconds(row.get::<_, Timestamp>(5)),
        made_at: seconds(row.get::<_, Timestamp>(6)),
    }
}

fn session_of(row: &Row) -> PlacedSession {
    PlacedSession {
        person: row.get(0),
        session: row.get(1),
        facility: row.get(2),
        facility_name: row.get(3),
        on_day: row.get(4),
        begins: row.get(5),
        ends: row.get(6),
        product: row.get(7),
    }
}
