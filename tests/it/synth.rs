//! `thexanh synth`, as those use it who need files and texts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory of one test's own.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let dir = Path::new("/tmp").join(format!("thexanh-synth-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("makes");
        Place(dir)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thexanh"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null()).env_remove("DATABASE_URL");
        command.output().expect("starts")
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).expect("reads")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_backlog_is_written_with_its_truth_and_its_facilities_the_same_for_one_seed() {
    let place = Place::new("backlog");
    for (out, seed) in [("one", "7"), ("again", "7"), ("other", "8")] {
        let output = place.run(&["synth", "--people", "2000", "--seed", seed, "--out", out, "--json"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let rows = place.read(&format!("{out}/backlog.csv")).lines().count() as u64 - 1;
        assert_eq!((said["rows"].as_u64(), said["people"].as_u64()), (Some(rows), Some(2000)));
    }
    for file in ["backlog.csv", "truth.csv", "facilities.csv"] {
        assert_eq!(place.read(&format!("one/{file}")), place.read(&format!("again/{file}")), "{file}");
    }
    assert_ne!(place.read("one/backlog.csv"), place.read("other/backlog.csv"));
    let facilities: Vec<String> = place
        .read("one/facilities.csv")
        .lines()
        .map(|line| line.split(',').next().unwrap_or_default().into())
        .collect();
    let backlog = place.read("one/backlog.csv");
    assert!(backlog.starts_with("stt,ho_ten,ngay_sinh,gioi_tinh,cmnd_cccd,"));
    assert!(backlog.lines().skip(1).all(|line| {
        line.split(',').nth(12).is_some_and(|facility| facilities.iter().any(|known| known == facility))
    }));
}

#[test]
fn texts_are_written_one_a_line_and_it_is_said_whose_key_signed_them() {
    let place = Place::new("texts");
    let output = place.run(&["synth", "--texts", "50", "--bad", "0"]);
    assert_eq!(output.status.code(), Some(0));
    let texts = String::from_utf8(output.stdout).expect("text");
    assert_eq!(texts.lines().filter(|line| line.starts_with("VN1:")).count(), 50);
    assert!(String::from_utf8_lossy(&output.stderr).contains("throw-away key"));
    assert!(!place.0.join("data").exists(), "no keys are made for it");
}

#[test]
fn what_is_asked_for_wrongly_is_not_done() {
    let place = Place::new("usage");
    let wrong: [&[&str]; 6] = [
        &["synth"],
        &["synth", "--people", "10"],
        &["synth", "--people", "0", "--out", "x"],
        &["synth", "--people", "10000001", "--out", "x"],
        &["synth", "--people", "10", "--dirt", "51", "--out", "x"],
        &["synth", "--people", "10", "--texts", "10", "--out", "x"],
    ];
    for arguments in wrong {
        assert_eq!(place.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    std::fs::write(place.0.join("file"), "").expect("writes");
    assert_eq!(place.run(&["synth", "--people", "10", "--out", "file"]).status.code(), Some(3), "no directory");
}
