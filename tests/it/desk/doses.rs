//! `GET /v1/doses` and `GET /v1/dose-changes`: a facility's own list of what it recorded, and what waits for its second person; and
//! doses of people whom the desk has before it.

use serde_json::{Value, json};
use thexanh::http::access::Role;
use uuid::Uuid;

use super::{Desk, Registrant, SESSIONS, later};
use crate::app::{dose, dose_of};

const DAY: i64 = 24 * 3600;

fn numbers(page: &Value) -> Vec<&str> {
    page["doses"].as_array().expect("doses").iter().filter_map(|dose| dose["record_no"].as_str()).collect()
}

#[tokio::test]
async fn a_facility_lists_its_doses_by_how_their_numbers_begin_the_last_first() {
    let desk = Desk::start().await;
    for (n, record_no) in ["D210731-A-009", "D210801-A-001", "D210801-A-002", "D210801-B-001", "X-1"].iter().enumerate()
    {
        let given = Value::Object(dose_of(n as u32).as_object().cloned().expect("a dose"));
        let given = json!({"record_no": record_no, "vaccinator": "Lê Văn Tám", "person": given["person"],
            "product": given["product"], "lot": "FE8405", "given_at": given["given_at"], "number": 1});
        assert_eq!(desk.post(Role::Facility, "/v1/doses", &given).await.status, 201);
    }
    let list = async |query: &str| desk.get(Role::Facility, &format!("/v1/doses?purpose=the+day{query}")).await.json();
    assert_eq!(numbers(&list("&record_no=D210801").await), ["D210801-B-001", "D210801-A-002", "D210801-A-001"]);
    assert_eq!(numbers(&list("&record_no=D2107").await), ["D210731-A-009"]);
    assert_eq!(numbers(&list("").await).len(), 5);
    assert_eq!(numbers(&list("&record_no=%25").await).len(), 0, "nothing in it means anything but itself");
    let first = list("&record_no=D&limit=3").await;
    let next = first["next"].as_str().expect("more");
    let second = list(&format!("&record_no=D&limit=3&after={next}")).await;
    assert_eq!((numbers(&second), second.get("next")), (vec!["D210731-A-009"], None));
    let one = &first["doses"][0];
    assert_eq!((&one["name"], &one["identity_ends"]), (&json!("Nguyễn Thị Phương Thảo"), &json!("0003")));
    assert_eq!((&one["vaccinator"], &one["voided"]), (&json!("Lê Văn Tám"), &json!(false)));
    assert!(!first.to_string().contains("001000003"), "no whole identity number");
    let why = "the day [3 doses]".to_owned();
    assert!(desk.audited("dose.list").await.contains(&("facility".to_owned(), None, why)));
    let other = desk.app.bearer_of(Role::Facility, "79002", "79");
    let others = desk.send("GET", "/v1/doses?purpose=the+day", &other, &Value::Null).await.json();
    assert_eq!(others, json!({"doses": []}), "nothing of another facility's");
    desk.get(Role::Facility, "/v1/doses").await.problem(400, "bad_parameter");
    desk.get(Role::Facility, "/v1/doses?purpose=x&limit=501").await.problem(400, "bad_parameter");
}

#[tokio::test]
async fn a_change_waits_in_the_facility_s_list_until_a_second_person_answers() {
    let desk = Desk::start().await;
    let given = desk.app.dose("R-1", 1).await.json();
    let listed = async |subject: &str| {
        let token = desk.app.bearer_at("79001", subject);
        desk.send("GET", "/v1/dose-changes?purpose=second+person", &token, &Value::Null).await.json()
    };
    desk.app.patch("nurse", &given, &json!({"lot": "A", "why": "mistyped"})).await;
    assert_eq!(listed("nurse").await, json!({"changes": [], "more": false}), "one alone did it within the day");
    later(&desk, DAY + 1);
    let waits = desk.app.patch("nurse", &given, &json!({"lot": "B", "why": "mistyped again"})).await;
    assert_eq!(waits.status, 202);
    let (hers, his) = (listed("nurse").await, listed("doctor").await);
    let change = &his["changes"][0];
    assert_eq!((&change["change"], &change["dose"]), (&waits.json()["change"], &given["dose"]));
    assert_eq!((&change["name"], &change["why"]), (&json!("Nguyễn Thị Phương Thảo"), &json!("mistyped again")));
    assert_eq!(
        (&change["to"], &change["from"]["lot"], &change["void"]),
        (&json!({"lot": "B"}), &json!("A"), &json!(false))
    );
    assert_eq!((&hers["changes"][0]["mine"], &change["mine"]), (&json!(true), &json!(false)));
    let of_province = desk.get(Role::Province, "/v1/dose-changes?purpose=second+person").await.json();
    assert_eq!(of_province["changes"].as_array().map(Vec::len), Some(1));
    let elsewhere = desk.app.bearer_of(Role::Province, "01001", "01");
    let elsewhere = desk.send("GET", "/v1/dose-changes?purpose=x", &elsewhere, &Value::Null).await.json();
    assert_eq!(elsewhere["changes"], json!([]));
    let agreed = json!({"change": change["change"], "confirm": true});
    assert_eq!(desk.app.patch("doctor", &given, &agreed).await.status, 200);
    assert_eq!(listed("doctor").await["changes"], json!([]));
    desk.app.patch("nurse", &given, &json!({"void": true, "why": "never given"})).await;
    let waits = listed("doctor").await;
    assert_eq!((&waits["changes"][0]["void"], waits["changes"][0].get("to")), (&json!(true), None));
    let refused = json!({"change": waits["changes"][0]["change"], "confirm": false});
    assert_eq!(desk.app.patch("doctor", &given, &refused).await.status, 200);
    assert_eq!(listed("doctor").await["changes"], json!([]));
    assert_eq!(desk.count("SELECT count(*) FROM dose_change_by_facility").await, 0);
}

