//! Listening and stopping.

use std::sync::Arc;
use std::time::Duration;

use thexanh::http::access::Role;
use thexanh::http::{Shared, serve};

use crate::app::{TestApp, dose};
use crate::client::{Connection, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_finishes_what_is_in_work_and_takes_nothing_new() {
    let app = TestApp::start().await;
    let (address, token) = (app.address(), app.bearer(Role::Facility));
    let headers = [("content-type", "application/json"), ("authorization", token.as_str())];
    let whole = request("POST", "/v1/doses", &headers, dose("R-1", 1).to_string().as_bytes());
    let mut begun = Connection::open(address).await;
    begun.send(&whole[..whole.len() - 1]).await;
    let mut idle = Connection::open(address).await;
    assert_eq!(idle.request("GET", "/healthz", &[], b"").await.status, 200);
    let mut streaming = Connection::open(address).await;
    let head = "POST /v1/verify/batch HTTP/1.1\r\nhost: test\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
    streaming.send(format!("{head}6\r\nhello\n\r\n").as_bytes()).await;
    assert_eq!(streaming.head().await.0, 200);
    assert!(streaming.chunk().await.is_some());

    let stopping = tokio::spawn(app.stop());
    // From now on nobody new is let in; give the stop a moment to begin.
    let mut refused = false;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let connected = tokio::net::TcpStream::connect(address).await;
        refused = connected.is_err();
        if refused {
            break;
        }
    }
    assert!(refused, "still listening");
    assert!(!stopping.is_finished());
    begun.send(&whole[whole.len() - 1..]).await;
    let answer = begun.answer("POST").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    streaming.send(b"6\r\nhello\n\r\n0\r\n\r\n").await;
    assert!(streaming.chunk().await.is_some_and(|chunk| chunk.starts_with(b"{\"result\"")));
    assert!(streaming.chunk().await.is_none());
    assert!(idle.is_closed().await);
    tokio::time::timeout(Duration::from_secs(20), stopping).await.expect("stops").expect("stops well");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_in_one_sentence() {
    let app = TestApp::start().await;
    let taken = app.address();
    let other = TestApp::try_start(|config| config.http.listen = taken).await;
    let error = other.err().expect("taken");
    assert_eq!((error.code(), error.to_string().lines().count()), ("listen", 1));
    assert!(error.to_string().contains(&taken.to_string()) && error.to_string().contains("--listen"), "{error}");
}

#[tokio::test]
async fn tls_is_spoken_where_a_certificate_is_set_and_a_wrong_one_ends_the_start() {
    let dir = std::env::temp_dir().join(format!("thexanh-it-tls-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("makes");
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output();
    assert!(made.is_ok_and(|made| made.status.success()), "this test makes its certificate with the openssl command");
    let app = TestApp::start_with(|config| {
        config.tls.cert = Some(cert.clone());
        config.tls.key = Some(key.clone());
    })
    .await;
    let mut roots = rustls::RootCertStore::empty();
    for root in rustls_pki_types::pem::PemObject::pem_file_iter(&cert).expect("reads") {
        roots.add(root.expect("a certificate")).expect("a root");
    }
    let address = app.address();
    let answer = tokio::task::spawn_blocking(move || https_get(address, roots, "/healthz")).await.expect("asks");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"), "{answer}");
    let refused = TestApp::try_start(|config| {
        config.tls.cert = Some(key.clone());
        config.tls.key = Some(cert.clone());
    })
    .await;
    let error = refused.err().expect("swapped files");
    assert_eq!((error.code(), error.to_string().lines().count()), ("tls", 1));
    std::fs::remove_dir_all(&dir).expect("removes");
}

fn https_get(address: std::net::SocketAddr, roots: rustls::RootCertStore, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    let name = rustls_pki_types::ServerName::try_from("localhost").expect("a name");
    let mut tls = rustls::ClientConnection::new(Arc::new(config), name).expect("a connection");
    let mut tcp = std::net::TcpStream::connect(address).expect("connects");
    let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("sends");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn two_services_share_one_database() {
    let app = TestApp::start().await;
    let mut config = app.app.config().clone();
    config.http.listen.set_port(0);
    let store = app.app.store().clone();
    let other =
        thexanh::app::App::start(config, app.clock.clone(), store, Arc::clone(&app.keyring)).await.expect("starts");
    let serving = serve(Shared::new(Arc::clone(&other), Arc::clone(&app.tokens))).expect("listens");
    let (_, text) = app.certificate("R-1").await;
    let mut connection = Connection::open(serving.address()).await;
    let answer = connection.request("POST", "/v1/verify", &[("content-type", "text/plain")], text.as_bytes()).await;
    assert_eq!(answer.json()["result"], "accepted");
    serving.stop().await;
    other.stop().await;
}
