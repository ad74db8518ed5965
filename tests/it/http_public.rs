//! The trust list, reference data, the service's state, and the documents that describe it all.

use std::collections::HashSet;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use coset::CborSerializable as _;
use serde_json::{Value, json};
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::{ROUTES, Role, Who};
use thexanh::http::problem::Kind;
use thexanh::keys::{Algorithm, PublicKey};

use crate::app::{NOW, TestApp};
use crate::client::Answer;
use crate::texts::{key, listed};

async fn asking(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    app.request("GET", path, headers, b"").await
}

#[tokio::test]
async fn the_trust_list_is_enough_to_verify_with_and_is_sent_once_a_version() {
    let app = TestApp::start().await;
    let answer = app.get("/v1/trust-list").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert!(answer.header("cache-control").starts_with("public, max-age="));
    let list = answer.json();
    assert_eq!((&list["version"], &list["issued_at"]), (&json!(1), &json!(NOW.0)));
    assert!(list["next_update"].as_i64() > Some(NOW.0));
    let keys = list["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 2);
    for key in keys {
        let der = BASE64_STANDARD.decode(key["public_key"].as_str().expect("a key")).expect("base64");
        let public = PublicKey::from_spki_der(&der).expect("a key");
        assert_eq!(key["kid"], public.kid().to_string());
        assert_eq!(key["algorithm"], public.algorithm().as_str());
        assert_eq!((&key["country"], &key["national"], &key["own"]), (&json!("VN"), &json!(true), &json!(true)));
        assert_eq!((&key["usages"], &key["signs_from"]), (&json!(["vaccination"]), &json!(NOW.0)));
        assert!(key.get("withdrawn_at").is_none());
    }
    let tag = answer.header("etag").to_owned();
    assert!(tag.starts_with('"'), "a strong tag");
    let same = asking(&app, "/v1/trust-list", &[("if-none-match", &tag)]).await;
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, &*tag));
    app.clock.set(UnixSeconds(NOW.0 + 100));
    assert_eq!(app.get("/v1/trust-list").await.header("etag"), tag, "time alone makes no new version");
    let more = key(Algorithm::EdDsa);
    app.app.store().put_issuer_key(&listed(&more)).await.expect("lists");
    app.app.store().withdraw_issuer_key(more.kid(), NOW).await.expect("withdraws");
    app.app.refresh().await.expect("refreshes");
    let next = asking(&app, "/v1/trust-list", &[("if-none-match", &tag)]).await;
    assert_eq!((next.status, &next.json()["version"]), (200, &json!(3)));
    let withdrawn =
        next.json()["keys"].as_array().expect("keys").iter().filter(|key| key["withdrawn_at"] == NOW.0).count();
    assert_eq!(withdrawn, 1);
}

#[tokio::test]
async fn the_trust_list_comes_as_jwks_and_as_a_cose_key_set() {
    let app = TestApp::start().await;
    let more = key(Algorithm::EdDsa);
    app.app.store().put_issuer_key(&listed(&more)).await.expect("lists");
    app.app.store().withdraw_issuer_key(more.kid(), NOW).await.expect("withdraws");
    app.app.refresh().await.expect("refreshes");
    let jwks = asking(&app, "/v1/trust-list", &[("accept", "text/html, application/jwk-set+json;q=0.9")]).await;
    assert_eq!(jwks.header("content-type"), "application/jwk-set+json");
    let jwks = jwks.json();
    let jwks = jwks["keys"].as_array().expect("keys");
    assert_eq!(jwks.len(), 2, "without the withdrawn one");
    for key in app.keyring.issuers() {
        let jwk = jwks.iter().find(|jwk| jwk["kid"] == key.kid().to_string()).expect("listed");
        let part = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect(name)).expect("base64url");
        let (point, kind) = match key.algorithm() {
            Algorithm::EdDsa => (part("x"), ["OKP", "Ed25519", "EdDSA"]),
            _ => ([part("x"), part("y")].concat(), ["EC", "P-256", "ES256"]),
        };
        assert!(key.spki_der().ends_with(&point));
        assert_eq!([&jwk["kty"], &jwk["crv"], &jwk["alg"]], kind);
    }
    let cose = asking(&app, "/v1/trust-list", &[("accept", "application/cose-key-set")]).await;
    assert_eq!(cose.header("content-type"), "application/cose-key-set");
    let set = coset::CoseKeySet::from_slice(&cose.body).expect("a COSE key set");
    assert_eq!(set.0.len(), 2);
    for key in app.keyring.issuers() {
        assert!(set.0.iter().any(|listed| listed.key_id == key.kid().0));
    }
}

#[tokio::test]
async fn what_is_large_is_sent_gzipped_to_those_who_take_it() {
    let app = TestApp::start().await;
    for path in ["/openapi.json", "/v1/trust-list", "/v1/reference/products"] {
        let plain = app.get(path).await;
        let gzip = asking(&app, path, &[("accept-encoding", "gzip")]).await;
        assert_eq!((plain.header("content-encoding"), gzip.header("content-encoding")), ("", "gzip"), "{path}");
        assert!(gzip.header("vary").contains("Accept-Encoding") && gzip.header("etag") != plain.header("etag"));
        let mut inflated = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&gzip.body[..]), &mut inflated).expect("gzip");
        assert_eq!(inflated, plain.body);
    }
}

