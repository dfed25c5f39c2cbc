use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use chrono::Utc;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use super::cgroup::Group;
use super::end::{self, Quarry};
use super::identity::{Identity, Who, boot, millis, millis_since_boot};
use super::order::{Order, Word};
use super::proc::Process;
use super::record::{ExitRecord, How};
use super::spec::{Begun, Spec};
use super::start::RunError;
use super::usage::Usage;
use super::{durable, name};
use crate::domain::job::Resources;

/// How long one look ends what a dead supervisor left, before it says who is left and waits for the next look.
const PATIENCE: Duration = Duration::from_secs(10);

/// A run that was begun, and had not ended when it was last looked at. Dropping it ends nothing: whoever has its directory
/// can take it over.
#[derive(Debug)]
pub struct Running {
    directory: PathBuf,
    begun: Begun,
    order: Order,
    /// The supervisor, if it is a child of this process: then it has to be waited for.
    child: Option<Child>,
}

/// What was found in a run's directory.
#[derive(Debug)]
pub enum Adopted {
    /// Nothing was begun there.
    Nothing,
    /// It is running.
    Running(Box<Running>),
    /// It has ended.
    Exited(ExitRecord),
}

impl Running {
    pub(super) fn new(directory: &Path, begun: Begun, order: Order, child: Option<Child>) -> Self {
        Self { directory: directory.to_owned(), begun, order, child }
    }

    pub(super) fn adopt(directory: &Path) -> Result<Adopted, RunError> {
        let path = directory.join(name::RUN);
        let Some(begun) = durable::read(&path).map_err(RunError::io("read", &path))? else {
            return Ok(Adopted::Nothing);
        };
        // The orders given so far hold; without one that can be read, the lease is over.
        let order = Order::read(&directory.join(name::ORDER)).ok().flatten().unwrap_or(Order::run(0));
        let mut running = Self::new(directory, begun, order, None);
        Ok(match running.poll()? {
            Some(record) => Adopted::Exited(record),
            None => Adopted::Running(Box::new(running)),
        })
    }

