//! What an operator does with models: compares, sees why one does not pass, promotes another, goes back; and what happens
//! when two do it at once, when an admin knows better, and when a second person is asked.

use super::scene::{MODEL, Scene, version, version_row};
use crate::support::browser::Browser;

/// The last part of a version's page: its name.
fn name(page: &str) -> &str {
    page.rsplit('/').next().unwrap()
}

/// Ticks the box of a version of this status, on the model's page.
async fn choose(browser: &Browser, status: &str) {
    let path = format!("({})[1]//input[@type='checkbox']", version_row(status));
    browser.click(&browser.find_by_path(&path).await).await;
}

/// What the model's page says is in production.
async fn in_production(browser: &Browser) -> String {
    browser.goto(&format!("/models/{MODEL}")).await;
    browser.find("section[aria-labelledby='production'] dd a").await.text().await.unwrap()
}

async fn the_whole_way(scene: &Scene, scripts: bool) {
    let browser = scene.browser("otto").await;
    if !scripts {
        browser.without_scripts();
    }
    let (candidate, failing) =
        (version(&browser, MODEL, "candidate").await, version(&browser, MODEL, "training").await);
    let before = in_production(&browser).await;

    // Two versions beside each other: what differs comes first, and which gate is closed.
    browser.follow("Models").await;
    browser.arrives("/models").await;
    browser.follow(MODEL).await;
    browser.arrives(&format!("/models/{MODEL}")).await;
    choose(&browser, "candidate").await;
    choose(&browser, "training").await;
    browser.press("Compare the chosen").await;
    browser.arrives("/models/compare?*").await;
    browser.shows("What differs").await;
    let differing = browser.find("table.compare").await.text().await.unwrap();
    assert!(
        differing.contains("learning_rate") && !differing.contains("max_depth"),
        "equal rows are folded: {differing}"
    );
    let gate = "//tr[th='Sharpe ratio, annual'][.//*[contains(@class, 'badge')]]";
    for (column, outcome) in [(name(&candidate), "pass"), (name(&failing), "fail")] {
        let place = format!(
            "count((//table[contains(@class, 'compare')])[1]/thead//th[contains(., '{column}')]/preceding-sibling::*)"
        );
        let cell = browser.find_by_path(&format!("({gate})[1]/td[number({place})]")).await.text().await.unwrap();
        assert!(cell.contains(outcome), "{column}: {cell}");
    }

    // Why the one does not pass, and that nobody but an admin can do anything about it.
    browser.follow(name(&failing)).await;
    browser.arrives(&failing).await;
    browser.shows("short of 0.52").await;
    browser.follow("Promote…").await;
    browser.arrives(&format!("{failing}/promote")).await;
    browser.shows("Its gates are closed.").await;
    browser.shows("Only an admin may promote it past its gates.").await;
    assert_eq!(browser.count("main form").await, 0, "there is something to send");

    // Its files are as they were, and the other one goes into production, with everything said before.
    browser.goto(&candidate).await;
    browser.press("Verify").await;
    browser.shows("2 files, each as it was.").await;
    browser.follow("Promote…").await;
    browser.arrives(&format!("{candidate}/promote")).await;
    for words in [
        "goes into production",
        before.as_str(),
        "is retired",
        "On disk",
        "No hook",
        "clm.model_promoted",
        "the webhook desk is called",
    ] {
        browser.shows(words).await;
    }
    browser.fill("Why", "steadier over a year").await;
    browser.press("Promote").await;
    browser.arrives(&format!("/models/{MODEL}?done=promoted")).await;
    browser.shows("The version is in production.").await;
    assert_eq!(in_production(&browser).await, name(&candidate));
    let disk = browser.find("section[aria-labelledby='production']").await.text().await.unwrap();
    assert!(disk.contains(&format!("{MODEL}/{}", name(&candidate))), "the pointer follows: {disk}");

    // And back, with one page.
    browser.follow("Roll back…").await;
    browser.arrives(&format!("/models/{MODEL}/rollback")).await;
    browser.shows("the one before").await;
    browser.fill("Why", "orders are refused").await;
    browser.press("Roll back").await;
    browser.arrives(&format!("/models/{MODEL}?done=rolled-back")).await;
    assert_eq!(in_production(&browser).await, before);
    browser.shows("orders are refused").await;

    // What was there at any moment can be asked for.
    browser.fill("At this instant", "-100d").await;
    browser.press("What was in production?").await;
    browser.arrives(&format!("/models/{MODEL}?at=*")).await;
    let retired = version(&browser, MODEL, "retired").await;
    assert_ne!(name(&retired), before);
    browser.goto(&format!("/models/{MODEL}?at=-100d")).await;
    browser.shows("was in production, promoted by demo").await;
    browser.goto(&format!("/models/{MODEL}?at=soonish")).await;
    browser.shows("Nothing was looked up").await;
    browser.was_refused(422);
    browser.close().await;
}

