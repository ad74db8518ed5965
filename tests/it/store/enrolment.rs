//! Whose dose is it? People enrolled and found again, by several nodes at once, and what the database may know of them.

use std::sync::Arc;

use serde_json::Value;
use thexanh::registration::Recorded;
use thexanh::registration::doses::DoseError;
use thexanh::sealing::DataKey;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::{Node, counts, dose_with};
use crate::app::{dose, dose_of, keyring};
use crate::harness::TestSchema;

const IDENTITY: &str = "/person/identity";
const NAME: &str = "/person/name";
const BIRTH: &str = "/person/birth";
const PHONE: &str = "/person/phone";
const GIVEN: &str = "/given_at";

async fn two_nodes(schema: &TestSchema) -> [Arc<Node>; 2] {
    [Node::join(schema).await, Node::join(schema).await]
}

/// Sends every dose at once, by turns to one node and the other; the answers as they come.
async fn at_once(nodes: &[Arc<Node>; 2], doses: Vec<(String, Value)>) -> Vec<Result<Recorded, DoseError>> {
    let mut sending = JoinSet::new();
    for (i, (facility, dose)) in doses.into_iter().enumerate() {
        let node = Arc::clone(&nodes[i % 2]);
        sending.spawn(async move { node.record(&facility, &dose).await });
    }
    sending.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_doses_at_once_of_somebody_unknown_enrol_one_person() {
    let schema = TestSchema::new().await;
    let nodes = two_nodes(&schema).await;
    let day = |n: i64| format!("2021-0{}-{:02}T02:15:00Z", 6 + n / 30, 1 + n % 30);
    let doses = (0..50).map(|n| (format!("7900{}", n % 5), dose_with(&format!("R-{n}"), &[(GIVEN, &day(n))])));
    let answers = at_once(&nodes, doses.collect()).await;
    let recorded: Vec<Recorded> = answers.into_iter().map(|answer| answer.expect("records")).collect();
    assert!(recorded.iter().all(|answer| answer.new && answer.dose.person == recorded[0].dose.person));
    let client = schema.client().await;
    assert_eq!(counts(&client).await, (1, 50, 50));
    let sql = "SELECT (SELECT count(*) FROM person_by_identity), (SELECT count(*) FROM person_by_phone),
                      (SELECT count(*) FROM certificate WHERE superseded_at IS NULL)";
    let row = client.query_one(sql, &[]).await.expect("counts");
    assert_eq!([0, 1, 2].map(|column| row.get::<_, i64>(column)), [1, 1, 1], "found once; one certificate is in force");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_sent_twice_at_once_is_one_dose_with_one_certificate() {
    let schema = TestSchema::new().await;
    let nodes = two_nodes(&schema).await;
    // Each of them to both nodes.
    let twice = (0..20).flat_map(|n| [("79001".to_owned(), dose_of(n)), ("79001".to_owned(), dose_of(n))]);
    let mut recorded: Vec<Recorded> =
        at_once(&nodes, twice.collect()).await.into_iter().map(|answer| answer.expect("records")).collect();
    recorded.sort_by_key(|answer| (answer.dose.person, answer.new));
    for pair in recorded.chunks(2) {
        assert_eq!((pair[0].new, pair[1].new), (false, true));
        assert_eq!(Recorded { new: true, ..pair[0].clone() }, pair[1], "the same answer, UVCI and text");
    }
    assert_eq!(counts(&schema.client().await).await, (20, 20, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_dose_under_two_numbers_at_once_is_one_dose() {
    let schema = TestSchema::new().await;
    let nodes = two_nodes(&schema).await;
    let doses = (0..20).map(|n| (format!("7900{}", n % 2), dose(&format!("R-{n}"), 1)));
    let recorded: Vec<Recorded> =
        at_once(&nodes, doses.collect()).await.into_iter().map(|answer| answer.expect("records")).collect();
    assert!(recorded.iter().all(|answer| answer.uvci == recorded[0].uvci && answer.text == recorded[0].text));
    assert_eq!(recorded.iter().filter(|answer| answer.new && answer.flags.is_empty()).count(), 1);
    assert_eq!(recorded.iter().filter(|answer| !answer.new && answer.flags == ["duplicate"]).count(), 19);
    assert_eq!(counts(&schema.client().await).await, (1, 1, 1));
}

/// Records the first dose of one person and then this one, four weeks later, at another node: the same person?
async fn is_the_same_person(first: &[(&str, &str)], second: &[(&str, &str)]) -> (bool, Vec<String>) {
    let schema = TestSchema::new().await;
    let [one, other] = two_nodes(&schema).await;
    let first = one.record("79001", &dose_with("R-1", first)).await.expect("records");
    assert_eq!(first.flags, [""; 0]);
    let later = [second, &[(GIVEN, "2021-07-04T02:15:00Z")]].concat();
    let second = other.record("79002", &dose_with("R-2", &later)).await.expect("records");
    let same = first.dose.person == second.dose.person;
    assert_eq!(counts(&schema.client().await).await, (if same { 1 } else { 2 }, 2, 2));
    (same, second.flags.into_iter().filter(|flag| flag.starts_with("person")).collect())
}

#[tokio::test]
async fn an_identity_number_and_the_name_or_the_birth_date_are_one_person() {
    let flagged = |flag: &str| vec![flag.to_owned()];
    let (yes, no) = ((true, flagged("person_differs")), (false, flagged("person_unclear")));
    let (married, mistyped) = ([(NAME, "Trần Phương Thảo"), (PHONE, "")], [(BIRTH, "1983-10-11"), (PHONE, "")]);
    assert_eq!(is_the_same_person(&[], &married).await, yes, "birth date and number agree");
    assert_eq!(is_the_same_person(&[], &mistyped).await, yes, "name and number agree");
    let unlike = [(NAME, "Lê Văn An"), (BIRTH, "1990-01-01")];
    assert_eq!(is_the_same_person(&[], &unlike).await, no, "number and phone agree, and nothing else: never merged");
}

#[tokio::test]
async fn twins_whose_names_are_written_alike_without_marks_are_two_people() {
    let twin = [(NAME, "Nguyễn Thị Phương Thao"), (IDENTITY, "001183012346")];
    assert_eq!(is_the_same_person(&[], &twin).await, (false, vec!["person_unclear".to_owned()]));
    let without_number = [(NAME, "Nguyễn Thị Phương Thao"), (IDENTITY, "")];
    let unclear = (false, vec!["person_unclear".to_owned()]);
    assert_eq!(is_the_same_person(&[], &without_number).await, unclear, "the marks tell them apart");
    let unmarked = [(NAME, "NGUYEN THI PHUONG THAO"), (IDENTITY, "")];
    assert_eq!(is_the_same_person(&[], &unmarked).await, (true, vec![]), "nothing tells them apart");
}

#[tokio::test]
async fn a_facility_that_knows_a_number_and_a_birth_date_is_not_told_the_name() {
    let schema = TestSchema::new().await;
    let [one, other] = two_nodes(&schema).await;
    let first = one.record("79001", &dose_with("R-1", &[])).await.expect("records");
    let guess = [(NAME, "A B"), (PHONE, "")];
    let second = other.record("01001", &dose_with("X-1", &guess)).await.expect("records");
    assert_ne!(first.dose.person, second.dose.person);
    assert_eq!(second.flags, ["person_unclear"]);
    let married = [(NAME, "Lê Thảo"), (PHONE, "")];
    let third = one.record("79001", &dose_with("R-2", &married)).await.expect("records");
    assert_eq!(
        (third.uvci, third.flags),
        (first.uvci, vec!["duplicate".to_owned()]),
        "its own dose under another number"
    );
}

#[tokio::test]
async fn a_nine_digit_and_a_twelve_digit_number_are_one_person_s_if_all_else_agrees() {
    let (yes, no) = ((true, vec![]), (false, vec![]));
    let (nine, twelve) = ((IDENTITY, "012345678"), (IDENTITY, "001183012345"));
    assert_eq!(is_the_same_person(&[nine], &[twelve]).await, yes);
    assert_eq!(is_the_same_person(&[twelve], &[nine]).await, yes);
    assert_eq!(is_the_same_person(&[nine], &[twelve, (PHONE, "0987654321")]).await, no, "another phone");
    assert_eq!(is_the_same_person(&[nine], &[twelve, (BIRTH, "1983-10-11")]).await, no, "another birth date");
    assert_eq!(is_the_same_person(&[nine], &[twelve, (NAME, "Trần Phương Lan")]).await, no, "another name");
    let married = is_the_same_person(&[nine], &[twelve, (NAME, "Trần Phương Thảo")]).await;
    assert_eq!(married, (false, vec!["person_unclear".to_owned()]), "a changed name may be theirs: people are asked");
}

#[tokio::test]
async fn after_both_numbers_are_known_either_finds_the_person() {
    let schema = TestSchema::new().await;
    let [one, other] = two_nodes(&schema).await;
    let numbers = [("012345678", "2021-06-01"), ("001183012345", "2021-06-02")];
    let mut people = Vec::new();
    for (i, (number, day)) in numbers.iter().enumerate() {
        let given = format!("{day}T02:15:00Z");
        let dose = dose_with(&format!("R-{i}"), &[(IDENTITY, number), (GIVEN, &given)]);
        people.push(one.record("79001", &dose).await.expect("records").dose.person);
        // The same number with no phone beside it, at another node.
        let given = format!("{}T02:15:00Z", day.replace("-06-", "-07-"));
        let dose = dose_with(&format!("S-{i}"), &[(IDENTITY, number), (PHONE, ""), (GIVEN, &given)]);
        people.push(other.record("79001", &dose).await.expect("records").dose.person);
    }
    people.dedup();
    assert_eq!(people.len(), 1);
}

#[tokio::test]
async fn several_that_fit_are_never_merged_and_the_dose_says_so() {
    let schema = TestSchema::new().await;
    let [one, other] = two_nodes(&schema).await;
    let born = |record_no, birth| dose_with(record_no, &[(IDENTITY, ""), (BIRTH, birth)]);
    let first = one.record("79001", &born("R-1", "2010-01-01")).await.expect("records");
    let second = other.record("79001", &born("R-2", "2010-02-02")).await.expect("records");
    assert_ne!(first.dose.person, second.dose.person, "one phone, one name, two birth dates");
    let either = one.record("79001", &born("R-3", "2010")).await.expect("records");
    assert_eq!(either.flags, ["person_unclear"]);
    assert!(![first.dose.person, second.dose.person].contains(&either.dose.person));
    assert_eq!(counts(&schema.client().await).await, (3, 3, 3));
}

/// The columns in which any row holds this text, as characters or packed into hexadecimal digits.
async fn columns_holding(client: &Client, text: &str) -> Vec<String> {
    let sql = "SELECT table_name::text, column_name::text FROM information_schema.columns
               WHERE table_schema = current_schema ORDER BY 1, 2";
    let columns = client.query(sql, &[]).await.expect("lists the columns");
    assert!(columns.len() > 60, "there are columns to look into");
    let mut holding = Vec::new();
    for column in columns {
        let (table, column): (String, String) = (column.get(0), column.get(1));
        // A bytea reads as hexadecimal digits here, and the text as the digits of its bytes.
        let sql = format!(
            r#"SELECT EXISTS (SELECT 1 FROM "{table}" WHERE strpos("{column}"::text, $1) > 0
               OR strpos("{column}"::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0)"#
        );
        if client.query_one(&sql, &[&text]).await.expect("looks").get(0) {
            holding.push(format!("{table}.{column}"));
        }
    }
    holding
}

#[tokio::test]
async fn identity_numbers_and_phones_are_nowhere_in_the_database() {
    let schema = TestSchema::new().await;
    let node = Node::join(&schema).await;
    let recorded = node.record("79001", &dose("R-1", 1)).await.expect("records");
    let nine = dose_with("R-2", &[(IDENTITY, "012345678"), (GIVEN, "2021-07-04T02:15:00Z")]);
    node.record("79001", &nine).await.expect("records");
    crate::app::revoke(&node.store, &recorded.uvci, "tester", crate::app::NOW).await.expect("revokes");
    let client = schema.client().await;
    assert_eq!(columns_holding(&client, "Phương Thảo").await, ["certificate.compact", "person.name"], "what it finds");
    for digits in ["001183012345", "183012345", "012345678", "912345678"] {
        assert_eq!(columns_holding(&client, digits).await, [""; 0], "{digits}");
        // Nor a hash without a key, which a list of all numbers would undo.
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, digits.as_bytes());
        assert_eq!(columns_holding(&client, &hex::encode(hash)).await, [""; 0], "{digits}");
    }
    let row = client.query_one("SELECT phone, identity FROM person", &[]).await.expect("one person");
    let data_key = DataKey::new(keyring().data_key());
    assert_eq!(data_key.open("phone", row.get(0)).as_deref(), Ok("+84912345678"), "and yet they are there");
    assert_eq!(data_key.open("identity", row.get(1)).as_deref(), Ok("001183012345"));
}
