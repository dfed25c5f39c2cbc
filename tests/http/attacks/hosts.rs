use super::*;

const HOSTS: &str = "http.hosts = [\"quantum.example\", \"box.lan:8000\"]";

#[test]
fn only_hosts_of_ours_are_answered() {
    let target = Target::new(&[HOSTS]);
    let port = target.at.port();
    let table = [
        (format!("localhost:{port}"), 200),
        (format!("LocalHost.:{port}"), 200),
        (format!("127.0.0.1:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        ("quantum.example".to_owned(), 200),
        ("Quantum.Example.:80".to_owned(), 200),
        ("box.lan:8000".to_owned(), 200),
        ("localhost".to_owned(), 421),
        (format!("localhost:{}", port ^ 1), 421),
        ("quantum.example:8000".to_owned(), 421),
        ("box.lan".to_owned(), 421),
        ("evil.example".to_owned(), 421),
        // A name of somebody's that points here.
        (format!("rebound.evil.example:{port}"), 421),
        (format!("localhost.evil.example:{port}"), 421),
        (format!("127.0.0.1.nip.example:{port}"), 421),
        (format!("0.0.0.0:{port}"), 421),
        (format!("2130706433:{port}"), 421),
        (format!("127.1:{port}"), 421),
        (format!("[::ffff:127.0.0.1]:{port}"), 421),
        (format!("evil@localhost:{port}"), 400),
        (format!("localhost:{port}@evil.example"), 400),
        (format!("localhost:{port}, evil.example"), 400),
        (format!("localhost:{port}/evil"), 400),
        (format!("localhost:{port}#evil"), 400),
        (format!("local%68ost:{port}"), 400),
        (format!("localhost:0{port}"), 400),
        ("localhost:".to_owned(), 400),
        ("::1".to_owned(), 400),
        (String::new(), 400),
        ("\u{ff4c}ocalhost".to_owned(), 400),
    ];
    for (host, expected) in table {
        for path in ["/metrics", "/nothing", "/api/status"] {
            let answer = target.ask("GET", path, &[("Host", &host)], "");
            let expected = match (expected, path) {
                (200, "/nothing") => 404,
                (200, "/api/status") => 401,
                (expected, _) => expected,
            };
            assert_eq!(answer.status(), expected, "{host:?} {path}: {answer:?}");
        }
    }
    let record = target.refused("access.host");
    assert_eq!((&record["by"], &record["address"]), (&"anonymous".into(), &"127.0.0.1".into()), "{record}");
}

#[test]
fn one_host_exactly_and_the_same_everywhere() {
    let target = Target::new(&[HOSTS]);
    let host = target.at;
    for (request, expected) in [
        ("GET /metrics HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /metrics HTTP/1.0\r\n\r\n".to_owned(), 400),
        (format!("GET /metrics HTTP/1.0\r\nHost: {host}\r\n\r\n"), 200),
        (format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"), 400),
        (format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n"), 400),
        (format!("GET /metrics HTTP/1.1\r\nHost : {host}\r\n\r\n"), 400),
        (format!("GET /metrics HTTP/1.1\r\n Host: {host}\r\n\r\n"), 400),
        (format!("GET /metrics HTTP/1.1\r\nX-Forwarded-Host: {host}\r\nHost: evil.example\r\n\r\n"), 421),
        (format!("GET /metrics HTTP/1.1\r\nHost: evil.example\r\nForwarded: host={host}\r\n\r\n"), 421),
        (format!("GET http://{host}/metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"), 200),
        (format!("GET http://evil.example/metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        (format!("GET http://{host}/metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 400),
        (format!("GET http://evil@{host}/metrics HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        ("GET http://evil.example/metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 421),
        (format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
        (format!("OPTIONS * HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400),
    ] {
        let answer = target.raw(&request);
        assert_eq!((answer.status(), answer.count()), (expected, 1), "{request:?}: {answer:?}");
    }
    // Over the unix socket any name will do, but it has to be one name.
    for (request, expected) in [
        ("GET /metrics HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n", 200),
        ("GET /metrics HTTP/1.1\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /metrics HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    ] {
        let answer = target.over_the_socket(request);
        assert_eq!(answer.status(), expected, "over the socket {request:?}: {answer:?}");
    }
}

#[test]
fn only_a_trusted_proxy_is_believed() {
    let target = Target::new(&[HOSTS, "http.trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]"]);
    let https: (&str, &str) = ("X-Forwarded-Proto", "https");
    let ask = |headers: &[(&str, &str)]| target.ask("GET", "/metrics", headers, "");
    let own = target.at.to_string();
    for (headers, expected) in [
        (vec![("Host", "quantum.example"), https], 200),
        (vec![("Host", "quantum.example:443"), https], 200),
        (vec![("Host", "quantum.example:443")], 421),
        (vec![("Host", "quantum.example"), ("X-Forwarded-Proto", "gopher")], 400),
        // Neither replaces the other: both have to be ours.
        (vec![("Host", "evil.example"), ("X-Forwarded-Host", "quantum.example"), https], 421),
        (vec![("Host", own.as_str()), ("X-Forwarded-Host", "evil.example"), https], 421),
        (vec![("Host", own.as_str()), ("X-Forwarded-Host", "evil.example, quantum.example"), https], 200),
        (vec![("Host", own.as_str()), ("X-Forwarded-Host", "quantum.example, evil.example"), https], 421),
    ] {
        let answer = ask(&headers);
        assert_eq!(answer.status(), expected, "{headers:?}: {answer:?}");
        assert_eq!(answer.has("strict-transport-security: max-age=31536000"), headers.contains(&https), "{answer:?}");
    }
    // What a client behind the proxy does is told under the client's address, whatever it says itself.
    ask(&[("Host", "evil.example"), ("X-Forwarded-For", "198.51.100.1, 203.0.113.9, 10.1.2.3")]);
    let told = || target.daemon.get("/api/audit?action=access.host").filter(|page| page.contains("203.0.113.9"));
    crate::support::wait_for_some(told, || "the client's address in the audit log".to_owned());
    let direct = Target::new(&[HOSTS]);
    direct.ask("GET", "/metrics", &[("Host", "evil.example"), ("X-Forwarded-For", "203.0.113.9")], "");
    assert_eq!(direct.refused("access.host")["address"], "127.0.0.1");
    let answer = direct.ask("GET", "/metrics", &[("Host", "quantum.example"), https], "");
    assert!(answer.status() == 200 && !answer.text.contains("strict-transport-security"), "{answer:?}");
}
