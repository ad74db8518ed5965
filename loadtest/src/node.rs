//! The node under load: the service's own routes on an embedded database, one worker, and the yardstick beside them.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use actix_web::web::{self, Bytes};
use actix_web::{App as Routes, HttpResponse, HttpServer};
use anyhow::{Result, anyhow};
use thexanh::app::App;
use thexanh::clock::Clock;
use thexanh::config::{Config, Ed25519};
use thexanh::http::auth::TokenKey;
use thexanh::http::{Shared, mount, routes};
use thexanh::keyring::Keyring;
use thexanh::keys::PublicKey;
use thexanh::store::{IssuerKeyRow, Store, StoreSettings};
use thexanh::trust::Usages;
use tokio::io::AsyncReadExt as _;

use crate::scratch::Scratch;
use crate::{client, pin};

/// Serves until standard input ends. `spki_der`: the key whose certificates will come. `ed25519`: how they are verified.
pub fn run(spki_der: &[u8], ed25519: Ed25519) -> Result<()> {
    pin(0)?;
    let dir = Scratch::new("verify")?;
    actix_web::rt::System::new().block_on(serve(spki_der, ed25519, dir.path()))
}

async fn serve(spki_der: &[u8], ed25519: Ed25519, dir: &Path) -> Result<()> {
    let clock = Clock::system();
    let keyring = Keyring::open_or_create(&dir.join("keys"), "for a load test only")?;
    let store =
        Store::open(&StoreSettings { url: None, data_dir: dir.to_owned(), connections: 4, schema: None }).await?;
    store.migrate().await?;
    let key = PublicKey::from_spki_der(spki_der)?;
    let row = IssuerKeyRow {
        kid: key.kid(),
        spki_der: spki_der.to_vec(),
        country: "VN".to_owned(),
        national: true,
        usages: Usages::VACCINATION,
        own: true,
        signs_from: None,
        signs_until: None,
        trusted_from: None,
        trusted_until: None,
        withdrawn_at: None,
        certificate: None,
    };
    store.put_issuer_key(&row).await?;
    let config = Config { ed25519, ..Config::default() };
    let tokens = Arc::new(TokenKey::from_pkcs8(keyring.token_pkcs8(), &config.tokens)?);
    let app = App::start(config, clock, store, Arc::new(keyring)).await?;
    let shared = Shared::new(Arc::clone(&app), tokens);
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?);
    let server = HttpServer::new(move || {
        Routes::new().configure(|cfg| {
            routes(&shared, cfg);
            let constant = web::resource(client::CONSTANT).route(web::post().to(constant));
            mount(shared.app.config(), cfg, client::CONSTANT, constant, [("POST", true)].into_iter());
        })
    });
    let server = server.workers(1).worker_max_blocking_threads(1).disable_signals().listen(listener)?.run();
    let handle = server.handle();
    let serving = actix_web::rt::spawn(server);
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    handle.stop(true).await;
    serving.await.map_err(|error| anyhow!("the server's task: {error}"))??;
    app.stop().await;
    Ok(())
}

/// The yardstick: reads its body, as any handler must, and answers with as many bytes as a verdict has.
async fn constant(_body: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("Cache-Control", "no-store"))
        .content_type("application/json")
        .body(client::constant())
}
