use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// How long a body may be on its way, or an answer wait for its reader, before its connection may be closed for another's
/// sake. A flood of new connections must not throw out whoever is being served.
const GRACE: Duration = Duration::from_secs(1);

/// How often the crowd is looked at again where nobody in it can be closed yet.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The connections of one kind: at most `limit` at once. When all places are taken, the connection that has been waiting
/// for its client the longest makes room, so nobody is locked out by connections that ask for nothing.
pub(super) struct Places {
    limit: usize,
    seats: Mutex<Seats>,
    changed: Notify,
}

#[derive(Default)]
struct Seats {
    taken: HashMap<u64, Arc<Seat>>,
    next: u64,
    leaving: usize,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Waits for a request or for the rest of its head.
    Idle,
    /// Waits for the rest of a body.
    Receiving,
    /// Waits for the client to read.
    Blocked,
    /// We have something to do for it.
    Working,
    /// Was told to go.
    Leaving,
}

/// What one connection tells about itself.
pub(super) struct Seat {
    stage: Mutex<(Stage, Instant)>,
    leave: Notify,
    places: Arc<Places>,
}

/// One connection's place; free again when dropped.
pub(super) struct Place {
    seat: Arc<Seat>,
    number: u64,
}

impl Places {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit: limit.max(1), seats: Mutex::default(), changed: Notify::new() })
    }

    /// A place, once there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            // Listens before it looks, so that no change in between is missed.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(place) = self.try_take() {
                return place;
            }
            let _ = timeout(LOOK_AGAIN, changed).await;
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Place> {
        let now = Instant::now();
        let mut seats = lock(&self.seats);
        if seats.taken.len() < self.limit {
            let seat = Arc::new(Seat {
                stage: Mutex::new((Stage::Idle, now)),
                leave: Notify::new(),
                places: Arc::clone(self),
            });
            let number = seats.next;
            seats.next += 1;
            seats.taken.insert(number, Arc::clone(&seat));
            return Some(Place { seat, number });
        }
        // One at a time: whoever was told to go makes this room.
        if seats.leaving == 0 && seats.longest_waiting(now).is_some_and(|seat| seat.tell_to_leave()) {
            seats.leaving += 1;
        }
        None
    }
}

impl Seats {
    /// Idle ones first, then bodies, then answers; among them the longest.
    fn longest_waiting(&self, now: Instant) -> Option<&Arc<Seat>> {
        let waiting = |seat: &&Arc<Seat>| {
            let (stage, since) = *lock(&seat.stage);
            match stage {
                Stage::Idle => true,
                Stage::Receiving | Stage::Blocked => now.saturating_duration_since(since) >= GRACE,
                Stage::Working | Stage::Leaving => false,
            }
        };
        self.taken.values().filter(waiting).min_by_key(|seat| *lock(&seat.stage))
    }
}

impl Seat {
    /// A request came; its body may still be on its way. The answer's body says when it is over.
    pub(super) fn begin(self: &Arc<Self>, body: Incoming) -> Body {
        self.enter(if body.is_end_stream() { Stage::Working } else { Stage::Receiving });
        Body::new(Received { body, seat: Arc::clone(self) })
    }

    /// The answer that goes out; the connection is idle once it is written.
    pub(super) fn answer(self: &Arc<Self>, body: Body) -> Body {
        self.enter(Stage::Working);
        Body::new(Answer { body, _until: UntilIdle(Arc::clone(self)) })
    }

    /// A write waits for the client, or no longer does.
    pub(super) fn blocked(&self, blocked: bool) {
        let (from, to) = if blocked { (Stage::Working, Stage::Blocked) } else { (Stage::Blocked, Stage::Working) };
        let mut stage = lock(&self.stage);
        if stage.0 == from {
            *stage = (to, Instant::now());
        }
    }

