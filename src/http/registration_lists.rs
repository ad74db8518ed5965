//! `/v1/registrations` for staff: the people of a locality who registered, priority groups first, and what came of calling them.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::asked::{self, bad, refused};
use super::auth::Staff;
use super::envelope::InFlight;
use super::locality::{self, Locality};
use super::people::open_sealed;
use super::problem::{self, Kind, Problem};
use super::{NO_STORE, sheet};
use crate::app::App;
use crate::language::Said;
use crate::registration::contact::{self, Contact, Contacted};
use crate::registration::{priority, reference, sessions};
use crate::store::{ListFilter, ListKey, ListedRow, Store, contacts};

/// Which registrations are listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The province's code; a facility and a province have their own where nothing is said.
    #[param(example = "79")]
    province: Option<String>,
    /// The district's code.
    #[param(example = "760")]
    district: Option<String>,
    /// The commune's code.
    ward: Option<String>,
    /// The priority group: 1 to 16, 0 for those in none.
    group: Option<i64>,
    /// `registered`, `called`, `no_answer`, `scheduled`, `declined`, `vaccinated`; `withdrawn` are listed only if asked for.
    status: Option<String>,
    /// What the page before gave as `next`.
    after: Option<String>,
    /// How many rows, 1 to 500; 100 unless said. A sheet has all rows unless said.
    limit: Option<i64>,
    /// `json`, or `csv` as `Accept: text/csv` asks for it.
    format: Option<String>,
    /// Why the list is needed, 1 to 200 characters without personal data: written to the audit trail.
    #[param(required)]
    purpose: Option<String>,
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub struct RegistrationPage {
    /// Priority groups first, those in none last.
    registrations: Vec<ListedRegistration>,
    /// What the next page is asked with as `after`; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A registration as it is listed.
#[derive(Serialize, ToSchema)]
pub struct ListedRegistration {
    /// Whose.
    person: Uuid,
    /// The name as written.
    name: String,
    /// As precise as it is known.
    birth: String,
    /// `female`, `male`, `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    sex: Option<String>,
    /// The person's phone, or that of whoever registered them.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// The commune's code.
    ward: String,
    /// The district's code.
    district: String,
    /// House and street.
    address: String,
    /// What they do.
    occupation: String,
    /// The priority group, 0 for none.
    group: u8,
    /// How it stands.
    status: String,
    /// How many contacts were written down.
    contacts: i64,
    /// The last contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ContactDocument>)]
    contact: Option<Value>,
    /// In seconds since 1970.
    registered_at: i64,
}

/// A contact, as it is kept with a registration.
#[derive(Serialize, ToSchema)]
pub struct ContactDocument {
    /// Which contact it is, from 1.
    n: i64,
    /// Who called.
    by: String,
    /// For which facility or province.
    place: String,
    /// In seconds since 1970.
    at: i64,
    /// What came of it.
    outcome: String,
    /// In the caller's words.
    note: String,
    /// The session that they were given a place in.
    session: Option<String>,
}

impl ListedRegistration {
    fn of(app: &App, row: ListedRow) -> ListedRegistration {
        ListedRegistration {
            person: row.key.person,
            name: row.name,
            birth: row.birth,
            sex: row.sex,
            phone: open_sealed(app, "phone", row.phone_sealed.as_deref()),
            ward: row.ward,
            district: row.key.district,
            address: row.address,
            occupation: row.occupation,
            group: priority::number(row.key.rank),
            status: row.status,
            contacts: contacts(row.contact.as_ref()),
            contact: row.contact,
            registered_at: row.created_at.0,
        }
    }

    /// The cells of [`HEADINGS`].
    fn cells(&self) -> [String; 14] {
        let called = |member: &str| self.contact.as_ref().and_then(|contact| contact.get(member));
        let note = called("note").and_then(Value::as_str).unwrap_or_default();
        let at = called("at").and_then(Value::as_i64).map(|at| crate::certificate::UnixSeconds(at).vietnamese_date());
        let registered = crate::certificate::UnixSeconds(self.registered_at).vietnamese_date();
        [
            self.person.to_string(),
            self.name.clone(),
            self.birth.clone(),
            self.sex.clone().unwrap_or_default(),
            self.phone.clone().unwrap_or_default(),
            self.ward.clone(),
            reference::unit(&self.ward).map_or("", |unit| unit.name).to_owned(),
            self.address.clone(),
            self.occupation.clone(),
            self.group.to_string(),
            self.status.clone(),
            at.map(|day| day.to_string()).unwrap_or_default(),
            note.to_owned(),
            registered.to_string(),
        ]
    }
}

/// The headings of a sheet.
const HEADINGS: [Said; 14] = [
    Said { en: "person", vi: "mã người" },
    Said { en: "name", vi: "họ tên" },
    Said { en: "birth", vi: "ngày sinh" },
    Said { en: "sex", vi: "giới tính" },
    Said { en: "phone", vi: "điện thoại" },
    Said { en: "commune code", vi: "mã xã, phường" },
    Said { en: "commune", vi: "xã, phường" },
    Said { en: "address", vi: "địa chỉ" },
    Said { en: "occupation", vi: "nghề nghiệp" },
    Said { en: "priority group", vi: "nhóm ưu tiên" },
    Said { en: "status", vi: "trạng thái" },
    Said { en: "last contact", vi: "liên hệ gần nhất" },
    Said { en: "note", vi: "ghi chú" },
    Said { en: "registered on", vi: "ngày đăng ký" },
];

/// A list under way, page by page; each page is in the audit trail before it is answered.
struct Pages {
    app: Arc<App>,
    /// From where it is read.
    store: Store,
    staff: Staff,
    locality: Locality,
    filter: ListFilter,
    purpose: String,
    after: Option<ListKey>,
    /// How many rows may still come; `None` for all of them.
    left: Option<i64>,
    ended: bool,
}

impl Pages {
    /// The next page of at most `limit` rows.
    async fn next(&mut self, limit: i64) -> Result<Vec<ListedRegistration>, Problem> {
        let limit = self.left.map_or(limit, |left| left.min(limit));
        let (rows, next) = self.store.list_registrations(&self.filter, self.after.as_ref(), limit).await?;
        let why = format!("{} [{}: {} people]", self.purpose, self.locality.code(), rows.len());
        self.store.audit(&self.staff.audited("registration.list", None, &why, self.app.clock().now())).await?;
        self.left = self.left.map(|left| left - limit);
        self.ended = next.is_none() || self.left.is_some_and(|left| left <= 0);
        self.after = next;
        Ok(rows.into_iter().map(|row| ListedRegistration::of(&self.app, row)).collect())
    }

    fn sheet_rows(rows: &[ListedRegistration]) -> Bytes {
        sheet::rows(rows.iter().map(ListedRegistration::cells))
    }
}

fn key_text(key: &ListKey) -> String {
    asked::cursor(&[&key.rank.to_string(), &key.district, &key.person.simple().to_string()])
}

fn parse_key(parts: &[&str]) -> Option<ListKey> {
    let [rank, district, person] = parts else { return None };
    let district = reference::unit(district).filter(|unit| unit.code.len() == 3)?.code.to_owned();
    Some(ListKey { rank: rank.parse().ok()?, district, person: Uuid::try_parse(person).ok()? })
}

fn filter(query: &ListQuery, locality: &Locality) -> Result<ListFilter, Problem> {
    let mut districts = locality.districts.clone();
    if let Some(code) = &query.ward {
        let ward = reference::ward(code).filter(|ward| districts.iter().any(|code| code == ward.district.code));
        let ward = ward.ok_or_else(|| {
            bad("ward", "there is no commune with this code there", "nơi đó không có xã, phường mang mã này")
        })?;
        districts = vec![ward.district.code.to_owned()];
    }
    let rank = query.group.map(|group| {
        let rank = u64::try_from(group).ok().and_then(priority::rank);
        rank.ok_or_else(|| bad("group", "expected 1 to 16, or 0", "cần 1 đến 16, hoặc 0"))
    });
    if query.status.as_ref().is_some_and(|status| !contact::STATUSES.contains(&status.as_str())) {
        return Err(bad("status", "there is no such status", "không có trạng thái này"));
    }
    Ok(ListFilter { districts, ward: query.ward.clone(), rank: rank.transpose()?, status: query.status.clone() })
}

fn wants_csv(request: &HttpRequest, format: Option<&str>) -> Result<bool, Problem> {
    match format {
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(_) => Err(bad("format", "expected json or csv", "cần json hoặc csv")),
        None => {
            let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
            Ok(accept.split(',').any(|media| media.split(';').next().unwrap_or("").trim() == "text/csv"))
        }
    }
}

/// The registrations of a district or a province, as a page or a sheet.
pub(super) async fn answer(app: Arc<App>, request: &HttpRequest, staff: Staff) -> Result<HttpResponse, Problem> {
    let query: ListQuery = asked::query(request)?;
    list(app, request, staff, query).await
}

async fn list(app: Arc<App>, request: &HttpRequest, staff: Staff, query: ListQuery) -> Result<HttpResponse, Problem> {
    let locality = locality::asked_for(&app, &staff, query.province.as_deref(), query.district.as_deref()).await?;
    let purpose = asked::purpose(query.purpose.clone())?;
    let (filter, csv) = (filter(&query, &locality)?, wants_csv(request, query.format.as_deref())?);
    let after = asked::parse_cursor(query.after.as_deref(), parse_key)?;
    let left = match (csv, query.limit) {
        (true, Some(limit)) if limit < 1 => return Err(bad("limit", "expected 1 or more", "cần 1 trở lên")),
        (true, limit) => limit,
        (false, limit) => Some(asked::limit(limit)?),
    };
    let store = staff.lookups(request, &app);
    let mut pages = Pages { app, store, staff, locality, filter, purpose, after, left, ended: false };
    let first = pages.next(asked::MAX_LIMIT).await?;
    if !csv {
        let next = pages.after.as_ref().map(key_text);
        return Ok(asked::answer(&RegistrationPage { registrations: first, next }));
    }
    let language = problem::spoken();
    let head = sheet::head(&HEADINGS.map(|heading| heading.text(language)));
    let begun = stream::iter([Ok(head), Ok(Pages::sheet_rows(&first))]);
    let rest = stream::unfold((pages, InFlight::enter()), |(mut pages, in_flight)| async move {
        if pages.ended {
            return None;
        }
        let page = pages.next(asked::MAX_LIMIT).await;
        pages.ended |= page.is_err(); // the answer breaks off, so that nobody takes it for whole
        Some((page.map(|rows| Pages::sheet_rows(&rows)), (pages, in_flight)))
    });
    let mut response = HttpResponse::Ok();
    response.insert_header(NO_STORE).content_type(sheet::CSV);
    response.insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"registrations.csv\""));
    Ok(response.streaming(begun.chain(rest)))
}

