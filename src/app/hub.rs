//! Who watches this node: so many, each told what is newest, and none of them waited for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::live::Event;

/// How many may listen to one node.
pub const MAX_LISTENERS: usize = 256;
/// How many streams one caller may have on one node.
pub const MAX_STREAMS: usize = 8;
/// Where there is nothing to tell for so long, that is said: it keeps proxies awake.
const AWAKE: Duration = Duration::from_secs(15);
/// Whoever took nothing for so long is dropped when they take something again; until then they hold their place.
const SLOW: Duration = Duration::from_secs(30);

/// What a listener is told.
pub enum Told {
    /// What was found out this second.
    Event(Arc<Event>),
    /// That the stream is still there.
    Nothing,
}

/// Why somebody may not listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All places are taken, or the node stops.
    All,
    /// They have as many streams as one caller may.
    Theirs,
}

/// How many streams each caller has, by what names them.
type Streams = Arc<Mutex<HashMap<String, usize>>>;

/// One of a caller's streams.
struct Stream {
    who: String,
    streams: Streams,
}

impl Stream {
    fn begin(streams: &Streams, who: &str) -> Option<Stream> {
        let mut of = streams.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of.entry(who.to_owned()).or_default();
        if *count >= MAX_STREAMS {
            return None;
        }
        *count += 1;
        Some(Stream { who: who.to_owned(), streams: Arc::clone(streams) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut of = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                of.remove(&self.who);
            }
        }
    }
}

/// Where events come from, and who listens.
pub struct Hub {
    streams: Streams,
    events: watch::Sender<Option<Arc<Event>>>,
    places: Arc<Semaphore>,
    closed: watch::Sender<bool>,
}

impl Default for Hub {
    fn default() -> Hub {
        Hub {
            streams: Streams::default(),
            events: watch::Sender::new(None),
            places: Arc::new(Semaphore::new(MAX_LISTENERS)),
            closed: watch::Sender::new(false),
        }
    }
}

/// Somebody who listens. An event that they were too slow for is not kept for them: they get the next.
pub struct Listener {
    events: watch::Receiver<Option<Arc<Event>>>,
    closed: watch::Receiver<bool>,
    /// When they were told last: they ask again once they have taken it.
    told_at: Option<tokio::time::Instant>,
    _place: OwnedSemaphorePermit,
    _stream: Stream,
}

impl Hub {
    /// A place among those who listen, for the caller whom `who` names. Errors: [`Full`].
    pub fn listen(&self, who: &str) -> Result<Listener, Full> {
        let stream = Stream::begin(&self.streams, who).ok_or(Full::Theirs)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Full::All)?;
        let mut events = self.events.subscribe();
        // The last event may be of long ago: the next is what is waited for.
        events.mark_unchanged();
        if *self.closed.borrow() {
            return Err(Full::All);
        }
        Ok(Listener { events, closed: self.closed.subscribe(), told_at: None, _place: place, _stream: stream })
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        MAX_LISTENERS - self.places.available_permits()
    }

    pub(super) fn tell(&self, event: Event) {
        self.events.send_replace(Some(Arc::new(event)));
    }

    /// Ends every stream, and lets nobody listen from now on: what a node does first that stops.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }
}

impl Listener {
    /// What is to be told next; `None` once the node stops, and for a listener who took nothing for half a minute.
    pub async fn next(&mut self) -> Option<Told> {
        if self.told_at.is_some_and(|at| at.elapsed() > SLOW) {
            return None;
        }
        let told = tokio::select! {
            _ = self.closed.wait_for(|closed| *closed) => return None,
            changed = self.events.changed() => {
                changed.ok()?;
                self.events.borrow_and_update().clone().map_or(Told::Nothing, Told::Event)
            }
            () = tokio::time::sleep(AWAKE) => Told::Nothing,
        };
        self.told_at = Some(tokio::time::Instant::now());
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::super::live::{Found, Scope};
    use super::*;

    #[tokio::test]
    async fn so_many_may_listen_and_each_hears_the_newest() {
        let hub = Hub::default();
        let who = |n: usize| (n / MAX_STREAMS).to_string();
        let mut listeners: Vec<Listener> = (0..MAX_LISTENERS).filter_map(|n| hub.listen(&who(n)).ok()).collect();
        assert_eq!((listeners.len(), hub.listeners()), (MAX_LISTENERS, MAX_LISTENERS));
        assert_eq!(hub.listen("another").err(), Some(Full::All), "one more");
        assert_eq!(hub.listen("0").err(), Some(Full::Theirs), "one more of theirs");
        listeners.pop();
        assert_eq!(hub.listen("0").err(), Some(Full::Theirs), "theirs are still there");
        assert!(hub.listen(&who(MAX_LISTENERS - 1)).is_ok(), "one went away");
        for at in [1, 2] {
            hub.tell(Event::new(Found { at, ..Found::default() }));
        }
        let mut first = listeners.swap_remove(0);
        let Some(Told::Event(event)) = first.next().await else { panic!("an event") };
        assert!(event.text(&Scope::Service).starts_with(b"event: live\ndata: {\"at\":2,"));
        hub.close();
        assert!(first.next().await.is_none() && hub.listen("another").err() == Some(Full::All));
    }

    #[tokio::test(start_paused = true)]
    async fn where_nothing_is_to_be_told_that_is_said_and_who_takes_nothing_is_dropped() {
        let hub = Hub::default();
        let began = tokio::time::Instant::now();
        for (pause_s, dropped) in [(29, false), (30, false), (31, true)] {
            let mut listener = hub.listen("0").unwrap_or_else(|full| panic!("no place: {full:?}"));
            assert!(matches!(listener.next().await, Some(Told::Nothing)));
            tokio::time::advance(Duration::from_secs(pause_s)).await;
            assert_eq!(listener.next().await.is_none(), dropped, "{pause_s} s");
        }
        assert_eq!(began.elapsed(), Duration::from_secs(5 * 15 + 90));
    }
}
