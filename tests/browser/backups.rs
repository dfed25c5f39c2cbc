//! What an operator does with backups: makes one, looks at it, has it verified again.

use super::scene::Scene;

async fn the_whole_way(scripts: bool) {
    let scene = Scene::without_story();
    let browser = scene.browser("otto").await;
    if !scripts {
        browser.without_scripts();
    }
    browser.follow("Backups").await;
    browser.arrives("/backups").await;
    browser.shows("There is no backup").await;
    browser.fill("Why", "before the upgrade").await;
    browser.press("Back up now").await;
    browser.arrives("/backups?done=backup-asked").await;
    browser.shows("A backup is being made.").await;
    browser.comes_to_show(scripts, "whole").await;
    browser.shows("before the upgrade").await;
    let link = browser.find("section[aria-labelledby='there'] a[href^='/backups/']").await;
    let page = link.attr("href").await.unwrap().unwrap();
    browser.goto(&page).await;
    browser.shows("quantum-clm restore").await;
    browser.press("Verify again").await;
    browser.arrives(&format!("{page}?done=backup-verifying")).await;
    browser.shows("The backup is being verified again.").await;
    browser.goto("/backups").await;
    browser.comes_to_show(scripts, "verify").await;
    assert_eq!(browser.complaints(), Vec::<String>::new());
    browser.close().await;
}

#[tokio::test]
async fn a_backup_is_made_and_verified_again() {
    the_whole_way(true).await;
}

#[tokio::test]
async fn a_backup_is_made_and_verified_again_without_scripts() {
    the_whole_way(false).await;
}
