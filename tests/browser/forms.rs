//! What forms refuse, sent as a browser would that knows nothing of `required` and `maxlength`.

use super::scene::{PASSWORD, add_users};
use super::web::{Answer, Request, send};
use crate::support::daemon::{Bed, Daemon};

/// Somebody signed in, without a browser.
struct Visitor<'a> {
    daemon: &'a Daemon,
    cookie: String,
    csrf: String,
}

impl<'a> Visitor<'a> {
    #[track_caller]
    fn sign_in(daemon: &'a Daemon, name: &str, password: &str) -> Self {
        let answer = send(daemon.tcp(), &Request::form("/sign-in", &[("name", name), ("password", password)]));
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{answer:?}");
        let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        let mut visitor = Self { daemon, cookie, csrf: String::new() };
        let page = visitor.get("/account").body;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split('"').next().unwrap().clone_into(&mut visitor.csrf);
        visitor
    }

    fn get(&self, path: &str) -> Answer {
        send(self.daemon.tcp(), &Request::get(path).cookie(&self.cookie))
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields = [&[("csrf", self.csrf.as_str())], fields].concat();
        send(self.daemon.tcp(), &Request::form(path, &fields).cookie(&self.cookie))
    }

    /// Sends it and looks for the status, and for these words where the field says what is wrong.
    #[track_caller]
    fn refused(&self, path: &str, fields: &[(&str, &str)], status: u16, field: &str, words: &str) -> Answer {
        let answer = self.post(path, fields);
        assert_eq!(answer.status, status, "{path} {fields:?}: {}", answer.body);
        assert_eq!(misfit(&answer.body, field), words, "{path} {fields:?}");
        answer
    }
}

/// What the page says is wrong with a field, which is marked and points to it.
#[track_caller]
fn misfit(page: &str, field: &str) -> String {
    let id = format!("{field}-misfit");
    let (_, rest) = page.split_once(&format!(" id=\"{id}\">")).unwrap_or_else(|| panic!("{field} fits: {page}"));
    let control =
        page.split('<').find(|tag| tag.contains(&format!("name=\"{field}\"")) && tag.contains("aria-invalid=\"true\""));
    assert!(control.is_some_and(|tag| tag.contains(&id)), "{field} is not marked: {page}");
    rest.split("</p>").next().unwrap().to_owned()
}

fn house() -> (Bed, Daemon) {
    let bed = Bed::new("", &[]);
    let daemon = bed.start();
    add_users(&daemon);
    (bed, daemon)
}

#[track_caller]
fn try_sign_in(daemon: &Daemon, name: &str, password: &str) -> Answer {
    send(daemon.tcp(), &Request::form("/sign-in", &[("name", name), ("password", password), ("next", "/audit")]))
}

