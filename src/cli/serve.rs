//! `thexanh serve`: the API, until the process is told to stop; what is in work is finished first.

use std::sync::Arc;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Answer, Context, Failure};
use crate::app::App;
use crate::http::{Serving, Shared, serve};

pub(super) async fn run(context: &Context) -> Result<Answer, Failure> {
    let keyring = context.keyring()?;
    let store = context.store().await?;
    let (app, tokens) = context.start(store, keyring).await?;
    let serving = serve(Shared::new(Arc::clone(&app), tokens))?;
    let url = url(context, &serving);
    context.say(format_args!("listening on {url}, documentation at {url}/docs"), &json!({"listening": url}))?;
    until_stopped(context, serving, app).await
}

/// The address under which `serving` is reached.
pub(super) fn url(context: &Context, serving: &Serving) -> String {
    let scheme = if context.config.tls.cert.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", serving.address())
}

/// Serves until SIGINT or SIGTERM, then finishes what is in work. A second signal ends that as well.
pub(super) async fn until_stopped(context: &Context, serving: Serving, app: Arc<App>) -> Result<Answer, Failure> {
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
        app.stop().await;
    };
    tokio::select! {
        () = finish => Ok(Answer::Yes),
        () = stopped() => Err(Failure::environment("stopped", "stopped before all was done")),
    }
}
