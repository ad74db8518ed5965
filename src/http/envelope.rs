//! What every answer of a mounted route gets: a request id, a count and a time, CORS if the route is public, one log
//! line if it is a 5xx, and a 500 if its handler panics.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use metrics::{Counter, Histogram};

use super::problem::{self, Kind, Problem};
use super::reading;
use crate::app::Meters;
use crate::language::Language;

/// From where a route's answers may be read.
pub enum Openness {
    /// Not by pages of other origins.
    Closed,
    /// From everywhere, but for the answers to these methods.
    But(Vec<&'static str>),
}

impl Openness {
    /// True if pages of every origin may read the answer to this method.
    fn allows(&self, method: &Method) -> bool {
        matches!(self, Openness::But(closed) if !closed.contains(&method.as_str()))
    }
}

/// What an envelope knows of its route.
pub struct Envelope {
    route: &'static str,
    openness: Openness,
    access_log: bool,
    max_in_flight: usize,
    classes: [Counter; 6],
    seconds: Histogram,
}

thread_local! {
    /// Requests in work on this worker.
    static IN_FLIGHT: Cell<usize> = const { Cell::new(0) };
}

/// One request in work on this worker; counts itself out when it is dropped. An answer that is streamed holds one of its own.
pub(super) struct InFlight;

impl InFlight {
    /// Counts one in.
    pub fn enter() -> InFlight {
        IN_FLIGHT.with(|count| count.set(count.get() + 1));
        InFlight
    }

