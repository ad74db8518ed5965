//! Arrows point one way: the core knows nothing of the edges, SQL stays in its room, and so does actix.

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file below `src`, with its path from there and its text without comments.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let mut dirs: Vec<PathBuf> = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("lists") {
            let path = entry.expect("lists").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("reads");
                let code =
                    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
                let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                files.push((name, code));
            }
        }
    }
    files
}

/// The rooms that `lib.rs` lists under "The core".
fn core_rooms() -> Vec<String> {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("reads");
    let core = lib.split("// The core").nth(1).and_then(|rest| rest.split("// The edges").next()).expect("two parts");
    let rooms = core.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    rooms.map(str::to_owned).collect()
}

fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The files of `sources` that mention a word they must not, as `file: word`.
fn offences(sources: &[(String, String)], words: &[&str], concerns: impl Fn(&str) -> bool) -> Vec<String> {
    let concerned = sources.iter().filter(|(file, _)| concerns(room(file)));
    concerned
        .flat_map(|(file, code)| {
            words.iter().filter(|word| code.contains(**word)).map(move |word| format!("{file}: {word}"))
        })
        .collect()
}

#[test]
fn the_core_mentions_neither_the_edges_nor_the_world() {
    let core = core_rooms();
    assert!(core.len() >= 9, "{core:?}");
    let words = [
        "actix",
        "tokio",
        "deadpool",
        "postgres",
        "std::env",
        "SystemTime",
        "Instant::now",
        "std::fs",
        "tracing::",
        "println!",
        "crate::app",
        "crate::cli",
        "crate::clock",
        "crate::config",
        "crate::http",
        "crate::keyring",
        "crate::registration",
        "crate::sealing",
        "crate::store",
        "crate::telemetry",
    ];
    let found = offences(&sources(), &words, |room| core.iter().any(|name| name == room));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn each_edge_keeps_to_its_own() {
    let sources = sources();
    let rules: [(&[&str], &[&str]); 4] = [
        (&["tokio_postgres::", "deadpool_postgres", "SELECT ", "INSERT INTO"], &["store"]),
        (&["actix_web", "actix_rt", "actix_tls", "actix_http::"], &["http"]),
        (&["crate::http"], &["http", "cli", "main"]),
        (&["crate::cli", "std::process::exit", "ExitCode"], &["main", "cli"]),
    ];
    for (words, rooms) in rules {
        let found = offences(&sources, words, |room| !rooms.contains(&room));
        assert!(found.is_empty(), "only {rooms:?} may: {found:?}");
    }
}

#[test]
fn the_guard_sees_an_offence() {
    let sources = [("verify.rs".to_owned(), "use tokio::time;".to_owned())];
    assert_eq!(offences(&sources, &["tokio"], |room| room == "verify"), ["verify.rs: tokio"]);
}
