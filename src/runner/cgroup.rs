//! Control groups (version 2), where this process may make some: a service with `Delegate=`, or a container's root.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, getxattr};

use super::spec::Limits;

const MOUNTS: &str = "/proc/self/mountinfo";
const OWN: &str = "/proc/self/cgroup";

/// The group into which a worker moves itself: a group with controllers for its children has no process of its own.
const LEAF: &str = "worker";

/// What is limited by groups.
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];

/// A group in which this process may make others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(PathBuf);

/// The group of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group(PathBuf);

impl Place {
    /// Looks for it. A worker, which stays, moves itself out of the way if that is what controllers need.
    pub(super) fn settle() -> Option<Self> {
        let root = mount(&fs::read_to_string(MOUNTS).ok()?)?;
        let own = path(&fs::read_to_string(OWN).ok()?)?;
        let own = root.place_of(&own);
        let base = match own.parent() {
            Some(parent) if own.ends_with(LEAF) && is_ours(parent, &root.directory) => parent.to_owned(),
            _ => own,
        };
        if !is_ours(&base, &root.directory) {
            return None;
        }
        let place = Self(base);
        place.give_controllers();
        Some(place)
    }

    /// Hands what controllers there are on to groups that will be made here. Where it cannot be done, limits are kept
    /// otherwise.
    fn give_controllers(&self) {
        let has = words(&self.0, "cgroup.controllers");
        let given = words(&self.0, "cgroup.subtree_control");
        let missing: Vec<_> =
            CONTROLLERS.iter().filter(|c| has.iter().any(|h| h == *c) && !given.iter().any(|g| g == *c)).collect();
        if missing.is_empty() {
            return;
        }
        // Only the root of the whole machine may have processes beside groups with controllers, and only it has no type: what
        // a container takes for the root is none.
        if self.0.join("cgroup.type").exists() {
            let leaf = self.0.join(LEAF);
            let _ = fs::create_dir(&leaf);
            let _ = write(&leaf, "cgroup.procs", "0");
        }
        // One at a time: one that is refused does not take the others with it.
        for controller in missing {
            let _ = write(&self.0, "cgroup.subtree_control", &format!("+{controller}"));
        }
    }

