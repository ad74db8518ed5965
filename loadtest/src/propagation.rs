//! How long a revocation takes to every other node: two full nodes on one database and a verifier node that follows the first, as
//! processes of their own. Each is asked again and again, from the instant at which the first has answered that it is revoked.

#![allow(clippy::indexing_slicing, reason = "a JSON value that is indexed by a name it does not have answers null")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use thexanh::clock::Clock;
use thexanh::config::{Config, Tokens};
use thexanh::follower::Follower;
use thexanh::http::access::Role;
use thexanh::http::auth::{Grant, TokenKey};
use thexanh::http::{listen, relay};
use thexanh::keyring::Keyring;
use tokio::io::AsyncReadExt as _;

use crate::citizens::{Node, PASSPHRASE};
use crate::scratch::Scratch;
use crate::wire::Connection;

/// Revocations that are timed.
const TRIALS: usize = 100;
/// One that takes longer is lost.
const LOST: Duration = Duration::from_secs(30);

/// Runs the trials and gives the figures.
pub fn run() -> Result<Vec<String>> {
    let scratch = Scratch::new("propagation")?;
    let dir = scratch.path();
    let keyring = Keyring::open_or_create(&dir.join("keys"), PASSPHRASE)?;
    let tokens = TokenKey::from_pkcs8(keyring.token_pkcs8(), &Tokens::default())?;
    let first = Node::citizens(dir)?;
    let second = Node::citizens(dir)?;
    let follower =
        Node::start(&["--follower-of", &format!("http://{}", first.address), "--dir", &dir.to_string_lossy()])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut seconds = runtime.block_on(trials(&tokens, first.address, [second.address, follower.address]))?;
    drop((follower, second, first));
    seconds.sort_by(f64::total_cmp);
    let at = |share: f64| seconds.get((seconds.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN) * 1e3;
    Ok(vec![
        format!("figure: propagation/p50 {:.0} ms", at(0.5)),
        format!("figure: propagation/p99 {:.0} ms", at(0.99)),
    ])
}

/// The verifier node: serves until standard input ends.
pub fn follow(issuer: &str, dir: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let flags = [
            ("--listen", "http.listen", "127.0.0.1:0".to_owned()),
            ("--data", "data", dir.join("follower").to_string_lossy().into_owned()),
        ];
        let config = Config::load(None, &flags)?.config;
        let follower = Arc::new(Follower::new(&config, Clock::system(), issuer, None)?);
        follower.start().await?;
        let (mounted, settings) = (Arc::clone(&follower), config.clone());
        let serving = listen(&config, move |cfg| relay::routes(&settings, &mounted, cfg))?;
        println!("{}", serving.address());
        let mut nothing = Vec::new();
        tokio::io::stdin().read_to_end(&mut nothing).await?;
        serving.stop().await;
        follower.stop().await;
        Ok(())
    })
}

/// Seconds until the last of `others` rejected, of each trial.
async fn trials(tokens: &TokenKey, first: SocketAddr, others: [SocketAddr; 2]) -> Result<Vec<f64>> {
    let now = Clock::system().now();
    let bearer = |role, facility: Option<&str>| {
        let facility = facility.map(str::to_owned);
        tokens.mint(&Grant { role, subject: "load".to_owned(), facility, province: None, lifetime_s: 3600 }, now)
    };
    let (nurse, ministry) = (bearer(Role::Facility, Some("79001"))?, bearer(Role::Ministry, None)?);
    let mut issuer = Connection::open(first).await?;
    let mut verifiers = [Connection::open(others[0]).await?, Connection::open(others[1]).await?];
    let mut certificates = Vec::new();
    for n in 0..TRIALS {
        let dose = dose(n).to_string();
        let (status, body) = issuer.ask(&post("/v1/doses", "application/json", Some(&nurse), &dose)).await?;
        ensure!(status == 201, "a dose is answered {status}");
        let answer: Value = serde_json::from_slice(body)?;
        let text = |member: &str| answer[member].as_str().map(str::to_owned).context("a certificate");
        certificates.push((text("uvci")?, text("text")?));
    }
    for (_, text) in &certificates {
        for verifier in &mut verifiers {
            ensure!(!rejects(verifier, text).await?, "a certificate is rejected before it is revoked");
        }
    }
    let mut seconds = Vec::new();
    for (uvci, text) in &certificates {
        let revoke = json!({"uvci": uvci, "why": "a load test"}).to_string();
        let revoked_at = Instant::now();
        let (status, _) = issuer.ask(&post("/v1/revocations", "application/json", Some(&ministry), &revoke)).await?;
        ensure!(status == 201, "a revocation is answered {status}");
        let mut left: Vec<&mut Connection> = verifiers.iter_mut().collect();
        while !left.is_empty() {
            let mut unaware = Vec::new();
            for verifier in left {
                if !rejects(verifier, text).await? {
                    unaware.push(verifier);
                }
            }
            left = unaware;
            if revoked_at.elapsed() > LOST {
                bail!("a revocation did not arrive within {LOST:?}");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        seconds.push(revoked_at.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

fn dose(n: usize) -> Value {
    json!({
        "record_no": format!("P-{n}"),
        "person": {"name": "Nguyễn Thị Phương Thảo", "birth": "1983-10-10", "identity": format!("{:012}", 1_000_000 + n)},
        "product": "EU/1/20/1528", "lot": "FE8405", "given_at": "2021-08-01T02:15:00Z", "number": 1,
    })
}

async fn rejects(verifier: &mut Connection, text: &str) -> Result<bool> {
    let (status, body) = verifier.ask(&post("/v1/verify", "text/plain", None, text)).await?;
    let verdict: Value = serde_json::from_slice(body)?;
    match (status, verdict["result"].as_str(), verdict["reason"].as_str()) {
        (200, Some("accepted"), _) => Ok(false),
        (200, Some("rejected"), Some("revoked")) => Ok(true),
        _ => bail!("the verdict is {verdict}"),
    }
}

fn post(path: &str, media: &str, bearer: Option<&str>, body: &str) -> Vec<u8> {
    let bearer = bearer.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let len = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: node\r\ncontent-type: {media}\r\n{bearer}content-length: {len}\r\n\r\n{body}"
    )
    .into_bytes()
}
