//! Many threads at once.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use quantum_clm::app::jobs::JobError;
use quantum_clm::domain::job::{Assignment, Ending, JobId, JobState, JobStep};
use quantum_clm::store::JobFilter;

use super::bed::{Bed, training};

/// What each of 64 workers gets that ask in the same moment.
fn all_ask(bed: &Bed) -> Vec<Assignment> {
    let together = Barrier::new(64);
    thread::scope(|scope| {
        let ask = |number: usize| {
            let together = &together;
            scope.spawn(move || {
                together.wait();
                bed.lease(&format!("w{number}"))
            })
        };
        let asked: Vec<_> = (0..64).map(ask).collect();
        asked.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn of_sixty_four_that_ask_for_one_job_one_gets_it() {
    let bed = Bed::new();
    let job = bed.create("btcusdt");
    let given = all_ask(&bed);
    assert_eq!(given.len(), 1, "{given:?}");
    let held = bed.get(job.id);
    assert_eq!((held.epoch, held.state), (1, JobState::Leased));
    let begun: Vec<_> = held.steps.iter().map(|record| record.step).collect();
    assert_eq!(begun, [JobStep::Begin, JobStep::Data].map(Some), "it began more than once");
}

#[test]
fn of_sixty_four_that_ask_for_ten_jobs_as_many_get_one_as_there_are_places() {
    let bed = Bed::new();
    for number in 0..10 {
        bed.create(&format!("s{number}"));
    }
    let given = all_ask(&bed);
    let jobs: BTreeSet<_> = given.iter().map(|assignment| assignment.job).collect();
    assert_eq!((given.len(), jobs), (2, BTreeSet::from([JobId(1), JobId(2)])));
}

#[test]
fn of_sixty_four_that_ask_for_a_training_of_one_model_one_makes_it() {
    let bed = Bed::new();
    let together = Barrier::new(64);
    let make = || {
        together.wait();
        bed.jobs().create(&bed.ask(), training("btcusdt"))
    };
    let made: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    let others = made.iter().filter(|made| matches!(made, Err(JobError::Open(JobId(1)))));
    assert_eq!(others.count(), 63, "the others are told which one is open");
}

#[test]
fn workers_people_and_ticks_at_once_bring_every_job_to_one_end() {
    const JOBS: u64 = 40;
    let mut config = Bed::new().config;
    config.running = 3;
    let bed = Bed::with(config);
    for number in 0..JOBS {
        bed.create(&format!("s{number}"));
    }
    let over = AtomicBool::new(false);
    let ended = thread::scope(|scope| {
        let work = |number: usize| {
            let (bed, worker) = (&bed, format!("w{number}"));
            scope.spawn(move || {
                let mut ended = Vec::new();
                while !bed.store().open_jobs().unwrap().is_empty() {
                    ended.extend(bed.work(&worker));
                }
                ended
            })
        };
        let workers: Vec<_> = (0..8).map(work).collect();
        scope.spawn(|| {
            for id in (1..=JOBS).step_by(4) {
                match bed.jobs().cancel(&bed.ask(), JobId(id), "no longer") {
                    Ok(_) | Err(JobError::Refused(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                bed.jobs().tick(Duration::from_millis(1), bed.now()).unwrap();
                bed.jobs().survey().unwrap();
                bed.jobs().queue().unwrap();
                let open = bed.store().open_jobs().unwrap();
                let held: Vec<_> = open.iter().filter(|job| job.state.is_held()).collect();
                assert!(held.len() <= 3, "{held:?}");
            }
        });
        let ended: Vec<(JobId, Ending)> = workers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        over.store(true, Ordering::SeqCst);
        ended
    });
    let told: BTreeSet<_> = ended.iter().map(|(job, _)| *job).collect();
    assert_eq!(told.len(), ended.len(), "two workers brought one job to its end: {ended:?}");
    let (all, _) = bed.store().jobs(&JobFilter::default(), None, usize::MAX).unwrap();
    assert_eq!(all.len() as u64, JOBS);
    for job in &all {
        match job.state {
            JobState::Completed => {
                let steps: Vec<_> = job.steps.iter().map(|record| (record.step, record.is_done())).collect();
                assert_eq!(steps, JobStep::ALL.map(|step| (Some(step), true)), "{}", job.id);
                assert!(ended.contains(&(job.id, Ending::Completed)), "{}: its worker was not told", job.id);
            }
            JobState::Cancelled => assert_eq!(job.id.0 % 4, 1, "{} was not called off", job.id),
            state => panic!("{} is {state}", job.id),
        }
    }
    assert_eq!(bed.jobs().counts().unwrap().total(), JOBS);
}
