//! The node that citizens register with: the service as `thexanh serve` runs it, on an embedded database.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use thexanh::app::{App, enlist};
use thexanh::clock::Clock;
use thexanh::config::Config;
use thexanh::http::auth::TokenKey;
use thexanh::http::{Shared, serve};
use thexanh::keyring::Keyring;
use thexanh::store::{Store, StoreSettings};
use tokio::io::AsyncReadExt as _;

/// What the keys of a load test are encrypted under.
pub const PASSPHRASE: &str = "for a load test only";

/// Serves until standard input ends. `dir`: where the keys are and the database will be. `THEXANH_*` sets what is measured.
pub fn run(dir: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve_until_left(dir))
}

async fn serve_until_left(dir: &Path) -> Result<()> {
    let flags = [("--listen", "http.listen", "127.0.0.1:0".to_owned())];
    let config = Config::load(None, &flags)?.config;
    let clock = Clock::system();
    let keyring = Arc::new(Keyring::open_or_create(&dir.join("keys"), PASSPHRASE)?);
    let connections = config.database.connections;
    let store = Store::open(&StoreSettings { url: None, data_dir: dir.to_owned(), connections, schema: None }).await?;
    store.migrate().await?;
    enlist(&store, &keyring, clock.now()).await?;
    let tokens = Arc::new(TokenKey::from_pkcs8(keyring.token_pkcs8(), &config.tokens)?);
    let app = App::start(config, clock, store, keyring).await?;
    let serving = serve(Shared::new(Arc::clone(&app), tokens))?;
    println!("{}", serving.address());
    let mut nothing = Vec::new();
    tokio::io::stdin().read_to_end(&mut nothing).await?;
    serving.stop().await;
    app.stop().await;
    Ok(())
}
