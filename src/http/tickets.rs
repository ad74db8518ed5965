//! `/v1/tickets`: the response centre's cases.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::NO_STORE;
use super::access::Reach;
use super::asked::{self, bad, refused};
use super::audit::{instant_text, parse_instant};
use super::auth::Staff;
use super::problem::{Kind, Problem, ProblemDocument};
use super::refusals::{ReadRefusals, WriteRefusals};
use crate::app::App;
use crate::registration::reference;
use crate::registration::tickets::{self, Deed, NoStep, Raise, STATUSES, Step};
use crate::store::{NewTicket, TicketRow};

const ROUTE: &str = "POST /v1/tickets";

/// Which cases are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TicketQuery {
    /// `open`, `assigned`, `closed`; those that are not closed unless said.
    status: Option<String>,
    /// The province's code; a province has its own where nothing is said, others all.
    province: Option<String>,
    /// What the page before gave as `next`.
    after: Option<String>,
    /// How many, 1 to 500; 100 unless said.
    limit: Option<i64>,
}

/// A page of cases.
#[derive(Serialize, ToSchema)]
pub struct TicketPage {
    /// Oldest first.
    tickets: Vec<TicketDocument>,
    /// What the next page is asked with as `after`; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A case.
#[derive(Serialize, ToSchema)]
pub struct TicketDocument {
    /// Which.
    ticket: Uuid,
    /// `overdue_correction`, `severe_reaction`, `call`.
    kind: String,
    /// `open`, `assigned`, `closed`.
    status: String,
    /// The province's code; empty where none is known.
    province: String,
    /// The person, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<Uuid>,
    /// The correction or the reaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Uuid>,
    /// Whose it is to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_to: Option<String>,
    /// What it is about.
    said: String,
    /// What was done: `at`, `by`, `role`, `what`, `note`, and `to` where it was assigned.
    #[schema(value_type = Vec<Object>)]
    steps: Value,
    /// What `PATCH` is to say: another step raises it.
    version: i64,
    /// In seconds since 1970.
    made_at: i64,
    /// In seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<i64>,
}

impl TicketDocument {
    fn of(row: TicketRow) -> TicketDocument {
        TicketDocument {
            ticket: row.ticket,
            kind: row.kind,
            status: row.status,
            province: row.province,
            about: row.about,
            subject: row.subject_id,
            assigned_to: row.assigned_to,
            said: row.said,
            steps: row.steps,
            version: row.version,
            made_at: row.made_at.0,
            closed_at: row.closed_at.map(|at| at.0),
        }
    }
}

fn is_province(code: &str) -> bool {
    reference::unit(code).is_some_and(|unit| unit.code.len() == 2)
}

/// The response centre's cases, oldest first. A province sees its own.
#[utoipa::path(
    get, path = "/v1/tickets", tag = "tickets", security(("bearer" = [])), params(TicketQuery),
    responses((status = 200, description = "A page", body = TicketPage), ReadRefusals)
)]
pub async fn get_tickets(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock().now();
    let staff = Staff::of(&request, now)?;
    let query: TicketQuery = asked::query(&request)?;
    let own = staff.caller.province.as_deref().filter(|_| staff.reach == Reach::Own);
    let province = query.province.as_deref().or(own);
    if staff.reach == Reach::Own && province != own {
        return Err(Problem::new(Kind::NOT_YOURS));
    }
    if province.is_some_and(|code| !is_province(code)) {
        return Err(bad("province", "there is no province with this code", "không có tỉnh mang mã này"));
    }
    let statuses: Vec<&str> = match query.status.as_deref() {
        None => vec!["open", "assigned"],
        Some(status) if STATUSES.contains(&status) => vec![status],
        Some(_) => return Err(bad("status", "expected open, assigned or closed", "cần open, assigned hoặc closed")),
    };
    let (limit, after) = (asked::limit(query.limit)?, asked::parse_cursor(query.after.as_deref(), parse_instant)?);
    let all = reference::provinces();
    let provinces: Vec<&str> = match province {
        Some(code) => vec![code],
        None => all.iter().map(|province| province.code.as_str()).chain([""]).collect(),
    };
    let rows = staff.lookups(&request, &app).tickets(&statuses, &provinces, after, limit).await?;
    let why = format!("{} cases", rows.len());
    app.store().audit(&staff.audited("ticket.list", None, &why, now)).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|len| len >= limit);
    let next = rows.last().filter(|_| more).map(|row| instant_text(row.made_at.0, row.ticket));
    Ok(asked::answer(&TicketPage { tickets: rows.into_iter().map(TicketDocument::of).collect(), next }))
}

/// A case to be raised.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketRequest {
    /// The code of the province that it concerns.
    #[schema(example = "79")]
    province: String,
    /// The person, if it is about one.
    person: Option<Uuid>,
    /// What it is about, 1 to 500 characters.
    said: String,
}

