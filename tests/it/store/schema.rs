//! The rules of DESIGN §5 that let one schema run on PostgreSQL, Citus, YugabyteDB and CockroachDB, held against the catalog
//! of a migrated schema, and against the SQL of the store.

use std::path::Path;

use thexanh::store::placement::{PLACEMENTS, Placement};
use tokio_postgres::Client;

use crate::harness::{TestSchema, on_citus, spreading};

/// Tables that are distributed by a value of their own: the only ones that may have a person_id that does not lead.
fn look_ups() -> Vec<&'static str> {
    let own = |(table, placement): &(&'static str, Placement)| matches!(placement, Placement::By(_)).then_some(*table);
    PLACEMENTS.iter().filter_map(own).collect()
}

/// What the rules speak of: our tables and their columns. `$1`: the schema, `$2`: the look-up tables. Refinery keeps its own
/// table, in int4 and varchar, on every engine.
const ABOUT: &str = "
    WITH class AS (
        SELECT c.oid, c.relname::text AS name, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1::text AND c.relname NOT LIKE 'refinery%'
    ), col AS (
        SELECT t.oid, t.name AS table_name, a.attnum, a.attname::text AS name, a.attnotnull, a.attidentity, a.attgenerated,
               format_type(a.atttypid, a.atttypmod) AS type
        FROM class t JOIN pg_attribute a ON a.attrelid = t.oid
        WHERE t.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    ), scoped AS (
        SELECT oid, table_name AS name, attnum, attnotnull, type FROM col WHERE name = 'person_id' AND table_name <> ALL ($2::text[])
    ), look_up AS (
        SELECT oid, table_name AS name, attnum FROM col WHERE name = 'person_id' AND table_name = ANY ($2::text[])
    )";

/// Each rule, and what names those that break it.
const RULES: [(&str, &str); 12] = [
    (
        "columns are bigint, text, bytea, jsonb, timestamptz, date, uuid or boolean",
        "SELECT table_name || '.' || name FROM col WHERE type NOT IN
         ('bigint', 'text', 'bytea', 'jsonb', 'timestamp with time zone', 'date', 'uuid', 'boolean')",
    ),
    (
        "no sequences, serials or identities",
        "SELECT class.name FROM class JOIN pg_sequence ON seqrelid = class.oid
         UNION SELECT table_name || '.' || name FROM col WHERE attidentity <> '' OR attgenerated <> ''
         UNION SELECT table_name || '.' || name FROM col JOIN pg_attrdef d ON d.adrelid = col.oid AND d.adnum = col.attnum
               WHERE pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval%'",
    ),
    ("tables and their indexes, and nothing else", "SELECT name FROM class WHERE relkind NOT IN ('r', 'i', 'S')"),
    (
        "no triggers",
        "SELECT class.name || '.' || t.tgname FROM class JOIN pg_trigger t ON t.tgrelid = class.oid WHERE NOT t.tgisinternal",
    ),
    (
        "no functions or procedures",
        "SELECT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1::text",
    ),
    (
        "every table has a primary key",
        "SELECT name FROM class WHERE relkind = 'r'
         AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = class.oid AND i.indisprimary)",
    ),
    ("a person_id is a uuid, never null", "SELECT name FROM scoped WHERE type <> 'uuid' OR NOT attnotnull"),
    (
        "person-scoped tables lead their keys with person_id",
        "SELECT scoped.name FROM scoped JOIN pg_index i ON i.indrelid = scoped.oid
         WHERE i.indisunique AND i.indkey[0] <> scoped.attnum",
    ),
    (
        "person-scoped tables lead their foreign keys with person_id, on both sides",
        "SELECT scoped.name || '.' || c.conname FROM scoped JOIN pg_constraint c ON c.conrelid = scoped.oid AND c.contype = 'f'
         WHERE c.conkey[1] <> scoped.attnum
         OR NOT EXISTS (SELECT FROM scoped other WHERE other.oid = c.confrelid AND other.attnum = c.confkey[1])",
    ),
    (
        "look-up tables are keyed by their own value, and refer to none",
        "SELECT missing.name FROM unnest($2::text[]) AS missing (name) WHERE missing.name NOT IN (SELECT name FROM class)
         UNION SELECT look_up.name FROM look_up JOIN pg_index i ON i.indrelid = look_up.oid
               WHERE i.indisprimary AND i.indkey[0] = look_up.attnum
         UNION SELECT look_up.name FROM look_up JOIN pg_constraint c ON c.conrelid = look_up.oid AND c.contype = 'f'",
    ),
    (
        "no key or index leads with a time",
        "SELECT index.name FROM class index JOIN pg_index i ON i.indexrelid = index.oid
         LEFT JOIN col ON col.oid = i.indrelid AND col.attnum = i.indkey[0]
         WHERE col.type IS NULL OR col.type LIKE 'time%' OR col.type = 'date'",
    ),
    (
        "identity numbers and phones are bytea",
        "SELECT table_name || '.' || name FROM col WHERE name ~ '(identity|phone)' AND type <> 'bytea'",
    ),
];

