//! TLS as libpq's users expect it, against a PostgreSQL of this test's own that speaks TLS and nothing else.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use thexanh::store::{Store, StoreError, StoreSettings};

/// A PostgreSQL on a port of the loopback interface that takes a password, and only over TLS. Stops when this is dropped,
/// and when the test ends in any other way.
struct TlsServer {
    dir: PathBuf,
    port: u16,
    process: Child,
}

const PASSWORD: &str = "of the tests";

impl TlsServer {
    fn start() -> TlsServer {
        let dir = std::env::temp_dir().join(format!("thexanh-it-pg-tls-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&dir).expect("makes a directory");
        let (uid, gid) = unprivileged();
        chown(&dir, uid, gid).expect("gives it away");
        let command = |name: &str| {
            let mut command = Command::new(program(name));
            command.current_dir(&dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            uid.into_iter().for_each(|uid| _ = command.uid(uid));
            gid.into_iter().for_each(|gid| _ = command.gid(gid));
            command
        };
        let file = |name: &str, text: &str| {
            let path = dir.join(name);
            let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&path);
            file.as_mut().expect("opens").write_all(text.as_bytes()).expect("writes");
            chown(&path, uid, gid).expect("gives it away");
        };
        file("password", PASSWORD);
        let mut initdb = command("initdb");
        initdb.args(["-D", "cluster", "--username=tester", "--pwfile=password", "--auth=scram-sha-256", "--no-sync"]);
        assert!(initdb.status().expect("runs").success(), "initdb");
        for authority in ["right", "wrong"] {
            openssl(&dir, &["-subj", "/CN=A root of the tests"], authority);
        }
        let leaf = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
        let signed = ["-subj", "/CN=localhost", "-CA", "right.crt", "-CAkey", "right.key"];
        openssl(&dir, &[&leaf[..], &signed].concat(), "server");
        for name in ["server.key", "server.crt"] {
            file(&format!("cluster/{name}"), &std::fs::read_to_string(dir.join(name)).expect("was made"));
        }
        file("cluster/pg_hba.conf", "hostssl all all 127.0.0.1/32 scram-sha-256\n");
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        // Under a shell that ends it when the pipe that we hold ends, however that comes.
        let mut server = command("sh");
        server.args(["-c", r#""$@" & server=$!; read _; kill -QUIT $server; wait"#, "sh"]).arg(program("postgres"));
        server.args(["-D", "cluster", "-c", "ssl=on", "-c", "listen_addresses=127.0.0.1", "-c"]);
        server.arg(format!("port={port}")).args(["-c", "unix_socket_directories=", "-c", "fsync=off"]);
        let process = server.stdin(Stdio::piped()).spawn().expect("runs");
        TlsServer { dir, port, process }
    }

    /// Opens a store with this added to the URL.
    async fn open(&self, parameters: &str) -> Result<(), StoreError> {
        let url = format!("port={} user=tester dbname=postgres password='{PASSWORD}' {parameters}", self.port);
        let settings = StoreSettings { url: Some(url), data_dir: self.dir.clone(), connections: 1, schema: None };
        Store::open(&settings).await.map(|_| ())
    }

    fn root(&self, authority: &str) -> String {
        self.dir.join(authority).with_extension("crt").display().to_string()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Whom a server runs as: ourselves, or, as root, which PostgreSQL will not be, somebody without rights.
pub fn unprivileged() -> (Option<u32>, Option<u32>) {
    if !rustix::process::geteuid().is_root() {
        return (None, None);
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("users");
    let nobody = users.lines().find(|line| line.starts_with("nobody:")).expect("a user nobody");
    let ids: Vec<u32> = nobody.split(':').skip(2).take(2).map(|id| id.parse().expect("a number")).collect();
    (Some(ids[0]), Some(ids[1]))
}

/// A program on PATH, or among PostgreSQL's own, where Debian puts those.
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let dirs = std::env::split_paths(&path).chain(installed.map(|version| version.path().join("bin")));
    let found = dirs.map(|dir| dir.join(name)).find(|program| program.exists());
    found.unwrap_or_else(|| panic!("this test needs PostgreSQL's server programs (Debian: apt-get install postgresql)"))
}

/// Makes `name`.key and `name`.crt in `dir`.
pub fn openssl(dir: &Path, arguments: &[&str], name: &str) {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(dir).args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]);
    openssl.args(["-days", "2", "-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")]).args(arguments);
    let made = openssl.output().is_ok_and(|made| made.status.success());
    assert!(made, "this test makes its certificates with the openssl command");
}

#[tokio::test]
async fn sslmode_means_what_libpq_s_users_expect() {
    let server = tokio::task::spawn_blocking(TlsServer::start).await.expect("starts");
    let began = Instant::now();
    while let Err(error) = server.open("host=127.0.0.1 sslmode=require").await {
        assert!(began.elapsed() < Duration::from_secs(30), "sslmode=require: {error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (right, wrong) = (server.root("right"), server.root("wrong"));
    let named = "host=localhost hostaddr=127.0.0.1";
    for accepted in [
        "host=127.0.0.1".to_owned(),
        "host=127.0.0.1 sslmode=prefer".to_owned(),
        format!("{named} sslmode=verify-full sslrootcert={right}"),
        format!("{named} sslmode=verify-ca sslrootcert={right}"),
        // libpq verifies where it is given a root, whatever else it is told.
        format!("{named} sslmode=require sslrootcert={right}"),
        // A socket beside it does not make the network trustworthy: TLS is spoken there all the same.
        "host=/nowhere,127.0.0.1 sslmode=require".to_owned(),
    ] {
        server.open(&accepted).await.unwrap_or_else(|error| panic!("{accepted}: {error}"));
    }
    for (refused, why) in [
        (format!("{named} sslmode=verify-full sslrootcert={wrong}"), "BadSignature"),
        (format!("{named} sslmode=require sslrootcert={wrong}"), "BadSignature"),
        (format!("{named} sslmode=verify-full"), "UnknownIssuer"),
        (format!("host=127.0.0.1 sslmode=verify-full sslrootcert={right}"), "not valid for name"),
        ("host=127.0.0.1 sslmode=disable".to_owned(), "SQLSTATE 28000: not this user from here, or not without TLS"),
        ("host=127.0.0.1 sslmode=require password=wrong".to_owned(), "SQLSTATE 28P01: not with this password"),
        ("host=127.0.0.1 sslmode=require dbname=another".to_owned(), "SQLSTATE 3D000: there is no such database"),
    ] {
        let error = server.open(&refused).await.expect_err(&refused);
        let text = error.to_string();
        assert_eq!(error.code(), "database_unreachable", "{refused}: {text}");
        assert!(text.contains(why), "{refused}: {text}");
        assert!(!text.contains("tester") && !text.contains(PASSWORD), "{refused}: {text}");
    }
}