#[tokio::test]
async fn compare_promote_and_back_with_scripts() {
    the_whole_way(&Scene::with_models(&[]), true).await;
}

#[tokio::test]
async fn compare_promote_and_back_without_scripts() {
    the_whole_way(&Scene::with_models(&[]), false).await;
}

#[tokio::test]
async fn of_two_who_saw_the_same_one_succeeds_and_the_other_is_told() {
    let scene = Scene::with_models(&[]);
    let (otto, anna) = (scene.browser("otto").await, scene.browser("anna").await);
    let candidate = version(&otto, MODEL, "candidate").await;
    let retired = version(&otto, MODEL, "retired").await;
    otto.goto(&format!("{candidate}/promote")).await;
    anna.goto(&format!("/models/{MODEL}/rollback")).await;
    anna.fill("Why", "something is wrong with it").await;
    otto.fill("Why", "steadier over a year").await;
    otto.press("Promote").await;
    otto.arrives(&format!("/models/{MODEL}?done=promoted")).await;
    anna.press("Roll back").await;
    anna.shows("Nothing was changed.").await;
    anna.was_refused(409);
    // What changed, who changed it; and what she wrote is not lost.
    anna.shows("has changed since you looked at it").await;
    anna.shows("otto").await;
    assert_eq!(anna.field("Why").await.prop("value").await.unwrap().as_deref(), Some("something is wrong with it"));
    assert_eq!(in_production(&otto).await, name(&candidate), "she has undone what she did not know of");
    // The page is about what is so now, and keeps what she chose: the same again goes through.
    anna.press("Roll back").await;
    anna.arrives(&format!("/models/{MODEL}?done=rolled-back")).await;
    assert_eq!(in_production(&anna).await, name(&retired));
    otto.close().await;
    anna.close().await;
}

#[tokio::test]
async fn an_admin_goes_past_the_gates_and_it_is_never_forgotten() {
    const WHY: &str = "the exchange changed its fees and everything else loses";
    let scene = Scene::with_models(&[]);
    let anna = scene.browser("anna").await;
    let failing = version(&anna, MODEL, "training").await;
    anna.goto(&format!("{failing}/promote")).await;
    anna.shows("is marked for ever as forced").await;
    anna.fill("Why", "because").await;
    let tick = anna.find("input[name='force']").await;
    anna.click(&tick).await;
    anna.press("Promote past the gates").await;
    anna.shows("Say in at least 20 characters why the gates are passed by.").await;
    anna.was_refused(422);
    anna.fill("Why", WHY).await;
    let tick = anna.find("input[name='force']").await;
    anna.click(&tick).await;
    anna.press("Promote past the gates").await;
    anna.arrives(&format!("/models/{MODEL}?done=promoted")).await;
    anna.goto(&failing).await;
    anna.shows("Promoted past its gates by anna").await;
    anna.shows(WHY).await;
    // It stays with the version, also when that is out of production again.
    anna.goto(&format!("/models/{MODEL}/rollback")).await;
    anna.fill("Why", "the fees are as they were").await;
    anna.press("Roll back").await;
    anna.arrives(&format!("/models/{MODEL}?done=rolled-back")).await;
    let row = format!("//section[@aria-labelledby='versions']//tr[contains(., '{}')]", name(&failing));
    let row = anna.find_by_path(&row).await.text().await.unwrap();
    assert!(row.contains("retired") && row.contains("forced"), "{row}");
    anna.close().await;
}

