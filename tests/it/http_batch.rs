//! `POST /v1/verify/batch`: in order, streamed in and out, in bounded memory.

use std::time::Duration;

use thexanh::keys::Algorithm;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::TestApp;
use crate::client::{Answer, Connection};
use crate::texts::{key, listed, text};

const TEXT: (&str, &str) = ("content-type", "text/plain");

async fn batch(app: &TestApp, body: &[u8]) -> Answer {
    let answer = app.request("POST", "/v1/verify/batch", &[TEXT], body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/x-ndjson"));
    answer
}

#[tokio::test]
async fn each_line_is_answered_in_order_and_a_bad_one_costs_only_itself() {
    let app = TestApp::start().await;
    let (_, good) = app.certificate("R-1").await;
    let overlong = format!("VN1:{}", "0".repeat(100_000));
    let lines = [good.as_bytes(), b"hello", b"", b"HC1:\xFF", overlong.as_bytes(), b"HC2:X", good.as_bytes()];
    let expected = [
        "accepted",
        "not_a_certificate",
        "not_a_certificate",
        "malformed_base45",
        "too_large",
        "unknown_prefix",
        "accepted",
    ];
    for ending in [&b"\n"[..], b"\r\n"] {
        for last in [&b""[..], ending] {
            let answer = batch(&app, &[lines.join(ending), last.to_vec()].concat()).await;
            let got: Vec<_> = answer.lines().iter().map(|v| v.get("reason").unwrap_or(&v["result"]).clone()).collect();
            assert_eq!(got, expected);
        }
    }
    assert_eq!(batch(&app, b"").await.lines().len(), 0);
    assert_eq!(batch(&app, b"\n").await.lines().len(), 1);
}

#[tokio::test]
async fn a_line_is_as_long_as_a_text_may_be() {
    let app = TestApp::start().await;
    for (len, reason) in [(4095, "malformed_base45"), (4096, "malformed_base45"), (4097, "too_large")] {
        let line = format!("VN1:{}\n", "a".repeat(len - 4));
        assert_eq!(batch(&app, line.as_bytes()).await.lines()[0]["reason"], reason, "{len}");
    }
}

#[tokio::test]
async fn short_batches_leave_the_connection_open() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(app.address()).await;
    for _ in 0..3 {
        let answer = connection.request("POST", "/v1/verify/batch", &[TEXT], &b"hello\n".repeat(200)).await;
        assert_eq!(answer.lines().len(), 200);
    }
}

#[tokio::test]
async fn lines_are_answered_while_others_are_still_to_come() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(app.address()).await;
    let head = "POST /v1/verify/batch HTTP/1.1\r\nhost: test\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.send(head.as_bytes()).await;
    connection.send(b"6\r\nhello\n\r\n").await;
    assert_eq!(connection.head().await.0, 200);
    for _ in 0..3 {
        let chunk = connection.chunk().await.expect("an answer");
        assert_eq!(chunk.iter().filter(|byte| **byte == b'\n').count(), 1);
        connection.send(b"6\r\nhello\n\r\n").await;
    }
    connection.send(b"0\r\n\r\n").await;
    assert!(connection.chunk().await.is_some());
    assert!(connection.chunk().await.is_none());
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_the_answer_off() {
    let app = TestApp::start_with(|config| config.http.request_timeout_s = 1).await;
    let mut connection = Connection::open(app.address()).await;
    let head = "POST /v1/verify/batch HTTP/1.1\r\nhost: test\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.send(head.as_bytes()).await;
    connection.send(b"6\r\nhello\n\r\n").await;
    assert_eq!(connection.head().await.0, 200);
    assert!(connection.chunk().await.is_some());
    assert!(connection.chunk().await.is_none());
    assert!(connection.is_closed().await, "without the mark of a whole answer");
}

/// The kernel's own buffers between two sockets: at most some 10 MB on Linux by default (tcp_rmem, tcp_wmem).
const IN_THE_KERNEL: usize = 12 << 20;

#[tokio::test]
async fn a_hundred_thousand_lines_pass_through_in_bounded_memory() {
    const LINES: usize = 100_000;
    let app = TestApp::start().await;
    let ours = key(Algorithm::EdDsa);
    app.app.store().put_issuer_key(&listed(&ours)).await.expect("lists");
    app.app.refresh().await.expect("refreshes");
    let texts: Vec<String> = (0..64).map(|serial| text(&ours, serial) + "\n").collect();
    let body: String = texts.iter().cycle().take(LINES).map(String::as_str).collect();
    assert!(body.len() > 2 * IN_THE_KERNEL);
    let stream = tokio::net::TcpStream::connect(app.address()).await.expect("connects");
    let (mut reading, mut writing) = stream.into_split();
    let head = "POST /v1/verify/batch HTTP/1.1\r\nhost: test\r\ncontent-type: text/plain\r\ncontent-length: ";
    writing.write_all(format!("{head}{}\r\n\r\n", body.len()).as_bytes()).await.expect("sends");
    // Whoever does not read the answer is not read either, long before the end: so nothing piles up in the service.
    let mut sent = 0;
    while sent < body.len() {
        match tokio::time::timeout(Duration::from_secs(2), writing.write(&body.as_bytes()[sent..])).await {
            Ok(written) => sent += written.expect("sends"),
            Err(_) => break,
        }
    }
    assert!(sent < IN_THE_KERNEL, "took {sent} bytes and nobody read the answers");
    let sender = tokio::spawn(async move {
        writing.write_all(&body.as_bytes()[sent..]).await.expect("sends");
        writing
    });
    let (mut accepted, mut carried, mut buffer) = (0, Vec::new(), vec![0; 64 * 1024]);
    while accepted < LINES {
        let len = reading.read(&mut buffer).await.expect("reads");
        assert!(len > 0, "broke off after {accepted} lines");
        carried.extend_from_slice(&buffer[..len]);
        let end = carried.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = carried.drain(..end).collect();
        accepted +=
            whole.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"result\":\"accepted\"")).count();
    }
    sender.await.expect("sent");
}
