//! stub
use std::path::Path;
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct EmbeddedError;
impl EmbeddedError {
    pub fn code(&self) -> &'static str {
        "stub"
    }
}
pub struct Embedded;
impl Embedded {
    pub fn start(_: &Path) -> Result<Embedded, EmbeddedError> {
        Err(EmbeddedError)
    }
    pub fn socket_dir(&self) -> &Path {
        Path::new("/tmp")
    }
    pub fn port(&self) -> u16 {
        5432
    }
    pub fn user(&self) -> &str {
        ""
    }
    pub fn database(&self) -> &str {
        ""
    }
}
