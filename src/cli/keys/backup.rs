//! `thexanh keys backup` and `restore`: all secret keys in one encrypted file, and back.

use std::path::PathBuf;

use serde_json::json;

use super::{instant, read, write};
use crate::cli::context::ask;
use crate::cli::{Answer, Context, Failure};
use crate::keyring::backup;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Backup {
    /// The file to write
    file: PathBuf,
    /// A file whose first line is the passphrase of the backup [default: the secret keys' own]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Restore {
    /// The backup
    file: PathBuf,
    /// A file whose first line is the passphrase of the backup [default: the secret keys' own]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Backup {
    pub fn run(self, context: &Context) -> Result<Answer, Failure> {
        let dir = context.config.keys_dir();
        let passphrase = match &self.passphrase_file {
            Some(file) => context.passphrase_in(file)?,
            None => context.passphrase()?,
        };
        let (bytes, names) = backup::backup(&dir, &passphrase, context.clock.now())?;
        if !names.iter().any(|name| name.ends_with(".pem")) {
            let text = format!("there are no keys in {}; name their directory with --keys", dir.display());
            return Err(Failure::environment("keys_missing", text));
        }
        write(&self.file, 0o600, &bytes)?;
        context.say(
            format_args!("{} files of {} are in {}", names.len(), dir.display(), self.file.display()),
            &json!({"file": self.file, "files": names}),
        )?;
        Ok(Answer::Yes)
    }
}

impl Restore {
    pub fn run(self, context: &Context) -> Result<Answer, Failure> {
        let dir = context.config.keys_dir();
        let passphrase = match self.passphrase_file.as_ref().or(context.config.keys.passphrase_file.as_ref()) {
            Some(file) => context.passphrase_in(file)?,
            None => ask("Passphrase of the backup: ")?,
        };
        let bytes = read(&self.file, backup::MAX_BACKUP_BYTES)?;
        let (names, made_at) = backup::restore(&dir, &bytes, &passphrase)?;
        context.say(
            format_args!("{} files of {} are in {}", names.len(), instant(made_at), dir.display()),
            &json!({"files": names, "made_at": made_at.0}),
        )?;
        Ok(Answer::Yes)
    }
}
