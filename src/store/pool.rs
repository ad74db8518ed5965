//! Connections: what a URL means, TLS as libpq's users expect it, and the pool.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_postgres::NoTls;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::embedded::Embedded;
use super::{StoreError, StoreSettings};
use crate::tls;

/// How long a caller waits for a connection: long enough for a fail-over, short enough to answer 503 in time. Hosts that do
/// not answer share it, so that the last has its turn.
const WAIT: Duration = Duration::from_secs(5);
/// What each connection is held to. Times are in milliseconds.
///
/// Every statement finds its rows by keys, and the planner is told so: plans do not depend on what statistics say of a table
/// that grows by some thousands of rows a second, and each is made once a connection. Left alone it reads tables of some ten
/// thousand rows whole rather than look up five hundred of them, batch after batch, and spends longer on a plan than on a look-up.
const LIMITS: &str = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan \
                      -c max_parallel_workers_per_gather=0 \
                      -c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=30000";

/// What Citus is asked besides: whose rows a statement wants, and so where it goes, is planned each time.
const CITUS_PLANS: &str = " -c plan_cache_mode=force_custom_plan";

/// Whom to connect to, and whom to believe; nobody where there is no TLS.
#[derive(Clone)]
pub(super) struct Target {
    config: tokio_postgres::Config,
    trust: Option<ServerTrust>,
}

/// Whose certificate a server may show. Source: libpq §34.19.1 (sslmode).
#[derive(Clone)]
enum ServerTrust {
    /// `disable`, `prefer`, `require`: anybody's; encryption without authentication.
    Anybody,
    /// `verify-ca` and `verify-full`, or any mode with `sslrootcert`: the chain and the host's name are checked.
    Roots(Box<rustls::RootCertStore>),
}

impl Target {
    /// What a PostgreSQL URL or a key=value string says, `sslmode` and `sslrootcert` as libpq has them.
    ///
    /// Errors: [`StoreError::Url`]; the URL is not repeated, for it may hold a password.
    pub fn parse(url: &str) -> Result<Target, StoreError> {
        let (rest, sslmode) = without_parameter(url, "sslmode");
        let (rest, root_file) = without_parameter(&rest, "sslrootcert");
        let config = rest.parse::<tokio_postgres::Config>();
        let mut config = config.map_err(|_| StoreError::Url("it is not a PostgreSQL connection URL".into()))?;
        let verify = match sslmode.as_deref() {
            None | Some("prefer") => (SslMode::Prefer, false),
            Some("disable") => (SslMode::Disable, false),
            Some("require") => (SslMode::Require, false),
            Some("verify-ca" | "verify-full") => (SslMode::Require, true),
            Some(_) => {
                let words = "sslmode is disable, prefer, require, verify-ca or verify-full";
                return Err(StoreError::Url(words.into()));
            }
        };
        // Over a Unix socket there is no TLS, whatever is asked. Source: libpq §34.1.2.
        let local = !config.get_hosts().is_empty()
            && config.get_hostaddrs().is_empty()
            && config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(if local { SslMode::Disable } else { verify.0 });
        let trust = match (verify.1, root_file) {
            _ if config.get_ssl_mode() == SslMode::Disable => None,
            (false, None) => Some(ServerTrust::Anybody),
            (_, path) => {
                let roots = tls::roots(path.as_deref().map(Path::new));
                let roots = roots.map_err(|error| StoreError::Url(format!("sslrootcert: {error}")))?;
                Some(ServerTrust::Roots(Box::new(roots)))
            }
        };
        Ok(Target { config, trust })
    }

    /// The embedded server, over its socket.
    pub fn embedded(server: &Embedded) -> Target {
        let mut config = tokio_postgres::Config::new();
        config.host_path(server.socket_dir()).port(server.port()).user(server.user()).dbname(server.database());
        config.ssl_mode(SslMode::Disable);
        Target { config, trust: None }
    }

    /// Each host on its own, with its name: `host:port`.
    pub fn hosts(&self) -> Vec<(String, Target)> {
        let (hosts, addresses, ports) = (self.config.get_hosts(), self.config.get_hostaddrs(), self.config.get_ports());
        let each = (0..hosts.len().max(addresses.len())).map(|at| {
            let (host, address) = (hosts.get(at), addresses.get(at));
            // One port may stand for all hosts. Source: libpq §34.1.1.3.
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let mut config = without_hosts(&self.config);
            config.port(port);
            match host {
                Some(Host::Tcp(name)) => _ = config.host(name),
                Some(Host::Unix(dir)) => _ = config.host_path(dir),
                None => {}
            }
            if let Some(address) = address {
                config.hostaddr(*address);
            }
            let name = match (host, address) {
                (Some(Host::Tcp(name)), _) => format!("{name}:{port}"),
                (Some(Host::Unix(dir)), _) => format!("{}:{port}", dir.display()),
                (None, address) => format!("{}:{port}", address.map(ToString::to_string).unwrap_or_default()),
            };
            (name, Target { config, trust: self.trust.clone() })
        });
        each.collect()
    }
}

/// A connection of the pool's. Errors: [`StoreError::Unreachable`].
pub(super) async fn client(pool: &Pool) -> Result<Object, StoreError> {
    pool.get().await.map_err(|error| StoreError::Unreachable(reason(&error)))
}

