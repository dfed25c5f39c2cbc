//! What this worker can run: the operator's programs, as its own configuration names them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Access, access};
use sha2::{Digest as _, Sha256};

use crate::config::{Adapter, Adapters, Config};
use crate::domain::job::Program;
use crate::domain::model::{Digest, ModelType};
use crate::runner::Limits;

/// The programs.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    adapters: Adapters,
    hook: Vec<String>,
    limits: Limits,
}

/// A program with everything that it is started with.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) words: Vec<String>,
    pub(super) adapter: Adapter,
    pub(super) limits: Limits,
}

/// What can be run now, and what is in the way of the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) programs: BTreeMap<ModelType, Vec<Program>>,
    pub(super) hook: bool,
    /// One line each.
    pub(super) faults: Vec<String>,
}

impl Programs {
    pub(super) fn of(config: &Config) -> Self {
        let worker = &config.worker;
        let limits = Limits {
            memory: worker.memory,
            cpus: worker.cpus,
            tasks: worker.tasks.map(|tasks| u32::try_from(tasks).unwrap_or(u32::MAX)),
            grace: worker.grace,
            ..Limits::default()
        };
        Self { adapters: config.adapters.clone(), hook: config.promotion.hook.clone(), limits }
    }

    /// Whether nothing is configured at all.
    pub(super) fn is_empty(&self) -> bool {
        self.hook.is_empty() && self.adapters.all().next().is_none()
    }

    /// Looks which programs are there and may be run. Looked at anew each time: what is installed later counts then.
    pub(super) fn ready(&self) -> Ready {
        let mut ready = Ready::default();
        for (model_type, adapter) in self.adapters.all() {
            let secrets = adapter.secrets.iter().filter_map(|(name, path)| {
                secret(path).err().map(|why| format!("adapters.{model_type}: the secret {name}: {why}"))
            });
            let before = ready.faults.len();
            ready.faults.extend(secrets);
            let has_secrets = ready.faults.len() == before;
            for (program, words) in &adapter.programs {
                match executable(words) {
                    Ok(()) if has_secrets => ready.programs.entry(model_type).or_default().push(*program),
                    Ok(()) => {}
                    Err(why) => ready.faults.push(format!("adapters.{model_type}: {}: {why}", program.as_str())),
                }
            }
        }
        if !self.hook.is_empty() {
            match executable(&self.hook) {
                Ok(()) => ready.hook = true,
                Err(why) => ready.faults.push(format!("promotion.hook: {why}")),
            }
        }
        ready
    }

    /// What to start for a program of a model type, or why there is nothing.
    pub(super) fn command(&self, model_type: ModelType, program: Program) -> Result<Command, String> {
        let (words, adapter) = if program == Program::Hook {
            (Some(self.hook.clone()).filter(|words| !words.is_empty()), self.adapters.bare())
        } else {
            let adapter = self.adapters.of(model_type);
            let words = adapter.as_ref().and_then(|adapter| adapter.programs.get(&program).cloned());
            (words, adapter.unwrap_or_else(|| self.adapters.bare()))
        };
        let Some(words) = words else {
            let key = if program == Program::Hook {
                "promotion.hook".to_owned()
            } else {
                format!("adapters.{model_type}.{}", program.as_str())
            };
            return Err(format!("this worker has no {key} in its configuration (any more)"));
        };
        Ok(self.with_limits(words, adapter))
    }

    /// The same with another program in the place of the configured one.
    pub(super) fn with_limits(&self, words: Vec<String>, adapter: Adapter) -> Command {
        let limits = Limits { time: Some(adapter.time_limit), no_progress: adapter.no_progress, ..self.limits.clone() };
        Command { words, adapter, limits }
    }

    pub(super) fn adapter(&self, model_type: ModelType) -> Adapter {
        self.adapters.of(model_type).unwrap_or_else(|| self.adapters.bare())
    }
}

