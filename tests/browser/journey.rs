//! What an operator does at three in the morning, from signing in to signing out.

use super::scene::{PATH, RISK, Scene, sign_in};
use super::web::{Request, send};
use crate::support::browser::{Browser, View};
use crate::support::daemon::UNITS;
use crate::support::journal::Line;

/// A line that nobody wrote before, written now.
fn happens(scene: &mut Scene, text: &str) {
    scene.journal.clock = quantum_clm::observe::now().0;
    scene.journal.append([Line::new(UNITS[3], format!("[INFO] [EXEC] {text}"))]);
}

/// The row of a table that shows these words, as an XPath.
fn row(words: &str) -> String {
    format!("//tr[contains(., '{words}')]")
}

async fn the_whole_way(scene: &mut Scene, browser: &Browser, scripts: bool) {
    // Whoever comes from a link is led on to where it points.
    browser.goto("/events?level=error").await;
    browser.arrives("/sign-in?next=%2Fevents%3Flevel%3Derror").await;
    browser.fill("User", "anna").await;
    browser.fill("Password", "not the password").await;
    browser.press("Sign in").await;
    browser.shows("User name or password is wrong.").await;
    browser.was_refused(401);
    browser.fill("Password", super::scene::PASSWORD).await;
    browser.press("Sign in").await;
    browser.arrives("/events?level=error").await;
    browser.shows("limit check 24 failed").await;

    // A live event arrives by itself, or with the next load.
    browser.follow("Events").await;
    browser.arrives("/events").await;
    if scripts {
        browser.shows("Live").await;
    }
    happens(scene, "order 4711 was placed");
    if scripts {
        browser.shows("order 4711 was placed").await;
        // While it is paused, what comes is counted; a click shows it.
        browser.press("Pause").await;
        happens(scene, "order 4712 was placed");
        browser.shows("1 new").await;
        assert!(!browser.text().await.contains("order 4712"), "it came in while the list was paused");
        browser.press("1 new").await;
        browser.shows("order 4712 was placed").await;
    } else {
        browser.reloads_until("order 4711 was placed").await;
    }

    // Filters, an event, and the path of its decision over the services.
    browser.choose("Level, or worse", "error").await;
    browser.fill("Unit", RISK).await;
    browser.press("Show").await;
    browser.arrives("/events?*").await;
    browser.shows("limit check 24 failed").await;
    assert!(!browser.text().await.contains("order 4711"), "the filter lets everything through");
    browser.follow("Clear all").await;
    browser.arrives("/events").await;
    browser.fill("Correlation id", PATH).await;
    browser.press("Show").await;
    browser.arrives("/events?*").await;
    browser.click(&browser.find("#rows tr a.at").await).await;
    browser.arrives("/events/*").await;
    browser.follow("The path of its decision").await;
    browser.arrives(&format!("/correlations/{PATH}")).await;
    for words in ["signal for BTCUSDT", "plan accepted", "approved", "order filled"] {
        browser.shows(words).await;
    }

    // The intent: looked at and taken on.
    browser.follow("Intents").await;
    browser.arrives("/intents").await;
    browser.click(&browser.find("main a[href='/intents/1']").await).await;
    browser.arrives("/intents/1").await;
    browser.fill("Why, or what you found", "the exchange is down, back at four").await;
    browser.press("Acknowledge").await;
    browser.arrives("/intents/1?done=*").await;
    browser.shows("the exchange is down, back at four").await;
    assert_eq!(browser.count("button[formaction='/intents/1/acknowledge']").await, 0, "it can be taken on twice");

    // A token: made, used, revoked, refused.
    browser.follow("Tokens").await;
    browser.fill("Name", "night feeder").await;
    browser.choose("For", "publish: sends events in, and nothing else").await;
    browser.fill("Expires in days", "2").await;
    browser.press("Create").await;
    let token = browser.find("#token").await.text().await.unwrap();
    let event = r#"{"unit": "night.service", "level": "info", "message": "sent with a token"}"#;
    let publish = Request::post("/api/events", event).bearer(&token);
    let taken = send(scene.daemon.tcp(), &publish);
    assert_eq!(taken.status, 202, "{taken:?}");
    assert_eq!(send(scene.daemon.tcp(), &Request::get("/api/events").bearer(&token)).status, 403, "it reads too");
    browser.goto("/events?unit=night.service").await;
    browser.shows("sent with a token").await;
    browser.follow("Tokens").await;
    browser.follow_in(&row("night feeder"), "Revoke").await;
    browser.press("Revoke").await;
    browser.arrives("/tokens?done=token-revoked").await;
    assert!(!browser.text().await.contains("night feeder"), "it is still listed");
    let refused = send(scene.daemon.tcp(), &publish);
    assert_eq!(refused.status, 401, "a revoked token works on: {refused:?}");

    // Everything is in the log, and the log is whole.
    browser.follow("Audit").await;
    for words in ["sign-in", "intent.acknowledge", "token.create", "token.revoke"] {
        browser.shows(words).await;
    }
    browser.press("Verify").await;
    browser.shows("records are as they were written.").await;

    let cookie = browser.cookies().await;
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    browser.press("Sign out").await;
    browser.arrives("/sign-in?done=signed-out").await;
    browser.shows("You are signed out.").await;
    assert_eq!(browser.cookies().await, "", "the cookie is kept");
    let replayed = send(scene.daemon.tcp(), &Request::get("/users").cookie(&cookie));
    assert_eq!(replayed.status, 303, "the session outlives signing out: {replayed:?}");
}

