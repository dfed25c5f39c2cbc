//! The checks themselves: a page with one of every fault, and each is found.

use crate::support::browser::{Browser, View};
use crate::support::daemon::Bed;

const FAULTS: &str = r##"<!doctype html>
<title></title>
<h1>One</h1><h1>Two</h1><h3>Three</h3>
<p style="color: #aaa">pale</p>
<p style="color: #888; background: rgb(0 0 0 / .5)">grey on grey</p>
<p style="opacity: .4">faint</p>
<input name="nameless"><input id="a" aria-label="a" style="border: 1px solid #eee"><input id="a" aria-label="b" placeholder="pale">
<style>::placeholder { color: #ccc } a.bare:focus, button:focus { outline: none }</style>
<button></button><button style="width: 10px; height: 10px; padding: 0; overflow: hidden">x</button>
<img src="data:,"><svg width="10" height="10"></svg>
<table><tr><td>1</td></tr></table>
<p aria-describedby="nothing">pointing</p>
<a class="bare" href="#">bare</a>
<a href="#" tabindex="3">first</a>
<div style="width: 2000px">wide</div>
<div style="overflow-x: auto; width: 100px"><div style="width: 300px">out of reach</div></div>"##;

#[tokio::test]
async fn every_fault_is_found_and_none_where_there_is_none() {
    let bed = Bed::new("", &[]);
    let daemon = bed.start();
    let mut browser = Browser::open(&daemon.url()).await;
    browser.look(View::NARROW).await;
    browser.write(FAULTS).await;
    let found = browser.barriers().await.join("\n");
    for fault in [
        "does not say its language",
        "no title",
        "0 main parts",
        "2 headings of the first level",
        "level 3 after one of level 1",
        "\"pale\": the text has contrast",
        "\"grey on grey\": the text has contrast",
        "\"faint\": the text has contrast",
        "[name=nameless]> \"\": no label",
        "its edge has contrast",
        "its placeholder has contrast",
        "nothing says what it does",
        "too few to hit",
        "no alternative text",
        "a drawing without text",
        "without header cells",
        "without a caption",
        "the id a is there 2 times",
        "aria-describedby names nothing",
        "\"bare\": does not show that it has the focus",
        "jumps the order",
        "pixels wide in a window of 390",
        "the keyboard cannot reach it",
    ] {
        assert!(found.contains(fault), "nobody noticed {fault:?}:\n{found}");
    }
    browser
        .write(
            "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>t</title><main><h1>One</h1>\
             <p>Words</p></main>",
        )
        .await;
    assert_eq!(browser.barriers().await, Vec::<String>::new());
    browser.close().await;
}