#[tokio::test]
async fn a_dose_of_somebody_before_the_desk_is_theirs_without_a_number() {
    let desk = Desk::start().await;
    let person = desk.register(&Registrant::nth(1)).await;
    let said = |record_no: &str, id: Uuid, name: &str, birth: &str| {
        let mut given = dose(record_no, 1);
        given["person"] = json!({"id": id, "name": name, "birth": birth});
        given
    };
    let record = async |given: &Value| desk.post(Role::Facility, "/v1/doses", given).await.json();
    let known = record(&said("R-1", person, "Trần Văn An", "1990-05-17")).await;
    assert_eq!((&known["person"], &known["flags"]), (&json!(person), &json!([])));
    assert_eq!(desk.statuses(person).await.0, "vaccinated");
    let mut second = said("R-2", person, "Trần Văn An", "1990-05-18");
    second["given_at"] = json!("2021-07-04T02:15:00Z");
    let second = record(&second).await;
    assert_eq!(second["person"], json!(person), "one of the two is mistyped");
    assert!(second["flags"].as_array().is_some_and(|flags| flags.contains(&json!("person_differs"))), "{second}");
    let other = record(&said("R-3", person, "Lê Thị Bình", "1971-01-01")).await;
    assert_ne!(other["person"], json!(person), "neither name nor birth date are theirs");
    let nobody = record(&said("R-4", Uuid::nil(), "Phạm Văn Cường", "1971-01-01")).await;
    assert_eq!((nobody["person"].is_string(), &nobody["flags"]), (true, &json!([])), "enrolled as everybody is");
    let again = desk.post(Role::Facility, "/v1/doses", &said("R-1", person, "Trần Văn An", "1990-05-17")).await;
    assert_eq!((again.status, &again.json()["dose"]), (200, &known["dose"]), "sent again it is the same dose");
}

#[tokio::test]
async fn doses_that_were_kept_for_a_facility_are_not_recorded_for_another() {
    let desk = Desk::start().await;
    let post = async |query: &str| desk.post(Role::Facility, &format!("/v1/doses{query}"), &dose("R-1", 1)).await;
    post("?facility=79002").await.problem(403, "not_yours");
    post("?place=79001").await.problem(400, "bad_parameter");
    assert_eq!(desk.count("SELECT count(*) FROM dose").await, 0);
    assert_eq!(post("?facility=79001").await.status, 201);
    assert_eq!(post("").await.status, 200);
}

#[tokio::test]
async fn a_session_s_list_says_what_the_next_dose_takes_to_know() {
    let desk = Desk::start().await;
    let session = desk.session(3).await;
    let person = desk.register(&Registrant::nth(7)).await;
    let placed = desk.post(Role::Facility, &format!("{SESSIONS}/{session}/places"), &json!({"person": person})).await;
    assert_eq!(placed.status, 201);
    let mut given = dose("R-1", 1);
    given["person"] = json!({"id": person, "name": "Trần Văn An", "birth": "1990-05-17"});
    let given = desk.post(Role::Facility, "/v1/doses", &given).await.json();
    let list = async || desk.get(Role::Facility, &format!("{SESSIONS}/{session}?purpose=the+day")).await.json();
    let listed = list().await["people"][0].clone();
    assert_eq!((&listed["identity_ends"], &listed["person"]), (&json!("0007"), &json!(person)));
    let had = json!([{"product": "EU/1/20/1528", "given_at": 1_622_945_700, "number": 1}]);
    assert_eq!(listed["doses"], had);
    assert!(!listed.to_string().contains("000005000007"));
    desk.app.patch("nurse", &given, &json!({"void": true, "why": "never given"})).await;
    assert_eq!(list().await["people"][0]["doses"], json!([]), "a voided dose is none");
}
