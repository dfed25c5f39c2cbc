use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::*;
use quantum_clm::http::listen::{ListenError, Listeners};

fn try_bind(listen: &str, socket: &Path) -> Result<Listeners, ListenError> {
    let http = config::Http { listen: listen.into(), socket: socket.to_owned(), ..config::Http::default() };
    bind(&http, Passed::default(), &Admins::from_files("/nowhere", "/nowhere"))
}

fn refused(listen: &str, socket: &Path) -> String {
    let error = try_bind(listen, socket).expect_err("it was bound").to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

#[tokio::test]
async fn a_port_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    assert_eq!(
        refused(&address, &dir.path().join("s")),
        format!("{address} is in use by another program: stop it or set http.listen")
    );
    assert!(!dir.path().join("s").exists(), "nothing is to be changed before an error");
}

#[tokio::test]
async fn addresses_that_cannot_be_bound() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    for listen in ["localhost:8000", "8000", "127.0.0.1", "nonsense"] {
        let error = refused(listen, &socket);
        assert!(error.contains(listen) && error.contains("127.0.0.1:8000"), "{error}");
    }
    assert!(refused("192.0.2.1:0", &socket).contains("no interface of this machine"));
}

#[tokio::test]
async fn without_an_address_there_is_no_tcp() {
    let dir = tempfile::tempdir().unwrap();
    let listeners = try_bind("", &dir.path().join("s")).unwrap();
    assert!(listeners.tcp_addresses().is_empty());
    assert_eq!(listeners.unix_path(), Some(dir.path().join("s")));
}

#[tokio::test]
async fn the_socket_has_its_mode_and_goes_on_a_clean_stop() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("made/run/api.sock");
    let listeners = try_bind("127.0.0.1:0", &socket).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket), 0o660);
    assert_eq!(mode(socket.parent().unwrap()) & 0o027, 0, "not open to others");
    let described = format!("{} and {}", listeners.tcp_addresses()[0], socket.display());
    assert_eq!(listeners.describe(), described);
    drop(listeners);
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_dead_socket_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    // Closing a listener leaves its file, as a crash does.
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let listeners = try_bind("", &socket).unwrap();
    std::os::unix::net::UnixStream::connect(&socket).expect("the new one answers");
    drop(listeners);
}

#[tokio::test]
async fn a_socket_that_somebody_answers_on_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let _other = UnixListener::bind(&socket).unwrap();
    let expected = format!("another daemon answers on {}: stop it or set http.socket", socket.display());
    assert_eq!(refused("", &socket), expected);
    // Also when its queue is full, where a connect that waits would hang.
    let mut queue = Vec::new();
    while let Ok(stream) = {
        let stream = rustix::net::socket_with(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::NONBLOCK,
            None,
        )
        .unwrap();
        rustix::net::connect(&stream, &rustix::net::SocketAddrUnix::new(&socket).unwrap()).map(|()| stream)
    } {
        queue.push(stream);
    }
    assert_eq!(refused("", &socket), expected);
    assert!(socket.exists());
}

#[tokio::test]
async fn a_socket_that_a_killed_daemon_left_to_a_child_for_a_moment_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let heir = UnixListener::bind(&socket).unwrap();
    // Lives until somebody has found it.
    let found = std::thread::spawn(move || heir.accept().is_ok());
    let listeners = try_bind("", &socket).unwrap();
    assert!(found.join().unwrap() && listeners.unix_path().is_some());
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("precious");
    std::fs::write(&file, "data").unwrap();
    assert!(refused("", &file).contains("is no socket: move it away"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(refused("", &link).contains("is no socket"));
    let below_a_file = file.join("s");
    assert!(refused("", &below_a_file).contains("set http.socket"));
    let long = dir.path().join("x".repeat(120));
    assert!(refused("", &long).contains("longer than"));
}

#[tokio::test]
async fn somebody_elses_socket_in_our_place_stays() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listeners = try_bind("", &socket).unwrap();
    std::fs::rename(&socket, dir.path().join("moved")).unwrap();
    let _other = UnixListener::bind(&socket).unwrap();
    drop(listeners);
    assert!(socket.exists());
}

/// Runs `child_with_passed_sockets` with `socket` as the first socket that systemd would pass; what it printed.
fn pass(socket: std::os::fd::OwnedFd) -> String {
    let script = r#"exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=main exec "$0" --exact --nocapture http::listen::child_with_passed_sockets"#;
    let child = std::process::Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(std::env::current_exe().unwrap())
        .stdin(socket)
        .output()
        .unwrap();
    let printed = String::from_utf8(child.stdout).unwrap();
    let line = printed.lines().find_map(|line| line.strip_prefix("RESULT ")).unwrap_or_else(|| panic!("{printed}"));
    line.to_owned()
}

#[test]
fn sockets_passed_by_systemd_are_used_instead() {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    assert_eq!(pass(tcp.into()), format!("tcp [{address}] env None"));
    let dir = tempfile::tempdir().unwrap();
    let unix = UnixListener::bind(dir.path().join("s")).unwrap();
    let path = dir.path().join("s");
    assert_eq!(pass(unix.into()), format!("unix Some({path:?}) env None"));
    assert!(path.exists(), "the socket of a .socket unit is systemd's to remove");
    let file = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(
        pass(file.into()),
        "the socket \"main\" passed by systemd is no listening TCP or unix stream socket: see its .socket unit"
    );
    let connected = std::os::unix::net::UnixStream::pair().unwrap().0;
    assert!(pass(connected.into()).contains("no listening"));
}

/// In a process of its own it is the child of `sockets_passed_by_systemd_are_used_instead`; by itself, without a passed
/// socket, it must bind its own.
#[tokio::test]
async fn child_with_passed_sockets() {
    let passed = std::env::var_os("LISTEN_FDS").is_some();
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("own");
    let http = config::Http { listen: String::new(), socket: socket.clone(), ..config::Http::default() };
    let bound = bind(&http, Passed::from_env(), &Admins::default());
    let env = std::env::var_os("LISTEN_FDS");
    match bound {
        Err(error) => println!("\nRESULT {error}"),
        Ok(bound) if bound.unix_path().as_ref() == Some(&socket) => {
            println!("\nRESULT tcp {:?} env {env:?}", bound.tcp_addresses());
            assert!(passed || socket.exists(), "without a passed socket it makes its own");
        }
        Ok(bound) => {
            println!("\nRESULT unix {:?} env {env:?}", bound.unix_path());
            assert!(passed, "nothing was passed, and yet it did not make its own socket");
        }
    }
}
