//! The machines of docs/OPERATIONS.md: boxes (tests/appliance/box) that can reach each other, and what is there before anybody
//! types anything.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quantum_clm::store::{SCHEMA_VERSION, Store};
use rustix::process::{Pid, Signal, kill_process_group};

use super::here;
use crate::appliance::schema::stamp;

/// What the base of these boxes has besides: whatever the document lets an operator have installed.
const PACKAGES: &str = "adduser,age,ca-certificates,caddy,iproute2,nginx,openssh-client,openssh-server,openssl,rsync";

/// The machines that there are, with their last number in the network.
const MACHINES: [(&str, &str); 4] = [("vps", "2"), ("new", "3"), ("laptop", "4"), ("old", "5")];

/// Far beyond what anything takes that is typed, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What came of something that was run.
#[derive(Debug)]
pub(super) struct Said {
    /// Standard output and standard error, as they came.
    pub(super) text: String,
    /// None where it took too long, or a signal ended it.
    pub(super) code: Option<i32>,
}

/// All of them, with what they are given. What is left of them goes when this is dropped.
pub(super) struct Machines {
    directory: tempfile::TempDir,
    net: String,
    up: Vec<&'static str>,
    store: Option<Child>,
}

impl Machines {
    /// The network and what the machines are given; no machine yet.
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let net = format!("operations-{}", std::process::id());
        let machines = Self { directory, net, up: Vec::new(), store: None };
        machines.host(Command::new(here("tests/operations/network")).args(["up", &machines.net]));
        machines.packages();
        machines
    }

    /// Two versions of the package of the binary under test, and a repository with the first, and with both.
    fn packages(&self) {
        let at = |name: &str| self.directory.path().join(name);
        for (directory, version) in [("first", None), ("second", Some("99.0.0"))] {
            let mut build = Command::new(here("packaging/scripts/build-deb"));
            build.arg(at(directory)).env("QUANTUM_CLM_BINARY", env!("CARGO_BIN_EXE_quantum-clm"));
            build.env("QUANTUM_CLM_DEB_FAST", "yes");
            version.map(|version| build.env("QUANTUM_CLM_DEB_VERSION", version));
            self.host(&mut build);
        }
        let deb = |directory: &str| fs::read_dir(at(directory)).unwrap().next().unwrap().unwrap().path();
        for (repository, package) in [("repository", "first"), ("repository", "second")] {
            let mut make = Command::new(here("packaging/scripts/apt-repo"));
            self.host(make.arg(at(repository)).arg(deb(package)).env("XDG_DATA_HOME", at("keys")));
            self.host(Command::new("cp").arg("-r").arg(at(repository)).arg(at(&format!("{repository}-{package}"))));
        }
        fs::create_dir(at("given")).unwrap();
        for (from, to) in [("first", "first"), ("second", "second")] {
            fs::rename(at(from), at("given").join(to)).unwrap();
            fs::rename(at(&format!("repository-{from}")), at("given").join(format!("repository-{to}"))).unwrap();
        }
        let newer = at("given/newer.redb");
        let schema = u8::try_from(SCHEMA_VERSION).unwrap();
        drop(Store::open(&newer).unwrap());
        stamp(&newer, schema, schema + 1);
        fs::write(at("given/newer.schema"), (schema + 1).to_string()).unwrap();
        self.certificates();
        self.host(Command::new("cp").arg("-r").arg(here("tests/operations/given")).arg(at("given").join("files")));
    }

    /// A certificate authority of our own, which every machine trusts, and what it signed.
    fn certificates(&self) {
        let script = "set -eu; cd \"$1\"; mkdir certificates; cd certificates
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=tests -keyout ca.key -out ca.crt
            for name in quantum.example s3.example; do
                openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
                printf 'subjectAltName=DNS:%s' $name >$name.ext
                openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile $name.ext -out $name.pem
            done
            ssh-keygen -q -t ed25519 -N '' -C operator -f ../operator";
        self.host(Command::new("sh").args(["-c", script, "sh"]).arg(self.directory.path().join("given")));
    }

    /// An S3-compatible store at https://s3.example, with the bucket `backups`.
    pub(super) fn open_store(&mut self) {
        let certificates = self.directory.path().join("given/certificates");
        let mut server = Command::new(here("tests/operations/network"));
        // Else it takes the first part of its own name for a bucket's.
        server.args(["run", &self.net, "env", "S3_IGNORE_SUBDOMAIN_BUCKETNAME=true"]);
        server.arg(here("target/moto/bin/moto_server")).args(["-H", "0.0.0.0", "-p", "443", "-s"]);
        server.arg("-c").arg(certificates.join("s3.example.pem")).arg("-k").arg(certificates.join("s3.example.key"));
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.store = Some(server.spawn().expect("moto_server: sh packaging/scripts/setup-test"));
    }

    fn host(&self, command: &mut Command) {
        let output = command.env("BOX_DIRECTORY", boxes()).stdin(Stdio::null()).output().unwrap_or_else(|error| {
            panic!("{command:?} cannot be run: {error}");
        });
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&said));
    }

    fn script(&self, args: &[&str]) -> Command {
        let mut command = Command::new(here("tests/appliance/box"));
        command.args(args).env("BOX_DIRECTORY", boxes()).env("BOX_PACKAGES", PACKAGES);
        command
    }

    fn name_of(machine: &str) -> String {
        format!("operations-{machine}-{}", std::process::id())
    }

    /// Boots the machine unless it is up; whether it is new.
    pub(super) fn boot(&mut self, machine: &str) -> bool {
        let (machine, number) = MACHINES.into_iter().find(|(name, _)| *name == machine).unwrap_or_else(|| {
            panic!("docs/OPERATIONS.md has commands for the machine {machine}, and the test knows {MACHINES:?}")
        });
        if self.up.contains(&machine) {
            return false;
        }
        self.up.push(machine);
        let name = Self::name_of(machine);
        self.host(&mut self.script(&["up", &name, "bookworm"]));
        self.host(Command::new(here("tests/operations/network")).args([
            "join",
            &self.net,
            &name,
            &format!("10.77.0.{number}"),
        ]));
        let hosts = MACHINES.map(|(name, number)| format!("10.77.0.{number} {name}\n")).concat();
        let hosts = format!("127.0.0.1 localhost quantum.example\n::1 localhost\n10.77.0.1 s3.example\n{hosts}");
        let given = Command::new("tar").arg("-C").arg(self.directory.path()).args(["-c", "given"]).output().unwrap();
        let prepare = "cd /root && tar -x --no-same-owner && printf %s \"$1\" >/etc/hosts && echo \"$2\" >/etc/hostname && hostname \"$2\"
            cp given/certificates/ca.crt /usr/local/share/ca-certificates/ && update-ca-certificates >/dev/null 2>&1
            rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*";
        let said = self.run(machine, &["sh", "-euc", prepare, "sh", &hosts, machine], &given.stdout, &[]);
        assert_eq!(said.code, Some(0), "{machine} cannot be prepared: {}", said.text);
        true
    }

    /// Types `script` into a shell of root's; the exit code, and the line that it ended at if it is not 0. `typed` is what is
    /// answered to what asks: the end of a line that is asked with, and what is typed then.
    pub(super) fn type_in(&self, machine: &str, script: &str, typed: &[String]) -> (Said, Option<(usize, String)>) {
        // In one line, so that the lines of the script are counted from the one below.
        let prelude =
            "exec 2>&1; set -Eeuo pipefail; trap 'echo \"$LINENO $BASH_COMMAND\" >/run/.ended' ERR; cd /root\n";
        let put = "cat >/run/.typed; rm -f /run/.ended";
        let put = self.run(machine, &["sh", "-c", put], format!("{prelude}{script}").as_bytes(), &[]);
        assert_eq!(put.code, Some(0), "{put:?}");
        let said = self.run(machine, &["bash", "/run/.typed"], &[], typed);
        if said.code == Some(0) {
            return (said, None);
        }
        let ended = self.run(machine, &["cat", "/run/.ended"], &[], &[]).text;
        let ended = ended
            .split_once(' ')
            .and_then(|(line, command)| Some((line.parse::<usize>().ok()?.checked_sub(2)?, command.trim().to_owned())));
        (said, ended)
    }

    /// What the machine's services said last.
    pub(super) fn journal(&self, machine: &str) -> String {
        self.run(machine, &["journalctl", "--no-pager", "--lines=40", "--output=short"], &[], &[]).text
    }

    fn run(&self, machine: &str, args: &[&str], input: &[u8], typed: &[String]) -> Said {
        let name = Self::name_of(machine);
        let mut script = self.script(&["run", &name]);
        script.args(args);
        if typed.is_empty() {
            return finish(script, input, &[]);
        }
        // What asks for a password wants a terminal.
        let words: Vec<String> = std::iter::once(script.get_program())
            .chain(script.get_args())
            .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")))
            .collect();
        let mut terminal = Command::new("script");
        terminal.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
        for (key, value) in script.get_envs() {
            value.map(|value| terminal.env(key, value));
        }
        finish(terminal, input, typed)
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for machine in &self.up {
            let _ = self.script(&["rm", &Self::name_of(machine)]).status();
        }
        let _ = Command::new(here("tests/operations/network")).args(["down", &self.net]).status();
        if let Some(mut store) = self.store.take() {
            let _ = store.wait();
        }
    }
}

