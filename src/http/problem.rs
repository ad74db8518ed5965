//! What we say to a request we could not read or serve: RFC 9457 problem documents, each with one stable `code`.
//! A rejected certificate is no problem but an answer: see `verify.rs`.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::ToSchema;

use crate::language::{Language, Said};
use crate::store::StoreError;

/// A request we could not read or serve. Its text repeats nothing that was sent.
#[derive(Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    /// The same in Vietnamese, where we have it.
    detail_vi: Option<&'static str>,
    field: Option<Cow<'static, str>>,
    /// Why it happened, for the log alone: an answer of 5xx says nothing of its cause.
    cause: Option<Box<str>>,
    /// Seconds after which another try is worth it, where we know.
    retry_after: Option<u16>,
    /// Whether pages of every origin may read it; set where no middleware will.
    public: bool,
}

/// Every kind of problem: its status, its `code`, its title. One table for answers, OpenAPI and README.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The HTTP status.
    pub status: u16,
    /// The stable word.
    pub code: &'static str,
    /// The same for every problem of this kind.
    pub title: &'static Said,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $status:literal $code:literal $en:literal $vi:literal;)*) => {
        impl Kind {
            $($(#[doc = $doc])* pub const $name: Kind =
                Kind { status: $status, code: $code, title: &Said { en: $en, vi: $vi } };)*
            /// Every kind, by status. A refused dose has further codes of its own, all with status 422.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];
        }
    };
}

