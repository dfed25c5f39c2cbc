use super::*;

/// As chromium sends it.
const REPORT: &str = r#"{"csp-report": {"document-uri": "http://x/events", "referrer": "", "violated-directive": "script-src-elem",
    "effective-directive": "script-src-elem", "original-policy": "default-src 'self'", "disposition": "enforce",
    "blocked-uri": "inline", "line-number": 1, "source-file": "http://x/events", "status-code": 200}}"#;

#[test]
fn reports_are_counted_and_logged_once_a_minute() {
    let target = Target::new(&[]);
    let evil = REPORT.replace("inline", &format!("\\u001b[31m\\n<3>forged {}", "x".repeat(4000)));
    for body in [REPORT, REPORT, &evil] {
        let answer = target.ask("POST", "/csp-report", &[("Sec-Fetch-Site", "same-origin")], body);
        assert_eq!(answer.status(), 204, "{answer:?}");
    }
    assert_eq!(target.daemon.metric("quantum_clm_csp_reports_total"), Some(3));
    let log = target.daemon.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("broke its policy")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("script-src-elem") && lines[0].contains("http://x/events"), "{log}");
    for (body, headers, expected) in [
        ("{}", &[][..], 422),
        ("nonsense", &[], 422),
        (REPORT, &[("Sec-Fetch-Site", "cross-site")], 403),
        (&"x".repeat((8 << 10) + 1), &[], 413),
    ] {
        let answer = target.ask("POST", "/csp-report", headers, body);
        assert_eq!(answer.status(), expected, "{answer:?}");
    }
    assert_eq!(target.daemon.metric("quantum_clm_csp_reports_total"), Some(3), "what is no report was counted");
}

#[test]
fn a_report_cannot_forge_log_lines() {
    let target = Target::new(&[]);
    let evil = REPORT.replace("inline", "\\u001b[31m\\r\\n<3>forged\\u0000");
    assert_eq!(target.ask("POST", "/csp-report", &[], &evil).status(), 204);
    let log = target.daemon.log();
    let line = log.lines().find(|line| line.contains("broke its policy")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("forged") && !log.contains(['\u{1b}', '\0']), "{log:?}");
}

#[test]
fn every_answer_says_what_browsers_may_do_with_it() {
    let target = Target::new(&[]);
    let static_file = quantum_clm::http::assets::url("app.css");
    for (path, expected) in [("/health", 200), ("/nothing", 404), ("/api/status", 401), ("//", 400), (static_file, 200)]
    {
        let answer = target.ask("GET", path, &[], "");
        assert_eq!(answer.status(), expected, "{path}: {answer:?}");
        for header in [
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "content-security-policy: default-src 'none'; frame-ancestors 'none'",
        ] {
            assert!(answer.has(header), "{path}: {header} is not in {answer:?}");
        }
        let kept = answer.has("cache-control: public, max-age=31536000, immutable");
        assert_eq!(
            (kept, answer.has("cache-control: no-store")),
            (path == static_file, path != static_file),
            "{answer:?}"
        );
        assert!(!answer.text.contains("strict-transport-security"), "over plain http: {answer:?}");
    }
    assert!(target.ask("GET", static_file, &[], "").has("content-type: text/css; charset=utf-8"));
}

#[test]
fn pages_load_and_run_only_what_is_ours() {
    let target = Target::new(&[]);
    let page = target.ask("GET", "/sign-in", &[("Accept", "text/html")], "");
    assert_eq!(page.status(), 200, "{page:?}");
    let refused = target.ask("GET", "/sign-in", &[("Accept", "text/html"), ("Host", "evil.example")], "");
    assert_eq!(refused.status(), 421, "{refused:?}");
    for answer in [page, refused] {
        assert!(answer.has("content-type: text/html; charset=utf-8"), "{answer:?}");
        assert!(
            answer.has(
                "content-security-policy: default-src 'self'; base-uri 'none'; form-action 'self'; \
                 frame-ancestors 'none'; object-src 'none'; report-uri /csp-report"
            ),
            "{answer:?}"
        );
        let (_, html) = answer.text.split_once("\r\n\r\n").unwrap();
        for inline in ["<style", "style=", "<script>", "onclick=", "onload=", "javascript:"] {
            assert!(!html.to_lowercase().contains(inline), "{inline} is in {html}");
        }
    }
}
