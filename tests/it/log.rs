//! The transparency log: what is signed is in it, everybody can see that, and what was signed in secret is found.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use thexanh::auditor::Standing;
use thexanh::certificate::{Dose, Product, Profile, UnixSeconds, Uvci};
use thexanh::clock::Clock;
use thexanh::http::access::Role;
use thexanh::issue::{Subject, issue};
use thexanh::keys::PublicKey;
use thexanh::name::PersonName;
use thexanh::tlog::merkle::{leaf_hash, proves};
use thexanh::tlog::{Checkpoint, Hash, entry_of_text};

use crate::app::{NOW, TestApp, dose_of};
use crate::audit::{Dir, look};
use crate::client::Connection;

/// Longer than anything here takes, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl TestApp {
    /// The record of a certificate, once it is in the log.
    async fn logged(&self, uvci: &Uvci) -> Value {
        let began = Instant::now();
        loop {
            let record = self.get_as(Role::Ministry, &format!("/v1/certificates/{uvci}")).await.json();
            if record.get("log").is_some() {
                return record;
            }
            assert!(began.elapsed() < PATIENCE, "it is to be in the log: {record}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn checkpoint(&self) -> Checkpoint {
        let note = self.get("/v1/log/checkpoint").await;
        assert_eq!((note.status, note.header("content-type")), (200, "text/plain; charset=utf-8"));
        let (trust, now) = (self.app.trust(), self.clock.now());
        Checkpoint::open(&note.body, trust.publisher_keys(now)).expect("a checkpoint")
    }

    /// A certificate that our own key signed and the registry never saw.
    fn forged(&self, profile: Profile, uvci: Uvci, number: u8) -> String {
        let name = PersonName::parse("Nguyễn Văn Gian").expect("a name");
        let product = Product::Code("EU/1/20/1528".into());
        let dose = Dose { number, series: 2, product, given_on: "2021-07-04".parse().expect("a date") };
        let subject = Subject { uvci, name: &name, birth: "1990-01-01".parse().expect("a date"), dose: &dose };
        let key = self.keyring.signing_key(profile, &self.app.trust(), NOW).expect("a key");
        issue(&subject, profile, &key, NOW, UnixSeconds(NOW.0 + 86_400)).expect("signs").text
    }
}

#[tokio::test]
async fn what_is_signed_is_in_the_log_and_its_holder_can_prove_it() {
    let app = TestApp::start().await;
    app.get("/v1/log/checkpoint").await.problem(404, "log_empty");
    app.get("/v1/log/by-prefix/0").await.problem(404, "log_empty");
    let mut issued = Vec::new();
    for n in 0..5 {
        issued.push(app.certificate_of(&dose_of(n)).await);
    }
    for (uvci, text) in &issued {
        let record = app.logged(uvci).await;
        let log = &record["log"];
        let entry = entry_of_text(text).expect("a certificate");
        assert_eq!(log["entry"], hex(&entry));
        let (trust, now) = (app.app.trust(), app.clock.now());
        let note = log["checkpoint"].as_str().expect("a checkpoint");
        let checkpoint = Checkpoint::open(note.as_bytes(), trust.publisher_keys(now)).expect("signed");
        let hash = |hash: &Value| -> Hash {
            let bytes = BASE64_STANDARD.decode(hash.as_str().expect("base64")).expect("base64");
            bytes.try_into().expect("32 bytes")
        };
        let proof: Vec<Hash> = log["proof"].as_array().expect("a proof").iter().map(hash).collect();
        let index = log["index"].as_u64().expect("an index");
        assert!(proves(&leaf_hash(&entry), index, checkpoint.size, &proof, &checkpoint.root));
        assert_eq!(checkpoint.origin, "localhost/v1/log");
    }

    // The form for travel is signed when it is asked for, and is an entry of its own.
    let before = app.checkpoint().await.size;
    assert_eq!(before, 5);
    let path = format!("/v1/certificates/{}.txt?profile=hc1", issued[0].0);
    let travel = app.get_as(Role::Facility, &path).await.text().to_owned();
    assert_eq!(app.get_as(Role::Facility, &path).await.text(), travel);
    app.app.tend_log().await.expect("tends");
    assert_eq!(app.checkpoint().await.size, 6, "once");
    let dir = Dir::new("proves");
    let mut auditor = dir.auditor(app.address(), &app.clock);
    let texts = [issued[0].1.as_str(), &travel, issued[4].1.as_str()];
    let seen = look(&mut auditor, &texts).await.expect("sound");
    assert!(seen.texts.iter().all(|standing| matches!(standing, Standing::Logged(_))), "{seen:?}");
    assert_eq!((seen.before, seen.checkpoint.size), (0, 6));
    let key = app.app.publisher_key().expect("a key");
    let key = PublicKey::from_spki_der(key.spki_der()).expect("a key");
    assert!(seen.verifier_key.starts_with("localhost/v1/log+"), "{}", seen.verifier_key);
    assert!(seen.verifier_key.ends_with(&BASE64_STANDARD.encode([&[1], &key.spki_der()[12..]].concat())));
    assert_eq!(look(&mut auditor, &[]).await.expect("sound").before, 6);
    assert_eq!(app.get("/readyz").await.text(), "ready\n");
}

#[tokio::test]
async fn tiles_are_where_tlog_tiles_says_and_never_change() {
    let app = TestApp::start().await;
    let doses: String = (0..300).map(|n| dose_of(n).to_string() + "\n").collect();
    let headers = [("content-type", "application/x-ndjson"), ("authorization", &*app.bearer(Role::Facility))];
    let answers = app.request("POST", "/v1/doses", &headers, doses.as_bytes()).await.lines();
    let texts: Vec<&str> = answers.iter().map(|answer| answer["text"].as_str().expect("a text")).collect();
    app.app.tend_log().await.expect("tends");
    assert_eq!(app.checkpoint().await.size, 300);

    let tile = async |path: &str| app.get(&format!("/v1/log/tile/{path}")).await;
    for (path, len) in [
        ("0/000", 256 * 32),
        ("0/001.p/44", 44 * 32),
        ("1/000.p/1", 32),
        ("entries/000", 256 * 34),
        ("entries/001.p/44", 44 * 34),
        // As it was in a smaller tree: these bytes are a beginning of what is there now.
        ("0/000.p/7", 7 * 32),
        ("0/001.p/43", 43 * 32),
        ("entries/000.p/1", 34),
    ] {
        let answer = tile(path).await;
        assert_eq!((answer.status, answer.body.len()), (200, len), "{path}");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        let kept = if path.contains(".p/") { "public, max-age=3600" } else { "public, max-age=31536000, immutable" };
        assert_eq!(answer.header("cache-control"), kept);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        let tag = answer.header("etag").to_owned();
        let again = app.request("GET", &format!("/v1/log/tile/{path}"), &[("if-none-match", &tag)], b"").await;
        assert_eq!((again.status, again.header("cache-control")), (304, kept));
    }
    for path in [
        "0/001",
        "0/001.p/45",
        "0/002.p/1",
        "1/000",
        "1/000.p/2",
        "2/000.p/1",
        "entries/001",
        "entries/002",
        "0/0",
        "0/x000/001",
        "entries/000.p/0",
        "x",
        "0/000/",
        "0/%30%30%30%30",
    ] {
        tile(path).await.problem(404, "unknown_tile");
    }
    let checkpoint = app.get("/v1/log/checkpoint").await;
    assert_eq!(checkpoint.header("cache-control"), "public, max-age=1");

    // Each entry is of a text, and hashes to its leaf.
    let (entries, leaves) = (tile("entries/000").await.body, tile("0/000").await.body);
    let mut expected: Vec<Hash> = texts.iter().map(|text| entry_of_text(text).expect("a certificate")).collect();
    let mut found: Vec<Hash> = Vec::new();
    for (entry, leaf) in entries.chunks(34).zip(leaves.chunks(32)) {
        assert_eq!(&entry[..2], [0, 32]);
        assert_eq!(leaf_hash(&entry[2..]), leaf);
        found.push(entry[2..].try_into().expect("32 bytes"));
    }
    found.extend(tile("entries/001.p/44").await.body.chunks(34).map(|entry| Hash::try_from(&entry[2..]).expect("32")));
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);

    // By prefix: all that begin so, one digit for three hundred.
    let mut named = 0;
    for digit in 0..16 {
        let answer = app.get(&format!("/v1/log/by-prefix/{digit:x}")).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, "public, max-age=1"));
        for entry in answer.json()["entries"].as_array().expect("entries") {
            let begins = entry["begins"].as_str().expect("hexadecimal").to_owned();
            assert!(begins.starts_with(&format!("{digit:x}")) && begins.len() == 16);
            assert!(expected.iter().any(|entry| hex(entry).starts_with(&begins)));
            named += 1;
        }
    }
    assert_eq!(named, 300);
    for prefix in ["00", "A", "g", "+1", "0123456789abcdef"] {
        app.get(&format!("/v1/log/by-prefix/{prefix}")).await.problem(400, "bad_parameter");
    }
}

