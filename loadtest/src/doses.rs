//! Doses in, certificates out: the service's own routes on an embedded database in a process of its own, durable as it always is,
//! loaded over connections that are kept; every answer is checked while it is timed, and afterwards the rows are counted.
//!
//! Each connection sends its next dose as soon as it has its certificate. The node, PostgreSQL and this client share the machine.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use hdrhistogram::Histogram;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use thexanh::app::{App, enlist};
use thexanh::clock::Clock;
use thexanh::config::Config;
use thexanh::http::access::Role;
use thexanh::http::auth::{Grant, TokenKey};
use thexanh::http::{Shared, serve};
use thexanh::keyring::Keyring;
use thexanh::store::{Facility, Province, Store, StoreSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::scratch::Scratch;

/// Connections at once: a district's facilities.
const CONNECTIONS: usize = 400;
/// Seconds of load that are not counted: connections, plans and caches come to be.
const WARM_UP: Duration = Duration::from_secs(2);
/// Doses sent one alone.
const ALONE: usize = 100;
/// How often a node with the transparency log and one without it are loaded in turn.
const TURNS: usize = 5;

/// What the node says when it listens.
#[derive(Serialize, Deserialize)]
struct Listening {
    address: SocketAddr,
    bearer: String,
    sockets: String,
    port: u16,
    user: String,
    database: String,
}

/// Serves until standard input ends. `logs`: whether what is signed goes into the transparency log.
pub fn node(logs: bool) -> Result<()> {
    let dir = Scratch::new("doses")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve_until_told(dir.path(), logs))
}

async fn serve_until_told(dir: &std::path::Path, logs: bool) -> Result<()> {
    let clock = Clock::system();
    let keyring = Keyring::open_or_create(&dir.join("keys"), "for a load test only")?;
    let mut config = Config::default();
    config.http.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let connections = config.database.connections;
    let store = Store::open(&StoreSettings { url: None, data_dir: dir.to_owned(), connections, schema: None }).await?;
    let store = if logs { store } else { store.without_log() };
    store.migrate().await?;
    let province = Province { code: "79".to_owned(), name: "Thành phố Hồ Chí Minh".to_owned() };
    let facility = Facility { code: "79001".to_owned(), name: "Trạm y tế".to_owned(), province: "79".to_owned() };
    store.put_reference(&[province], &[facility]).await?;
    enlist(&store, &keyring, clock.now()).await?;
    let tokens = Arc::new(TokenKey::from_pkcs8(keyring.token_pkcs8(), &config.tokens)?);
    let grant = Grant {
        role: Role::Facility,
        subject: "load".to_owned(),
        facility: Some("79001".to_owned()),
        province: None,
        lifetime_s: 3600,
    };
    let bearer = tokens.mint(&grant, clock.now())?;
    let (sockets, port, user, database) = {
        let server = store.embedded().ok_or_else(|| anyhow!("the database is not embedded"))?;
        let sockets = server.socket_dir().display().to_string();
        (sockets, server.port(), server.user().to_owned(), server.database().to_owned())
    };
    let app = App::start(config, clock, store, Arc::new(keyring)).await?;
    let serving = serve(Shared::new(Arc::clone(&app), tokens))?;
    let said = Listening { address: serving.address(), bearer, sockets, port, user, database };
    println!("{}", serde_json::to_string(&said)?);
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    serving.stop().await;
    app.stop().await;
    Ok(())
}

