//! `POST /v1/imports`: a backlog file in; `GET /v1/imports/{id}`: how far it is, and what was not taken, to be repaired and
//! sent again.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::access::Role;
use super::auth::Staff;
use super::body::{self, Body};
use super::problem::{self, Kind, Problem, ProblemDocument};
use super::refusals::{ReadRefusals, WriteRefusals};
use super::{NO_STORE, idempotency};
use crate::app::imports::media_word;
use crate::app::{App, SpoolFile, SpoolWriter};
use crate::language::{Language, Said};
use crate::registration::backlog::{Media, OpenError};
use crate::registration::imports::{self, Checking, ImportError, Places, Rejected};
use crate::store::{ImportCounts, ImportRow, ImportStatus, Realm, Store};

/// How a file is to be imported.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// The facility whose doses they are, where a row does not say; a facility's own by itself.
    #[param(example = "79001")]
    facility: Option<String>,
    /// Read and check the file, and record nothing.
    #[serde(default)]
    dry_run: bool,
}

/// An import as it stands.
#[derive(Serialize, ToSchema)]
pub struct ImportDocument {
    /// Names it; absent of a dry run, which leaves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Uuid>,
    /// `waiting`, `running`, `done`, `failed`, or `interrupted`, which goes on by itself.
    #[schema(value_type = String, example = "running")]
    status: &'static str,
    /// The facility of rows that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    facility: Option<String>,
    /// How long the file is.
    bytes_total: u64,
    /// How far into it the rows are that were looked at.
    bytes_done: u64,
    /// Rows that were looked at; what came of them is committed.
    rows: u64,
    /// Rows a second.
    rate: u64,
    /// How long the rest will take at that rate, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
    /// Doses that were not known.
    new_doses: u64,
    /// Doses that were known already.
    known_doses: u64,
    /// Of the new ones, those that wait for the facility to say whose they are.
    queued: u64,
    /// Rows that were not taken.
    rejected: u64,
    /// The first rows that were not taken.
    errors: Vec<RowError>,
    /// When it began, in seconds since 1970; of a waiting one, when it was sent.
    started_at: i64,
    /// When it last went on.
    updated_at: i64,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    /// Where the rows are that were not taken, as CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejects: Option<String>,
}

/// What is wrong with a cell.
#[derive(Serialize, ToSchema)]
pub struct RowError {
    /// The line in the file, from 1.
    line: u64,
    /// The column's heading; empty where the whole row is meant.
    column: String,
    /// The stable word.
    code: String,
    /// What is wrong, for people. Never what the cell holds.
    detail: String,
}

/// How many rows that were not taken are shown.
const FIRST_ERRORS: usize = 20;
/// Rejected rows read at a time.
const PAGE: i64 = 500;
/// How much of a body is handed on to the disk at a time.
const PART_BYTES: usize = 1 << 20;
const ROUTE: &str = "POST /v1/imports";