#[tokio::test]
async fn a_certificate_signed_behind_the_registry_s_back_is_found_on_line_and_by_audit() {
    let app = TestApp::start().await;
    for n in 0..20 {
        // Asked at once, and again: never called unknown.
        let (_, text) = app.certificate_of(&dose_of(n)).await;
        for _ in 0..3 {
            let verdict = app.verify(&text).await;
            assert_eq!((&verdict["result"], verdict.get("registry")), (&json!("accepted"), None), "{verdict}");
        }
    }
    let (uvci, honest) = app.certificate_of(&dose_of(90)).await;
    app.logged(&uvci).await;
    let travel =
        app.get_as(Role::Facility, &format!("/v1/certificates/{uvci}.txt?profile=hc1")).await.text().to_owned();
    assert!(app.verify(&travel).await.get("registry").is_none());

    let (compact, hc1) = (app.forged(Profile::Compact, Uvci([7; 16]), 2), app.forged(Profile::Hc1, Uvci([8; 16]), 2));
    for text in [&compact, &hc1] {
        for time in 0..4 {
            let verdict = app.verify(text).await;
            assert_eq!((&verdict["result"], &verdict["registry"]), (&json!("accepted"), &json!("unknown")), "{time}");
        }
    }
    let alarms = app.get("/metrics").await.text().lines().any(|line| {
        line.strip_prefix("thexanh_verdicts_unregistered_total ")
            .is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= 8))
    });
    assert!(alarms, "somebody is told");
    // Another statement under a name that is known: the registry knows the name, and the log not the statement.
    let other = app.forged(Profile::Compact, uvci, 2);
    assert!(app.verify(&other).await.get("registry").is_none());

    // In a batch, of which some were told before.
    let lines = format!("{honest}\n{compact}\nhello\n{hc1}\n{travel}\n{compact}\n");
    let batch =
        app.request("POST", "/v1/verify/batch", &[("content-type", "text/plain")], lines.as_bytes()).await.lines();
    let said: Vec<Option<&str>> = batch.iter().map(|verdict| verdict["registry"].as_str()).collect();
    assert_eq!(said, [None, Some("unknown"), None, Some("unknown"), None, Some("unknown")]);
    let results: Vec<&str> = batch.iter().map(|verdict| verdict["result"].as_str().expect("a result")).collect();
    assert_eq!(results, ["accepted", "accepted", "rejected", "accepted", "accepted", "accepted"]);

    // A minute later: what was signed a moment ago need not be in the log yet.
    app.app.tend_log().await.expect("tends");
    let dir = Dir::new("behind");
    let clock = Clock::fixed(UnixSeconds(NOW.0 + 60));
    let mut auditor = dir.auditor(app.address(), &clock);
    let texts = [honest.as_str(), &compact, &travel, &hc1, &other, "VN1:6BF", " "];
    let seen = look(&mut auditor, &texts).await.expect("sound");
    let codes: Vec<&str> = seen.texts.iter().map(|standing| standing.code()).collect();
    let expected =
        ["logged", "not_logged", "logged", "not_logged", "not_logged", "malformed_base45", "not_a_certificate"];
    assert_eq!(codes[..5], expected[..5]);
    assert!(seen.texts[5..].iter().all(|standing| matches!(standing, Standing::Unreadable(_))), "{codes:?}");
}