/// Loads a node for `length` and gives the figures.
pub fn run(length: Duration) -> Result<Vec<String>> {
    let node = Node::start(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(figures(&node.listening, length))
}

/// Loads a node with the transparency log and one without it in turn, and gives what the log costs in doses a second: the median
/// of the turns. The machine is the same, and so are the tables' sizes in each turn.
pub fn issue_cost(length: Duration) -> Result<Vec<String>> {
    let nodes = [Node::start(true)?, Node::start(false)?];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serials = [Rc::default(), Rc::default()];
    let mut costs = Vec::new();
    for turn in 0..TURNS {
        let mut rates = [0.0; 2];
        // Each is the first in its turn.
        for which in if turn % 2 == 0 { [0, 1] } else { [1, 0] } {
            let (node, serial) = (nodes.get(which).context("two")?, serials.get(which).context("two")?);
            let micros = runtime.block_on(load(&node.listening, serial, WARM_UP, length))?;
            *rates.get_mut(which).context("two")? = micros.len() as f64 / length.as_secs_f64();
            // At once: what was signed last under load is promised in ten seconds, too.
            if which == 0 {
                runtime.block_on(logged(&node.listening, serial.get()))?;
            }
        }
        let [with, without] = rates;
        println!("transparency: {with:.0} doses/s with the log, {without:.0} without it");
        costs.push((1.0 - with / without) * 100.0);
    }
    for (node, serial) in nodes.iter().zip(&serials) {
        runtime.block_on(count(&node.listening, i64::from(serial.get())))?;
    }
    costs.sort_by(f64::total_cmp);
    let median = costs.get(costs.len() / 2).context("turns")?;
    Ok(vec![format!("figure: transparency/issue-cost {median:.1} %")])
}

/// Fails unless the node's log has an entry for each of `doses` within the ten seconds that are promised.
async fn logged(node: &Listening, doses: u32) -> Result<()> {
    let mut connection = Connection::open(node).await?;
    let began = Instant::now();
    loop {
        let entries = connection.log_size().await?;
        if entries == u64::from(doses) {
            println!("transparency: {entries} entries, the last {:.1} s after its dose", began.elapsed().as_secs_f64());
            return Ok(());
        }
        ensure!(began.elapsed() < Duration::from_secs(10), "{doses} doses were acknowledged, the log has {entries}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The node's process, ended with this one.
struct Node {
    process: Child,
    listening: Listening,
}

impl Node {
    fn start(logs: bool) -> Result<Node> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--doses-node")
            .args((!logs).then_some("--without-log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the node")?;
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().context("piped")?).read_line(&mut line)?;
        ensure!(!line.is_empty(), "the node did not start; it says above why");
        Ok(Node { listening: serde_json::from_str(&line)?, process })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

async fn figures(node: &Listening, length: Duration) -> Result<Vec<String>> {
    let serial = Rc::default();
    let micros = load(node, &serial, WARM_UP, length).await?;
    let rate = micros.len() as f64 / length.as_secs_f64();
    let ms = |quantile| micros.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "doses: {} in {} s on {CONNECTIONS} connections: p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, most {:.1} ms; every answer was right",
        micros.len(),
        length.as_secs(),
        ms(0.5),
        ms(0.99),
        ms(0.999),
        ms(1.0)
    );
    let idle = alone(node, &serial).await?;
    count(node, i64::from(serial.get())).await?;
    Ok(vec![
        format!("figure: doses/rate {rate:.0} doses/s"),
        format!("figure: doses/p99 {:.1} ms", ms(0.99)),
        format!("figure: doses/idle {idle:.1} ms"),
    ])
}

/// Loads a node for `length` behind `warm_up`, and gives how many microseconds each dose took. `serial`: the last person's number.
async fn load(node: &Listening, serial: &Rc<Cell<u32>>, warm_up: Duration, length: Duration) -> Result<Histogram<u64>> {
    let lanes = LocalSet::new();
    let counted_from = Instant::now() + warm_up;
    let until = counted_from + length;
    let lane = |serial: Rc<Cell<u32>>, mut connection: Connection| async move {
        let mut micros = Histogram::<u64>::new(3)?;
        while Instant::now() < until {
            serial.set(serial.get() + 1);
            let sent = Instant::now();
            connection.record(serial.get()).await?;
            if sent >= counted_from && Instant::now() <= until {
                micros.record(sent.elapsed().as_micros() as u64)?;
            }
        }
        Ok::<_, anyhow::Error>(micros)
    };
    let mut running = Vec::new();
    for _ in 0..CONNECTIONS {
        running.push(lanes.spawn_local(lane(Rc::clone(serial), Connection::open(node).await?)));
    }
    lanes.await;
    let mut micros = Histogram::<u64>::new(3)?;
    for lane in running {
        micros.add(lane.await??)?;
    }
    Ok(micros)
}

/// The median time in milliseconds that a dose takes alone.
async fn alone(node: &Listening, serial: &Cell<u32>) -> Result<f64> {
    let mut connection = Connection::open(node).await?;
    let mut micros = Histogram::<u64>::new(3)?;
    for _ in 0..ALONE {
        tokio::time::sleep(Duration::from_millis(20)).await;
        serial.set(serial.get() + 1);
        let sent = Instant::now();
        connection.record(serial.get()).await?;
        micros.record(sent.elapsed().as_micros() as u64)?;
    }
    Ok(micros.value_at_quantile(0.5) as f64 / 1000.0)
}

/// Fails unless each table that a dose writes to has a row for each of `doses`.
async fn count(node: &Listening, doses: i64) -> Result<()> {
    let client = database(node).await?;
    for table in ["person", "dose", "dose_by_record", "certificate", "certificate_by_uvci"] {
        let rows: i64 = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.get(0);
        ensure!(rows == doses, "{doses} doses were acknowledged, {table} has {rows} rows");
    }
    println!("doses: {doses} rows in each table, as acknowledged");
    Ok(())
}

/// A connection to the node's database.
async fn database(node: &Listening) -> Result<tokio_postgres::Client> {
    let mut config = tokio_postgres::Config::new();
    config.host_path(&node.sockets).port(node.port).user(&node.user).dbname(&node.database);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// One connection, with room for a request and its answer.
struct Connection {
    stream: TcpStream,
    head: String,
    request: Vec<u8>,
    read: Vec<u8>,
}

impl Connection {
    async fn open(node: &Listening) -> Result<Connection> {
        let stream = TcpStream::connect(node.address).await.context("connecting to the node")?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST /v1/doses HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\ncontent-length: ",
            node.bearer
        );
        Ok(Connection { stream, head, request: Vec::new(), read: Vec::new() })
    }

    /// Records the first dose of the person of this number. Errors: any answer but 201 with a certificate.
    async fn record(&mut self, serial: u32) -> Result<()> {
        const GIVEN: [&str; 8] = ["Thảo", "Hùng", "Linh", "Thuỷ", "Dũng", "Hạnh", "Tuấn", "Đạt"];
        let given = GIVEN.get(serial as usize % GIVEN.len()).copied().unwrap_or_default();
        let (year, month, day) = (1940 + serial % 60, 1 + serial / 60 % 12, 1 + serial / 720 % 28);
        let body = format!(
            r#"{{"record_no":"L-{serial}","person":{{"name":"Nguyễn Thị Phương {given}","birth":"{year}-{month:02}-{day:02}","sex":"female","phone":"09{serial:08}","identity":"0{:011}","ward":"00001"}},"product":"EU/1/20/1528","lot":"FE8405","lot_expires_on":"2021-12-31","given_at":"2021-08-01T02:15:00Z","number":1}}"#,
            1_000_000 + serial
        );
        self.request.clear();
        write!(self.request, "{}{}\r\n\r\n{body}", self.head, body.len())?;
        let answer = self.answer().await?;
        let right = answer.starts_with(b"HTTP/1.1 201") && memmem::find(answer, br#""text":"VN1:"#).is_some();
        ensure!(right, "a wrong answer: {}", String::from_utf8_lossy(answer));
        Ok(())
    }

    /// How many entries the log has by its checkpoint. Errors: any answer but one.
    async fn log_size(&mut self) -> Result<u64> {
        self.request.clear();
        self.request.extend_from_slice(b"GET /v1/log/checkpoint HTTP/1.1\r\nhost: node\r\n\r\n");
        let answer = String::from_utf8_lossy(self.answer().await?);
        ensure!(answer.starts_with("HTTP/1.1 200"), "no checkpoint: {answer}");
        // Behind the origin. Source: C2SP tlog-checkpoint.
        let size = answer.split_once("\r\n\r\n").and_then(|(_, note)| note.lines().nth(1)?.parse().ok());
        size.context("a checkpoint says its size")
    }

    /// Sends the request, and gives the answer to it.
    async fn answer(&mut self) -> Result<&[u8]> {
        self.stream.write_all(&self.request).await?;
        self.read.clear();
        let whole = loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the node closed the connection");
            }
            if let Some(whole) = self.whole()? {
                break whole;
            }
        };
        ensure!(whole == self.read.len(), "more was answered than was asked");
        Ok(&self.read)
    }

    /// How long the answer is, once it is whole.
    fn whole(&self) -> Result<Option<usize>> {
        let Some(head) = memmem::find(&self.read, b"\r\n\r\n") else { return Ok(None) };
        let headers = std::str::from_utf8(self.read.get(..head).unwrap_or_default())?;
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
        let whole = head + 4 + length.context("an answer has a length")?.parse::<usize>()?;
        Ok((self.read.len() >= whole).then_some(whole))
    }
}
