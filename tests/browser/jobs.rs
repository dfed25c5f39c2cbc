//! What an operator does with jobs: asks for one, sees why it waits, reads along, calls it off, does it again.

use serde_json::json;

use super::scene::Scene;
use crate::support::work::record;

async fn the_whole_way(scripts: bool) {
    let scene = Scene::without_story();
    let trainer = scene.trainer();
    let browser = scene.browser("otto").await;
    if !scripts {
        browser.without_scripts();
    }
    browser.follow("Jobs").await;
    browser.arrives("/jobs").await;
    browser.shows("No job is running.").await;
    browser.shows("Nothing waits.").await;

    // What does not fit is said at its field, and what was written is kept.
    browser.press("Train a model").await;
    browser.fill("Symbol", "BTC/USDT").await;
    browser.fill("Days of data", "180").await;
    browser.press("Train").await;
    browser.shows("use 1 to 32 of a-z and 0-9").await;
    browser.was_refused(422);
    assert_eq!(browser.field("Days of data").await.prop("value").await.unwrap().as_deref(), Some("180"));
    browser.fill("Symbol", "BTCUSDT").await;
    browser.choose("Priority", "high").await;
    browser.fill("Why", "the exchange changed its fees").await;
    browser.press("Train").await;
    browser.arrives("/jobs/job-1?done=job-asked").await;
    browser.shows("The job is in the queue.").await;
    browser.shows("It waits: no worker that was heard of lately has the program data.").await;
    browser.shows("the exchange changed its fees").await;
    browser.goto("/jobs").await;
    let queue = browser.find("section[aria-labelledby='queue']").await.text().await.unwrap();
    assert!(queue.contains("job-1") && queue.contains("high"), "{queue}");
    assert!(queue.contains("no worker that was heard of lately has the program data"), "{queue}");
    // Asked for again, the same is refused, and the page says which job it is.
    browser.press("Train a model").await;
    browser.fill("Symbol", "btcusdt").await;
    browser.press("Train").await;
    browser.shows("Nothing was asked for: job-1 trains this model already").await;
    browser.was_refused(409);

    // A worker takes it: the page goes along, and so does the log.
    browser.goto("/jobs/job-1").await;
    browser.shows("Nothing was written yet.").await;
    let first = trainer.lease();
    assert_eq!(first["job"], "job-1");
    let at = trainer.write("job-1", 1, 0, &record("page 1 of 3"));
    browser.comes_to_show(scripts, "page 1 of 3").await;
    let at = trainer.write("job-1", 1, at, &record("page 2 of 3"));
    browser.comes_to_show(scripts, "page 2 of 3").await;
    browser.comes_to_show(scripts, "fetch the data").await;
    browser.comes_to_show(scripts, "trainer-1 on gpu-7").await;
    if scripts {
        assert_eq!(browser.find("#log-state").await.text().await.unwrap(), "Live");
        browser.press("Pause").await;
        trainer.write("job-1", 1, at, &record("page 3 of 3"));
        browser.shows("Paused").await;
        browser.press("Resume").await;
        browser.shows("page 3 of 3").await;
    }

    // What is looked for is found in the log, with the way to the lines around it.
    browser.fill("Text in the log", "page 2").await;
    browser.press("Search").await;
    browser.arrives("/jobs/job-1?*").await;
    let lines = browser.find("#log-lines").await.text().await.unwrap();
    assert!(lines.contains("page 2 of 3") && !lines.contains("page 1 of 3"), "{lines}");
    browser.follow("Back to the newest lines").await;
    browser.arrives("/jobs/job-1?epoch=1#log").await;

    // Called off: with a reason, and only once its processes are gone.
    browser.follow("Cancel…").await;
    browser.arrives("/jobs/job-1/cancel").await;
    browser.shows("trainer-1 is told to end its processes").await;
    browser.fill("Why", "the data is of no use").await;
    browser.press("Cancel the job").await;
    browser.arrives("/jobs/job-1?done=job-cancelled").await;
    browser.shows("Being called off: its processes are ended first.").await;
    trainer.report(&first, &json!({ "outcome": "cancelled" }));
    browser.comes_to_show(scripts, "Called off by otto").await;

    // And done again, to its good end.
    browser.goto("/jobs/job-1").await;
    assert_eq!(browser.count("form[action='/jobs/job-1/retry']").await, 1);
    browser.press("Retry").await;
    browser.arrives("/jobs/job-2?done=job-retried").await;
    trainer.complete(&trainer.lease());
    browser.comes_to_show(scripts, "completed").await;
    // Each is done again once: what is over now is done again through the newer one, if at all.
    browser.goto("/jobs/job-1").await;
    browser.shows("job-2").await;
    assert_eq!(browser.count("form[action='/jobs/job-1/retry']").await, 0, "it is offered once more");
    browser.goto("/jobs/job-2").await;
    let steps = browser.find("section[aria-labelledby='steps']").await.text().await.unwrap();
    assert!(steps.contains("apply the gates") && !steps.contains("not begun"), "{steps}");
    let result = browser.find("section[aria-labelledby='result'] dd a").await;
    let version = result.attr("href").await.unwrap().unwrap();
    browser.click(&result).await;
    browser.arrives(&version).await;
    browser.goto("/jobs?state=over&type=xgboost").await;
    let history = browser.find("section[aria-labelledby='history']").await.text().await.unwrap();
    assert!(history.contains("job-1") && history.contains("the data is of no use"), "{history}");
    browser.goto("/jobs?state=failed").await;
    browser.shows("No job fits.").await;
    let workers = browser.find("section[aria-labelledby='workers']").await.text().await.unwrap();
    assert!(workers.contains("trainer-1") && workers.contains("xgboost: data, train, evaluate"), "{workers}");
    browser.close().await;
}

#[tokio::test]
async fn train_read_along_cancel_and_retry_with_scripts() {
    the_whole_way(true).await;
}

#[tokio::test]
async fn train_read_along_cancel_and_retry_without_scripts() {
    the_whole_way(false).await;
}

#[tokio::test]
async fn who_only_looks_is_offered_nothing_that_is_refused() {
    let scene = Scene::with_models(&[]);
    let vera = scene.browser("vera").await;
    vera.goto("/jobs").await;
    vera.shows("History").await;
    assert_eq!(vera.count("form[method='post'][action^='/jobs']").await, 0, "a viewer is offered a training");
    for job in ["job-1", "job-2"] {
        vera.goto(&format!("/jobs/{job}")).await;
        vera.shows("Steps").await;
        assert_eq!(vera.count("main form[method='post'], main a[href$='/cancel']").await, 0, "{job}");
    }
    vera.goto("/jobs/job-2/cancel").await;
    vera.was_refused(403);
    vera.close().await;

    // Of what is over, an operator is told so, and has nothing to send.
    let otto = scene.browser("otto").await;
    otto.goto("/jobs/job-1/cancel").await;
    otto.shows("It is completed: nothing is left to be called off.").await;
    assert_eq!(otto.count("main form").await, 0);
    // A failed one that was done again says by whom, and where it went on.
    otto.goto("/jobs/job-2").await;
    otto.shows("out of memory: it took more than its 4 GiB of memory").await;
    otto.follow("job-3").await;
    otto.arrives("/jobs/job-3").await;
    otto.shows("taken over from job-2").await;
    otto.close().await;
}
