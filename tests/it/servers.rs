//! PostgreSQL servers of one test's own: a primary, and standbys that stream from it, which die, are promoted and come back.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio_postgres::{Client, NoTls};

use crate::store::tls::{program, unprivileged};

/// Longer than anything here takes, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a primary is set to, and so its standbys, whose files begin as copies of its own. Nothing is synced to disk: what dies
/// here is a process, never the machine. What is kept of the log pg_rewind wants.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
shared_buffers = 32MB
wal_keep_size = 256MB
wal_receiver_timeout = 2s
wal_retrieve_retry_interval = 100ms
autovacuum = off
";

/// A server in a directory of its own. Dropped, it is killed and its files are removed.
pub struct Server {
    dir: PathBuf,
    pub port: u16,
    process: Option<Child>,
}

impl Server {
    /// A new primary. `more`: settings of its own.
    pub fn primary(name: &str, more: &[&str]) -> Server {
        let mut server = Server::at(name);
        let initdb = ["--username=tester", "--auth=trust", "--locale=C", "--data-checksums", "--no-sync", "-D"];
        run(server.command("initdb").args(initdb).arg(server.cluster()));
        let file = std::fs::File::options().append(true).open(server.cluster().join("postgresql.conf"));
        file.and_then(|mut file| file.write_all(SETTINGS.as_bytes())).expect("writes");
        server.start(more);
        server
    }

    /// A standby that streams from `self` from now on, under its own name.
    pub fn standby(&self, name: &str) -> Server {
        let mut standby = Server::at(name);
        let mut backup = standby.command("pg_basebackup");
        backup.args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf", "-D"]).arg(standby.cluster());
        run(backup.arg("--dbname").arg(self.for_replication(name)));
        standby.start(&["hot_standby_feedback=on"]);
        standby
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self, more: &[&str]) {
        // Ended when the pipe that we hold ends, however that comes. It is our own child, whom we wait for when it is killed: who
        // comes after it would take one that nobody waited for to be alive.
        let ended_with_us = r#"exec 3<&0 </dev/null; (read _ <&3; kill -QUIT $$) & exec "$@" 3<&-"#;
        let mut server = self.command_at(Path::new("/bin/sh"));
        server.args(["-c", ended_with_us, "sh"]).arg(of_postgres("postgres"));
        server.arg("-D").arg(self.cluster()).arg("-c").arg(format!("port={}", self.port));
        server.args(more.iter().flat_map(|setting| ["-c", setting]));
        let log = std::fs::File::options().append(true).create(true).open(self.dir.join("log")).expect("a log");
        server.stdout(log.try_clone().expect("a log")).stderr(log).stdin(Stdio::piped());
        self.process = Some(server.spawn().expect("runs"));
        let began = Instant::now();
        while !self.answers() {
            assert!(began.elapsed() < PATIENCE, "{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it with all its processes, as if its machine had gone.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            kill_process_group(Pid::from_child(&process), Signal::KILL).expect("kills");
            process.wait().expect("ends");
        }
    }

    /// Makes a standby the primary.
    pub async fn promote(&self) {
        let client = self.client().await;
        let promoted = client.query_one("SELECT pg_promote()", &[]).await.expect("promotes");
        assert!(promoted.get::<_, bool>(0), "{}", self.log());
        // Before its first checkpoint pg_rewind takes it for what it was.
        client.batch_execute("CHECKPOINT").await.expect("notes that it is");
    }

    /// Comes back as a standby of `primary`, which took its place: what it has of its own that nobody was told of is thrown away.
    pub fn rejoin(&mut self, name: &str, primary: &Server) {
        self.kill();
        let mut rewind = self.command("pg_rewind");
        rewind.args(["--write-recovery-conf", "--no-sync", "--target-pgdata"]).arg(self.cluster());
        run(rewind.arg("--source-server").arg(primary.for_replication(name)));
        self.start(&["hot_standby_feedback=on"]);
    }

    /// A connection.
    pub async fn client(&self) -> Client {
        let connecting = tokio_postgres::connect(&self.url(), NoTls).await;
        let (client, connection) = connecting.unwrap_or_else(|error| panic!("{error}: {}", self.log()));
        tokio::spawn(connection);
        client
    }

    /// How it is connected to.
    pub fn url(&self) -> String {
        url(&[self])
    }

    fn for_replication(&self, name: &str) -> String {
        format!("host=127.0.0.1 port={} user=tester dbname=postgres application_name={name}", self.port)
    }

    fn at(name: &str) -> Server {
        let dir = PathBuf::from(format!("/tmp/thexanh-server-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("makes");
        let (uid, gid) = unprivileged();
        std::os::unix::fs::chown(&dir, uid, gid).expect("gives it away");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a free port").port();
        Server { dir, port, process: None }
    }

    fn cluster(&self) -> PathBuf {
        self.dir.join("cluster")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn answers(&self) -> bool {
        let mut ready = self.command("pg_isready");
        ready.args(["-q", "-h", "127.0.0.1", "-U", "tester", "-d", "postgres", "-p", &self.port.to_string()]);
        ready.status().is_ok_and(|status| status.success())
    }

    fn command(&self, name: &str) -> Command {
        self.command_at(&of_postgres(name))
    }

    /// A command that runs as whom the server runs as, in a process group of its own.
    fn command_at(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.dir).process_group(0);
        if let (Some(uid), Some(gid)) = unprivileged() {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The database on these servers, tried in this order.
pub fn url(servers: &[&Server]) -> String {
    let list = |of: &dyn Fn(&Server) -> String| servers.iter().map(|server| of(server)).collect::<Vec<_>>().join(",");
    let (hosts, ports) = (list(&|_| "127.0.0.1".to_owned()), list(&|server| server.port.to_string()));
    format!("host={hosts} port={ports} user=tester dbname=postgres sslmode=disable")
}

/// A program of the same version as the server.
fn of_postgres(name: &str) -> PathBuf {
    program("postgres").canonicalize().expect("a path").with_file_name(name)
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", command.get_program());
}
