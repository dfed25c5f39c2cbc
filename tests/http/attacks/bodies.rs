use std::time::Instant;

use super::*;

#[test]
fn large_heads_and_bodies_are_refused() {
    let target = Target::new(&[]);
    let host = target.at;
    let lines = |count: usize| (0..count).map(|n| format!("X{n}: y\r\n")).collect::<String>();
    let get = |headers: String| format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    for (request, expected) in [
        (get(lines(62)), 200),
        (get(lines(63)), 431),
        (get(lines(10_000)), 431),
        (get(format!("X: {}\r\n", "y".repeat(15 << 10))), 200),
        (get(format!("X: {}\r\n", "y".repeat(17 << 10))), 431),
        (get(format!("{}: y\r\n", "x".repeat(100 << 10))), 431),
    ] {
        let answer = target.raw(&request);
        // A head that is cut off in the middle may be answered by a reset before the answer is read.
        assert!(answer.status() == expected || (request.len() > (64 << 10) && answer.status() == 0), "{answer:?}");
    }
    let declared = format!("POST /csp-report HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", u64::MAX >> 1);
    assert_eq!(target.raw(declared).status(), 413);
    target.answers();
}

/// A refusal that is lost in a reset connection leaves its reader guessing.
#[test]
fn who_is_refused_learns_why_although_nobody_reads_the_body() {
    let target = Target::new(&[]);
    let body = "x".repeat(3 << 20);
    for _ in 0..5 {
        for (path, headers, expected) in [
            ("/api/health/checks", &[][..], 401),
            ("/csp-report", &[], 413),
            ("/nothing", &[], 404),
            ("/metrics", &[], 405),
            ("/csp-report", &[("Origin", "http://evil.example")], 403),
            ("/csp-report", &[("Host", "evil.example")], 421),
        ] {
            let mut stream = target.connect();
            stream.write_all(target.request("POST", path, headers, &body).as_bytes()).unwrap();
            let answer = read(&mut stream);
            assert_eq!(answer.status(), expected, "{path} {headers:?}: {answer:?}");
        }
    }
}

#[test]
fn an_endless_body_is_cut_off() {
    let target = Target::new(&[]);
    let mut stream = target.connect();
    write!(stream, "POST /csp-report HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n", target.at).unwrap();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
    let deadline = Instant::now() + DEADLINE;
    let mut written = 0u64;
    // Until the server closes; it read a few kilobytes of it.
    while stream.write_all(chunk.as_bytes()).is_ok() {
        written += 4096;
        assert!(Instant::now() < deadline, "{written} bytes were taken");
    }
    target.answers();
}

/// The limits of the real binary: ten seconds for a head and for a body. All at once, so that the test takes them once.
#[test]
fn who_is_slow_is_closed() {
    let target = Target::new(&[]);
    let host = target.at;
    let starts = [
        ("silence", String::new(), 0),
        ("a line without end", "GET /metrics HTTP/1.1".to_owned(), 0),
        ("a head without end", format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nX: "), 0),
        (
            "a body that does not come",
            format!("POST /csp-report HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n{{"),
            408,
        ),
        (
            "a chunk that does not come",
            format!("POST /csp-report HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
            408,
        ),
        ("an idle connection", format!("GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n"), 404),
    ];
    let slow: Vec<_> = starts
        .into_iter()
        .map(|(what, start, expected)| {
            let mut stream = target.connect();
            stream.write_all(start.as_bytes()).unwrap();
            (what, stream, expected)
        })
        .collect();
    for (what, mut stream, expected) in slow {
        let answer = read(&mut stream);
        assert!(answer.status() == expected || (expected == 0 && answer.status() == 408), "{what}: {answer:?}");
    }
    // One that sends a byte now and then has no more time than one that sends none.
    let mut stream = target.connect();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nX: ").unwrap();
    let deadline = Instant::now() + DEADLINE;
    stream.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
    while stream.write_all(b"y").is_ok() {
        let closed = matches!(stream.read(&mut [0; 512]), Ok(0)) || stream.take_error().unwrap().is_some();
        if closed {
            break;
        }
        assert!(Instant::now() < deadline, "a head that trickles in is waited for");
    }
    target.answers();
}

#[test]
fn deep_json_is_refused_before_it_is_parsed() {
    let target = Target::new(&[]);
    let token = format!("Bearer {}", target.token("admin"));
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let object = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    for body in [deep(65), deep(100_000), deep(500_000), object, "[".repeat(900_000), "{\"name\":".repeat(100_000)] {
        let answer = target.ask("POST", "/api/users", &[("Authorization", &token)], &body);
        let told = answer.detail()[0]["msg"].as_str().unwrap_or_default().to_owned();
        assert_eq!((answer.status(), told.as_str()), (422, "the JSON nests deeper than 64"), "{answer:?}");
    }
    for body in [deep(64), "\"".to_owned() + &"[".repeat(1000) + "\""] {
        let answer = target.ask("POST", "/api/users", &[("Authorization", &token)], &body);
        assert_eq!(answer.status(), 422, "{answer:?}");
        assert!(!answer.text.contains("nests deeper"), "{answer:?}");
    }
    target.answers();
}
