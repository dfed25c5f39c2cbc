use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use prometheus_client::metrics::counter::Counter;
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
    evicted: Counter,
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
    /// A body was not read to its end.
    unread: AtomicBool,
    leave: Notify,
    spoke: AtomicBool,
    heard: Notify,
    places: Arc<Places>,
}

/// One connection's place; free again when dropped.
pub(super) struct Place {
    seat: Arc<Seat>,
    number: u64,
}

impl Places {
    /// At most `limit`; `evicted` counts those that had to make room.
    pub(super) fn new(limit: usize, evicted: Counter) -> Arc<Self> {
        Arc::new(Self { limit: limit.max(1), evicted, seats: Mutex::default(), changed: Notify::new() })
    }

    /// A place, once there is one.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            // Listens before it looks, so that no change in between is missed.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(place) = self.try_take(Instant::now()) {
                return place;
            }
            let _ = timeout(LOOK_AGAIN, changed).await;
        }
    }

    fn try_take(self: &Arc<Self>, now: Instant) -> Option<Place> {
        let mut seats = lock(&self.seats);
        if seats.taken.len() < self.limit {
            let seat = Arc::new(Seat {
                stage: Mutex::new((Stage::Idle, now)),
                unread: AtomicBool::new(false),
                leave: Notify::new(),
                spoke: AtomicBool::new(false),
                heard: Notify::new(),
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
            self.evicted.inc();
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
        let ended = body.is_end_stream();
        Body::new(Received { body, ended, seat: Arc::clone(self) })
    }

    /// The client sent something.
    pub(super) fn spoke(&self) {
        if !self.spoke.swap(true, Ordering::Relaxed) {
            // Kept for whoever asks later.
            self.heard.notify_one();
        }
    }

    /// Once the client has sent something; for one caller.
    pub(super) async fn heard(&self) {
        self.heard.notified().await;
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

    /// Whether there was a body that nobody wanted to the end, so that more of it may still be on its way.
    pub(super) fn has_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
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
    ended: bool,
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
            self.ended = true;
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

impl Drop for Received {
    fn drop(&mut self) {
        if !self.ended {
            self.seat.unread.store(true, Ordering::Relaxed);
        }
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

    const STEP: Duration = Duration::from_millis(1);

    impl Place {
        fn is(&self, stage: Stage, since: Instant) {
            *lock(&self.seat.stage) = (stage, since);
        }

        fn has_to_go(&self) -> bool {
            lock(&self.seat.stage).0 == Stage::Leaving
        }
    }

    /// Somebody asks for a place, in vain; which of those who have one have to go?
    fn told(places: &Arc<Places>, now: Instant, taken: &[&Place]) -> Vec<bool> {
        assert!(places.try_take(now).is_none(), "there was a place");
        taken.iter().map(|place| place.has_to_go()).collect()
    }

    #[test]
    fn the_longest_idle_makes_room_and_no_other() {
        let places = Places::new(3, Counter::default());
        let mut now = Instant::now();
        let mut take = || {
            now += STEP;
            (places.try_take(now).unwrap(), now)
        };
        let ((first, _), (second, _), (third, now)) = (take(), take(), take());
        // The oldest is served, so it is the second's turn.
        first.is(Stage::Working, now);
        assert_eq!(told(&places, now, &[&first, &second, &third]), [false, true, false]);
        assert_eq!(told(&places, now, &[&first, &second, &third]), [false, true, false], "one goes at a time");
        drop(second);
        let newcomer = places.try_take(now + STEP).expect("the place of the one who went");
        // Idle again, but for the shortest time.
        first.is(Stage::Idle, now + 2 * STEP);
        assert_eq!(told(&places, now + 3 * STEP, &[&first, &third, &newcomer]), [false, true, false]);
    }

    #[test]
    fn slow_bodies_and_readers_go_after_a_while_and_work_never() {
        let places = Places::new(3, Counter::default());
        let now = Instant::now();
        let [body, reader, work] = [(); 3].map(|()| places.try_take(now).unwrap());
        body.is(Stage::Receiving, now);
        reader.is(Stage::Working, now);
        work.is(Stage::Working, now);
        reader.seat.blocked(true);
        reader.is(Stage::Blocked, now);
        assert_eq!(told(&places, now + STEP, &[&body, &reader, &work]), [false; 3]);
        let later = now + GRACE;
        assert_eq!(told(&places, later, &[&body, &reader, &work]), [true, false, false]);
        drop(body);
        let idle = places.try_take(later).unwrap();
        assert_eq!(told(&places, later, &[&idle, &reader, &work]), [true, false, false]);
        drop(idle);
        let busy = places.try_take(later).unwrap();
        busy.is(Stage::Working, later);
        assert_eq!(told(&places, later, &[&busy, &reader, &work]), [false, true, false]);
        reader.seat.blocked(false);
        reader.seat.enter(Stage::Idle);
        assert!(reader.has_to_go(), "it was told already");
        drop(reader);
        places.try_take(later).unwrap().is(Stage::Working, later);
    }

    #[test]
    fn a_reader_that_reads_on_is_at_work_again() {
        let places = Places::new(1, Counter::default());
        let now = Instant::now();
        let reader = places.try_take(now).unwrap();
        reader.seat.blocked(true);
        assert_eq!(lock(&reader.seat.stage).0, Stage::Idle, "a reader without an answer is idle");
        reader.is(Stage::Working, now);
        reader.seat.blocked(true);
        assert_eq!(lock(&reader.seat.stage).0, Stage::Blocked);
        reader.seat.blocked(false);
        assert_eq!(told(&places, now + 2 * GRACE, &[&reader]), [false]);
    }

    #[tokio::test]
    async fn whoever_becomes_idle_makes_room_for_those_who_wait() {
        let places = Places::new(1, Counter::default());
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
        assert_eq!(places.evicted.get(), 1);
        assert_eq!(lock(&places.seats).leaving, 0);
    }
}