    /// Waits until it has to make room.
    pub(super) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    fn enter(&self, next: Stage) {
        let mut stage = lock(&self.stage);
        if stage.0 == Stage::Leaving {
            return;
        }
        *stage = (next, Instant::now());
        drop(stage);
        if next == Stage::Idle {
            self.places.changed.notify_waiters();
        }
    }

    /// Not any more if a request has just come.
    fn tell_to_leave(&self) -> bool {
        let mut stage = lock(&self.stage);
        let leaves = stage.0 < Stage::Working;
        if leaves {
            stage.0 = Stage::Leaving;
            self.leave.notify_one();
        }
        leaves
    }
}

impl Place {
    pub(super) fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let places = &self.seat.places;
        let mut seats = lock(&places.seats);
        seats.taken.remove(&self.number);
        if lock(&self.seat.stage).0 == Stage::Leaving {
            seats.leaving -= 1;
        }
        drop(seats);
        places.changed.notify_waiters();
    }
}

/// A request's body: when it is complete, the turn is ours.
struct Received {
    body: Incoming,
    seat: Arc<Seat>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.seat.enter(Stage::Working);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body.
struct Answer {
    body: Body,
    _until: UntilIdle,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct UntilIdle(Arc<Seat>);

impl Drop for UntilIdle {
    fn drop(&mut self) {
        self.0.enter(Stage::Idle);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether this place was told to make room.
    async fn has_to_go(place: &Place) -> bool {
        timeout(Duration::ZERO, place.seat().told_to_leave()).await.is_ok()
    }

    async fn full(places: &Arc<Places>) {
        assert!(timeout(Duration::from_millis(1), places.take()).await.is_err(), "there was a place");
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_makes_room_and_no_other() {
        let places = Places::new(3);
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(places.take().await);
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        // The oldest is served, so it is the second's turn.
        taken[0].seat().enter(Stage::Working);
        full(&places).await;
        full(&places).await;
        assert!(!has_to_go(&taken[0]).await && has_to_go(&taken[1]).await && !has_to_go(&taken[2]).await);
        drop(taken.remove(1));
        let newcomer = timeout(Duration::from_millis(1), places.take()).await.expect("a place became free");
        // Idle again, but for the shortest time.
        tokio::time::advance(Duration::from_millis(1)).await;
        drop(UntilIdle(Arc::clone(taken[0].seat())));
        full(&places).await;
        assert!(has_to_go(&taken[1]).await && !has_to_go(&taken[0]).await && !has_to_go(&newcomer).await);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_bodies_and_readers_go_after_a_while_and_work_never() {
        let places = Places::new(3);
        let (body, reader, work) = (places.take().await, places.take().await, places.take().await);
        body.seat().enter(Stage::Receiving);
        reader.seat().enter(Stage::Working);
        reader.seat().blocked(true);
        work.seat().enter(Stage::Working);
        full(&places).await;
        assert!(!has_to_go(&body).await && !has_to_go(&reader).await, "told to go at once");
        tokio::time::advance(GRACE).await;
        full(&places).await;
        assert!(has_to_go(&body).await && !has_to_go(&reader).await);
        drop(body);
        let idle = places.take().await;
        full(&places).await;
        assert!(has_to_go(&idle).await);
        drop(idle);
        let again = places.take().await;
        again.seat().enter(Stage::Working);
        full(&places).await;
        assert!(has_to_go(&reader).await && !has_to_go(&work).await);
        // Its client reads on: too late.
        reader.seat().blocked(false);
        assert_eq!(lock(&reader.seat().stage).0, Stage::Leaving);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_becomes_idle_makes_room_for_those_who_wait() {
        let places = Places::new(1);
        let first = places.take().await;
        first.seat().enter(Stage::Working);
        let second = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await }
        });
        tokio::task::yield_now().await;
        drop(first.seat().answer(Body::empty()));
        first.seat().told_to_leave().await;
        drop(first);
        second.await.unwrap();
        assert_eq!(lock(&places.seats).leaving, 0);
    }
}
