//! What the rows of the access table that belong to the desk take, with everything that each needs in place.

use serde_json::{Value, json};
use thexanh::http::access::Route;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{ACCOUNT, DISTRICT_1};
use crate::app::NOW;

/// A request about a person of province 79 and facility 79001.
pub struct Case {
    pub path: String,
    pub body: Option<Value>,
}

/// Registers somebody who is enrolled, under the account of facility 79001's number.
pub async fn add_registration(sql: &Client, person: Uuid, place: (&str, &str), rank: i64, status: &str) {
    let at = jiff::Timestamp::from_second(NOW.0).expect("an instant");
    let member = "INSERT INTO account_member (account_id, person_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    sql.execute(member, &[&ACCOUNT, &person]).await.expect("a member");
    let registration =
        "INSERT INTO registration (person_id, account_id, district_code, priority, address, occupation, declaration,
                                   declared_at, consent, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, '12 Lê Lợi', 'teacher', '{}', $5, '{}', $6, $5, $5)";
    sql.execute(registration, &[&person, &ACCOUNT, &place.0, &rank, &at, &status]).await.expect("registers");
    let listed = "INSERT INTO registration_by_district (district_code, priority, person_id, ward_code, status)
                  VALUES ($1, $2, $3, $4, $5)";
    sql.execute(listed, &[&place.0, &rank, &person, &place.1, &status]).await.expect("lists");
    let day = thexanh::certificate::day_from_date(NOW.vietnamese_date());
    let changes = json!([[{"r": [place.1, rank, status, day]}, 1]]).to_string();
    let counted = "INSERT INTO tally (tally_id, changes) VALUES ($1, $2)";
    sql.execute(counted, &[&Uuid::new_v4(), &changes]).await.expect("counts");
}

async fn add_session(sql: &Client, placed: Option<Uuid>) -> String {
    let (session, at) = (Uuid::new_v4(), jiff::Timestamp::from_second(NOW.0).expect("an instant"));
    let insert = "INSERT INTO session (facility_code, session_id, on_day, begins, ends, capacity, placed, created_by, created_at)
                  VALUES ('79001', $1, '2021-08-03', '07:30', '11:00', 10, $2, 'tester', $3)";
    sql.execute(insert, &[&session, &i64::from(placed.is_some()), &at]).await.expect("a session");
    if let Some(person) = placed {
        let place =
            "INSERT INTO session_place (session_id, person_id, placed_at, placed_by) VALUES ($1, $2, $3, 'tester')";
        sql.execute(place, &[&session, &person, &at]).await.expect("a place");
        let lookup = "INSERT INTO person_session (person_id, session_id, facility_code) VALUES ($1, $2, '79001')";
        sql.execute(lookup, &[&person, &session]).await.expect("a place");
    }
    format!("79001.{}", session.simple())
}

async fn add_ticket(sql: &Client) -> Uuid {
    let (ticket, at) = (Uuid::new_v4(), jiff::Timestamp::from_second(NOW.0).expect("an instant"));
    let insert = "INSERT INTO ticket (bucket, ticket_id, kind, status, province_code, said, steps, version, made_at)
                  VALUES ($1, $2, 'call', 'open', '79', 'asks', '[]', 1, $3)";
    let bucket = ticket.simple().to_string().pop().expect("a digit").to_string();
    sql.execute(insert, &[&bucket, &ticket, &at]).await.expect("a ticket");
    ticket
}

impl Case {
    /// What a row of the desk's takes about whoever this certificate is of; `None` for the rows of others.
    pub async fn of(sql: &Client, row: &Route, uvci: &[u8]) -> Option<Case> {
        let case = |path: String, body: Option<Value>| Some(Case { path, body });
        let of_uvci = "SELECT person_id, dose_id FROM certificate WHERE uvci = $1";
        let found = sql.query_opt(of_uvci, &[&uvci]).await.expect("looks up");
        let (person, dose): (Uuid, Uuid) = found.map(|row| (row.get(0), row.get(1))).unwrap_or_default();
        let path = row.path;
        match (row.method, path) {
            ("GET", "/v1/registrations") => return case(format!("{path}?province=79&purpose=calls"), None),
            ("GET", "/v1/stats" | "/v1/tickets") => return case(format!("{path}?province=79"), None),
            ("GET", "/v1/stats/places") => return case(format!("{path}?level=district&within=79"), None),
            ("GET", _) if path.starts_with("/v1/stats/") => return case(format!("{path}?within=79"), None),
            ("POST", "/v1/appointments/sessions") => return case(path.to_owned(), Some(super::session(10))),
            ("GET", "/v1/people") => return case(format!("{path}?phone=0912345678&purpose=a+call"), None),
            ("GET", "/v1/audit") => return case(format!("{path}?day=2021-08-01"), None),
            ("POST", "/v1/tickets") => {
                return case(path.to_owned(), Some(json!({"province": "79", "said": "asks for the slip"})));
            }
            ("PATCH", "/v1/tickets/{ticket}") => {
                let path = path.replace("{ticket}", &add_ticket(sql).await.to_string());
                return case(path, Some(json!({"version": 1, "action": "assign", "to": "an"})));
            }
            ("POST", "/v1/reactions") if person.is_nil() => return case(path.to_owned(), Some(json!({}))),
            _ if !path.starts_with("/v1/appointments")
                && !["/v1/registrations/{id}", "/v1/people/{person}", "/v1/reactions"].contains(&path) =>
            {
                return None;
            }
            _ => {}
        }
        let path = path.replace("{person}", &person.to_string()).replace("{id}", &person.to_string());
        if person.is_nil() {
            return case(path.replace("{session}", &format!("79001.{}", person.simple())), Some(json!({})));
        }
        add_registration(sql, person, DISTRICT_1, 1, "registered").await;
        let seen = json!({"status": "registered", "contacts": 0});
        match (row.method, row.path) {
            ("PATCH", "/v1/registrations/{id}") => case(path, Some(json!({"status": "called", "seen": seen}))),
            ("GET", "/v1/people/{person}") => case(format!("{path}?purpose=a+call"), None),
            ("POST", "/v1/reactions") => {
                let dose = format!("{}.{}", person.simple(), dose.simple());
                let onset = "2021-07-31T09:00:00+07:00";
                let body = json!({"dose": dose, "symptoms": ["fever"], "severity": "mild", "onset_at": onset});
                case(path, Some(body))
            }
            // Staff say whose sessions, a citizen says for whom.
            ("GET", "/v1/appointments/sessions") => {
                add_session(sql, Some(person)).await;
                case(format!("{path}?facility=79001&person={person}"), None)
            }
            ("GET", _) => {
                case(format!("{}?purpose=the+day", path.replace("{session}", &add_session(sql, None).await)), None)
            }
            ("POST", _) => {
                case(path.replace("{session}", &add_session(sql, None).await), Some(json!({"person": person})))
            }
            _ => case(path.replace("{session}", &add_session(sql, Some(person)).await), None),
        }
    }
}
