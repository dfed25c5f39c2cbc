use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::key::{self, VARIABLE_PREFIX, keys, nearest};
use super::redis_target::RedisTarget;
use super::{Config, backup, file, predecessor};

/// The file that is read when none is named; it may be absent.
pub const DEFAULT_FILE: &str = "/etc/quantum/clm.toml";

/// Where the predecessor's environment files are.
pub const PREDECESSOR_DIRECTORY: &str = "/etc/quantum";

/// Names the file as `--config` does.
const FILE_VARIABLE: &str = "QUANTUM_CLM_CONFIG";

/// Names another directory than [`PREDECESSOR_DIRECTORY`].
const PREDECESSOR_VARIABLE: &str = "QUANTUM_CLM_PREDECESSOR_DIR";

/// Variables that are no keys: the log filter is read by `observe`, and tests have some of their own.
const OTHER_VARIABLES: [&str; 3] = [FILE_VARIABLE, PREDECESSOR_VARIABLE, "QUANTUM_CLM_LOG"];
const TEST_PREFIX: &str = "QUANTUM_CLM_TEST_";

/// What a configuration is made of.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `--config`: must exist.
    pub file: Option<PathBuf>,
    /// `--data-file`
    pub data_file: Option<PathBuf>,
    /// `--socket`
    pub socket: Option<PathBuf>,
    /// The process's environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// Whether no unit needs to be named, as nothing is read from the journal.
    pub demo: bool,
}

impl Request {
    /// A request with this process's environment.
    pub fn from_process() -> Self {
        Self { environment: std::env::vars_os().collect(), ..Self::default() }
    }

