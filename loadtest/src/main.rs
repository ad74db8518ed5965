//! Loads a node of the service over loopback HTTP and checks every answer while it does; a wrong answer fails the run.
//!
//! The node runs in a process of its own with one worker on the first core, this client on the second. First it goes as fast as
//! the node answers, path by path and the yardstick (a handler that returns a constant, in the same middleware) in turn: what
//! is published are the medians of the ratios. Then it sends at a fixed rate, whatever the answers do, and says how long each
//! took from the instant at which it was due.

mod backlog;
mod citizens;
mod client;
mod doses;
mod lists;
mod matching;
mod node;
mod propagation;
mod scratch;
mod steady;
mod texts;
mod wire;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};
use thexanh::ed25519::Path as Ed25519Path;

use client::{Load, Path};
use texts::Texts;

/// The service's own allocator, for its node is here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Load test of `thexanh`, against loopback only.
#[derive(Parser)]
struct Arguments {
    /// What is measured; all of it where nothing is named
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// More and longer: a minute each, millions of rows
    #[arg(long)]
    full: bool,
    /// Of verifying only this path, such as http/cached
    #[arg(long, value_name = "PATH")]
    only: Option<String>,
    /// Of the backlog so many rows, instead of the usual files
    #[arg(long, value_name = "N")]
    rows: Option<u64>,
    /// Be the node that citizens register with, with its keys and its database in this directory
    #[arg(long, hide = true, value_name = "DIR")]
    citizens_node: Option<std::path::PathBuf>,
    /// Be the node of the doses
    #[arg(long, hide = true)]
    doses_node: bool,
    /// Be a verifier node of the node at this address, with what it knows in the directory
    #[arg(long, hide = true, value_name = "URL", requires = "dir")]
    follower_of: Option<String>,
    /// Where a verifier node keeps what it knows
    #[arg(long, hide = true)]
    dir: Option<std::path::PathBuf>,
    /// Be it without the transparency log
    #[arg(long, hide = true, requires = "doses_node")]
    without_log: bool,
    /// Be the node that verifies: trust the Ed25519 key with this SubjectPublicKeyInfo, in hexadecimal
    #[arg(long, hide = true, value_name = "HEX", requires = "ed25519")]
    node: Option<String>,
    /// How the node verifies
    #[arg(long, hide = true, value_name = "PATH")]
    ed25519: Option<String>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Whose doses are, over a synthetic backlog with its truth
    Matching,
    /// A backlog file imported
    Backlog,
    /// Registrations beside pgbench, and look-ups by the holder
    Registrations,
    /// Doses in, certificates out
    Doses,
    /// The same with the transparency log and without it
    Transparency,
    /// Pages of localities' lists
    Lists,
    /// A revocation on its way to every other node
    Propagation,
    /// Verifying, beside a handler that answers a constant
    Verify,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(spki), Some(ed25519)) = (&arguments.node, &arguments.ed25519) {
        return node::run(&hex::decode(spki)?, serde_json::from_value(ed25519.as_str().into())?);
    }
    if let Some(dir) = &arguments.citizens_node {
        return citizens::serve(dir);
    }
    if let (Some(issuer), Some(dir)) = (&arguments.follower_of, &arguments.dir) {
        return propagation::follow(issuer, dir);
    }
    if arguments.doses_node {
        return doses::node(!arguments.without_log);
    }
    let parts = match arguments.parts.as_slice() {
        [] if arguments.only.is_some() => &[Part::Verify],
        [] => Part::value_variants(),
        named => named,
    };
    let length = Duration::from_secs(if arguments.full { 60 } else { 10 });
    for part in parts {
        let figures = match part {
            Part::Matching => matching::run(arguments.full).map(|()| Vec::new())?,
            Part::Backlog => backlog::figures(arguments.full, arguments.rows)?,
            Part::Registrations => citizens::run(length)?,
            Part::Doses => doses::run(length)?,
            Part::Transparency => doses::issue_cost(length / 2)?,
            Part::Lists => lists::run(arguments.full)?,
            Part::Propagation => propagation::run()?,
            Part::Verify => verify(&arguments)?,
        };
        figures.iter().for_each(|figure| println!("{figure}"));
    }
    Ok(())
}

