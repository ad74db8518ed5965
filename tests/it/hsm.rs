//! Issuer keys in a PKCS#11 token: SoftHSM behind the real binary.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::app::dose_of;
use crate::cli::Place;
use crate::client::Connection;

const PIN: &str = "4711";

/// Where Debian and its like put SoftHSM.
fn module() -> &'static str {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ];
    places.into_iter().find(|path| std::path::Path::new(path).exists()).expect("softhsm2: `make test` installs it")
}

/// Makes a token in this place, and settings that name it.
fn make_token(place: &Place) {
    std::fs::create_dir(place.0.join("tokens")).expect("makes");
    let tokens = format!("directories.tokendir = {}\n", place.0.join("tokens").display());
    std::fs::write(place.0.join("softhsm2.conf"), tokens).expect("writes");
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "issuers", "--so-pin", "12345678", "--pin", PIN])
        .env("SOFTHSM2_CONF", place.0.join("softhsm2.conf"))
        .output()
        .expect("softhsm2-util: `make test` installs it");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::write(place.0.join("pin"), format!("{PIN}\n")).expect("writes");
    settings(place, module(), "issuers", "pin");
}

fn settings(place: &Place, module: &str, label: &str, pin_file: &str) {
    let text = format!("[keys.pkcs11]\nmodule = {module:?}\ntoken_label = {label:?}\npin_file = {pin_file:?}\n");
    std::fs::write(place.0.join("thexanh.toml"), text).expect("writes");
}

/// The kid that a new dose's certificate is signed under, compact and for travel, both accepted.
async fn kids(connection: &mut Connection, bearer: &str, dose: u32) -> [Value; 2] {
    let headers = [("content-type", "application/json"), ("authorization", bearer)];
    let answer = connection.request("POST", "/v1/doses", &headers, dose_of(dose).to_string().as_bytes()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let recorded = answer.json();
    let text = |name: &str| recorded[name].as_str().expect(name).to_owned();
    let travel = format!("/v1/certificates/{}.txt?profile=hc1", text("uvci"));
    let travel = connection.request("GET", &travel, &headers[1..], b"").await;
    assert_eq!(travel.status, 200, "{}", travel.text());
    let mut kids = Vec::new();
    for text in [text("text"), travel.text().to_owned()] {
        let verdict =
            connection.request("POST", "/v1/verify", &[("content-type", "text/plain")], text.as_bytes()).await.json();
        assert_eq!(verdict["result"], "accepted", "{verdict}");
        kids.push(verdict["kid"].clone());
    }
    kids.try_into().expect("two")
}

#[test]
fn keys_in_a_token_sign_both_profiles_and_never_leave_it() {
    let place = Place::new("hsm");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let service = place.serve(); // lists keys of files, which sign until those of the token begin
    let bearer = place.bearer();
    let in_files = runtime.block_on(async { kids(&mut Connection::open(service.address).await, &bearer, 1).await });
    make_token(&place);
    let from = jiff::Timestamp::now() + Duration::from_secs(20);
    let made = ["EdDSA", "ES256"].map(|algorithm| {
        let (status, said) =
            place.json(&["keys", "new", "--token", "--algorithm", algorithm, "--signs-from", &from.to_string()]);
        assert_eq!(status, 0, "{said:?}");
        said[0]["kid"].clone()
    });
    let (status, said) = place.json(&["keys", "csr", "--kid", made[1].as_str().expect("a kid")]);
    assert!(status == 0 && said[0]["request"].as_str().expect("PEM").contains("CERTIFICATE REQUEST"));
    assert_eq!(service.end(rustix::process::Signal::TERM).code(), Some(0));

    let service = place.serve();
    runtime.block_on(async {
        let mut connection = Connection::open(service.address).await;
        let begun = Instant::now();
        let mut dose = 2;
        loop {
            let kids = kids(&mut connection, &bearer, dose).await;
            if kids == made {
                break;
            }
            assert!(kids.iter().all(|kid| in_files.contains(kid) || made.contains(kid)), "{kids:?}");
            assert!(begun.elapsed() < Duration::from_secs(60), "they never began");
            dose += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    assert_eq!(service.end(rustix::process::Signal::TERM).code(), Some(0));
    let files =
        std::fs::read_dir(place.0.join("data/keys")).expect("lists").map(|entry| entry.expect("lists").file_name());
    let issuers = files.filter(|name| name.to_string_lossy().starts_with("issuer-")).count();
    assert_eq!(issuers, 2, "none but those of the first run");
}

#[test]
fn a_token_that_cannot_be_opened_is_named_with_what_to_do() {
    let place = Place::new("hsm-failures");
    make_token(&place);
    let code = || {
        let output = place.command(&["keys", "new", "--token", "--json"]).output().expect("starts");
        let said = String::from_utf8(output.stderr).expect("text"); // after what the database says of its own
        let said: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
        (output.status.code(), said["code"].as_str().expect("a code").to_owned())
    };
    std::fs::write(place.0.join("wrong"), "1234\n").expect("writes");
    for (module, label, pin_file, expected) in [
        (module(), "issuers", "wrong", "hsm_refused"),
        (module(), "issuers", "absent", "hsm_pin_unreadable"),
        (module(), "another", "pin", "hsm_no_token"),
        ("/absent.so", "issuers", "pin", "hsm_module"),
    ] {
        settings(&place, module, label, pin_file);
        assert_eq!(code(), (Some(3), expected.to_owned()));
    }
    std::fs::remove_file(place.0.join("thexanh.toml")).expect("removes");
    assert_eq!(code(), (Some(2), "usage".to_owned()));
}
