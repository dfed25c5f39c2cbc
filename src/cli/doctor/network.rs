use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};

use super::daemon::Answering;
use super::{Check, Verdict};
use crate::config;
use crate::mirror::probe;

/// How long whoever holds our port may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(3);

/// How much of an answer tells who it is.
const ANSWER_BYTES: u64 = 64 << 10;

pub(super) fn redis(config: &config::Redis) -> anyhow::Result<Check> {
    const NAME: &str = "redis";
    if config.mirror == config::MirrorMode::Off {
        return Ok(Check::ok(NAME, "not asked: redis.mirror is \"off\""));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(match runtime.block_on(probe(config)) {
        Ok(None) => Check::ok(NAME, "not asked: redis.url is empty"),
        Ok(Some(seen)) if seen.replica => Check::fail(
            NAME,
            format!("Redis at {} is a replica, which takes no writes", seen.at),
            "set redis.url to the primary, or REPLICAOF NO ONE",
        ),
        Ok(Some(seen)) => {
            let version = seen.version.map(|version| format!("Redis {version}")).unwrap_or_else(|| "Redis".into());
            Check::ok(NAME, format!("{version} answers at {}", seen.at))
        }
        Err(trouble) => Check::fail(NAME, trouble.summary, trouble.remedy),
    })
}

/// The unix socket: ours, or free to be made.
pub(super) fn socket(http: &config::Http, answering: &Answering) -> Check {
    const NAME: &str = "socket";
    let (path, shown) = (&http.socket, http.socket.display());
    if answering.is_there() {
        return Check::ok(NAME, format!("the daemon answers at {shown}"));
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            Check::fail(NAME, format!("{shown} is there and is no socket"), "move it away, or set http.socket")
        }
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Check::ok(NAME, format!("{shown} was left behind by a daemon that is gone: the next start replaces it"))
            }
            Ok(_) => Check::fail(NAME, format!("somebody else answers at {shown}"), "stop it, or set http.socket"),
            Err(error) => Check::fail(NAME, format!("{shown}: {error}"), "become root or a member of quantum-admin"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => directory(path),
        Err(error) => Check::fail(NAME, format!("{shown}: {error}"), "set http.socket"),
    }
}

/// Where the socket will be made. The start also makes its directory.
fn directory(path: &Path) -> Check {
    const NAME: &str = "socket";
    let shown = path.display();
    let existing = path.ancestors().skip(1).find(|directory| directory.is_dir()).unwrap_or(Path::new("."));
    if access(existing, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let what = format!("this user cannot make {shown}");
        return Check::warn(
            NAME,
            what,
            "nothing where systemd makes the directory (RuntimeDirectory=); else set http.socket",
        );
    }
    Check::ok(NAME, format!("{shown} can be made"))
}

/// The TCP address: free, or ours; and who is let in by it.
pub(super) fn listen(http: &config::Http, answering: &Answering) -> Check {
    let Some(address) = http.address() else {
        return Check::ok("listen", "http.listen is empty: no port is used");
    };
    let check = port(address, answering);
    let names = if check.state == Verdict::Ok { nobody_by_name(http, address) } else { None };
    names.unwrap_or(check)
}

fn port(address: SocketAddr, answering: &Answering) -> Check {
    const NAME: &str = "listen";
    match TcpListener::bind(address) {
        Ok(_) if answering.is_there() => {
            let what = format!("{address} is free, although the daemon runs");
            Check::warn(NAME, what, "restart the daemon: it runs with another http.listen")
        }
        Ok(_) => Check::ok(NAME, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => match (is_ours(address), answering.is_there()) {
            (true, true) => Check::ok(NAME, format!("the daemon answers at {address}")),
            (true, false) => Check::fail(
                NAME,
                format!("another quantum-clm answers at {address}, which does not have this socket"),
                "stop it, or set http.listen",
            ),
            (false, _) => Check::fail(
                NAME,
                format!("{address} is in use by another program"),
                format!("find it with ss -ltnp 'sport = :{}' and stop it, or set http.listen", address.port()),
            ),
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Check::fail(NAME, format!("no permission to listen on {address}"), "set http.listen to a port above 1023")
        }
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Check::fail(
            NAME,
            format!("no interface of this machine has the address of {address}"),
            "set http.listen to one that it has (ip -brief address)",
        ),
        Err(error) => Check::fail(NAME, format!("{address}: {error}"), "set http.listen"),
    }
}

/// Listening for others and known under no name: they are answered at the bare address only, and over plain http no browser
/// keeps a sign-in.
fn nobody_by_name(http: &config::Http, address: SocketAddr) -> Option<Check> {
    let loopback = address.ip().to_canonical().is_loopback();
    (!loopback && http.hosts.is_empty() && http.trusted_proxies.is_empty()).then(|| {
        Check::warn(
            "listen",
            format!("{address} is open to others, under no name and without TLS: their browsers keep no sign-in"),
            "put a TLS proxy before http.listen = \"127.0.0.1:8000\" and set http.hosts and http.trusted_proxies \
             (README, Behind a proxy)",
        )
    })
}

/// Whether a quantum-clm answers there. `GET /health` needs no credential.
fn is_ours(address: SocketAddr) -> bool {
    let ask = || -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let host = stream.peer_addr()?;
        stream.write_all(format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().is_ok_and(|answer| answer.contains("\"service\":\"quantum-clm\""))
}
