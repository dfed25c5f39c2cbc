//! Looking whether a program keeps its limits.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::cgroup::Group;
use super::proc::Process;
use super::record::How;
use super::spec::Limits;
use super::usage::Usage;

/// How often it is looked, once nothing much happens.
const CALM: Duration = Duration::from_millis(250);

/// How often at the beginning, and when a limit is near.
const ALERT: Duration = Duration::from_millis(25);

/// How often memory that processes share is told apart, which costs the kernel a walk over all of it.
const PROPORTIONAL_EVERY: Duration = Duration::from_secs(1);

/// What is watched of a running program.
#[derive(Debug)]
pub(super) struct Watch {
    limits: Limits,
    /// Whether a control group keeps the limit of memory, so that we need not.
    group: Option<Group>,
    progress: PathBuf,
    began: Instant,
    /// What the progress file was when it last changed, and when that was.
    mark: Option<Mark>,
    moved: Instant,
    /// When memory was last told apart, and what it was in proportion to what it seemed.
    told_apart: Option<(Instant, f64)>,
    pause: Duration,
    usage: Usage,
}

/// By what a file is known to have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Watch {
    pub(super) fn new(limits: &Limits, work: &Path, group: Option<Group>) -> Self {
        let progress = work.join("progress.json");
        Self {
            limits: limits.clone(),
            group,
            // One from before is no progress.
            mark: Mark::of(&progress),
            progress,
            began: Instant::now(),
            moved: Instant::now(),
            told_apart: None,
            pause: Duration::from_millis(2),
            usage: Usage::default(),
        }
    }

    /// What it took when it was last looked, and the most until then.
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// How long to wait before the next look.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// Looks at everybody who lives, and says which limit is broken, if one is. `reaped` are the ticks of those who do not.
    pub(super) fn look(&mut self, living: &[Process], reaped: u64) -> Option<How> {
        let began = Instant::now();
        let tasks = living.iter().map(|process| process.tasks).sum();
        let seeming: u64 = living.iter().map(|process| process.memory).sum();
        let memory = self.memory(living, seeming);
        let ticks = reaped + living.iter().map(|process| process.ticks).sum::<u64>();
        let group = self.group.as_ref();
        let resources = &mut self.usage.resources;
        resources.memory_peak = group.and_then(Group::memory_peak).or(resources.memory_peak.max(Some(memory)));
        resources.cpu_ms = group.and_then(Group::cpu_ms).or(Some(to_millis(ticks)));
        self.usage.memory = memory;
        self.usage.tasks = tasks;
        self.set_pause(began.elapsed());
        self.broken()
    }

    /// The most that it ever had, and the time that it took, once nobody lives.
    pub(super) fn finish(&mut self, reaped: u64) {
        // What is broken now broke nothing: it has ended.
        let _ = self.look(&[], reaped);
    }

    fn memory(&mut self, living: &[Process], seeming: u64) -> u64 {
        if let Some(memory) = self.group.as_ref().and_then(Group::memory) {
            return memory;
        }
        // What processes share counts for each of them, so it is looked at closely only where it would be too much.
        if self.limits.memory.is_none_or(|most| seeming <= most) || living.len() < 2 {
            return seeming;
        }
        let in_proportion = |part: f64| (seeming as f64 * part) as u64;
        if let Some((at, part)) = self.told_apart
            && at.elapsed() < PROPORTIONAL_EVERY
            // Near the limit there is no time to go by what was a while ago.
            && self.limits.memory.is_some_and(|most| in_proportion(part) < most / 2)
        {
            return in_proportion(part);
        }
        let memory = living.iter().map(|process| process.proportional_memory().unwrap_or(process.memory)).sum();
        self.told_apart = Some((Instant::now(), memory as f64 / seeming as f64));
        memory
    }

    fn broken(&mut self) -> Option<How> {
        let limits = &self.limits;
        if let Some(group) = &self.group {
            group.keep(limits);
        }
        if let Some(limit) = limits.memory
            && self.usage.memory > limit
            && !self.group.as_ref().is_some_and(Group::limits_memory)
        {
            return Some(How::OutOfMemory { limit: Some(limit) });
        }
        if let Some(limit) = limits.tasks
            && self.usage.tasks > limit
        {
            return Some(How::TooManyTasks { limit });
        }
        if let Some(time) = limits.time
            && self.began.elapsed() >= time
        {
            return Some(How::TimeLimit { seconds: time.as_secs() });
        }
        let mark = Mark::of(&self.progress);
        if mark != self.mark {
            self.mark = mark;
            self.moved = Instant::now();
        }
        let most = limits.no_progress?;
        (self.moved.elapsed() >= most).then_some(How::NoProgress { seconds: most.as_secs() })
    }

    /// Looking takes at most a twentieth of the time; it is done more often while half of a limit is taken.
    fn set_pause(&mut self, took: Duration) {
        let is_near = self.limits.memory.is_some_and(|most| self.usage.memory > most / 2)
            || self.limits.tasks.is_some_and(|most| self.usage.tasks > most / 2);
        self.pause = if is_near { ALERT } else { (self.pause * 2).min(CALM) }.max(took * 20);
    }
}

impl Mark {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        Some(Self { inode: metadata.ino(), size: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

fn to_millis(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(limits: Limits) -> (tempfile::TempDir, Watch) {
        let directory = tempfile::tempdir().unwrap();
        let watch = Watch::new(&limits, directory.path(), None);
        (directory, watch)
    }

    fn own() -> Process {
        Process::read(std::process::id() as i32).unwrap().unwrap()
    }

    #[test]
    fn each_limit_is_told() {
        let process = own();
        let no = Limits::default();
        for (limits, expected) in [
            (no.clone(), None),
            (Limits { memory: Some(process.memory), tasks: Some(process.tasks), ..no.clone() }, None),
            (
                Limits { memory: Some(process.memory - 1), ..no.clone() },
                Some(How::OutOfMemory { limit: Some(process.memory - 1) }),
            ),
            (Limits { tasks: Some(0), ..no.clone() }, Some(How::TooManyTasks { limit: 0 })),
            (Limits { time: Some(Duration::ZERO), ..no.clone() }, Some(How::TimeLimit { seconds: 0 })),
            (Limits { time: Some(Duration::from_secs(600)), ..no.clone() }, None),
            (Limits { no_progress: Some(Duration::ZERO), ..no.clone() }, Some(How::NoProgress { seconds: 0 })),
        ] {
            let (_directory, mut watch) = watch(limits.clone());
            assert_eq!(watch.look(&[process], 0), expected, "{limits:?}");
        }
    }

    #[test]
    fn a_file_that_changes_is_progress() {
        let (directory, mut watch) = watch(Limits { no_progress: Some(Duration::from_secs(600)), ..Limits::default() });
        watch.look(&[], 0);
        let before = watch.moved;
        fs::write(directory.path().join("progress.json"), "{}").unwrap();
        watch.look(&[], 0);
        assert!(watch.moved > before);
    }

    #[test]
    fn it_looks_often_at_first_and_when_a_limit_is_near() {
        let process = own();
        let (_directory, mut watch) = watch(Limits { tasks: Some(100 * process.tasks), ..Limits::default() });
        assert!(watch.pause() < ALERT);
        (0..20).for_each(|_| watch.set_pause(Duration::ZERO));
        assert_eq!(watch.pause(), CALM);
        watch.usage.tasks = 60 * process.tasks;
        watch.set_pause(Duration::ZERO);
        assert_eq!(watch.pause(), ALERT);
        watch.set_pause(Duration::from_millis(10));
        assert_eq!(watch.pause(), Duration::from_millis(200));
    }
}
