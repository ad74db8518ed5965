//! `POST /v1/doses`: a completed dose in, its certificate out; or many, one a line.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{FutureExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::asked;
use super::auth::Staff;
use super::body::{Body, Media};
use super::certificates::Links;
use super::envelope::InFlight;
use super::lines::Lines;
use super::problem::{self, Kind, Problem, ProblemDocument};
use super::refusals::WriteRefusals;
use super::{NO_STORE, idempotency};
use crate::app::App;
use crate::issue::IssueError;
use crate::language::{Language, Said};
use crate::registration::doses::Reporter;
use crate::registration::{DoseError, DoseRecord, Recorded};

/// A recorded dose and the certificate that it caused.
#[derive(Serialize, ToSchema)]
pub struct DoseAnswer {
    /// Names the dose for ever.
    #[schema(example = "0f3c5a7e1b2d4c6f8a9b0c1d2e3f4a5b.7d8e9f0a1b2c3d4e5f60718293a4b5c6")]
    dose: String,
    /// The person.
    person: Uuid,
    /// Names the certificate for ever.
    #[schema(example = "URN:UVCI:01:VN:FFFE3D31FABD035899134A9D3BAE9BCF")]
    uvci: String,
    /// `yellow` while the course is not complete, then `green`.
    #[schema(value_type = String, example = "yellow")]
    card: &'static str,
    /// The QR text, in the compact profile.
    #[schema(example = "VN1:6BF.L0-1G5VH2...")]
    text: String,
    /// The pictures.
    links: Links,
    /// What is remarkable: `sequence`, `interval`, `mixed_products`, `lot_expired`, `person_unclear`, `person_differs`, `duplicate`.
    flags: Vec<String>,
}

impl DoseAnswer {
    fn of(app: &App, recorded: Recorded) -> DoseAnswer {
        DoseAnswer {
            dose: recorded.dose.to_string(),
            person: recorded.dose.person,
            uvci: recorded.uvci.to_string(),
            card: recorded.card.as_str(),
            links: Links::of(app, &recorded.uvci),
            text: recorded.text,
            flags: recorded.flags,
        }
    }
}

/// The answer to one line of many.
#[derive(Serialize, ToSchema)]
pub struct DoseRow {
    /// Which line, from 1.
    line: usize,
    /// What the line would have been answered with alone: 201, 200, or a problem's status.
    status: u16,
    /// What was recorded.
    #[serde(flatten)]
    recorded: Option<DoseAnswer>,
    /// What was wrong.
    #[serde(flatten)]
    problem: Option<RowProblem>,
}

/// What is wrong with one line of many.
#[derive(Serialize, ToSchema)]
pub struct RowProblem {
    /// The stable word.
    #[schema(value_type = String)]
    code: &'static str,
    /// What is wrong, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// Which member is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

/// For whom doses are recorded.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReporterQuery {
    /// The facility that gave them, where doses were kept for later: another one's are refused. The caller's unless said.
    #[param(example = "79001")]
    facility: Option<String>,
}

/// The longest record, as one JSON body or as one line.
pub const MAX_RECORD_BYTES: usize = 16 * 1024;
/// Records handed on together.
const CHUNK: usize = 500;
const ROUTE: &str = "POST /v1/doses";

