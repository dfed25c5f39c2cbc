use std::fs;

use super::*;
use crate::config::Config;
use crate::http::client::Client;
use crate::worker::daemon::Daemon;
use crate::worker::programs::Programs;

struct Bed {
    directory: tempfile::TempDir,
    slots: Slots,
}

impl Bed {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (_end, ends) = tokio::sync::watch::channel(false);
        let context = Context {
            daemon: Daemon::new(Client::new(directory.path().join("none.sock"))),
            runner: Runner::of_binary("/nonexistent").without_groups(),
            programs: Arc::new(Programs::of(&Config::default())),
            grace: Duration::ZERO,
            log_bytes: 1 << 20,
            beats: tokio::runtime::Handle::current(),
            ends,
        };
        let place = Arc::new(Place::open(&directory.path().join("place")).unwrap());
        Self { directory, slots: Slots::new(context, place) }
    }

    /// A job's directory in which something was to be done.
    fn job(&self) -> JobPlace {
        let job = self.slots.place.job(JobId(7));
        fs::create_dir_all(job.path()).unwrap();
        job
    }
}

#[tokio::test]
async fn a_worker_that_cannot_tell_what_it_has_does_not_say_that_it_has_nothing() {
    let mut bed = Bed::new();
    let run = bed.job().run(Program::Train);
    fs::create_dir_all(&run).unwrap();
    bed.slots.adopt().await.unwrap();
    fs::write(run.join("run.json"), "{").unwrap();
    let error = bed.slots.adopt().await.unwrap_err().to_string();
    assert!(error.contains("run.json") && error.contains("nothing is begun"), "{error}");
    fs::remove_dir_all(bed.directory.path().join("place/jobs")).unwrap();
    let error = bed.slots.adopt().await.unwrap_err().to_string();
    assert!(error.contains("place: ") && error.contains("nothing is begun"), "{error}");
}

#[tokio::test]
async fn a_task_that_panics_keeps_its_job_until_nothing_of_it_is_left() {
    let mut bed = Bed::new();
    let job = bed.job();
    let file = job.path().join("task.json");
    fs::write(&file, "{}").unwrap();
    let held = Held { job: JobId(7), epoch: 3 };
    let task = bed.slots.tasks.spawn(async { panic!("as a test") });
    let directory = Arc::default();
    bed.slots.add(Slot { root: job.root, held: held.clone(), task: task.id(), watch: None, directory });
    assert_eq!(bed.slots.ended().await, Some(Outcome::Dropped));
    assert_eq!(bed.slots.held(), [held], "its program may live");
    assert_eq!(bed.slots.ended().await, Some(Outcome::Dropped));
    assert_eq!((bed.slots.held(), bed.slots.len()), (Vec::new(), 0));
    assert_eq!(bed.slots.ended().await, None);
    assert!(!file.exists(), "it would be taken over by the next worker");
}
