//! Whatever is killed, at whatever moment: every job comes to one end, nothing is trained twice, nobody is left, and no place
//! is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::bed::{Scene, Worker};
use crate::support::{Random, wait_for};

const WORKERS: [&str; 2] = ["worker-a", "worker-b"];

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Daemon,
    Worker,
    /// The operator's program: its job has failed.
    Adapter,
    /// Whoever it left behind: nobody minds.
    Grandchild,
    /// What watches over the program: its job is tried again.
    Supervisor,
    /// Everything at once.
    Machine,
    /// Not killed, but asked to stop.
    WorkerInOrder,
    /// Not killed: a person calls it off.
    Job,
}

/// As often as they stand here. What ends a job for good is rare, so that there are jobs to be killed at.
const VICTIMS: [Victim; 16] = [
    Victim::Daemon,
    Victim::Daemon,
    Victim::Daemon,
    Victim::Daemon,
    Victim::Worker,
    Victim::Worker,
    Victim::Worker,
    Victim::Worker,
    Victim::WorkerInOrder,
    Victim::Supervisor,
    Victim::Supervisor,
    Victim::Grandchild,
    Victim::Machine,
    Victim::Machine,
    Victim::Adapter,
    Victim::Job,
];

struct Field {
    scene: Scene,
    workers: Vec<Option<Worker>>,
    random: Random,
    /// Every job, with its end once it was seen.
    jobs: BTreeMap<String, Option<String>>,
    /// Trainings whose end nobody could record, because their supervisor was killed: how many of each job.
    cut: BTreeMap<String, usize>,
    hits: BTreeMap<Victim, usize>,
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn whatever_is_killed_every_job_has_one_end_and_nobody_is_left() {
    let count = number("QUANTUM_CLM_SOAK_JOBS", 200);
    let seed = number("QUANTUM_CLM_SOAK_SEED", quantum_clm::observe::now().0);
    // Shown when the test fails.
    println!("QUANTUM_CLM_SOAK_SEED={seed} QUANTUM_CLM_SOAK_JOBS={count}");
    let mut field = Field::new(Random(seed), count);
    let deadline = Instant::now() + Duration::from_secs(180 + 5 * count);
    while !field.all_over() {
        assert!(Instant::now() < deadline, "jobs do not end: {:#?}", field.open());
        field.kill();
        // The random delay is the moment of death itself.
        let pause = 50 + field.random.below(700);
        std::thread::sleep(Duration::from_millis(pause));
    }
    println!("killed: {:?}; training cut off: {:?}", field.hits, field.cut);
    field.look_at_everything();
}

impl Field {
    fn new(random: Random, count: u64) -> Self {
        // Whoever is killed is back long before its lease is over: a worker that does not come back is another test's.
        let scene = Scene::new(&["jobs.heartbeat = \"10s\"", "jobs.running = 6"]);
        fs::write(scene.program(), include_str!("small.sh")).unwrap();
        let workers = WORKERS.map(|name| Some(scene.worker(name, &[]))).into();
        let jobs = (0..count).map(|n| (scene.train(&format!("K{n}USDT")), None)).collect();
        Self { scene, workers, random, jobs, cut: BTreeMap::new(), hits: BTreeMap::new() }
    }

    /// Looks which jobs are over; those that were must not be otherwise.
    fn all_over(&mut self) -> bool {
        for (id, end) in self.jobs.iter_mut().filter(|(_, end)| end.is_none()) {
            let Some(job) = self.scene.job(id) else { return false };
            let state = job["state"].as_str().unwrap();
            if ["completed", "failed", "cancelled"].contains(&state) {
                *end = Some(state.to_owned());
            }
        }
        self.jobs.values().all(Option::is_some)
    }

    fn open(&self) -> Vec<Value> {
        let open = self.jobs.iter().filter(|(_, end)| end.is_none());
        open.filter_map(|(id, _)| self.scene.job(id)).collect()
    }

    fn kill(&mut self) {
        let victim = VICTIMS[self.random.below(VICTIMS.len() as u64) as usize];
        let hit = match victim {
            Victim::Daemon => {
                self.scene.daemon.take().unwrap().kill();
                self.away(500);
                self.scene.restart_daemon();
                true
            }
            Victim::Worker => {
                let which = self.random.below(2) as usize;
                self.workers[which].take().unwrap().kill();
                self.away(800);
                self.restart_worker(which);
                true
            }
            Victim::WorkerInOrder => {
                let which = self.random.below(2) as usize;
                let mut worker = self.workers[which].take().unwrap();
                worker.signal(Signal::TERM);
                assert_eq!(worker.wait_end().code(), Some(0), "{}", worker.log());
                self.restart_worker(which);
                true
            }
            Victim::Adapter => self.kill_one(|line| line.contains("adapter.sh") && !line.contains("run-program")),
            Victim::Grandchild => self.kill_one(|line| line.contains("sleep 999")),
            Victim::Supervisor => self.kill_one(|line| line.contains("run-program")),
            Victim::Machine => {
                self.kill_machine();
                true
            }
            Victim::Job => self.call_off(),
        };
        *self.hits.entry(victim).or_default() += usize::from(hit);
    }