#[tokio::test]
async fn a_second_person_approves_what_the_first_asked_for() {
    let scene = Scene::with_models(&["promotion.approval = true"]);
    let (otto, anna) = (scene.browser("otto").await, scene.browser("anna").await);
    let candidate = version(&otto, MODEL, "candidate").await;
    let before = in_production(&otto).await;
    otto.goto(&format!("{candidate}/promote")).await;
    otto.shows("a second person has to approve it within 1 d").await;
    otto.fill("Why", "steadier over a year").await;
    otto.press("Ask for approval").await;
    otto.arrives(&format!("{candidate}?done=approval-asked")).await;
    assert_eq!(in_production(&otto).await, before);
    otto.goto(&format!("{candidate}/promote")).await;
    otto.shows("whoever asked cannot approve").await;
    assert_eq!(otto.count("form[action$='/approve']").await, 0, "he may approve what he asked for");

    anna.goto("/models").await;
    anna.shows("A promotion waits for a second person").await;
    anna.follow(&format!("{MODEL} {}", name(&candidate))).await;
    anna.arrives(&format!("{candidate}/promote")).await;
    anna.shows("otto asked for it").await;
    anna.shows("steadier over a year").await;
    anna.fill("Why not", "not before the weekend").await;
    anna.press("Refuse").await;
    anna.arrives(&format!("{candidate}?done=approval-denied")).await;
    assert_eq!(in_production(&anna).await, before);

    otto.goto(&format!("{candidate}/promote")).await;
    otto.fill("Why", "after the weekend now").await;
    otto.press("Ask for approval").await;
    otto.arrives(&format!("{candidate}?done=approval-asked")).await;
    anna.goto(&format!("{candidate}/promote")).await;
    anna.press("Approve and promote").await;
    anna.arrives(&format!("/models/{MODEL}?done=promoted")).await;
    assert_eq!(in_production(&anna).await, name(&candidate));
    anna.shows("otto, promoted, approved by anna").await;
    otto.close().await;
    anna.close().await;
}

#[tokio::test]
async fn a_version_is_given_up_and_deleted() {
    let scene = Scene::with_models(&[]);
    let otto = scene.browser("otto").await;
    let training = version(&otto, MODEL, "training").await;
    otto.goto(&training).await;
    otto.follow("Fail…").await;
    otto.shows("nothing leads back").await;
    otto.fill("Why", "it is no better than chance").await;
    otto.press("Fail it").await;
    otto.arrives(&format!("{training}?done=version-failed")).await;
    assert_eq!(otto.count("a[href$='/promote']").await, 0, "a failed version can be promoted");
    otto.follow("Delete…").await;
    otto.fill("Why", "its files are large").await;
    otto.press("Delete").await;
    otto.arrives(&format!("/models/{MODEL}?done=version-deleted")).await;
    let listed = otto.find("section[aria-labelledby='versions']").await.text().await.unwrap();
    assert!(!listed.contains(name(&training)), "{listed}");
    otto.follow("1 deleted").await;
    otto.follow_in("//section[@aria-labelledby='versions']", name(&training)).await;
    otto.arrives(&training).await;
    otto.shows("Deleted by otto").await;
    otto.shows("Its name is never given again.").await;
    // What something refers to is not deleted, and the page says what that is.
    let retired = version(&otto, MODEL, "retired").await;
    otto.goto(&format!("{retired}/delete")).await;
    otto.fill("Why", "out of the way").await;
    otto.press("Delete").await;
    otto.shows("cannot be deleted").await;
    otto.was_refused(409);
    otto.close().await;

    let vera = scene.browser("vera").await;
    let candidate = version(&vera, MODEL, "candidate").await;
    vera.goto(&candidate).await;
    assert_eq!(vera.count("main form, main a.button").await, 0, "a viewer is offered what is refused anyway");
    vera.goto(&format!("{candidate}/promote")).await;
    vera.was_refused(403);
    vera.close().await;
}
