//! The transparency log as it is seen from outside: a log that lies, or was rewritten, is found out.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use thexanh::auditor::{Auditor, Finding, Seen, Standing};
use thexanh::certificate::UnixSeconds;
use thexanh::clock::Clock;
use thexanh::http::access::Role;
use thexanh::tlog::checkpoint::CheckpointError;
use thexanh::tlog::{Resource, entry_of_text, needed};
use thexanh::tls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{NOW, TestApp, dose_of};
use crate::cli::{Place, Service};
use crate::client::{Answer, Connection};
use crate::log::hex;

/// Longer than anything here takes, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory of one test's own, for what an auditor keeps.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new(name: &str) -> Dir {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("audit-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Dir(dir)
    }

    /// An auditor of the node at `address`.
    pub fn auditor(&self, address: SocketAddr, clock: &Clock) -> Auditor {
        let (url, roots) = (format!("http://{address}"), tls::roots(None).expect("roots"));
        Auditor::new(&url, roots, self.0.clone(), None, clock.clone()).expect("an auditor")
    }

    /// What is kept, other than as evidence.
    fn files(&self) -> Vec<PathBuf> {
        let dirs = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        dirs.flat_map(|dir| std::fs::read_dir(dir.path()).expect("lists"))
            .map(|file| file.expect("a file").path())
            .collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub async fn look(auditor: &mut Auditor, texts: &[&str]) -> Result<Seen, Finding> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    auditor.look(&texts, |_, _| {}).await.unwrap_or_else(|error| panic!("looks: {error}"))
}

#[tokio::test]
async fn a_log_that_was_rewritten_is_found_by_who_saw_it_before() {
    let app = TestApp::start().await;
    for n in 0..6 {
        app.certificate_of(&dose_of(n)).await;
    }
    app.app.tend_log().await.expect("tends");
    let dir = Dir::new("rewritten");
    let mut auditor = dir.auditor(app.address(), &app.clock);
    assert_eq!(look(&mut auditor, &[]).await.expect("sound").checkpoint.size, 6);

    // The same publisher signs another tree: without the first certificate, then with one more in its place.
    let sql = app.sql().await;
    let rewrite = async |entries: u32| {
        sql.batch_execute("DELETE FROM log_tile; DELETE FROM log_head; DELETE FROM log_entry").await.expect("forgets");
        for n in 0..entries {
            app.certificate_of(&dose_of(1000 + 100 * entries + n)).await;
        }
        app.app.tend_log().await.expect("tends");
    };
    rewrite(5).await;
    assert_eq!(look(&mut auditor, &[]).await, Err(Finding::Shrunk { before: 6, now: 5 }));
    rewrite(6).await;
    assert_eq!(look(&mut auditor, &[]).await, Err(Finding::Forked));
    rewrite(9).await;
    assert_eq!(look(&mut auditor, &[]).await, Err(Finding::Forked), "what it saw stays what it saw");
    // Who begins now sees nothing of it, and who named the log otherwise is asked why.
    let stranger = Dir::new("stranger");
    assert_eq!(look(&mut stranger.auditor(app.address(), &app.clock), &[]).await.expect("sound").checkpoint.size, 9);
    sql.batch_execute("UPDATE log_head SET origin = 'elsewhere/log', note = ''").await.expect("renames");
    app.app.tend_log().await.expect("tends");
    assert_eq!(look(&mut stranger.auditor(app.address(), &app.clock), &[]).await, Err(Finding::Renamed));

    // The proofs of it are kept: signed by the same key, for two trees.
    let evidence = dir.files().into_iter().filter(|path| path.to_string_lossy().contains("against-")).count();
    assert_eq!(evidence, 3);
    // What was kept is read again, and what was spoilt is not taken for it.
    let mut again = dir.auditor(app.address(), &app.clock);
    assert!(look(&mut again, &[]).await.is_err());
    let kept = dir.files().into_iter().find(|path| path.ends_with("log.json")).expect("kept");
    std::fs::write(&kept, "{}").expect("spoils");
    let (url, roots) = (format!("http://{}", app.address()), tls::roots(None).expect("roots"));
    let failed = Auditor::new(&url, roots, dir.0.clone(), None, app.clock.clone()).err().expect("it is spoilt");
    assert_eq!(failed.code(), "disk");
}

/// What a spoilt log serves instead.
type Spoil = Arc<dyn Fn(&str, Answer) -> (u16, Vec<u8>) + Send + Sync>;

/// Stands between an auditor and a node, and serves something else.
async fn spoil(node: SocketAddr, spoil: Spoil) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass_on(stream, node, Arc::clone(&spoil)));
        }
    });
    address
}

