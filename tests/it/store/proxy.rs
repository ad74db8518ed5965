//! A proxy before the database that breaks, or holds, a connection at a chosen word of what the client says.

use std::io;
use std::sync::{Arc, Mutex};

use thexanh::store::StoreSettings;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_postgres::config::Host;

use crate::harness::{TestSchema, database_url};

/// What happens to the message that holds the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut and the server never hears of it.
    LoseRequest,
    /// The server answers, and the connection is cut before the client hears of it.
    LoseAnswer,
    /// It waits until it is [`Proxy::release`]d.
    Hold,
}

#[derive(Default)]
struct Shared {
    /// The next message with this word meets this fault; once.
    armed: Mutex<Option<(&'static str, Fault)>>,
    held: Notify,
    released: Notify,
}

/// A TCP port on the loopback interface before the tests' database. Dropped, it cuts all connections and listens no more.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub async fn start() -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared::default());
        let for_all = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&for_all);
                connections.spawn(async move {
                    let _ = relay(client, &shared).await; // however it ends, both sides are closed
                });
            }
        });
        Proxy { port, shared, accepting }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What to open a store in `schema` with, that comes through here.
    pub fn settings(&self, schema: &TestSchema) -> StoreSettings {
        StoreSettings { url: Some(url(&[self.port])), ..schema.settings() }
    }

    /// Lets the next message with `word` in it meet `fault`.
    pub fn arm(&self, word: &'static str, fault: Fault) {
        *self.shared.armed.lock().expect("no panic") = Some((word, fault));
    }

    /// True if no message has met the fault yet.
    pub fn is_armed(&self) -> bool {
        self.shared.armed.lock().expect("no panic").is_some()
    }

    /// Waits until a message is held.
    pub async fn held(&self) {
        self.shared.held.notified().await;
    }

    /// Lets the held message go on.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The tests' database at these ports of the loopback interface, tried in this order.
pub fn url(ports: &[u16]) -> String {
    let config: tokio_postgres::Config = database_url().parse().expect("a connection URL");
    let list = |of: &dyn Fn(&u16) -> String| ports.iter().map(of).collect::<Vec<_>>().join(",");
    let (hosts, ports) = (list(&|_| "127.0.0.1".to_owned()), list(&u16::to_string));
    let quoted = |value: &str| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
    let user = quoted(config.get_user().expect("a user"));
    let dbname = quoted(config.get_dbname().expect("a database"));
    let password = quoted(&String::from_utf8_lossy(config.get_password().unwrap_or_default()));
    format!("host={hosts} port={ports} user={user} dbname={dbname} password={password} sslmode=disable")
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn database() -> io::Result<Box<dyn Stream>> {
    let config: tokio_postgres::Config = database_url().parse().expect("a connection URL");
    let port = config.get_ports().first().copied().unwrap_or(5432);
    Ok(match config.get_hosts().first().expect("a host") {
        Host::Tcp(name) => Box::new(TcpStream::connect((name.as_str(), port)).await?),
        Host::Unix(dir) => Box::new(UnixStream::connect(dir.join(format!(".s.PGSQL.{port}"))).await?),
    })
}

async fn relay(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let (mut from_server, mut to_server) = tokio::io::split(database().await?);
    let (mut from_client, mut to_client) = client.into_split();
    let losing = std::sync::atomic::AtomicBool::new(false);
    let there = async {
        let mut first = true;
        loop {
            let message = read_message(&mut from_client, first).await?;
            first = false;
            match meets(shared, &message) {
                Some(Fault::LoseRequest) => return Ok(()),
                Some(Fault::LoseAnswer) => losing.store(true, std::sync::atomic::Ordering::SeqCst),
                Some(Fault::Hold) => {
                    shared.held.notify_one();
                    shared.released.notified().await;
                }
                None => {}
            }
            to_server.write_all(&message).await?;
        }
    };
    let back = async {
        let mut bytes = vec![0; 16 * 1024];
        loop {
            let len = from_server.read(&mut bytes).await?;
            // Everything before was answered when the client spoke: this is the answer to lose.
            if len == 0 || losing.load(std::sync::atomic::Ordering::SeqCst) {
                return Ok(());
            }
            to_client.write_all(&bytes[..len]).await?;
        }
    };
    tokio::select! {
        done = there => done,
        done = back => done,
    }
}

/// One message of the client's: a type byte, but for the first, and a length that counts itself.
async fn read_message(client: &mut (impl AsyncRead + Unpin), first: bool) -> io::Result<Vec<u8>> {
    let head = if first { 4 } else { 5 };
    let mut message = vec![0; head];
    client.read_exact(&mut message).await?;
    let len: [u8; 4] = message[head - 4..].try_into().expect("four bytes");
    message.resize(head - 4 + u32::from_be_bytes(len) as usize, 0);
    client.read_exact(&mut message[head..]).await?;
    Ok(message)
}

fn meets(shared: &Shared, message: &[u8]) -> Option<Fault> {
    let mut armed = shared.armed.lock().expect("no panic");
    let (word, fault) = (*armed)?;
    let holds_it = message.windows(word.len()).any(|part| part == word.as_bytes());
    if holds_it {
        *armed = None;
    }
    holds_it.then_some(fault)
}