    /// What is run.
    pub fn spec(&self) -> &Spec {
        &self.begun.spec
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What it takes, as of some seconds ago; none until that was first looked at.
    pub fn usage(&self) -> Option<Usage> {
        Usage::read(&self.directory)
    }

    /// How it ended, if it has. If its supervisor died, what it left is ended first, which may take some seconds.
    pub fn poll(&mut self) -> Result<Option<ExitRecord>, RunError> {
        if let Some(record) = self.record()? {
            self.reap();
            return Ok(Some(record));
        }
        if self.is_supervised()? {
            return Ok(None);
        }
        self.end_remains()
    }

    /// Polls until it has ended or `patience` is over.
    pub fn wait(&mut self, patience: Duration) -> Result<Option<ExitRecord>, RunError> {
        let until = Instant::now() + patience;
        loop {
            let record = self.poll()?;
            if record.is_some() || Instant::now() >= until {
                return Ok(record);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Until when the supervisor may go on, as [`since_boot`](super::since_boot) counts.
    pub fn until(&self) -> Duration {
        Duration::from_millis(self.order.until)
    }

    /// The supervisor may go on until then.
    pub fn renew_lease(&mut self, until: Duration) -> Result<(), RunError> {
        self.order.until = millis(until);
        self.write_order()
    }

    /// Calls it off: SIGTERM, and what is left after `grace` is killed. `why` goes into its log and to the program.
    pub fn cancel(&mut self, why: &str, grace: Duration) -> Result<(), RunError> {
        // For people and for programs that want to know; on a full disk they do not.
        let _ = durable::replace(&self.directory.join(name::WHY), &why);
        self.tell(Word::Cancel, grace)
    }

    /// Calls it off and kills it at once.
    pub fn kill(&mut self) -> Result<(), RunError> {
        self.tell(Word::Kill, Duration::ZERO)
    }

    fn tell(&mut self, word: Word, grace: Duration) -> Result<(), RunError> {
        // What was called off stays called off, and whom there was no time for gets none.
        if self.order.word != Word::Kill {
            self.order = Order { word, grace: millis(grace), ..self.order };
        }
        self.write_order()
    }

    fn write_order(&self) -> Result<(), RunError> {
        let path = self.directory.join(name::ORDER);
        self.order.write(&path).map_err(RunError::io("write", &path))
    }

    fn record(&self) -> Result<Option<ExitRecord>, RunError> {
        let path = self.directory.join(name::EXIT);
        durable::read(&path).map_err(RunError::io("read", &path))
    }

    /// The supervisor has written its last file and is gone, or about to be.
    fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    /// Whether the supervisor lives. One that was stopped and has no lease any more is ended: it would not do it.
    fn is_supervised(&mut self) -> Result<bool, RunError> {
        if self.is_another_boot()? {
            return Ok(false);
        }
        let lives = match &mut self.child {
            Some(child) => {
                child.try_wait().map_err(RunError::io("wait for the supervisor of", &self.directory))?.is_none()
            }
            // In a directory that is gone nobody has a lock: whoever is left is ended.
            None => !self.is_gone() && self.lock()?.is_none(),
        };
        if lives && millis_since_boot() > self.order.until {
            self.end_stopped_supervisor();
            if self.is_gone()
                && let Some(child) = &mut self.child
            {
                let _ = child.kill();
            }
        }
        Ok(lives)
    }

    /// Whether somebody has removed the directory: then nothing can be locked, read or written there.
    fn is_gone(&self) -> bool {
        fs::symlink_metadata(&self.directory).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    fn is_another_boot(&self) -> Result<bool, RunError> {
        Ok(boot().map_err(RunError::io("read the boot id for", &self.directory))? != self.begun.boot)
    }

    fn end_stopped_supervisor(&self) {
        let Some(Who { supervisor, .. }) = self.who() else { return };
        if let Ok(Some(process)) = Process::read(supervisor.pid)
            && process.start == supervisor.start
            && process.is_stopped()
        {
            process.signal(Signal::KILL);
        }
    }

    fn who(&self) -> Option<Who> {
        durable::read(&self.directory.join(name::RUNNING)).ok().flatten()
    }

    /// The supervisor's lock, unless it has it. Whoever has it keeps a supervisor that comes late from beginning.
    fn lock(&self) -> Result<Option<File>, RunError> {
        lock(&self.directory).map_err(RunError::io("lock", &self.directory.join(name::LOCK)))
    }

    /// Ends what a dead supervisor left, and writes the record in its place.
    fn end_remains(&mut self) -> Result<Option<ExitRecord>, RunError> {
        let is_gone = self.is_gone();
        let lock = if is_gone { None } else { self.lock()? };
        if lock.is_none() && !is_gone && !self.is_another_boot()? {
            // A child that the supervisor was just starting has its lock for a moment longer; or somebody else ends it.
            return Ok(None);
        }
        self.reap();
        // It may have written its record since we looked.
        if let Some(record) = self.record()? {
            return Ok(Some(record));
        }
        let mut notes = self.complaints();
        if self.is_another_boot()? {
            notes.push("the machine was started anew".to_owned());
        } else {
            let quarry = self.quarry();
            let left = quarry.end(PATIENCE, || {}).map_err(RunError::io("end what is left of", &self.directory))?;
            if !left.is_empty() {
                let Spec { job, epoch, .. } = self.begun.spec;
                return Err(RunError::Remains {
                    directory: self.directory.clone(),
                    job,
                    epoch,
                    who: end::names(&left),
                });
            }
            if let Some(group) = quarry.group {
                group.remove();
            }
        }
        let record = self.lost(notes);
        if is_gone {
            return Ok(Some(record));
        }
        let path = self.directory.join(name::EXIT);
        durable::spend(&self.directory.join(name::RESERVE), &path, &record).map_err(RunError::io("write", &path))?;
        Ok(Some(record))
    }

    fn quarry(&self) -> Quarry {
        let who = self.who();
        let since = who.as_ref().map_or(0, |who| who.supervisor.start);
        let mut quarry = Quarry::new(&self.begun.cookie, since);
        quarry.program = who.and_then(|who: Who| -> Option<Identity> { who.program });
        quarry.group = self.begun.group.as_deref().and_then(Group::at);
        quarry
    }

    /// The last thing that the supervisor complained about, if it did.
    fn complaints(&self) -> Vec<String> {
        let said = fs::read_to_string(self.directory.join(name::COMPLAINTS)).unwrap_or_default();
        said.lines().last().map(|line| format!("it said: {line}")).into_iter().collect()
    }

    fn lost(&self, notes: Vec<String>) -> ExitRecord {
        let spec = &self.begun.spec;
        ExitRecord {
            job: spec.job,
            epoch: spec.epoch,
            program: spec.program,
            how: How::Lost,
            status: None,
            began_at: self.begun.began_at,
            ended_at: Utc::now().into(),
            resources: self.usage().map_or_else(Resources::default, |usage| usage.resources),
            notes,
        }
    }
}

/// Takes a run's lock; none if somebody has it.
pub(super) fn lock(directory: &Path) -> io::Result<Option<File>> {
    let file = File::options().write(true).create(true).truncate(false).open(directory.join(name::LOCK))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