/// Who breaks which rule, in the order of the rules and of their names.
async fn breaches(client: &Client, schema: &str, look_ups: &[&str]) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (rule, sql) in RULES {
        let sql = format!("{ABOUT} SELECT found.name FROM ({sql}) AS found (name) ORDER BY 1");
        let rows = client.query(&sql, &[&schema, &look_ups]).await.unwrap_or_else(|error| panic!("{rule}: {error:?}"));
        found.extend(rows.iter().map(|row| (rule, row.get(0))));
    }
    found
}

#[tokio::test]
async fn the_migrated_schema_keeps_the_rules_that_let_it_be_distributed() {
    let schema = TestSchema::empty().await;
    schema.store().await.migrate().await.expect("migrates");
    let client = schema.client().await;
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema";
    let tables: i64 = client.query_one(tables, &[]).await.expect("counts").get(0);
    assert!(tables >= 13, "there is something to hold to the rules");
    assert_eq!(breaches(&client, &schema.name, &look_ups()).await, []);
}

#[tokio::test]
async fn every_table_has_its_place_on_a_cluster_and_is_keyed_by_what_it_is_placed_by() {
    let schema = TestSchema::empty().await;
    schema.store().await.migrate().await.expect("migrates");
    let keys = "SELECT c.relname::text, a.attname::text FROM pg_class c
                JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
                JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                WHERE c.relnamespace = $1::text::regnamespace AND c.relname NOT LIKE 'refinery%' ORDER BY 1";
    let rows = schema.client().await.query(keys, &[&schema.name]).await.expect("reads");
    let leading: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut placed: Vec<(String, String)> = Vec::new();
    for (table, placement) in PLACEMENTS {
        let key = leading.iter().find(|(name, _)| name == table).map_or("", |(_, key)| key);
        let column = match placement {
            Placement::ByPerson => "person_id",
            Placement::By(column) => column,
            Placement::Everywhere | Placement::Coordinator => key,
        };
        placed.push(((*table).to_owned(), column.to_owned()));
    }
    placed.sort();
    assert_eq!(placed, leading);
}

#[tokio::test]
async fn a_schema_that_breaks_every_rule_is_told_of_each_by_name() {
    let schema = TestSchema::empty().await;
    let client = schema.client().await;
    client
        .batch_execute(
            "CREATE TABLE person (person_id uuid PRIMARY KEY, name varchar(80), phone text NOT NULL);
             CREATE TABLE site (code text PRIMARY KEY);
             CREATE TABLE visit (
                 visit_id bigserial PRIMARY KEY,
                 person_id uuid REFERENCES person (person_id),
                 seen_at timestamptz NOT NULL,
                 site_code text REFERENCES site (code),
                 cost numeric
             );
             CREATE INDEX visit_by_time ON visit (seen_at, person_id);
             CREATE INDEX visit_by_hour ON visit (extract(hour FROM seen_at AT TIME ZONE 'UTC'));
             CREATE TABLE call (person_id text NOT NULL, seen_on date UNIQUE, place bigint GENERATED ALWAYS AS IDENTITY);
             CREATE TABLE person_by_card (card bytea, person_id uuid REFERENCES person (person_id), PRIMARY KEY (person_id, card));
             CREATE VIEW visitors AS SELECT person_id FROM visit;
             CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TRIGGER stamps BEFORE INSERT ON visit FOR EACH ROW EXECUTE FUNCTION stamp();",
        )
        .await
        .expect("makes a bad schema");
    let found = breaches(&client, &schema.name, &["person_by_card", "person_by_nothing"]).await;
    let expected = [
        (0, "person.name"),
        (0, "visit.cost"),
        (1, "call.place"),
        (1, "call_place_seq"),
        (1, "visit.visit_id"),
        (1, "visit_visit_id_seq"),
        (2, "visitors"),
        (3, "visit.stamps"),
        (4, "stamp"),
        (5, "call"),
        (6, "call"),
        (6, "visit"),
        (7, "call"),
        (7, "visit"),
        (8, "visit.visit_site_code_fkey"),
        (9, "person_by_card"),
        (9, "person_by_nothing"),
        (10, "call_seen_on_key"),
        (10, "visit_by_hour"),
        (10, "visit_by_time"),
        (11, "person.phone"),
    ];
    assert_eq!(found, expected.map(|(rule, name)| (RULES[rule].0, name.to_owned())));
}

