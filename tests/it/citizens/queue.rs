//! Group commit of registrations: a full queue refuses at once, and a stop loses nothing that was taken.

use std::time::{Duration, Instant};

use thexanh::certificate::UnixSeconds;
use thexanh::registration::CitizenError;
use uuid::Uuid;

use super::{registration, registration_of};
use crate::app::{NOW, TestApp};

#[tokio::test]
async fn a_full_queue_answers_503_at_once_and_what_was_taken_is_committed() {
    let app = TestApp::start_with(|config| {
        (config.citizens.queue, config.citizens.batch, config.citizens.batches) = (2, 1, 1);
    })
    .await;
    let mut blocker = app.sql().await;
    let lock = blocker.transaction().await.expect("begins");
    lock.batch_execute("LOCK registration IN ACCESS EXCLUSIVE MODE").await.expect("locks");
    let send = async |n: u32| {
        let began = Instant::now();
        let answer = app.send("POST", "/v1/registrations", &app.citizen(n.into()), &registration_of(n)).await;
        (answer, began.elapsed())
    };
    let taken = futures_util::future::join_all((0..2).map(send));
    let refused = async {
        while app.app.registrar().waiting() < 2 {
            tokio::task::yield_now().await;
        }
        let (answer, took) = send(2).await;
        answer.problem(503, "overloaded");
        assert_eq!(answer.header("retry-after"), "2");
        assert!(took < Duration::from_millis(500), "{took:?}");
        lock.rollback().await.expect("lets go");
    };
    let (taken, ()) = tokio::join!(taken, refused);
    assert!(taken.iter().all(|(answer, _)| answer.status == 201));
}

#[tokio::test]
async fn draining_commits_what_was_taken_and_takes_no_more() {
    let app = TestApp::start().await;
    let register = async |n: u32| {
        let application = serde_json::from_value(registration_of(n)).expect("a registration");
        app.app.registrar().register(Uuid::from_u128(n.into()), application, NOW).await
    };
    let many = futures_util::future::join_all((0..50).map(register));
    let drain = async {
        while app.app.registrar().waiting() < 50 {
            tokio::task::yield_now().await;
        }
        app.app.registrar().drain().await;
    };
    let (many, ()) = tokio::join!(many, drain);
    assert!(many.iter().all(|answer| answer.as_ref().is_ok_and(|registered| registered.new)));
    let sql = "SELECT count(*) FROM registration";
    assert_eq!(app.sql().await.query_one(sql, &[]).await.expect("counts").get::<_, i64>(0), 50);
    let application = serde_json::from_value(registration()).expect("a registration");
    let refused = app.app.registrar().register(Uuid::nil(), application, UnixSeconds(NOW.0)).await;
    assert!(matches!(refused, Err(CitizenError::Busy)));
}
