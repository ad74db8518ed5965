//! A small HTTP/1.1 client on a bare socket: it shows what is on the wire, and breaks it where a test wants to.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The header of this name, in lower case; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Every header of this name, in lower case.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| &**value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// One JSON value a line.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Checks that this is a whole problem document with this status and code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> serde_json::Value {
        assert_eq!(self.status, status, "{:?}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        let document = self.json();
        assert_eq!(document["code"], code, "{document}");
        assert_eq!(document["status"], status);
        assert_eq!(document["type"], format!("urn:thexanh:problem:{code}"));
        assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()));
        document
    }
}

/// A connection that is kept open from request to request.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).await.expect("connects");
        stream.set_nodelay(true).expect("sets");
        Connection { stream, read: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sends");
    }

    /// Sends a request with its length, and reads the answer.
    pub async fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send(&request(method, path, headers, body)).await;
        self.answer(method).await
    }

    /// Reads one answer.
    pub async fn answer(&mut self, method: &str) -> Answer {
        let (status, headers) = self.head().await;
        let mut answer = Answer { status, headers, body: Vec::new() };
        // A stream of events has no end: whoever wants some reads them chunk by chunk.
        let endless = answer.header("content-type") == "text/event-stream";
        let bodiless = method == "HEAD" || status == 204 || status == 304 || endless;
        if bodiless {
            return answer;
        }
        if answer.header("transfer-encoding") == "chunked" {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
        } else {
            let len: usize = answer.header("content-length").parse().expect("a length");
            answer.body = self.take(len).await;
        }
        answer
    }

    /// Reads an answer's status and headers.
    pub async fn head(&mut self) -> (u16, Vec<(String, String)>) {
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                break String::from_utf8(head).expect("ascii");
            }
            assert!(self.fill().await, "the connection was closed before an answer: {:?}", self.read);
        };
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        (status.parse().expect("a status"), headers.collect())
    }

    /// Reads the next chunk of a chunked body; `None` at its end, and if the connection breaks off.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let len = loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.read.drain(..end + 2).collect();
                let digits = std::str::from_utf8(&line).expect("ascii").trim();
                break usize::from_str_radix(digits, 16).expect("a length in hexadecimal");
            }
            if !self.fill().await {
                return None;
            }
        };
        let chunk = self.take(len).await;
        self.take(2).await;
        (len > 0).then_some(chunk)
    }

    /// True if the other side has closed the connection, or does within a second.
    pub async fn is_closed(&mut self) -> bool {
        let read = tokio::time::timeout(std::time::Duration::from_secs(1), self.fill()).await;
        read.is_ok_and(|more| !more)
    }

    async fn take(&mut self, len: usize) -> Vec<u8> {
        while self.read.len() < len {
            assert!(self.fill().await, "the connection was closed in the middle of an answer");
        }
        self.read.drain(..len).collect()
    }

    async fn fill(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        let len = self.stream.read(&mut buffer).await.unwrap_or(0);
        self.read.extend_from_slice(&buffer[..len]);
        len > 0
    }
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| bytes += &format!("{name}: {value}\r\n"));
    bytes += "\r\n";
    [bytes.as_bytes(), body].concat()
}