/// Takes a backlog file and records its doses, in its turn and in the background.
///
/// A sheet in UTF-8 or UTF-16 with commas, semicolons or tabs, or FHIR R4 Immunization resources, one a line. The same file sent
/// again goes on where it stopped, or finds its doses known. A dry run is answered with 200 when the whole file was checked;
/// what only the database knows is not looked at.
#[utoipa::path(
    post, path = "/v1/imports", tag = "doses", security(("bearer" = [])),
    params(ImportQuery, ("Idempotency-Key" = Option<String>, Header, description = "Kept 24 hours for the caller: the same key with another file is refused")),
    request_body(content((String = "text/csv"), (String = "application/fhir+ndjson"), (String = "application/x-ndjson"))),
    responses(
        (status = 202, description = "Received whole and kept: it is imported even if the service is stopped. `Location` says where to look", body = ImportDocument),
        (status = 200, description = "A dry run: what would be refused", body = ImportDocument),
        WriteRefusals,
        (status = 422, description = "`idempotency_key_reused`, `facility_unknown`, or why the file cannot be read: `file_empty`, `file_encoding`, `header_missing`, `columns_missing`, `columns_repeated`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn post_import(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let app = app.into_inner();
    let mut body = Body::of(&request, payload);
    let id = Uuid::new_v4();
    let (asked, spool) = match begin(&app, &request, id).await {
        Ok(begun) => begun,
        Err(problem) => return Err(body.refuse(problem).await),
    };
    let limit = app.config().imports.max_mib << 20;
    match receive(spool, &mut body, limit).await {
        Ok((file, bytes_total)) => received(&app, asked, file, bytes_total).await,
        Err(problem) => Err(body.refuse(problem).await),
    }
}

/// What is to be done with a file.
struct Asked {
    staff: Staff,
    media: Media,
    dry_run: bool,
    key: Option<String>,
    realm: Realm,
    facility: Option<String>,
    province: Option<String>,
}

async fn begin(app: &App, request: &HttpRequest, id: Uuid) -> Result<(Asked, SpoolWriter), Problem> {
    let staff = Staff::of(request, app.clock().now())?;
    const EXPECTED: &str = "expected ?facility= and a facility's code, and ?dry_run=true or false";
    let query = web::Query::<ImportQuery>::from_query(request.query_string());
    let query = query.map_err(|_| Problem::new(Kind::BAD_PARAMETER).detail(EXPECTED))?.into_inner();
    let media = match Body::media(request, &[body::Media::Csv, body::Media::FhirNdjson, body::Media::Ndjson])? {
        body::Media::Csv => Media::Csv,
        _ => Media::Fhir,
    };
    let key = idempotency::key(request)?;
    let caller = &staff.caller;
    let (realm, province) = match (caller.role, &caller.facility, &caller.province) {
        (Role::Facility, Some(own), _) => (Realm::Facility(own.clone()), None),
        (Role::Province, _, Some(own)) => (Realm::Province(own.clone()), Some(own.clone())),
        _ => return Err(Problem::new(Kind::ROLE_NOT_ALLOWED)),
    };
    let facility = query.facility.or_else(|| caller.facility.clone());
    let places = Places::read(app.store(), realm.clone()).await?;
    let province = match &facility {
        None => province,
        Some(facility) => Some(places.province_of(facility).map_err(not_a_place)?.to_owned()),
    };
    let spool = app.imports().receive(id).map_err(Problem::internal)?;
    let spool = spool.ok_or_else(|| Problem::new(Kind::OVERLOADED).detail("too many files wait to be imported"))?;
    Ok((Asked { staff, media, dry_run: query.dry_run, key, realm, facility, province }, spool))
}

fn not_a_place((code, said): (&'static str, Said)) -> Problem {
    let problem = match code {
        "not_yours" => Problem::new(Kind::NOT_YOURS),
        _ => Problem::new(Kind { status: 422, code, ..Kind::UNPROCESSABLE }).said(said),
    };
    problem.field("facility")
}

/// Writes the body to the disk, off the runtime's threads, and gives the file and its length.
async fn receive(mut spool: SpoolWriter, body: &mut Body, limit: u64) -> Result<(SpoolFile, u64), Problem> {
    let mut ended = false;
    while !ended {
        let mut parts: Vec<Bytes> = Vec::new();
        let mut gathered = 0;
        while gathered < PART_BYTES {
            let Some(part) = body.next().await else {
                ended = true;
                break;
            };
            let part = part?;
            gathered += part.len();
            parts.push(part);
        }
        if spool.written() + gathered as u64 > limit {
            return Err(Problem::new(Kind::BODY_TOO_LARGE).detail(format!("at most {limit} bytes")));
        }
        let written = web::block(move || {
            parts.iter().try_for_each(|part| spool.write(part))?;
            Ok::<_, std::io::Error>(spool)
        });
        spool = written.await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    }
    let len = spool.written();
    let file = web::block(move || spool.finish()).await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Ok((file, len))
}

/// What becomes of a file that was received whole; it is gone if whoever sent it is, until its import is begun.
async fn received(app: &Arc<App>, asked: Asked, file: SpoolFile, bytes_total: u64) -> Result<HttpResponse, Problem> {
    let id = file.id();
    if let Some(key) = &asked.key {
        idempotency::claim(app, &asked.staff, ROUTE, key, &file.hash).await?;
    }
    let (looked, media) = (Arc::clone(app), asked.media);
    web::block(move || looked.imports().recognise(id, media)).await.map_err(Problem::internal)??;
    let now = app.clock().now();
    let row = ImportRow {
        id,
        facility: asked.facility,
        province: asked.province,
        realm: asked.realm,
        made_by: asked.staff.caller.subject.clone(),
        media: media_word(asked.media).to_owned(),
        file_hash: file.hash,
        headings: Vec::new(),
        status: ImportStatus::Waiting,
        bytes_total,
        counts: ImportCounts::default(),
        started_at: now,
        updated_at: now,
        ended_at: None,
    };
    if asked.dry_run {
        return check(app, row, asked.media).await;
    }
    // An import that is begun has its file, also if nobody waits for the answer any more.
    let begun = Arc::clone(app);
    let begun = actix_web::rt::spawn(async move { begun.imports().begin(begun.store(), &row, file).await });
    let row = begun.await.map_err(Problem::internal)??;
    let location = format!("{}/v1/imports/{}", app.config().http.public_url, row.id);
    let document = document(app, app.store(), row).await?;
    Ok(HttpResponse::Accepted().insert_header(NO_STORE).insert_header((header::LOCATION, location)).json(document))
}

/// Answers a dry run.
async fn check(app: &App, row: ImportRow, media: Media) -> Result<HttpResponse, Problem> {
    let checking = Checking {
        places: Places::read(app.store(), row.realm.clone()).await?,
        facility: row.facility.clone(),
        subject: row.made_by.clone(),
        media,
        now: row.started_at,
    };
    let language = problem::spoken();
    let first = Mutex::new(Vec::new());
    let source = app.imports().received(row.id).map_err(Problem::internal)?;
    let show = |_: &[String], rejected: Rejected| {
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.len() < FIRST_ERRORS {
            first.push(rejected);
        }
    };
    let data_key = Arc::clone(&app.desk().data_key);
    let (counts, _) = imports::preview(data_key, source, checking, show, |_| true).await?;
    let first = first.into_inner().unwrap_or_else(PoisonError::into_inner);
    let row = ImportRow { counts, status: ImportStatus::Done, ended_at: Some(app.clock().now()), ..row };
    let document = ImportDocument { id: None, rejects: None, ..ImportDocument::of(app, row, &first, language) };
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(document))
}

/// How far an import is, and the first rows of it that were not taken.
#[utoipa::path(
    get, path = "/v1/imports/{id}", tag = "doses", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "As `POST /v1/imports` answered")),
    responses(
        (status = 200, description = "As it stands", body = ImportDocument),
        ReadRefusals,
        (status = 404, description = "`unknown_import`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_import(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (staff, row) = theirs(&app, &request).await?;
    let store = staff.lookups(&request, &app);
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(document(&app, &store, row).await?))
}