fn boxes() -> PathBuf {
    std::env::var_os("BOX_DIRECTORY").map_or_else(|| here("target/boxes"), PathBuf::from)
}

/// Runs it to its end, answering what asks; or kills it with all that it started.
fn finish(mut command: Command, input: &[u8], typed: &[String]) -> Said {
    let (mut from, to) = std::io::pipe().unwrap();
    command.stdin(Stdio::piped()).stdout(to.try_clone().unwrap()).stderr(to).process_group(0);
    let mut child = command.spawn().unwrap();
    drop(command);
    let group = Pid::from_child(&child);
    let mut stdin = child.stdin.take();
    let text: Arc<Mutex<Vec<u8>>> = Arc::default();
    let reading = std::thread::spawn({
        let text = Arc::clone(&text);
        move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                text.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..count]);
            }
        }
    });
    if typed.is_empty() {
        // Who does not read it has ended.
        let _ = stdin.take().unwrap().write_all(input);
    }
    let until = Instant::now() + PATIENCE;
    let (mut answers, mut seen) = (typed.iter(), 0);
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if Instant::now() > until {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = child.wait();
            break None;
        }
        // A question is what ends a line that has not ended.
        let asked = {
            let text = text.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = text.len() > seen && text.ends_with(b": ");
            if asked {
                seen = text.len();
            }
            asked
        };
        if asked && let (Some(stdin), Some(answer)) = (stdin.as_mut(), answers.next()) {
            let _ = stdin.write_all(format!("{answer}\n").as_bytes());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    drop(stdin);
    // What it left running (ssh -f) may hold its output for ever.
    let until = Instant::now() + Duration::from_secs(1);
    while !reading.is_finished() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let text = text.lock().unwrap_or_else(PoisonError::into_inner);
    Said { text: String::from_utf8_lossy(&text).replace('\r', ""), code }
}

/// What stands in tests/operations/world, by its marks.
pub(super) struct World {
    scripts: BTreeMap<String, String>,
}

impl World {
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut scripts = BTreeMap::<String, String>::new();
        let mut mark = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("#: ") {
                assert!(
                    scripts.insert(name.to_owned(), String::new()).is_none(),
                    "two marks `{name}` in {}",
                    path.display()
                );
                mark = Some(name);
            } else if let Some(script) = mark.and_then(|mark| scripts.get_mut(mark)) {
                script.push_str(line);
                script.push('\n');
            }
        }
        Self { scripts }
    }

    /// What stands below this mark.
    pub(super) fn at(&self, mark: &str) -> Option<&str> {
        self.scripts.get(mark).map(String::as_str)
    }

    /// All marks.
    pub(super) fn marks(&self) -> impl Iterator<Item = &str> {
        self.scripts.keys().map(String::as_str)
    }
}
