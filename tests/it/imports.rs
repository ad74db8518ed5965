//! Backlog files: dry runs, repairs, repeats, people met twice, what is unclear, what is hostile, uploads; and a run that is killed.

use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::Role;
use thexanh::registration::reference;
use thexanh::store::{Facility, Store, StoreSettings};

use crate::app::{NOW, TestApp, dose};
use crate::cli::Place;
use crate::client::{Answer, Connection, request};

const HEADINGS: &str =
    "record_no,name,birth,sex,phone,identity,ward,product,lot,lot_expires_on,given_at,number,facility";
const CSV: (&str, &str) = ("content-type", "text/csv");

/// A row: the first dose of DESIGN's person, with some cells of its own.
fn row(record_no: &str, changes: &[(&str, &str)]) -> String {
    let cell = |heading: &str| {
        let changed = changes.iter().find(|(name, _)| *name == heading).map(|(_, value)| (*value).to_owned());
        changed.unwrap_or_else(|| {
            let whole = dose(record_no, 1);
            match heading {
                "record_no" => record_no.to_owned(),
                "facility" => String::new(),
                "number" => "1".to_owned(),
                "given_at" => "2021-06-06T02:15:00Z".to_owned(),
                "product" | "lot" | "lot_expires_on" => whole[heading].as_str().expect("text").to_owned(),
                _ => whole["person"][heading].as_str().expect("text").to_owned(),
            }
        })
    };
    HEADINGS.split(',').map(cell).collect::<Vec<_>>().join(",")
}

/// A row of the `n`th other person.
fn row_of(n: u32) -> String {
    let (identity, phone) = (format!("{:012}", 1_000_000 + n), format!("09{n:08}"));
    row(&format!("B-{n}"), &[("identity", &identity), ("phone", &phone)])
}

fn file(rows: &[String]) -> String {
    format!("{HEADINGS}\n{}\n", rows.join("\n"))
}

impl TestApp {
    /// Sends a file as a facility.
    async fn upload(&self, facility: &str, query: &str, file: &str) -> Answer {
        let bearer = self.bearer_of(Role::Facility, facility, "79");
        self.request("POST", &format!("/v1/imports{query}"), &[CSV, ("authorization", &bearer)], file.as_bytes()).await
    }

