//! Text messages on their way to the gateway: taken into a bounded queue, posted by a task of their own, tried again while they
//! are worth it.
//!
//! The gateway is a webhook, over `https://` or `http://`, that takes `{"to": "+84..", "text": ".."}` and answers 2xx. What is lost if the process is
//! killed: the messages in the queue; whoever waits for one asks for another code after a minute.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use crate::config;
use crate::tls::{self, RootsError};

/// A text for one number. Never logged.
#[derive(Serialize)]
pub struct Message {
    /// `+84..`
    pub to: String,
    /// What it says.
    pub text: String,
}

/// Messages that may wait: some minutes of a gateway that takes a hundred a second.
const QUEUE: usize = 16_384;
/// Messages posted at once.
const AT_ONCE: usize = 64;
/// How often a message is posted at most: with the pauses between, it is given up when its code is half used up.
const TRIES: u32 = 8;
/// How long one post may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the queue may take to empty when the process stops.
const DRAIN: Duration = Duration::from_secs(20);

/// The way to the gateway.
pub struct Sms {
    /// Taken by [`Sms::drain`].
    queue: Mutex<Option<mpsc::Sender<Message>>>,
    /// Owned by the task that [`Sms::new`] spawns; taken by [`Sms::drain`].
    task: Mutex<Option<JoinHandle<()>>>,
}

/// A place in the queue, kept until the code that will be sent is committed.
pub struct Place(mpsc::OwnedPermit<Message>);

impl Place {
    /// Puts the message on its way.
    pub fn send(self, message: Message) {
        self.0.send(message);
    }
}

impl Sms {
    /// Starts the task that posts, on the runtime that this is called in. Errors: [`RootsError`].
    pub fn new(settings: &config::Sms) -> Result<Sms, RootsError> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = tokio::spawn(post_all(receiver, Gateway::new(settings)?));
        Ok(Sms { queue: Mutex::new(Some(sender)), task: Mutex::new(Some(task)) })
    }

    /// A place for one message; `None` if the queue is full or closed.
    pub fn place(&self) -> Option<Place> {
        let sender = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        sender.try_reserve_owned().ok().map(Place)
    }

    /// Takes nothing more, and waits until what was taken is posted or given up, at most twenty seconds.
    pub async fn drain(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let abort = task.abort_handle();
            if tokio::time::timeout(DRAIN, task).await.is_err() {
                abort.abort();
                tracing::warn!("text messages were left unsent at the stop");
            }
        }
    }
}

struct Gateway {
    url: Option<String>,
    token: Option<config::Secret>,
    to_log_for_demo: bool,
    client: reqwest::Client,
}

impl Gateway {
    fn new(settings: &config::Sms) -> Result<Gateway, RootsError> {
        let roots = tls::roots(settings.ca.as_deref())?;
        Ok(Gateway {
            url: settings.url.clone(),
            token: settings.token.clone(),
            to_log_for_demo: settings.to_log_for_demo,
            client: tls::http_client(roots).build().expect("what it is built from is whole"),
        })
    }

    /// Posts a message until it is taken or not worth it any more.
    async fn post(&self, message: &Message) {
        let Some(url) = &self.url else {
            if self.to_log_for_demo {
                tracing::info!(to = message.to, text = message.text, "a text message, shown because this is a demo");
            }
            return;
        };
        for tried in 0..TRIES {
            match self.post_once(url, message).await {
                Ok(()) => return metrics::counter!("thexanh_sms_total", "outcome" => "sent").increment(1),
                // What the gateway calls our fault stays so.
                Err(Some(status @ 400..=407 | status @ 409..=428 | status @ 430..=499)) => {
                    tracing::warn!(status, "the gateway refused a text message");
                    break;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(250 << tried)).await,
            }
        }
        metrics::counter!("thexanh_sms_total", "outcome" => "given_up").increment(1);
        tracing::warn!("a text message could not be sent");
    }

    /// Errors: the gateway's status, or nothing if it could not be reached.
    async fn post_once(&self, url: &str, message: &Message) -> Result<(), Option<u16>> {
        let mut request = self.client.post(url).timeout(PATIENCE).json(message);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        let answer = request.send().await.map_err(|_| None)?;
        if answer.status().is_success() { Ok(()) } else { Err(Some(answer.status().as_u16())) }
    }
}

async fn post_all(mut receiver: mpsc::Receiver<Message>, gateway: Gateway) {
    let gateway = Arc::new(gateway);
    let free = Arc::new(Semaphore::new(AT_ONCE));
    let mut posting = JoinSet::new();
    while let Some(message) = receiver.recv().await {
        while posting.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        let gateway = Arc::clone(&gateway);
        posting.spawn(async move {
            gateway.post(&message).await;
            drop(permit);
        });
    }
    while posting.join_next().await.is_some() {}
}
