//! Where the pipeline's work comes in, in two lanes that take turns: what the source delivers, and what programs
//! publish. Neither can starve the other, and each waits by itself: the source for room, a publisher for its answer.
//!
//! The inbox outlives source and pipeline, which end and start together. Deliveries go with them, because the journal
//! has them still; a publication that no pipeline has taken yet waits for the next one.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Publication;
use crate::domain::feed::Delivery;

/// Deliveries that may wait; each is at most a few thousand events.
const DELIVERIES: usize = 4;

/// The two lanes.
#[derive(Debug, Default)]
pub struct Inbox {
    lanes: Mutex<Lanes>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Lanes {
    deliveries: VecDeque<Delivery>,
    publications: VecDeque<Publication>,
    has_source: bool,
    has_pipeline: bool,
    closed: bool,
}

/// What the pipeline found.
#[derive(Debug, Default)]
pub struct Taken {
    /// From the source.
    pub delivery: Option<Delivery>,
    /// From a program.
    pub publication: Option<Publication>,
    /// Nothing more comes.
    pub ended: bool,
}

/// The source's side. Dropping it ends the pipeline's input.
#[derive(Debug)]
pub struct SourceSide(Arc<Inbox>);

/// The pipeline's side. Dropping it breaks the source off.
#[derive(Debug)]
pub struct PipelineSide(Arc<Inbox>);

/// The pipeline is gone.
#[derive(Debug)]
pub struct Gone;

impl Inbox {
    /// An empty one.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Both sides of one run of source and pipeline. The sides of the run before are dropped by then.
    pub fn connect(self: &Arc<Self>) -> (SourceSide, PipelineSide) {
        let mut lanes = self.lock();
        lanes.has_source = true;
        lanes.has_pipeline = true;
        (SourceSide(Arc::clone(self)), PipelineSide(Arc::clone(self)))
    }

    /// Puts a publication in. Without a place for it (the daemon stops) it comes back.
    pub fn publish(&self, publication: Publication) -> Result<(), Box<Publication>> {
        let mut lanes = self.lock();
        if lanes.closed {
            return Err(Box::new(publication));
        }
        lanes.publications.push_back(publication);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes no more publications: the daemon stops. Those that are in are still stored.
    pub fn close(&self) {
        let mut lanes = self.lock();
        lanes.closed = true;
        if !lanes.has_pipeline {
            lanes.publications.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SourceSide {
    /// Hands a delivery over; waits while the lane is full.
    pub fn send(&self, delivery: Delivery) -> Result<(), Gone> {
        let full = |lanes: &mut Lanes| lanes.has_pipeline && lanes.deliveries.len() >= DELIVERIES;
        let lanes = self.0.emptied.wait_while(self.0.lock(), full);
        let mut lanes = lanes.unwrap_or_else(PoisonError::into_inner);
        if !lanes.has_pipeline {
            return Err(Gone);
        }
        lanes.deliveries.push_back(delivery);
        self.0.filled.notify_one();
        Ok(())
    }
}

impl Drop for SourceSide {
    fn drop(&mut self) {
        self.0.lock().has_source = false;
        self.0.filled.notify_one();
    }
}

impl PipelineSide {
    /// The next of each lane; waits for the first of them at most `wait`.
    pub fn take(&self, wait: Duration) -> Taken {
        let until = Instant::now() + wait;
        let mut lanes = self.0.lock();
        loop {
            let delivery = lanes.deliveries.pop_front();
            let publication = lanes.publications.pop_front();
            if delivery.is_some() {
                self.0.emptied.notify_one();
            }
            let found = delivery.is_some() || publication.is_some();
            // What is published while source and pipeline start anew waits for them.
            let ended = !lanes.has_source && lanes.deliveries.is_empty() && (!lanes.closed || !found);
            let left = until.saturating_duration_since(Instant::now());
            if found || ended || left.is_zero() {
                return Taken { delivery, publication, ended };
            }
            lanes = self.0.filled.wait_timeout(lanes, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for PipelineSide {
    fn drop(&mut self) {
        let mut lanes = self.0.lock();
        lanes.has_pipeline = false;
        lanes.deliveries.clear();
        if lanes.closed {
            // Nobody comes after: whoever waits for an answer learns of it by this.
            lanes.publications.clear();
        }
        self.0.emptied.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::publication;

    const NOW: Duration = Duration::ZERO;

    fn publish(inbox: &Inbox) -> publication::Waiting {
        let (publication, waiting) = Publication::new(Default::default(), None, ());
        inbox.publish(publication).unwrap();
        waiting
    }

    #[test]
    fn the_lanes_take_turns() {
        let inbox = Inbox::new();
        let (source, pipeline) = inbox.connect();
        let waiting: Vec<_> = (0..10).map(|_| publish(&inbox)).collect();
        for _ in 0..DELIVERIES {
            source.send(Delivery::default()).unwrap();
        }
        for turn in 0..10 {
            let taken = pipeline.take(NOW);
            assert_eq!((taken.delivery.is_some(), taken.publication.is_some()), (turn < DELIVERIES, true), "{turn}");
        }
        let taken = pipeline.take(NOW);
        assert!(taken.delivery.is_none() && taken.publication.is_none() && !taken.ended);
        drop(waiting);
    }

    #[test]
    fn a_source_waits_for_room_and_learns_of_the_end() {
        let inbox = Inbox::new();
        let (source, pipeline) = inbox.connect();
        std::thread::scope(|threads| {
            let sent = threads.spawn(move || {
                let mut sent = 0;
                while source.send(Delivery::default()).is_ok() {
                    sent += 1;
                }
                sent
            });
            for _ in 0..20 {
                assert!(pipeline.take(Duration::from_secs(60)).delivery.is_some());
            }
            drop(pipeline);
            let sent = sent.join().unwrap();
            assert!((20..=20 + DELIVERIES).contains(&sent), "{sent}");
        });
    }

    #[test]
    fn publications_outlive_a_run_and_not_the_daemon() {
        let inbox = Inbox::new();
        let (source, pipeline) = inbox.connect();
        let mut waiting = publish(&inbox);
        drop(source);
        // The source died: the pipeline ends with it, whatever is published meanwhile.
        assert!(pipeline.take(NOW).ended);
        let mut second = publish(&inbox);
        drop(pipeline);
        assert!(waiting.is_lost(), "taken, and not stored");
        assert!(!second.is_lost());
        let (source, pipeline) = inbox.connect();
        inbox.close();
        let (late, _) = Publication::new(Default::default(), None, ());
        assert!(inbox.publish(late).is_err());
        drop(source);
        let taken = pipeline.take(NOW);
        assert!(taken.publication.is_some() && !taken.ended);
        assert!(pipeline.take(NOW).ended);
        drop((taken, pipeline));
        assert!(second.is_lost());
    }
}
