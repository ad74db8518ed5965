//! Connections that are kept open, requests made ahead, answers checked one by one.

use std::cell::Cell;
use std::io::Write as _;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use memchr::{memchr, memmem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::texts::{self, HOT, Texts};

/// Where the yardstick is.
pub const CONSTANT: &str = "/constant";
/// How long an ordinary verdict is.
const VERDICT_LEN: usize = 420;
/// Connections at once: enough that the node always has one to answer.
const CONNECTIONS: usize = 32;
/// Texts in a batch.
const BATCH: usize = 64;

/// The yardstick's answer.
pub fn constant() -> String {
    format!(r#"{{"constant":"{}"}}"#, "0".repeat(VERDICT_LEN - 15))
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// The yardstick, with a text as its body.
    Constant,
    /// A text that was proved before.
    Cached,
    /// A text that is sent this once.
    Cold,
    /// Sixty-four of those at once.
    BatchCold,
    /// Sixty-four texts that were proved before.
    BatchCached,
}

impl Path {
    /// Those that are published.
    pub const MEASURED: [Path; 4] = [Path::Cached, Path::Cold, Path::BatchCold, Path::BatchCached];

    /// As it is published.
    pub fn name(self) -> &'static str {
        match self {
            Path::Constant => "http/constant",
            Path::Cached => "http/cached",
            Path::Cold => "http/cold",
            Path::BatchCold => "http/batch64-cold",
            Path::BatchCached => "http/batch64-cached",
        }
    }

    fn route(self) -> &'static str {
        match self {
            Path::Constant => CONSTANT,
            Path::Cached | Path::Cold => "/v1/verify",
            Path::BatchCold | Path::BatchCached => "/v1/verify/batch",
        }
    }

    fn texts(self) -> usize {
        match self {
            Path::Constant | Path::Cached | Path::Cold => 1,
            Path::BatchCold | Path::BatchCached => BATCH,
        }
    }
}

/// What loads the node, and with what. Clones share what was sent.
#[derive(Clone)]
pub struct Load {
    address: SocketAddr,
    texts: Rc<Texts>,
    hot: Rc<Cell<usize>>,
    cold: Rc<Cell<usize>>,
    batch: Rc<Cell<usize>>,
}

impl Load {
    pub fn new(address: SocketAddr, texts: Rc<Texts>) -> Load {
        let batch = Rc::new(Cell::new(texts.batches().start));
        Load { address, texts, hot: Rc::default(), cold: Rc::new(Cell::new(HOT)), batch }
    }

    /// A connection to the node.
    pub async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(self.address).await.context("connecting to the node")?;
        stream.set_nodelay(true)?;
        let constant = constant();
        Ok(Connection { stream, texts: Rc::clone(&self.texts), constant, request: Vec::new(), read: Vec::new() })
    }

    /// The numbers of the next request's texts; `None` when every cold one was sent.
    pub fn next(&self, path: Path) -> Option<Range<usize>> {
        let (at, all) = match path {
            Path::Constant | Path::Cached | Path::BatchCached => (&self.hot, 0..HOT),
            Path::Cold => (&self.cold, HOT..self.texts.batches().start),
            Path::BatchCold => (&self.batch, self.texts.batches()),
        };
        if at.get() + path.texts() > all.end {
            if path == Path::Cold {
                return None;
            }
            at.set(all.start); // a batch leaves no proofs behind: its texts are as cold the next time
        }
        let numbers = at.get()..at.get() + path.texts();
        at.set(numbers.end);
        Some(numbers)
    }

    /// Sends every hot text once.
    pub async fn warm(&self) -> Result<()> {
        let mut connection = self.connect().await?;
        for number in 0..HOT {
            connection.ask(Path::Cached, number..number + 1).await?;
        }
        Ok(())
    }

    /// How many texts a second are answered when each connection asks again as soon as it has its answer.
    pub async fn rate(&self, path: Path, length: Duration) -> Result<f64> {
        let lanes = LocalSet::new();
        let began = Instant::now();
        let lane = |load: Load| async move {
            let mut connection = load.connect().await?;
            let mut answered = 0;
            while began.elapsed() < length {
                let Some(numbers) = load.next(path) else { break };
                answered += numbers.len();
                connection.ask(path, numbers).await?;
            }
            Ok::<_, anyhow::Error>(answered)
        };
        let running: Vec<_> = (0..CONNECTIONS).map(|_| lanes.spawn_local(lane(self.clone()))).collect();
        let mut answered = 0;
        lanes.await;
        for lane in running {
            answered += lane.await??;
        }
        Ok(answered as f64 / began.elapsed().as_secs_f64())
    }
}

