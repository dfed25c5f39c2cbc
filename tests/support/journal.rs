use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const REMOTE: &str = "/lib/systemd/systemd-journal-remote";

/// 2023-11-14, an instant that no test's own clock reaches.
pub(crate) const START: u64 = 1_700_000_000_000_000;

/// Writes a journal directory as journald does: appends to `system.journal`, archives it, deletes the oldest archive.
pub(crate) struct JournalWriter {
    directory: PathBuf,
    remote: Option<Child>,
    archives: Vec<PathBuf>,
    count: u64,
    /// The time of the next entry; each one is a millisecond later.
    pub(crate) clock: u64,
    pub(crate) boot: String,
}

/// One entry; the fields are those of a service's line until they are changed.
pub(crate) struct Line {
    fields: Vec<(String, Vec<u8>)>,
}

impl Line {
    pub(crate) fn new(unit: &str, message: impl AsRef<[u8]>) -> Self {
        let fields = Vec::new();
        Self { fields }
            .set("_TRANSPORT", "stdout")
            .set("_MACHINE_ID", "fffffffffffffffffffffffffffffff1")
            .set("_HOSTNAME", "fixture")
            .set("PRIORITY", "6")
            .set("_PID", "1000")
            .set("_UID", "990")
            .set("_SYSTEMD_UNIT", unit)
            .set("MESSAGE", message)
    }

    /// Replaces a field.
    pub(crate) fn set(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.add(name, value)
    }

    /// Adds a field, perhaps once more.
    pub(crate) fn add(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }
}

impl JournalWriter {
    pub(crate) fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        Self {
            directory: directory.to_owned(),
            remote: None,
            archives: Vec::new(),
            count: 0,
            clock: START,
            boot: format!("{:032x}", std::process::id()),
        }
    }

    fn active(&self) -> PathBuf {
        self.directory.join("system.journal")
    }

    fn remote(&mut self) -> &mut Child {
        let active = self.active();
        self.remote.get_or_insert_with(|| {
            let mut command = Command::new(REMOTE);
            command.arg("-o").arg(active).arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("Debian's package systemd-journal-remote")
        })
    }

    pub(crate) fn append(&mut self, lines: impl IntoIterator<Item = Line>) {
        let mut text = Vec::new();
        for line in lines {
            self.clock += 1000;
            self.count += 1;
            let monotonic = 10_000_000 + self.count * 1000;
            writeln!(text, "__REALTIME_TIMESTAMP={}", self.clock).unwrap();
            writeln!(text, "__MONOTONIC_TIMESTAMP={monotonic}\n_BOOT_ID={}", self.boot).unwrap();
            for (name, value) in line.fields {
                if value.iter().any(|&byte| byte < 32) {
                    writeln!(text, "{name}").unwrap();
                    text.extend((value.len() as u64).to_le_bytes());
                } else {
                    write!(text, "{name}=").unwrap();
                }
                text.extend(value);
                text.push(b'\n');
            }
            text.push(b'\n');
        }
        let stdin = self.remote().stdin.as_mut().unwrap();
        stdin.write_all(&text).unwrap();
        stdin.flush().unwrap();
    }

    /// Appends lines of `unit` with the messages `n <first>`, ….
    pub(crate) fn number(&mut self, unit: &str, numbers: impl IntoIterator<Item = u64>) {
        let lines: Vec<_> = numbers.into_iter().map(|number| Line::new(unit, format!("n {number}"))).collect();
        self.append(lines);
    }

    /// Everything appended is in the file now.
    pub(crate) fn sync(&mut self) {
        if let Some(mut remote) = self.remote.take() {
            drop(remote.stdin.take());
            assert!(remote.wait().unwrap().success());
        }
    }

    /// Archives the active file; the next entry starts a new one.
    pub(crate) fn rotate(&mut self) {
        self.sync();
        let archive = self.directory.join(format!("system@{:08}.journal", self.archives.len()));
        fs::rename(self.active(), &archive).unwrap();
        self.archives.push(archive);
    }

    /// Deletes the `count` oldest archives.
    pub(crate) fn vacuum(&mut self, count: usize) {
        for archive in self.archives.drain(..count) {
            fs::remove_file(archive).unwrap();
        }
    }

    /// What the active file holds now, for [`JournalWriter::restore`].
    pub(crate) fn snapshot(&mut self) -> Vec<u8> {
        self.sync();
        fs::read(self.active()).unwrap()
    }

    /// Sets the active file back, as a power cut or a restored machine does.
    pub(crate) fn restore(&mut self, snapshot: &[u8]) {
        self.sync();
        let copy = self.directory.join("copy");
        fs::write(&copy, snapshot).unwrap();
        fs::rename(copy, self.active()).unwrap();
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        if let Some(mut remote) = self.remote.take() {
            drop(remote.stdin.take());
            let _ = remote.wait();
        }
    }
}
