//! `GET /v1/stats/stream`: what goes on, told once a second as server-sent events, to whoever watches.

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use super::access::Reach;
use super::asked::{self, bad};
use super::auth::Staff;
use super::problem::{Kind, Problem, ProblemDocument};
use super::refusals::ReadRefusals;
use super::{NO_STORE, reading, stats_places};
use crate::app::App;
use crate::app::hub::{Full, Listener, Told};
use crate::app::live::{Live, Scope};
use crate::app::stats::Within;
use crate::certificate::UnixSeconds;

/// About which part.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// A province's code; a province has its own where nothing is said, others the whole country.
    within: Option<String>,
}

/// Rates, totals, queues, nodes and the database, as events named `live`, one a second.
///
/// The stream ends when the token does, or the node stops; whoever takes nothing for half a minute is told no more when they take
/// something again. A province is told of itself, and nothing of rates, the service's queues, nodes and database.
#[utoipa::path(
    get, path = "/v1/stats/stream", tag = "stats", security(("bearer" = [])), params(StreamQuery),
    responses((status = 200, description = "Events, each with this as its data", content((Live = "text/event-stream"))), ReadRefusals,
        (status = 429, description = "`too_many_requests`: a caller may have 8 streams on a node", body = ProblemDocument, content_type = "application/problem+json"))
)]
pub async fn get_stream(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let staff = Staff::of(&request, app.clock().now())?;
    let query: StreamQuery = asked::query(&request)?;
    let scope = match stats_places::within(&app, &staff, query.within.as_deref()).await? {
        Within::Country => Scope::Service,
        Within::Province(code) if staff.reach == Reach::All => Scope::Province(code),
        Within::Province(code) => Scope::OwnProvince(code),
        Within::District(_) => return Err(bad("within", "expected a province's code", "cần mã tỉnh")),
    };
    let listener = app.hub().listen(&reading::name_of(&staff.caller)).map_err(|full| match full {
        Full::All => Problem::new(Kind::OVERLOADED),
        Full::Theirs => Problem::new(Kind::TOO_MANY_REQUESTS).detail("a caller may have 8 streams on a node"),
    })?;
    let expires_at = staff.caller.expires_at;
    let telling = Telling { app, listener, scope, expires_at };
    let events = stream::unfold(telling, |mut telling| async move {
        let bytes = telling.next().await?;
        Some((Ok::<Bytes, Problem>(bytes), telling))
    });
    let mut response = HttpResponse::Ok();
    // nginx holds answers back otherwise.
    response.insert_header(NO_STORE).insert_header(("X-Accel-Buffering", "no"));
    Ok(response.insert_header((header::CONTENT_TYPE, "text/event-stream")).streaming(Box::pin(events)))
}

/// A stream under way.
struct Telling {
    app: web::Data<App>,
    listener: Listener,
    scope: Scope,
    expires_at: UnixSeconds,
}

impl Telling {
    /// What is sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let told = self.listener.next().await?;
        if self.app.clock().now() >= self.expires_at {
            return None;
        }
        Some(match told {
            Told::Event(event) => event.text(&self.scope),
            Told::Nothing => Bytes::from_static(b": still here\n\n"),
        })
    }
}
