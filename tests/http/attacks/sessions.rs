use std::sync::Arc;

use quantum_clm::app::accounts::Accounts;
use quantum_clm::config::Auth;
use quantum_clm::domain::access::Actor;
use quantum_clm::domain::account::SecretText;
use quantum_clm::domain::role::Role;
use quantum_clm::store::Store;

use super::*;

/// Somebody's session: its cookie's value and what its forms carry.
struct Session {
    secret: String,
    csrf: String,
}

/// A daemon with the admin `ada`, who has signed in twice.
fn target() -> (Target, [Session; 2]) {
    let mut sessions = None;
    let target = Target::prepared(&[], |bed| {
        let accounts = Accounts::new(Arc::new(Store::open(bed.data_file()).unwrap()), Auth::default());
        let actor = Actor::local("root");
        accounts.add_user(&actor, "ada".parse().unwrap(), Role::Admin, PASSWORD.into()).unwrap();
        sessions = Some([(); 2].map(|()| {
            let secret = accounts.sign_in("ada", PASSWORD, "127.0.0.1", "a test").unwrap().secret;
            let csrf = accounts.session(secret.expose()).unwrap().unwrap().csrf;
            Session { secret: secret.expose().to_owned(), csrf }
        }));
    });
    (target, sessions.unwrap())
}

fn cookie(secret: &str) -> String {
    format!("__Host-quantum-clm={secret}")
}

/// What a case does, its headers, its body, and the status that it gets.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, u16);

const PASSWORD: &str = "correct horse battery";

const CHANGE: (&str, &str) = ("POST", "/api/health/checks");

#[test]
fn nobody_can_choose_a_session_for_somebody_else() {
    let (target, [ours, _]) = target();
    let planted = SecretText::of([7; 32]);
    // A cookie that we never gave out is nobody's, and is not taken over by whoever comes with it.
    for value in [planted.expose(), "", "x", "../../x", "%00", "\u{ff}", &"x".repeat(4000)] {
        for _ in 0..2 {
            let answer = target.ask("GET", "/api/me", &[("Cookie", &cookie(value))], "");
            assert_eq!(answer.status(), 401, "{value:?}: {answer:?}");
            assert!(!answer.text.to_lowercase().contains("set-cookie"), "{value:?}: {answer:?}");
        }
    }
    // One that a neighbour planted beside ours: which of them counts must not be the neighbour's choice.
    let own = cookie(&ours.secret);
    for (headers, expected) in [
        (vec![("Cookie", own.clone())], 200),
        (vec![("Cookie", format!("{}; {own}", cookie(planted.expose())))], 400),
        (vec![("Cookie", format!("{own}; {}", cookie(planted.expose())))], 400),
        (vec![("Cookie", own.clone()), ("Cookie", cookie(planted.expose()))], 400),
        // Without the prefix, which is what keeps neighbours out.
        (vec![("Cookie", format!("quantum-clm={}", ours.secret))], 401),
        (vec![("Cookie", format!("__host-quantum-clm={}", ours.secret))], 401),
        (vec![("Authorization", format!("Bearer {}", ours.secret))], 401),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = target.ask("GET", "/api/me", &headers, "");
        assert_eq!(answer.status(), expected, "{headers:?}: {answer:?}");
    }
    let answer = target.ask("GET", &format!("/api/me?__Host-quantum-clm={}", ours.secret), &[], "");
    assert_eq!(answer.status(), 401, "a session in the address: {answer:?}");
}