/// The rows of an import that were not taken, as a sheet to repair and send again.
#[utoipa::path(
    get, path = "/v1/imports/{id}/rejects.csv", tag = "doses", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "As `POST /v1/imports` answered")),
    responses(
        (status = 200, description = "The cells as they were, the line and what is wrong; UTF-8 with a byte order mark. A cell that a spreadsheet would run begins with an apostrophe", body = String, content_type = "text/csv"),
        ReadRefusals,
        (status = 404, description = "`unknown_import`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_rejects(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (staff, row) = theirs(&app, &request).await?;
    let read = staff.audited("import.rejects", None, "the rejected rows of an import", app.clock().now());
    app.store().audit(&read).await?;
    let first = imports::rejects_header(&row.headings);
    let app = app.into_inner();
    // The header, then page after page; a page that cannot be read breaks the answer off, so that it does not pass for whole.
    let pages = stream::try_unfold((Some(first), 0), move |(first, after)| {
        let (app, id) = (Arc::clone(&app), row.id);
        async move {
            if let Some(first) = first {
                return Ok(Some((Bytes::from(first), (None, after))));
            }
            let page = imports::rejected(app.store(), &app.desk().data_key, id, after, PAGE).await;
            let page = page.map_err(Problem::from)?;
            let Some(last) = page.last().map(|row| row.line) else { return Ok::<_, Problem>(None) };
            let lines: String = page.iter().map(Rejected::csv).collect();
            Ok(Some((Bytes::from(lines), (None, last))))
        }
    });
    let mut response = HttpResponse::Ok();
    response.insert_header(NO_STORE).insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8"));
    response.insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"rejects.csv\""));
    Ok(response.streaming(Box::pin(pages)))
}