    fn away(&mut self, most: u64) {
        let pause = self.random.below(most);
        std::thread::sleep(Duration::from_millis(pause));
    }

    fn restart_worker(&mut self, which: usize) {
        self.workers[which] = Some(self.scene.start(WORKERS[which], &[]));
    }

    /// Kills one of those that fit, if there is one.
    fn kill_one(&mut self, fits: impl Fn(&str) -> bool) -> bool {
        let mut found = self.scene.processes();
        found.retain(|(_, line)| fits(line));
        if found.is_empty() {
            return false;
        }
        let (pid, line) = found.swap_remove(self.random.below(found.len() as u64) as usize);
        if line.contains("run-program") && line.contains("/runs/train") {
            self.was_cut(&line);
        }
        // It may have gone meanwhile.
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).is_ok()
    }

    /// A training's supervisor is about to be killed, which has `/jobs/<job>/runs/train` among its arguments.
    fn was_cut(&mut self, line: &str) {
        let job = line.split_once("/jobs/").and_then(|(_, rest)| rest.split('/').next());
        let job = job.unwrap_or_else(|| panic!("no job: {line}"));
        *self.cut.entry(job.to_owned()).or_default() += 1;
    }

    fn kill_machine(&mut self) {
        let (mut workers, daemon) = (std::mem::take(&mut self.workers), self.scene.daemon.take().unwrap());
        for worker in &workers {
            worker.as_ref().unwrap().signal(Signal::KILL);
        }
        let mut cut = BTreeSet::new();
        loop {
            let processes = self.scene.processes();
            if processes.is_empty() {
                break;
            }
            for (pid, line) in processes {
                if line.contains("run-program") && line.contains("/runs/train") {
                    cut.insert(line);
                }
                let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            }
        }
        cut.iter().for_each(|line| self.was_cut(line));
        daemon.kill();
        workers.iter_mut().for_each(|worker| drop(worker.take()));
        self.scene.restart_daemon();
        self.workers = WORKERS.map(|name| Some(self.scene.start(name, &[]))).into();
    }

    fn call_off(&mut self) -> bool {
        let open: Vec<_> = self.jobs.iter().filter(|(_, end)| end.is_none()).map(|(id, _)| id.clone()).collect();
        let id = &open[self.random.below(open.len() as u64) as usize];
        let (status, answer) =
            self.scene.post(&format!("/api/jobs/{id}/cancel"), &serde_json::json!({ "why": "chance" }));
        // It may be over by now.
        assert!([200, 409].contains(&status), "{status}: {answer}");
        status == 200
    }

    fn look_at_everything(&self) {
        let scene = &self.scene;
        wait_for("the workers forget what is over", || {
            WORKERS.iter().all(|name| {
                scene
                    .jobs_of(name)
                    .iter()
                    .all(|job| !scene.place(name).join("jobs").join(job).join("task.json").exists())
            })
        });
        scene.wait_no_process();
        let trained = scene.lines("trained");
        for (id, end) in &self.jobs {
            let job = scene.job(id).unwrap();
            assert_eq!(job["state"].as_str(), end.as_deref(), "it has another end than it had: {job:#}");
            if job["state"] == "failed" {
                let kind = job["failure"]["kind"].as_str().unwrap();
                assert!(["signal", "infrastructure"].contains(&kind), "it failed by itself: {job:#}");
            }
            let times = trained.iter().filter(|line| *line == id).count();
            let cut = self.cut.get(id).copied().unwrap_or(0);
            assert!(times <= 1 + cut, "trained {times} times, of which {cut} could not be recorded: {job:#}");
            let versions = scene.daemon().get(&format!("/api/versions?model={}", job["model_id"].as_str().unwrap()));
            let versions: Value = versions.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
            let versions = versions["versions"].as_array().map_or(0, Vec::len);
            let completed = job["state"] == "completed";
            assert!(
                versions <= 1 && (versions == 1) == (completed || job["version"].is_string()),
                "{versions}: {job:#}"
            );
            assert!(!completed || times >= 1, "{job:#}");
        }
        for state in ["pending", "leased", "running", "lost"] {
            let jobs: Value =
                serde_json::from_str(&scene.daemon().get(&format!("/api/jobs?state={state}")).unwrap()).unwrap();
            assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(0), "{jobs:#}");
        }
        // Every place is free: as many as there are get one, at once.
        let further: Vec<_> = (0..6).map(|n| scene.train(&format!("F{n}USDT"))).collect();
        for id in further {
            assert_eq!(scene.wait_state(&id, "completed")["epoch"], 1);
        }
        scene.wait_no_process();
        let completed = self.jobs.values().flatten().filter(|end| *end == "completed").count();
        assert!(completed * 2 > self.jobs.len(), "{completed} of {} jobs were completed", self.jobs.len());
    }
}