async fn pass_on(mut stream: TcpStream, node: SocketAddr, spoil: Spoil) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?;
        let path = head.split(' ').nth(1)?;
        let answer = Connection::open(node).await.request("GET", path, &[("accept", "application/cose")], b"").await;
        let (status, body) = spoil(path, answer);
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lies_is_found_out_and_cannot_make_its_auditor_read_for_ever() {
    let app = TestApp::start().await;
    let mut texts = Vec::new();
    for n in 0..5 {
        texts.push(app.certificate_of(&dose_of(n)).await.1);
    }
    app.app.tend_log().await.expect("tends");
    let clock = Clock::fixed(UnixSeconds(NOW.0 + 60));
    // The middle of a tile of five is in the third hash, which every proof takes but that of the third entry.
    let dir = Dir::new("places");
    let two = [texts[0].as_str(), &texts[1]];
    let seen = look(&mut dir.auditor(app.address(), &clock), &two).await.expect("sound").texts;
    let text = two[usize::from(seen[0] == Standing::Logged(2))];
    let through = async |name: &str, of: &'static str, change: fn(Vec<u8>) -> (u16, Vec<u8>)| {
        let change = move |path: &str, answer: Answer| match path.contains(of) {
            true => change(answer.body),
            false => (answer.status, answer.body),
        };
        let (dir, address) = (Dir::new(name), spoil(app.address(), Arc::new(change)).await);
        let mut auditor = dir.auditor(address, &clock);
        let seen = tokio::time::timeout(PATIENCE, look(&mut auditor, &[text])).await;
        seen.expect("in bounded time").map(|seen| seen.texts)
    };
    let flip = |mut body: Vec<u8>| {
        let middle = body.len() / 2;
        body[middle] ^= 1;
        (200, body)
    };
    let cut = |mut body: Vec<u8>| {
        body.pop();
        (200, body)
    };
    let longer = |mut body: Vec<u8>| {
        body.push(0);
        (200, body)
    };
    let huge = |_: Vec<u8>| (200, vec![b' '; 3 << 20]);
    let gone = |_: Vec<u8>| (404, Vec::new());
    assert!(matches!(through("as-it-is", "nothing", flip).await.as_deref(), Ok([Standing::Logged(_)])));
    let malformed = |what: &str| Err(Finding::Malformed(what.to_owned()));
    let missing = |what: &str| Err(Finding::Missing(what.to_owned()));
    let (entries, tile) = ("v1/log/tile/entries/000.p/5", "v1/log/tile/0/000.p/5");
    assert_eq!(through("entry", "/entries/", flip).await, Err(Finding::Forked));
    assert_eq!(through("entries-cut", "/entries/", cut).await, malformed(entries));
    assert_eq!(through("entries-longer", "/entries/", longer).await, malformed(entries));
    assert_eq!(through("entries-huge", "/entries/", huge).await, malformed(entries));
    assert_eq!(through("entries-gone", "/entries/", gone).await, missing(entries));
    assert_eq!(through("tile", "/tile/0/", flip).await, Ok(vec![Standing::NotProved]));
    assert_eq!(through("tile-cut", "/tile/0/", cut).await, malformed(tile));
    assert_eq!(through("tile-huge", "/tile/0/", huge).await, malformed(tile));
    assert_eq!(through("tile-gone", "/tile/0/", gone).await, missing(tile));
    assert_eq!(through("checkpoint-huge", "/checkpoint", huge).await, malformed("v1/log/checkpoint"));
    assert_eq!(through("checkpoint-gone", "/checkpoint", gone).await, missing("v1/log/checkpoint"));
    let refused = |error| Err(Finding::Checkpoint(error));
    assert_eq!(through("checkpoint-cut", "/checkpoint", cut).await, refused(CheckpointError::Malformed));
    let larger = |body: Vec<u8>| {
        (200, String::from_utf8(body).expect("text").replacen("\n5\n", "\n1099511627776\n", 1).into_bytes())
    };
    assert_eq!(through("checkpoint-larger", "/checkpoint", larger).await, refused(CheckpointError::BadSignature));
    let unsigned = |body: Vec<u8>| {
        let text = String::from_utf8(body).expect("text");
        let (text, _) = text.split_once("\n\n").expect("two parts");
        (200, format!("{text}\n\n\u{2014} nobody AAAAAAAA\n").into_bytes())
    };
    assert_eq!(through("checkpoint-unsigned", "/checkpoint", unsigned).await, refused(CheckpointError::UnknownSigner));
    assert!(matches!(through("trust-list", "/trust-list", flip).await, Err(Finding::TrustList(_))));

    // What it says of a prefix is only where to look.
    let nothing = |_: Vec<u8>| (200, br#"{"size":5,"entries":[]}"#.to_vec());
    let elsewhere = |body: Vec<u8>| {
        let mut answer: Value = serde_json::from_slice(&body).expect("JSON");
        for entry in answer["entries"].as_array_mut().expect("entries") {
            entry["index"] = ((entry["index"].as_u64().expect("an index") + 1) % 5).into();
        }
        (200, answer.to_string().into_bytes())
    };
    let beyond =
        |body: Vec<u8>| (200, String::from_utf8(body).expect("text").replace("\"index\":", "\"index\":9").into_bytes());
    assert_eq!(through("prefix-huge", "/by-prefix/", huge).await, malformed(&prefix(text)));
    assert_eq!(through("prefix-elsewhere", "/by-prefix/", elsewhere).await, Ok(vec![Standing::NotProved]));
    let not_logged = Ok(vec![Standing::NotLogged]);
    assert_eq!(through("prefix-nothing", "/by-prefix/", nothing).await, not_logged);
    assert_eq!(through("prefix-beyond", "/by-prefix/", beyond).await, not_logged);
}

