//! `thexanh config`: the settings in force. Those that are wrong have ended the process before.

use super::context::print;
use super::{Answer, Failure};
use crate::config::Sourced;

pub(super) fn run(settings: &Sourced, explain: bool, json: bool) -> Result<Answer, Failure> {
    match (json, explain) {
        (true, _) => print(serde_json::json!(settings.config)),
        (false, true) => print(settings.explain().trim_end()),
        (false, false) => print("the settings are good; --explain prints them"),
    }?;
    Ok(Answer::Yes)
}