#[test]
fn the_cookie_alone_changes_nothing() {
    let (target, [ours, other]) = target();
    let own = format!("http://{}", target.at);
    let (cookie, old) = (cookie(&ours.secret), cookie(&other.secret));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let (field, foreign) = (format!("csrf={}", ours.csrf), format!("csrf={}", other.csrf));
    let ask = |headers: &[(&str, &str)], body: &str| {
        let headers = [&[("Cookie", cookie.as_str())], headers].concat();
        target.ask(CHANGE.0, CHANGE.1, &headers, body)
    };
    let (origin, site) = (("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin"));
    let (token, stale) = (("X-CSRF-Token", ours.csrf.as_str()), ("X-CSRF-Token", other.csrf.as_str()));
    let table: [Case<'_>; 14] = [
        ("as a script of ours", &[origin, token], "", 200),
        ("as a form of ours", &[site, ("Origin", "null"), form], &field, 200),
        ("without the token", &[origin], "", 403),
        ("with another session's token", &[origin, stale], "", 403),
        ("with another session's field", &[origin, form], &foreign, 403),
        ("with both", &[origin, token, stale], "", 403),
        ("in a field that is there twice", &[origin, form], &format!("{field}&{field}"), 403),
        ("in plain text", &[origin, ("Content-Type", "text/plain")], &field, 403),
        // Whoever got hold of the token still has to be a page of ours.
        ("from nowhere", &[token], "", 403),
        ("from another site", &[token, ("Origin", "http://evil.example")], "", 403),
        ("from another port", &[token, ("Origin", "http://127.0.0.1:1")], "", 403),
        ("from a frame", &[token, ("Origin", "null")], "", 403),
        ("from a subdomain", &[token, ("Sec-Fetch-Site", "same-site")], "", 403),
        ("from a link that was typed", &[token, ("Sec-Fetch-Site", "none")], "", 403),
    ];
    for (what, headers, body, expected) in table {
        let answer = ask(headers, body);
        assert_eq!(answer.status(), expected, "{what}: {answer:?}");
    }
    // What was recorded is of no use once the session has ended.
    let replay = |cookie: &str, csrf: &str| {
        let headers = [("Cookie", cookie), ("X-CSRF-Token", csrf), ("Origin", own.as_str())];
        target.ask(CHANGE.0, CHANGE.1, &headers, "").status()
    };
    assert_eq!(replay(&old, &other.csrf), 200);
    let said = target.bed.run(&["session", "revoke", "2"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(replay(&old, &other.csrf), 401);
    assert_eq!(replay(&cookie, &other.csrf), 403, "the token of a session that has ended");
    assert_eq!(replay(&cookie, &ours.csrf), 200);
    assert!(target.refused("access.csrf")["times"].as_u64() >= Some(1));
}

#[test]
fn signing_in_gives_a_new_session_and_only_to_our_own_form() {
    let (target, [ours, _]) = target();
    let own = format!("http://{}", target.at);
    let planted = cookie(SecretText::of([7; 32]).expose());
    let body = format!("name=ada&password={}", PASSWORD.replace(' ', "+"));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let sign_in = |headers: &[(&str, &str)]| target.ask("POST", "/sign-in", &[headers, &[form]].concat(), &body);
    // Somebody else's page must not sign a browser in, as whomever; nor may what says nothing of its page.
    for headers in [
        &[][..],
        &[("Origin", "http://evil.example")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "none")],
    ] {
        let answer = sign_in(headers);
        assert_eq!(answer.status(), 403, "{headers:?}: {answer:?}");
        assert!(!answer.text.to_lowercase().contains("set-cookie"), "{headers:?}: {answer:?}");
    }
    let cookies = [planted, cookie(&ours.secret)];
    let mut given = Vec::new();
    for before in [None, Some(cookies[0].as_str()), Some(cookies[1].as_str())] {
        let mut headers = vec![("Origin", own.as_str())];
        headers.extend(before.map(|cookie| ("Cookie", cookie)));
        let answer = sign_in(&headers);
        // Who is signed in already may be asked for the form's token first.
        if answer.status() == 403 && before == Some(cookies[1].as_str()) {
            continue;
        }
        assert_eq!(answer.status(), 303, "{before:?}: {answer:?}");
        let set = answer.text.lines().find_map(|line| line.strip_prefix("set-cookie: __Host-quantum-clm=")).unwrap();
        let (secret, attributes) = set.split_once("; ").unwrap();
        for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
            assert!(attributes.split("; ").any(|has| has == attribute), "{attribute} is not in {attributes}");
        }
        assert!(!attributes.contains("Domain"), "{attributes}");
        given.push(secret.to_owned());
    }
    for (at, secret) in given.iter().enumerate() {
        assert!(!cookies.contains(&cookie(secret)) && !given[..at].contains(secret), "a session was taken over");
        assert_eq!(target.ask("GET", "/api/me", &[("Cookie", &cookie(secret))], "").status(), 200);
    }
    assert_eq!(target.ask("GET", "/api/me", &[("Cookie", &cookies[0])], "").status(), 401, "the planted one counts");
}