#[tokio::test]
async fn reference_data_is_public() {
    let app = TestApp::start().await;
    let provinces = app.get("/v1/reference/provinces").await;
    assert_eq!(provinces.json()[1], json!({"code": "79", "name": "Thành phố Hồ Chí Minh"}));
    let facilities = app.get("/v1/reference/facilities").await.json();
    assert_eq!(facilities[0], json!({"code": "01001", "name": "Trạm y tế 01001", "province": "01"}));
    let codes = async |query: &str| -> Vec<String> {
        let rows = app.get(&format!("/v1/reference/facilities?{query}")).await.json();
        rows.as_array().expect("a list").iter().map(|row| row["code"].as_str().expect("a code").to_owned()).collect()
    };
    assert!(
        codes("province=79").await.iter().all(|code| code.starts_with("79")) && !codes("province=79").await.is_empty()
    );
    assert_eq!(codes("code=79001,01001,nowhere").await, ["01001", "79001"]);
    assert_eq!(codes("code=79001,01001&province=01").await, ["01001"]);
    for (count, status) in [(99, 200), (100, 200), (101, 400)] {
        let list = vec!["79001"; count].join(",");
        assert_eq!(app.get(&format!("/v1/reference/facilities?code={list}")).await.status, status, "{count}");
    }
    for query in ["place=79", "province=%00", "code=79001,%00"] {
        assert_eq!(app.get(&format!("/v1/reference/facilities?{query}")).await.status, 400, "{query}");
    }
    let products = app.get("/v1/reference/products").await;
    let pfizer = products.json().as_array().and_then(|all| all.iter().find(|p| p["code"] == "EU/1/20/1528").cloned());
    let pfizer = pfizer.expect("listed");
    assert_eq!((&pfizer["course"], &pfizer["min_interval_days"]), (&2.into(), &21.into()));
    let tag = provinces.header("etag");
    assert_eq!(asking(&app, "/v1/reference/provinces", &[("if-none-match", tag)]).await.status, 304);
}

#[tokio::test]
async fn the_service_tells_how_it_is() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/healthz").await.text(), "ok\n");
    assert_eq!(app.get("/readyz").await.text(), "ready\n");
    let head = app.request("HEAD", "/healthz", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    app.certificate("R-1").await;
    let metrics = app.get("/metrics").await;
    for name in [
        "thexanh_verdicts_total{",
        "thexanh_proof_cache_total{",
        "thexanh_doses_total{",
        "thexanh_http_requests_total{",
        "thexanh_http_request_seconds_bucket{",
        "thexanh_doses_waiting ",
        "thexanh_trust_version ",
        "thexanh_trust_signed_version ",
        "thexanh_trust_next_update ",
        "thexanh_remarks 0",
        "thexanh_revocations ",
    ] {
        assert!(metrics.text().contains(name), "{name}");
    }
    // Before its keys sign, the service is alive and not ready.
    app.clock.set(UnixSeconds(NOW.0 - 1));
    assert_eq!(app.get("/healthz").await.status, 200);
    let document = app.get("/readyz").await.problem(503, "not_ready");
    assert_eq!(document["detail"], "a signing key for compact, a signing key for hc1");
}

#[tokio::test]
async fn every_mounted_route_is_in_the_openapi_document_and_nothing_else() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let paths = document["paths"].as_object().expect("paths");
    let described: usize = paths.values().map(|item| item.as_object().expect("an item").len()).sum();
    assert_eq!(described, ROUTES.len(), "routes described and mounted");
    let operations = paths.values().flat_map(|item| item.as_object().expect("an item").values());
    let names: HashSet<&str> = operations.filter_map(|operation| operation["operationId"].as_str()).collect();
    assert_eq!(names.len(), ROUTES.len(), "each operation has a name of its own, by which clients know its types");
    for row in ROUTES {
        let operation = &paths[row.path][row.method.to_lowercase()];
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{} {}", row.method, row.path);
        assert_eq!(operation.get("security").is_some(), row.who != Who::Anyone, "{}", row.path);
        let has_body = matches!(row.method, "POST" | "PATCH" | "PUT") && !row.path.ends_with("/renew");
        assert_eq!(operation.get("requestBody").is_some(), has_body, "{}", row.path);
        let responses = operation["responses"].as_object().expect("responses");
        if row.who != Who::Anyone {
            assert!(responses.contains_key("401") && responses.contains_key("403"), "{}", row.path);
        }
        for (status, response) in responses {
            let is_error = status.starts_with(['4', '5']);
            assert_eq!(
                response["content"].get("application/problem+json").is_some(),
                is_error,
                "{} {status}",
                row.path
            );
        }
    }
}

