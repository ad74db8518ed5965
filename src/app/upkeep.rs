//! Work that is done again and again until the node stops.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::store::StoreError;

/// What is logged of it: of a failure once, and once more when it is over.
pub(super) struct Said {
    /// It cannot be done, and what that means.
    pub fails: &'static str,
    /// It is done again.
    pub works: &'static str,
}

/// Does `work` every so often until `stop` says so.
pub(super) async fn keep<Done: Future<Output = Result<(), StoreError>>>(
    every: Duration,
    mut stop: watch::Receiver<bool>,
    said: Said,
    work: impl Fn() -> Done,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        let done = work().await;
        match &done {
            Ok(()) if failing => tracing::info!("{}", said.works),
            Ok(()) => {}
            Err(error) if failing => tracing::debug!(code = error.code(), "still: {}", said.fails),
            Err(error) => tracing::error!(code = error.code(), cause = %error, "{}", said.fails),
        }
        failing = done.is_err();
    }
}