kinds! {
    /// The body is no JSON.
    BAD_JSON = 400 "bad_json" "The body is not JSON" "Nội dung không phải là JSON";
    /// JSON, but not the members that this route takes.
    WRONG_SHAPE = 400 "wrong_shape" "The JSON is not what this route takes" "JSON không đúng cấu trúc";
    /// A text body that is not UTF-8.
    NOT_UTF8 = 400 "not_utf8" "The body is not UTF-8" "Nội dung không phải là UTF-8";
    /// The connection broke off, or the transfer coding is broken.
    BODY_BROKEN = 400 "body_broken" "The body did not arrive whole" "Nội dung không đến đủ";
    /// A path or query parameter is not understood.
    BAD_PARAMETER = 400 "bad_parameter" "A parameter is not understood" "Tham số không hợp lệ";
    /// No bearer token where one is needed.
    NO_TOKEN = 401 "no_token" "This route needs a bearer token" "Cần đăng nhập";
    /// A token that we did not make, or for somebody else, or broken.
    TOKEN_INVALID = 401 "token_invalid" "The bearer token is not accepted" "Phiên đăng nhập không được chấp nhận";
    /// A token that was good once.
    TOKEN_EXPIRED = 401 "token_expired" "The bearer token has expired" "Phiên đăng nhập đã hết hạn";
    /// The role may not use this route at all.
    ROLE_NOT_ALLOWED = 403 "role_not_allowed" "This role may not do this" "Vai trò này không được phép";
    /// The role may use this route, but not for what belongs to others.
    NOT_YOURS = 403 "not_yours" "This belongs to another facility or province" "Dữ liệu này thuộc về nơi khác";
    /// What was asked for by one person is to be confirmed by another.
    SECOND_PERSON_NEEDED = 403 "second_person_needed" "This takes a second person" "Việc này cần người thứ hai xác nhận";
    /// No such route.
    UNKNOWN_ROUTE = 404 "unknown_route" "There is nothing at this address" "Không có gì ở địa chỉ này";
    /// No certificate with this UVCI.
    UNKNOWN_CERTIFICATE = 404 "unknown_certificate" "There is no such certificate" "Không có chứng nhận này";
    /// Nobody with this id.
    UNKNOWN_PERSON = 404 "unknown_person" "There is no such person" "Không có người này";
    /// The person has not registered.
    UNKNOWN_REGISTRATION = 404 "unknown_registration" "There is no such registration" "Không có đăng ký này";
    /// No session with this id.
    UNKNOWN_SESSION = 404 "unknown_session" "There is no such session" "Không có buổi tiêm này";
    /// No dose with this id.
    UNKNOWN_DOSE = 404 "unknown_dose" "There is no such dose" "Không có mũi tiêm này";
    /// No case with this id.
    UNKNOWN_TICKET = 404 "unknown_ticket" "There is no such case" "Không có vụ việc này";
    /// No change of that name waits.
    UNKNOWN_CHANGE = 404 "unknown_change" "No such change waits" "Không có thay đổi nào như vậy đang chờ";
    /// No such correction, or no photo of it.
    UNKNOWN_CORRECTION = 404 "unknown_correction" "There is no such correction" "Không có yêu cầu đính chính này";
    /// No import with this id.
    UNKNOWN_IMPORT = 404 "unknown_import" "There is no such import" "Không có lần nhập dữ liệu này";
    /// No request to revoke with this id.
    UNKNOWN_REVOCATION = 404 "unknown_revocation" "There is no such revocation" "Không có lần thu hồi này";
    /// No slice of that name belongs to an index that is served.
    UNKNOWN_SLICE = 404 "unknown_slice" "There is no such slice" "Không có phần dữ liệu này";
    /// The log has no such tile, or none as wide.
    UNKNOWN_TILE = 404 "unknown_tile" "There is no such tile" "Không có phần dữ liệu này của sổ minh bạch";
    /// The log has no entry that would be in such a list, or one of the past is asked for.
    UNKNOWN_STATUS_LIST = 404 "unknown_status_list" "There is no such status list" "Không có danh sách trạng thái này";
    /// Nothing was signed yet, or it is not in the log yet.
    LOG_EMPTY = 404 "log_empty" "The transparency log is empty" "Sổ minh bạch chưa có gì";
    /// The route exists, the method does not.
    METHOD_NOT_ALLOWED = 405 "method_not_allowed" "This route does not take this method" "Địa chỉ này không nhận phương thức đó";
    /// Part of the body did not come in time.
    BODY_TOO_SLOW = 408 "body_too_slow" "The body did not arrive in time" "Nội dung không đến kịp thời gian";
    /// Somebody else changed it since it was read.
    CHANGED_MEANWHILE = 409 "changed_meanwhile" "It was changed meanwhile; read it again" "Dữ liệu vừa được thay đổi; hãy đọc lại";
    /// Every place of the session is taken.
    SESSION_FULL = 409 "session_full" "Every place of this session is taken" "Buổi tiêm đã hết chỗ";
    /// Another account holds this person's record.
    PERSON_HELD = 409 "person_held" "Another account holds this person's record" "Hồ sơ của người này thuộc một tài khoản khác";
    /// Another account answers to this phone number.
    PHONE_IN_USE = 409 "phone_in_use" "Another account answers to this number" "Số này thuộc một tài khoản khác";
    /// The registration was withdrawn: it is opened by registering again.
    REGISTRATION_WITHDRAWN = 409 "registration_withdrawn" "This registration was withdrawn" "Đăng ký này đã được rút";
    /// The dose was voided.
    DOSE_VOIDED = 409 "dose_voided" "This dose was voided" "Mũi tiêm này đã bị huỷ";
    /// The person has such a dose already.
    DOSE_DUPLICATE = 409 "dose_duplicate" "The person has this dose already" "Người này đã có mũi tiêm này";
    /// Another change waits for a second person.
    CHANGE_WAITS = 409 "change_waits" "Another change waits for a second person" "Một thay đổi khác đang chờ người thứ hai";
    /// What was to be changed is no longer what it was.
    CHANGE_OUTDATED = 409 "change_outdated" "The dose was changed since" "Mũi tiêm đã được sửa từ đó";
    /// What is to be undone was never done.
    NOT_REVOKED = 409 "not_revoked" "This certificate was not revoked" "Chứng nhận này chưa từng bị thu hồi";
    /// The record says that the certificate is wrong.
    PUT_RIGHT = 409 "put_right" "It fell because the record was put right" "Chứng nhận bị thu hồi do hồ sơ đã được đính chính";
    /// The hour in which it can be undone is over.
    TOO_LATE = 409 "too_late" "It is too late to undo this" "Đã quá thời hạn hoàn tác";
    /// The record was changed since.
    NO_LONGER_TRUE = 409 "no_longer_true" "What this certificate says is no longer true" "Nội dung chứng nhận này không còn đúng";
    /// A later certificate says something else.
    CERTIFICATE_SUPERSEDED = 409 "certificate_superseded" "A later certificate took its place" "Đã có chứng nhận mới hơn thay thế";
    /// Somebody answered in the meantime.
    CORRECTION_CHANGED = 409 "correction_changed" "Somebody was faster: read it again" "Đã có người khác xử lý trước: hãy đọc lại";
    /// It was accepted or rejected before.
    CORRECTION_CLOSED = 409 "correction_closed" "This correction is closed" "Yêu cầu đính chính này đã kết thúc";
    /// So many are open about the person already.
    TOO_MANY_CORRECTIONS = 409 "too_many_corrections" "Too many corrections are open" "Đang có quá nhiều yêu cầu đính chính";
    /// The certificate was revoked; its picture is no longer handed out.
    CERTIFICATE_REVOKED = 410 "certificate_revoked" "This certificate was revoked" "Chứng nhận này đã bị thu hồi";
    /// The body is longer than this route takes.
    BODY_TOO_LARGE = 413 "body_too_large" "The body is too large" "Nội dung quá lớn";
    /// The body's media type, charset or content coding is not one of this route's.
    UNSUPPORTED_MEDIA_TYPE = 415 "unsupported_media_type" "This route does not take this kind of body" "Không nhận loại nội dung này";
    /// The same `Idempotency-Key` came with another body.
    IDEMPOTENCY_KEY_REUSED = 422 "idempotency_key_reused" "This Idempotency-Key was used with another body" "Idempotency-Key này đã dùng cho nội dung khác";
    /// The one-time code is wrong, too old, used, or was tried too often.
    CODE_WRONG = 422 "code_wrong" "The code is not right, or no longer good" "Mã không đúng hoặc không còn hiệu lực";
    /// No record fits what was said of it, or more is needed.
    CLAIM_REFUSED = 422 "claim_refused" "No record can be claimed with this" "Không thể nhận hồ sơ với thông tin này";
    /// An account holds a bounded number of people.
    TOO_MANY_PEOPLE = 422 "too_many_people" "This account holds as many people as it may" "Tài khoản đã đủ số người";
    /// Something is asked for that cannot be made.
    UNPROCESSABLE = 422 "unprocessable" "This cannot be done as it stands" "Không thể thực hiện yêu cầu này";
    /// Too much was asked for in a short time.
    TOO_MANY_REQUESTS = 429 "too_many_requests" "Too many tries; wait a while" "Thử quá nhiều lần; vui lòng chờ";
    /// Something broke on our side.
    INTERNAL = 500 "internal" "Something went wrong on our side" "Hệ thống gặp lỗi";
    /// A thing we need, such as the database, cannot be had right now.
    UNAVAILABLE = 503 "unavailable" "The service cannot do this right now" "Hệ thống tạm thời chưa phục vụ được";
    /// More requests than we can work on at once.
    OVERLOADED = 503 "overloaded" "The service is busy" "Hệ thống đang bận";
    /// `/readyz` names what is missing.
    NOT_READY = 503 "not_ready" "The service is not ready" "Hệ thống chưa sẵn sàng";
    /// The anchor has signed no list yet: it may be kept off line.
    NOT_SIGNED = 503 "not_signed" "It is not signed yet" "Chưa được ký";
}

