//! The store against a real PostgreSQL, as the nodes of the service use it.

mod connections;
mod enrolment;
mod faults;
mod proxy;
mod revocations;
mod schema;
mod status_lists;
pub mod tls;

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::Value;
use thexanh::app::enlist;
use thexanh::certificate::Uvci;
use thexanh::registration::doses::{Desk, Reporter};
use thexanh::registration::{DoseError, Recorded, Recorder};
use thexanh::sealing::DataKey;
use thexanh::store::{GroupCommitSettings, IssuerKeyRow, Store, StoreSettings};
use thexanh::trust::TrustList;
use tokio_postgres::Client;

use crate::app::{NOW, config, dose, dose_of, keyring};
use crate::harness::TestSchema;

/// One node of the service, as far as its database is concerned: connections of its own, and doses recorded over them.
struct Node {
    store: Store,
    recorder: Recorder,
}

impl Node {
    async fn join(schema: &TestSchema) -> Arc<Node> {
        Node::with(&schema.settings()).await
    }

    async fn with(settings: &StoreSettings) -> Arc<Node> {
        let store = Store::open(settings).await.unwrap_or_else(|error| panic!("opens: {error}"));
        let keyring = keyring();
        enlist(&store, &keyring, NOW).await.expect("lists its keys");
        let (version, rows) = store.issuer_keys().await.expect("reads the keys");
        let keys: Result<Vec<_>, _> = rows.into_iter().map(IssuerKeyRow::trusted).collect();
        let trust =
            TrustList::new(version, keys.expect("readable keys"), &config().ed25519_engine()).expect("a trust list");
        let desk = Desk {
            store: store.clone(),
            data_key: Arc::new(DataKey::new(keyring.data_key())),
            keyring,
            trust: Arc::new(ArcSwap::from_pointee(trust)),
            correction_hours: 72,
        };
        // Small batches and several at once, so that transactions meet each other.
        let settings = GroupCommitSettings { queue: 1000, batch: 3, workers: 4 };
        Arc::new(Node { store, recorder: Recorder::new(desk, settings) })
    }

    /// Records a dose of `facility`'s, as its JSON says.
    async fn record(&self, facility: &str, dose: &Value) -> Result<Recorded, DoseError> {
        let by = Reporter { facility: facility.to_owned(), subject: "tester".to_owned() };
        self.recorder.record(&by, serde_json::from_value(dose.clone()).expect("a dose"), NOW).await
    }

    /// Certificates of this many people.
    async fn certificates(&self, people: u32) -> Vec<Uvci> {
        let by = Reporter { facility: "79001".to_owned(), subject: "tester".to_owned() };
        let doses = (0..people).map(|n| serde_json::from_value(dose_of(n)).expect("a dose")).collect();
        let recorded = self.recorder.record_many(&by, doses, NOW).await;
        recorded.into_iter().map(|recorded| recorded.expect("records").uvci).collect()
    }
}

/// A dose of DESIGN's person with some fields changed: (path, value); `""` takes the field away.
fn dose_with(record_no: &str, changes: &[(&str, &str)]) -> Value {
    let mut dose = dose(record_no, 1);
    for (path, value) in changes {
        let field = dose.pointer_mut(path).expect(path);
        *field = if value.is_empty() { Value::Null } else { (*value).into() };
    }
    dose
}

/// How many people, doses and certificates there are.
async fn counts(client: &Client) -> (i64, i64, i64) {
    let sql = "SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM dose), (SELECT count(*) FROM certificate)";
    let row = client.query_one(sql, &[]).await.expect("counts");
    (row.get(0), row.get(1), row.get(2))
}
