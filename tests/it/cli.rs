//! The binary, as those use it who start it: exit statuses, what is printed, and what is left when it is killed.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::app::dose_of;
use crate::client::Connection;

/// A working directory of one test's own, where the database's user can reach it.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new(name: &str) -> Place {
        let dir = Path::new("/tmp").join(format!("thexanh-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("makes");
        std::fs::write(dir.join("passphrase"), "a passphrase of the tests\n").expect("writes");
        Place(dir)
    }

    /// The command, with nothing of this process's environment that it could take for a setting: it starts a PostgreSQL of its own,
    /// whatever `DATABASE_URL` says.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thexanh"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null()).env_remove("DATABASE_URL");
        command.env("THEXANH_KEYS_PASSPHRASE_FILE", self.0.join("passphrase"));
        command.env("SOFTHSM2_CONF", self.0.join("softhsm2.conf")); // where a token would be
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("starts")
    }

    /// Runs a command with `--json` and gives its exit status and the values that it printed.
    pub fn json(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let output = self.run(&[arguments, &["--json"]].concat());
        eprint!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)); // shown if the test fails
        let lines = String::from_utf8(output.stdout).expect("text");
        let values = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (output.status.code().expect("not killed"), values)
    }

    /// Starts the service on a free port.
    pub fn serve(&self) -> Service {
        self.serve_at("127.0.0.1:0")
    }

    /// Starts the service on this address.
    pub fn serve_at(&self, listen: &str) -> Service {
        self.serve_with(&[], listen)
    }

    /// Starts the service with these arguments more.
    pub fn serve_with(&self, more: &[&str], listen: &str) -> Service {
        let mut command = self.command(&[&["serve", "--listen", listen, "--json"], more].concat());
        let mut process = command.stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().expect("piped")).read_line(&mut line).expect("reads");
        let said: Value = serde_json::from_str(&line).expect("says where it listens");
        let url = said["listening"].as_str().expect("an address");
        Service { address: url.strip_prefix("http://").and_then(|url| url.parse().ok()).expect("an address"), process }
    }

    pub fn bearer(&self) -> String {
        let (status, said) = self.json(&["token", "--role", "facility", "--subject", "t", "--facility", "79001"]);
        assert_eq!(status, 0);
        format!("Bearer {}", said[0]["token"].as_str().expect("a token"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct Service {
    pub address: SocketAddr,
    process: Child,
}

impl Service {
    pub fn end(mut self, signal: rustix::process::Signal) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, signal).expect("signals");
        self.process.wait().expect("ends")
    }
}

#[test]
fn the_demo_shows_itself_and_an_independent_reader_reads_every_picture() {
    let place = Place::new("demo");
    let (status, said) = place.json(&["demo", "--once", "--people", "12"]);
    assert_eq!((status, said.len()), (0, 5), "{said:?}");
    let count = |said: &[Value], name: &str| said[0][name].as_u64().expect("a count");
    let (new, rejected) = (count(&said, "new_doses"), count(&said, "rejected"));
    assert!(new > 240 && rejected > 0, "{said:?}");
    assert!(said.iter().all(|exhibit| exhibit["right"] == true), "{said:?}");
    let mut read = 0;
    for entry in std::fs::read_dir(place.0.join("data/demo")).expect("lists") {
        let path = entry.expect("lists").path();
        if path.extension().is_none_or(|extension| extension != "png") {
            continue;
        }
        let zbar = Command::new("zbarimg")
            .args(["--quiet", "--raw"])
            .arg(&path)
            .output()
            .expect("zbarimg: `make test` installs it");
        let text = String::from_utf8(zbar.stdout).expect("text");
        let (status, verdicts) = place.json(&["verify", text.trim_end_matches('\n')]);
        assert_eq!((status, verdicts.len()), (0, 1), "{}: {verdicts:?}", path.display());
        let (_, ours) = place.json(&["verify", "--image", path.to_str().expect("text")]);
        assert_eq!(ours[0]["certificate"], verdicts[0]["certificate"]);
        read += 1;
    }
    assert_eq!(read, 3);

    // A second run records nothing twice and shows the same certificates.
    let (status, again) = place.json(&["demo", "--once", "--people", "12"]);
    assert_eq!((count(&again, "new_doses"), count(&again, "rejected")), (0, rejected), "{again:?}");
    let uvci = |said: &[Value]| said[1]["verdict"]["certificate"]["uvci"].clone();
    assert_eq!((status, uvci(&again)), (0, uvci(&said)));

    // What is revoked, and what a withdrawn key signed, is rejected.
    let uvci = uvci(&said);
    let uvci = uvci.as_str().expect("a UVCI");
    let picture = |name: &str| place.json(&["verify", "--image", &format!("data/demo/{name}.png")]);
    assert_eq!(place.json(&["revoke", uvci, "--why", "a test"]).1[0]["result"], "revoked");
    assert_eq!(place.json(&["revoke", uvci, "--why", "a test"]).1[0]["result"], "already_revoked");
    assert_eq!(place.json(&["revoke", "URN:UVCI:01:VN:00000000000000000000000000000000", "--why", "a test"]).0, 1);
    revoked_by_list(&place, uvci);
    let (status, verdicts) = picture("yellow");
    assert_eq!((status, &verdicts[0]["reason"]), (1, &"revoked".into()));
    let (_, keys) = place.json(&["keys", "list"]);
    let kid =
        keys.iter().find(|key| key["algorithm"] == "EdDSA").expect("listed")["kid"].as_str().expect("text").to_owned();
    assert_eq!(place.json(&["keys", "withdraw", &kid]).0, 0);
    assert_eq!(place.json(&["keys", "withdraw", &kid]).0, 1);
    let (status, verdicts) = picture("green");
    assert_eq!((status, &verdicts[0]["reason"]), (1, &"key_withdrawn".into()));
    assert_eq!(picture("green-travel").0, 0, "the other profile has another key");
    let (status, made) = place.json(&["keys", "new", "--signs-from", "2999-01-01T00:00:00Z"]);
    assert_eq!((status, &made[0]["signs_from"]), (0, &32_472_144_000_i64.into()));
}

/// Undoes a revocation, and revokes the same by a list; takes over another country's batch, and removes it.
fn revoked_by_list(place: &Place, uvci: &str) {
    let picture = || place.json(&["verify", "--image", "data/demo/yellow.png"]).0;
    let (status, said) = place.json(&["revoke", "undo", uvci]);
    assert_eq!((status, &said[0]["result"]), (1, &"second_person_needed".into()));
    let (status, said) = place.json(&["revoke", "undo", uvci, "--by", "binh"]);
    assert_eq!((status, &said[0]["undone"], picture()), (0, &1.into(), 0));
    std::fs::write(place.0.join("list.csv"), format!("uvci,why\n{uvci},a test\njunk,x\n")).expect("writes");
    let (status, said) = place.json(&["revoke", "--file", "list.csv", "--dry-run"]);
    assert_eq!((status, &said[2]["dry_run"], picture()), (1, &true.into(), 0), "{said:?}");
    let (status, said) = place.json(&["revoke", "--file", "list.csv"]);
    assert_eq!((status, &said[0]["status"], picture()), (1, &"revoked".into(), 1), "{said:?}");
    assert_eq!((&said[1]["field"], &said[2]["counts"]["revoked"]), (&"uvci".into(), &1.into()));
    let id = said[2]["id"].as_str().expect("an id");
    assert_eq!(place.json(&["revoke", "undo", id, "--by", "binh"]).1[0]["undone"], 1);
    assert_eq!(place.json(&["revoke", "--file", "list.csv"]).1[0]["status"], "revoked");

    let batch = |country: &str, expires: &str| {
        let text = format!(
            r#"{{"country":"{country}","expires":"{expires}","kid":"UNKNOWN_KID","hashType":"UCI","entries":[{{"hash":"AAAAAAAAAAAAAAAAAAAAAA=="}}]}}"#
        );
        std::fs::write(place.0.join("batch.json"), text).expect("writes");
    };
    let import = |more: &[&str]| place.json(&[&["revoke", "import", "batch.json"], more].concat());
    for (country, expires) in [("VN", "2999-01-01T00:00:00Z"), ("DE", "2021-01-01T00:00:00Z"), ("DE", "2999-01-01")] {
        batch(country, expires);
        assert_eq!(import(&[]).0, 3, "{country} {expires}");
    }
    batch("DE", "2999-01-01T00:00:00Z");
    assert_eq!(import(&["--country", "FR"]).0, 3);
    let (status, said) = import(&["--country", "DE", "--id", "b-1"]);
    assert_eq!((status, &said[0]["result"], &said[0]["entries"]), (0, &"imported".into(), &1.into()));
    assert_eq!(import(&["--id", "b-1"]).1[0]["result"], "already_imported");
    assert_eq!(place.json(&["revoke", "import", "--deleted", "b-1"]).1[0]["result"], "removed");
    assert_eq!(place.json(&["revoke", "import", "--deleted", "b-1"]).0, 1);
}

#[test]
fn a_start_that_cannot_be_ends_with_one_sentence_that_says_what_to_do() {
    let place = Place::new("failures");
    let mut cases: Vec<(&str, Vec<&str>, &str, i32)> = vec![
        ("no passphrase", vec!["token", "--role", "ministry", "--subject", "t"], "passphrase_missing", 3),
        ("an absent configuration", vec!["serve", "--config", "absent.toml"], "config_unreadable", 3),
        ("an unknown setting", vec!["serve", "--config", "unknown.toml"], "config_malformed", 3),
        ("a broken database URL", vec!["migrate", "--config", "url.toml"], "database_url", 3),
        ("no database there", vec!["migrate", "--config", "nobody.toml"], "database_unreachable", 3),
        ("a token without its facility", vec!["token", "--role", "facility", "--subject", "t"], "usage", 2),
        ("no data there", vec!["verify", "--data", "absent", "x"], "data_missing", 3),
        ("no texts", vec!["verify", "--trust", "trust.json", "-"], "nothing_read", 3),
        ("no UVCI", vec!["revoke", "junk", "--why", "t"], "usage", 2),
        ("no picture", vec!["verify", "--trust", "trust.json", "--image", "passphrase"], "file_unreadable", 3),
        ("no trust list", vec!["verify", "--trust", "passphrase", "x"], "file_unreadable", 3),
        ("a wrong passphrase", vec!["token", "--role", "ministry", "--subject", "t"], "keys_wrong_passphrase", 3),
        ("a key that is gone", vec!["token", "--role", "ministry", "--subject", "t"], "keys_missing", 3),
    ];
    let write = |name: &str, text: &str| std::fs::write(place.0.join(name), text).expect("writes");
    write("unknown.toml", "colour = 'green'\n");
    write("url.toml", "[database]\nurl = 'postgresql://secret-host:port/'\n");
    write("nobody.toml", "[database]\nurl = 'postgresql://127.0.0.1:9/thexanh'\n");
    write("trust.json", r#"{"version":1,"issued_at":0,"next_update":0,"keys":[]}"#);
    for (what, arguments, code, status) in cases.drain(..) {
        match what {
            "a token without its facility" => {
                assert_eq!(place.json(&["token", "--role", "ministry", "--subject", "t"]).0, 0)
            }
            "a wrong passphrase" => write("passphrase", "another\n"),
            "a key that is gone" => {
                write("passphrase", "a passphrase of the tests\n");
                std::fs::remove_file(place.0.join("data/keys/data.pem")).expect("removes");
            }
            _ => {}
        }
        let mut command = place.command(&arguments);
        if what == "no passphrase" {
            command.env_remove("THEXANH_KEYS_PASSPHRASE_FILE");
        }
        let output = command.arg("--json").output().expect("starts");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(status), "{what}: {said}");
        let problem: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).expect(what);
        assert_eq!(problem["code"], code, "{what}: {said}");
        let detail = problem["detail"].as_str().expect("a sentence");
        assert!(detail.lines().count() == 1 && !detail.contains("secret-host"), "{what}: {detail}");
    }
    let usage = place.run(&["verify"]);
    assert_eq!(usage.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&usage.stderr).contains("Usage"));
}