/// The document itself. Source: RFC 9457 §3.
#[derive(Serialize, ToSchema)]
pub struct ProblemDocument<'a> {
    /// `urn:thexanh:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every problem with this code.
    title: &'a str,
    /// The HTTP status, repeated.
    status: u16,
    /// The stable word to switch on.
    #[schema(example = "unknown_route")]
    code: &'a str,
    /// What is wrong with this request, for people. Repeats nothing that was sent.
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    /// Which member of the body, parameter or header is meant, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Problem {
    /// A problem of this kind without more to say.
    pub fn new(kind: Kind) -> Problem {
        Problem {
            kind,
            detail: Cow::Borrowed(""),
            detail_vi: None,
            field: None,
            cause: None,
            retry_after: None,
            public: false,
        }
    }

    /// The same with a sentence on what is wrong with this request.
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Problem {
        self.detail = detail.into();
        self
    }

    /// The same with a sentence in both languages.
    pub fn said(mut self, said: Said) -> Problem {
        self.detail = Cow::Borrowed(said.en);
        self.detail_vi = Some(said.vi);
        self
    }

    /// The same naming the member of the body, the parameter or the header that is meant.
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Problem {
        self.field = Some(field.into());
        self
    }

    /// The same for pages of every origin to read, if the route is `public`.
    pub fn read_from_everywhere(mut self, public: bool) -> Problem {
        self.public = public;
        self
    }

    /// The same with its cause, which goes to the log and nowhere else.
    pub fn because(mut self, cause: impl fmt::Display) -> Problem {
        self.cause = Some(cause.to_string().into());
        self
    }

    /// The same saying after how many seconds another try is worth it.
    pub fn retry_after(mut self, seconds: i64) -> Problem {
        self.retry_after = u16::try_from(seconds.max(1)).ok();
        self
    }

    /// Something of ours broke: 500, with the cause for the log.
    pub fn internal(cause: impl fmt::Display) -> Problem {
        Problem::new(Kind::INTERNAL).because(cause)
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its stable word.
    pub fn code(&self) -> &'static str {
        self.kind.code
    }

    /// What is wrong with this request, for people who read `language`; empty when the title says it all.
    pub fn told(&self, language: Language) -> &str {
        match (language, self.detail_vi) {
            (Language::Vietnamese, Some(vi)) => vi,
            _ => &self.detail,
        }
    }

    /// Which member, parameter or header is meant.
    pub fn meant(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Why it happened, for the log.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The JSON text of the document for people who read `language`.
    pub fn document(&self, language: Language) -> String {
        let document = ProblemDocument {
            kind: format!("urn:thexanh:problem:{}", self.kind.code),
            title: self.kind.title.text(language),
            status: self.kind.status,
            code: self.kind.code,
            detail: self.told(language),
            field: self.field.as_deref(),
        };
        serde_json::to_string(&document).unwrap_or_else(|_| "{}".to_owned())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.title.en)
    }
}