/// Loads a node that verifies, on each path of Ed25519 that the machine has, and gives the figures.
fn verify(arguments: &Arguments) -> Result<Vec<String>> {
    let texts = Rc::new(Texts::new(if arguments.full { 2_000_000 } else { 700_000 })?);
    pin(1)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut figures = Vec::new();
    for (ed25519, suffix) in [("auto", ""), ("portable", "@portable")] {
        if ed25519 == "auto" && !Ed25519Path::available().contains(&Ed25519Path::Vector) {
            figures.extend(Path::MEASURED.map(|path| format!("figure: {} n/a (no AVX-512 IFMA)", path.name())));
            continue;
        }
        let node = Node::start(&hex::encode(texts.spki_der()), ed25519)?;
        figures.extend(runtime.block_on(run(arguments, &node, &texts, suffix))?);
    }
    Ok(figures)
}

/// Loads `node` and gives its figures, their names ending in `suffix`.
async fn run(arguments: &Arguments, node: &Node, texts: &Rc<Texts>, suffix: &str) -> Result<Vec<String>> {
    let (rounds, length) = if arguments.full { (15, Duration::from_secs(2)) } else { (5, Duration::from_secs(1)) };
    let load = Load::new(node.address, Rc::clone(texts));
    // Twice to be admitted, once more so that connections, code and caches are warm.
    for _ in 0..3 {
        load.warm().await?;
    }
    let asked = |path: &Path| arguments.only.as_deref().is_none_or(|only| only == path.name());
    let paths: Vec<Path> = Path::MEASURED.into_iter().filter(asked).collect();
    ensure!(!paths.is_empty(), "paths are {:?}", Path::MEASURED.map(Path::name));
    let mut measured: Vec<Vec<(f64, f64)>> = vec![Vec::new(); paths.len()];
    let (began, busy) = (Instant::now(), node.cpu_seconds()?);
    for _ in 0..rounds {
        for (path, measured) in paths.iter().zip(&mut measured) {
            // The yardstick before and after, so that a machine that gets slower meets both.
            let before = load.rate(Path::Constant, length / 2).await?;
            let rate = load.rate(*path, length).await?;
            let after = load.rate(Path::Constant, length / 2).await?;
            measured.push((rate, rate / ((before + after) / 2.0)));
        }
    }
    let busy = (node.cpu_seconds()? - busy) / began.elapsed().as_secs_f64();
    println!("the node{suffix} had its core {:.0} % busy with it", busy * 100.0);
    if let Some((_, cached)) = paths.iter().zip(&measured).find(|(path, _)| **path == Path::Cached) {
        steady::run(&load, median(cached.iter().map(|(rate, _)| *rate)) / 3.0, length * 4).await?;
    }
    let figures = paths.iter().zip(&measured).map(|(path, measured)| {
        let (rate, ratio) = (median(measured.iter().map(|m| m.0)), median(measured.iter().map(|m| m.1)));
        format!("figure: {}{suffix} {rate:.0} certificates/s {ratio:.2}x constant", path.name())
    });
    Ok(figures.collect())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Keeps this process on one core; where there is but one, it shares that.
fn pin(core: usize) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let mut set = rustix::thread::CpuSet::new();
    set.set(core.min(cores - 1));
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// The node's process, ended with this one.
struct Node {
    process: Child,
    address: SocketAddr,
}

impl Node {
    fn start(spki: &str, ed25519: &str) -> Result<Node> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--node", spki, "--ed25519", ed25519])
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

impl Node {
    /// Seconds of processor time that it has used. Source: proc(5), /proc/pid/stat, fields 14 and 15 in hundredths.
    fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("the format of /proc/pid/stat")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(ticks / 100.0)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