#[tokio::test]
async fn a_night_with_scripts() {
    let mut scene = Scene::new();
    let browser = Browser::open(&scene.daemon.url()).await;
    the_whole_way(&mut scene, &browser, true).await;
    browser.close().await;
}

#[tokio::test]
async fn a_night_without_scripts() {
    let mut scene = Scene::new();
    let browser = Browser::open(&scene.daemon.url()).await;
    browser.without_scripts();
    the_whole_way(&mut scene, &browser, false).await;
    browser.close().await;
}

/// Users and sessions on a phone: everything within its width, and two browsers that see each other.
#[tokio::test]
async fn people_come_and_go() {
    let scene = Scene::without_story();
    let mut anna = scene.browser("anna").await;
    anna.look(View::NARROW).await;
    // A link in a mail: the cookie stays at home at first, and nobody has to sign in again for that.
    anna.write(&format!("<a href='{}/users'>Look at this</a>", scene.daemon.url())).await;
    anna.follow("Look at this").await;
    anna.arrives("/users").await;
    anna.fill("Name", "nina").await;
    anna.choose("Role", "operator: looks, acknowledges and resolves intents").await;
    anna.fill("New password", "a good long password").await;
    anna.fill("New password, once more", "another long password").await;
    anna.press("Add").await;
    anna.shows("This is not what stands in the field before.").await;
    anna.was_refused(422);
    assert_eq!(anna.field("Name").await.prop("value").await.unwrap().as_deref(), Some("nina"), "it is not kept");
    anna.fill("New password", super::scene::PASSWORD).await;
    anna.fill("New password, once more", super::scene::PASSWORD).await;
    anna.press("Add").await;
    anna.arrives("/users?done=user-added").await;

    let nina = scene.browser("nina").await;
    assert_eq!(nina.count("nav.pages a[href='/users']").await, 0, "she is offered what she may not see");
    nina.goto("/users").await;
    nina.shows("This asks for the role admin, which nina does not have.").await;
    nina.was_refused(403);

    anna.follow("Sessions").await;
    anna.press_in(&row("nina"), "End").await;
    anna.arrives("/sessions?done=session-ended").await;
    nina.goto("/").await;
    nina.arrives("/sign-in?next=%2F").await;
    sign_in(&nina, "nina").await;

    anna.follow("Users").await;
    anna.follow_in(&row("nina"), "Change").await;
    anna.press("Disable").await;
    anna.arrives("/users/nina?done=user-disabled").await;
    nina.goto("/events").await;
    nina.arrives("/sign-in?next=%2Fevents").await;
    anna.follow("Delete…").await;
    anna.press("Delete").await;
    anna.arrives("/users?done=user-deleted").await;
    assert!(!anna.text().await.contains("nina"), "she is still listed");
    assert_eq!(anna.barriers().await, Vec::<String>::new());
    anna.close().await;
    nina.close().await;
}
