//! What can be set, where it may be set, and what it is when it is not. The doc comments below are the manual:
//! `thexanh config --explain` prints them. Later sources win: `thexanh.toml`, `DATABASE_URL`, `THEXANH_*`, flags.

mod network;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{ed25519, trust};

pub use network::Network;
pub use openid::OpenId;

/// Declares one section of the settings once: its fields, their defaults, and their doc comments as data.
macro_rules! section {
    ($(#[doc = $about:literal])* pub struct $name:ident { $($(#[doc = $doc:literal])* pub $field:ident : $type:ty = $default:expr,)* }) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[doc = $doc])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* }
            }
        }

        impl $name {
            pub(in crate::config) const MANUAL: &'static [(&'static str, &'static str)] = &[$((stringify!($field), concat!($($doc, "\n"),*)),)*];
        }
    };
}

mod openid;

section! {
    /// Everything that can be set.
    pub struct Config {
        /// The directory that holds the embedded database, the secret keys and the demo's pictures.
        pub data: PathBuf = PathBuf::from("data"),
        /// `[http]`: how we are reached.
        pub http: Http = Http::default(),
        /// `[tls]`: whether connections are encrypted.
        pub tls: Tls = Tls::default(),
        /// `[database]`: where rows are kept.
        pub database: Database = Database::default(),
        /// `[keys]`: where secret keys are kept.
        pub keys: Keys = Keys::default(),
        /// `[tokens]`: what a bearer token of staff or of a machine must say.
        pub tokens: Tokens = Tokens::default(),
        /// `[openid]`: the provider by which staff log in.
        pub openid: OpenId = OpenId::default(),
        /// `[citizens]`: what citizens may ask of us, and how often.
        pub citizens: Citizens = Citizens::default(),
        /// `[sms]`: how one-time codes reach their phones.
        pub sms: Sms = Sms::default(),
        /// `[verifier]`: how a verifier node follows its issuer.
        pub verifier: Verifier = Verifier::default(),
        /// `[corrections]`: until when they are to be answered.
        pub corrections: Corrections = Corrections::default(),
        /// `[cache]`: how much memory answers may be remembered in.
        pub cache: Cache = Cache::default(),
        /// `[imports]`: backlog files that are sent.
        pub imports: Imports = Imports::default(),
        /// How Ed25519 signatures are verified: `auto` takes the fastest that the processor has, `portable` leaves its vectors alone, `library` is ed25519-dalek. The verdicts are the same.
        pub ed25519: Ed25519 = Ed25519::Auto,
        /// `[log]`: what is written to standard error. Never names, birth dates, phones, certificates or keys.
        pub log: Log = Log::default(),
    }
}

section! {
    /// How we are reached.
    pub struct Http {
        /// The address and port to listen on. Port 0 takes any free port.
        pub listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)),
        /// The address under which others reach us, without a slash at its end; links in answers begin with it. Empty: links begin with `/`.
        pub public_url: String = String::new(),
        /// The proxies in front of us, as networks such as `["10.0.0.0/8", "::1"]`, 64 at most: what is counted by address goes by the rightmost one in `X-Forwarded-For` that is none of them. Each must append to that header whom it speaks to. Their `X-Forwarded-Proto: https` makes cookies `Secure`. Everybody else's headers are ignored.
        pub trusted_proxies: Vec<Network> = Vec::new(),
        /// Threads that serve requests, 0 for as many as there are cores, at most 8.
        pub workers: usize = 0,
        /// Connections open at once on one worker; more wait in the queue of the operating system.
        pub max_connections: usize = 10_000,
        /// Requests in work at once on one worker; more are answered 503 with `Retry-After`.
        pub max_in_flight: usize = 2_000,
        /// Seconds for which an idle connection is kept.
        pub keep_alive_s: u64 = 75,
        /// Seconds within which a request's head, and then each part of its body, must arrive.
        pub request_timeout_s: u64 = 15,
        /// Seconds that requests in work are given to finish when the service is stopped.
        pub shutdown_timeout_s: u64 = 30,
    }
}

section! {
    /// Whether connections are encrypted. Both or neither must be set.
    pub struct Tls {
        /// A PEM file with our certificate and those between it and the root, in that order.
        pub cert: Option<PathBuf> = None,
        /// A PEM file with the certificate's private key.
        pub key: Option<PathBuf> = None,
    }
}

section! {
    /// Where rows are kept.
    pub struct Database {
        /// A PostgreSQL URL, several hosts allowed; also read from `DATABASE_URL`. Unset: a private PostgreSQL under the data directory, which we start and stop.
        pub url: Option<Secret> = None,
        /// Connections kept to the database at most.
        pub connections: usize = 16,
    }
}