impl Command {
    /// Whether it can be started now.
    pub(super) fn check(&self) -> Result<(), String> {
        executable(&self.words)?;
        for (name, path) in &self.adapter.secrets {
            secret(path).map_err(|why| format!("the secret {name}: {why}"))?;
        }
        Ok(())
    }

    /// What its answer depends on and only this worker knows: the words, the environment, and which files they name. A
    /// program that was changed since is another one.
    pub(super) fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        let mut put = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        for word in &self.words {
            put(word);
            if let Some(metadata) =
                fs::metadata(word).ok().filter(|metadata| word.starts_with('/') && metadata.is_file())
            {
                put(&format!("{} {}.{}", metadata.len(), metadata.mtime(), metadata.mtime_nsec()));
            }
        }
        for (name, value) in &self.adapter.environment {
            put(name);
            put(value);
        }
        for (name, path) in &self.adapter.secrets {
            put(name);
            put(&path.to_string_lossy());
        }
        Digest(hash.finalize().into())
    }
}

fn executable(words: &[String]) -> Result<(), String> {
    let program = words.first().map_or("", String::as_str);
    let metadata = fs::metadata(program).map_err(|error| format!("{program}: {error}"))?;
    if !metadata.is_file() {
        return Err(format!("{program} is no program"));
    }
    access(program, Access::EXEC_OK)
        .map_err(|_| format!("{program} may not be executed by this user: chmod +x {program}, or see who owns it"))
}

/// A secret is there, and not for everybody.
fn secret(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let metadata = fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?;
    if !metadata.is_file() {
        return Err(format!("{shown} is no file"));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(format!("{shown} can be used by everybody (mode {mode:03o}): chmod o= {shown}"));
    }
    access(path, Access::READ_OK).map_err(|_| format!("{shown} may not be read by this user"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    struct Bed {
        directory: tempfile::TempDir,
        adapter: Adapter,
    }

    impl Bed {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap(), adapter: Adapters::default().bare() }
        }

        fn file(&self, name: &str, text: &str, permissions: u32) -> PathBuf {
            let path = self.directory.path().join(name);
            fs::write(&path, text).unwrap();
            mode(&path, permissions);
            path
        }

        fn command(&self, words: &[&Path]) -> Command {
            let words = words.iter().map(|word| word.display().to_string()).collect();
            Command { words, adapter: self.adapter.clone(), limits: Limits::default() }
        }
    }

    #[test]
    fn what_cannot_be_started_is_said_before() {
        let mut bed = Bed::new();
        let program = bed.file("program", "#!/bin/sh\n", 0o755);
        assert_eq!(bed.command(&[&program]).check(), Ok(()));
        mode(&program, 0o644);
        assert!(bed.command(&[&program]).check().unwrap_err().contains("chmod +x"));
        assert!(bed.command(&[bed.directory.path()]).check().unwrap_err().ends_with("is no program"));
        assert!(bed.command(&[Path::new("/nowhere/x")]).check().unwrap_err().contains("No such file"));
        mode(&program, 0o755);
        let key = bed.file("key", "word", 0o644);
        bed.adapter.secrets.insert("KEY".into(), key.clone());
        assert!(bed.command(&[&program]).check().unwrap_err().contains("the secret KEY: "));
        mode(&key, 0o600);
        assert_eq!(bed.command(&[&program]).check(), Ok(()));
    }

    #[test]
    fn a_program_that_was_changed_is_another() {
        let mut bed = Bed::new();
        let program = bed.file("program", "#!/bin/sh\n", 0o755);
        let digest = bed.command(&[&program]).digest();
        assert_eq!(bed.command(&[&program]).digest(), digest);
        assert_ne!(bed.command(&[&program, Path::new("x")]).digest(), digest);
        fs::write(&program, "#!/bin/sh\nexit 1\n").unwrap();
        let changed = bed.command(&[&program]).digest();
        assert_ne!(changed, digest);
        bed.adapter.environment.insert("A".into(), "1".into());
        assert_ne!(bed.command(&[&program]).digest(), changed);
    }
}