/// The sentence above a page's content.
#[track_caller]
fn notice(page: &str) -> &str {
    let (_, rest) = page.split_once("<p class=\"notice ").unwrap_or_else(|| panic!("no notice: {page}"));
    rest.split_once('>').and_then(|(_, rest)| rest.split_once("</p>")).unwrap().0
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same_and_have_to_wait() {
    let (_bed, daemon) = house();
    let told = |name: &str| {
        let answer = try_sign_in(&daemon, name, "not the password");
        let page = answer.body.replace(name, "NAME");
        assert!(!page.contains("not the password"), "a password is written back: {page}");
        assert!(page.contains("value=\"NAME\"") && page.contains("name=\"next\" value=\"/audit\""), "not kept: {page}");
        (answer.status, answer.header("set-cookie").map(str::to_owned), page)
    };
    let unknown = told("nobody");
    assert_eq!((unknown.0, &unknown.1), (401, &None));
    assert_eq!(notice(&unknown.2), "User name or password is wrong.");
    assert_eq!(told("anna"), unknown, "a known user is told apart from an unknown one");
    // Five tries are free; then there is a wait, which grows until it is longer than a try takes.
    let last = (0..20).map(|_| try_sign_in(&daemon, "anna", "not the password")).find(|answer| answer.status != 401);
    let last = last.unwrap_or_else(|| panic!("nobody ever has to wait"));
    let seconds: u64 = last.header("retry-after").unwrap().parse().unwrap();
    assert_eq!((last.status, last.header("set-cookie")), (429, None), "{last:?}");
    assert_eq!(notice(&last.body), format!("Too many failed tries: wait {seconds} s before the next."));
}

#[test]
fn signing_in_leads_on_to_our_own_pages_only_and_signing_out_ends_it() {
    let (_bed, daemon) = house();
    for (next, place) in [
        ("/audit?by=anna", "/audit?by=anna"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("", "/"),
    ] {
        let form = [("name", "Anna "), ("password", PASSWORD), ("next", next)];
        let answer = send(daemon.tcp(), &Request::form("/sign-in", &form));
        assert_eq!((answer.status, answer.header("location")), (303, Some(place)), "{next:?}: {answer:?}");
    }
    let anna = Visitor::sign_in(&daemon, "anna", PASSWORD);
    let attributes = "; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=604800";
    let set = send(daemon.tcp(), &Request::form("/sign-in", &[("name", "anna"), ("password", PASSWORD)]));
    let set = set.header("set-cookie").unwrap().to_owned();
    assert!(set.starts_with("__Host-") && set.ends_with(attributes), "{set}");
    let already = anna.get("/sign-in?next=/users");
    assert_eq!((already.status, already.header("location")), (303, Some("/users")), "{already:?}");
    // A link in a mail led here without the cookie; the form comes with it.
    let again = send(
        daemon.tcp(),
        &Request::form("/sign-in", &[("name", "anna"), ("password", PASSWORD)]).cookie(&anna.cookie),
    );
    assert_eq!(again.status, 303, "{again:?}");
    let forged = send(daemon.tcp(), &Request::form("/sign-out", &[("csrf", "0")]).cookie(&anna.cookie));
    assert_eq!((forged.status, anna.get("/users").status), (403, 200), "{forged:?}");
    let out = anna.post("/sign-out", &[]);
    assert_eq!((out.status, out.header("location")), (303, Some("/sign-in?done=signed-out")), "{out:?}");
    assert!(out.header("set-cookie").unwrap().ends_with("; Max-Age=0"), "{out:?}");
    let gone = anna.get("/users?x=1");
    assert_eq!((gone.status, gone.header("location")), (303, Some("/sign-in?next=%2Fusers%3Fx%3D1")), "{gone:?}");
}

#[test]
fn nobody_signs_in_before_there_is_a_user_or_in_clear_text() {
    let bed = Bed::new("", &["http.hosts = [\"clm.example\"]"]);
    let daemon = bed.start();
    let page = send(daemon.tcp(), &Request::get("/sign-in"));
    assert!(page.body.contains("quantum-clm user add NAME --role admin"), "{}", page.body);
    assert!(!page.body.contains("<form"), "a form that nobody can use: {}", page.body);
    let tried = try_sign_in(&daemon, "anna", PASSWORD);
    assert_eq!((tried.status, tried.header("set-cookie")), (403, None), "{tried:?}");
    add_users(&daemon);
    let page = send(daemon.tcp(), &Request::get("/sign-in").header("Host", "clm.example"));
    assert!(
        page.body.contains("https") && page.body.contains("ssh -L 8000:127.0.0.1:8000 clm.example"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("<form"), "a password would go in clear text: {}", page.body);
    let form = [("name", "anna"), ("password", PASSWORD)];
    let tried = send(daemon.tcp(), &Request::form("/sign-in", &form).header("Host", "clm.example"));
    assert_eq!((tried.status, tried.header("set-cookie")), (403, None), "{tried:?}");
    assert_eq!(send(daemon.tcp(), &Request::form("/sign-in", &form)).status, 303, "from this machine itself");
}

#[test]
fn forms_about_users_say_at_the_field_what_does_not_fit() {
    let (_bed, daemon) = house();
    let anna = Visitor::sign_in(&daemon, "anna", PASSWORD);
    let name = "A user name has 1 to 32 of the characters a-z, 0-9, &#39;.&#39;, &#39;_&#39; and &#39;-&#39;, and begins with a letter.";
    let short = "A password has at least 12 characters; several words are easy to remember.";
    let other = "This is not what stands in the field before.";
    let user =
        |name, role, password, repeat| [("name", name), ("role", role), ("password", password), ("repeat", repeat)];
    for (fields, field, words) in [
        (user("<b>", "viewer", PASSWORD, PASSWORD), "name", name),
        (user("", "viewer", PASSWORD, PASSWORD), "name", name),
        (user("otto", "viewer", PASSWORD, PASSWORD), "name", "There is a user otto already."),
        (user("nina", "open", PASSWORD, PASSWORD), "role", "Choose viewer, operator or admin."),
        (user("nina", "", PASSWORD, PASSWORD), "role", "Choose viewer, operator or admin."),
        (user("nina", "viewer", "short", "short"), "password", short),
        (user("nina", "viewer", PASSWORD, "another long password"), "repeat", other),
    ] {
        let answer = anna.refused("/users", &fields, 422, field, words);
        let kept = format!("value=\"{}\"", fields[0].1.replace('<', "&#60;").replace('>', "&#62;"));
        assert!(fields[0].1.is_empty() || answer.body.contains(&kept), "the name is not kept: {}", answer.body);
        assert!(!answer.body.contains(PASSWORD), "a password is written back: {}", answer.body);
    }
    anna.refused("/users/otto/role", &[("role", "king")], 422, "role", "Choose viewer, operator or admin.");
    anna.refused(
        "/users/anna/role",
        &[("role", "viewer")],
        422,
        "role",
        "The last admin who can sign in is anna: make another one first.",
    );
    anna.refused("/users/otto/password", &[("password", PASSWORD), ("repeat", "")], 422, "repeat", other);
    anna.refused("/users/otto/password", &[("password", "otto"), ("repeat", "otto")], 422, "password", short);
    for path in ["/users/anna/disable", "/users/anna/delete"] {
        let answer = anna.post(path, &[]);
        assert_eq!(answer.status, 422, "{path}: {}", answer.body);
        assert!(notice(&answer.body).contains("The last admin"), "{path}: {}", answer.body);
    }
    for path in ["/users/nobody", "/users/%3Cb%3E", "/users/nobody/delete"] {
        let answer = anna.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        assert!(answer.body.contains("There is no such user."), "{path}: {}", answer.body);
    }
    assert_eq!(anna.post("/users/nobody/role", &[("role", "viewer")]).status, 404);
    assert_eq!(anna.post("/users/nobody/enable", &[]).status, 404);
    for role in ["otto", "vera"] {
        let visitor = Visitor::sign_in(&daemon, role, PASSWORD);
        for path in ["/users", "/users/anna", "/tokens", "/audit"] {
            let answer = visitor.get(path);
            assert_eq!(answer.status, 403, "{role} at {path}");
            assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{answer:?}");
        }
        assert_eq!(visitor.post("/users", &user("nina", "admin", PASSWORD, PASSWORD)).status, 403);
        // Neither sees nor ends what is another's: the admin's session is number 1.
        assert!(!visitor.get("/sessions").body.contains("anna"), "{role} sees the admin's session");
        assert_eq!(visitor.post("/sessions/1/end", &[]).status, 404, "{role} ends the admin's session");
    }
    assert_eq!(anna.get("/users").status, 200, "the admin's session is there no more");
}

#[test]
fn forms_about_tokens_say_at_the_field_what_does_not_fit_and_show_the_value_once() {
    let (_bed, daemon) = house();
    let anna = Visitor::sign_in(&daemon, "anna", PASSWORD);
    let token = |name, grant, days| [("name", name), ("grant", grant), ("days", days)];
    let name = "A token&#39;s name has 1 to 64 letters, digits, blanks, &#39;.&#39;, &#39;_&#39; and &#39;-&#39;, and begins with a letter or digit.";
    let days = "A token lives from 1 to 365 days.";
    let grant = "Use viewer, operator, admin, publish or worker.";
    for (fields, field, words) in [
        (token("", "publish", "1"), "name", name),
        (token("<script>", "publish", "1"), "name", name),
        (token("a", "root", "1"), "grant", grant),
        (token("a", "publish", "0"), "days", days),
        (token("a", "publish", "366"), "days", days),
        (token("a", "publish", "a day"), "days", days),
        (token("a", "publish", "18446744073709551616"), "days", days),
    ] {
        anna.refused("/tokens", &fields, 422, field, words);
    }
    let made = anna.post("/tokens", &token("feeder", "publish", "7"));
    assert_eq!((made.status, made.header("cache-control")), (200, Some("no-store")), "{made:?}");
    let (_, rest) = made.body.split_once("id=\"token\">").unwrap();
    let text = rest.split('<').next().unwrap().to_owned();
    assert!(text.starts_with("qclm_") && text.len() > 40, "{text}");
    let list = anna.get("/tokens").body;
    assert!(list.contains("feeder") && !list.contains(&text), "the list shows the value: {list}");
    assert!(!anna.get("/audit").body.contains(&text), "the audit log shows the value");
    anna.refused(
        "/tokens",
        &token("feeder", "publish", "7"),
        422,
        "name",
        "There is a token feeder already, number 1: revoke it first.",
    );
    assert_eq!(anna.get("/tokens/7/revoke").status, 404);
    assert_eq!(anna.post("/tokens/7/revoke", &[]).status, 404);
    let gone = anna.post("/tokens/1/revoke", &[]);
    assert_eq!((gone.status, gone.header("location")), (303, Some("/tokens?done=token-revoked")), "{gone:?}");
}

#[test]
fn a_user_changes_the_own_password_with_the_present_one() {
    let (_bed, daemon) = house();
    let otto = Visitor::sign_in(&daemon, "otto", PASSWORD);
    let elsewhere = Visitor::sign_in(&daemon, "otto", PASSWORD);
    let change = |current, password, repeat| [("current", current), ("password", password), ("repeat", repeat)];
    let new = "quite another password";
    otto.refused("/account/password", &change("wrong", new, new), 422, "current", "This is not your present password.");
    otto.refused(
        "/account/password",
        &change(PASSWORD, new, ""),
        422,
        "repeat",
        "This is not what stands in the field before.",
    );
    otto.refused(
        "/account/password",
        &change(PASSWORD, "short", "short"),
        422,
        "password",
        "A password has at least 12 characters; several words are easy to remember.",
    );
    let done = otto.post("/account/password", &change(PASSWORD, new, new));
    assert_eq!((done.status, done.header("location")), (303, Some("/sign-in?done=own-password")), "{done:?}");
    for visitor in [&otto, &elsewhere] {
        assert_eq!(visitor.get("/account").status, 303, "a session outlives its password");
    }
    assert_eq!(try_sign_in(&daemon, "otto", PASSWORD).status, 401, "the old password works on");
    Visitor::sign_in(&daemon, "otto", new);
}

#[test]
fn the_audit_log_is_filtered_and_says_whether_it_is_whole() {
    let (_bed, daemon) = house();
    let anna = Visitor::sign_in(&daemon, "anna", PASSWORD);
    anna.post("/users/vera/role", &[("role", "operator")]);
    let rows = |query: &str| {
        let answer = anna.get(&format!("/audit{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        answer.body.matches("<td class=\"fit inline\">").count()
    };
    // Three users, a sign-in, a role.
    for (query, count) in [
        ("", 5),
        ("?by=anna", 2),
        ("?by=nobody", 0),
        ("?action=user.", 4),
        ("?action=user.role&subject=user+vera", 1),
        ("?outcome=done", 5),
        ("?outcome=refused", 0),
        ("?since=-1h&until=now", 5),
        ("?until=2020-01-01", 0),
        ("?by=&action=&subject=&outcome=&since=&until=", 5),
    ] {
        assert_eq!(rows(query), count, "{query}");
    }
    for (query, field) in [("?since=whenever", "since"), ("?until=%3Cb%3E", "until"), ("?outcome=x", "outcome")] {
        let answer = anna.get(&format!("/audit{query}"));
        assert_eq!(answer.status, 422, "{query}");
        misfit(&answer.body, field);
    }
    let verified = anna.post("/audit/verify", &[]);
    assert_eq!(verified.status, 200, "{verified:?}");
    assert!(verified.body.contains("All 5 records are as they were written."), "{}", verified.body);
}
