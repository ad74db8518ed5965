//! The embedded PostgreSQL, as its users see it: with real processes that end in every way.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use thexanh::store::embedded::Embedded;
use tokio_postgres::NoTls;

/// A data directory of one test's own, short enough for a socket, removed at the end with the server gone.
struct Dir(PathBuf);

impl Dir {
    fn new(parent: &Path, name: &str) -> Dir {
        Dir(parent.join(format!("thexanh-test-{name}-{}", std::process::id())))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(dir: &Path) -> Embedded {
    Embedded::start(dir).unwrap_or_else(|error| panic!("the tests need PostgreSQL's server programs: {error}"))
}

async fn connect(server: &Embedded) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host_path(server.socket_dir()).port(server.port()).user(server.user()).dbname(server.database());
    let (client, connection) = config.connect(NoTls).await.expect("connects");
    tokio::spawn(connection);
    client
}

fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn socket(server: &Embedded) -> PathBuf {
    server.socket_dir().join(format!(".s.PGSQL.{}", server.port()))
}

/// Waits for the keeper to have stopped the server.
fn wait_until_gone(socket: &Path) {
    let began = Instant::now();
    while socket.exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "the server outlived its last user");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn starts_cold_and_warm_opens_no_port_and_stops_after_its_last_user() {
    let dir = Dir::new(Path::new("/tmp"), "start");
    let began = Instant::now();
    let server = start(&dir.0);
    on_a_runtime(async { connect(&server).await.query_one("SELECT 1", &[]).await.expect("answers") });
    let cold = began.elapsed();
    let listening: String = on_a_runtime(async {
        connect(&server).await.query_one("SHOW listen_addresses", &[]).await.expect("answers").get(0)
    });
    assert_eq!(listening, "", "no port is opened");
    let settings = on_a_runtime(async {
        let sql = "SELECT current_setting('fsync') || current_setting('synchronous_commit') || current_setting('data_checksums')";
        connect(&server).await.query_one(sql, &[]).await.expect("answers").get::<_, String>(0)
    });
    assert_eq!(settings, "ononon", "durable, and checked when read");
    let path = socket(&server);
    let second = start(&dir.0);
    drop(server);
    std::thread::sleep(Duration::from_millis(300));
    on_a_runtime(async { connect(&second).await.query_one("SELECT 1", &[]).await.expect("outlives its first user") });
    drop(second);
    wait_until_gone(&path);
    let began = Instant::now();
    let server = start(&dir.0);
    on_a_runtime(async { connect(&server).await.query_one("SELECT 1", &[]).await.expect("answers") });
    println!("embedded PostgreSQL: cold start to first query {cold:?}, warm {:?}", began.elapsed());
    drop(server);
    wait_until_gone(&path);
}

#[test]
fn a_directory_under_root_s_home_is_left_closed() {
    if !rustix::process::geteuid().is_root() {
        println!("not root: the cluster is always where it was asked for");
        return;
    }
    let dir = Dir::new(Path::new("/root"), "root");
    let before = std::fs::metadata("/root").expect("exists").permissions();
    let server = start(&dir.0);
    let moved = server.moved_to().map(Path::to_owned);
    on_a_runtime(async { connect(&server).await.query_one("SELECT 1", &[]).await.expect("answers") });
    assert_eq!(std::fs::metadata("/root").expect("exists").permissions(), before, "no parent's mode is loosened");
    let path = socket(&server);
    drop(server);
    wait_until_gone(&path);
    if let Some(moved) = moved {
        std::fs::remove_dir_all(moved).expect("removes");
    }
}

/// Run by [`a_killed_user_loses_nothing_acknowledged`] in a process of its own: writes rows and says each that is committed.
#[test]
fn writes_until_it_is_killed() {
    let Ok(dir) = std::env::var("THEXANH_TEST_WRITE_INTO") else { return };
    let server = start(Path::new(&dir));
    on_a_runtime(async {
        let client = connect(&server).await;
        client.batch_execute("CREATE TABLE IF NOT EXISTS t (n bigint PRIMARY KEY)").await.expect("makes a table");
        for n in 0_i64.. {
            client.execute("INSERT INTO t VALUES ($1)", &[&n]).await.expect("inserts");
            println!("acknowledged {n}");
        }
    });
}

fn writer(dir: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "embedded::writes_until_it_is_killed", "--nocapture"])
        .env("THEXANH_TEST_WRITE_INTO", dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs this test again")
}

#[test]
fn a_killed_user_loses_nothing_acknowledged() {
    use std::io::BufRead as _;
    let dir = Dir::new(Path::new("/tmp"), "kill");
    let mut child = writer(&dir.0);
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let acknowledged = |line: &String| line.strip_prefix("acknowledged ").and_then(|n| n.parse::<i64>().ok());
    let hundredth = lines.by_ref().filter_map(|line| acknowledged(&line)).find(|n| *n >= 100);
    assert!(hundredth.is_some(), "the writer writes");
    child.kill().expect("kill -9");
    let last = lines.filter_map(|line| acknowledged(&line)).last().unwrap_or(100);
    child.wait().expect("ends");
    let server = start(&dir.0);
    let kept: i64 = on_a_runtime(async {
        connect(&server).await.query_one("SELECT count(*) FROM t", &[]).await.expect("answers").get(0)
    });
    assert!(kept > last, "{last} was acknowledged and {kept} rows are there");
    // And the server itself killed: the next start recovers.
    let path = socket(&server);
    let pid = std::fs::read_to_string(find_pid(&dir.0, &server)).expect("a pid file");
    let pid: i32 = pid.lines().next().and_then(|line| line.parse().ok()).expect("a pid");
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).expect("a pid"), rustix::process::Signal::KILL)
        .expect("kill -9");
    drop(server);
    std::thread::sleep(Duration::from_millis(200));
    let server = start(&dir.0);
    let again: i64 = on_a_runtime(async {
        connect(&server).await.query_one("SELECT count(*) FROM t", &[]).await.expect("answers").get(0)
    });
    assert_eq!(again, kept);
    drop(server);
    wait_until_gone(&path);
}

fn find_pid(dir: &Path, server: &Embedded) -> PathBuf {
    server.moved_to().map_or(dir.join("postgres"), Path::to_owned).join("cluster/postmaster.pid")
}

#[test]
fn a_cluster_of_another_version_is_named_in_one_sentence() {
    let dir = Dir::new(Path::new("/tmp"), "version");
    let server = start(&dir.0);
    let (path, home) = (socket(&server), find_pid(&dir.0, &server));
    drop(server);
    wait_until_gone(&path);
    let version = home.with_file_name("PG_VERSION");
    std::fs::write(&version, "9\n").expect("writes");
    let error = Embedded::start(&dir.0).map(|_| ()).expect_err("another version");
    assert_eq!(error.code(), "postgres_other_version");
    assert!(error.to_string().contains("PostgreSQL 9"), "{error}");
}