section! {
    /// Where secret keys are kept.
    pub struct Keys {
        /// The directory of the secret keys. Unset: `keys` in the data directory.
        pub dir: Option<PathBuf> = None,
        /// A file whose first line is the passphrase under which the secret keys are encrypted. Unset: asked for on the terminal.
        pub passphrase_file: Option<PathBuf> = None,
        /// `[keys.pkcs11]`: a hardware module for issuer keys.
        pub pkcs11: Pkcs11 = Pkcs11::default(),
        /// Days after which verifiers call the trust list stale that the anchor signed. An anchor that is kept here signs it anew when half of them are over; one that is kept off line must be asked to in time.
        pub trust_list_days: i64 = 30,
    }
}

section! {
    /// A hardware module for issuer keys. They are used before those in files, which are kept and may sign again.
    pub struct Pkcs11 {
        /// The module's library, such as /usr/lib/softhsm/libsofthsm2.so. Unset: issuer keys are in files alone.
        pub module: Option<PathBuf> = None,
        /// The label of the token in it.
        pub token_label: String = "thexanh".to_owned(),
        /// A file whose first line is the token's PIN. Needed with a module.
        pub pin_file: Option<PathBuf> = None,
    }
}

section! {
    /// What a bearer token of staff or of a machine must say.
    pub struct Tokens {
        /// `iss` of our tokens.
        pub issuer: String = "thexanh".to_owned(),
        /// `aud` of bearer tokens: ours, and the OpenID Connect provider's.
        pub audience: String = "thexanh".to_owned(),
        /// Seconds for which a token of `thexanh token` is good unless it is asked for another time.
        pub lifetime_s: i64 = 12 * 3600,
        /// Seconds for which staff stay logged in in a browser; a day at most.
        pub session_s: i64 = 8 * 3600,
    }
}

section! {
    /// What citizens may ask of us, and how often.
    pub struct Citizens {
        /// Seconds for which a session is good once its code was confirmed; a day at most.
        pub session_s: i64 = 3600,
        /// Codes asked for and tried from one address in a minute (of IPv6, from one /64); 0 turns the limit off, for load tests. Set it with care where many share an address.
        pub codes_per_address_per_minute: u64 = 30,
        /// Registrations that may wait to be committed; one more is answered 503 at once.
        pub queue: usize = 8_192,
        /// Registrations committed together at most.
        pub batch: usize = 500,
        /// Batches worked on at once.
        pub batches: usize = 2,
    }
}

impl Citizens {
    /// How registrations are gathered.
    pub fn group_commit(&self) -> crate::store::GroupCommitSettings {
        crate::store::GroupCommitSettings { queue: self.queue, batch: self.batch, workers: self.batches }
    }
}

section! {
    /// How one-time codes reach their phones.
    pub struct Sms {
        /// The gateway's webhook, `https://`, or `http://` where nobody else reads along: it takes `{"to": "+84..", "text": ".."}` and answers 2xx; a redirection is not followed. Unset: codes are sent nowhere.
        pub url: Option<String> = None,
        /// A PEM file with the root certificates that are believed of the gateway. Unset: those that browsers believe.
        pub ca: Option<PathBuf> = None,
        /// The bearer token that the gateway asks for.
        pub token: Option<Secret> = None,
        /// Writes the messages to the log where there is no gateway. For demonstrations only: whoever reads the log can log in as anybody.
        pub to_log_for_demo: bool = false,
    }
}

section! {
    /// How a verifier node follows its issuer.
    pub struct Verifier {
        /// A PEM file with the root certificates that are believed of the issuer. Unset: those that browsers believe.
        pub ca: Option<PathBuf> = None,
    }
}

section! {
    /// Until when facilities are to answer what people say is missing or wrong.
    pub struct Corrections {
        /// Hours until a correction that nobody answered becomes a ticket of the response centre.
        pub hours: i64 = 72,
    }
}

section! {
    /// How much memory answers may be remembered in.
    pub struct Cache {
        /// MiB of proved signatures with their answers; about 1,700 texts fit in one MiB.
        pub proofs_mib: u64 = 64,
        /// MiB of rendered pictures.
        pub pictures_mib: u64 = 16,
        /// MiB of lists of certificates, kept for a second.
        pub lists_mib: u64 = 16,
        /// Milliseconds between two looks at the database for new revocations and keys.
        pub refresh_ms: u64 = 200,
    }
}

