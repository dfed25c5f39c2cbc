use super::*;

#[test]
fn no_trick_leads_to_another_route() {
    let target = Target::new(&[]);
    for (path, expected) in [
        ("/metrics/", 404),
        ("/METRICS", 404),
        ("/metrics;x=1", 404),
        ("/metrics.", 404),
        ("/metrics%20", 404),
        ("/metrics%3fx", 404),
        ("/./metrics", 400),
        ("/x/../metrics", 400),
        ("/x/%2e%2e/metrics", 400),
        ("/x/..%2fmetrics", 400),
        ("/x/%252e%252e/metrics", 404),
        ("//metrics", 400),
        ("///metrics", 400),
        ("/%2fmetrics", 400),
        ("/x%5c..%5cmetrics", 400),
        ("/\\metrics", 400),
        ("/metrics%00", 400),
        ("/metrics%0d%0aX-Injected:%20yes", 400),
        ("/metrics%0a", 400),
        ("/metrics%ff", 400),
        ("/%c0%ae%c0%ae/metrics", 400),
        ("/metrics%", 400),
        ("/metrics%4", 400),
        ("/metrics%zz", 400),
        ("metrics", 400),
        ("/static/", 404),
        ("/static/..", 400),
        ("/static/../../../etc/passwd", 400),
        ("/static/..%2f..%2fetc%2fpasswd", 400),
        ("/static/%2e%2e/%2e%2e/etc/passwd", 400),
        ("/static//etc/passwd", 400),
        ("/static/app.css", 404),
        ("/static/app.0000000000000000.css", 404),
        ("/api/users/..%2f..%2fmetrics", 400),
    ] {
        let answer = target.ask("GET", path, &[], "");
        assert_eq!((answer.status(), answer.count()), (expected, 1), "{path}: {answer:?}");
        assert!(!answer.text.to_lowercase().contains("\r\nx-injected"), "{path}: {answer:?}");
        // The refusal is for programs, and not something that a browser would run.
        assert!(
            answer.has("content-type: application/json") || answer.text.contains("content-length: 0"),
            "{answer:?}"
        );
    }
    let spaced = target.raw(format!("GET /metrics x HTTP/1.1\r\nHost: {}\r\n\r\n", target.at));
    assert_eq!(spaced.status(), 400, "{spaced:?}");
}

#[test]
fn long_paths_and_queries_are_refused() {
    let target = Target::new(&[]);
    let long = |length: usize| "x".repeat(length);
    for (path, expected) in [
        (format!("/{}", long(2047)), 404),
        (format!("/{}", long(2048)), 414),
        (format!("/metrics?{}", long(8 << 10)), 200),
        (format!("/metrics?{}", long((8 << 10) + 1)), 414),
        (format!("/metrics?{}", vec!["a=1"; 128].join("&")), 200),
        (format!("/metrics?{}", vec!["a=1"; 129].join("&")), 400),
        ("/metrics?q=%00".to_owned(), 400),
        ("/metrics?q=%ff".to_owned(), 400),
        ("/metrics?q=100%".to_owned(), 400),
        ("/metrics?q=%0d%0aX-Injected:%20yes".to_owned(), 200),
    ] {
        let answer = target.ask("GET", &path, &[], "");
        let shown: String = path.chars().take(40).collect();
        assert_eq!(answer.status(), expected, "{shown}, {} bytes: {:?}", path.len(), answer.detail());
        assert!(!answer.text.to_lowercase().contains("\r\nx-injected"), "{shown}: {answer:?}");
    }
    // Whatever hyper lets through and whatever it does not, there is an answer and an end.
    for length in [20 << 10, 100 << 10, 1 << 20] {
        let answer = target.ask("GET", &format!("/{}", long(length)), &[], "");
        assert!(matches!(answer.status(), 0 | 414 | 431), "{length}: {answer:?}");
    }
    target.answers();
}
