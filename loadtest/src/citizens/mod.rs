//! Citizens at once: registrations as fast as the node takes them, beside what pgbench reaches with the same statements on the
//! same tables, one registration a transaction; then holders who look up their certificates. Every answer is checked, and the
//! rows are counted afterwards. Client, node and database share the machine.

mod node;

use std::cell::{Cell, RefCell};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hdrhistogram::Histogram;
use memchr::memmem;
use thexanh::certificate::UnixSeconds;
use thexanh::clock::Clock;
use thexanh::config::Tokens;
use thexanh::http::access::Role;
use thexanh::http::auth::{Grant, TokenKey};
use thexanh::keyring::Keyring;
use thexanh::registration::declaration::{CONSENT_VERSION, QUESTIONS, VERSION};
use thexanh::registration::reference;
use thexanh::store::embedded::Embedded;
use tokio::task::LocalSet;
use uuid::Uuid;

pub use node::{PASSPHRASE, run as serve};

use crate::scratch::Scratch;
use crate::wire::Connection;

/// Connections at once: eight times what pgbench has, for each waits for its group.
const CONNECTIONS: usize = 512;
/// What pgbench has, as the issue asks.
const PGBENCH_CLIENTS: &str = "64";
/// Accounts with a certificate: so many that none is asked for twice within the second for which its list is kept.
const HOLDERS: usize = 30_000;
/// Holders who ask again and again.
const HOT: usize = 100;
/// Doses in one request.
const DOSES: usize = 400;

/// Runs it all and gives the figures. `length`: of each measurement.
pub fn run(length: Duration) -> Result<Vec<String>> {
    let scratch = Scratch::new("citizens")?;
    let dir = scratch.path();
    let keyring = Keyring::open_or_create(&dir.join("keys"), PASSPHRASE)?;
    let tokens = TokenKey::from_pkcs8(keyring.token_pkcs8(), &Tokens::default())?;
    let node = Node::citizens(dir)?;
    let database = Embedded::start(dir)?;
    let load = Load { address: node.address, tokens: Rc::new(tokens), next: Rc::new(Cell::new(0)), length };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&load, &database))
}

