//! `GET /v1/certificates/..` and `POST /v1/revocations`.

use serde_json::json;
use thexanh::certificate::UnixSeconds;
use thexanh::http::access::Role;

use crate::app::{NOW, TestApp};
use crate::texts::expires_at;

#[tokio::test]
async fn a_certificate_is_valid_then_superseded_and_at_last_expired() {
    let app = TestApp::start().await;
    let (uvci, _) = app.certificate("R-1").await;
    let path = format!("/v1/certificates/{uvci}");
    let state = async || app.get_as(Role::Ministry, &path).await.json();
    let first = state().await;
    assert_eq!(
        (&first["state"], &first["card"], &first["facility"]),
        (&json!("valid"), &json!("yellow"), &json!("79001"))
    );
    assert_eq!((&first["dose"], &first["series"]), (&json!(1), &json!(2)));
    assert_eq!((&first["issued_at"], &first["expires_at"]), (&json!(NOW.0), &json!(expires_at().0)));
    assert_eq!(first["links"]["png"], format!("/v1/certificates/{uvci}.png"));
    assert!(first.get("revoked_at").is_none() && first.get("superseded_at").is_none());
    assert_eq!(app.get_as(Role::Ministry, &path.replace("URN:UVCI:", "")).await.json(), first, "in short");
    app.dose("R-2", 2).await;
    let second = state().await;
    assert_eq!((&second["state"], &second["superseded_at"]), (&json!("superseded"), &json!(NOW.0)));
    for (offset, expected) in [(-1, "superseded"), (0, "superseded"), (1, "expired")] {
        app.clock.set(UnixSeconds(expires_at().0 + offset));
        assert_eq!(state().await["state"], expected, "{offset}");
    }
}

#[tokio::test]
async fn pictures_come_in_every_format_and_both_profiles() {
    let app = TestApp::start().await;
    let (uvci, text) = app.certificate("R-1").await;
    for (format, media, begins) in [
        ("txt", "text/plain; charset=utf-8", &b"VN1:"[..]),
        ("svg", "image/svg+xml", b"<"),
        ("png", "image/png", b"\x89PNG"),
        ("pdf", "application/pdf", b"%PDF"),
    ] {
        for query in ["", "?profile=compact"] {
            let answer = app.get_as(Role::Facility, &format!("/v1/certificates/{uvci}.{format}{query}")).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, media), "{}", format);
            assert_eq!(answer.header("cache-control"), "no-store");
            assert!(answer.body.starts_with(begins), "{format}");
        }
        let travel = app.get_as(Role::Facility, &format!("/v1/certificates/{uvci}.{format}?profile=hc1")).await;
        assert_eq!((travel.status, travel.header("content-type")), (200, media), "{format}");
    }
    assert_eq!(app.get_as(Role::Facility, &format!("/v1/certificates/{uvci}.txt")).await.text(), text);
    let path = format!("/v1/certificates/{uvci}.txt?profile=hc1");
    let (one, two) = tokio::join!(app.get_as(Role::Facility, &path), app.get_as(Role::Ministry, &path));
    assert_eq!(one.text(), two.text(), "hc1 is signed once");
    let verdict = app.verify(one.text()).await;
    assert_eq!((&verdict["result"], &verdict["profile"]), (&json!("accepted"), &json!("hc1")));
    assert_eq!(verdict["certificate"]["uvci"], uvci.to_string(), "one name in both profiles");
}

#[tokio::test]
async fn what_is_not_there_is_told_apart_from_what_is_not_understood() {
    let app = TestApp::start().await;
    let (uvci, _) = app.certificate("R-1").await;
    let get = async |path: &str| app.get_as(Role::Ministry, &format!("/v1/certificates/{path}")).await;
    let none = "URN:UVCI:01:VN:00000000000000000000000000000000";
    for path in [none, "nonsense", &format!("{none}.svg"), "nonsense.svg", "URN:UVCI:01:FR:X"] {
        get(path).await.problem(404, "unknown_certificate");
    }
    get(&format!("{uvci}.gif")).await.problem(404, "unknown_route");
    for query in ["profile=paper", "profile=", "profil=hc1", "profile=hc1&profile=compact"] {
        get(&format!("{uvci}.svg?{query}")).await.problem(400, "bad_parameter");
    }
}

#[tokio::test]
async fn a_revoked_certificate_s_pictures_are_gone_also_those_made_before() {
    let app = TestApp::start().await;
    let (uvci, text) = app.certificate("R-1").await;
    let path = format!("/v1/certificates/{uvci}");
    for profile in ["compact", "hc1"] {
        assert_eq!(app.get_as(Role::Facility, &format!("{path}.txt?profile={profile}")).await.status, 200);
    }
    let travel = app.get_as(Role::Facility, &format!("{path}.txt?profile=hc1")).await.text().to_owned();
    let request = json!({"uvci": uvci.to_string(), "why": "issued by mistake"});
    let revoked = app.post_as(Role::Ministry, "/v1/revocations", &request).await;
    let id = revoked.json()["id"].clone();
    let expected = json!({"uvci": uvci.to_string(), "revoked_at": NOW.0, "id": id});
    assert_eq!((revoked.status, revoked.json(), id.is_string()), (201, expected, true));
    for text in [&text, &travel] {
        assert_eq!(app.verify(text).await["reason"], "revoked", "one UVCI in both profiles");
    }
    for format in ["svg", "png", "pdf", "txt"] {
        for profile in ["compact", "hc1"] {
            let answer = app.get_as(Role::Facility, &format!("{path}.{format}?profile={profile}")).await;
            answer.problem(410, "certificate_revoked");
        }
    }
    let state = app.get_as(Role::Facility, &path).await.json();
    assert_eq!((&state["state"], &state["revoked_at"], state.get("links")), (&json!("revoked"), &json!(NOW.0), None));
    app.clock.set(UnixSeconds(NOW.0 + 5));
    let again = app.post_as(Role::Ministry, "/v1/revocations", &request).await;
    assert_eq!((again.status, again.json()), (200, json!({"uvci": uvci.to_string(), "revoked_at": NOW.0})));
}

#[tokio::test]
async fn a_revocation_names_one_of_ours_and_says_why() {
    let app = TestApp::start().await;
    let (uvci, _) = app.certificate("R-1").await;
    let post = async |uvci: &str, why: &str| {
        app.post_as(Role::Ministry, "/v1/revocations", &json!({"uvci": uvci, "why": why})).await
    };
    let uvci = uvci.to_string();
    post("URN:UVCI:01:VN:00000000000000000000000000000000", "x").await.problem(404, "unknown_certificate");
    assert_eq!(post("URN:UVCI:01:FR:1", "x").await.problem(422, "unprocessable")["field"], "uvci");
    for why in ["", "  ", "a\u{7}", &"x".repeat(501)] {
        assert_eq!(post(&uvci, why).await.problem(422, "unprocessable")["field"], "why");
    }
    assert_eq!(post(&uvci, &"ế".repeat(500)).await.status, 201);
    assert_eq!(post(&uvci, &"ế".repeat(499)).await.status, 200);
    app.post_as(Role::Ministry, "/v1/revocations", &json!({"uvci": uvci})).await.problem(400, "wrong_shape");
}