    /// The import at `location`, once it is over.
    async fn ended(&self, location: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.get_as(Role::Ministry, location).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("cache-control"), "no-store");
            let import = answer.json();
            if import["status"] == "done" || import["status"] == "failed" {
                return import;
            }
            assert!(Instant::now() < deadline, "{import}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends a file as a facility and waits for its import's end.
    async fn import(&self, facility: &str, file: &str) -> Value {
        let answer = self.upload(facility, "", file).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        self.ended(answer.header("location")).await
    }

    /// How many people, doses and certificates there are.
    async fn rows(&self) -> [i64; 3] {
        [
            self.count("SELECT count(*) FROM person").await,
            self.count("SELECT count(*) FROM dose").await,
            self.count("SELECT count(*) FROM certificate").await,
        ]
    }
}

fn counts(import: &Value) -> [u64; 5] {
    ["rows", "new_doses", "known_doses", "queued", "rejected"].map(|name| import[name].as_u64().expect(name))
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_refused_and_leaves_nothing() {
    let app = TestApp::start().await;
    let mut rows: Vec<String> = (0..30).map(|n| row(&format!("X-{n}"), &[("lot", "")])).collect();
    rows.insert(0, row_of(1));
    let answer = app.upload("79001", "?dry_run=true", &file(&rows)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = answer.json();
    assert_eq!((&said["status"], &said["rows"], &said["rejected"]), (&json!("done"), &json!(31), &json!(30)));
    assert_eq!(said["id"], Value::Null);
    let errors = said["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 20, "the first of them");
    assert_eq!(
        (&errors[0]["line"], &errors[0]["column"], &errors[0]["code"]),
        (&json!(3), &json!("lot"), &errors[1]["code"])
    );
    assert_eq!(app.rows().await, [0, 0, 0]);
    assert_eq!(app.count("SELECT count(*) FROM import").await, 0);
    assert!(app.app.imports().received(uuid::Uuid::nil()).is_err());
}

#[tokio::test]
async fn rejected_rows_are_repaired_and_sent_again() {
    let app = TestApp::start().await;
    let rows = [row_of(1), row("bad", &[("birth", "1983-02-30"), ("name", "=cmd|' /C calc'!A0")]), row_of(2)];
    let import = app.import("79001", &file(&rows)).await;
    assert_eq!(counts(&import), [3, 2, 0, 0, 1]);
    assert_eq!(import["errors"][0]["line"], 3);
    let vietnamese = app
        .request(
            "GET",
            &format!("/v1/imports/{}", import["id"].as_str().expect("an id")),
            &[("authorization", &app.bearer(Role::Province)), ("accept-language", "vi")],
            b"",
        )
        .await
        .json();
    assert_ne!(vietnamese["errors"][0]["detail"], import["errors"][0]["detail"]);

    let path = import["rejects"].as_str().expect("a path");
    let rejects = app.get_as(Role::Facility, path).await;
    assert_eq!((rejects.status, rejects.header("content-type")), (200, "text/csv; charset=utf-8"));
    let text = rejects.text().to_owned();
    assert!(text.starts_with('\u{feff}'), "for spreadsheets");
    assert!(text.contains("'=cmd"), "nothing in it is run: {text}");
    assert_eq!(text.lines().count(), 2);
    let audited = "SELECT count(*) FROM audit WHERE action = 'import.rejects' AND subject = 'tester'";
    assert_eq!(app.count(audited).await, 1);

    let repaired = text.replace("1983-02-30", "1983-02-28").replace("'=cmd|' /C calc'!A0", "Trần Văn Sửa");
    let import = app.import("79001", &repaired).await;
    assert_eq!(counts(&import), [1, 1, 0, 0, 0], "{import}");
    assert_eq!(app.rows().await, [3, 3, 3]);
}

#[tokio::test]
async fn the_same_file_twice_changes_nothing() {
    let app = TestApp::start().await;
    let rows: Vec<String> = (0..50).map(row_of).collect();
    let first = app.import("79001", &file(&rows)).await;
    assert_eq!(counts(&first), [50, 50, 0, 0, 0]);
    let before = app.rows().await;
    let again = app.import("79001", &file(&rows)).await;
    assert_eq!(counts(&again), [50, 0, 50, 0, 0]);
    assert_eq!(app.rows().await, before);
    let other = app.import("79001", &file(&[row("B-7", &[("lot", "other")])])).await;
    assert_eq!((counts(&other), &other["errors"][0]["code"]), ([1, 0, 0, 0, 1], &json!("record_conflict")));
}

#[tokio::test]
async fn one_person_under_an_old_number_here_and_a_new_one_there_is_one_person() {
    let app = TestApp::start().await;
    let old = row("H-1", &[("identity", "024123456"), ("name", "NGUYEN THI PHUONG THAO")]);
    assert_eq!(counts(&app.import("79001", &file(&[old])).await), [1, 1, 0, 0, 0]);
    let new = row("C-1", &[("given_at", "2021-07-04T02:15:00Z"), ("number", "2")]);
    assert_eq!(counts(&app.import("79002", &file(&[new])).await), [1, 1, 0, 0, 0]);
    assert_eq!(app.rows().await, [1, 2, 2]);
    assert_eq!(app.count("SELECT count(*) FROM person_by_identity").await, 2);
    let cards = "SELECT count(*) FROM certificate WHERE card = 'green' AND number = 2 AND superseded_at IS NULL";
    assert_eq!(app.count(cards).await, 1);
    assert_eq!(app.count("SELECT count(*) FROM certificate WHERE superseded_at IS NOT NULL").await, 1);
}

#[tokio::test]
async fn a_row_that_may_be_anybody_s_waits_with_its_candidates() {
    let app = TestApp::start().await;
    // Two who share name, birth date and phone, and a row that has no number.
    let twins = [row("T-1", &[("identity", "001183000001")]), row("T-2", &[("identity", "001183000002")])];
    assert_eq!(counts(&app.import("79001", &file(&twins)).await), [2, 2, 0, 1, 0], "the second may be the first");
    let unclear = row("T-3", &[("identity", ""), ("given_at", "2021-07-04T02:15:00Z"), ("facility", "79002")]);
    let bearer = app.bearer(Role::Province);
    let sent =
        app.request("POST", "/v1/imports", &[CSV, ("authorization", &bearer)], file(&[unclear]).as_bytes()).await;
    assert_eq!(counts(&app.ended(sent.header("location")).await), [1, 1, 0, 1, 0]);
    assert_eq!(app.rows().await, [3, 3, 3], "never merged silently");
    let client = app.sql().await;
    let queued = client
        .query_one(
            "WITH f AS MATERIALIZED (SELECT * FROM correction_by_facility WHERE facility_code = '79002')
             SELECT c.claim, c.person_id, c.kind, c.status FROM f JOIN correction c
             ON c.person_id = f.person_id AND c.correction_id = f.correction_id AND c.due_at = f.due_at
             WHERE c.facility_code = '79002'",
            &[],
        )
        .await
        .expect("one for the facility whose row it is");
    let (claim, person): (Value, uuid::Uuid) = (queued.get(0), queued.get(1));
    assert_eq!((queued.get::<_, &str>(2), queued.get::<_, &str>(3)), ("unclear_person", "open"));
    assert_eq!(claim["candidates"].as_array().map(Vec::len), Some(2), "{claim}");
    let dose = claim["dose"].as_str().and_then(|dose| uuid::Uuid::try_parse(dose).ok()).expect("a dose");
    let theirs = client.query_one("SELECT person_id FROM dose WHERE dose_id = $1", &[&dose]).await.expect("recorded");
    assert_eq!(theirs.get::<_, uuid::Uuid>(0), person);
}

#[tokio::test]
async fn a_file_holds_only_doses_of_facilities_within_reach() {
    let app = TestApp::start().await;
    let rows = [
        row("F-1", &[("facility", "79002")]),
        row("F-2", &[("facility", "nowhere")]),
        row("F-3", &[("facility", "79001"), ("identity", ""), ("phone", "")]),
    ];
    let import = app.import("79001", &file(&rows)).await;
    let codes: Vec<&str> = import["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["code"].as_str().expect("a word"))
        .collect();
    assert_eq!((counts(&import), codes), ([3, 1, 0, 0, 2], vec!["not_yours", "facility_unknown"]));

    let foreign = app.upload("79001", "?facility=01001", &file(&rows)).await;
    foreign.problem(403, "not_yours");
    app.upload("79001", "?facility=nowhere", &file(&rows)).await.problem(422, "facility_unknown");
    app.upload("79001", "?colour=green", &file(&rows)).await.problem(400, "bad_parameter");
    let path = format!("/v1/imports/{}", import["id"].as_str().expect("an id"));
    let as_other = |facility: &'static str, role| app.bearer_of(role, facility, "01");
    for bearer in [as_other("79002", Role::Facility), as_other("01001", Role::Province)] {
        for path in [path.clone(), format!("{path}/rejects.csv")] {
            app.request("GET", &path, &[("authorization", &bearer)], b"").await.problem(403, "not_yours");
        }
    }
    app.get_as(Role::Ministry, "/v1/imports/00000000-0000-0000-0000-000000000000").await.problem(404, "unknown_import");
    app.get_as(Role::Ministry, "/v1/imports/x").await.problem(404, "unknown_import");

    // What a province sends for one of its facilities may hold another's rows: the first does not see them.
    let sent = app
        .request(
            "POST",
            "/v1/imports?facility=79001",
            &[CSV, ("authorization", &app.bearer(Role::Province))],
            file(&[row("P-1", &[("facility", "79002"), ("lot", "")])]).as_bytes(),
        )
        .await;
    let location = sent.header("location").to_owned();
    assert_eq!(counts(&app.ended(&location).await), [1, 0, 0, 0, 1]);
    app.get_as(Role::Facility, &format!("{location}/rejects.csv")).await.problem(403, "not_yours");
    assert_eq!(app.get_as(Role::Province, &format!("{location}/rejects.csv")).await.status, 200);

    let province = app.bearer(Role::Province);
    let (headers, body) = ([CSV, ("authorization", &*province)], file(&[row_of(9)]));
    let nobody_s = app.request("POST", "/v1/imports", &headers, body.as_bytes()).await;
    let import = app.ended(nobody_s.header("location")).await;
    assert_eq!((counts(&import), &import["errors"][0]["code"]), ([1, 0, 0, 0, 1], &json!("facility_missing")));
}

#[tokio::test]
async fn hostile_files_do_no_harm() {
    let app = TestApp::start_with(|config| config.imports.max_mib = 2).await;
    let heading = file(&[row_of(7)]).replace("sex,", "sex\0,");
    assert_eq!(counts(&app.import("79001", &heading).await), [1, 1, 0, 0, 0], "the database takes no zero byte");
    let sql = "'); DROP TABLE person; --";
    let rows = [
        row("S-1", &[("name", sql)]),
        row("S-2", &[("lot", sql)]),
        row("S-3", &[("lot", "<script>alert(1)</script>"), ("identity", ""), ("phone", "")]),
        row("S-4", &[("lot", &"x".repeat(1_500_000))]),
        row_of(4),
    ];
    let import = app.import("79001", &file(&rows)).await;
    let [rows_read, new, _, _, rejected] = counts(&import);
    assert_eq!((rows_read, new + rejected), (5, 5), "each row is taken or refused: {import}");
    assert!(!import.to_string().contains("DROP TABLE"), "nothing is repeated");
    assert!(app.rows().await[0] > 0);
    let refused = |code: &'static str, body: Vec<u8>| {
        let (app, bearer) = (&app, app.bearer(Role::Facility));
        async move {
            let answer = app.request("POST", "/v1/imports", &[CSV, ("authorization", &bearer)], &body).await;
            assert_eq!((answer.status / 100, answer.json()["code"].as_str()), (4, Some(code)), "{}", answer.text());
        }
    };
    refused("body_too_large", vec![b'a'; (2 << 20) + 1]).await;
    refused("file_empty", Vec::new()).await;
    refused("header_missing", b"hello\nworld\n".to_vec()).await;
    let media = [("content-type", "application/pdf"), ("authorization", &*app.bearer(Role::Facility))];
    app.request("POST", "/v1/imports", &media, b"%PDF").await.problem(415, "unsupported_media_type");
    let waiting = std::fs::read_dir(app.app.config().data.join("imports")).expect("there");
    assert_eq!(waiting.count(), 0, "what was refused, and what is done, is gone from the disk");
}

#[tokio::test]
async fn a_file_whose_sender_went_away_after_its_last_byte_does_not_stay() {
    let app = TestApp::start().await;
    let rows: Vec<String> = (0..20_000).map(row_of).collect();
    let bearer = app.bearer(Role::Facility);
    let mut connection = Connection::open(app.address()).await;
    let headers = [CSV, ("authorization", &*bearer)];
    connection.send(&request("POST", "/v1/imports?dry_run=true", &headers, file(&rows).as_bytes())).await;
    let received = |ending: &str| {
        let files = std::fs::read_dir(app.app.config().data.join("imports")).into_iter().flatten();
        files
            .filter(|file| file.as_ref().is_ok_and(|file| file.path().extension().is_some_and(|of| of == ending)))
            .count()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while received("sent") == 0 {
        assert!(Instant::now() < deadline, "it was never received whole");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(connection);
    while received("sent") + received("part") + received("sealed") > 0 {
        assert!(Instant::now() < deadline, "it is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_import_that_a_stop_cut_short_goes_on_at_the_next_start() {
    let app = TestApp::start().await;
    let rows: Vec<String> = (0..9_000).map(row_of).collect();
    let sent = app.upload("79001", "", &file(&rows)).await;
    let location = sent.header("location").to_owned();
    while app.count("SELECT rows_done FROM import").await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.app.stop().await;
    let done = app.count("SELECT rows_done FROM import").await;
    assert_eq!(app.count("SELECT count(*) FROM dose").await, done, "progress and doses are committed together");
    let app = app.again().await;
    let import = app.ended(&location).await;
    assert_eq!(counts(&import), [9_000, 9_000, 0, 0, 0]);
    assert_eq!(app.rows().await, [9_000, 9_000, 9_000]);
}

#[tokio::test]
async fn an_import_under_way_says_how_fast_it_is_and_its_certificates_when_they_were_signed() {
    let app = TestApp::start().await;
    let rows: Vec<String> = (0..9_000).map(row_of).collect();
    let sent = app.upload("79001", "", &file(&rows)).await;
    while app.count("SELECT rows_done FROM import").await == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    app.clock.set(UnixSeconds(NOW.0 + 60));
    let import = app.ended(sent.header("location")).await;
    assert_eq!(counts(&import), [9_000, 9_000, 0, 0, 0]);
    let told = ["started_at", "updated_at", "ended_at", "rate"].map(|name| import[name].as_i64());
    assert_eq!(told, [Some(NOW.0), Some(NOW.0 + 60), Some(NOW.0 + 60), Some(150)]);
    let instants = "SELECT count(DISTINCT issued_at) FROM certificate";
    assert_eq!(app.count(instants).await, 2, "each chunk is signed at its own time");
}

/// The database of an installation, from outside.
async fn database(place: &Place) -> Store {
    let data_dir = place.0.join("data");
    let store = Store::open(&StoreSettings { url: None, data_dir, connections: 2, schema: None }).await.expect("opens");
    store.migrate().await.expect("migrates");
    let facility =
        |code: &str| Facility { code: code.to_owned(), name: "Trạm y tế".to_owned(), province: "79".to_owned() };
    store.put_reference(&reference::provinces(), &[facility("79001"), facility("79002")]).await.expect("puts");
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_goes_on_and_loses_and_doubles_nothing() {
    let place = Place::new("import-killed");
    std::fs::create_dir_all(place.0.join("data")).expect("makes");
    let store = database(&place).await;
    let count = 12_000;
    let mut rows: Vec<String> = (0..count).map(row_of).collect();
    rows.insert(100, row("bad", &[("lot", "")]));
    std::fs::write(place.0.join("backlog.csv"), file(&rows)).expect("writes");
    let arguments = ["import", "backlog.csv", "--facility", "79001", "--rejects", "rejects.csv", "--json"];
    let embedded = store.embedded().expect("embedded");
    let url = format!(
        "host={} port={} user={} dbname={}",
        embedded.socket_dir().display(),
        embedded.port(),
        embedded.user(),
        embedded.database()
    );
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("connects");
    tokio::spawn(connection);
    let number = async |sql: &str| client.query_one(sql, &[]).await.expect("counts").get::<_, i64>(0);

    let mut process = place.command(&arguments).stdout(Stdio::null()).spawn().expect("starts");
    while number("SELECT coalesce(max(rows_done), 0) FROM import").await < 2_000 {
        assert!(process.try_wait().expect("asks").is_none(), "it is still at it");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    process.kill().expect("kills");
    process.wait().expect("ends");
    let done = number("SELECT max(rows_done) FROM import").await;
    assert!((2_000..i64::from(count)).contains(&done), "in the middle: {done}");

    let (status, said) = place.json(&arguments[..arguments.len() - 1]);
    let last = said.last().expect("an answer");
    assert_eq!((status, &last["status"]), (1, &json!("done")), "{said:?}");
    assert_eq!(counts(last), [u64::from(count) + 1, u64::from(count), 0, 0, 1]);
    for table in ["person", "dose", "dose_by_record", "certificate", "certificate_by_uvci", "person_by_phone"] {
        assert_eq!(number(&format!("SELECT count(*) FROM {table}")).await, i64::from(count), "{table}");
    }
    let mut rejects = String::new();
    let mut written = std::fs::File::open(place.0.join("rejects.csv")).expect("written");
    written.read_to_string(&mut rejects).expect("text");
    assert_eq!(rejects.lines().count(), 2, "also what the first run rejected");

    let (status, said) = place.json(&arguments[..arguments.len() - 1]);
    assert_eq!(
        (status, counts(said.last().expect("an answer"))),
        (1, [u64::from(count) + 1, 0, u64::from(count), 0, 1])
    );
    let (status, said) = place.json(&["import", "backlog.csv", "--dry-run"]);
    assert_eq!((status, said.last().map(|last| &last["status"])), (1, Some(&json!("checked"))));
    assert_eq!(place.json(&["import", "backlog.csv", "--facility", "nowhere"]).0, 2);
    assert_eq!(place.json(&["import", "absent.csv"]).0, 3);
}
