//! The pages as people meet them: in a real browser, with and without scripts, by mouse and by keyboard, at a desk and on
//! a phone, by day and by night.

use crate::support::browser::{Browser, View};
use crate::support::daemon::Bed;

#[tokio::test]
async fn smoke() {
    let bed = Bed::new("", &[]);
    let mut daemon = bed.start();
    let mut browser = Browser::open(&daemon.url()).await;
    browser.goto("/sign-in").await;
    for view in View::ALL {
        browser.look(view).await;
        browser.picture("sign-in").await;
        eprintln!("{:#?}", browser.barriers().await);
    }
    browser.close().await;
}
