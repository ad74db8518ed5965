//! What the access test sends to the rows of the table that are citizens'.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use thexanh::http::access::Route;

use super::{Gateway, declaration, registration_of};
use crate::app::TestApp;

/// Of the account 79001, or of the one that sends: what every citizen has of their own.
pub const OWN_BY_NATURE: [&str; 6] =
    ["/v1/registrations", "/v1/people/me", "/v1/people/me/phone", "/v1/people/claims", "/v1/certificates", "/v1/doses"];

impl TestApp {
    /// Hangs a person's record on the account 79001, and all its others off it.
    pub async fn hold(&self, person: &str) {
        let account = uuid::Uuid::from_u128(79_001);
        let sql = format!(
            "DELETE FROM account_member; DELETE FROM claim_day; DELETE FROM account; DELETE FROM account_by_phone;
             INSERT INTO account_member VALUES ('{account}', '{person}')"
        );
        self.sql().await.batch_execute(&sql).await.expect("writes");
    }

    /// Opens an account for whoever a token is of, under a number of its own.
    async fn open_account(&self, account: u128, n: u32) {
        let account = uuid::Uuid::from_u128(account);
        let phone = format!("+84{:09}", 700_000_000 + n);
        let key = &self.app.desk().data_key;
        let (sealed, hash) = (key.seal("phone", &phone), key.lookup_hash("phone", &phone));
        let database = self.sql().await;
        let sql = "INSERT INTO account VALUES ($1, $2, now(), 0) ON CONFLICT DO NOTHING";
        database.execute(sql, &[&account, &sealed]).await.expect("writes");
        let sql = "INSERT INTO account_by_phone VALUES ($1, $2) ON CONFLICT DO NOTHING";
        database.execute(sql, &[&hash.as_slice(), &account]).await.expect("writes");
    }

    /// The path and the body for a row that is citizens'; `None` for any other. `authorization`: who will send it.
    pub async fn citizens_row(
        &self,
        row: &Route,
        gateway: &Gateway,
        authorization: Option<&str>,
    ) -> Option<(String, Value)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let phone = format!("08{n:08}");
        let with_code = async || {
            let started = self.ask_code(&phone).await.json();
            (started["id"].clone(), gateway.code_for(&phone).await)
        };
        let registered = async || {
            let own = self.citizen(79_001);
            let id = self.register(&own, &registration_of(5_000_000 + n)).await;
            row.path.replace("{id}", &id)
        };
        let citizen = authorization.is_some_and(|token| token.starts_with("Bearer c."));
        Some(match (row.method, row.path) {
            ("POST", "/v1/sessions") => (row.path.to_owned(), json!({"phone": phone})),
            ("POST", "/v1/sessions/{id}/confirm") => {
                let (id, code) = with_code().await;
                (row.path.replace("{id}", id.as_str().expect("an id")), json!({"code": code}))
            }
            ("POST", "/v1/people/me/phone") => {
                for account in [79_001, 1_001] {
                    self.open_account(account, 2 * n + u32::from(account == 1_001)).await;
                }
                let (session, code) = with_code().await;
                (row.path.to_owned(), json!({"session": session, "code": code}))
            }
            ("POST", "/v1/people/claims") => {
                let mut dose = crate::app::dose_of(6_000_000 + n);
                dose["record_no"] = format!("C-{n}").into();
                self.certificate_of(&dose).await;
                let person = &dose["person"];
                (row.path.to_owned(), json!({"identity": person["identity"], "name": person["name"]}))
            }
            ("POST", "/v1/registrations") => (row.path.to_owned(), registration_of(4_000_000 + n)),
            ("POST", "/v1/registrations/{id}/declarations") => (registered().await, declaration()),
            ("PATCH", "/v1/registrations/{id}") => (registered().await, json!({"priority": 2})),
            (_, "/v1/registrations/{id}") if citizen => (registered().await, Value::Null),
            (_, "/v1/registrations/{id}") => (row.path.replace("{id}", "x"), Value::Null),
            _ => return None,
        })
    }
}
