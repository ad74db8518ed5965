//! Listening: addresses, TLS, time limits, and the stop that finishes what is in work.

use std::any::Any;
use std::fs::File;
use std::io::BufReader;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{Extensions, ServerHandle};
use actix_web::rt::net::TcpStream;
use actix_web::web::ServiceConfig;
use actix_web::{App as Routes, HttpServer};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Shared, routes};
use crate::app::App;
use crate::config::Config;

/// Why we cannot listen. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, not ours, or may not be listened on.
    #[error("cannot listen on {address}: {cause}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("cannot use {path} for TLS: {problem}; tls.cert and tls.key must name PEM files that belong together")]
    Tls {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl ServeError {
    /// The one stable word for this error.
    pub fn code(&self) -> &'static str {
        match self {
            ServeError::Listen { .. } => "listen",
            ServeError::Tls { .. } => "tls",
        }
    }
}

/// A service that listens.
pub struct Serving {
    address: SocketAddr,
    handle: ServerHandle,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
    /// Whose streams have no end of their own.
    streams: Option<Arc<App>>,
}

impl Serving {
    /// Where it listens; with port 0 in the settings, the port that was free.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, gives what is in work `http.shutdown_timeout_s` to finish, and returns when all is done. Streams to those
    /// who watch are ended.
    pub async fn stop(self) {
        if let Some(app) = &self.streams {
            app.hub().close();
        }
        self.handle.stop(true).await;
        let _ = self.task.await;
    }
}

/// Serves the whole service: see [`listen`].
pub fn serve(shared: Shared) -> Result<Serving, ServeError> {
    let (config, app) = (shared.app.config().clone(), Arc::clone(&shared.app));
    let serving = listen(&config, move |cfg| routes(&shared, cfg))?;
    Ok(Serving { streams: Some(app), ..serving })
}

/// Listens as the settings say, with the routes that `mount` mounts, and returns at once.
///
/// Must be called within a tokio runtime. The signals that stop the process are the caller's: see [`Serving::stop`].
/// Errors: [`ServeError`].
pub fn listen(
    config: &Config,
    mount: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Result<Serving, ServeError> {
    let refused = |cause| ServeError::Listen { address: config.http.listen, cause };
    let listener = TcpListener::bind(config.http.listen).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let tls = tls(config)?;
    let http = &config.http;
    let server = HttpServer::new(move || Routes::new().configure(&mount))
        .workers(workers(http.workers))
        .max_connections(http.max_connections)
        .keep_alive(Duration::from_secs(http.keep_alive_s))
        .client_request_timeout(Duration::from_secs(http.request_timeout_s))
        .shutdown_timeout(http.shutdown_timeout_s)
        .worker_max_blocking_threads(2)
        .on_connect(give_up_on_those_who_do_not_read)
        .disable_signals();
    let server = match tls {
        None => server.listen(listener),
        Some(tls) => server.listen_rustls_0_23(listener, tls),
    };
    let server = server.map_err(refused)?.run();
    let handle = server.handle();
    Ok(Serving { address, handle, task: tokio::spawn(server), streams: None })
}

/// Closes a connection whose peer takes nothing of what was sent for a minute: answers that are streamed wait for their reader.
fn give_up_on_those_who_do_not_read(connection: &dyn Any, _: &mut Extensions) {
    const PATIENCE_MS: u32 = 60_000;
    let stream = match connection.downcast_ref::<TlsStream<TcpStream>>() {
        Some(tls) => Some(tls.get_ref().0),
        None => connection.downcast_ref::<TcpStream>(),
    };
    if let Some(stream) = stream {
        // Only the kernel knows what the peer took. A system without this option keeps such connections for longer.
        let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, PATIENCE_MS);
    }
}

/// Few threads: each has its own stack, buffers and timers, and more than the cores only take turns.
fn workers(asked: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if asked == 0 { cores.min(8) } else { asked }
}

/// The TLS settings, if any. TLS 1.2 and 1.3, HTTP/1.1 only.
fn tls(config: &Config) -> Result<Option<ServerConfig>, ServeError> {
    let (Some(cert), Some(key)) = (&config.tls.cert, &config.tls.key) else { return Ok(None) };
    let fail = |path: &Path, problem: &dyn std::fmt::Display| ServeError::Tls {
        path: path.to_owned(),
        problem: problem.to_string(),
    };
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(|error| fail(path, &error));
    let chain = CertificateDer::pem_reader_iter(open(cert)?).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| fail(cert, &error))?;
    if chain.is_empty() {
        return Err(fail(cert, &"there is no certificate in it"));
    }
    let secret = PrivateKeyDer::from_pem_reader(open(key)?).map_err(|error| fail(key, &error))?;
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| fail(cert, &error))?.with_no_client_auth();
    builder.with_single_cert(chain, secret).map(Some).map_err(|error| fail(key, &error))
}