/// What came of calling somebody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactRequest {
    /// `called`, `no_answer`, `scheduled`, `declined`, `vaccinated`.
    status: String,
    /// In the caller's words, at most 500 characters.
    note: Option<String>,
    /// The session that they are given a place in; needed with `scheduled`, and only then.
    session: Option<String>,
    /// How the registration stood when the list was read: if it stands otherwise, nothing is changed.
    seen: SeenRegistration,
}

/// How a registration was seen to stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenRegistration {
    /// Its `status`.
    status: String,
    /// Its `contacts`.
    contacts: i64,
}

/// How a registration stands after a contact.
#[derive(Serialize, ToSchema)]
pub struct ContactAnswer {
    /// Whose.
    person: Uuid,
    /// How it stands.
    #[schema(value_type = String)]
    status: &'static str,
    /// How many contacts were written down.
    contacts: i64,
}

/// Writes down what came of calling somebody who registered.
pub(super) async fn contact(
    app: &App,
    staff: &Staff,
    person: Uuid,
    asked: ContactRequest,
) -> Result<HttpResponse, Problem> {
    let state = app.store().registration_state(person).await?;
    let state = state.ok_or_else(|| Problem::new(Kind::UNKNOWN_REGISTRATION))?;
    locality::within(app, staff, locality::province_of(&state.district)).await?;
    let outcome = contact::OUTCOMES.into_iter().find(|outcome| *outcome == asked.status);
    let outcome = outcome.ok_or_else(|| {
        let en = "expected called, no_answer, scheduled, declined or vaccinated";
        refused("status", en, "cần called, no_answer, scheduled, declined hoặc vaccinated")
    })?;
    let session = asked.session.as_deref().map(sessions::parse_session_name);
    let session = match (outcome == contact::SCHEDULED, session) {
        (true, Some(Some(session))) => Some(session),
        (false, None) => None,
        (false, Some(_)) => {
            return Err(refused("session", "it goes with scheduled only", "chỉ dùng khi đã xếp lịch (scheduled)"));
        }
        (true, _) => return Err(refused("session", "scheduled needs a session's id", "cần mã buổi tiêm khi xếp lịch")),
    };
    if let Some((facility, _)) = &session {
        super::appointments::may_use(app.store(), staff, facility).await?;
    }
    let contact = Contact {
        person,
        seen_status: asked.seen.status,
        seen_contacts: asked.seen.contacts,
        outcome,
        note: asked::note("note", asked.note)?,
        session,
        audited: staff.audited("registration.contact", Some(person), outcome, app.clock().now()),
    };
    match app.store().transact(&contact).await? {
        Contacted::Done(contacts) => Ok(asked::answer(&ContactAnswer { person, status: outcome, contacts })),
        Contacted::Unknown => Err(Problem::new(Kind::UNKNOWN_REGISTRATION)),
        Contacted::Changed => Err(Problem::new(Kind::CHANGED_MEANWHILE)),
        Contacted::NoPlace(placed) => Err(super::appointments::no_place(placed)),
    }
}
