//! Log lines and metrics: where they go and what they look like. What is in them is the business of those who write them.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::{Log, LogFormat};

/// Why the log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` is not a list of directives.
    #[error("log.filter is not understood; write a level such as `info`, or directives such as `warn,thexanh=debug`")]
    Filter,
    /// Somebody started one before us in this process.
    #[error("a log has been started in this process already")]
    AlreadyStarted,
}

impl TelemetryError {
    /// The one stable word for this error.
    pub fn code(&self) -> &'static str {
        match self {
            TelemetryError::Filter => "log_filter",
            TelemetryError::AlreadyStarted => "log_already_started",
        }
    }
}

/// Starts writing log lines to standard error, and has panics logged by their place alone: their text may hold data.
pub fn start(log: &Log) -> Result<(), TelemetryError> {
    // The driver's debug lines hold the parameters of statements, and a server that is told to repeats statements in its notices
    // (Citus: citus.log_remote_commands), with them people; whatever is asked for, not those.
    let without_parameters = "tokio_postgres=warn".parse().map_err(|_| TelemetryError::Filter)?;
    let filter = EnvFilter::try_new(&log.filter).map_err(|_| TelemetryError::Filter)?.add_directive(without_parameters);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_span_events(FmtSpan::NONE).with_ansi(std::io::stderr().is_terminal());
    match log.format {
        LogFormat::Plain => builder.compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|_| TelemetryError::AlreadyStarted)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(code = "panic", place, "panicked");
    }));
    Ok(())
}

/// The process's metrics, installed at the first call. `render()` gives the Prometheus text.
///
/// Handles taken before the first call count nothing, so whoever registers a metric calls this first.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let seconds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)
            .expect("the list of buckets is not empty")
            .build_recorder();
        let handle = recorder.handle();
        // A second recorder is refused; ours is then only ever read, and shows nothing.
        let _ = metrics::set_global_recorder(recorder);
        handle
    })
}
