//! A text message gateway of the test's own: a tiny HTTP server that keeps what it is given.

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
