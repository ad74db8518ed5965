//! What nearly every route may refuse with, for the OpenAPI document. What a route says of a status after one of these counts.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::problem::PROBLEM_JSON;

/// What a request for something may be refused with.
pub struct ReadRefusals;

/// What a request of anybody with a body may be refused with.
pub struct BodyRefusals;

/// What a request with a bearer token and a body may be refused with.
pub struct WriteRefusals;

const READ: [(&str, &str); 5] = [
    ("400", "`bad_parameter` with the `field`"),
    ("401", "`no_token`, `token_invalid`, `token_expired`"),
    ("403", "`role_not_allowed`, `not_yours`"),
    ("500", "`internal`"),
    ("503", "`unavailable`, `overloaded`"),
];

const BODY: [(&str, &str); 7] = [
    ("400", "`bad_json`, `wrong_shape`, `bad_parameter`, `body_broken`"),
    ("408", "`body_too_slow`"),
    ("413", "`body_too_large`"),
    ("415", "`unsupported_media_type`"),
    ("422", "`unprocessable` with the `field`, `idempotency_key_reused`"),
    ("500", "`internal`"),
    ("503", "`unavailable`, `overloaded`"),
];

fn responses<'a>(rows: impl Iterator<Item = &'a (&'a str, &'a str)>) -> BTreeMap<String, RefOr<Response>> {
    let problem = || ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemDocument"))).build();
    let response = |said: &str| ResponseBuilder::new().description(said).content(PROBLEM_JSON, problem()).build();
    rows.map(|(status, said)| ((*status).to_owned(), RefOr::T(response(said)))).collect()
}

impl IntoResponses for ReadRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        responses(READ.iter())
    }
}

impl IntoResponses for BodyRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        responses(BODY.iter())
    }
}

impl IntoResponses for WriteRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        responses(READ.iter().chain(&BODY))
    }
}
