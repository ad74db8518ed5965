//! `thexanh openapi`: the document that `/openapi.json` serves.

use std::io::Write as _;

use super::Answer;

pub(super) fn run() -> Answer {
    let document = crate::http::openapi().to_pretty_json().expect("a document of text keys is written as JSON");
    let _ = writeln!(std::io::stdout().lock(), "{document}");
    Answer::Yes
}
