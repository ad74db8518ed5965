//! Tells cargo that a release holds the pages, which `make web` builds below `target/web`: other pages, another binary.

use std::fs;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Other builds read the pages as they are asked for.
    if std::env::var_os("PROFILE").is_none_or(|profile| profile != "release") {
        return;
    }
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/web");
    if !built.join("index.html").exists() {
        println!("cargo::warning=the pages are not built and will not be in this binary; `make build` builds both");
        // What is not there cannot be watched.
        if let Err(error) = fs::create_dir_all(&built) {
            println!("cargo::warning={}: {error}", built.display());
        }
    }
    println!("cargo::rerun-if-changed={}", built.display());
}
