//! Lists of revocations: a sheet in, answered row by row as NDJSON or CSV while it is committed.

use std::io::Cursor;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::Staff;
use super::body::Body;
use super::envelope::InFlight;
use super::problem::{Kind, Problem};
use super::{NO_STORE, idempotency, sheet};
use crate::app::App;
use crate::registration::revocations::{List, ListError, Listed, RowAnswer};

/// How a list is taken.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RevocationListQuery {
    /// Say what would come of each row of a list, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// The answer to a row of a list; the last line has the counts instead.
#[derive(Serialize, ToSchema)]
pub struct RevocationListRow {
    /// The line on which the row begins, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// Which certificate; absent of a malformed row, of which nothing is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    uvci: Option<String>,
    /// `revoked`, `already`, `unknown`, `malformed`; of the last line `done`, or the code of what broke the list off.
    #[schema(value_type = String, example = "revoked")]
    status: &'static str,
    /// The column that is malformed; empty where the whole row is.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    /// How many came out how.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<RevocationCounts>,
    /// Names the list, for its undoing; absent of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// Nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
}

/// How many rows came out how.
#[derive(Serialize, ToSchema)]
pub struct RevocationCounts {
    /// Revoked now; of a dry run, those that would be.
    revoked: u64,
    /// Revoked before.
    already: u64,
    /// Never issued.
    unknown: u64,
    /// Not to be read.
    malformed: u64,
}

/// The longest list: some two hundred thousand rows.
const MAX_LIST_BYTES: usize = 16 << 20;
const HEADINGS: [&str; 5] = ["line", "uvci", "status", "field", "id"];

/// Takes a list: the rest of `POST /v1/revocations` once it is known to be one.
pub(super) async fn post_list(
    app: Arc<App>,
    request: &HttpRequest,
    staff: Staff,
    query: RevocationListQuery,
    key: Option<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let Some(room) = app.room_for_list() else {
        return Err(body
            .refuse(Problem::new(Kind::OVERLOADED).detail("other lists are in work; try again soon"))
            .await);
    };
    let bytes = body.whole(MAX_LIST_BYTES).await?;
    if let Some(key) = key {
        let route = if query.dry_run { "POST /v1/revocations?dry_run=true" } else { "POST /v1/revocations" };
        idempotency::claim(&app, &staff, route, &key, &bytes).await?;
    }
    let list = List::open(Cursor::new(bytes)).map_err(refused)?;
    let (id, store) = ((!query.dry_run).then(Uuid::new_v4), app.store().clone());
    let list = match id {
        None => Listed::preview(store, list),
        Some(id) => {
            let why = format!("a list of certificates to revoke, {id}");
            let by = staff.audited("certificate.revoke_list", None, &why, app.clock().now());
            Listed::begin(store, list, id, &by).await.map_err(refused)?
        }
    };
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_sheet = accept.contains("text/csv");
    let answers = Answers { app, list, id, is_sheet, state: State::Begins, _room: room, _in_flight: InFlight::enter() };
    let parts = stream::unfold(answers, |mut answers| async move { Some((answers.next().await?, answers)) });
    let mut response = HttpResponse::Ok();
    response.insert_header(NO_STORE).content_type(if is_sheet { sheet::CSV } else { "application/x-ndjson" });
    if is_sheet {
        response.insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"revocations.csv\""));
    }
    Ok(response.streaming(Box::pin(futures_util::StreamExt::map(parts, Ok::<Bytes, Problem>))))
}

fn refused(error: ListError) -> Problem {
    const UNREADABLE: &crate::language::Said =
        &crate::language::Said { en: "This list cannot be read", vi: "Không thể đọc danh sách này" };
    match error {
        ListError::Empty | ListError::Columns => {
            let kind = Kind { status: 422, code: error.code(), title: UNREADABLE };
            Problem::new(kind).detail(error.to_string())
        }
        ListError::Io(cause) => Problem::internal(cause),
        ListError::Store(cause) => Problem::from(cause),
    }
}

/// A list that is being answered.
struct Answers {
    app: Arc<App>,
    list: Listed<Cursor<Bytes>>,
    id: Option<Uuid>,
    is_sheet: bool,
    state: State,
    _room: OwnedSemaphorePermit,
    /// Counts among the requests in work for as long as it is answered.
    _in_flight: InFlight,
}

#[derive(PartialEq)]
enum State {
    Begins,
    Goes,
    Ended,
}

impl Answers {
    /// The next part of the answer; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        match self.state {
            State::Ended => return None,
            State::Begins => {
                self.state = State::Goes;
                if self.is_sheet {
                    return Some(sheet::head(&HEADINGS));
                }
            }
            State::Goes => {}
        }
        match self.app.revoke_next(&mut self.list).await {
            Ok(answers) if answers.is_empty() => Some(self.end("done")),
            Ok(answers) => Some(self.rows(&answers)),
            Err(error) => {
                // The status is sent; a last line says why no more will follow.
                let (code, cause) = (error.code(), error.to_string());
                tracing::error!(code, cause, route = "/v1/revocations", "a list of revocations broke off");
                Some(self.end(code))
            }
        }
    }

    fn rows(&self, answers: &[RowAnswer]) -> Bytes {
        let uvci = |answer: &RowAnswer| answer.uvci.map(|uvci| uvci.to_string());
        if self.is_sheet {
            let id = self.id.map(|id| id.to_string()).unwrap_or_default();
            return sheet::rows(answers.iter().map(|answer| {
                let field = answer.field.unwrap_or_default().to_owned();
                let status = answer.status.as_str().to_owned();
                [answer.line.to_string(), uvci(answer).unwrap_or_default(), status, field, id.clone()]
            }));
        }
        let row = |answer: &RowAnswer| RevocationListRow {
            line: Some(answer.line),
            uvci: uvci(answer),
            status: answer.status.as_str(),
            field: answer.field,
            counts: None,
            id: None,
            dry_run: None,
        };
        Bytes::from(answers.iter().map(|answer| line(&row(answer))).collect::<String>())
    }

    /// The last part. In a sheet the rows have said it all, unless it broke off.
    fn end(&mut self, status: &'static str) -> Bytes {
        self.state = State::Ended;
        if self.is_sheet {
            let last = [["".to_owned(), "".to_owned(), status.to_owned(), "".to_owned(), "".to_owned()]];
            return sheet::rows(last.into_iter());
        }
        let counts = self.list.counts();
        let counts = RevocationCounts {
            revoked: counts.revoked,
            already: counts.already,
            unknown: counts.unknown,
            malformed: counts.malformed,
        };
        let (id, dry_run) = (self.id, self.id.is_none().then_some(true));
        let end = RevocationListRow { line: None, uvci: None, status, field: None, counts: Some(counts), id, dry_run };
        Bytes::from(line(&end))
    }
}

fn line(row: &RevocationListRow) -> String {
    serde_json::to_string(row).unwrap_or_default() + "\n"
}
