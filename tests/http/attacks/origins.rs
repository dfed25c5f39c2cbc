use super::*;

#[test]
fn only_our_own_pages_change_anything_also_with_a_token() {
    let target = Target::new(&[]);
    let token = format!("Bearer {}", target.token("viewer"));
    let (own, port) = (format!("http://{}", target.at), target.at.port());
    let (by_name, tls) = (format!("http://localhost:{port}"), format!("https://{}", target.at));
    let table: [(&[(&str, &str)], u16); 17] = [
        (&[], 200),
        (&[("Origin", &own)], 200),
        (&[("Sec-Fetch-Site", "same-origin")], 200),
        (&[("Sec-Fetch-Site", "same-origin"), ("Origin", &own)], 200),
        (&[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")], 200),
        (&[("Origin", "http://evil.example")], 403),
        (&[("Origin", "null")], 403),
        (&[("Origin", "")], 403),
        (&[("Origin", &by_name)], 403),
        (&[("Origin", &tls)], 403),
        (&[("Origin", "http://127.0.0.1")], 403),
        (&[("Origin", &own), ("Origin", "http://evil.example")], 400),
        (&[("Sec-Fetch-Site", "cross-site"), ("Origin", &own)], 403),
        (&[("Sec-Fetch-Site", "same-site")], 403),
        (&[("Sec-Fetch-Site", "none")], 403),
        (&[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "same-origin")], 400),
        // A cookie comes along by itself, so it takes a word about the page.
        (&[("Cookie", "theme=dark")], 403),
    ];
    for (headers, expected) in table {
        let with_token = [headers, &[("Authorization", token.as_str())]].concat();
        let answer = target.ask("POST", "/api/health/checks", &with_token, "");
        assert_eq!(answer.status(), expected, "{headers:?}: {answer:?}");
        // Who may not is refused whatever the page says; a page of somebody else's first of all.
        let answer = target.ask("POST", "/api/health/checks", headers, "");
        assert_eq!(answer.status(), if expected == 200 { 401 } else { expected }, "without a token {headers:?}");
        // Looking changes nothing, and is let through from everywhere, to who may.
        let answer = target.ask("GET", "/metrics", &headers[..headers.len().min(1)], "");
        assert_eq!(answer.status(), 200, "{headers:?}: {answer:?}");
    }
    for (method, expected) in [("PUT", 403), ("DELETE", 403), ("PATCH", 403), ("STRANGE", 403), ("OPTIONS", 405)] {
        let answer = target.ask(method, "/api/users/x", &[("Origin", "http://evil.example")], "");
        assert_eq!(answer.status(), expected, "{method}: {answer:?}");
        assert!(!answer.text.to_lowercase().contains("access-control-"), "no other site is let in: {answer:?}");
    }
    let record = target.refused("access.origin");
    assert!(record["times"].as_u64() >= Some(1), "{record}");
    // Nothing of the token is told to anybody.
    let secret = token.split_at("Bearer qclm_xxxxxxx".len()).1;
    assert!(!target.daemon.log().contains(secret), "the token is in the log");
    assert!(!target.daemon.get("/api/audit?limit=1000").unwrap().contains(secret), "the token is in the audit log");
}

#[test]
fn behind_tls_the_page_has_to_be_https() {
    let trusted = "http.trusted_proxies = [\"127.0.0.1\"]";
    let target = Target::new(&["http.hosts = [\"quantum.example\"]", trusted]);
    let token = format!("Bearer {}", target.token("viewer"));
    for (scheme, origin, expected) in [
        ("https", "https://quantum.example", 200),
        ("https", "https://quantum.example:443", 200),
        ("https", "http://quantum.example", 403),
        ("http", "https://quantum.example", 403),
        ("http", "http://quantum.example", 200),
        ("https", "https://evil.example", 403),
    ] {
        let headers = [
            ("Host", "quantum.example"),
            ("X-Forwarded-Proto", scheme),
            ("Origin", origin),
            ("Authorization", token.as_str()),
        ];
        let answer = target.ask("POST", "/api/health/checks", &headers, "");
        assert_eq!(answer.status(), expected, "{scheme} {origin}: {answer:?}");
    }
}
