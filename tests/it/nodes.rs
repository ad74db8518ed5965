//! Verifier nodes, as real processes: they follow an issuer, go on alone, catch up, and refuse what is not signed as it should be.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::app::dose_of;
use crate::cli::{Place, Service};
use crate::client::Connection;

/// Longer than anything here takes, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

async fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    Connection::open(address).await.request("POST", path, headers, body).await.json()
}

/// Records the dose with this number and gives the certificate's name and text.
async fn certificate(issuer: &Service, bearer: &str, n: u32) -> (String, String) {
    let headers = [("content-type", "application/json"), ("authorization", bearer)];
    let answer = post(issuer.address, "/v1/doses", &headers, dose_of(n).to_string().as_bytes()).await;
    let text = |member: &str| answer[member].as_str().expect("a certificate").to_owned();
    (text("uvci"), text("text"))
}

async fn verify(node: &Service, text: &str) -> Value {
    post(node.address, "/v1/verify", &[("content-type", "text/plain")], text.as_bytes()).await
}

/// The word for a verdict: its reason, else its result.
fn word(verdict: &Value) -> String {
    verdict["reason"].as_str().or(verdict["result"].as_str()).expect("a verdict").to_owned()
}

/// Asks until the verdict's word is this one, and gives that verdict.
async fn becomes(node: &Service, text: &str, expected: &str) -> Value {
    let began = Instant::now();
    loop {
        let verdict = verify(node, text).await;
        if word(&verdict) == expected {
            return verdict;
        }
        assert!(began.elapsed() < PATIENCE, "{expected} is awaited, and this is said: {verdict}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn ready(node: &Service) -> String {
    Connection::open(node.address).await.request("GET", "/readyz", &[], b"").await.text().to_owned()
}

fn follow(place: &Place, issuer: SocketAddr, more: &[&str]) -> Service {
    let url = format!("http://{issuer}");
    place.serve_with(&[&["--verifier-of", &url], more].concat(), "127.0.0.1:0")
}

#[test]
fn a_verifier_node_follows_within_the_second_and_goes_on_alone_when_it_is_cut_off() {
    let (home, away) = (Place::new("issuer"), Place::new("verifier"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs");
    let issuer = home.serve();
    let (address, bearer) = (issuer.address, home.bearer());
    let anchor = home.0.join("anchor.pem");
    assert_eq!(home.json(&["keys", "anchor", "--out", anchor.to_str().expect("a path")]).0, 0);
    let node = follow(&away, address, &["--anchor", anchor.to_str().expect("a path")]);
    let (first, second, third) = runtime.block_on(async {
        let first = certificate(&issuer, &bearer, 1).await;
        let second = certificate(&issuer, &bearer, 2).await;
        let third = certificate(&issuer, &bearer, 3).await;
        let verdict = verify(&node, &first.1).await;
        assert_eq!(verdict["result"], "accepted", "{verdict}");
        assert_eq!(verdict["certificate"]["uvci"], first.0.as_str());
        assert!(verdict["as_of"]["synced_at"].is_i64(), "{verdict}");
        assert!(verify(&issuer, &first.1).await["as_of"].get("synced_at").is_none());
        (first, second, third)
    });

    // Revoked on the issuer: rejected on the node; undone is another test's.
    assert_eq!(home.json(&["revoke", &first.0, "--why", "a test"]).0, 0);
    runtime.block_on(async {
        becomes(&node, &first.1, "revoked").await;
        assert_eq!(word(&verify(&node, &second.1).await), "accepted");
        // The node serves on what it follows, as it is signed.
        let mut connection = Connection::open(node.address).await;
        let ours = connection.request("GET", "/v1/trust-list", &[("accept", "application/cose")], b"").await;
        let theirs = Connection::open(address).await;
        let mut theirs = theirs;
        let theirs = theirs.request("GET", "/v1/trust-list", &[("accept", "application/cose")], b"").await;
        assert_eq!((ours.status, &ours.body), (200, &theirs.body));
        assert_eq!(ready(&node).await, "ready\n");
    });

    // The issuer dies, and the node starts anew: it knows what it knew.
    issuer.end(Signal::KILL);
    let before = runtime.block_on(verify(&node, &second.1));
    assert_eq!(before["result"], "accepted");
    node.end(Signal::TERM);
    let node = follow(&away, address, &[]);
    let alone = runtime.block_on(async {
        assert_eq!(word(&verify(&node, &first.1).await), "revoked");
        let alone = verify(&node, &second.1).await;
        assert_eq!(alone["result"], "accepted");
        assert!(ready(&node).await.contains("issuer_unreachable"));
        alone
    });
    assert!(alone["as_of"]["synced_at"].as_i64() >= before["as_of"]["synced_at"].as_i64());

    // It comes back where it was, and what happened meanwhile is caught up with.
    let issuer = home.serve_at(&address.to_string());
    assert_eq!(home.json(&["revoke", &second.0, "--why", "a test"]).0, 0);
    runtime.block_on(async {
        becomes(&node, &second.1, "revoked").await;
        assert_eq!(word(&verify(&node, &third.1).await), "accepted");
    });

    // A key that is withdrawn takes all that it signed with it, before the anchor has signed a list that says so.
    let (_, listed) = home.json(&["keys", "list"]);
    let keys = listed.iter().flat_map(|value| value.as_array().cloned().unwrap_or(vec![value.clone()]));
    let key = keys.into_iter().find(|key| key["algorithm"] == "EdDSA" && key["own"] == true).expect("a key of ours");
    let kid = key["kid"].as_str().expect("a kid");
    assert_eq!(home.json(&["keys", "withdraw", kid, "--why", "a test"]).0, 0);
    runtime.block_on(becomes(&node, &third.1, "key_withdrawn"));
    node.end(Signal::TERM);
    issuer.end(Signal::TERM);
}

/// Stands between a node and its issuer, and changes what is asked for under `spoilt`.
async fn spoil(issuer: SocketAddr, spoilt: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass_on(stream, issuer, spoilt));
        }
    });
    address
}