section! {
    /// Backlog files that are sent to `POST /v1/imports`.
    pub struct Imports {
        /// The longest file, in MiB. It is kept, encrypted, below `imports` in the data directory until it is done with.
        pub max_mib: u64 = 1024,
    }
}

section! {
    /// What is written to standard error.
    pub struct Log {
        /// Which lines are written: a level such as `info`, or directives such as `warn,thexanh=debug`.
        pub filter: String = "warn,actix_http=off,thexanh=info".to_owned(),
        /// `plain` for people, `json` for machines.
        pub format: LogFormat = LogFormat::Plain,
        /// Writes one line a request (method, route, status, time), which costs 1.8 µs each.
        pub access: bool = false,
    }
}

/// How Ed25519 signatures are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ed25519 {
    /// The fastest way that the processor has.
    Auto,
    /// 64-bit arithmetic, on every processor.
    Portable,
    /// The library, which keeps nothing of a key.
    Library,
}

impl Config {
    /// The DID of the trust list's document, which is found below our public address.
    pub fn trust_list_did(&self) -> String {
        let url = if self.http.public_url.is_empty() { "localhost" } else { &self.http.public_url };
        trust::export::did_web(&format!("{url}/v1/trust-list"))
    }

    /// A new engine that verifies Ed25519 signatures as the settings say.
    pub fn ed25519_engine(&self) -> Arc<ed25519::Engine> {
        ed25519::Engine::new(match self.ed25519 {
            Ed25519::Auto => ed25519::Path::available().first().copied().unwrap_or(ed25519::Path::Library),
            Ed25519::Portable => ed25519::Path::Portable,
            Ed25519::Library => ed25519::Path::Library,
        })
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line an event.
    Plain,
    /// One JSON object an event.
    Json,
}

/// A setting that never appears in a log, an error or `config --explain`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one who needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("REDACTED")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("REDACTED")
    }
}

/// Why there is no usable configuration; its text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named cannot be read.
    #[error("cannot read the configuration {path}: {cause}; make it readable or name another with --config")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// A source holds an unknown setting or a value of the wrong kind.
    #[error("{origin}: {problem}; `thexanh config --explain` lists every setting")]
    Malformed {
        /// The file, variable or flag.
        origin: Origin,
        /// What is wrong there, in one line; never repeats a secret.
        problem: String,
    },
    /// A `THEXANH_*` variable that sets nothing.
    #[error("the variable {0} sets nothing we know; unset it, or see `thexanh config --explain`")]
    UnknownVariable(String),
    /// Settings that make no sense together.
    #[error("{0}")]
    Inconsistent(&'static str),
}

impl ConfigError {
    /// The one stable word for this error.
    pub fn code(&self) -> &'static str {
        match self {
            ConfigError::Unreadable { .. } => "config_unreadable",
            ConfigError::Malformed { .. } => "config_malformed",
            ConfigError::UnknownVariable(_) => "config_unknown_variable",
            ConfigError::Inconsistent(_) => "config_inconsistent",
        }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Variable(name) => write!(f, "{name}"),
            Origin::Flag(name) => write!(f, "{name}"),
        }
    }
}

/// A configuration with the origin of each value that is not the default.
#[derive(Clone, Debug, Default)]
pub struct Sourced {
    /// The settings themselves.
    pub config: Config,
    origins: BTreeMap<String, Origin>,
}

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "thexanh.toml";