/// Records a completed dose and answers with its certificate. Sent again, it gives the same answer.
///
/// As `application/x-ndjson` any number of them, one a line: the answer has one line a record, in order, with its `status`.
/// A body over 256 KiB, or of unknown length, is answered while it is sent: read the answer at the same time.
/// With an `Idempotency-Key`, each line has that key and its number.
#[utoipa::path(
    post, path = "/v1/doses", tag = "doses", security(("bearer" = [])),
    params(ReporterQuery, ("Idempotency-Key" = Option<String>, Header, description = "Kept 24 hours for the caller: the same key with another body is refused, also after a 422")),
    request_body(content((DoseRecord = "application/json"), (DoseRecord = "application/x-ndjson"))),
    responses(
        (status = 201, description = "Recorded", body = DoseAnswer),
        (status = 200, description = "Recorded before: the same answer. Or many: one line a record", content((DoseAnswer = "application/json"), (DoseRow = "application/x-ndjson"))),
        WriteRefusals,
        (status = 409, description = "`record_conflict`: the record number was used for another dose; `record_voided`: for one that was voided", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "`idempotency_key_reused`, or why the dose cannot be certified, with its `field`: `product_unknown`, `date_in_the_future`, `date_before_product`, `date_before_birth`, `date_invalid`, `date_missing`, `instant_invalid`, `name_empty`, `name_too_long`, `name_invalid`, `name_loses_a_letter`, `number_invalid`, `text_invalid`, `word_unknown`, `phone_invalid`, `identity_invalid`, `ward_invalid`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_doses(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut body = Body::of(&request, payload);
    let begun = Staff::of(&request, app.clock().now()).and_then(|staff| {
        let by = Reporter { facility: staff.facility()?.to_owned(), subject: staff.caller.subject.clone() };
        let ReporterQuery { facility } = asked::query(&request)?;
        if facility.is_some_and(|facility| facility != by.facility) {
            return Err(Problem::new(Kind::NOT_YOURS));
        }
        let media = Body::media(&request, &[Media::Json, Media::Ndjson])?;
        Ok((staff, by, media, idempotency::key(&request)?))
    });
    let (staff, by, media, key) = match begun {
        Ok(begun) => begun,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    if media == Media::Ndjson {
        body.ahead().await?;
        let lines = Lines::new(MAX_RECORD_BYTES);
        let _in_flight = InFlight::enter();
        let many = Many {
            app: app.into_inner(),
            staff,
            by,
            key,
            language: problem::spoken(),
            body,
            lines,
            line: 0,
            ended: false,
            _in_flight,
        };
        let rows = stream::unfold(many, |mut many| async move { Some((many.next().await?, many)) });
        let rows = futures_util::StreamExt::map(rows, Ok::<Bytes, Problem>);
        return Ok(HttpResponse::Ok().insert_header(NO_STORE).content_type("application/x-ndjson").streaming(rows));
    }
    let bytes = body.whole(MAX_RECORD_BYTES).await?;
    let record: DoseRecord = serde_json::from_slice(&bytes)?;
    if let Some(key) = key {
        idempotency::claim(&app, &staff, ROUTE, &key, &bytes).await?;
    }
    let recorded = app.recorder().record(&by, record, app.clock().now()).await?;
    let status = status_of(&recorded);
    app.tallies().recorded(status == StatusCode::CREATED);
    Ok(HttpResponse::build(status).insert_header(NO_STORE).json(DoseAnswer::of(&app, recorded)))
}

fn status_of(recorded: &Recorded) -> StatusCode {
    if recorded.new { StatusCode::CREATED } else { StatusCode::OK }
}

/// Many records under way. Holds one part of the body and one chunk of records, however long the whole is.
struct Many {
    app: Arc<App>,
    staff: Staff,
    by: Reporter,
    key: Option<String>,
    /// What the caller reads: lines are answered when the worker may be at another's request.
    language: Language,
    body: Body,
    lines: Lines,
    line: usize,
    ended: bool,
    /// Counts among the requests in work for as long as it is answered.
    _in_flight: InFlight,
}

impl Many {
    /// The answers to the next lines; `None` when there are no more.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            // What has arrived is taken together; nobody waits for what has not.
            while !self.ended && self.lines.len() < CHUNK {
                match self.body.next().now_or_never() {
                    Some(part) => self.take(part)?,
                    None => break,
                }
            }
            if let Some(chunk) = self.lines.take(CHUNK) {
                return Some(self.rows(&chunk).await);
            }
            if self.ended {
                return None;
            }
            let part = self.body.next().await;
            if let Some(Err(problem)) = part {
                // The status is sent; a last line says why no more will follow.
                self.ended = true;
                return Some(line(&self.refused(self.line + 1, &problem)));
            }
            self.take(part)?;
        }
    }

    fn take(&mut self, part: Option<Result<Bytes, Problem>>) -> Option<()> {
        match part {
            Some(Ok(part)) => self.lines.feed(&part),
            Some(Err(_)) | None => {
                self.lines.end();
                self.ended = true;
            }
        }
        Some(())
    }

    async fn rows(&mut self, chunk: &[u8]) -> Bytes {
        let mut answers: Vec<DoseRow> = Vec::new();
        let mut records = Vec::new();
        for bytes in chunk.split_inclusive(|byte| *byte == b'\n') {
            let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            self.line += 1;
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            match self.record(bytes).await {
                Ok(record) => records.push((answers.len(), record)),
                Err(problem) => {
                    answers.push(self.refused(self.line, &problem));
                    continue;
                }
            }
            answers.push(DoseRow { line: self.line, status: 0, recorded: None, problem: None });
        }
        let (places, records): (Vec<usize>, Vec<DoseRecord>) = records.into_iter().unzip();
        let recorded = self.app.recorder().record_many(&self.by, records, self.app.clock().now()).await;
        for (place, recorded) in places.into_iter().zip(recorded) {
            if let Some(row) = answers.get_mut(place) {
                *row = self.answer(row.line, recorded);
            }
        }
        let mut out = Vec::new();
        answers.iter().for_each(|row| out.extend_from_slice(&line(row)));
        Bytes::from(out)
    }

    async fn record(&self, bytes: &[u8]) -> Result<DoseRecord, Problem> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(Problem::new(Kind::BODY_TOO_LARGE).detail(format!("at most {MAX_RECORD_BYTES} bytes a line")));
        }
        let record = serde_json::from_slice(bytes)?;
        if let Some(key) = &self.key {
            let key = format!("{key}#{}", self.line);
            idempotency::claim(&self.app, &self.staff, ROUTE, &key, bytes.trim_ascii()).await?;
        }
        Ok(record)
    }

    fn answer(&self, line: usize, recorded: Result<Recorded, DoseError>) -> DoseRow {
        match recorded {
            Ok(recorded) => {
                let status = status_of(&recorded);
                self.app.tallies().recorded(status == StatusCode::CREATED);
                let recorded = Some(DoseAnswer::of(&self.app, recorded));
                DoseRow { line, status: status.as_u16(), recorded, problem: None }
            }
            Err(error) => self.refused(line, &Problem::from(error)),
        }
    }

    fn refused(&self, line: usize, problem: &Problem) -> DoseRow {
        if let Some(cause) = problem.cause() {
            tracing::error!(code = problem.code(), cause, route = ROUTE, "could not record a line");
        }
        let (detail, field) = (problem.told(self.language).to_owned(), problem.meant().map(str::to_owned));
        let said = RowProblem { code: problem.code(), detail, field };
        DoseRow { line, status: problem.kind().status, recorded: None, problem: Some(said) }
    }
}

