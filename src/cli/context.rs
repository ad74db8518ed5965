//! What commands share: the settings, the secret keys behind their passphrase, the database, and how answers are printed.

use std::fmt::Display;
use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use zeroize::Zeroizing;

use super::Failure;
use crate::app::{App, enlist};
use crate::clock::Clock;
use crate::config::Config;
use crate::hsm::Token;
use crate::http::auth::TokenKey;
use crate::keyring::{self, Keyring};
use crate::registration::reference;
use crate::store::{Store, StoreSettings};

/// What a command works with.
pub(super) struct Context {
    pub config: Config,
    pub clock: Clock,
    json: bool,
    /// What was typed: a command that opens several keys asks once.
    typed: OnceLock<Zeroizing<String>>,
}

impl Context {
    pub fn new(config: Config, json: bool) -> Context {
        Context { config, clock: Clock::system(), json, typed: OnceLock::new() }
    }

    /// Whether answers are printed as JSON.
    pub fn is_for_machines(&self) -> bool {
        self.json
    }

    /// Prints an answer: `plain` for people, or `value` for machines.
    pub fn say(&self, plain: impl Display, value: &impl Serialize) -> Result<(), Failure> {
        match self.json {
            true => print(serde_json::to_string(value).expect("answers have text keys")),
            false => print(plain),
        }
    }

    /// Prints what only people want to read.
    pub fn tell(&self, plain: impl Display) -> Result<(), Failure> {
        if self.json { Ok(()) } else { print(plain) }
    }

    /// Says on standard error what went wrong beside what was asked for.
    pub fn warn(&self, failure: &Failure) {
        match self.json {
            true => eprintln!("{}", serde_json::json!({"code": failure.code, "detail": failure.text})),
            false => eprintln!("thexanh: {}", failure.text),
        }
    }

    /// Where the demo leaves the passphrase of the keys that it made.
    pub fn demo_passphrase_file(&self) -> PathBuf {
        self.config.keys_dir().join("passphrase")
    }

    /// The secret keys; new ones on the first run.
    pub fn keyring(&self) -> Result<Keyring, Failure> {
        let keyring = Keyring::open_or_create(&self.config.keys_dir(), &self.passphrase()?)?;
        match self.token()? {
            Some(token) => Ok(keyring.with(token.keys()?)),
            None => Ok(keyring),
        }
    }

    /// The hardware module's token, if the settings name one.
    pub fn token(&self) -> Result<Option<Arc<Token>>, Failure> {
        let settings = &self.config.keys.pkcs11;
        let named = settings.module.as_ref().zip(settings.pin_file.as_ref());
        let token = named.map(|(module, pin_file)| Token::open(module, &settings.token_label, pin_file));
        Ok(token.transpose()?)
    }

    /// The passphrase: from the file of the settings, else from the demo's, else asked for.
    pub fn passphrase(&self) -> Result<Zeroizing<String>, Failure> {
        let demo = Some(self.demo_passphrase_file()).filter(|path| path.exists());
        if let Some(path) = self.config.keys.passphrase_file.clone().or(demo) {
            return self.passphrase_in(&path);
        }
        let keys = ["data.pem", keyring::ANCHOR].map(|name| self.config.keys_dir().join(name));
        if let Some(typed) = self.typed.get() {
            return Ok(typed.clone());
        }
        let typed = match keys.iter().any(|path| path.exists()) {
            true => ask("Passphrase of the secret keys: ")?,
            false => self.new_passphrase()?,
        };
        Ok(self.typed.get_or_init(|| typed).clone())
    }

    /// The passphrase of keys that are to be made: as [`Context::passphrase`], but asked for twice.
    pub fn new_passphrase(&self) -> Result<Zeroizing<String>, Failure> {
        if let Some(path) = &self.config.keys.passphrase_file {
            return self.passphrase_in(path);
        }
        let first = ask("Choose a passphrase for the new secret keys: ")?;
        match ask("Once more: ")? == first {
            true => Ok(first),
            false => Err(Failure::usage("the two passphrases differ; start again")),
        }
    }

    /// The passphrase that is the first line of a file.
    pub fn passphrase_in(&self, path: &Path) -> Result<Zeroizing<String>, Failure> {
        let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
            let text = format!("cannot read the passphrase in {}: {error}; make it readable", path.display());
            Failure::environment("passphrase_unreadable", text)
        })?;
        check_passphrase(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
    }

    /// The database, with its schema and reference data up to date.
    pub async fn store(&self) -> Result<Store, Failure> {
        let store = self.open_store().await?;
        store.migrate().await?;
        store.put_reference(&reference::provinces(), &[]).await?;
        Ok(store)
    }

    /// The same, its tables spread over the servers of a Citus cluster.
    pub async fn store_on_citus(&self) -> Result<Store, Failure> {
        let store = self.open_store().await?;
        store.migrate_to_citus().await?;
        store.put_reference(&reference::provinces(), &[]).await?;
        Ok(store)
    }

    async fn open_store(&self) -> Result<Store, Failure> {
        let store = Store::open(&StoreSettings {
            url: self.config.database.url.as_ref().map(|url| url.reveal().to_owned()),
            data_dir: self.config.data.clone(),
            connections: self.config.database.connections,
            schema: None,
        })
        .await?;
        if let Some(moved) = store.embedded().and_then(|server| server.moved_to()) {
            tracing::info!(cluster = %moved.display(), "the database server's user cannot reach the data directory; its files are here");
        }
        Ok(store)
    }

    /// The database of an installation that is there already: a mistyped directory is not made into another.
    pub async fn existing_store(&self) -> Result<Store, Failure> {
        let dir = &self.config.data;
        if self.config.database.url.is_none() && !dir.is_dir() {
            return Err(Failure::environment(
                "data_missing",
                format!(
                    "there is no directory {}; name the right one with --data, or make it with `thexanh serve`",
                    dir.display()
                ),
            ));
        }
        self.store().await
    }

    /// The running service on `store`, and the key of its bearer tokens. Lists the keys of a first run.
    pub async fn start(&self, store: Store, keyring: Keyring) -> Result<(Arc<App>, Arc<TokenKey>), Failure> {
        enlist(&store, &keyring, self.clock.now()).await?;
        let tokens = Arc::new(self.token_key(&keyring)?);
        let app = App::start(self.config.clone(), self.clock.clone(), store, Arc::new(keyring)).await?;
        Ok((app, tokens))
    }

    /// The key of the bearer tokens.
    pub fn token_key(&self, keyring: &Keyring) -> Result<TokenKey, Failure> {
        let key = TokenKey::from_pkcs8(keyring.token_pkcs8(), &self.config.tokens);
        key.map_err(|error| Failure::environment("token_key", error.to_string()))
    }
}

/// Prints a line. A reader that has gone away has read enough; any other failure is one.
pub(super) fn print(line: impl Display) -> Result<(), Failure> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::environment("output", format!("cannot write the answer: {error}")))
        }
        _ => Ok(()),
    }
}

/// Asks on the terminal.
pub(super) fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::environment(
            "passphrase_missing",
            "the secret keys need a passphrase; put it into a file and name that in keys.passphrase_file, or run this on a terminal",
        ));
    }
    match rpassword::prompt_password(prompt) {
        Ok(text) => check_passphrase(Zeroizing::new(text)),
        Err(error) => Err(Failure::environment("passphrase_missing", format!("cannot ask: {error}"))),
    }
}

fn check_passphrase(passphrase: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    match passphrase.is_empty() {
        true => Err(Failure::environment("passphrase_empty", "the passphrase is empty; choose one that is not")),
        false => Ok(passphrase),
    }
}
