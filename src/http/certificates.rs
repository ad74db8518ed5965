//! `GET /v1/certificates/..`: how a certificate stands, and its pictures. Nobody without the right role sees either.

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::NO_STORE;
use super::auth::Staff;
use super::log::LogProof;
use super::problem::{Kind, Problem, ProblemDocument};
use super::reading;
use super::refusals::ReadRefusals;
use crate::app::{App, Picture};
use crate::certificate::{Profile, Uvci};
use crate::issue::IssueError;
use crate::registration::certificates::CertificateError;
use crate::store::{CertificateDetail, CertificateRow, Store};
use crate::{codec, tlog};

/// Where the pictures of a certificate are.
#[derive(Serialize, ToSchema)]
pub struct Links {
    /// For screens.
    svg: String,
    /// For messages.
    png: String,
    /// For paper.
    pdf: String,
}

impl Links {
    /// The pictures of `uvci`.
    pub fn of(app: &App, uvci: &Uvci) -> Links {
        let link = |format| format!("{}/v1/certificates/{uvci}.{format}", app.config().http.public_url);
        Links { svg: link("svg"), png: link("png"), pdf: link("pdf") }
    }
}

/// How a certificate stands.
#[derive(Serialize, ToSchema)]
pub struct CertificateState {
    /// Names it for ever.
    uvci: String,
    /// `valid`, `superseded` by a later dose's (and still true), `expired`, or `revoked`.
    #[schema(value_type = String, example = "valid")]
    state: &'static str,
    /// The colour of its card.
    #[schema(value_type = String, example = "yellow")]
    card: &'static str,
    /// Which dose of the course.
    dose: u8,
    /// How many doses the course has.
    series: u8,
    /// The facility that gave the dose.
    facility: String,
    /// The key that signed it, in standard base64.
    kid: String,
    /// In seconds since 1970.
    issued_at: i64,
    /// Its last second, since 1970.
    expires_at: i64,
    /// When a later dose's certificate took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_at: Option<i64>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
    /// Its pictures, unless it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Links>,
    /// That it is in the transparency log, in its compact form; absent for the ten seconds until it is, and when it cannot be proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogProof>,
}

pub(super) fn state_of(app: &App, row: &CertificateRow) -> &'static str {
    match row.superseded_at {
        _ if app.is_revoked(row) => "revoked",
        _ if app.clock().now() > row.expires_at => "expired",
        Some(_) => "superseded",
        None => "valid",
    }
}

/// A certificate as its holder sees it, ready to be shown.
#[derive(Serialize, ToSchema)]
pub struct HeldDocument {
    /// Names it for ever.
    uvci: String,
    /// Whose.
    person: uuid::Uuid,
    /// Their name.
    name: String,
    /// `valid`, `superseded` by a later dose's (and still true), `expired`, or `revoked`.
    #[schema(value_type = String, example = "valid")]
    state: &'static str,
    /// The colour of its card.
    #[schema(value_type = String, example = "yellow")]
    card: &'static str,
    /// Which dose of the course.
    dose: u8,
    /// How many doses the course has.
    series: u8,
    /// In seconds since 1970.
    issued_at: i64,
    /// Its last second, since 1970.
    expires_at: i64,
    /// The QR text, unless it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Its pictures, unless it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Links>,
}

impl HeldDocument {
    /// The certificate of somebody of this name.
    pub fn of(app: &App, row: &CertificateRow, name: &str) -> HeldDocument {
        let stands = !app.is_revoked(row);
        HeldDocument {
            uvci: row.uvci.to_string(),
            person: row.person,
            name: name.to_owned(),
            state: state_of(app, row),
            card: row.card.as_str(),
            dose: row.number,
            series: row.series,
            issued_at: row.issued_at.0,
            expires_at: row.expires_at.0,
            text: if stands { codec::encode_text(Profile::Compact, &row.compact).ok() } else { None },
            links: stands.then(|| Links::of(app, &row.uvci)),
        }
    }
}

/// The certificates of the caller and their family. A new one is in it after a second at most.
#[utoipa::path(
    get, path = "/v1/certificates", tag = "certificates", security(("bearer" = [])),
    responses(
        (status = 200, description = "All of them, newest first", body = [HeldDocument]),
        ReadRefusals,
    )
)]
pub async fn get_certificates(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let staff = Staff::of(&request, app.clock().now())?;
    let account = staff.citizen()?;
    let begun = app.held_lists().begin();
    let fresh = reading::must_be_fresh(&request, &app, Some(&staff.caller));
    let list = match app.held_lists().recall(account).filter(|_| !fresh) {
        Some(list) => list,
        None => {
            let rows = staff.lookups(&request, &app).certificates_held(account).await?;
            let documents: Vec<HeldDocument> =
                rows.iter().map(|held| HeldDocument::of(&app, &held.row, &held.name)).collect();
            let list = Bytes::from(serde_json::to_vec(&documents).map_err(Problem::internal)?);
            app.held_lists().keep(account, list.clone(), begun);
            list
        }
    };
    Ok(HttpResponse::Ok().insert_header(NO_STORE).content_type("application/json").body(list))
}