/// What SQL may not say: it is PostgreSQL's alone, or binds a session to one server.
const FOREIGN_WORDS: [&str; 11] = [
    "LISTEN ",
    "UNLISTEN",
    "NOTIFY",
    "pg_notify",
    "advisory",
    "nextval",
    "SERIAL PRIMARY",
    "CREATE FUNCTION",
    "CREATE TRIGGER",
    "LOCK TABLE",
    "WITH HOLD",
];

fn foreign_words(sql: &str) -> Vec<&'static str> {
    FOREIGN_WORDS.into_iter().filter(|word| sql.contains(word)).collect()
}

#[test]
fn the_store_speaks_no_sql_that_other_engines_lack() {
    assert_eq!(foreign_words("LISTEN revoked; SELECT pg_advisory_lock(1)"), ["LISTEN ", "advisory"]);
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let files = std::fs::read_dir(&room).expect("the store's room").map(|entry| entry.expect("a file").path());
    let mut labelled = 0;
    for file in files {
        let source = std::fs::read_to_string(&file).expect("source text");
        assert_eq!(foreign_words(&source), [""; 0], "{}", file.display());
        labelled += source.matches("\"-- ").count();
    }
    assert!(labelled >= 20, "SQL was read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_migrate_once() {
    let schema = TestSchema::empty().await;
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = schema.store().await;
        starting.spawn(async move { store.migrate().await });
    }
    while let Some(done) = starting.join_next().await {
        done.expect("no panic").unwrap_or_else(|error| panic!("migrates: {error}"));
    }
    let client = schema.client().await;
    let versions = "SELECT count(*) FROM refinery_schema_history";
    assert_eq!(client.query_one(versions, &[]).await.expect("reads").get::<_, i64>(0), 2);
}

/// On a cluster (`DATABASE_URL`, tests/citus) the tables are where [`PLACEMENTS`] says; on one server it is said what is missing.
#[tokio::test]
async fn a_schema_is_spread_over_a_cluster_and_refused_on_one_server() {
    let schema = TestSchema::empty().await;
    let (store, client) = (schema.store().await, schema.client().await);
    if !on_citus(&client).await {
        let refused = store.migrate_to_citus().await.expect_err("there is no cluster");
        assert_eq!(refused.code(), "database_migration");
        assert!(refused.to_string().contains("extension citus"), "{refused}");
        return;
    }
    store.migrate().await.unwrap_or_else(|error| panic!("migrates: {error}"));
    let province = "INSERT INTO province (code, name) VALUES ('79', 'Thành phố Hồ Chí Minh')";
    client.execute(province, &[]).await.expect("writes");
    let spreading = spreading().await;
    store.migrate_to_citus().await.unwrap_or_else(|error| panic!("spreads: {error}"));
    let placed = "SELECT c.relname::text, d.partmethod::text, column_to_column_name(d.logicalrelid, d.partkey), d.colocationid::bigint
                  FROM pg_dist_partition d JOIN pg_class c ON c.oid = d.logicalrelid
                  WHERE c.relnamespace = $1::text::regnamespace";
    let rows = client.query(placed, &[&schema.name]).await.expect("reads");
    let row_of = |table: &str| rows.iter().find(|row| row.get::<_, &str>(0) == table);
    let together = row_of("person").expect("placed").get::<_, i64>(3);
    for (table, placement) in PLACEMENTS {
        let row = row_of(table);
        let found = row.map(|row| (row.get::<_, String>(1), row.get::<_, Option<String>>(2)));
        let by = |column: &str| Some(("h".to_owned(), Some(column.to_owned())));
        let expected = match placement {
            Placement::Everywhere => Some(("n".to_owned(), None)),
            Placement::Coordinator => None,
            Placement::ByPerson => by("person_id"),
            Placement::By(column) => by(column),
        };
        assert_eq!(found, expected, "{table}");
        if *placement == Placement::ByPerson {
            assert_eq!(row.map(|row| row.get::<_, i64>(3)), Some(together), "{table} is with its person");
        }
    }
    // What was there goes with its table; and a cluster is spread once.
    store.migrate_to_citus().await.unwrap_or_else(|error| panic!("again: {error}"));
    store.migrate().await.unwrap_or_else(|error| panic!("as before: {error}"));
    drop(spreading);
    assert_eq!(client.query_one("SELECT count(*) FROM province", &[]).await.expect("reads").get::<_, i64>(0), 1);
}
