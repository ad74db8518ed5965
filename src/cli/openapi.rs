//! `thexanh openapi`: the document that `/openapi.json` serves.

use super::context::print;
use super::{Answer, Failure};

pub(super) fn run() -> Result<Answer, Failure> {
    let document = crate::http::openapi().to_pretty_json().expect("a document of text keys is written as JSON");
    print(document)?;
    Ok(Answer::Yes)
}
