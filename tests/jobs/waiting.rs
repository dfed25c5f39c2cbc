//! Many jobs, and what is said of them.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use quantum_clm::app::jobs::JobQuery;
use quantum_clm::domain::job::{Job, JobId, JobState, Program, Waiting};
use quantum_clm::store::{JobFilter, StoreError};

use super::bed::{Bed, request, training};

/// Ten thousand jobs of which most are over, in a few commits.
fn many(bed: &Bed, open: u64) {
    bed.store()
        .write(|txn| {
            for number in 1..=10_000 {
                let id = txn.new_job()?;
                let mut job = Job::new(id, training(&format!("s{}", number % 500)), "anna", bed.now());
                if number <= 10_000 - open {
                    job.state = if number % 10 == 0 { JobState::Failed } else { JobState::Completed };
                    job.ended_at = Some(bed.now());
                }
                txn.put_job(&job)?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn lists_page_through_ten_thousand_jobs_and_find_what_they_ask_for() {
    let bed = Bed::new();
    many(&bed, 400);
    let all = |filter: JobFilter| {
        let (mut found, mut pages, mut before) = (Vec::new(), 0, None);
        loop {
            let query = JobQuery { filter: filter.clone(), before, limit: 100 };
            let (jobs, next) = bed.jobs().list(&query).unwrap();
            found.extend(jobs.into_iter().map(|job| job.id));
            pages += 1;
            match next {
                Some(next) => before = Some(next),
                None => return (found, pages),
            }
        }
    };
    let (every, _) = all(JobFilter::default());
    assert_eq!(every.len(), 10_000);
    assert!(every.windows(2).all(|pair| pair[0] > pair[1]), "not the newest first, or one twice");
    let states = |states: &[JobState]| JobFilter { states: states.to_vec(), ..JobFilter::default() };
    // What is open is found without a look at what is over.
    assert_eq!((all(states(&[JobState::Pending])).0.len(), all(states(&[JobState::Pending])).1), (400, 4));
    assert_eq!(all(states(&[JobState::Running, JobState::Lost])), (vec![], 1));
    assert_eq!(all(states(&[JobState::Failed])).0.len(), 960);
    let model = Some(training("s7").model);
    let (of_model, pages) = all(JobFilter { model, ..JobFilter::default() });
    assert_eq!((of_model.len(), pages), (20, 1), "a model's jobs are found without a look at others");
    let counts = bed.jobs().counts().unwrap();
    assert_eq!((counts.of(JobState::Pending), counts.of(JobState::Failed), counts.total()), (400, 960, 10_000));
}

#[test]
fn a_worker_that_asks_reads_what_is_open_and_nothing_else() {
    let bed = Bed::new();
    many(&bed, 3);
    let open = bed.store().open_jobs().unwrap();
    assert_eq!(open.iter().map(|job| job.id.0).collect::<Vec<_>>(), [9_998, 9_999, 10_000]);
    assert_eq!(bed.lease("w1").unwrap().job, JobId(9_998));
    assert_eq!(bed.lease("w2").unwrap().job, JobId(9_999));
    assert_eq!(bed.lease("w3"), None, "two places");
}

#[test]
fn each_job_says_why_it_waits() {
    let bed = Bed::new();
    let [first, second, third] = ["a", "b", "c"].map(|symbol| bed.create(symbol));
    let why = |job: &Job| bed.jobs().waiting(&bed.get(job.id)).unwrap();
    assert_eq!(why(&first), Some(Waiting::NoWorker { program: Program::Data }));
    for worker in ["w1", "w2"] {
        bed.lease(worker).unwrap();
    }
    assert_eq!((why(&first), why(&second)), (None, None));
    assert_eq!(why(&third), Some(Waiting::Places { most: 2 }));
    let survey = bed.jobs().survey().unwrap();
    assert_eq!((survey.wanting, survey.workers, survey.counts.of(JobState::Pending)), (0, 2, 1));
    let workers: BTreeSet<_> = bed.jobs().workers().unwrap().into_iter().map(|worker| worker.name).collect();
    assert_eq!(workers, ["w1", "w2"].map(String::from).into());
}

#[test]
fn every_change_is_told() {
    let bed = Bed::new();
    let changes = bed.jobs().changes();
    let count = || changes.borrow().count;
    let job = bed.create("a");
    assert_eq!((count(), changes.borrow().job), (1, Some(job.id)));
    bed.lease("w1").unwrap();
    let leased = count();
    assert!(leased > 1);
    assert_eq!(bed.jobs().lease(&request("w2", &[])).unwrap(), None);
    assert_eq!(count(), leased, "nothing changed");
}

#[test]
fn a_hook_begins_when_the_disk_has_followed_the_promotion() {
    let bed = Bed::new();
    let hook = bed.jobs().create(&bed.ask(), super::bed::hook("btcusdt")).unwrap().id;
    let training = bed.create("btcusdt").id;
    bed.steps.obstacle.store(true, Ordering::SeqCst);
    let given = bed.lease("w1").expect("the training waits for nothing");
    assert_eq!(given.job, training);
    assert!(bed.lease("w2").is_none(), "whoever the hook calls would read the old files");
    bed.steps.obstacle.store(false, Ordering::SeqCst);
    bed.pass(6);
    assert_eq!(bed.lease("w2").expect("the hook").job, hook);
}