#[test]
fn without_postgresql_s_server_programs_the_start_ends_with_one_sentence() {
    // A mount of this process's own hides them; only root may make one.
    let hide = "mount -t tmpfs none /usr/lib/postgresql";
    let hidden = |then: &str| ["-m", "sh", "-c", &format!("{hide} && {then}")].map(str::to_owned);
    if !Command::new("unshare").args(hidden("true")).output().is_ok_and(|tried| tried.status.success()) {
        println!("not run: nothing can be hidden here without root and a mount namespace");
        return;
    }
    let place = Place::new("missing");
    let command = format!("unset DATABASE_URL; PATH=/usr/bin:/bin {} migrate --json", env!("CARGO_BIN_EXE_thexanh"));
    let output = Command::new("unshare").args(hidden(&command)).current_dir(&place.0).output().expect("starts");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(3), "{said}");
    let problem: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).expect("one line of JSON");
    assert_eq!(problem["code"], "postgres_not_installed");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("install")), "{problem}");
}

#[test]
fn many_texts_are_verified_from_standard_input_line_by_line() {
    use std::io::Write as _;
    let place = Place::new("lines");
    std::fs::write(place.0.join("trust.json"), r#"{"version":1,"issued_at":0,"next_update":0,"keys":[]}"#)
        .expect("writes");
    let mut command = place.command(&["verify", "-", "--trust", "trust.json", "--json"]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("starts");
    let input = format!("hello\r\n\nXX1:ABC\n{}\nHC1:%%%", "A".repeat(100_000));
    process.stdin.take().expect("piped").write_all(input.as_bytes()).expect("hands over");
    let output = process.wait_with_output().expect("ends");
    let reasons: Vec<String> = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["reason"].as_str().expect("a reason").to_owned())
        .collect();
    assert_eq!(reasons, ["not_a_certificate", "not_a_certificate", "unknown_prefix", "too_large", "malformed_base45"]);
    assert_eq!(output.status.code(), Some(1));
}

/// Records doses on four connections until the service is gone; returns what was acknowledged: (serial, UVCI).
async fn record_until_gone(address: SocketAddr, bearer: &str, enough: impl Fn()) -> Vec<(u32, String)> {
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let tasks = (0..4).map(|lane| {
        let (bearer, acknowledged) = (bearer.to_owned(), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            for serial in (lane..).step_by(4) {
                let answer = record(&mut connection, &bearer, serial).await;
                assert_eq!(answer.0, 201);
                acknowledged.lock().expect("no panic").push((serial, answer.1));
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    while acknowledged.lock().expect("no panic").len() < 60 {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    enough();
    for task in tasks {
        assert!(task.await.is_err(), "each connection broke off");
    }
    let acknowledged = acknowledged.lock().expect("no panic");
    acknowledged.clone()
}

async fn record(connection: &mut Connection, bearer: &str, serial: u32) -> (u16, String) {
    let headers = [("content-type", "application/json"), ("authorization", bearer)];
    let answer = connection.request("POST", "/v1/doses", &headers, dose_of(serial).to_string().as_bytes()).await;
    (answer.status, answer.json()["uvci"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_service_that_is_killed_has_every_dose_that_it_acknowledged() {
    let place = Place::new("killed");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let service = place.serve();
    let (address, bearer) = (service.address, place.bearer());
    let service = Mutex::new(Some(service));
    let kill = || {
        let service = service.lock().expect("no panic").take().expect("once");
        assert!(!service.end(rustix::process::Signal::KILL).success());
    };
    let acknowledged = runtime.block_on(record_until_gone(address, &bearer, kill));
    assert!(acknowledged.len() >= 60);

    let service = place.serve();
    runtime.block_on(async {
        let mut connection = Connection::open(service.address).await;
        for (serial, uvci) in &acknowledged {
            assert_eq!(record(&mut connection, &bearer, *serial).await, (200, uvci.clone()), "recorded, and once");
        }
        let next = acknowledged.iter().map(|(serial, _)| serial).max().expect("some") + 100;
        assert_eq!(record(&mut connection, &bearer, next).await.0, 201, "and the service goes on");
    });
    assert_eq!(service.end(rustix::process::Signal::TERM).code(), Some(0), "told to stop, it stops in good order");
}

#[test]
fn facilities_are_put_all_or_none_and_none_moves() {
    let place = Place::new("facilities");
    let service = place.serve(); // makes the installation
    let put = |text: &str| {
        std::fs::write(place.0.join("facilities.csv"), text).expect("writes");
        place.json(&["facilities", "facilities.csv"])
    };
    let known = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut connection = Connection::open(service.address).await;
            connection.request("GET", "/v1/reference/facilities?province=79", &[], b"").await.json()
        })
    };
    let (status, said) = put("code,name,province\n79001,Trạm 1,79\n79002,Trạm 2,00\n79001,Trạm 3,79\n");
    assert_eq!(status, 1);
    let wrong = serde_json::json!([
        {"line": 3, "code": "79002", "wrong": "province_unknown"},
        {"line": 4, "code": "79001", "wrong": "code_twice"},
        {"result": "refused", "rows": 2},
    ]);
    assert_eq!(Value::from(said), wrong);
    assert!(!known().to_string().contains("Trạm 1"), "nothing was changed");
    let (status, said) = put("code,name,province\n79001,Trạm 1,79\n79002,\"Trạm 2, Quận 1\",79\n");
    assert_eq!((status, &said[0]["new"], &said[0]["renamed"]), (0, &2.into(), &0.into()));
    assert!(known().to_string().contains("Trạm 2, Quận 1"));
    let (status, said) = put("code,name,province\n79003,Trạm 3,79\n79002,Trạm 2,01\n");
    assert_eq!((status, &said[0]["line"], &said[0]["wrong"]), (1, &3.into(), &"province_changes".into()));
    assert!(!known().to_string().contains("Trạm 3"), "nothing was changed");
    let (status, said) = put("code,name,province\n79001,Trạm 1,79\n79002,Trạm 2,79\n");
    assert_eq!((status, &said[0]["new"], &said[0]["renamed"]), (0, &0.into(), &1.into()));
    assert_eq!(place.json(&["facilities", "none.csv"]).0, 3);
    assert_eq!(service.end(rustix::process::Signal::TERM).code(), Some(0));
}