#[tokio::test]
async fn a_registry_that_cannot_be_asked_makes_nobody_suspect_and_nobody_wait() {
    let app = TestApp::start().await;
    let forged = app.forged(Profile::Compact, Uvci([9; 16]), 2);
    let (_, honest) = app.certificate("R-1").await;
    app.sql().await.batch_execute("ALTER TABLE certificate_by_uvci RENAME TO gone").await.expect("hides it");
    let began = Instant::now();
    for text in [&forged, &honest, &forged, &honest] {
        let verdict = app.verify(text).await;
        assert_eq!((&verdict["result"], verdict.get("registry")), (&json!("accepted"), None), "{verdict}");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    app.sql().await.batch_execute("ALTER TABLE gone RENAME TO certificate_by_uvci").await.expect("shows it");
    let began = Instant::now();
    while app.verify(&forged).await.get("registry").is_none() {
        assert!(began.elapsed() < PATIENCE, "it is asked again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(app.verify(&honest).await.get("registry").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_make_one_tree_whoever_is_asked() {
    let app = TestApp::start().await;
    let other = app.another().await;
    let record = |address: SocketAddr, from: u32| {
        let bearer = app.bearer(Role::Facility);
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            let headers = [("content-type", "application/json"), ("authorization", &*bearer)];
            let mut texts = Vec::new();
            for n in from..from + 40 {
                let answer = connection.request("POST", "/v1/doses", &headers, dose_of(n).to_string().as_bytes()).await;
                texts.push(answer.json()["text"].as_str().expect("a text").to_owned());
            }
            texts
        })
    };
    let (ours, theirs) = (record(app.address(), 0), record(other.address(), 1000));
    let tend = |node: Arc<thexanh::app::App>| {
        tokio::spawn(async move {
            for _ in 0..40 {
                node.tend_log().await.expect("tends");
                tokio::task::yield_now().await;
            }
        })
    };
    let dir = Dir::new("two-nodes");
    let mut auditor = dir.auditor(app.address(), &app.clock);
    let tending = [tend(Arc::clone(&app.app)), tend(Arc::clone(&other.app))];
    let texts = [ours.await.expect("no panic"), theirs.await.expect("no panic")].concat();
    for task in tending {
        task.await.expect("no panic");
    }
    let began = Instant::now();
    while app.count("SELECT count(*) FROM log_pending").await > 0 {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.app.tend_log().await.expect("tends");
    other.app.tend_log().await.expect("tends");
    let note =
        async |address| Connection::open(address).await.request("GET", "/v1/log/checkpoint", &[], b"").await.body;
    assert_eq!(note(app.address()).await, note(other.address()).await);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let seen = look(&mut auditor, &texts).await.expect("sound");
    assert_eq!(seen.checkpoint.size, 80);
    let mut places: Vec<u64> =
        seen.texts.iter().filter_map(|at| if let Standing::Logged(at) = at { Some(*at) } else { None }).collect();
    places.sort_unstable();
    assert_eq!(places, (0..80).collect::<Vec<u64>>(), "each once");
    other.stop().await;
}

#[tokio::test]
async fn a_checkpoint_is_signed_anew_when_its_publisher_goes() {
    let app = TestApp::start().await;
    app.certificate("R-1").await;
    app.app.tend_log().await.expect("tends");
    let before = app.checkpoint().await;
    // As if another had signed it.
    app.sql().await.batch_execute("UPDATE log_head SET note = replace(note, '\u{2014}', '-')").await.expect("spoils");
    app.app.tend_log().await.expect("tends");
    assert_eq!(app.checkpoint().await, before, "the same tree");
}

#[tokio::test]
async fn whose_only_dose_was_voided_is_issued_nothing() {
    let app = TestApp::start().await;
    let answer = app.dose("R-1", 1).await.json();
    assert_eq!(answer["card"], "yellow");
    let (dose_id, person) = (answer["dose"].as_str().expect("a dose"), answer["person"].as_str().expect("a person"));
    let void = json!({"void": true, "why": "a test"});
    let voided = app.send("PATCH", &format!("/v1/doses/{dose_id}"), &app.bearer(Role::Facility), &void).await;
    assert!(voided.status / 100 == 2, "{}", voided.text());
    let by = crate::app::asked_by("tester", "a test", NOW);
    let person = person.parse().expect("an id");
    let refused = app.app.desk().issue_to(person, &by, NOW).await.err().expect("nothing to certify");
    assert_eq!(refused.code(), "no_dose");
}