impl Config {
    /// The settings of this process: the file, then the environment, then `flags`.
    ///
    /// `file`: the one named by `--config`, which must exist; `None` reads [`DEFAULT_FILE`] if there is one.
    /// `flags`: (the flag as written, the setting's path such as `http.listen`, its value as text).
    /// Errors: [`ConfigError`], for the first source that is wrong.
    pub fn load(file: Option<&Path>, flags: &[(&str, &str, String)]) -> Result<Sourced, ConfigError> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Some((path, text)),
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
            Err(cause) => return Err(ConfigError::Unreadable { path: path.to_owned(), cause }),
        };
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let variables = variables.filter(|(name, _)| name.starts_with(PREFIX) || name == DATABASE_URL);
        let variables = variables.map(|(name, value)| (name, value.to_string_lossy().into_owned()));
        Config::from_sources(text.as_ref().map(|(path, text)| (*path, text.as_str())), variables, flags)
    }

    /// The settings that these sources give, as [`Config::load`] does with those of the process.
    pub fn from_sources(
        file: Option<(&Path, &str)>,
        variables: impl IntoIterator<Item = (String, String)>,
        flags: &[(&str, &str, String)],
    ) -> Result<Sourced, ConfigError> {
        let mut merged = Merged::default();
        if let Some((path, text)) = file {
            merged.file(path, text)?;
        }
        let mut variables: Vec<(String, String)> = variables.into_iter().collect();
        variables.sort_by_key(|(name, _)| name.starts_with(PREFIX)); // DATABASE_URL first: THEXANH_DATABASE_URL wins
        for (name, value) in variables {
            let path = match name.as_str() {
                DATABASE_URL => "database.url".to_owned(),
                _ => variable_path(&name).ok_or_else(|| ConfigError::UnknownVariable(name.clone()))?,
            };
            merged.set(&path, &value, Origin::Variable(name))?;
        }
        for (flag, path, value) in flags {
            merged.set(path, value, Origin::Flag((*flag).to_owned()))?;
        }
        merged.finish()
    }

    /// The directory of the secret keys.
    pub fn keys_dir(&self) -> PathBuf {
        self.keys.dir.clone().unwrap_or_else(|| self.data.join("keys"))
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            return Err(ConfigError::Inconsistent("set both tls.cert and tls.key, or neither"));
        }
        if self.keys.pkcs11.module.is_some() && self.keys.pkcs11.pin_file.is_none() {
            return Err(ConfigError::Inconsistent("keys.pkcs11.module needs keys.pkcs11.pin_file"));
        }
        // Every request that is counted is held against all of them.
        if self.http.trusted_proxies.len() > 64 {
            return Err(ConfigError::Inconsistent("http.trusted_proxies may name 64 networks at most"));
        }
        if self.tokens.issuer.is_empty() || self.tokens.audience.is_empty() {
            return Err(ConfigError::Inconsistent("tokens.issuer and tokens.audience must not be empty"));
        }
        if ![self.citizens.session_s, self.tokens.session_s].iter().all(|seconds| (1..=24 * 3600).contains(seconds)) {
            return Err(ConfigError::Inconsistent(
                "citizens.session_s and tokens.session_s must be at least 1 and at most a day's",
            ));
        }
        if self.citizens.queue == 0 || self.citizens.batch == 0 || self.citizens.batches == 0 {
            return Err(ConfigError::Inconsistent(
                "citizens.queue, citizens.batch and citizens.batches must be at least 1",
            ));
        }
        self.openid.check(self)?;
        let host = |url: &str| {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            rest.and_then(|rest| rest.split(['/', '?', '#']).next()).is_some_and(|host| !host.is_empty())
        };
        if self.sms.url.as_deref().is_some_and(|url| !host(url)) {
            return Err(ConfigError::Inconsistent("sms.url must begin with https:// or http:// and a host"));
        }
        if !(1..=24 * 365).contains(&self.corrections.hours) {
            return Err(ConfigError::Inconsistent("corrections.hours must be at least 1 and at most a year's"));
        }
        if !(1..=3650).contains(&self.keys.trust_list_days) {
            return Err(ConfigError::Inconsistent("keys.trust_list_days must be at least 1 and at most ten years'"));
        }
        if self.cache.refresh_ms == 0 {
            return Err(ConfigError::Inconsistent("cache.refresh_ms must be at least 1"));
        }
        if self.http.max_connections == 0 || self.http.max_in_flight == 0 || self.database.connections == 0 {
            return Err(ConfigError::Inconsistent(
                "http.max_connections, http.max_in_flight and database.connections must be at least 1",
            ));
        }
        Ok(())
    }
}

/// Where programs are looked for: `PATH`, or where Debian has them if that is not set.
pub fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

const PREFIX: &str = "THEXANH_";
const DATABASE_URL: &str = "DATABASE_URL";

/// Every setting: (section, `""` for the top; field; its manual).
fn settings() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let sections = [
        ("", Config::MANUAL),
        ("http", Http::MANUAL),
        ("tls", Tls::MANUAL),
        ("database", Database::MANUAL),
        ("keys", Keys::MANUAL),
        ("keys.pkcs11", Pkcs11::MANUAL),
        ("tokens", Tokens::MANUAL),
        ("openid", OpenId::MANUAL),
        ("citizens", Citizens::MANUAL),
        ("sms", Sms::MANUAL),
        ("verifier", Verifier::MANUAL),
        ("corrections", Corrections::MANUAL),
        ("cache", Cache::MANUAL),
        ("imports", Imports::MANUAL),
        ("log", Log::MANUAL),
    ];
    let leaf = move |section: &str, field: &str| !sections.iter().any(|(name, _)| *name == path_of(section, field));
    sections
        .into_iter()
        .flat_map(|(section, manual)| manual.iter().map(move |(field, doc)| (section, *field, *doc)))
        .filter(move |(section, field, _)| leaf(section, field))
}