    /// Where the group of that name is, or will be.
    pub(super) fn group(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Group {
    /// Makes the group and sets what of the limits it can keep.
    pub(super) fn make(path: &Path, limits: &Limits) -> io::Result<Self> {
        fs::create_dir(path)?;
        let group = Self(path.to_owned());
        group.limit(limits);
        Ok(group)
    }

    /// The one that is there, if it is.
    pub(super) fn at(path: &Path) -> Option<Self> {
        path.is_dir().then(|| Self(path.to_owned()))
    }

    fn limit(&self, limits: &Limits) {
        if let Some(memory) = limits.memory
            && write(&self.0, "memory.max", &memory.to_string()).is_ok()
        {
            // A job that swaps is slow without end; one that lost a process of several may wait for it for ever.
            let _ = write(&self.0, "memory.swap.max", "0");
            let _ = write(&self.0, "memory.oom.group", "1");
        }
        if let Some(cpus) = limits.cpus {
            let quota = (cpus * 100_000.0).max(1_000.0) as u64;
            let _ = write(&self.0, "cpu.max", &format!("{quota} 100000"));
        }
        if let Some(tasks) = limits.tasks {
            let _ = write(&self.0, "pids.max", &tasks.to_string());
        }
    }

    /// Sets the limits again where they were lost with the controllers, which a worker's service takes back while no worker runs.
    pub(super) fn keep(&self, limits: &Limits) {
        let is_lost =
            (limits.memory.is_some() && !self.limits_memory()) || (limits.cpus.is_some() && !self.limits_cpus());
        if is_lost {
            self.limit(limits);
        }
    }

    /// Whether the group itself keeps the limit of memory.
    pub(super) fn limits_memory(&self) -> bool {
        self.number("memory.max").is_some()
    }

    /// Whether the group itself keeps the limit of processors.
    pub(super) fn limits_cpus(&self) -> bool {
        self.read("cpu.max").is_some_and(|text| !text.starts_with("max"))
    }

    /// Moves this process into it.
    pub(super) fn enter(&self) -> io::Result<()> {
        write(&self.0, "cgroup.procs", "0")
    }

    /// Kills everybody in it at once, those who are just being born included. Kernels before 5.14 cannot.
    pub(super) fn kill(&self) {
        let _ = write(&self.0, "cgroup.kill", "1");
    }

    /// Whether somebody is alive in it or below it.
    pub(super) fn is_populated(&self) -> bool {
        self.event("cgroup.events", "populated").is_some_and(|populated| populated > 0)
    }

    /// Who is in it or below it.
    pub(super) fn processes(&self) -> Vec<i32> {
        let mut found = Vec::new();
        let mut groups = vec![self.0.clone()];
        while let Some(group) = groups.pop() {
            found.extend(words(&group, "cgroup.procs").iter().filter_map(|pid| pid.parse::<i32>().ok()));
            groups.extend(children(&group));
        }
        found
    }

    /// The most memory that it had, in bytes, where the kernel says so (5.19).
    pub(super) fn memory_peak(&self) -> Option<u64> {
        self.number("memory.peak")
    }

    /// The memory that it has, in bytes.
    pub(super) fn memory(&self) -> Option<u64> {
        self.number("memory.current")
    }

    /// Processor time, in milliseconds.
    pub(super) fn cpu_ms(&self) -> Option<u64> {
        self.event("cpu.stat", "usage_usec").map(|micros| micros / 1_000)
    }

    /// How many of it the kernel killed because its memory was at the limit.
    pub(super) fn killed_for_memory(&self) -> u64 {
        self.event("memory.events", "oom_kill").unwrap_or(0)
    }

    /// How often the kernel let nobody fork because there were too many.
    pub(super) fn refused_forks(&self) -> u64 {
        self.event("pids.events", "max").unwrap_or(0)
    }

    /// Takes it away, with what was made below it. Nobody may be in it.
    pub(super) fn remove(&self) {
        fn remove(group: &Path) {
            children(group).iter().for_each(|child| remove(child));
            let _ = fs::remove_dir(group);
        }
        remove(&self.0);
    }

    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.0.join(file)).ok()
    }

    fn number(&self, file: &str) -> Option<u64> {
        self.read(file)?.trim().parse().ok()
    }

