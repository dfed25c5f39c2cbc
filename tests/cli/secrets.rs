//! Passwords, cookies and tokens, right ones and wrong ones, at every place of a request: none of them may be in the log
//! of the daemon, however much that says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use quantum_clm::app::accounts::Accounts;
use quantum_clm::config::Auth;
use quantum_clm::domain::access::{Actor, Grant};
use quantum_clm::domain::account::{SecretText, token_text};
use quantum_clm::domain::role::Role;
use quantum_clm::store::Store;

use super::bed::{Bed, Serving};

/// Sends a request over TCP as it stands; the status.
fn send(serving: &Serving, head: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(serving.tcp()).unwrap();
    let (host, length) = (serving.tcp(), body.len());
    let request = format!(
        "{head}\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}

#[test]
fn no_secret_is_in_the_log() {
    let bed = Bed::for_daemon("");
    let (password, wrong) = ("correct horse battery", "a password that is wrong");
    let (unknown_cookie, unknown_token) = (SecretText::of([3; 32]), token_text(&SecretText::of([4; 32])));
    let (cookie, csrf, token);
    {
        let accounts = Accounts::new(Arc::new(Store::open(&bed.data_file()).unwrap()), Auth::default());
        let actor = Actor::local("root");
        accounts.add_user(&actor, "ada".parse().unwrap(), Role::Admin, password.into()).unwrap();
        cookie = accounts.sign_in("ada", password, "127.0.0.1", "a test").unwrap().secret;
        csrf = accounts.session(cookie.expose()).unwrap().unwrap().csrf;
        let new = accounts.create_token(&actor, "t".parse().unwrap(), Grant::Role(Role::Admin), None).unwrap();
        token = new.text;
    }
    let mut command = bed.command(&["serve", "--demo"]);
    command.env("QUANTUM_CLM_LOG", "trace");
    let serving = bed.start(command);

    let cookie_line = |secret: &SecretText| format!("Cookie: __Host-quantum-clm={}", secret.expose());
    let bearer_line = |secret: &SecretText| format!("Authorization: Bearer {}", secret.expose());
    let (ours, theirs) = (cookie_line(&cookie), cookie_line(&unknown_cookie));
    let (token_line, unknown_line) = (bearer_line(&token), bearer_line(&unknown_token));
    let basic = format!("Authorization: Basic {password}");
    for (line, status) in [(&ours, 200), (&token_line, 200), (&theirs, 401), (&unknown_line, 401), (&basic, 401)] {
        assert_eq!(send(&serving, &format!("GET /api/me HTTP/1.1\r\n{line}"), ""), status, "{line}");
    }
    let secret = token.expose();
    for (head, body, status) in [
        (format!("GET /api/me HTTP/1.1\r\n{ours}\r\n{token_line}"), String::new(), 400),
        (format!("GET /api/me?token={secret} HTTP/1.1"), String::new(), 401),
        (format!("GET /{secret} HTTP/1.1"), String::new(), 404),
        (format!("DELETE /api/tokens/{secret} HTTP/1.1\r\n{token_line}"), String::new(), 422),
        (format!("POST /api/users HTTP/1.1\r\n{token_line}"), format!("{{\"password\": \"{password}\""), 422),
        (format!("POST /api/users HTTP/1.1\r\n{ours}\r\nX-CSRF-Token: {secret}"), "{}".to_owned(), 403),
        (
            format!("PUT /api/me/password HTTP/1.1\r\n{ours}\r\nX-CSRF-Token: {csrf}"),
            format!("{{\"present\": \"{wrong}\", \"password\": \"{password}\"}}"),
            403,
        ),
    ] {
        assert_eq!(send(&serving, &head, &body), status, "{head}");
    }
    // A session that is ended by a command is no credential any more.
    assert_eq!(bed.out(&["session", "revoke", "1"]), "session 1 of ada is ended\n");
    assert_eq!(send(&serving, &format!("GET /api/me HTTP/1.1\r\n{ours}"), ""), 401);

    let log = serving.log();
    serving.stop();
    let audit = bed.out(&["audit", "--json", "--data-file", "d.redb"]);
    assert!(log.contains("ready, listening on"), "{log}");
    assert!(audit.contains("access.credential") && audit.contains("access.csrf"), "{audit}");
    for secret in [password, wrong, &csrf, cookie.expose(), secret, unknown_cookie.expose(), unknown_token.expose()] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
        assert!(!audit.contains(secret), "{secret} is in the audit log:\n{audit}");
    }
}
