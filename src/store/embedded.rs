//! A private PostgreSQL for those who have none: made, started and stopped by ourselves, with no port opened.
//!
//! Who holds it alive: every process that uses it has a shared lock on `users.lock`. Beside the server waits a keeper
//! (util-linux's `flock`) for that lock alone; it gets it when the last user has ended, in whatever way, and then stops the
//! server in order. A user that comes while the keeper stops the server waits, and starts it anew.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

/// The role that owns everything in the cluster.
const USER: &str = "thexanh";
/// The database that initdb makes.
const DATABASE: &str = "postgres";
/// Names the socket file; nothing listens on a port.
const PORT: u16 = 5432;
/// The longest path of a Unix socket. Source: unix(7), `sun_path`.
const MAX_SOCKET_PATH: usize = 107;
/// How long a start may take: recovery after a crash included.
const START: Duration = Duration::from_secs(60);

/// Why the embedded server does not run. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// PostgreSQL's server programs are not installed.
    #[error(
        "PostgreSQL's server programs are missing; install them (Debian: apt-get install postgresql) or set DATABASE_URL"
    )]
    NotInstalled,
    /// `flock` is not installed.
    #[error("the program flock is missing; install it (Debian: apt-get install util-linux) or set DATABASE_URL")]
    NoFlock,
    /// The cluster was made by another major version.
    #[error(
        "{path} was made by PostgreSQL {made_by}, which is not installed; install that version or set DATABASE_URL"
    )]
    OtherVersion {
        /// The cluster.
        path: PathBuf,
        /// Its major version.
        made_by: String,
    },
    /// As root, and nobody to step down to.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody; add one or set DATABASE_URL"
    )]
    NoUnprivilegedUser,
    /// A file or directory cannot be made or read.
    #[error("{path}: {source}; give a directory that this user can write with --data DIR")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A directory that we would trust belongs to somebody else.
    #[error(
        "{0} belongs to another user or is open to others; run this as its owner, or give another directory with --data"
    )]
    NotOurs(PathBuf),
    /// A program failed.
    #[error("{program} failed; see {log}")]
    Failed {
        /// Which program.
        program: &'static str,
        /// Where it says why.
        log: PathBuf,
    },
}

impl EmbeddedError {
    /// The stable word for answers and logs.
    pub fn code(&self) -> &'static str {
        match self {
            EmbeddedError::NotInstalled => "postgres_not_installed",
            EmbeddedError::NoFlock => "flock_not_installed",
            EmbeddedError::OtherVersion { .. } => "postgres_other_version",
            EmbeddedError::NoUnprivilegedUser => "postgres_as_root",
            EmbeddedError::Io { .. } => "postgres_directory",
            EmbeddedError::NotOurs(_) => "postgres_directory_foreign",
            EmbeddedError::Failed { .. } => "postgres_failed",
        }
    }
}

/// The running server. Dropping it, or ending in any way, lets go of it; the last to let go stops it.
#[derive(Debug)]
pub struct Embedded {
    home: PathBuf,
    sockets: PathBuf,
    moved: bool,
    /// Our share of `users.lock`; held as long as this lives.
    _user: File,
}

impl Embedded {
    /// Starts the server of `data_dir`, or joins the one that runs there already. Blocks until it answers.
    ///
    /// Its files are in `data_dir/postgres`, or, for root with a directory that the server's unprivileged user cannot
    /// reach, in `/var/lib/thexanh`: no parent's mode is loosened. Errors: every [`EmbeddedError`].
    pub fn start(data_dir: &Path) -> Result<Embedded, EmbeddedError> {
        make_dir(data_dir, 0o755, None)?;
        let data_dir = data_dir.canonicalize().map_err(io_at(data_dir))?;
        let owner = Owner::find()?;
        let wanted = data_dir.join("postgres");
        let moved = owner.is_other() && !owner.reaches(&data_dir);
        let home = if moved { Path::new("/var/lib/thexanh").join(short_hash(&data_dir)) } else { wanted };
        make_dir(&home, 0o700, Some(&owner))?;
        let sockets = socket_dir(&home, &owner)?;
        // One starter at a time; then a share of the server's life, which waits while a keeper is stopping it.
        let starting = owned_file(&home.join("start.lock"), &owner)?;
        starting.lock().map_err(io_at(&home))?;
        let user = owned_file(&home.join("users.lock"), &owner)?;
        user.lock_shared().map_err(io_at(&home))?;
        owned_file(&home.join("server.log"), &owner)?; // made now, as the owner's
        let server = Embedded { home, sockets, moved, _user: user };
        if !server.answers() {
            server.launch(&owner)?;
        }
        server.set_keeper(&owner)?;
        Ok(server)
    }