impl std::error::Error for Problem {}

impl actix_web::ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status_code());
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if self.public {
            response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
        }
        match self.kind.status {
            401 if self.kind == Kind::NO_TOKEN => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            401 => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""));
            }
            // Long enough for a database to come back, short enough for a person to wait.
            503 => {
                response.insert_header((header::RETRY_AFTER, "2"));
            }
            429 => {
                response.insert_header((header::RETRY_AFTER, self.retry_after.unwrap_or(60).to_string()));
            }
            _ => {}
        }
        response.content_type(PROBLEM_JSON).body(self.document(LANGUAGE.get()))
    }
}

thread_local! {
    /// What the one reads whose request this worker is at: a problem is worded where no request is at hand.
    static LANGUAGE: Cell<Language> = const { Cell::new(Language::English) };
}

/// Problems that arise on this thread are worded in `language` from now on. The envelope says it whenever it turns to a request.
pub(super) fn speak(language: Language) {
    LANGUAGE.set(language);
}

/// What the one reads whose request this worker is at.
pub(super) fn spoken() -> Language {
    LANGUAGE.get()
}

/// The media type of every problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What the database did not do is no fault of the caller's: worth another try, or a defect of ours.
impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Problem {
        match error {
            StoreError::Url(_)
            | StoreError::ReadUrl(_)
            | StoreError::Embedded(_)
            | StoreError::Unreachable(_)
            | StoreError::Refused(_)
            | StoreError::Contended(_) => Problem::new(Kind::UNAVAILABLE).because(error),
            StoreError::Migration(_) | StoreError::Unreadable(_) => Problem::internal(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Problem::from(&error)
    }
}

/// Says what is wrong with a JSON text without repeating any of it.
impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Problem {
        use serde_json::error::Category;
        let place = format!("line {}, column {}", error.line(), error.column());
        let message = error.to_string();
        match error.classify() {
            // The name of a missing member is ours; everything else that serde says may hold what was sent.
            Category::Data => Problem::new(Kind::WRONG_SHAPE).detail(match message.strip_prefix("missing field `") {
                Some(rest) => format!("the member {} is missing", rest.split('`').next().unwrap_or_default()),
                None => format!("a member is unknown, twice there or of the wrong type at {place}"),
            }),
            Category::Eof => Problem::new(Kind::BAD_JSON).detail("the body ends in the middle of a JSON value"),
            Category::Syntax | Category::Io => Problem::new(Kind::BAD_JSON).detail(format!("no JSON at {place}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_there_once_and_every_status_is_an_error() {
        let mut codes: Vec<_> = Kind::ALL.iter().map(|kind| kind.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|kind| (400..600).contains(&kind.status)));
        assert!(Kind::ALL.is_sorted_by_key(|kind| kind.status));
    }

    #[test]
    fn a_cause_stays_out_of_the_answer() {
        let problem = Problem::internal("password hush refused");
        assert!(!problem.document(Language::English).contains("hush"));
        assert_eq!(problem.cause(), Some("password hush refused"));
    }

    #[test]
    fn a_json_error_repeats_nothing_that_was_sent() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Row {
            #[allow(dead_code, reason = "only its name is looked at")]
            record_no: u8,
        }
        for (text, code) in [
            (r#"{"Nguyen":1}"#, "wrong_shape"),
            (r#"{"record_no":"Nguyen"}"#, "wrong_shape"),
            (r#"{"record_no":1,Nguyen}"#, "bad_json"),
            (r#"{"record_no":1"#, "bad_json"),
            ("", "bad_json"),
            ("{}", "wrong_shape"),
        ] {
            let problem = Problem::from(serde_json::from_str::<Row>(text).expect_err(text));
            assert_eq!(problem.code(), code, "{text}");
            assert!(!problem.document(Language::English).contains("Nguyen"));
        }
        let missing = Problem::from(serde_json::from_str::<Row>("{}").expect_err("empty"));
        assert!(
            missing.document(Language::English).contains("the member record_no is missing"),
            "{}",
            missing.document(Language::English)
        );
    }
}
