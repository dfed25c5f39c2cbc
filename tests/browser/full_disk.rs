//! A full disk is when somebody has to look at the pages.

use serde_json::{Value, json};

use super::scene::{PASSWORD, add_users};
use super::web::{Answer, Request, send};
use crate::support::daemon::{Bed, Daemon, Disk};
use crate::support::wait_for;

fn try_sign_in(daemon: &Daemon, name: &str, password: &str) -> Answer {
    send(daemon.tcp(), &Request::form("/sign-in", &[("name", name), ("password", password)]))
}

#[track_caller]
fn cookie(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}: {}", answer.head, answer.body);
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn page(daemon: &Daemon, cookie: &str) -> Answer {
    send(daemon.tcp(), &Request::get("/").cookie(cookie))
}

fn records(daemon: &Daemon) -> Vec<Value> {
    let (status, log) = daemon.ask("GET", "/api/audit?action=sign&limit=100", &json!({}));
    assert_eq!(status, 200, "{log}");
    log["records"].as_array().unwrap().clone()
}

#[test]
fn who_knows_the_password_sees_the_pages_and_it_is_written_down_later() {
    let bed = Bed::new("", &[]);
    let disk = Disk::over(&bed, 96);
    let daemon = bed.start();
    add_users(&daemon);
    disk.fill();
    wait_for("nothing can be written", || {
        daemon.ask("POST", "/api/users", &json!({ "name": "x", "role": "viewer", "password": PASSWORD })).0 == 503
    });
    assert_eq!(try_sign_in(&daemon, "otto", "another password").status, 401, "it is still the password that counts");
    let otto = cookie(&try_sign_in(&daemon, "otto", PASSWORD));
    let shown = page(&daemon, &otto);
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(shown.body.contains("otto"), "{}", shown.body);
    let sessions = daemon.ask("GET", "/api/sessions", &json!({})).1;
    assert_eq!(sessions["sessions"].as_array().map(Vec::len), Some(1), "it is listed: {sessions}");
    assert!(daemon.log().contains("has a session in memory only"), "it is said aloud");
    assert_eq!(records(&daemon), Vec::<Value>::new(), "there is no room for a record");
    // One that is ended meanwhile is over at once, without room.
    let vera = cookie(&try_sign_in(&daemon, "vera", PASSWORD));
    let (status, ended) = daemon.ask("DELETE", "/api/users/vera/sessions", &json!({}));
    assert_eq!((status, ended["sessions"].as_array().map(Vec::len)), (200, Some(1)), "{ended}");
    assert_eq!(page(&daemon, &vera).status, 303, "to the sign-in page");

    disk.free();
    wait_for("what happened is written", || {
        records(&daemon).iter().filter(|row| row["outcome"] == "done").count() == 2
    });
    let log = records(&daemon);
    let of_otto = log.iter().find(|row| row["by"] == "otto" && row["outcome"] == "done").unwrap();
    assert_eq!(of_otto["why"], "written later: the disk was full");
    assert!(log.iter().any(|row| row["outcome"] == "refused" && row["by"] == "otto"), "{log:?}");
    let (_, ended) = daemon.ask("GET", "/api/audit?action=session.revoke", &json!({}));
    assert_eq!(ended["records"].as_array().map(Vec::len), Some(1), "{ended}");
    assert_eq!(daemon.ask("GET", "/api/audit/verify", &json!({})).1["whole"], true);
    daemon.stop();
    let daemon = bed.start();
    assert_eq!(page(&daemon, &otto).status, 200, "it is a session as any other now");
    assert_eq!(page(&daemon, &vera).status, 303);
    daemon.stop();
}
