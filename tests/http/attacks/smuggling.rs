use super::*;

/// A second request, hidden in what a proxy might take for the first one's body.
const HIDDEN: &str = "GET /metrics HTTP/1.1\r\nHost: HOST\r\n\r\n";

/// Requests of which a proxy and we might see different ends. However they are answered, nothing behind them is taken for
/// a request.
#[test]
fn what_hides_in_a_body_is_never_a_request() {
    let target = Target::new(&[]);
    let host = target.at.to_string();
    for (framing, body) in [
        ("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 6\r\nContent-Length: 7\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: xchunked\r\n", ""),
        ("Transfer-Encoding: identity\r\n", ""),
        ("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0\n\n"),
        ("Transfer-Encoding: chunked\r\n", "0;a\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "-0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "g\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "10000000000000001\r\na\r\n0\r\n\r\n"),
        ("Content-Length: 5\r\nContent-Length: 0\r\n", ""),
        ("Content-Length: 0, 5\r\n", ""),
        ("Content-Length: +0\r\n", ""),
        ("Content-Length: -1\r\n", ""),
        ("Content-Length: 0x0\r\n", ""),
        ("Content-Length: \r\n", ""),
        ("Content-Length: 18446744073709551616\r\n", ""),
        ("Content-Length : 0\r\n", ""),
        ("X: a\r\n folded: b\r\n", ""),
        ("X: a\rContent-Length: 0\r\n", ""),
        ("X: a\0\r\n", ""),
        ("X\r\n", ""),
        (": x\r\n", ""),
    ] {
        let hidden = HIDDEN.replace("HOST", &host);
        // Somebody without a credential, who is refused unread, and a route that reads from everybody.
        for path in ["/api/health/checks", "/csp-report"] {
            let request = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n{body}{hidden}");
            let answer = target.raw(&request);
            assert_eq!(answer.count(), 1, "{path} {framing:?} {body:?}: {answer:?}");
            assert!((400..500).contains(&answer.status()), "{path} {framing:?} {body:?}: {answer:?}");
            assert!(!answer.text.contains("quantum_clm_commits"), "{path} {framing:?} {body:?}: {answer:?}");
        }
        let answer = target.raw(format!("POST /csp-report HTTP/1.0\r\nHost: {host}\r\n{framing}\r\n{body}{hidden}"));
        assert_eq!(answer.count(), 1, "HTTP/1.0 {framing:?} {body:?}: {answer:?}");
    }
    target.answers();
}

#[test]
fn a_body_belongs_to_its_request_also_when_nobody_reads_it() {
    let target = Target::new(&[]);
    let host = target.at;
    let hidden = HIDDEN.replace("HOST", &host.to_string());
    let last = format!("GET /last HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    // Refused, unexpected: the body is never taken for the next request, and what comes behind it is.
    for (line, expected) in [
        ("POST /api/health/checks", 401),
        ("POST /nothing", 404),
        ("DELETE /metrics", 405),
        ("GET /metrics", 200),
        ("GET //metrics", 400),
    ] {
        let framing = format!("Content-Length: {}\r\n\r\n", hidden.len());
        let answer = target.raw(format!("{line} HTTP/1.1\r\nHost: {host}\r\n{framing}{hidden}{last}"));
        let statuses = answer.statuses();
        assert!(statuses == [expected] || statuses == [expected, 404], "{line}: {answer:?}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let target = Target::new(&[]);
    let host = target.at;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let last = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = target.raw([get("/metrics"), get("/nothing"), get("/api/status"), last].concat());
    assert_eq!(answer.statuses(), [200, 404, 401, 200], "{answer:?}");
    // After one that is malformed nothing is read.
    let answer = target.raw([get("/metrics"), get("//"), get("/metrics")].concat());
    assert_eq!(answer.count(), 2, "{answer:?}");
}
