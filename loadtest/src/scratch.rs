//! A directory of a run's own, gone afterwards with the embedded database in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;

/// How long a database is waited for that still writes down what it holds in memory.
const PATIENCE: Duration = Duration::from_secs(120);

/// The directory. To be dropped after everything that uses it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty one. `name`: of what is measured.
    pub fn new(name: &str) -> Result<Scratch> {
        let dir = std::env::temp_dir().join(format!("thexanh-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        Ok(Scratch(dir))
    }

    /// Where it is; also the data directory of what runs in it.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The server stops when its last user has gone, and makes files until it has.
        let (running, began) = (self.0.join("postgres/cluster/postmaster.pid"), Instant::now());
        while running.exists() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
        }
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} is left over: {error}", self.0.display());
        }
    }
}