#[tokio::test]
async fn the_openapi_document_holds_together() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").await.json();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 20);
    for reference in &references {
        let pointer = reference.strip_prefix('#').expect("a reference into the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let text = document.to_string();
    for kind in Kind::ALL.iter().filter(|kind| !["unknown_route", "method_not_allowed"].contains(&kind.code)) {
        assert!(text.contains(&format!("`{}`", kind.code)), "no route says that it answers {}", kind.code);
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.push(reference.clone());
            }
            members.values().for_each(|member| collect_references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_documents_pages_come_from_the_binary() {
    let app = TestApp::start().await;
    let answer = app.get("/docs").await;
    assert_eq!((answer.status, answer.header("location")), (307, "/docs/"));
    let page = app.get("/docs/").await;
    assert_eq!((page.status, page.header("content-type").starts_with("text/html")), (200, true));
    assert!(page.text().contains("swagger-ui"));
    for outside in ["http://", "https://", "//cdn"] {
        assert!(!page.text().contains(&format!("src=\"{outside}")), "{outside}: nothing is fetched from elsewhere");
    }
    assert!(app.get("/docs/swagger-initializer.js").await.text().contains("/openapi.json"));
    assert_eq!(app.get("/docs/swagger-ui.css").await.status, 200);
    app.get("/docs/nothing.js").await.problem(404, "unknown_route");
}

#[test]
fn the_pages_know_the_api_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/openapi.json");
    let document = thexanh::http::openapi().to_pretty_json().expect("text keys") + "\n";
    if std::env::var_os("MAKE_OPENAPI").is_some() {
        std::fs::write(path, &document).expect("writes");
    }
    let known = std::fs::read_to_string(path).expect("reads");
    assert!(known == document, "the API is not what src/web/openapi.json says: `make openapi` writes it anew");
}

#[tokio::test]
async fn pages_come_from_the_build_and_may_load_nothing_from_elsewhere() {
    let app = TestApp::start().await;
    for path in ["/", "/scan", "/desk", "/board", "/centre", "/login"] {
        let page = app.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}: make web");
        assert_eq!(page.header("cache-control"), "no-cache");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';"));
        assert!(!policy.contains("unsafe-inline") && !policy.contains("http"), "{policy}");
        let again = asking(&app, path, &[("if-none-match", page.header("etag"))]).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        let text = page.text();
        let script = text.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a script");
        let script = asking(&app, script, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!((script.status, script.header("cache-control")), (200, "public, max-age=31536000, immutable"));
        assert!(script.header("etag").ends_with("-br\"") || script.header("content-encoding").is_empty());
    }
    assert_eq!(app.get("/sw.js").await.header("cache-control"), "no-cache");
    for path in ["/assets/none.js", "/assets/..%2findex.html", "/app/../Cargo.toml", "/index.html", "/scan.html.br"] {
        app.get(path).await.problem(404, "unknown_route");
    }
}

#[tokio::test]
async fn districts_and_communes_are_found_by_code_and_by_typing() {
    let app = TestApp::start().await;
    let names = |answer: &Answer| -> Vec<String> {
        let rows = answer.json();
        let rows = rows.as_array().expect("a list").clone();
        rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
    };
    let districts = app.get("/v1/reference/districts?province=01").await;
    assert_eq!((districts.status, names(&districts).len()), (200, 30));
    assert!(names(&districts).contains(&"Quận Ba Đình".to_owned()));
    let wards = app.get("/v1/reference/wards?district=001").await;
    assert_eq!(names(&wards).first().map(String::as_str), Some("Phường Phúc Xá"));
    let typed = app.get("/v1/reference/wards?q=phuc%20xa").await.json();
    assert_eq!(typed[0]["code"], "00001");
    assert_eq!((&typed[0]["district"]["code"], &typed[0]["province"]["code"]), (&"001".into(), &"01".into()));
    for path in ["districts", "wards", "wards?q=a&district=001", "wards?x=1"] {
        app.get(&format!("/v1/reference/{path}")).await.problem(400, "bad_parameter");
    }
}

#[tokio::test]
async fn problems_are_worded_in_the_language_that_is_asked_for() {
    let app = TestApp::start().await;
    let mut dose = crate::app::dose("R-1", 1);
    dose["person"]["birth"] = "1983-02-30".into();
    let bearer = app.bearer(Role::Facility);
    let ask = async |language: &str, media: &str| {
        let headers = [("content-type", media), ("authorization", &*bearer), ("accept-language", language)];
        app.request("POST", "/v1/doses", &headers, dose.to_string().as_bytes()).await
    };
    let english = ask("en", "application/json").await;
    assert_eq!(english.json()["title"], "This dose cannot be certified");
    let vietnamese = ask("vi-VN, en;q=0.5", "application/json").await;
    let problem = vietnamese.problem(422, "date_invalid");
    assert_eq!(problem["title"], "Không thể cấp chứng nhận cho mũi tiêm này");
    assert_eq!(
        (&problem["field"], &problem["detail"]),
        (&"person.birth".into(), &"cần YYYY-MM-DD, YYYY-MM hoặc YYYY, một ngày có thật".into())
    );
    let row = ask("vi", "application/x-ndjson").await.json();
    assert_eq!(row["detail"], problem["detail"]);
}