    /// Where the server's socket is.
    pub fn socket_dir(&self) -> &Path {
        &self.sockets
    }

    /// The number in the socket's name; no port is opened.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The role to connect as.
    pub fn user(&self) -> &str {
        USER
    }

    /// The database to connect to.
    pub fn database(&self) -> &str {
        DATABASE
    }

    /// Where the server's files are, if they could not be under the data directory.
    pub fn moved_to(&self) -> Option<&Path> {
        self.moved.then_some(&self.home)
    }

    fn cluster(&self) -> PathBuf {
        self.home.join("cluster")
    }

    fn log(&self) -> PathBuf {
        self.home.join("server.log")
    }

    fn launch(&self, owner: &Owner) -> Result<(), EmbeddedError> {
        let programs = Programs::find(&self.cluster())?;
        if !self.cluster().exists() {
            self.init(&programs, owner)?;
        }
        let sockets = format!("unix_socket_directories={}", self.sockets.display());
        let buffers = format!("shared_buffers={}MB", shared_buffers_mib(memory_mib()));
        let log_size = format!("max_wal_size={}MB", max_wal_size_mib(free_mib(&self.home)));
        let compression = format!("wal_compression={}", self.wal_compression(&programs, owner));
        let server = [
            "listen_addresses=",
            &sockets,
            "unix_socket_permissions=0700",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "max_connections=100",
            &buffers,
            &log_size,
            "min_wal_size=1GB",         // files of the log are used again, not made anew
            "checkpoint_timeout=15min", // each page's first change after a checkpoint is logged whole
            &compression,
            "random_page_cost=1.1", // on a solid disk a page is as near as any: a list is read in the order of its key
            "log_min_messages=warning",
            "log_min_error_statement=panic", // statements may hold personal data
            "log_error_verbosity=terse",
            "jit=off",
        ];
        let mut command = owner.command("sh");
        // Through a shell that ends at once, so that the server is init's child and not a zombie of ours.
        command.args(["-c", r#"log=$1; shift; "$@" >>"$log" 2>&1 </dev/null &"#, "sh"]).arg(self.log());
        command.arg(programs.path("postgres")).arg("-D").arg(self.cluster());
        command.args(server.iter().flat_map(|setting| ["-c", setting]));
        self.run(command, "postgres")?;
        let began = Instant::now();
        while !self.answers() {
            if began.elapsed() > START {
                return Err(EmbeddedError::Failed { program: "postgres", log: self.log() });
            }
            std::thread::sleep(Duration::from_millis(4));
        }
        Ok(())
    }

    /// How pages in the log are compressed: by LZ4 where the server has it, which costs a tenth of its own method.
    fn wal_compression(&self, programs: &Programs, owner: &Owner) -> &'static str {
        let mut ask = owner.command(programs.path("postgres"));
        ask.args(["-C", "wal_compression", "-c", "wal_compression=lz4", "-D"]).arg(self.cluster());
        let knows = ask.stdin(Stdio::null()).output().is_ok_and(|answer| answer.status.success());
        if knows { "lz4" } else { "on" }
    }

    /// Makes a cluster aside and moves it into place, so that one cut short is never taken for a whole one.
    fn init(&self, programs: &Programs, owner: &Owner) -> Result<(), EmbeddedError> {
        let aside = self.home.join("cluster.new");
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(io_at(&aside))?;
        }
        let mut initdb = owner.command(programs.path("initdb"));
        initdb.arg("-D").arg(&aside).args(["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--data-checksums", "--no-instructions", "--no-sync"]);
        self.run(initdb, "initdb")?;
        // Nothing was written to disk file by file; one sync of the file system is faster and as good.
        let cluster = File::open(&aside).map_err(io_at(&aside))?;
        rustix::fs::syncfs(&cluster).map_err(|error| io_at(&aside)(error.into()))?;
        fs::rename(&aside, self.cluster()).map_err(io_at(&aside))
    }