fn line(row: &DoseRow) -> Bytes {
    let mut out = serde_json::to_vec(row).unwrap_or_default();
    out.push(b'\n');
    Bytes::from(out)
}

impl From<DoseError> for Problem {
    fn from(error: DoseError) -> Problem {
        let refused = |status, title| Problem::new(Kind { status, code: error.code(), title });
        const UNCERTIFIABLE: &Said =
            &Said { en: "This dose cannot be certified", vi: "Không thể cấp chứng nhận cho mũi tiêm này" };
        const TAKEN: &Said = &Said { en: "This record number is taken", vi: "Số hồ sơ này đã được dùng" };
        const VOIDED: &Said = &Said { en: "This dose was voided", vi: "Mũi tiêm này đã bị huỷ" };
        let problem = match &error {
            DoseError::Invalid(invalid) => refused(422, UNCERTIFIABLE).said(invalid.reason),
            DoseError::RecordConflict => refused(409, TAKEN)
                .said(Said {
                    en: "it was used for another dose", vi: "số này đã dùng cho một mũi tiêm khác"
                }),
            DoseError::RecordVoided => refused(409, VOIDED).said(Said {
                en: "the dose with this number was voided; use another number if it was given after all",
                vi: "mũi tiêm có số này đã bị huỷ; nếu thực sự đã tiêm, hãy dùng số khác",
            }),
            DoseError::Issue(cause @ (IssueError::UnknownProduct | IssueError::Codec(_))) => {
                refused(422, UNCERTIFIABLE).detail(cause.to_string())
            }
            DoseError::Issue(cause @ IssueError::KeyAlgorithm) => Problem::internal(cause),
            DoseError::Issue(IssueError::Key(cause)) => Problem::new(Kind::UNAVAILABLE).because(cause),
            DoseError::Keyring(cause) => Problem::new(Kind::UNAVAILABLE).because(cause),
            DoseError::Store(cause) => Problem::from(cause.as_ref()),
            DoseError::Unreadable => Problem::internal(&error),
            DoseError::Busy => Problem::new(Kind::OVERLOADED),
        };
        match error.field() {
            Some(field) => problem.field(field),
            None => problem,
        }
    }
}