/// The same settings for another host.
fn without_hosts(config: &tokio_postgres::Config) -> tokio_postgres::Config {
    let mut other = tokio_postgres::Config::new();
    other.ssl_mode(config.get_ssl_mode()).target_session_attrs(config.get_target_session_attrs());
    other.channel_binding(config.get_channel_binding()).ssl_negotiation(config.get_ssl_negotiation());
    if let Some(user) = config.get_user() {
        other.user(user);
    }
    if let Some(password) = config.get_password() {
        other.password(password);
    }
    if let Some(dbname) = config.get_dbname() {
        other.dbname(dbname);
    }
    if let Some(options) = config.get_options() {
        other.options(options);
    }
    other
}

/// The URL without one of its parameters, and the parameter's value: tokio-postgres knows fewer of them than libpq.
fn without_parameter(url: &str, name: &str) -> (String, Option<String>) {
    let (separators, start) = match url.split_once('?') {
        Some((head, _)) if url.starts_with("postgres") => (&['&'][..], head.len() + 1),
        _ => (&[' '][..], 0),
    };
    let (head, parameters) = url.split_at(start);
    let mut found = None;
    let kept: Vec<&str> = parameters
        .split(separators)
        .filter(|parameter| match parameter.split_once('=') {
            Some((key, value)) if key == name => {
                found = Some(value.replace("%2F", "/"));
                false
            }
            _ => true,
        })
        .collect();
    let separator = if start == 0 { " " } else { "&" };
    (format!("{head}{}", kept.join(separator)), found)
}

/// The pool of connections to `target`.
pub(super) fn build(target: Target, settings: &StoreSettings, on_citus: bool) -> Result<Pool, StoreError> {
    let Target { mut config, trust } = target;
    let schema = settings.schema.as_deref().map(|schema| format!(" -c search_path={schema}")).unwrap_or_default();
    let given = config.get_options().unwrap_or_default().to_owned();
    let plans = if on_citus { CITUS_PLANS } else { "" };
    config.options(format!("{LIMITS}{plans}{schema} {given}")).application_name("thexanh");
    let hosts = config.get_hosts().len().max(config.get_hostaddrs().len()).max(1);
    config.connect_timeout(WAIT / hosts as u32).keepalives_idle(Duration::from_secs(30));
    // A machine that is gone says so to nobody: what it does not acknowledge is lost, and the next host has its turn.
    config.tcp_user_timeout(WAIT * 2);
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = match trust {
        None => Manager::from_config(config, NoTls, recycling),
        Some(trust) => Manager::from_config(config, MakeRustlsConnect::new(client_config(trust)?), recycling),
    };
    Pool::builder(manager)
        .max_size(settings.connections)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(WAIT))
        .build()
        .map_err(|error| StoreError::Unreachable(error.to_string()))
}

fn client_config(trust: ServerTrust) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| StoreError::Url(error.to_string()))?;
    Ok(match trust {
        ServerTrust::Roots(roots) => builder.with_root_certificates(*roots).with_no_client_auth(),
        ServerTrust::Anybody => {
            let verifier = Arc::new(AcceptAnybody(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    })
}

/// Why no connection could be had, without addresses or passwords.
pub(super) fn reason(error: &PoolError) -> String {
    match error {
        PoolError::Timeout(_) => "none was free or could be made in time".into(),
        PoolError::Backend(error) => match error.as_db_error() {
            Some(refused) => {
                let code = refused.code().code();
                format!("it refused the connection (SQLSTATE {code}: {})", meaning(code))
            }
            None => {
                let source = std::error::Error::source(error).map(ToString::to_string);
                source.unwrap_or_else(|| error.to_string())
            }
        },
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => error.to_string(),
    }
}

/// What a refusal means, in our words: the server's own may name users and addresses.
fn meaning(sqlstate: &str) -> &'static str {
    match sqlstate {
        "28000" => "not this user from here, or not without TLS; see sslmode, and the server's pg_hba.conf",
        "28P01" => "not with this password",
        "3D000" => "there is no such database",
        "42501" => "this user may not use this database",
        "53300" => "it has as many connections as it allows",
        "57P03" => "it is starting or stopping",
        _ => "see PostgreSQL's list of error codes",
    }
}

/// Checks that the server owns the certificate it shows, and not whose it is: libpq's `require`.
#[derive(Debug)]
struct AcceptAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_libpq_s_modes_and_several_hosts() {
        let target = Target::parse("postgres://u@a:1,b:2/db?target_session_attrs=read-write&sslmode=verify-full");
        let target = target.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(target.config.get_hosts().len(), 2);
        assert_eq!(target.config.get_ssl_mode(), SslMode::Require);
        assert!(matches!(target.trust, Some(ServerTrust::Roots(_))));
        let each: Vec<(String, Target)> = target.hosts();
        let hosts: Vec<(&str, usize)> =
            each.iter().map(|(name, one)| (name.as_str(), one.config.get_hosts().len())).collect();
        assert_eq!(hosts, [("a:1", 1), ("b:2", 1)]);
        assert!(each.iter().all(|(_, one)| one.config.get_user() == Some("u") && one.trust.is_some()));
        let plain = Target::parse("host=/run/pg user=u sslmode=disable").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plain.config.get_ssl_mode(), SslMode::Disable);
        for bad in ["http://example", "postgres://u@h/db?sslmode=perhaps", "postgres://h/db?sslrootcert=/nowhere"] {
            assert_eq!(Target::parse(bad).map(|_| ()).map_err(|error| error.code()), Err("database_url"), "{bad}");
        }
    }
}
