//! What facilities, provinces and the response centre do: lists, sessions, look-ups, reactions, tickets, the audit trail.

mod cases;
mod contacts;
mod doses;
mod lists;
mod people;
mod reactions;
mod sessions;
mod tickets;

use serde_json::{Value, json};
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::Role;
use thexanh::registration::priority;
use thexanh::sealing::DataKey;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::app::{NOW, TestApp};
use crate::client::Answer;

pub use cases::Case;

/// District 1 of Ho Chi Minh City with one of its communes; district 12; Ba Dinh in Ha Noi.
const DISTRICT_1: (&str, &str) = ("760", "26734");
const DISTRICT_12: (&str, &str) = ("761", "26764");
const BA_DINH: (&str, &str) = ("001", "00001");

/// The account of facility 79001's number, whose citizen [`TestApp::bearer`] is.
const ACCOUNT: Uuid = Uuid::from_u128(79_001);

/// The service, and its tables to look into.
struct Desk {
    app: TestApp,
    sql: Client,
}

/// Somebody to be registered.
struct Registrant<'a> {
    name: &'a str,
    phone: String,
    identity: String,
    place: (&'a str, &'a str),
    group: u64,
    status: &'a str,
}

impl Registrant<'_> {
    /// The `n`th, in district 1 and in no priority group.
    fn nth(n: u32) -> Registrant<'static> {
        Registrant {
            name: "Trần Văn An",
            phone: format!("+849{n:08}"),
            identity: format!("{:012}", 5_000_000 + n),
            place: DISTRICT_1,
            group: 0,
            status: "registered",
        }
    }
}

impl Desk {
    async fn start() -> Desk {
        let app = TestApp::start().await;
        let sql = app.sql().await;
        Desk { app, sql }
    }

    /// Registers somebody under [`ACCOUNT`], as the citizens' routes do.
    async fn register(&self, who: &Registrant<'_>) -> Uuid {
        let person = Uuid::new_v4();
        let key = DataKey::new(self.app.keyring.data_key());
        let name_key = thexanh::name::transliterate(who.name).unwrap_or_default();
        let at = jiff::Timestamp::from_second(NOW.0).expect("an instant");
        let insert = "INSERT INTO person (person_id, name, name_key, birth, ward_code, phone, identity, created_at)
                      VALUES ($1, $2, $3, '1990-05-17', $4, $5, $6, $7)";
        let (phone, identity) = (key.seal("phone", &who.phone), key.seal("identity", &who.identity));
        let columns: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
            [&person, &who.name, &name_key, &who.place.1, &phone, &identity, &at];
        self.sql.execute(insert, &columns).await.expect("enrols");
        let changes = json!([[{"p": [who.place.1, "n"]}, 1]]).to_string();
        let counted = "INSERT INTO tally (tally_id, changes) VALUES ($1, $2)";
        self.sql.execute(counted, &[&Uuid::new_v4(), &changes]).await.expect("counts");
        for (table, column, kind, number) in [
            ("person_by_phone", "phone_hash", "phone", &who.phone),
            ("person_by_identity", "identity_hash", "identity", &who.identity),
        ] {
            let hash = key.lookup_hash(kind, number).to_vec();
            let insert = format!(
                "INSERT INTO {table} ({column}, nth, person_id)
                 SELECT $1, coalesce(max(nth), 0) + 1, $2 FROM {table} WHERE {column} = $1"
            );
            self.sql.execute(&insert, &[&hash, &person]).await.expect("makes findable");
        }
        cases::add_registration(&self.sql, person, who.place, priority::rank(who.group).expect("a group"), who.status)
            .await;
        person
    }

    /// Makes a session of facility 79001's and gives its name.
    async fn session(&self, capacity: i64) -> String {
        let answer = self.post(Role::Facility, SESSIONS, &session(capacity)).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["session"].as_str().expect("a name").to_owned()
    }

    async fn post(&self, role: Role, path: &str, body: &Value) -> Answer {
        self.app.post_as(role, path, body).await
    }

    async fn get(&self, role: Role, path: &str) -> Answer {
        self.app.get_as(role, path).await
    }

    async fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("authorization", token)];
        self.app.request(method, path, &headers, body.to_string().as_bytes()).await
    }

    async fn patch(&self, role: Role, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, &self.app.bearer(role), body).await
    }

    /// What was written to the audit trail under this action: (role, about, why).
    async fn audited(&self, action: &str) -> Vec<(String, Option<Uuid>, String)> {
        let sql = "SELECT role, about, why FROM audit WHERE action = $1 ORDER BY at, audit_id";
        let rows = self.sql.query(sql, &[&action]).await.expect("reads");
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }

    /// How a registration stands, with its place in the list.
    async fn statuses(&self, person: Uuid) -> (String, String) {
        let sql = "WITH r AS MATERIALIZED (SELECT * FROM registration WHERE person_id = $1)
                   SELECT r.status, b.status FROM r JOIN registration_by_district b
                   ON b.district_code = r.district_code AND b.priority = r.priority AND b.person_id = r.person_id";
        let row = self.sql.query_one(sql, &[&person]).await.expect("registered");
        (row.get(0), row.get(1))
    }

    async fn count(&self, sql: &str) -> i64 {
        self.sql.query_one(sql, &[]).await.expect("counts").get(0)
    }
}

const SESSIONS: &str = "/v1/appointments/sessions";

/// A session of facility 79001's, two days from now.
fn session(capacity: i64) -> Value {
    json!({"facility": "79001", "date": "2021-08-03", "begins": "07:30", "ends": "11:00", "capacity": capacity})
}

/// Sets the clock so many seconds on.
fn later(desk: &Desk, seconds: i64) {
    desk.app.clock.set(UnixSeconds(NOW.0 + seconds));
}
