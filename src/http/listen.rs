use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::net::{TcpListener, UnixListener};

use super::alive;
use super::passed::{self, Addresses, Passed};
use super::peer::{ADMIN_GROUP, Admins};
use crate::config;
use crate::process::unless_inherited;

/// The longest path that fits into a unix socket's address, with its closing zero.
const LONGEST_PATH: usize = 107;

/// How many connections may wait to be accepted. The standard library asks for 128.
const QUEUE: i32 = 1024;

/// Why there is nothing to listen on: one line with what to do.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// `http.listen` is a name, or nonsense.
    #[error("http.listen = \"{0}\" is not IP:port: write it as 127.0.0.1:8000 or [::1]:8000")]
    Address(String),
    /// The port is taken.
    #[error("{0} is in use by another program: stop it or set http.listen")]
    InUse(SocketAddr),
    /// The port is privileged.
    #[error("no permission to listen on {0}: set http.listen to a port above 1023")]
    PortPermission(SocketAddr),
    /// The address is another machine's.
    #[error("no interface of this machine has the address of {0}: set http.listen to one that it has")]
    NotOurs(SocketAddr),
    /// Anything else about TCP.
    #[error("cannot listen on {address}: {source}: set http.listen")]
    Tcp {
        /// `http.listen`.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody answers on the socket.
    #[error("another daemon answers on {}: stop it or set http.socket", .0.display())]
    Answered(PathBuf),
    /// The path is something else.
    #[error("{} is there and is no socket: move it away or set http.socket", .0.display())]
    NoSocket(PathBuf),
    /// The path does not fit into an address.
    #[error("{} is longer than the {LONGEST_PATH} bytes of a socket's address: set http.socket", .0.display())]
    TooLong(PathBuf),
    /// No right to the directory or the socket.
    #[error("no permission to {step} {}: run as the user that owns it or set http.socket", .path.display())]
    PathPermission {
        /// What was tried.
        step: &'static str,
        /// With what.
        path: PathBuf,
    },
    /// Anything else about the unix socket.
    #[error("cannot {step} {}: {source}: set http.socket", .path.display())]
    Unix {
        /// What was tried.
        step: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A passed socket is of no use.
    #[error("the socket \"{name}\" passed by systemd is no listening TCP or unix stream socket: see its .socket unit")]
    Passed {
        /// Its `FileDescriptorName=`.
        name: String,
    },
}

/// Sockets ready to accept from. The socket file that was made here goes when this is dropped.
#[derive(Debug, Default)]
pub struct Listeners {
    pub(super) tcp: Vec<TcpListener>,
    pub(super) unix: Vec<UnixListener>,
    pub(super) file: Option<SocketFile>,
    /// Beside a unix socket that systemd has made: it answers whether we live or not.
    pub(super) lock: Option<File>,
    /// Whether systemd has them open, too.
    passed: bool,
}

impl Listeners {
    /// The addresses that were bound: where the port was 0, with the one that the system chose.
    pub fn tcp_addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Whether who connects when we are gone waits for the next daemon, because systemd keeps the sockets open.
    pub fn outlive_us(&self) -> bool {
        self.passed
    }

    /// The path of the unix socket, where one has a path.
    pub fn unix_path(&self) -> Option<PathBuf> {
        self.unix.iter().find_map(|listener| listener.local_addr().ok()?.as_pathname().map(Path::to_owned))
    }

    /// For the log and for `systemctl status`: `127.0.0.1:8000 and /run/quantum-clm/api.sock`.
    pub fn describe(&self) -> String {
        let tcp = self.tcp_addresses().into_iter().map(|address| address.to_string());
        tcp.chain(self.unix_path().map(|path| path.display().to_string())).collect::<Vec<_>>().join(" and ")
    }
}

/// What can be bound without changing anything on the disk, and what was found where the unix socket will be.
#[derive(Debug)]
pub struct Prepared {
    tcp: Vec<TcpListener>,
    unix: Vec<UnixListener>,
    path: Option<PathBuf>,
    passed: Addresses,
}

/// Binds the TCP address and looks whether the unix socket can be made, so that what would be refused is refused before
/// anything is changed. A kind of socket that systemd passed is not bound a second time. Must be called in a runtime, and
/// takes a moment where something is taken.
pub fn prepare(http: &config::Http, passed: Passed) -> Result<Prepared, ListenError> {
    let (mut tcp, unix) = passed.take()?;
    let passed = Addresses::of(&tcp, &unix);
    if tcp.is_empty() && !http.listen.is_empty() {
        let taken = |error: &ListenError| matches!(error, ListenError::InUse(_));
        tcp.push(unless_inherited(|| bind_tcp(&http.listen), taken)?);
    }
    let path = unix.is_empty().then(|| http.socket.clone());
    if let Some(path) = &path {
        unless_inherited(|| look(path), |error| matches!(error, ListenError::Answered(_)))?;
        can_be_made(path)?;
    }
    Ok(Prepared { tcp, unix, path, passed })
}

impl Prepared {
    /// What is listened on instead of `http.listen` and `http.socket`, as far as systemd passed anything else than they say; a
    /// line each. `is_set` tells whether somebody wrote that key: what nobody did is no contradiction.
    pub fn overruled(&self, http: &config::Http, is_set: impl Fn(&str) -> bool) -> Vec<String> {
        passed::overruled(&self.passed, http, is_set)
    }

    /// Makes the unix socket, in the place of a dead one.
    pub fn finish(mut self, admins: &Admins) -> Result<Listeners, ListenError> {
        let mut file = None;
        if let Some(path) = &self.path {
            let (listener, made) = bind_unix(path, admins)?;
            self.unix.push(listener);
            file = Some(made);
        }
        let mut listeners = Listeners { tcp: self.tcp, unix: self.unix, file, lock: None, passed: self.passed.any() };
        if let Some(path) = listeners.unix_path().filter(|_| listeners.file.is_none()) {
            listeners.lock = hold_beside(&path, admins);
        }
        Ok(listeners)
    }
}

/// [`prepare`] and [`Prepared::finish`] at once.
pub fn bind(http: &config::Http, passed: Passed, admins: &Admins) -> Result<Listeners, ListenError> {
    prepare(http, passed)?.finish(admins)
}

fn bind_tcp(listen: &str) -> Result<TcpListener, ListenError> {
    // Only ever a parsed address: a name would mean getaddrinfo, which must not be linked.
    let address: SocketAddr = listen.parse().map_err(|_| ListenError::Address(listen.to_owned()))?;
    let bind = || {
        let listener = std::net::TcpListener::bind(address)?;
        // Once more, for a longer queue: whoever finds it full tries again only after a second, and another.
        rustix::net::listen(&listener, QUEUE)?;
        tokio_tcp(listener)
    };
    bind().map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address),
        io::ErrorKind::PermissionDenied => ListenError::PortPermission(address),
        io::ErrorKind::AddrNotAvailable => ListenError::NotOurs(address),
        _ => ListenError::Tcp { address, source },
    })
}