    /// Leaves a keeper waiting for the last user's end. One waits already, as a rule: then this one gives up by itself.
    fn set_keeper(&self, owner: &Owner) -> Result<(), EmbeddedError> {
        let programs = Programs::find(&self.cluster())?;
        let flock = on_path("flock").ok_or(EmbeddedError::NoFlock)?;
        let mut command = owner.command("sh");
        let script = r#"flock=$1 keeper=$2 users=$3; shift 3
                        "$flock" -w 5 "$keeper" "$flock" "$users" "$@" >/dev/null 2>&1 </dev/null &"#;
        command.args(["-c", script, "sh"]).arg(flock);
        command.arg(self.home.join("keeper.lock")).arg(self.home.join("users.lock"));
        command.arg(programs.path("pg_ctl")).arg("-D").arg(self.cluster()).args(["-m", "fast", "-w", "stop"]);
        self.run(command, "flock")
    }

    fn run(&self, mut command: Command, program: &'static str) -> Result<(), EmbeddedError> {
        let log = File::options().append(true).create(true).open(self.log()).map_err(io_at(&self.log()))?;
        let errors = log.try_clone().map_err(io_at(&self.log()))?;
        let status = command.stdin(Stdio::null()).stdout(log).stderr(errors).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            _ => Err(EmbeddedError::Failed { program, log: self.log() }),
        }
    }

    /// True if a query is answered, not only if somebody listens: a server in recovery listens, and refuses.
    fn answers(&self) -> bool {
        if !self.sockets.join(format!(".s.PGSQL.{PORT}")).exists() {
            return false;
        }
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return false };
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.sockets).port(PORT).user(USER).dbname(DATABASE).connect_timeout(Duration::from_secs(5));
        runtime.block_on(async { config.connect(NoTls).await.is_ok() })
    }
}

/// What the server keeps in memory, of a machine with so much, in MiB: look-up keys are hashes, so every one of them is
/// on another page, and pages that do not fit are written and read again and again. Memory that is not used is not taken.
fn shared_buffers_mib(memory_mib: u64) -> u64 {
    (memory_mib / 8).clamp(128, 1024)
}

/// The machine's memory in MiB; little, where the system does not say. Source: proc(5).
fn memory_mib() -> u64 {
    let said = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = said.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    total.unwrap_or(0_u64) / 1024
}

/// How long the log may grow, in MiB, before a checkpoint is made out of turn, on a disk with so much room: after each one every
/// page is logged whole once more, and keys are random, so nearly all of them soon are.
fn max_wal_size_mib(free_mib: u64) -> u64 {
    (free_mib / 4).clamp(1024, 16 * 1024)
}

/// The room left on the disk that `path` is on, in MiB; little, where the system does not say.
fn free_mib(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
}

/// Whom the server's files belong to: us, or, for root, an unprivileged user.
struct Owner {
    uid: u32,
    gid: u32,
    step_down: bool,
}

impl Owner {
    fn find() -> Result<Owner, EmbeddedError> {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if uid != 0 {
            return Ok(Owner { uid, gid, step_down: false });
        }
        let users = fs::read_to_string("/etc/passwd").map_err(io_at(Path::new("/etc/passwd")))?;
        let ids = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        let (uid, gid) = ids("postgres").or_else(|| ids("nobody")).ok_or(EmbeddedError::NoUnprivilegedUser)?;
        Ok(Owner { uid, gid, step_down: true })
    }

    /// True if the server runs as somebody else than we do.
    fn is_other(&self) -> bool {
        self.step_down
    }