    /// How many there are.
    fn count() -> usize {
        IN_FLIGHT.with(Cell::get)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        IN_FLIGHT.with(|count| count.set(count.get() - 1));
    }
}

thread_local! {
    /// Where this thread's errors are counted for those who watch: a worker serves one node.
    static ERRORS: RefCell<Option<Arc<Meters>>> = const { RefCell::new(None) };
}

/// Counts what this thread answers with a 5xx from now on.
pub fn count_errors(meters: &Arc<Meters>) {
    ERRORS.set(Some(Arc::clone(meters)));
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Envelope {
    /// The envelope of one route's answers.
    pub fn new(route: &'static str, openness: Openness, access_log: bool, max_in_flight: usize) -> Rc<Envelope> {
        crate::telemetry::metrics();
        metrics::describe_counter!("thexanh_http_requests_total", "Requests answered, by route and class of status");
        metrics::describe_histogram!("thexanh_http_request_seconds", "Seconds to an answer's head, by route");
        let class = |class| metrics::counter!("thexanh_http_requests_total", "route" => route, "status" => class);
        Rc::new(Envelope {
            route,
            openness,
            access_log,
            max_in_flight,
            classes: ["other", "1xx", "2xx", "3xx", "4xx", "5xx"].map(class),
            seconds: metrics::histogram!("thexanh_http_request_seconds", "route" => route),
        })
    }

    /// Answers `request` with what is inside, and seals it.
    pub async fn seal<B: MessageBody>(
        self: Rc<Self>,
        request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<B>, Error> {
        let began = Instant::now();
        let id = request_id(request.headers());
        let language = language(request.headers());
        let public = self.openness.allows(request.method());
        let method = self.access_log.then(|| request.method().clone());
        let _in_flight = InFlight::enter();
        let answer = match InFlight::count() > self.max_in_flight {
            true => {
                problem::speak(language);
                Err(Problem::new(Kind::OVERLOADED).read_from_everywhere(public).into())
            }
            false => caught(next.call(request), public, language).await,
        };
        let status = match &answer {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        let elapsed = began.elapsed();
        self.seconds.record(elapsed);
        if let Some(counter) = self.classes.get(usize::from(status.as_u16() / 100)).or(self.classes.first()) {
            counter.increment(1);
        }
        if status.is_server_error() {
            ERRORS.with_borrow(|meters| meters.iter().for_each(|meters| meters.errors.add(1)));
            let error = match &answer {
                Ok(response) => response.response().error(),
                Err(error) => Some(error),
            };
            self.log(error.and_then(|error| error.as_error::<Problem>()), &id);
        }
        if let Some(method) = method {
            let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
            let (route, status, id) = (self.route, status.as_u16(), id.to_str().unwrap_or_default());
            tracing::info!(target: "thexanh::access", %method, route, status, micros, id, "answered");
        }
        let mut response = answer?;
        let request = response.request().clone();
        let headers = response.headers_mut();
        reading::say(&request, headers);
        headers.insert(REQUEST_ID, id);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if public {
            allow_every_origin(headers);
        }
        Ok(response)
    }

    /// Logs a 5xx once, with its cause and without anything that was sent.
    fn log(&self, problem: Option<&Problem>, id: &HeaderValue) {
        let (code, cause) = match problem {
            Some(problem) => (problem.code(), problem.cause().unwrap_or("")),
            None => (Kind::INTERNAL.code, "an error without a problem document"),
        };
        // A service that is busy or whose database is away says so once a request: that is the load, not a fault.
        tracing::error!(
            code,
            cause,
            route = self.route,
            id = id.to_str().unwrap_or_default(),
            "could not serve a request"
        );
    }
}

/// The answer of `work`, or a 500 if it panics; the panic itself is logged by its place alone, see `telemetry.rs`.
async fn caught<T>(work: impl Future<Output = Result<T, Error>>, public: bool, language: Language) -> Result<T, Error> {
    let mut work = Box::pin(work);
    poll_fn(move |context| {
        problem::speak(language);
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(polled) => polled,
            Err(_) => Poll::Ready(Err(Problem::internal("a handler panicked").read_from_everywhere(public).into())),
        }
    })
    .await
}

fn language(headers: &HeaderMap) -> Language {
    let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    header.map_or(Language::English, Language::preferred)
}

/// The caller's request id if it is a modest word, else one of ours: eight hex digits of this process, and a count.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    static PROCESS: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let modest = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        (1..=64).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    if let Some(theirs) = headers.get(REQUEST_ID).filter(|value| modest(value)) {
        return theirs.clone();
    }
    let process = PROCESS.get_or_init(|| uuid::Uuid::new_v4().as_fields().0);
    let ours = format!("{process:08x}-{:x}", COUNT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::try_from(ours).unwrap_or(HeaderValue::from_static("none"))
}

/// Lets pages of every origin read the answer: public routes take no cookies, so there is nothing to steal.
pub fn allow_every_origin(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let readable = HeaderValue::from_static("ETag, Retry-After, X-Request-Id");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, readable);
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, try_call_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;

    async fn panics() -> HttpResponse {
        panic!("with a name in it: Nguyen");
    }

    async fn panics_later() -> HttpResponse {
        tokio::task::yield_now().await;
        panics().await
    }

    #[actix_web::test]
    async fn a_handler_that_panics_is_answered_500_and_the_next_one_served() {
        let seal = |request, next| Envelope::new("/x", Openness::But(Vec::new()), false, 10).seal(request, next);
        let app = App::new()
            .service(web::resource("/now").to(panics).wrap(from_fn(seal)))
            .service(web::resource("/later").to(panics_later).wrap(from_fn(seal)))
            .service(web::resource("/fine").to(HttpResponse::Ok).wrap(from_fn(seal)));
        let app = init_service(app).await;
        for path in ["/now", "/later"] {
            let error = try_call_service(&app, TestRequest::get().uri(path).to_request()).await.expect_err("panicked");
            let answer = error.error_response();
            assert_eq!(answer.status(), 500);
            let problem = error.as_error::<Problem>().expect("a problem");
            assert_eq!(problem.code(), "internal");
            assert!(!problem.document(Language::English).contains("Nguyen"));
            assert_eq!(IN_FLIGHT.with(Cell::get), 0, "counted out");
        }
        assert_eq!(call_service(&app, TestRequest::get().uri("/fine").to_request()).await.status(), 200);
    }
}
