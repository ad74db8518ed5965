//! The command line: what can be asked, one file per command, and what an answer's exit status is.
//!
//! Exit status: 0 done, 1 a negative answer (rejected, unknown), 2 wrong usage, 3 the environment (database, file, keys).

mod audit;
mod config;
mod context;
mod demo;
mod facilities;
mod import;
mod issue;
mod keys;
mod migrate;
mod openapi;
mod revoke;
mod rules;
mod serve;
mod synth;
mod token;
mod verify;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError, Sourced};
use context::Context;

/// Signs compact COSE vaccination certificates as QR codes and verifies scanned ones at very high rates.
#[derive(Debug, Parser)]
#[command(name = "thexanh", version, arg_required_else_help = true)]
struct Arguments {
    /// The directory of the embedded database, the secret keys and the demo's pictures [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The directory of the secret keys [default: keys in the data directory]
    #[arg(long, global = true, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The configuration file [default: thexanh.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write for machines: JSON, one value a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until stopped; what is in work is finished first
    Serve {
        /// The address and port to listen on [default: 127.0.0.1:8080]
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        #[command(flatten)]
        following: serve::Following,
    },
    /// Show the whole service: synthetic people, their doses, their certificates read back and verified, then the API
    Demo(demo::Demo),
    /// The keys: make, list, rotate, withdraw, sign their list, back them up
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Show, check and set the rules: what is green, what is yellow, what is accepted
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Verify a QR text, many of them, or a picture
    Verify(verify::Verify),
    /// Revoke a certificate or a list of them, undo that, or import what other countries revoked
    Revoke(revoke::Revoke),
    /// Print the certificate that a person has, issuing one if none is in force
    Issue(issue::Issue),
    /// Look at a node's transparency log from outside: that it only grows, and that certificates are in it
    Audit(audit::Audit),
    /// Record the doses of a backlog file: what is not taken is said line by line, and the same file twice changes nothing
    Import(import::Import),
    /// Put the vaccination sites of a file into the reference data, all of them or none
    Facilities(facilities::Facilities),
    /// Make a bearer token for a member of staff or a machine
    Token(token::Token),
    /// Make synthetic files: a dirty backlog with the truth beside it, or QR texts
    Synth(synth::Synth),
    /// Bring the database's schema up to date
    Migrate(migrate::Migrate),
    /// Print the OpenAPI document
    Openapi,
    /// Check the settings; with --explain print every one, its meaning, value and origin
    Config {
        /// Print the manual
        #[arg(long)]
        explain: bool,
    },
}

/// What a command that ran has to say to the one who started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// It is done, or the answer is yes.
    Yes,
    /// The answer is no: rejected, unknown.
    No,
}

/// Why a command could not run. Its text is one sentence that says what to do.
#[derive(Debug)]
struct Failure {
    code: &'static str,
    text: String,
    status: u8,
}

impl Failure {
    /// The one who started the command must change how.
    fn usage(text: impl Into<String>) -> Failure {
        Failure { code: "usage", text: text.into(), status: USAGE }
    }

    /// Something around us is not as it must be.
    fn environment(code: &'static str, text: impl Into<String>) -> Failure {
        Failure { code, text: text.into(), status: ENVIRONMENT }
    }
}

/// Each room's error says its own word and sentence.
macro_rules! failures {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::environment(error.code(), error.to_string())
            }
        })*
    };
}

failures!(
    ConfigError,
    crate::app::StartError,
    crate::hsm::HsmError,
    crate::http::ServeError,
    crate::http::openid::OpenIdError,
    crate::follower::FollowError,
    crate::keyring::KeyringError,
    crate::keyring::backup::BackupError,
    crate::store::StoreError,
    crate::telemetry::TelemetryError,
);

const NO: u8 = 1;
const USAGE: u8 = 2;
const ENVIRONMENT: u8 = 3;

/// Runs the command that `arguments` ask for, and returns the exit status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; clap knows which stream each goes to.
            let _ = error.print();
            return if error.use_stderr() { USAGE } else { 0 };
        }
    };
    let json = arguments.json;
    match start(arguments) {
        Ok(Answer::Yes) => 0,
        Ok(Answer::No) => NO,
        Err(failure) => {
            match json {
                true => eprintln!("{}", serde_json::json!({"code": failure.code, "detail": failure.text})),
                false => eprintln!("thexanh: {}", failure.text),
            }
            failure.status
        }
    }
}

fn start(arguments: Arguments) -> Result<Answer, Failure> {
    let settings = settings(&arguments)?;
    crate::telemetry::start(&settings.config.log)?;
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().min(8));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::environment("runtime", format!("cannot start threads: {error}")))?;
    runtime.block_on(run(arguments, settings))
}

/// The settings, flags last.
fn settings(arguments: &Arguments) -> Result<Sourced, Failure> {
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    let mut flags = Vec::new();
    flags.extend(arguments.data.as_ref().map(|dir| ("--data", "data", path(dir))));
    flags.extend(arguments.keys.as_ref().map(|dir| ("--keys", "keys.dir", path(dir))));
    let listen = match &arguments.command {
        Command::Serve { listen, .. } => *listen,
        Command::Demo(demo) => demo.listen(),
        _ => None,
    };
    flags.extend(listen.map(|address| ("--listen", "http.listen", address.to_string())));
    Ok(Config::load(arguments.config.as_deref(), &flags)?)
}

async fn run(arguments: Arguments, settings: Sourced) -> Result<Answer, Failure> {
    if let Command::Config { explain } = arguments.command {
        return config::run(&settings, explain, arguments.json);
    }
    let context = Context::new(settings.config, arguments.json);
    match arguments.command {
        Command::Serve { following, .. } => serve::run(&context, &following).await,
        Command::Demo(demo) => demo.run(&context).await,
        Command::Keys(keys) => keys.run(&context).await,
        Command::Rules(rules) => rules.run(&context).await,
        Command::Verify(verify) => verify.run(&context).await,
        Command::Revoke(revoke) => revoke.run(&context).await,
        Command::Issue(issue) => issue.run(&context).await,
        Command::Audit(audit) => audit.run(&context).await,
        Command::Import(import) => import.run(&context).await,
        Command::Facilities(facilities) => facilities.run(&context).await,
        Command::Token(token) => token.run(&context),
        Command::Synth(synth) => synth.run(&context),
        Command::Migrate(migrate) => migrate::run(&context, migrate).await,
        Command::Openapi => openapi::run(),
        Command::Config { .. } => Ok(Answer::Yes),
    }
}