fn prefix(text: &str) -> String {
    format!("v1/log/by-prefix/{}", &hex(&entry_of_text(text).expect("a certificate"))[..1])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_behind_another_makes_no_honest_log_look_like_one_that_lies() {
    let app = TestApp::start().await;
    let grow = async |to: std::ops::Range<u32>| {
        let mut text = String::new();
        for n in to {
            text = app.certificate_of(&dose_of(n)).await.1;
        }
        app.app.tend_log().await.expect("tends");
        text
    };
    grow(0..3).await;
    let older = app.get("/v1/log/checkpoint").await.body;
    grow(3..5).await;
    // Of each address the first answer is that of a node which is behind, once there is one.
    let asked: Arc<Mutex<Option<HashSet<String>>>> = Arc::default();
    let behind = {
        let asked = Arc::clone(&asked);
        move |path: &str, answer: Answer| {
            let first = asked.lock().expect("no panic").as_mut().is_some_and(|asked| asked.insert(path.to_owned()));
            match path {
                _ if !first => (answer.status, answer.body),
                "/v1/log/checkpoint" => (200, older.clone()),
                _ if path.starts_with("/v1/log/by-prefix/") => (200, br#"{"size":3,"entries":[]}"#.to_vec()),
                _ if path.starts_with("/v1/log/") => (404, Vec::new()),
                _ => (answer.status, answer.body),
            }
        }
    };
    let (dir, clock) = (Dir::new("behind-another"), Clock::fixed(UnixSeconds(NOW.0 + 60)));
    let mut auditor = dir.auditor(spoil(app.address(), Arc::new(behind)).await, &clock);
    assert_eq!(look(&mut auditor, &[]).await.expect("sound").checkpoint.size, 5);
    let text = grow(5..7).await;
    *asked.lock().expect("no panic") = Some(HashSet::new());
    let seen = look(&mut auditor, &[&text]).await.expect("sound");
    assert_eq!((seen.before, seen.checkpoint.size), (5, 7));
    assert!(matches!(seen.texts[..], [Standing::Logged(_)]), "{seen:?}");
    assert!(dir.files().iter().all(|path| !path.to_string_lossy().contains("against-")), "no evidence of nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_does_not_learn_which_of_those_that_begin_alike_is_looked_for() {
    let app = TestApp::start().await;
    let doses: String = (0..600).map(|n| dose_of(n).to_string() + "\n").collect();
    let headers = [("content-type", "application/x-ndjson"), ("authorization", &*app.bearer(Role::Facility))];
    let answers = app.request("POST", "/v1/doses", &headers, doses.as_bytes()).await.lines();
    let text = answers[300]["text"].as_str().expect("a text");
    app.app.tend_log().await.expect("tends");
    let asked: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let note = {
        let asked = Arc::clone(&asked);
        move |path: &str, answer: Answer| {
            asked.lock().expect("no panic").insert(path.to_owned());
            (answer.status, answer.body)
        }
    };
    let dir = Dir::new("alike");
    let mut auditor = dir.auditor(spoil(app.address(), Arc::new(note)).await, &app.clock);
    let seen = look(&mut auditor, &[text]).await.expect("sound");
    assert!(matches!(seen.texts[..], [Standing::Logged(_)]), "{seen:?}");
    let named = app.get(&format!("/{}", prefix(text))).await.json();
    let named = named["entries"].as_array().expect("entries").iter();
    let tiles = named.flat_map(|entry| needed(entry["index"].as_u64().expect("an index"), 600));
    let tiles: BTreeSet<String> = tiles.map(|tile| format!("/v1/log/tile/{}", Resource::Hashes(tile))).collect();
    let mut asked = asked.lock().expect("no panic").clone();
    asked.retain(|path| path.starts_with("/v1/log/tile/") && !path.contains("/entries/"));
    assert_eq!(asked, tiles, "the tiles of all that begin so");
}

async fn certificate(issuer: &Service, bearer: &str, n: u32) -> Value {
    let headers = [("content-type", "application/json"), ("authorization", bearer)];
    let mut connection = Connection::open(issuer.address).await;
    connection.request("POST", "/v1/doses", &headers, dose_of(n).to_string().as_bytes()).await.json()
}

#[test]
fn the_command_line_audits_a_log_whose_sequencer_is_killed_and_prints_a_person_s_certificate() {
    let (place, outside) = (Place::new("log"), Place::new("log-outside"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs");
    let first = place.serve();
    let second = place.serve();
    let (bearer, url) = (place.bearer(), format!("http://{}", second.address));
    let anchor = place.0.join("anchor.pem");
    let anchor = anchor.to_str().expect("a path");
    assert_eq!(place.json(&["keys", "anchor", "--out", anchor]).0, 0);
    let text = |answer: &Value| answer["text"].as_str().expect("a text").to_owned();
    let mut texts: Vec<String> = (0..3).map(|n| text(&runtime.block_on(certificate(&first, &bearer, n)))).collect();
    let audit = |texts: &[String]| {
        let mut arguments = vec!["audit", &url, "--anchor", anchor];
        texts.iter().for_each(|text| arguments.extend(["--text", text]));
        let (status, said) = outside.json(&arguments);
        (status, said.into_iter().next().unwrap_or_default())
    };
    let (status, said) = audit(&texts);
    assert_eq!((status, &said["result"], &said["before"]), (0, &json!("sound"), &json!(0)), "{said}");

    // Whoever holds the lease is killed after it acknowledged another; the other node goes on within ten seconds.
    texts.push(text(&runtime.block_on(certificate(&first, &bearer, 3))));
    assert!(!first.end(Signal::KILL).success());
    let given = runtime.block_on(certificate(&second, &bearer, 4));
    texts.push(text(&given));
    let began = Instant::now();
    let (status, said) = audit(&texts);
    assert_eq!((status, &said["result"], &said["size"]), (0, &json!("sound"), &json!(5)), "{said}");
    assert!(began.elapsed() < Duration::from_secs(12));
    let (status, said) = audit(&["hello".to_owned()]);
    assert_eq!((status, &said["texts"][0]["result"]), (1, &json!("not_a_certificate")), "{said}");
    assert_eq!(said["before"], 5);

    // What a person has.
    let person = given["person"].as_str().expect("a person");
    let (status, said) = place.json(&["issue", "--person", person]);
    assert_eq!((status, &said[0]["result"], &said[0]["text"]), (0, &json!("in_force"), &given["text"]));
    let (status, said) = place.json(&["issue", "--person", person, "--profile", "hc1"]);
    assert!(status == 0 && said[0]["text"].as_str().is_some_and(|text| text.starts_with("HC1:")), "{said:?}");
    let uvci = given["uvci"].as_str().expect("a UVCI");
    assert_eq!(place.json(&["revoke", uvci, "--why", "a test"]).0, 0);
    let (status, said) = place.json(&["issue", "--person", person]);
    assert_eq!((status, &said[0]["result"]), (0, &json!("issued")), "{said:?}");
    assert_ne!(said[0]["uvci"], uvci);
    let again = place.json(&["issue", "--person", person]).1;
    assert_eq!((&again[0]["result"], &again[0]["uvci"]), (&json!("in_force"), &said[0]["uvci"]));
    let verdict = place.json(&["verify", said[0]["text"].as_str().expect("a text")]);
    assert_eq!((verdict.0, &verdict.1[0]["result"]), (0, &json!("accepted")));
    let (status, said) = place.json(&["issue", "--person", "00000000-0000-0000-0000-000000000000"]);
    assert_eq!((status, &said[0]["result"]), (1, &json!("unknown_person")));
    assert_eq!(place.json(&["issue", "--person", "x"]).0, 2);

    // Nobody there, plain http to another machine, another anchor.
    second.end(Signal::TERM);
    assert_eq!(audit(&[]).0, 3);
    assert_eq!(outside.json(&["audit", "http://192.0.2.1/"]).0, 3);
    assert_eq!(outside.json(&["audit", &url, "--anchor", "absent.pem"]).0, 3);
}