/// Raises a case of kind `call`: somebody called. With an `Idempotency-Key`, sent again it raises no second one.
#[utoipa::path(
    post, path = "/v1/tickets", tag = "tickets", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Kept 24 hours for the caller: the same key with another body is refused")),
    request_body = TicketRequest,
    responses(
        (status = 201, description = "Raised", body = TicketDocument),
        (status = 200, description = "Raised before, under this key", body = TicketDocument),
        (status = 404, description = "`unknown_person`", body = ProblemDocument, content_type = "application/problem+json"),
        WriteRefusals,
    )
)]
pub async fn post_ticket(
    app: web::Data<App>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, asked, bytes) = asked::json::<TicketRequest>(&app, &request, payload).await?;
    if !is_province(&asked.province) {
        return Err(refused("province", "there is no province with this code", "không có tỉnh mang mã này"));
    }
    let said = asked::said("said", asked.said)?;
    if let Some(person) = asked.person
        && app.store().person(person).await?.is_none()
    {
        return Err(Problem::new(Kind::UNKNOWN_PERSON));
    }
    let (ticket, now) = (asked::new_id(&app, &staff, &request, ROUTE, &bytes).await?, app.clock().now());
    let raise = Raise {
        ticket,
        new: NewTicket {
            kind: "call",
            province: asked.province,
            about: asked.person,
            subject_id: None,
            said,
            made_at: now,
        },
        audited: staff.audited("ticket.raise", asked.person, "call", now),
    };
    let new = app.store().transact(&raise).await?;
    let row = app.store().ticket(ticket).await?.ok_or_else(|| Problem::internal("a ticket is not where it was put"))?;
    let mut response = if new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.insert_header(NO_STORE).json(TicketDocument::of(row)))
}

/// A step of a case.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketStep {
    /// The case's `version` as it was read: if another step came since, nothing is changed.
    version: i64,
    /// `assign`, `answer`, `close`.
    action: String,
    /// Whose it is to answer; needed with `assign`, and only then.
    to: Option<String>,
    /// What was found or said, at most 500 characters; needed with `answer` and `close`.
    note: Option<String>,
}

/// Assigns, answers or closes a case. Of two steps made at once, the second is told that the case has changed.
#[utoipa::path(
    patch, path = "/v1/tickets/{ticket}", tag = "tickets", security(("bearer" = [])),
    params(("ticket" = Uuid, Path, description = "Which")),
    request_body = TicketStep,
    responses(
        (status = 200, description = "The case after the step", body = TicketDocument),
        (status = 404, description = "`unknown_ticket`", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "`changed_meanwhile`", body = ProblemDocument, content_type = "application/problem+json"),
        WriteRefusals,
    )
)]
pub async fn patch_ticket(
    app: web::Data<App>,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (staff, asked, _) = asked::json::<TicketStep>(&app, &request, payload).await?;
    let unknown = || Problem::new(Kind::UNKNOWN_TICKET);
    let ticket = Uuid::try_parse(&path).map_err(|_| unknown())?;
    let row = app.store().ticket(ticket).await?.ok_or_else(unknown)?;
    let note = asked::note("note", asked.note)?;
    let deed = match (asked.action.as_str(), asked.to) {
        ("assign", Some(to)) => Deed::Assign(asked::said("to", to)?),
        ("answer", None) => Deed::Answer,
        ("close", None) => Deed::Close,
        ("assign", None) => return Err(refused("to", "say whose it is to answer", "nêu người xử lý")),
        ("answer" | "close", Some(_)) => return Err(refused("to", "it goes with assign only", "chỉ dùng với assign")),
        _ => return Err(refused("action", "expected assign, answer or close", "cần assign, answer hoặc close")),
    };
    if note.is_empty() && !matches!(deed, Deed::Assign(_)) {
        return Err(refused("note", "say what was found or said", "nêu nội dung trả lời"));
    }
    if row.version != asked.version {
        return Err(Problem::new(Kind::CHANGED_MEANWHILE));
    }
    let audited = staff.audited("ticket.step", row.about, &asked.action, app.clock().now());
    let row = tickets::stepped(row, &deed, &note, &audited).map_err(|refusal| match refusal {
        NoStep::Closed => refused("action", "the case is closed", "vụ việc đã đóng"),
        NoStep::TooMany => refused("action", "the case has too many steps", "vụ việc có quá nhiều bước"),
    })?;
    let step = Step { row, audited };
    if !app.store().transact(&step).await? {
        return Err(Problem::new(Kind::CHANGED_MEANWHILE));
    }
    Ok(asked::answer(&TicketDocument::of(step.row)))
}
