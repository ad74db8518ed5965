//! Group commit: requests that arrive within a few milliseconds share one transaction and one fsync.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

/// How requests are gathered.
#[derive(Clone, Copy, Debug)]
pub struct GroupCommitSettings {
    /// How many requests may wait; one more is refused at once.
    pub queue: usize,
    /// How many are handed on together at most.
    pub batch: usize,
    /// How many batches are worked on at once.
    pub workers: usize,
}

impl Default for GroupCommitSettings {
    /// Two workers, so that one gathers while the other waits for the disk; a full queue is a second's work.
    fn default() -> Self {
        GroupCommitSettings { queue: 8_192, batch: 500, workers: 2 }
    }
}

/// The queue is full, closed, or the batch was lost: nothing was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many are waiting; try again in a moment")]
pub struct Busy;

type Handler<Req, Ans> = dyn Fn(Vec<Req>) -> Pin<Box<dyn Future<Output = Vec<Ans>> + Send>> + Send + Sync;
type Waiting<Req, Ans> = (Req, oneshot::Sender<Ans>);

/// Gathers requests into batches and gives each its own answer, after the handler has committed them all.
///
/// While the workers are busy requests gather; an idle worker takes one alone at once, so a quiet service does not wait.
pub struct GroupCommit<Req, Ans> {
    queue: std::sync::Mutex<Option<mpsc::Sender<Waiting<Req, Ans>>>>,
    capacity: usize,
    free: Arc<Semaphore>,
    workers: Mutex<JoinSet<()>>,
}

impl<Req: Send + 'static, Ans: Send + 'static> GroupCommit<Req, Ans> {
    /// Starts the workers on the runtime that this is called in.
    ///
    /// `handler`: from a batch, in the order of arrival, to its answers in the same order.
    pub fn new<F, Fut>(settings: GroupCommitSettings, handler: F) -> Self
    where
        F: Fn(Vec<Req>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Ans>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(settings.queue);
        let receiver = Arc::new(Mutex::new(receiver));
        let free = Arc::new(Semaphore::new(settings.queue));
        let handler: Arc<Handler<Req, Ans>> = Arc::new(move |batch| Box::pin(handler(batch)));
        let mut workers = JoinSet::new();
        for _ in 0..settings.workers {
            workers.spawn(work(Arc::clone(&receiver), Arc::clone(&handler), settings.batch));
        }
        let queue = std::sync::Mutex::new(Some(sender));
        GroupCommit { queue, capacity: settings.queue, free, workers: Mutex::new(workers) }
    }

    /// The answer to `request`, once its batch was committed.
    ///
    /// Errors: [`Busy`] at once if the queue is full or closed, or if the batch's handler panicked.
    pub async fn submit(&self, request: Req) -> Result<Ans, Busy> {
        let _place = self.free.try_acquire().map_err(|_| Busy)?;
        let sender = self.queue.lock().map_err(|_| Busy)?.clone().ok_or(Busy)?;
        let (answer, answered) = oneshot::channel();
        sender.try_send((request, answer)).map_err(|_| Busy)?;
        drop(sender);
        answered.await.map_err(|_| Busy)
    }

    /// Takes nothing more and waits until everything taken is answered.
    pub async fn drain(&self) {
        if let Ok(mut queue) = self.queue.lock() {
            queue.take();
        }
        let mut workers = self.workers.lock().await;
        while workers.join_next().await.is_some() {}
    }

    /// How many requests are waiting or being worked on.
    pub fn len(&self) -> usize {
        self.capacity - self.free.available_permits()
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Takes batches until the queue is closed and empty.
async fn work<Req: Send + 'static, Ans: Send + 'static>(
    receiver: Arc<Mutex<mpsc::Receiver<Waiting<Req, Ans>>>>,
    handler: Arc<Handler<Req, Ans>>,
    most: usize,
) {
    loop {
        let mut waiting = Vec::new();
        // One worker at a time gathers, so that batches are handed on in the order of arrival.
        if receiver.lock().await.recv_many(&mut waiting, most).await == 0 {
            return;
        }
        let (requests, callers): (Vec<Req>, Vec<oneshot::Sender<Ans>>) = waiting.into_iter().unzip();
        // In a task of its own: a panic there costs its callers their answer, and nobody else anything.
        let batch = tokio::spawn(handler(requests));
        for (caller, answer) in callers.into_iter().zip(batch.await.unwrap_or_default()) {
            let _ = caller.send(answer); // a caller that went away has no use for it
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    fn settings(queue: usize, workers: usize) -> GroupCommitSettings {
        GroupCommitSettings { queue, batch: 100, workers }
    }

    #[tokio::test]
    async fn each_caller_hears_of_its_own_row_and_batches_form_under_load() {
        let batches = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&batches);
        let commits = Arc::new(GroupCommit::new(settings(1000, 1), move |batch: Vec<u32>| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(Duration::from_millis(2)).await;
                batch.into_iter().map(|n| n * 2).collect()
            }
        }));
        let asked = (0..500).map(|n| {
            let commits = Arc::clone(&commits);
            tokio::spawn(async move { (n, commits.submit(n).await) })
        });
        for task in asked.collect::<Vec<_>>() {
            let (n, answer) = task.await.expect("no panic");
            assert_eq!(answer, Ok(n * 2));
        }
        assert!(batches.load(Ordering::SeqCst) < 100, "500 requests in far fewer batches");
        assert!(commits.is_empty());
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let (open, closed) = tokio::sync::watch::channel(false);
        let commits = Arc::new(GroupCommit::new(settings(3, 1), move |batch: Vec<u32>| {
            let mut gate = closed.clone();
            async move {
                let _ = gate.wait_for(|open| *open).await;
                batch
            }
        }));
        let waiting: Vec<_> = (0..3)
            .map(|n| {
                let commits = Arc::clone(&commits);
                tokio::spawn(async move { commits.submit(n).await })
            })
            .collect();
        while commits.len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(commits.submit(9).await, Err(Busy));
        open.send(true).expect("somebody waits");
        for (n, task) in waiting.into_iter().enumerate() {
            assert_eq!(task.await.expect("no panic"), Ok(n as u32));
        }
        assert_eq!(commits.submit(9).await, Ok(9));
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_callers_only() {
        let commits = GroupCommit::new(settings(10, 1), |batch: Vec<u32>| async move {
            assert!(!batch.contains(&13), "unlucky");
            batch
        });
        assert_eq!(commits.submit(13).await, Err(Busy));
        assert_eq!(commits.submit(7).await, Ok(7));
    }

    #[tokio::test]
    async fn draining_answers_what_was_taken_and_takes_no_more() {
        let commits = Arc::new(GroupCommit::new(settings(10, 1), |batch: Vec<u32>| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            batch
        }));
        let taken = {
            let commits = Arc::clone(&commits);
            tokio::spawn(async move { commits.submit(1).await })
        };
        while commits.is_empty() {
            tokio::task::yield_now().await;
        }
        commits.drain().await;
        assert_eq!(taken.await.expect("no panic"), Ok(1));
        assert_eq!(commits.submit(2).await, Err(Busy));
    }
}