fn bind_unix(path: &Path, admins: &Admins) -> Result<(UnixListener, SocketFile), ListenError> {
    let found = look(path)?;
    let failed = |step: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| match source.kind() {
            io::ErrorKind::PermissionDenied => ListenError::PathPermission { step, path },
            _ => ListenError::Unix { step, path, source },
        }
    };
    let group = reached_by(admins);
    // Workers of this machine are users of their own, in another group than admins; a file has but one. Who connects may do
    // what the kernel says of whom it is, so a socket that others reach opens nothing to them.
    let (directory_mode, mode) = if admins.has_workers() { (0o711, 0o666) } else { (0o750, 0o660) };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
        DirBuilder::new()
            .recursive(true)
            .mode(directory_mode)
            .create(parent)
            .map_err(failed("create the directory", parent))?;
        give_to_admins(parent, group);
    }
    let lock = hold_lock(path, admins).map_err(failed("create a lock beside", path))?;
    if found == InTheWay::Dead {
        fs::remove_file(path).map_err(failed("replace", path))?;
        tracing::info!("{} was left behind by a daemon that is gone: replaced", path.display());
    }
    let listener = std::os::unix::net::UnixListener::bind(path).map_err(failed("create the socket", path))?;
    let file = SocketFile::at(path, lock).map_err(failed("look at the socket", path))?;
    // Between bind and here the mode is what the umask left. That opens nothing: the credential is the peer's uid.
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("set the mode of", path))?;
    give_to_admins(path, group);
    let listener = tokio_unix(listener).map_err(failed("listen on", path))?;
    Ok((listener, file))
}

