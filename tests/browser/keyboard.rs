//! Without a mouse.

use fantoccini::key::Key;

use super::scene::{PASSWORD, Scene};
use crate::support::browser::Browser;

/// What has the focus, by its label or its text.
async fn focused(browser: &Browser) -> String {
    let script = "const at = document.activeElement; return at === document.body ? '' : at.labels?.[0]?.textContent ?? at.textContent.trim()";
    browser.ask(script).await.as_str().unwrap_or_default().to_owned()
}

/// Tab after tab, until that has the focus whose name begins so; it must be seen to have it.
async fn tab_to(browser: &Browser, name: &str) {
    let mut passed = Vec::new();
    while passed.len() < 60 {
        let at = focused(browser).await;
        if at.starts_with(name) {
            let shown = "return document.activeElement.matches(':focus-visible') && \
                         getComputedStyle(document.activeElement).outlineStyle !== 'none'";
            assert_eq!(browser.ask(shown).await, true, "nothing shows that {name:?} has the focus");
            return;
        }
        passed.push(at);
        browser.keys(&Key::Tab.to_string()).await;
    }
    panic!("the tab key does not lead to {name:?}, but over {passed:?}");
}

#[tokio::test]
async fn everything_goes_without_a_mouse() {
    let scene = Scene::new();
    let browser = Browser::open(&scene.daemon.url()).await;
    let enter = Key::Enter.to_string();
    let tab = Key::Tab.to_string();
    browser.goto("/sign-in").await;
    // The cursor is where the typing begins.
    browser.keys(&format!("otto{tab}")).await;
    browser.keys(&format!("{PASSWORD}{enter}")).await;
    browser.arrives("/").await;

    // The first thing is a way past the navigation.
    tab_to(&browser, "Skip to the content").await;
    browser.keys(&enter).await;
    assert_eq!(browser.ask("return document.activeElement.id").await, "content");
    tab_to(&browser, "Events").await;
    browser.keys(&enter).await;
    browser.arrives("/events").await;
    tab_to(&browser, "Text in the message").await;
    browser.keys(&format!("order filled{enter}")).await;
    browser.arrives("/events?*").await;
    browser.shows("order filled").await;
    tab_to(&browser, "Intents").await;
    browser.keys(&enter).await;
    browser.arrives("/intents").await;
    tab_to(&browser, "High error rate: ").await;
    browser.keys(&enter).await;
    browser.arrives("/intents/1").await;
    tab_to(&browser, "Why, or what you found").await;
    browser.keys("found it").await;
    tab_to(&browser, "Acknowledge").await;
    browser.keys(&enter).await;
    browser.arrives("/intents/1?done=*").await;
    browser.shows("found it").await;
    tab_to(&browser, "Sign out").await;
    browser.keys(&enter).await;
    browser.arrives("/sign-in?done=signed-out").await;
    browser.close().await;
}