    fn event(&self, file: &str, name: &str) -> Option<u64> {
        self.read(file)?.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

fn children(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// Whether a group was given to us to make others in. To root everything can be written: what systemd gave away has its
/// mark, and a container's root is the container's.
fn is_ours(group: &Path, root: &Path) -> bool {
    let is_marked = ["user.delegate", "trusted.delegate"].iter().any(|mark| {
        let mut value = [0_u8; 8];
        getxattr(group, *mark, &mut value[..]).is_ok_and(|length| value[..length] == *b"1")
    });
    let is_given = !rustix::process::geteuid().is_root() || is_marked || group == root;
    let can_write = |path: &Path| access(path, Access::WRITE_OK).is_ok();
    is_given && can_write(group) && can_write(&group.join("cgroup.procs"))
}

fn words(group: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(group.join(file)).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Files of groups are there or not: none is made.
fn write(group: &Path, file: &str, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    fs::File::options().write(true).open(group.join(file))?.write_all(text.as_bytes())
}

#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// Where it is mounted.
    directory: PathBuf,
    /// Which group is there.
    root: PathBuf,
}

impl Mount {
    /// Where a group of that name is found. What is not below the group that is mounted is taken as if it were.
    fn place_of(&self, group: &Path) -> PathBuf {
        let below = group.strip_prefix(&self.root).unwrap_or(group);
        // Joined with one that begins with a slash, nothing would be left of the directory.
        self.directory.join(below.strip_prefix("/").unwrap_or(below))
    }
}

/// The first mount of version 2: `36 35 0:31 / /sys/fs/cgroup rw,… - cgroup2 cgroup2 rw`.
fn mount(text: &str) -> Option<Mount> {
    text.lines().find_map(|line| {
        let (first, second) = line.split_once(" - ")?;
        if !second.starts_with("cgroup2 ") {
            return None;
        }
        let mut fields = first.split(' ').skip(3);
        let (root, directory) = (fields.next()?, fields.next()?);
        Some(Mount { directory: directory.into(), root: root.into() })
    })
}

/// The group of version 2 of a process: `0::/system.slice/x.service`.
fn path(text: &str) -> Option<PathBuf> {
    text.lines().find_map(|line| line.strip_prefix("0::")).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_groups_are() {
        let text = "25 30 0:23 / /proc rw - proc proc rw\n\
                    31 30 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                    36 30 0:31 /a /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        assert_eq!(mount(text), Some(Mount { directory: "/sys/fs/cgroup/unified".into(), root: "/a".into() }));
        assert_eq!(mount("25 30 0:23 / /proc rw - proc proc rw\n"), None);
        assert_eq!(path("4:memory:/x\n0::/system.slice/a.service\n"), Some("/system.slice/a.service".into()));
        assert_eq!(path("4:memory:/x\n"), None);
        for (root, group, place) in [
            ("/", "/system.slice/a.service", "/sys/fs/cgroup/system.slice/a.service"),
            ("/", "/", "/sys/fs/cgroup/"),
            ("/a", "/a/b.service", "/sys/fs/cgroup/b.service"),
            ("/a", "/b.service", "/sys/fs/cgroup/b.service"),
        ] {
            let mount = Mount { directory: "/sys/fs/cgroup".into(), root: root.into() };
            assert_eq!(mount.place_of(Path::new(group)), Path::new(place), "{root} {group}");
        }
    }

    #[test]
    fn a_worker_makes_way_for_groups_with_controllers_but_at_the_root_of_the_machine() {
        for (kind, makes_way) in [(Some("domain\n"), true), (None, false)] {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            fs::write(at("cgroup.controllers"), "cpuset cpu memory\n").unwrap();
            fs::write(at("cgroup.subtree_control"), "cpu\n").unwrap();
            kind.iter().for_each(|kind| fs::write(at("cgroup.type"), kind).unwrap());
            Place(directory.path().to_owned()).give_controllers();
            assert_eq!(at(LEAF).is_dir(), makes_way);
            // Of what there is, what was not given yet; written over what stood there.
            assert_eq!(fs::read_to_string(at("cgroup.subtree_control")).unwrap(), "+memory");
        }
    }

    #[test]
    fn limits_and_figures_of_a_group() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("group");
        let limits = Limits { memory: Some(1 << 30), cpus: Some(1.5), tasks: Some(200), ..Limits::default() };
        let group = Group::make(&at, &limits).unwrap();
        assert!(!group.limits_memory() && !group.limits_cpus(), "without controllers there are no such files");
        for (file, text) in [
            ("memory.max", "max"),
            ("memory.swap.max", "max"),
            ("memory.oom.group", "0"),
            ("cpu.max", "max 100000"),
            ("pids.max", "max"),
            ("memory.peak", "4096\n"),
            ("memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 1\n"),
            ("pids.events", "max 7\n"),
            ("cpu.stat", "usage_usec 12345\nuser_usec 1\n"),
            ("cgroup.events", "populated 1\nfrozen 0\n"),
            ("cgroup.procs", "12\n13\n"),
        ] {
            fs::write(at.join(file), text).unwrap();
        }
        group.limit(&limits);
        let said = |file| fs::read_to_string(at.join(file)).unwrap();
        assert!(said("memory.max").starts_with("1073741824") && said("memory.oom.group") == "1");
        assert!(said("cpu.max").starts_with("150000 100000") && said("pids.max").starts_with("200"));
        assert!(group.limits_memory() && group.limits_cpus());
        // As a controller that was taken away and given back leaves them.
        fs::write(at.join("memory.max"), "max").unwrap();
        fs::write(at.join("cpu.max"), "max 100000").unwrap();
        group.keep(&limits);
        assert!(group.limits_memory() && group.limits_cpus());
        assert_eq!((group.memory_peak(), group.cpu_ms()), (Some(4096), Some(12)));
        assert_eq!((group.killed_for_memory(), group.refused_forks()), (2, 7));
        assert!(group.is_populated());
        assert_eq!(group.processes(), [12, 13]);
    }
}
