//! A throw-away PostgreSQL, started once a run; each test has its own schema in it, and drops it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use thexanh::store::embedded::Embedded;
use thexanh::store::{SCHEMA, Store, StoreSettings};
use tokio::sync::{RwLock, RwLockReadGuard};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

/// Where the tests' rows go: `DATABASE_URL` if it is set, else an embedded server under the build directory.
pub fn database_url() -> String {
    static SERVER: OnceLock<(String, Option<Embedded>)> = OnceLock::new();
    let (url, _) = SERVER.get_or_init(|| match std::env::var_os("DATABASE_URL") {
        Some(url) => (url.into_string().expect("a URL is text"), None),
        None => {
            let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
            // Started from a thread of its own: starting blocks, and some tests are inside a runtime.
            let server = std::thread::spawn(move || Embedded::start(&dir)).join().expect("no panic");
            let server = server.unwrap_or_else(|error| panic!("the tests need a PostgreSQL: {error}"));
            let (sockets, port) = (server.socket_dir().display(), server.port());
            let url = format!("host={sockets} port={port} user={} dbname={}", server.user(), server.database());
            (url, Some(server))
        }
    });
    url.clone()
}

/// Held for as long as a test spreads its tables over a cluster: no schema is dropped meanwhile. Citus puts a new reference table
/// beside those of other schemas and locks one of them, and [`drop_schema`] ends whoever holds a lock in its schema.
pub async fn spreading() -> RwLockReadGuard<'static, ()> {
    SPREADING.read().await
}

static SPREADING: RwLock<()> = RwLock::const_new(());

/// Whether `DATABASE_URL` names a Citus cluster.
pub async fn on_citus(client: &Client) -> bool {
    let citus = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')";
    client.query_one(citus, &[]).await.expect("asks").get(0)
}

/// A schema of one test's own.
pub struct TestSchema {
    /// Its name.
    pub name: String,
}

impl TestSchema {
    /// Makes an empty schema.
    pub async fn empty() -> TestSchema {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let admin = connect(None).await;
        admin.batch_execute(&format!("CREATE SCHEMA {name}")).await.expect("makes a schema");
        TestSchema { name }
    }

    /// Makes a schema with the tables in it, spread over the servers where `DATABASE_URL` names a Citus cluster.
    pub async fn new() -> TestSchema {
        let schema = TestSchema::empty().await;
        let client = connect(Some(&schema.name)).await;
        client.batch_execute(SCHEMA).await.expect("makes the tables");
        if on_citus(&client).await {
            let _spreading = spreading().await;
            schema.store().await.spread().await.unwrap_or_else(|error| panic!("spreads: {error}"));
        }
        schema
    }

    /// What to open a [`Store`] with.
    pub fn settings(&self) -> StoreSettings {
        StoreSettings {
            url: Some(database_url()),
            data_dir: env!("CARGO_TARGET_TMPDIR").into(),
            connections: 8,
            schema: Some(self.name.clone()),
        }
    }

    /// A store in this schema.
    pub async fn store(&self) -> Store {
        Store::open(&self.settings()).await.unwrap_or_else(|error| panic!("opens: {error}"))
    }

    /// A bare connection in this schema.
    pub async fn client(&self) -> Client {
        connect(Some(&self.name)).await
    }
}

impl Drop for TestSchema {
    fn drop(&mut self) {
        let name = self.name.clone();
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(drop_schema(&name));
        });
        let _ = dropped.join();
    }
}

/// Drops a schema, and ends whoever stands in the way.
///
/// A test's runtime stands still while its values are dropped, and with it what it left running: a service's transaction, say,
/// that would hold its locks until the server gives it up.
async fn drop_schema(name: &str) {
    let _nobody_spreads = SPREADING.write().await;
    let admin = connect(None).await;
    admin.batch_execute("SET lock_timeout = '50ms'").await.expect("sets");
    let end_others = "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
                      WHERE relnamespace::regnamespace::text = $1 AND pid <> pg_backend_pid()";
    while let Err(error) = admin.batch_execute(&format!("DROP SCHEMA {name} CASCADE")).await {
        assert_eq!(error.code(), Some(&SqlState::LOCK_NOT_AVAILABLE), "drops {name}: {error}");
        admin.query(end_others, &[&name]).await.expect("ends them");
    }
}

/// A bare connection to the tests' database.
pub async fn connect(schema: Option<&str>) -> Client {
    let mut config: tokio_postgres::Config = database_url().parse().expect("a connection URL");
    if let Some(schema) = schema {
        config.options(format!("-c search_path={schema}"));
    }
    let (client, connection) = config.connect(NoTls).await.expect("connects");
    tokio::spawn(connection);
    client
}