async fn measure(load: &Load, database: &Embedded) -> Result<Vec<String>> {
    println!("load average before: {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    load.register_all(Duration::from_secs(2)).await?; // connections, statements and caches are warm
    let before = counts(database)?;
    let made = load.register_all(load.length).await?;
    let after = counts(database)?;
    for ((table, before), (_, after)) in before.iter().zip(&after) {
        ensure!(after - before == made.answered, "{table}: {} rows for {} answers", after - before, made.answered);
    }
    println!("{} registrations acknowledged, and as many rows in each of {} tables", made.answered, after.len());
    let pgbench = pgbench(database, load.length)?;
    println!("load average after: {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    let holders = load.holders().await?;
    let uncached = load.look_up_all(&holders).await?;
    let kept = uncached < HOLDERS as f64;
    let cached = load.look_up_all(holders.get(..HOT).unwrap_or_default()).await?;
    Ok(vec![
        format!("figure: registrations/rate {:.0} registrations/s", made.rate),
        format!("figure: registrations/p99 {:.1} ms", made.p99_ms),
        format!("figure: registrations/vs-pgbench {:.0} transactions/s {:.2}x pgbench", pgbench, made.rate / pgbench),
        format!("figure: lookup/cached {cached:.0} lists/s"),
        match kept {
            true => format!("figure: lookup/uncached {uncached:.0} lists/s"),
            false => "figure: lookup/uncached n/a (faster than lists go stale)".to_owned(),
        },
    ])
}

/// What loads the node. Clones share the numbering of people.
#[derive(Clone)]
struct Load {
    address: SocketAddr,
    tokens: Rc<TokenKey>,
    next: Rc<Cell<u64>>,
    length: Duration,
}

struct Made {
    answered: u64,
    rate: f64,
    p99_ms: f64,
}

impl Load {
    fn session(&self, account: Uuid) -> String {
        self.tokens.mint_session(account, 0, UnixSeconds(Clock::system().now().0 + 3600))
    }

    /// The number of the next person, whom nobody else registers.
    fn person(&self) -> u64 {
        let n = self.next.get();
        self.next.set(n + 1);
        n
    }

    /// Registers people on every connection for `length`; each connection waits for its answer.
    async fn register_all(&self, length: Duration) -> Result<Made> {
        let micros = Rc::new(RefCell::new(Histogram::<u64>::new(3)?));
        let (lanes, began) = (LocalSet::new(), Instant::now());
        let lane = |load: Load, micros: Rc<RefCell<Histogram<u64>>>| async move {
            let mut connection = Connection::open(load.address).await?;
            while began.elapsed() < length {
                let request = registration(&load.session(Uuid::new_v4()), load.person());
                let sent = Instant::now();
                let (status, body) = connection.ask(&request).await?;
                let took = u64::try_from(sent.elapsed().as_micros())?;
                let right = status == 201 && memmem::find(body, br#""status":"registered""#).is_some();
                ensure!(right, "answered {status}: {}", String::from_utf8_lossy(body));
                micros.borrow_mut().record(took)?;
            }
            Ok::<_, anyhow::Error>(())
        };
        let running: Vec<_> =
            (0..CONNECTIONS).map(|_| lanes.spawn_local(lane(self.clone(), Rc::clone(&micros)))).collect();
        lanes.await;
        let took = began.elapsed().as_secs_f64();
        for lane in running {
            lane.await??;
        }
        let micros = micros.borrow();
        let p99_ms = micros.value_at_quantile(0.99) as f64 / 1000.0;
        println!(
            "registrations: {} in {took:.1} s, p50 {:.1} ms, p99 {p99_ms:.1} ms, p99.9 {:.1} ms",
            micros.len(),
            micros.value_at_quantile(0.5) as f64 / 1000.0,
            micros.value_at_quantile(0.999) as f64 / 1000.0,
        );
        Ok(Made { answered: micros.len(), rate: micros.len() as f64 / took, p99_ms })
    }

    /// Accounts that hold one person with one certificate each, as sessions.
    async fn holders(&self) -> Result<Vec<String>> {
        let grant = Grant {
            role: Role::Facility,
            subject: "load".to_owned(),
            facility: Some("79001".to_owned()),
            province: None,
            lifetime_s: 3600,
        };
        let staff = self.tokens.mint(&grant, Clock::system().now())?;
        let (lanes, holders) = (LocalSet::new(), Rc::new(RefCell::new(Vec::new())));
        let lane = |load: Load, staff: String, holders: Rc<RefCell<Vec<String>>>| async move {
            let mut connection = Connection::open(load.address).await?;
            while holders.borrow().len() < HOLDERS {
                let mut lines = String::new();
                for _ in 0..DOSES {
                    let (session, n) = (load.session(Uuid::new_v4()), load.person());
                    let (status, _) = connection.ask(&registration(&session, n)).await?;
                    ensure!(status == 201, "a holder's registration was answered {status}");
                    lines += &dose(n);
                    holders.borrow_mut().push(session);
                }
                let (status, body) =
                    connection.ask(&request("POST /v1/doses", &staff, "application/x-ndjson", &lines)).await?;
                let recorded = memmem::find_iter(body, br#""status":201"#).count();
                ensure!(status == 200 && recorded == DOSES, "{recorded} of {DOSES} doses were recorded");
            }
            Ok::<_, anyhow::Error>(())
        };
        let running: Vec<_> =
            (0..64).map(|_| lanes.spawn_local(lane(self.clone(), staff.clone(), Rc::clone(&holders)))).collect();
        lanes.await;
        for lane in running {
            lane.await??;
        }
        Ok(holders.take())
    }

    /// How many lists a second `holders` are given when they ask in turn.
    async fn look_up_all(&self, holders: &[String]) -> Result<f64> {
        let requests: Rc<Vec<Vec<u8>>> =
            Rc::new(holders.iter().map(|session| request("GET /v1/certificates", session, "", "")).collect());
        let (lanes, began) = (LocalSet::new(), Instant::now());
        let (turn, length) = (Rc::new(Cell::new(0)), self.length);
        let lane = |address: SocketAddr, requests: Rc<Vec<Vec<u8>>>, turn: Rc<Cell<usize>>| async move {
            let mut connection = Connection::open(address).await?;
            while began.elapsed() < length {
                let at = turn.replace(turn.get() + 1) % requests.len();
                let (status, body) = connection.ask(requests.get(at).context("a holder")?).await?;
                let right = status == 200 && memmem::find(body, br#""state":"valid""#).is_some();
                ensure!(right, "answered {status}: {}", String::from_utf8_lossy(body));
            }
            Ok::<_, anyhow::Error>(())
        };
        let running: Vec<_> =
            (0..64).map(|_| lanes.spawn_local(lane(self.address, Rc::clone(&requests), Rc::clone(&turn)))).collect();
        lanes.await;
        for lane in running {
            lane.await??;
        }
        Ok(turn.get() as f64 / began.elapsed().as_secs_f64())
    }
}

fn request(route: &str, token: &str, media: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{route} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Every commune of the country, in an order in which neighbours are far from each other.
static COMMUNES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut communes: Vec<&str> = reference::of_level(5).map(|unit| unit.code).collect();
    communes.sort_by_key(|code| code.bytes().rev().collect::<Vec<u8>>());
    communes
});

/// The registration of the `n`th person: an ordinary one, with numbers that nobody else has.
fn registration(session: &str, n: u64) -> Vec<u8> {
    let answers: Vec<String> =
        QUESTIONS.iter().map(|asked| format!(r#"{{"question":"{}","yes":false}}"#, asked.id)).collect();
    let body = format!(
        r#"{{"name":"Nguyễn Thị Phương Thảo","birth":"1983-10-10","sex":"female","phone":"09{:08}","identity":"{:012}","ward":"{}","address":"12 Phố Phúc Xá","occupation":"Giáo viên","priority":8,"declaration":{{"version":"{VERSION}","answers":[{}]}},"consent":{{"version":"{CONSENT_VERSION}","by":"self"}}}}"#,
        n % 100_000_000,
        1_000_000 + n,
        COMMUNES.get(n as usize % COMMUNES.len()).expect("within bounds"),
        answers.join(","),
    );
    request("POST /v1/registrations", session, "application/json", &body)
}

/// A line with the first dose of the `n`th person.
fn dose(n: u64) -> String {
    format!(
        "{{\"record_no\":\"L-{n}\",\"person\":{{\"name\":\"Nguyễn Thị Phương Thảo\",\"birth\":\"1983-10-10\",\"identity\":\"{:012}\"}},\
         \"product\":\"EU/1/20/1528\",\"lot\":\"FE8405\",\"given_at\":\"2021-08-01T02:15:00Z\",\"number\":1}}\n",
        1_000_000 + n
    )
}

/// The database's own program of this name, in the directory where the server's are.
fn program(name: &str) -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin").join(name)).collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop().with_context(|| format!("{name} is missing; install it (Debian: apt-get install postgresql)"))
}

fn connected(program: &Path, database: &Embedded) -> Command {
    let mut command = Command::new(program);
    let socket = database.socket_dir();
    command.arg("-h").arg(socket).args(["-p", &database.port().to_string(), "-U", database.user()]);
    command
}

/// How many rows each table has that a registration is written to.
fn counts(database: &Embedded) -> Result<Vec<(&'static str, u64)>> {
    let psql = program("psql")?;
    let tables = [
        "person",
        "person_by_identity",
        "person_by_phone",
        "registration",
        "registration_by_district",
        "account_member",
    ];
    let count = |table: &'static str| {
        let sql = format!("-- count rows\nSELECT count(*) FROM {table}");
        let counted = connected(&psql, database).args(["-d", database.database(), "-AtXc", &sql]).output()?;
        ensure!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stderr));
        Ok((table, String::from_utf8(counted.stdout)?.trim().parse()?))
    };
    tables.into_iter().map(count).collect()
}

/// How many transactions a second pgbench reaches with the statements of one registration each.
fn pgbench(database: &Embedded, length: Duration) -> Result<f64> {
    let script = std::env::temp_dir().join(format!("thexanh-registration-{}.sql", std::process::id()));
    std::fs::write(&script, include_str!("registration.sql"))?;
    let seconds = length.as_secs().to_string();
    let mut command = connected(&program("pgbench")?, database);
    command.args(["-n", "-M", "prepared", "-c", PGBENCH_CLIENTS, "-j", "2", "-T", &seconds, "-f"]).arg(&script);
    let ran = command.arg(database.database()).output()?;
    std::fs::remove_file(&script)?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    match tps {
        Some(tps) if ran.status.success() => Ok(tps),
        _ => bail!("pgbench failed: {}", String::from_utf8_lossy(&ran.stderr)),
    }
}

/// A node's process, ended with this one.
pub struct Node {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Node {
    /// The node that citizens register with, its keys and its database in `dir`.
    pub fn citizens(dir: &Path) -> Result<Node> {
        Node::start(&["--citizens-node", &dir.to_string_lossy()])
    }

    /// A node that these arguments make of this program.
    pub fn start(arguments: &[&str]) -> Result<Node> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped()) // its end tells the node that we are gone, however we end
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the node")?;
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().context("piped")?).read_line(&mut line)?;
        ensure!(!line.is_empty(), "the node did not start; it says above why");
        Ok(Node { address: line.trim().parse()?, process })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