fn hold_lock(path: &Path, admins: &Admins) -> io::Result<File> {
    let mode = if admins.has_workers() { 0o644 } else { 0o640 };
    alive::hold(path, mode, |lock| give_to_admins(lock, reached_by(admins)))
}

/// The same beside a socket of systemd's, which stays where we are no more. Without it a worker takes a daemon that is gone for
/// one that is slow, and that is no reason not to start.
fn hold_beside(path: &Path, admins: &Admins) -> Option<File> {
    hold_lock(path, admins)
        .inspect_err(|error| {
            tracing::warn!("workers cannot see that we live: no lock beside {}: {error}", path.display())
        })
        .ok()
}

/// What stands where the unix socket will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InTheWay {
    Nothing,
    /// A socket on which nobody answers.
    Dead,
}

/// Anything but a dead socket in the way is an error.
fn look(path: &Path) -> Result<InTheWay, ListenError> {
    if path.as_os_str().len() > LONGEST_PATH {
        return Err(ListenError::TooLong(path.to_owned()));
    }
    let fault = |step: &'static str, source: io::Error| match source.kind() {
        io::ErrorKind::PermissionDenied => ListenError::PathPermission { step, path: path.to_owned() },
        _ => ListenError::Unix { step, path: path.to_owned(), source },
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(InTheWay::Nothing),
        Err(error) => return Err(fault("look at", error)),
        Ok(found) if !found.file_type().is_socket() => return Err(ListenError::NoSocket(path.to_owned())),
        Ok(_) => {}
    }
    match probe(path) {
        // A full backlog answers EAGAIN, and only somebody who listens has one.
        Ok(()) | Err(Errno::AGAIN) => Err(ListenError::Answered(path.to_owned())),
        Err(Errno::CONNREFUSED) => Ok(InTheWay::Dead),
        Err(Errno::NOENT) => Ok(InTheWay::Nothing),
        Err(error) => Err(fault("ask who answers on", error.into())),
    }
}

/// Whether this user may write where the socket, or the first directory on the way to it, will be made.
fn can_be_made(path: &Path) -> Result<(), ListenError> {
    let here = Path::new(".");
    let parents = path.ancestors().skip(1).map(|parent| if parent.as_os_str().is_empty() { here } else { parent });
    let existing = parents.into_iter().find(|parent| parent.exists()).unwrap_or(here);
    match access(existing, Access::WRITE_OK | Access::EXEC_OK) {
        Err(Errno::ACCESS | Errno::ROFS) => {
            Err(ListenError::PathPermission { step: "create the socket", path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Connects without waiting: a blocking connect would hang on a full backlog.
fn probe(path: &Path) -> Result<(), Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)
}

/// The group that a socket and what lies beside it are given to. Where there are workers everybody reaches them anyhow, and the
/// package's unit forbids to give files away.
fn reached_by(admins: &Admins) -> Option<u32> {
    admins.group_id().filter(|_| !admins.has_workers())
}

/// Lets the admin group reach it. The daemon's user has to be in that group for this; without it only root and the
/// daemon's own user can connect, which is safe, so it is no error.
fn give_to_admins(path: &Path, group: Option<u32>) {
    let Some(group) = group else { return };
    if let Err(error) = chown(path, None, Some(group)) {
        tracing::warn!(
            "members of {ADMIN_GROUP} cannot use {}: {error}: run the daemon with SupplementaryGroups={ADMIN_GROUP}",
            path.display()
        );
    }
}

/// A socket file that we made, and remove again, unless somebody put another in its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// Says that we live, to workers who cannot reach us.
    _lock: File,
}

impl SocketFile {
    fn at(path: &Path, lock: File) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: found.dev(), inode: found.ino(), _lock: lock })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours {
            // Left behind, it is a dead socket, which the next start replaces.
            let _ = fs::remove_file(&self.path);
        }
    }
}

pub(super) fn listens(socket: &impl std::os::fd::AsFd) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(false)
}

pub(super) fn tokio_tcp(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

pub(super) fn tokio_unix(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}
