//! `GET /v1/registrations` and `GET /v1/stats`: whose, in which order, page by page, as a sheet, and counted.

use std::collections::HashSet;

use serde_json::{Value, json};
use thexanh::http::access::Role;

use super::{BA_DINH, DISTRICT_1, DISTRICT_12, Desk, Registrant};

const LIST: &str = "/v1/registrations?purpose=calls";

fn rows(page: &Value) -> Vec<Value> {
    page["registrations"].as_array().expect("rows").clone()
}

fn people(page: &Value) -> Vec<String> {
    rows(page).iter().map(|row| row["person"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn a_list_has_priority_groups_first_and_whoever_is_in_none_last() {
    let desk = Desk::start().await;
    for (n, (place, group, status)) in [
        (DISTRICT_12, 0, "registered"),
        (DISTRICT_1, 16, "called"),
        (DISTRICT_12, 1, "registered"),
        (DISTRICT_1, 0, "registered"),
        (DISTRICT_12, 2, "declined"),
        (DISTRICT_1, 1, "registered"),
        (BA_DINH, 1, "registered"),
        (DISTRICT_1, 1, "withdrawn"),
    ]
    .into_iter()
    .enumerate()
    {
        desk.register(&Registrant { place, group, status, ..Registrant::nth(n as u32) }).await;
    }
    let listed = async |query: &str| {
        let answer = desk.get(Role::Facility, &format!("{LIST}{query}")).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text());
        let row = |row: Value| (row["district"].as_str().expect("a district").to_owned(), row["group"].as_i64());
        rows(&answer.json()).into_iter().map(row).collect::<Vec<_>>()
    };
    let expect = |rows: &[(&str, i64)]| {
        rows.iter().map(|(district, group)| ((*district).to_owned(), Some(*group))).collect::<Vec<_>>()
    };
    let all = [("760", 1), ("761", 1), ("761", 2), ("760", 16), ("760", 0), ("761", 0)];
    assert_eq!(listed("").await, expect(&all), "the facility's province where nothing is said");
    assert_eq!(listed("&province=79").await, expect(&all));
    assert_eq!(listed("&district=761").await, expect(&[("761", 1), ("761", 2), ("761", 0)]));
    assert_eq!(listed("&ward=26734").await, expect(&[("760", 1), ("760", 16), ("760", 0)]));
    assert_eq!(listed("&group=1").await, expect(&[("760", 1), ("761", 1)]));
    assert_eq!(listed("&group=0").await, expect(&[("760", 0), ("761", 0)]));
    assert_eq!(listed("&status=withdrawn").await, expect(&[("760", 1)]));
    assert_eq!(listed("&status=declined").await, expect(&[("761", 2)]));
    assert_eq!(listed("&district=760&group=16&status=registered").await, expect(&[]));
    let first = rows(&desk.get(Role::Province, LIST).await.json())[0].clone();
    assert_eq!((&first["phone"], &first["name"]), (&json!("+84900000005"), &json!("Trần Văn An")));
    assert_eq!((&first["contacts"], &first["address"]), (&json!(0), &json!("12 Lê Lợi")));
}

#[tokio::test]
async fn each_role_lists_its_own_province_and_says_why() {
    let desk = Desk::start().await;
    desk.register(&Registrant::nth(1)).await;
    desk.register(&Registrant { place: BA_DINH, ..Registrant::nth(2) }).await;
    for role in [Role::Facility, Role::Province] {
        assert_eq!(desk.get(role, &format!("{LIST}&province=79")).await.status, 200);
        for query in ["&province=01", "&district=001", "&province=01&district=001"] {
            desk.get(role, &format!("{LIST}{query}")).await.problem(403, "not_yours");
        }
    }
    assert_eq!(rows(&desk.get(Role::Ministry, &format!("{LIST}&province=01")).await.json()).len(), 1);
    assert_eq!(rows(&desk.get(Role::Ministry, &format!("{LIST}&district=760")).await.json()).len(), 1);
    for (query, field) in [
        ("", "province"),
        ("&province=00", "province"),
        ("&province=760", "province"),
        ("&district=79", "district"),
        ("&province=79&district=001", "district"),
        ("&province=79&ward=00001", "ward"),
        ("&province=79&group=-1", "group"),
        ("&province=79&group=17", "group"),
        ("&province=79&status=dead", "status"),
        ("&province=79&format=xml", "format"),
        ("&province=79&after=x", "after"),
        ("&province=79&limit=0", "limit"),
        ("&province=79&limit=501", "limit"),
        ("&province=79&format=csv&limit=0", "limit"),
    ] {
        let document = desk.get(Role::Ministry, &format!("{LIST}{query}")).await.problem(400, "bad_parameter");
        assert_eq!(document["field"], field, "{query}");
    }
    desk.get(Role::Ministry, &format!("{LIST}&nonsense=1")).await.problem(400, "bad_parameter");
    desk.get(Role::Response, LIST).await.problem(403, "role_not_allowed");
    let seen = desk.audited("registration.list").await;
    assert_eq!(seen.len(), 4, "one entry a page, none for what is refused");
    assert_eq!(seen.iter().filter(|(_, about, why)| about.is_none() && why == "calls [760: 1 people]").count(), 1);
    let unsaid = desk.get(Role::Facility, "/v1/registrations").await.problem(400, "bad_parameter");
    assert_eq!(unsaid["field"], "purpose");
    assert_eq!(desk.audited("registration.list").await.len(), 4);
}

#[tokio::test]
async fn pages_are_whole_and_without_doubles_while_rows_change() {
    let desk = Desk::start().await;
    let mut there: HashSet<String> = HashSet::new();
    for n in 0..47 {
        let (place, group) = ([DISTRICT_1, DISTRICT_12][n as usize % 2], u64::from(n % 5));
        there.insert(desk.register(&Registrant { place, group, ..Registrant::nth(n) }).await.to_string());
    }
    let (mut after, mut seen, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let page = desk.get(Role::Facility, &format!("{LIST}&limit=5{after}")).await.json();
        seen.extend(people(&page));
        pages += 1;
        // Meanwhile one more registers, everybody's status changes, and one who was seen withdraws.
        desk.register(&Registrant { group: 1, ..Registrant::nth(100 + pages) }).await;
        for sql in [
            "UPDATE registration_by_district SET status = 'called'".to_owned(),
            "UPDATE registration SET status = 'called'".to_owned(),
            format!("DELETE FROM registration_by_district WHERE person_id = '{}'", seen[0]),
        ] {
            desk.sql.execute(&sql, &[]).await.expect("changes");
        }
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert!(pages >= 10, "{pages}");
    let distinct: HashSet<String> = seen.iter().cloned().collect();
    assert_eq!(distinct.len(), seen.len(), "nobody twice");
    assert!(there.is_subset(&distinct), "nobody missing");
}

#[tokio::test]
async fn a_sheet_has_every_row_and_no_formula() {
    let desk = Desk::start().await;
    desk.register(&Registrant { name: "=cmd|' /C calc'!A0", group: 1, ..Registrant::nth(1) }).await;
    desk.register(&Registrant { name: "Lê Thị \"Bé\", con", group: 2, ..Registrant::nth(2) }).await;
    let fill = "WITH p AS (
            INSERT INTO person (person_id, name, name_key, birth, created_at)
            SELECT gen_random_uuid(), '@SUM(A1)', '', '', now() FROM generate_series(1, 1201) RETURNING person_id
        ), r AS (
            INSERT INTO registration (person_id, account_id, district_code, priority, address, occupation, declaration,
                                      declared_at, consent, status, created_at, updated_at)
            SELECT person_id, gen_random_uuid(), '761', 99, '-1', '+2', '{}', now(), '{}', 'registered', now(), now() FROM p
        ) INSERT INTO registration_by_district SELECT '761', 99, person_id, '26764', 'registered' FROM p";
    desk.sql.execute(fill, &[]).await.expect("fills");
    let token = desk.app.bearer(Role::Province);
    let asking = async |path: &str, accept: &str, language: &str| {
        let headers = [("authorization", token.as_str()), ("accept", accept), ("accept-language", language)];
        desk.app.request("GET", path, &headers, b"").await
    };
    let sheet = asking(LIST, "text/csv", "en").await;
    assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert_eq!(sheet.header("cache-control"), "no-store");
    assert!(sheet.body.starts_with(b"\xef\xbb\xbfperson,name,birth,"));
    let mut reader = csv::Reader::from_reader(&sheet.body[3..]);
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 1203);
    assert_eq!((&rows[0][1], &rows[0][4]), ("'=cmd|' /C calc'!A0", "'+84900000001"));
    assert_eq!((&rows[1][1], &rows[2][1]), ("Lê Thị \"Bé\", con", "'@SUM(A1)"));
    assert!(rows.iter().all(|row| row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r']))));
    let distinct: HashSet<&str> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(distinct.len(), 1203);
    assert_eq!(desk.audited("registration.list").await.len(), 3, "an entry for each page of 500");
    let vietnamese = asking(&format!("{LIST}&format=csv&limit=1"), "*/*", "vi").await;
    assert!(vietnamese.text().starts_with("\u{feff}mã người,họ tên,"));
    assert_eq!(vietnamese.text().lines().count(), 2);
    assert_eq!(
        asking(&format!("{LIST}&format=json"), "text/csv", "en").await.header("content-type"),
        "application/json"
    );
}

#[tokio::test]
async fn demand_is_counted_by_commune_group_and_status() {
    let desk = Desk::start().await;
    for (n, group) in [(1, 1), (2, 1), (3, 0)] {
        desk.register(&Registrant { group, ..Registrant::nth(n) }).await;
    }
    desk.register(&Registrant { place: BA_DINH, ..Registrant::nth(4) }).await;
    assert_eq!(desk.app.dose("R-1", 1).await.status, 201, "to somebody who lives in Ba Dinh");
    crate::stats::agree(Some(&desk.app.app), &desk.sql).await;
    let demand = json!([
        {"province": "79", "district": "760", "ward": "26734", "group": 1, "status": "registered", "count": 2},
        {"province": "79", "district": "760", "ward": "26734", "group": 0, "status": "registered", "count": 1},
    ]);
    let own = desk.get(Role::Province, "/v1/stats").await.json();
    assert_eq!(own["demand"], demand);
    assert_eq!(own["provinces"], json!([{"province": "79", "doses": 1, "people": 3}]));
    let whole = desk.get(Role::Response, "/v1/stats").await.json();
    assert_eq!(whole["demand"].as_array().map(Vec::len), Some(3));
    assert_eq!(whole["demand"][0], json!({"province": "01", "group": 0, "status": "registered", "count": 1}));
    assert_eq!(whole["provinces"][0], json!({"province": "01", "doses": 0, "people": 2}));
    let district = desk.get(Role::Ministry, "/v1/stats?district=001").await.json();
    assert_eq!(district["demand"][0]["ward"], "00001");
    desk.get(Role::Province, "/v1/stats?province=01").await.problem(403, "not_yours");
    desk.get(Role::Facility, "/v1/stats").await.problem(403, "role_not_allowed");
}
