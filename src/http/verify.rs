//! `POST /v1/verify` and `POST /v1/verify/batch`: texts in, verdicts out. A rejected text is an answer, not a problem.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{StreamExt as _, future, stream};
use serde::Deserialize;
use utoipa::ToSchema;

use super::NO_STORE;
use super::body::{self, Body, Media};
use super::envelope::InFlight;
use super::lines::Lines;
use super::problem::{Problem, ProblemDocument};
use crate::app::engine::Unasked;
use crate::app::{Engine, Name, Registry, Verdict, verdict};
use crate::certificate::Uvci;
use crate::codec::{self, MAX_TEXT_LEN};
use crate::ed25519;

/// The longest body of a single verification: a text of the greatest length, each character written as `\uXXXX`.
pub const MAX_BODY_BYTES: usize = 6 * MAX_TEXT_LEN + 64;

/// A QR text in JSON.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest<'a> {
    /// The text as scanned.
    #[serde(borrow)]
    #[schema(value_type = String, example = "VN1:6BF.L0-1G5VH2...")]
    qr: Cow<'a, str>,
}

/// Says whether a certificate is accepted now.
#[utoipa::path(
    post, path = "/v1/verify", tag = "verify",
    request_body(
        description = "The QR text as scanned, at most 4,096 bytes of it: as it is, or in JSON.",
        content((String = "text/plain"), (VerifyRequest = "application/json"))
    ),
    responses(
        (status = 200, description = "The verdict, accepted or rejected", body = Verdict),
        (status = 400, description = "`bad_json`, `wrong_shape`, `not_utf8`, `body_broken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_verify(
    engine: web::Data<Engine>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = Body::of(&request, payload);
    let media = match Body::media(&request, &[Media::Text, Media::Json]) {
        Ok(media) => media,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let bytes = body.whole(MAX_BODY_BYTES).await?;
    let mut json = Vec::with_capacity(512);
    let unasked = match media {
        Media::Json => engine.answer(&serde_json::from_slice::<VerifyRequest<'_>>(&bytes)?.qr, &mut json),
        // Of these only text was taken above.
        Media::Text | Media::Ndjson | Media::FhirNdjson | Media::Csv | Media::Jpeg | Media::Png => {
            engine.answer(body::text(&bytes)?, &mut json)
        }
    };
    // A verifier node has no registry to ask.
    if let Some(unasked) = unasked
        && let Some(registry) = request.app_data::<web::Data<Registry>>()
    {
        ask(registry, &engine, &unasked, &mut json).await;
    }
    Ok(HttpResponse::Ok().insert_header(NO_STORE).content_type("application/json").body(json))
}

/// Asks the registry, and says in the answer if it does not know the certificate.
async fn ask(registry: &Registry, engine: &Engine, unasked: &Unasked, json: &mut Vec<u8>) {
    let known = match unasked.name {
        Name::Ours(uvci) => registry.knows(uvci).await,
        Name::Invented => Some(false),
    };
    match known {
        Some(true) => engine.note_registered(unasked),
        Some(false) => {
            engine.tallies().unregistered();
            verdict::say_unregistered(json);
        }
        None => {}
    }
}

/// Asks the registry of the lines that have a name, if it is a batch's turn, and says so in those that it does not know.
async fn ask_all(registry: &Registry, engine: &Engine, json: Vec<u8>, names: &[Option<Name>]) -> Vec<u8> {
    let uvcis: Vec<Uvci> =
        names.iter().filter_map(|name| if let Some(Name::Ours(uvci)) = name { Some(*uvci) } else { None }).collect();
    // A turn that is taken is used: a chunk without names of ours leaves it to another.
    let known = if !uvcis.is_empty() && registry.has_turn() { registry.know(&uvcis).await } else { Vec::new() };
    let unknown: Vec<Uvci> =
        uvcis.into_iter().zip(known).filter(|(_, known)| *known == Some(false)).map(|(uvci, _)| uvci).collect();
    let is_unknown = |name: &Option<Name>| match name {
        Some(Name::Ours(uvci)) => unknown.contains(uvci),
        Some(Name::Invented) => true,
        None => false,
    };
    if !names.iter().any(is_unknown) {
        return json;
    }
    let mut said = Vec::with_capacity(json.len() + 64);
    for (line, name) in json.split_inclusive(|byte| *byte == b'\n').zip(names) {
        if is_unknown(name) {
            engine.tallies().unregistered();
            let mut line = line.to_vec();
            verdict::say_unregistered(&mut line);
            said.extend_from_slice(&line);
        } else {
            said.extend_from_slice(line);
        }
    }
    said
}

/// Says for each line whether its certificate is accepted now. Of how many the registry is asked is bounded: much is not.
///
/// A body over 256 KiB, or of unknown length, is answered while it is sent: read the answer at the same time.
#[utoipa::path(
    post, path = "/v1/verify/batch", tag = "verify",
    request_body(
        description = "One QR text a line, as scanned, any number of lines. A line over 4,096 bytes is `too_large` and costs only itself.",
        content_type = "text/plain", content = String
    ),
    responses(
        (status = 200, description = "One verdict a line, in the lines' order", body = Verdict, content_type = "application/x-ndjson"),
        (status = 400, description = "`body_broken`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 408, description = "`body_too_slow`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_verify_batch(
    engine: web::Data<Engine>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut body = Body::of(&request, payload);
    if let Err(problem) = Body::media(&request, &[Media::Text]) {
        return Err(body.refuse(problem).await);
    }
    body.ahead().await?;
    let lines = Lines::new(MAX_TEXT_LEN);
    let registry = request.app_data::<web::Data<Registry>>().map(|registry| registry.clone().into_inner());
    let engine = engine.into_inner();
    let mut batch = Batch { engine, registry, body, lines, ended: false, _in_flight: InFlight::enter() };
    let first = batch.next().await.transpose()?.unwrap_or_default();
    let mut answer = HttpResponse::Ok();
    answer.insert_header(NO_STORE).content_type("application/x-ndjson");
    // Most batches are one chunk, and their answer is sent in one piece.
    if batch.is_over() {
        return Ok(answer.body(first));
    }
    let rest = stream::unfold(batch, |mut batch| async move { Some((batch.next().await?, batch)) });
    Ok(answer.streaming(stream::once(future::ready(Ok(first))).chain(rest)))
}

/// A batch under way. Holds one part of the body and one chunk of lines, however long the whole is.
struct Batch {
    engine: Arc<Engine>,
    /// A verifier node has none.
    registry: Option<Arc<Registry>>,
    body: Body,
    lines: Lines,
    ended: bool,
    /// Counts among the requests in work for as long as it is answered.
    _in_flight: InFlight,
}

/// Lines verified in one go.
const CHUNK: usize = ed25519::Batch::SIZE;
/// Texts of unknown signatures, at some 40 µs each, that the worker verifies itself; more are done off it.
const INLINE: usize = 4;

impl Batch {
    /// The verdicts on the next lines; `None` when there are no more.
    async fn next(&mut self) -> Option<Result<Bytes, Problem>> {
        loop {
            // A short body may have come in several parts; they are verified together.
            while self.lines.len() < CHUNK
                && let Some(part) = self.body.at_hand()
            {
                self.lines.feed(&part);
            }
            if self.body.is_over() {
                self.lines.end();
                self.ended = true;
            }
            if let Some(chunk) = self.lines.take(CHUNK) {
                return Some(self.verdicts(chunk).await);
            }
            if self.ended {
                return None;
            }
            match self.body.next().await {
                Some(Ok(part)) => self.lines.feed(&part),
                // Once the head of the answer is sent, all that can be said of a broken body is that the answer breaks too.
                Some(Err(problem)) => {
                    self.ended = true;
                    return Some(Err(problem));
                }
                None => {}
            }
        }
    }

    /// True once all verdicts were given.
    fn is_over(&self) -> bool {
        self.ended && self.lines.len() == 0
    }

    async fn verdicts(&self, chunk: Bytes) -> Result<Bytes, Problem> {
        let lines = readable(&chunk);
        let texts: Vec<&str> = lines.split_terminator('\n').collect();
        let answers = self.engine.recall_all(&texts, self.registry.is_some());
        let missing = answers.missing().filter_map(|at| texts.get(at));
        let (json, names) = if missing.filter(|text| !self.is_quick(text)).count() <= INLINE {
            self.engine.complete(answers, &texts)
        } else {
            let (engine, chunk) = (Arc::clone(&self.engine), chunk.clone());
            let rest = move || {
                let lines = readable(&chunk);
                let texts: Vec<&str> = lines.split_terminator('\n').collect();
                engine.complete(answers, &texts)
            };
            web::block(rest).await.map_err(Problem::internal)?
        };
        Ok(Bytes::from(match self.registry.as_deref() {
            Some(registry) => ask_all(registry, &self.engine, json, &names).await,
            None => json,
        }))
    }

    /// True if an unknown text, among others of its kind, takes a microsecond or two.
    fn is_quick(&self, text: &str) -> bool {
        self.engine.ed25519().path() == ed25519::Path::Vector && codec::begins_as_eddsa(text)
    }
}

/// What is no UTF-8 is no Base45 either: the mark put in its place gets the line its answer.
fn readable(lines: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(lines) {
        Ok(lines) => Cow::Borrowed(lines),
        Err(_) => String::from_utf8_lossy(lines),
    }
}
