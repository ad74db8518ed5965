//! A text message gateway of the test's own: a tiny HTTP server that keeps what it is given.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// The gateway, and the messages that it took.
pub struct Gateway {
    port: u16,
    messages: Mutex<mpsc::UnboundedReceiver<(String, Value)>>,
    refused: Arc<std::sync::atomic::AtomicU32>,
}

impl Gateway {
    /// A gateway that answers 503 to the first `failures` posts.
    pub async fn start(failures: u32) -> Gateway {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listens");
        let port = listener.local_addr().expect("an address").port();
        let (sender, receiver) = mpsc::unbounded_channel();
        let refused = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = Arc::clone(&refused);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("accepts");
                let (sender, count) = (sender.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let mut read = Vec::new();
                    loop {
                        let Some((head, body)) = whole(&read) else {
                            let mut part = [0; 4096];
                            match stream.read(&mut part).await.unwrap_or(0) {
                                0 => return,
                                len => read.extend_from_slice(&part[..len]),
                            }
                            continue;
                        };
                        let fails = count.load(std::sync::atomic::Ordering::SeqCst) < failures;
                        let status = if fails { "503 Service Unavailable" } else { "200 OK" };
                        match fails {
                            true => drop(count.fetch_add(1, std::sync::atomic::Ordering::SeqCst)),
                            false => drop(sender.send((head, body))),
                        }
                        read.clear();
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.expect("answers");
                    }
                });
            }
        });
        Gateway { port, messages: Mutex::new(receiver), refused }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/sms", self.port)
    }

    /// The head and the body of the next message.
    pub async fn next(&self) -> (String, Value) {
        self.messages.lock().await.recv().await.expect("a message")
    }

    /// The code in the next message.
    pub async fn code(&self) -> String {
        let (_, message) = self.next().await;
        code_in(message["text"].as_str().expect("a text"))
    }

    /// The code in the next message for `phone`, written as 08..; those for others are thrown away.
    pub async fn code_for(&self, phone: &str) -> String {
        loop {
            let (_, message) = self.next().await;
            if message["to"].as_str().and_then(|to| to.strip_prefix("+84")) == phone.strip_prefix('0') {
                return code_in(message["text"].as_str().expect("a text"));
            }
        }
    }

    /// True if no message waits.
    pub async fn is_quiet(&self) -> bool {
        self.messages.lock().await.try_recv().is_err()
    }

    /// How many posts were refused.
    pub fn refused(&self) -> u32 {
        self.refused.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// A gateway with TLS that takes one message under `name`.crt of `dir`. Gives its port, and the message or why there was none.
pub fn with_tls(dir: &Path, name: &str) -> (u16, std::thread::JoinHandle<io::Result<(String, Value)>>) {
    use rustls_pki_types::pem::PemObject as _;
    let chain = rustls_pki_types::CertificateDer::from_pem_file(dir.join(format!("{name}.crt"))).expect("reads");
    let key = rustls_pki_types::PrivateKeyDer::from_pem_file(dir.join(format!("{name}.key"))).expect("reads");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth().with_single_cert(vec![chain], key).expect("a pair");
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("listens");
    let port = listener.local_addr().expect("an address").port();
    let taken = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept()?;
        tcp.set_read_timeout(Some(std::time::Duration::from_secs(30)))?;
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
        let mut read = Vec::new();
        loop {
            if let Some(message) = whole(&read) {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
                return Ok(message);
            }
            let mut part = [0; 4096];
            match stream.read(&mut part)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => read.extend_from_slice(&part[..len]),
            }
        }
    });
    (port, taken)
}

/// The six digits in a message.
pub fn code_in(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.filter(|word| word.len() == 6).map(str::to_owned).next().expect("a code")
}

fn whole(read: &[u8]) -> Option<(String, Value)> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(read[..end].to_vec()).expect("ascii").to_ascii_lowercase();
    let len: usize = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    let body = read.get(end..end + len)?;
    Some((head, serde_json::from_slice(body).expect("JSON")))
}
