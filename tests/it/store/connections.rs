//! Several hosts: those that are down are passed over, at the start and later.

use std::time::{Duration, Instant};

use thexanh::store::{Store, StoreError, StoreSettings};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::proxy::{Proxy, url};
use crate::harness::TestSchema;

fn over(schema: &TestSchema, ports: &[u16]) -> StoreSettings {
    StoreSettings { url: Some(url(ports)), ..schema.settings() }
}

/// A port at which connections are refused.
async fn refusing() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    listener.local_addr().expect("bound").port()
}

#[tokio::test]
async fn a_host_that_refuses_is_passed_over() {
    let schema = TestSchema::new().await;
    let (dead, proxy) = (refusing().await, Proxy::start().await);
    let store = Store::open(&over(&schema, &[dead, proxy.port()])).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(store.facilities().await.expect("reads"), []);
    let error = Store::open(&over(&schema, &[dead, refusing().await])).await.map(|_| ()).expect_err("both are down");
    assert!(matches!(error, StoreError::Unreachable(_)) && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_host_that_does_not_answer_leaves_time_for_the_next() {
    let schema = TestSchema::new().await;
    let proxy = Proxy::start().await;
    // A machine that is gone: nothing comes back, not even a refusal. Here, a listener whose queue is full.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let listener = socket.listen(1).expect("listens");
    let address = listener.local_addr().expect("bound");
    let mut waiting = Vec::new();
    let full = Duration::from_millis(200);
    while let Ok(Ok(stream)) = tokio::time::timeout(full, TcpStream::connect(address)).await {
        waiting.push(stream);
    }
    let began = Instant::now();
    let store = Store::open(&over(&schema, &[address.port(), proxy.port()])).await;
    let store = store.unwrap_or_else(|error| panic!("after {:?}: {error}", began.elapsed()));
    assert_eq!(store.facilities().await.expect("reads"), []);
}

#[tokio::test]
async fn a_store_whose_host_goes_away_goes_on_at_the_next() {
    let schema = TestSchema::new().await;
    let (first, second) = (Proxy::start().await, Proxy::start().await);
    let store = Store::open(&over(&schema, &[first.port(), second.port()])).await.expect("opens");
    drop(first);
    // What was in work on the lost connection fails, and the caller tries again.
    let mut tried = 0;
    while let Err(error) = store.facilities().await {
        tried += 1;
        assert!(tried < 10, "{error}");
    }
    let error = {
        drop(second);
        loop {
            match store.facilities().await {
                Err(error @ StoreError::Unreachable(_)) => break error,
                Err(_) | Ok(_) => tokio::task::yield_now().await,
            }
        }
    };
    assert_eq!(error.code(), "database_unreachable");
}