async fn pass_on(mut stream: TcpStream, issuer: SocketAddr, spoilt: &'static str) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?;
    let answer = Connection::open(issuer).await.request("GET", path, &[("accept", "application/cose")], b"").await;
    let mut body = answer.body;
    if path.starts_with(spoilt) {
        let middle = body.len() / 2;
        *body.get_mut(middle)? ^= 1;
    }
    let head = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.status, body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()
}

#[test]
fn what_was_changed_on_its_way_is_refused_and_what_was_known_stays_in_force() {
    let home = Place::new("spoilt-issuer");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runs");
    let issuer = home.serve();
    let bearer = home.bearer();
    let (uvci, text) = runtime.block_on(certificate(&issuer, &bearer, 1));

    // Nothing is known yet, and the list is spoilt: the node does not start.
    let through = runtime.block_on(spoil(issuer.address, "/v1/trust-list"));
    let strange = Place::new("spoilt-list");
    let (status, _) =
        strange.json(&["serve", "--listen", "127.0.0.1:0", "--verifier-of", &format!("http://{through}")]);
    assert_eq!(status, 3);
    // Nor under another anchor than the one that signed.
    let other = Place::new("other-anchor");
    let pem: PathBuf = other.0.join("other.pem");
    assert_eq!(other.json(&["keys", "anchor", "--new", "--out", pem.to_str().expect("a path")]).0, 0);
    let url = format!("http://{}", issuer.address);
    let pem = pem.to_str().expect("a path");
    let (status, _) = strange.json(&["serve", "--listen", "127.0.0.1:0", "--verifier-of", &url, "--anchor", pem]);
    assert_eq!(status, 3);

    // Known once, then spoilt: the old state answers, and `/readyz` says what is wrong.
    let away = Place::new("spoilt-node");
    let node = follow(&away, issuer.address, &[]);
    assert_eq!(word(&runtime.block_on(verify(&node, &text))), "accepted");
    node.end(Signal::TERM);
    let through = runtime.block_on(spoil(issuer.address, "/v1/changes"));
    let node = follow(&away, through, &[]);
    assert_eq!(home.json(&["revoke", &uvci, "--why", "a test"]).0, 0);
    runtime.block_on(async {
        let began = Instant::now();
        while !ready(&node).await.contains("bad_signature") {
            assert!(began.elapsed() < PATIENCE, "{}", ready(&node).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(word(&verify(&node, &text).await), "accepted", "as of what was known");
    });
    node.end(Signal::TERM);

    // A slice that is not what the signed index names, on the disk: it is fetched anew.
    let node = follow(&away, issuer.address, &[]);
    runtime.block_on(becomes(&node, &text, "revoked"));
    node.end(Signal::TERM);
    for slice in std::fs::read_dir(away.0.join("data/verifier/slices")).expect("slices").flatten() {
        std::fs::write(slice.path(), b"broken").expect("writes");
    }
    let node = follow(&away, issuer.address, &[]);
    runtime.block_on(becomes(&node, &text, "revoked"));
    node.end(Signal::TERM);
    issuer.end(Signal::TERM);
}