/// The import that is asked for, if the caller may see it.
async fn theirs(app: &App, request: &HttpRequest) -> Result<(Staff, ImportRow), Problem> {
    let staff = Staff::of(request, app.clock().now())?;
    let unknown = || Problem::new(Kind::UNKNOWN_IMPORT);
    let id = request.match_info().get("id").and_then(|id| Uuid::try_parse(id).ok()).ok_or_else(unknown)?;
    let row = staff.lookups(request, app).import(id).await?.ok_or_else(unknown)?;
    // By whose doses may be in it, not by whose are in it where a row does not say: the rejected rows may be anybody's there.
    let (facility, province) = match &row.realm {
        Realm::Facility(code) => (code.as_str(), row.province.as_deref()),
        Realm::Province(code) => ("", Some(code.as_str())),
        Realm::All => ("", None),
    };
    staff.may_touch(facility, province)?;
    Ok((staff, row))
}

async fn document(app: &App, store: &Store, row: ImportRow) -> Result<ImportDocument, Problem> {
    let language = problem::spoken();
    let first = match row.counts.rejected {
        0 => Vec::new(),
        _ => imports::rejected(store, &app.desk().data_key, row.id, 0, FIRST_ERRORS as i64).await?,
    };
    Ok(ImportDocument::of(app, row, &first, language))
}

impl ImportDocument {
    fn of(app: &App, row: ImportRow, first: &[Rejected], language: Language) -> ImportDocument {
        let counts = row.counts;
        let seconds = u64::try_from(row.updated_at.0 - row.started_at.0).unwrap_or(0).max(1);
        let left = row.bytes_total.saturating_sub(counts.bytes);
        let seconds_left = (row.status.is_unfinished() && counts.bytes > 0)
            .then(|| (u128::from(left) * u128::from(seconds) / u128::from(counts.bytes)) as u64);
        let error = |row: &Rejected| {
            let line = row.line;
            let told = row.reasons.iter().map(move |reason| RowError {
                line,
                column: reason.column.clone(),
                code: reason.code.clone(),
                detail: match language {
                    Language::English => reason.en.clone(),
                    Language::Vietnamese => reason.vi.clone(),
                },
            });
            told.collect::<Vec<RowError>>()
        };
        ImportDocument {
            id: Some(row.id),
            status: row.status.as_str(),
            facility: row.facility,
            bytes_total: row.bytes_total,
            bytes_done: counts.bytes.min(row.bytes_total),
            rows: counts.rows,
            rate: counts.rows / seconds,
            seconds_left,
            new_doses: counts.new_doses,
            known_doses: counts.known_doses,
            queued: counts.queued,
            rejected: counts.rejected,
            errors: first.iter().flat_map(error).collect(),
            started_at: row.started_at.0,
            updated_at: row.updated_at.0,
            ended_at: row.ended_at.map(|at| at.0),
            rejects: Some(format!("{}/v1/imports/{}/rejects.csv", app.config().http.public_url, row.id)),
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Problem {
        match error {
            ImportError::Open(OpenError::File(file)) => {
                let kind = Kind { status: 422, code: file.code, ..Kind::UNPROCESSABLE };
                let problem = Problem::new(kind).said(file.reason);
                if file.columns.is_empty() { problem } else { problem.field(file.columns.join(", ")) }
            }
            ImportError::Open(OpenError::Io(cause)) => Problem::internal(cause),
            ImportError::Read(cause) => Problem::internal(cause),
            ImportError::Keyring(cause) => Problem::new(Kind::UNAVAILABLE).because(cause),
            ImportError::Store(cause) => Problem::from(cause),
            ImportError::TakenOver | ImportError::Unread => Problem::internal(error),
        }
    }
}