fn path_of(section: &str, field: &str) -> String {
    if section.is_empty() { field.to_owned() } else { format!("{section}.{field}") }
}

/// The names on the way to a section.
fn sections_of(section: &str) -> impl Iterator<Item = &str> {
    section.split('.').filter(|name| !name.is_empty())
}

fn value_at<'a>(table: &'a Table, section: &str, field: &str) -> Option<&'a Value> {
    sections_of(section).try_fold(table, |table, name| table.get(name)?.as_table())?.get(field)
}

fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

fn variable_path(name: &str) -> Option<String> {
    settings().map(|(section, field, _)| path_of(section, field)).find(|path| variable_of(path) == name)
}

/// The sources so far, laid over each other.
#[derive(Default)]
struct Merged {
    table: Table,
    origins: BTreeMap<String, Origin>,
}

impl Merged {
    fn file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let malformed = |error: &toml::de::Error| {
            let line = error.span().map(|span| 1 + text.get(..span.start).unwrap_or_default().matches('\n').count());
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            ConfigError::Malformed { origin: Origin::File(path.to_owned()), problem: place + &one_line(error) }
        };
        let table: Table = toml::from_str(text).map_err(|error| malformed(&error))?;
        toml::from_str::<Config>(text).map_err(|error| malformed(&error))?;
        for (section, field, _) in settings() {
            if value_at(&table, section, field).is_some() {
                self.origins.insert(path_of(section, field), Origin::File(path.to_owned()));
            }
        }
        self.table = table;
        Ok(())
    }

    /// Sets one value given as text: as a string if the setting takes one, else as the TOML value it spells.
    fn set(&mut self, path: &str, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let with = |value: Value| {
            let mut table = self.table.clone();
            let (section, field) = path.rsplit_once('.').unwrap_or(("", path));
            let inner = sections_of(section).try_fold(&mut table, |table, name| {
                table.entry(name).or_insert_with(|| Value::Table(Table::new())).as_table_mut()
            });
            inner.and_then(|table| table.insert(field.to_owned(), value));
            Config::deserialize(table.clone()).map(|_| table)
        };
        let literal = || toml::from_str::<Table>(&format!("value = {text}")).ok()?.remove("value");
        let table = with(Value::String(text.to_owned())).or_else(|error| literal().map_or(Err(error), with));
        let problem = |error: &toml::de::Error| match settings().any(|(s, f, _)| path_of(s, f) == path) {
            true => format!("not a value for {path}: {}", one_line(error)),
            false => format!("there is no setting {path}"),
        };
        self.table =
            table.map_err(|error| ConfigError::Malformed { origin: origin.clone(), problem: problem(&error) })?;
        self.origins.insert(path.to_owned(), origin);
        Ok(())
    }

    fn finish(self) -> Result<Sourced, ConfigError> {
        let config = Config::deserialize(self.table)
            .map_err(|error| ConfigError::Malformed { origin: Origin::Default, problem: one_line(&error) })?;
        config.check()?;
        Ok(Sourced { config, origins: self.origins })
    }
}

/// A TOML error's message on one line, without the excerpt of the source: that may hold a secret.
fn one_line(error: &toml::de::Error) -> String {
    let message = error.message();
    let short = message.split(", expected one of").next().unwrap_or(message);
    match short.split_once("invalid type: string \"") {
        Some((_, rest)) => format!("expected {}", rest.rsplit("expected ").next().unwrap_or("another kind of value")),
        None => short.lines().collect::<Vec<_>>().join(" "),
    }
}

impl Sourced {
    /// The manual with each value and where it came from, as TOML that could be saved as `thexanh.toml`.
    pub fn explain(&self) -> String {
        let values = Table::try_from(&self.config).unwrap_or_default();
        let mut text = String::new();
        let mut current = "";
        for (section, field, doc) in settings() {
            if section != current {
                text += &format!("[{section}]\n");
                current = section;
            }
            for line in doc.trim_end().lines() {
                text += &format!("#{line}\n");
            }
            let path = path_of(section, field);
            let origin = self.origins.get(&path).cloned().unwrap_or(Origin::Default);
            let value = value_at(&values, section, field);
            let line = match value {
                Some(value) => format!("{field} = {value}"),
                None => format!("# {field} ="),
            };
            text += &format!("{line}  # {origin}; {}\n\n", variable_of(&path));
        }
        text
    }
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