/// One connection, with room for a request and its answer.
pub struct Connection {
    stream: TcpStream,
    texts: Rc<Texts>,
    constant: String,
    request: Vec<u8>,
    read: Vec<u8>,
}

impl Connection {
    /// Sends the texts of these numbers and checks what comes back. Errors: a wrong answer, a broken connection.
    pub async fn ask(&mut self, path: Path, numbers: Range<usize>) -> Result<()> {
        let len = numbers.clone().map(|number| self.texts.get(number).len() + 1).sum::<usize>() - 1;
        self.request.clear();
        write!(
            self.request,
            "POST {} HTTP/1.1\r\nhost: node\r\ncontent-type: text/plain\r\ncontent-length: {len}\r\n\r\n",
            path.route()
        )?;
        for number in numbers.clone() {
            self.request.extend_from_slice(self.texts.get(number).as_bytes());
            self.request.push(b'\n');
        }
        self.request.pop();
        self.stream.write_all(&self.request).await?;
        let body = self.answer().await?;
        match path {
            Path::Constant => ensure!(body == self.constant.as_bytes(), "the yardstick answered something else"),
            _ => check(&body, numbers)?,
        }
        Ok(())
    }

    /// Reads one answer and gives its body. Errors: any status but 200.
    async fn answer(&mut self) -> Result<Vec<u8>> {
        self.read.clear();
        let head = loop {
            if let Some(end) = memmem::find(&self.read, b"\r\n\r\n") {
                break end + 4;
            }
            self.fill().await?;
        };
        let headers = std::str::from_utf8(self.read.get(..head).unwrap_or_default())?;
        ensure!(headers.starts_with("HTTP/1.1 200"), "answered {}", headers.lines().next().unwrap_or_default());
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
        if let Some(length) = length {
            let end = head + length.parse::<usize>()?;
            while self.read.len() < end {
                self.fill().await?;
            }
            ensure!(self.read.len() == end, "more was answered than was asked");
            return Ok(self.read.get(head..end).unwrap_or_default().to_vec());
        }
        let (mut body, mut at) = (Vec::new(), head);
        loop {
            let line = loop {
                match memmem::find(self.read.get(at..).unwrap_or_default(), b"\r\n") {
                    Some(end) => break at + end,
                    None => self.fill().await?,
                }
            };
            let digits = std::str::from_utf8(self.read.get(at..line).unwrap_or_default())?;
            let (from, len) = (line + 2, usize::from_str_radix(digits, 16)?);
            while self.read.len() < from + len + 2 {
                self.fill().await?;
            }
            if len == 0 {
                return Ok(body);
            }
            body.extend_from_slice(self.read.get(from..from + len).unwrap_or_default());
            at = from + len + 2;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.read).await? == 0 {
            bail!("the node closed the connection");
        }
        Ok(())
    }
}

/// One line for each text, accepted, and each about its own certificate.
fn check(mut body: &[u8], numbers: Range<usize>) -> Result<()> {
    for number in numbers {
        let (line, rest) = body.split_at(memchr(b'\n', body).unwrap_or(body.len()));
        let right = line.starts_with(br#"{"result":"accepted","card":"green""#)
            && memmem::find(line, &texts::uvci(number)).is_some();
        ensure!(right, "a wrong answer: {}", String::from_utf8_lossy(line));
        body = rest.get(1..).unwrap_or_default();
    }
    ensure!(body.is_empty(), "more was answered than was asked");
    Ok(())
}
