//! `thexanh config`: the settings in force. Those that are wrong have ended the process before.

use std::io::Write as _;

use super::Answer;
use crate::config::Sourced;

pub(super) fn run(settings: &Sourced, explain: bool, json: bool) -> Answer {
    let mut out = std::io::stdout().lock();
    let _ = match (json, explain) {
        (true, _) => writeln!(out, "{}", serde_json::json!(settings.config)),
        (false, true) => write!(out, "{}", settings.explain()),
        (false, false) => writeln!(out, "the settings are good; --explain prints them"),
    };
    Answer::Yes
}