    /// True if the owner may pass through every directory down to `path`.
    fn reaches(&self, path: &Path) -> bool {
        path.ancestors().all(|dir| {
            fs::metadata(dir).is_ok_and(|meta| {
                let bit = match (meta.uid() == self.uid, meta.gid() == self.gid) {
                    (true, _) => 0o100,
                    (false, true) => 0o010,
                    (false, false) => 0o001,
                };
                meta.mode() & bit != 0
            })
        })
    }

    /// A command that runs as the owner, in a process group of its own: a Ctrl-C in our terminal is not the server's.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.process_group(0).current_dir("/");
        if self.step_down {
            command.uid(self.uid).gid(self.gid); // drops the supplementary groups as well
        }
        command
    }
}

/// The server's programs of one version.
struct Programs {
    dir: PathBuf,
}

impl Programs {
    /// Those of the cluster's version, or the newest where there is no cluster yet.
    fn find(cluster: &Path) -> Result<Programs, EmbeddedError> {
        let mut dirs: Vec<(u32, PathBuf)> = Vec::new();
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        dirs.extend(
            versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))),
        );
        // Links on PATH lead to where the other programs are.
        let linked = on_path("postgres").and_then(|path| path.canonicalize().ok());
        if let Some(dir) = linked.as_deref().and_then(Path::parent) {
            dirs.extend(major_version(&dir.join("postgres")).map(|version| (version, dir.to_owned())));
        }
        dirs.retain(|(_, dir)| ["initdb", "postgres", "pg_ctl"].iter().all(|program| dir.join(program).exists()));
        dirs.sort();
        let made_by = fs::read_to_string(cluster.join("PG_VERSION")).map(|text| text.trim().to_owned()).ok();
        let newest = dirs.last().ok_or(EmbeddedError::NotInstalled)?;
        let found = match &made_by {
            None => Some(newest),
            Some(made_by) => dirs.iter().find(|(version, _)| version.to_string() == *made_by),
        };
        match (found, made_by) {
            (Some((_, dir)), _) => Ok(Programs { dir: dir.clone() }),
            (None, made_by) => {
                let made_by = made_by.unwrap_or_default();
                Err(EmbeddedError::OtherVersion { path: cluster.to_owned(), made_by })
            }
        }
    }

    fn path(&self, program: &str) -> PathBuf {
        self.dir.join(program)
    }
}

fn major_version(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = crate::config::search_path();
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.exists())
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError + '_ {
    move |source| EmbeddedError::Io { path: path.to_owned(), source }
}

/// Makes a directory, its parents too, and gives it to `owner`. One that exists must be the owner's, and closed as asked.
fn make_dir(path: &Path, mode: u32, owner: Option<&Owner>) -> Result<(), EmbeddedError> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(io_at(parent))?;
    }
    match fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => match owner {
            Some(owner) => std::os::unix::fs::chown(path, Some(owner.uid), Some(owner.gid)).map_err(io_at(path)),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let meta = fs::symlink_metadata(path).map_err(io_at(path))?;
            match owner {
                Some(owner) if meta.uid() != owner.uid || meta.permissions().mode() & 0o077 != 0 || !meta.is_dir() => {
                    Err(EmbeddedError::NotOurs(path.to_owned()))
                }
                _ => Ok(()),
            }
        }
        Err(error) => Err(io_at(path)(error)),
    }
}

/// A short directory for the socket: beside the cluster, or under /tmp where that path is too long for a socket.
fn socket_dir(home: &Path, owner: &Owner) -> Result<PathBuf, EmbeddedError> {
    let name = format!(".s.PGSQL.{PORT}.lock");
    let beside = home.join("run");
    let fits = beside.as_os_str().len() + 1 + name.len() <= MAX_SOCKET_PATH;
    let dir = if fits { beside } else { Path::new("/tmp").join(format!("thexanh-{}", short_hash(home))) };
    make_dir(&dir, 0o700, Some(owner))?;
    Ok(dir)
}

fn short_hash(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, path.as_os_str().as_bytes());
    hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A file of the owner's, opened to be locked. Not inherited by the programs that we run.
fn owned_file(path: &Path, owner: &Owner) -> Result<File, EmbeddedError> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(io_at(path))?;
    if owner.step_down {
        std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid)).map_err(io_at(path))?;
    }
    Ok(file)
}