/// How a certificate stands, for its holder, the facility that gave the dose, its province and the ministry.
#[utoipa::path(
    get, path = "/v1/certificates/{uvci}", tag = "certificates", security(("bearer" = [])),
    params(("uvci" = String, Path, description = "The UVCI, with or without `URN:UVCI:`")),
    responses(
        (status = 200, description = "How it stands", body = CertificateState),
        ReadRefusals,
        (status = 404, description = "`unknown_certificate`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_certificate(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (detail, _) = of_theirs(&app, &request, &path).await?;
    let row = &detail.row;
    let entry = tlog::entry(&row.compact).map_err(Problem::internal)?;
    // While the primary is away nobody knows where it is in the log; and the record is worth more than its proof.
    let logged = match app.store().age() {
        Some(_) => None,
        None => app.log_proof(&entry).await.unwrap_or_else(|error| {
            tracing::error!(code = error.code(), "cannot prove that a certificate is in the log");
            None
        }),
    };
    let state = CertificateState {
        uvci: row.uvci.to_string(),
        state: state_of(&app, row),
        card: row.card.as_str(),
        dose: row.number,
        series: row.series,
        facility: detail.facility,
        kid: row.kid.to_string(),
        issued_at: row.issued_at.0,
        expires_at: row.expires_at.0,
        superseded_at: row.superseded_at.map(|at| at.0),
        revoked_at: row.revoked_at.map(|at| at.0),
        links: (!app.is_revoked(row)).then(|| Links::of(&app, &row.uvci)),
        log: logged.map(|logged| LogProof::of(&entry, &logged)),
    };
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(state))
}

/// Which form of the certificate a picture shows.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PictureQuery {
    /// `compact` (at home, the default) or `hc1` (for travel).
    profile: Option<String>,
}

/// A picture of a certificate. The form for travel is signed at the first request.
#[utoipa::path(
    get, path = "/v1/certificates/{uvci}.{format}", tag = "certificates", security(("bearer" = [])),
    params(
        ("uvci" = String, Path, description = "The UVCI, with or without `URN:UVCI:`"),
        ("format" = String, Path, description = "`svg`, `png`, `pdf`, or `txt` for the QR text itself"),
        PictureQuery,
    ),
    responses(
        (status = 200, description = "The picture", content((String = "image/svg+xml"), (Vec<u8> = "image/png"), (Vec<u8> = "application/pdf"), (String = "text/plain"))),
        ReadRefusals,
        (status = 404, description = "`unknown_certificate`, `unknown_route` for another format", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "`certificate_revoked`", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn get_picture(
    app: web::Data<App>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (uvci, format) = path.into_inner();
    // Whoever may not see certificates learns nothing from here, not even which formats there are.
    Staff::of(&request, app.clock().now())?;
    let picture = Picture::of_extension(&format).ok_or_else(|| Problem::new(Kind::UNKNOWN_ROUTE))?;
    let profile = profile_of(&request)?;
    let (detail, store) = of_theirs(&app, &request, &uvci).await?;
    if app.is_revoked(&detail.row) {
        return Err(Problem::new(Kind::CERTIFICATE_REVOKED));
    }
    let bytes: Bytes = app.into_inner().picture(&store, detail.row.uvci, profile, picture).await?;
    let name = format!("inline; filename=\"certificate-{}.{format}\"", profile.as_str());
    let mut response = HttpResponse::Ok();
    response.insert_header(NO_STORE).insert_header((header::CONTENT_DISPOSITION, name));
    Ok(response.content_type(picture.media()).body(bytes))
}

fn profile_of(request: &HttpRequest) -> Result<Profile, Problem> {
    let wrong = || Problem::new(Kind::BAD_PARAMETER).field("profile").detail("expected profile=compact or profile=hc1");
    let query = web::Query::<PictureQuery>::from_query(request.query_string()).map_err(|_| wrong())?;
    query.profile.as_deref().map_or(Ok(Profile::Compact), |profile| profile.parse().map_err(|()| wrong()))
}

/// The certificate, if it is there and within the caller's reach, and from where it was read.
async fn of_theirs(app: &App, request: &HttpRequest, uvci: &str) -> Result<(CertificateDetail, Store), Problem> {
    let staff = Staff::of(request, app.clock().now())?;
    let unknown = || Problem::new(Kind::UNKNOWN_CERTIFICATE);
    let uvci: Uvci = uvci.parse().map_err(|_| unknown())?;
    let store = staff.lookups(request, app);
    let detail = store.certificate(&uvci).await?.ok_or_else(unknown)?;
    match staff.account() {
        Some(account) if store.is_member(account, detail.row.person).await? => {}
        Some(_) => return Err(Problem::new(Kind::NOT_YOURS)),
        None => staff.may_touch(&detail.facility, detail.province.as_deref())?,
    }
    Ok((detail, store))
}

impl From<CertificateError> for Problem {
    fn from(error: CertificateError) -> Problem {
        match error {
            CertificateError::Unknown => Problem::new(Kind::UNKNOWN_CERTIFICATE),
            CertificateError::Revoked => Problem::new(Kind::CERTIFICATE_REVOKED),
            CertificateError::Superseded => Problem::new(Kind::CERTIFICATE_SUPERSEDED),
            CertificateError::NoDose | CertificateError::Unreadable => Problem::internal(error),
            CertificateError::Issue(IssueError::Key(cause)) => Problem::new(Kind::UNAVAILABLE).because(cause),
            CertificateError::Issue(cause) => Problem::internal(cause),
            CertificateError::Keyring(cause) => Problem::new(Kind::UNAVAILABLE).because(cause),
            CertificateError::Store(cause) => Problem::from(&cause),
        }
    }
}
