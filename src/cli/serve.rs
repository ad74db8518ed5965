//! `thexanh serve`: the API, until the process is told to stop; what is in work is finished first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Answer, Context, Failure};
use crate::follower::Follower;
use crate::http::{Serving, Shared, listen, relay, serve};

/// Whom a verifier node follows.
#[derive(Debug, clap::Args)]
pub(super) struct Following {
    /// Be a verifier node: no database and no keys, following the node at this address, https://..
    #[arg(long, value_name = "URL")]
    verifier_of: Option<String>,
    /// The anchor that signs its trust list, as `thexanh keys anchor --out FILE` writes it [default: the first that is seen]
    #[arg(long, value_name = "FILE", requires = "verifier_of")]
    anchor: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, following: &Following) -> Result<Answer, Failure> {
    if let Some(url) = &following.verifier_of {
        return follow(context, url, following.anchor.as_deref()).await;
    }
    let keyring = context.keyring()?;
    let store = context.store().await?;
    let (app, tokens) = context.start(store, keyring).await?;
    let serving = serve(Shared::new(Arc::clone(&app), tokens).with_openid()?)?;
    let url = url(context, &serving);
    context.say(format_args!("listening on {url}, documentation at {url}/docs"), &json!({"listening": url}))?;
    until_stopped(context, serving, app.stop()).await
}

/// Serves as a verifier node.
async fn follow(context: &Context, issuer: &str, anchor: Option<&Path>) -> Result<Answer, Failure> {
    let pem = anchor.map(|path| {
        std::fs::read_to_string(path).map_err(|error| {
            Failure::environment("anchor_unreadable", format!("cannot read {}: {error}", path.display()))
        })
    });
    let pem = pem.transpose()?;
    let config = context.config.clone();
    let follower = Arc::new(Follower::new(&config, context.clock.clone(), issuer, pem.as_deref())?);
    follower.start().await?;
    let mounted = Arc::clone(&follower);
    let serving = listen(&context.config, move |cfg| relay::routes(&config, &mounted, cfg))?;
    let url = url(context, &serving);
    let fingerprint = follower.anchor().map(|anchor| BASE64_STANDARD.encode(anchor.spki_hash())).unwrap_or_default();
    let age = follower.synced_at().map_or(0, |at| context.clock.now().0 - at.0);
    context.say(
        format_args!("listening on {url}, a verifier of {issuer}; what is known is {age} s old\nanchor {fingerprint}"),
        &json!({"listening": url, "anchor": fingerprint, "age_s": age}),
    )?;
    until_stopped(context, serving, follower.stop()).await
}

/// The address under which `serving` is reached.
pub(super) fn url(context: &Context, serving: &Serving) -> String {
    let scheme = if context.config.tls.cert.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", serving.address())
}

/// Serves until SIGINT or SIGTERM, then finishes what is in work. A second signal ends that as well.
///
/// `stop`: ends what else runs, once nobody is served any more.
pub(super) async fn until_stopped(
    context: &Context,
    serving: Serving,
    stop: impl Future<Output = ()>,
) -> Result<Answer, Failure> {
    let listen = |kind| {
        signal(kind).map_err(|error| Failure::environment("signals", format!("cannot wait for signals: {error}")))
    };
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut stopped = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    stopped().await;
    context.tell("stopping when what is in work is done; a second signal stops at once")?;
    let finish = async {
        serving.stop().await;
        stop.await;
    };
    tokio::select! {
        () = finish => Ok(Answer::Yes),
        () = stopped() => Err(Failure::environment("stopped", "stopped before all was done")),
    }
}