    fn variable(&self, name: &str) -> Option<PathBuf> {
        self.environment.get(&OsString::from(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A variable of the predecessor, in the environment or in one of its files.
    Predecessor {
        /// Its name.
        variable: &'static str,
        /// The file and the line.
        file: Option<(PathBuf, usize)>,
    },
    /// The configuration file.
    File {
        /// Which.
        path: PathBuf,
        /// The line of the key.
        line: usize,
    },
    /// A `QUANTUM_CLM_…` variable.
    Environment(String),
    /// An option of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Predecessor { variable, file: None } => f.write_str(variable),
            Self::Predecessor { variable, file: Some((path, line)) } => {
                write!(f, "{}:{line} {variable}", path.display())
            }
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(variable) => f.write_str(variable),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl Origin {
    /// The origin as JSON: an object with `kind` and what belongs to it.
    pub fn json(&self) -> Value {
        match self {
            Self::Default => json!({"kind": "default"}),
            Self::Predecessor { variable, file: None } => json!({"kind": "predecessor", "variable": variable}),
            Self::Predecessor { variable, file: Some((path, line)) } => {
                json!({"kind": "predecessor", "variable": variable, "file": path.to_string_lossy(), "line": line})
            }
            Self::File { path, line } => json!({"kind": "file", "file": path.to_string_lossy(), "line": line}),
            Self::Environment(variable) => json!({"kind": "environment", "variable": variable}),
            Self::Flag(name) => json!({"kind": "flag", "flag": name}),
        }
    }
}

/// One key, its value and where that comes from.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `redis.stream`
    pub key: &'static str,
    /// Without secrets.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

impl Setting {
    /// The value as the file would write it.
    pub fn toml(&self) -> String {
        super::value::to_toml(&self.value)
    }
}

/// A configuration without faults.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
    /// What the operator should know though nothing is wrong, a line each.
    pub notices: Vec<String>,
    origins: BTreeMap<&'static str, Origin>,
}

impl Loaded {
    /// Reads and checks everything that `request` names.
    pub fn from(request: &Request) -> Result<Self, ConfigError> {
        let mut loading = Loading {
            loaded: Self { config: Config::default(), file: None, notices: Vec::new(), origins: BTreeMap::new() },
            error: ConfigError { faults: Vec::new(), denied: false },
        };
        loading.file(request);
        loading.environment(request);
        loading.flags(request);
        loading.predecessor(request);
        if loading.error.faults.is_empty() {
            loading.cross_checks(request);
        }
        if loading.error.faults.is_empty() { Ok(loading.loaded) } else { Err(loading.error) }
    }

    /// Every key in the order of the sample file.
    pub fn settings(&self) -> Vec<Setting> {
        keys()
            .iter()
            .map(|key| Setting { key: &key.name, value: key.show(&self.config), origin: self.origin(&key.name) })
            .collect()
    }

    /// A sentence for each file of the predecessor that values were taken from, and one for its variables in the
    /// environment: which keys they set.
    pub fn from_predecessor(&self) -> Vec<String> {
        let mut by_place: BTreeMap<Option<&Path>, Vec<String>> = BTreeMap::new();
        for (variable, key) in predecessor::VARIABLES {
            if let Some(Origin::Predecessor { file, .. }) = self.origins.get(key) {
                let place = file.as_ref().map(|(path, _)| path.as_path());
                by_place.entry(place).or_default().push(format!("{key} ({variable})"));
            }
        }
        let told = by_place.into_iter().map(|(place, keys)| {
            let place = place.map_or_else(|| "the environment".to_owned(), |path| path.display().to_string());
            format!("the predecessor's settings in {place} are used for {}", keys.join(", "))
        });
        told.collect()
    }

    /// Where the value of `key` comes from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// One line each: where, what, what to do.
    pub faults: Vec<String>,
    /// Whether the default file is there but may not be read: who only needs the socket's path can go on without.
    pub denied: bool,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.faults.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

struct Loading {
    loaded: Loaded,
    error: ConfigError,
}

impl Loading {
    fn fault(&mut self, message: String) {
        self.error.faults.push(message);
    }

    fn file(&mut self, request: &Request) {
        let named = request.file.clone().or_else(|| request.variable(FILE_VARIABLE));
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        match file::read(&path) {
            Ok(text) => {
                let read = file::apply(&path, &text, &mut self.loaded.config);
                self.error.faults.extend(read.errors);
                for (key, line) in read.lines {
                    self.loaded.origins.insert(key, Origin::File { path: path.clone(), line });
                }
                self.loaded.file = Some(path);
            }
            Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {}
            Err(error) => {
                self.error.denied = named.is_none() && error.kind() == ErrorKind::PermissionDenied;
                let remedy = match error.kind() {
                    ErrorKind::NotFound => ": name a file that exists, or leave --config out",
                    ErrorKind::PermissionDenied => ": run it as root or as a member of the file's group",
                    _ => "",
                };
                self.fault(format!("cannot read the configuration {}: {error}{remedy}", path.display()));
            }
        }
    }

    fn environment(&mut self, request: &Request) {
        for (name, value) in &request.environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(VARIABLE_PREFIX)) else { continue };
            if OTHER_VARIABLES.contains(&name) || name.starts_with(TEST_PREFIX) {
                continue;
            }
            let Some(key) = keys().iter().find(|key| key.variable() == name) else {
                let variables: Vec<_> = keys().iter().map(|key| key.variable()).collect();
                let hint = nearest(name, variables.iter().map(String::as_str))
                    .map_or_else(|| "unset it".to_owned(), |near| format!("did you mean {near}?"));
                self.fault(format!("unknown variable {name} in the environment: {hint}"));
                continue;
            };
            let set = value
                .to_str()
                .ok_or_else(|| "is not UTF-8 text".to_owned())
                .and_then(|value| key.set_text(&mut self.loaded.config, value));
            match set {
                Ok(()) => drop(self.loaded.origins.insert(&key.name, Origin::Environment(name.to_owned()))),
                Err(message) => self.fault(format!("{name} in the environment: {message}")),
            }
        }
    }

    fn flags(&mut self, request: &Request) {
        for (flag, key, value) in
            [("--data-file", "data_file", &request.data_file), ("--socket", "http.socket", &request.socket)]
        {
            let (Some(value), Some(key)) = (value, key::find(key)) else { continue };
            let set = value
                .to_str()
                .ok_or_else(|| "is not UTF-8 text".to_owned())
                .and_then(|value| key.set_text(&mut self.loaded.config, value));
            match set {
                Ok(()) => drop(self.loaded.origins.insert(&key.name, Origin::Flag(flag))),
                Err(message) => self.fault(format!("{flag}: {message}")),
            }
        }
    }

    /// Last, as only what nothing else sets is taken from there: a wrong value that has no effect is no fault.
    fn predecessor(&mut self, request: &Request) {
        let directory = request.variable(PREDECESSOR_VARIABLE).unwrap_or_else(|| PathBuf::from(PREDECESSOR_DIRECTORY));
        let mut found = BTreeMap::new();
        for path in predecessor::FILES.map(|name| directory.join(name)) {
            match file::read(&path) {
                Ok(text) => {
                    for (name, variable) in predecessor::parse(&text) {
                        found.insert(name, (variable.value, Some((path.clone(), variable.line))));
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => self
                    .loaded
                    .notices
                    .push(format!("{} of the predecessor cannot be read and has no effect: {error}", path.display())),
            }
        }
        for (name, value) in &request.environment {
            if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
                && (name.starts_with("UTF_") || name.starts_with("CLM_"))
            {
                found.insert(name.to_owned(), (value.to_owned(), None));
            }
        }
        for (variable, name) in predecessor::VARIABLES {
            let Some((value, file)) = found.remove(variable).filter(|(value, _)| !value.trim().is_empty()) else {
                continue;
            };
            let Some(key) = key::find(name).filter(|key| !self.loaded.origins.contains_key(key.name.as_str())) else {
                continue;
            };
            let origin = Origin::Predecessor { variable, file };
            match key.set_text(&mut self.loaded.config, &predecessor::translated(name, value.trim())) {
                Ok(()) => drop(self.loaded.origins.insert(&key.name, origin)),
                Err(message) => self.fault(format!("{origin}: {message}")),
            }
        }
        for (variable, why) in predecessor::WITHOUT_EFFECT {
            if let Some((_, file)) = found.remove(variable) {
                let origin = Origin::Predecessor { variable, file };
                self.loaded.notices.push(format!("{origin} has no effect: {why}"));
            }
        }
    }

    fn cross_checks(&mut self, request: &Request) {
        let config = &self.loaded.config;
        let mut faults = Vec::new();
        if config.journal.units.is_empty() && !request.demo {
            faults.push(("journal.units", "is empty, so there is nothing to read: name at least one unit"));
        }
        if config.redis.stream == config.redis.intent_stream {
            faults.push(("redis.intent_stream", "is the events' stream too: give the intents one of their own"));
        }
        let password = RedisTarget::parse(&config.redis.url).ok().and_then(|target| target.password);
        if password.is_some() && config.redis.password_file.is_some() {
            faults.push(("redis.url", "holds a password and redis.password_file is set: keep one of them"));
        }
        faults.extend(backup::cross_checks(&config.backup, &config.data_file));
        let faults: Vec<_> =
            faults.into_iter().map(|(key, message)| format!("{}: {key} {message}", self.loaded.origin(key))).collect();
        self.error.faults.extend(faults);
        if let (Some(_), Origin::File { path, .. }) = (password, self.loaded.origin("redis.url")) {
            self.loaded.notices.extend(open_to_everybody(&path));
        }
    }
}

fn open_to_everybody(path: &Path) -> Option<String> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let path = path.display();
    (mode & 0o007 != 0).then(|| {
        format!("{path} holds a password and everybody can read it: chmod o= {path}, or use redis.password_file")
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Bed {
        directory: tempfile::TempDir,
        request: Request,
    }

    impl Bed {
        fn new(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            for (name, text) in files {
                fs::write(directory.path().join(name), text).unwrap();
            }
            let mut request = Request::default();
            let file = directory.path().join("clm.toml");
            request.file = file.exists().then_some(file);
            request.environment = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
            request.environment.insert(PREDECESSOR_VARIABLE.into(), directory.path().into());
            Self { directory, request }
        }

        fn load(&self) -> Loaded {
            Loaded::from(&self.request).unwrap()
        }

        fn faults(&self) -> Vec<String> {
            let directory = format!("{}/", self.directory.path().display());
            let error = Loaded::from(&self.request).unwrap_err();
            error.faults.iter().map(|fault| fault.replace(&directory, "")).collect()
        }
    }

    #[test]
    fn who_overrides_whom() {
        let toml = "data_file = \"file\"\n[redis]\nstream = \"file\"\nmaxlen = 3\n";
        let env = "UTF_STREAM=utf\nUTF_MAXLEN=4\nUTF_REDIS_URL=redis://utf\nCLM_CONSUMER=utf\n";
        let mut bed = Bed::new(
            &[("clm.toml", toml), ("utf.env", env)],
            &[("QUANTUM_CLM_REDIS_STREAM", "var"), ("QUANTUM_CLM_DATA_FILE", "var"), ("CLM_CONSUMER", "process")],
        );
        bed.request.data_file = Some("flag".into());
        let loaded = bed.load();
        let path = bed.directory.path();
        for (key, value, origin) in [
            ("data_file", "\"flag\"", Origin::Flag("--data-file")),
            ("redis.stream", "\"var\"", Origin::Environment("QUANTUM_CLM_REDIS_STREAM".into())),
            ("redis.maxlen", "3", Origin::File { path: path.join("clm.toml"), line: 4 }),
            (
                "redis.url",
                "\"redis://utf\"",
                Origin::Predecessor { variable: "UTF_REDIS_URL", file: Some((path.join("utf.env"), 3)) },
            ),
            ("redis.consumer", "\"process\"", Origin::Predecessor { variable: "CLM_CONSUMER", file: None }),
            ("events.commit_interval", "\"650ms\"", Origin::Default),
        ] {
            let setting = loaded.settings().into_iter().find(|setting| setting.key == key).unwrap();
            assert_eq!((setting.toml().as_str(), setting.origin), (value, origin), "{key}");
        }
    }

    #[test]
    fn the_predecessors_files_as_they_are() {
        let bed = Bed::new(
            &[
                (
                    "utf.env",
                    "UTF_REDIS_URL=redis://127.0.0.1:6379/0\nUTF_STREAM=quantum:stream:utf\nUTF_MAXLEN=200000\n\
                     UTF_UNITS=\"quantum-ai-engine.service quantum-strategy-brain\"\nUTF_POLL_SEC=2\n",
                ),
                (
                    "clm.env",
                    "CLM_INTENT_STREAM=quantum:stream:clm.intent\nCLM_ERROR_THRESHOLD_PER_HOUR=25\nCLM_GROUP=clm\n\
                     CLM_CONSUMER=\nPYTHONUNBUFFERED=1\n",
                ),
            ],
            &[],
        );
        let loaded = bed.load();
        assert_eq!(loaded.config.journal.units, ["quantum-ai-engine.service", "quantum-strategy-brain.service"]);
        assert_eq!(loaded.config.rules.error_rate.threshold_per_hour, 25);
        assert_eq!(loaded.origin("redis.consumer"), Origin::Default);
        assert_eq!(loaded.notices.len(), 2, "{:?}", loaded.notices);
        assert!(
            loaded.notices[0].ends_with("utf.env:5 UTF_POLL_SEC has no effect: the journal is followed, not polled")
        );
    }

    #[test]
    fn faults_of_every_layer_at_once() {
        let bed = Bed::new(
            &[("clm.toml", "[http]\nlisten = \"localhost:8000\"\n"), ("utf.env", "UTF_MAXLEN=many\nUTF_STREAM=\n")],
            &[("QUANTUM_CLM_REDIS_STREM", "x"), ("QUANTUM_CLM_EVENTS_RETENTION_DAYS", "0"), ("QUANTUM_CLM_LOG", "x")],
        );
        assert_eq!(
            bed.faults(),
            [
                "clm.toml:2:10: http.listen: \"localhost:8000\" is not an IP address and a port: write it as \
                 \"127.0.0.1:8000\" or \"[::1]:8000\"",
                "QUANTUM_CLM_EVENTS_RETENTION_DAYS in the environment: must be from 1 to 3650",
                "unknown variable QUANTUM_CLM_REDIS_STREM in the environment: did you mean QUANTUM_CLM_REDIS_STREAM?",
                "utf.env:1 UTF_MAXLEN: expected a whole number, found \"many\"",
            ]
        );
    }

    #[test]
    fn a_wrong_value_that_is_overridden_is_no_fault() {
        let bed = Bed::new(&[("utf.env", "UTF_MAXLEN=many\n")], &[("QUANTUM_CLM_REDIS_MAXLEN", "5")]);
        assert_eq!(bed.load().config.redis.maxlen, 5);
    }

    #[test]
    fn values_that_do_not_go_together() {
        let bed = Bed::new(
            &[("clm.toml", "[journal]\nunits = []\n[redis]\nstream = \"a\"\nintent_stream = \"a\"\n")],
            &[("QUANTUM_CLM_REDIS_URL", "redis://:s3cret@h"), ("QUANTUM_CLM_REDIS_PASSWORD_FILE", "/x")],
        );
        assert_eq!(
            bed.faults(),
            [
                "clm.toml:2: journal.units is empty, so there is nothing to read: name at least one unit",
                "clm.toml:5: redis.intent_stream is the events' stream too: give the intents one of their own",
                "QUANTUM_CLM_REDIS_URL: redis.url holds a password and redis.password_file is set: keep one of them",
            ]
        );
    }

    #[test]
    fn a_copy_of_backups_elsewhere_is_described_in_full() {
        let bed = Bed::new(
            &[(
                "clm.toml",
                "data_file = \"/v/q.redb\"\n[backup]\ndirectory = \"/v\"\n[backup.s3]\nurl = \"http://h\"\n",
            )],
            &[("QUANTUM_CLM_BACKUP_S3_BUCKET", "backups"), ("QUANTUM_CLM_BACKUP_S3_ACCESS_KEY_ID", "id")],
        );
        assert_eq!(
            bed.faults(),
            [
                "QUANTUM_CLM_BACKUP_S3_BUCKET: backup.s3.bucket is set and backup.s3.secret_access_key_file is not: name \
                 that file",
                "clm.toml:5: backup.s3.url is not encrypted and leads off this machine: use https://, or set \
                 backup.s3.allow_http = true",
                "clm.toml:3: backup.directory holds data_file itself: name another directory",
            ]
        );
    }

    #[test]
    fn a_demo_reads_no_unit() {
        let mut bed = Bed::new(&[], &[("QUANTUM_CLM_JOURNAL_UNITS", "")]);
        assert!(Loaded::from(&bed.request).is_err());
        bed.request.demo = true;
        assert!(bed.load().config.journal.units.is_empty());
    }

    #[test]
    fn a_named_file_must_exist() {
        let mut bed = Bed::new(&[], &[]);
        bed.request.file = Some(bed.directory.path().join("none.toml"));
        assert!(bed.faults()[0].starts_with("cannot read the configuration none.toml: "), "{:?}", bed.faults());
        bed.request.file = Some(bed.directory.path().into());
        assert!(bed.faults()[0].contains("is a directory"), "{:?}", bed.faults());
    }

    #[test]
    fn a_password_in_a_file_that_everybody_reads_is_said() {
        let bed = Bed::new(&[("clm.toml", "redis.url = \"redis://:s3cret@h\"\n")], &[]);
        let file = bed.directory.path().join("clm.toml");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let loaded = bed.load();
        assert_eq!(loaded.notices.len(), 1);
        assert!(!format!("{loaded:?} {:?}", loaded.settings()).contains("s3cret"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(bed.load().notices.len(), 0);
    }
}
