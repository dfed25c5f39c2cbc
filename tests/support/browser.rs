use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

use super::DEADLINE;

/// What looks at a page for everything that a person with other eyes or other hands would stumble over.
const CHECKS: &str = include_str!("../browser/checks.js");

/// A real browser with a profile of its own, driven over WebDriver. It ends with this value, also when a test fails:
/// chromedriver holds the other end of the pipe on which it lives.
pub(crate) struct Browser {
    driver: Driver,
    client: Client,
    session: String,
    base: String,
    view: View,
    _profile: tempfile::TempDir,
}

/// How somebody looks at a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
}

impl View {
    pub(crate) const WIDE: Self = Self { width: 1280, height: 900, dark: false };
    pub(crate) const NARROW: Self = Self { width: 390, height: 844, dark: false };

    /// At a desk and on a phone, by day and by night.
    pub(crate) const ALL: [Self; 4] = [Self::WIDE, Self::WIDE.at_night(), Self::NARROW, Self::NARROW.at_night()];

    const fn at_night(self) -> Self {
        Self { dark: true, ..self }
    }

    /// For names of files.
    fn name(self) -> String {
        let width = if self.width < 600 { "narrow" } else { "wide" };
        let light = if self.dark { "dark" } else { "light" };
        format!("{width}-{light}")
    }
}

impl Browser {
    /// A browser at the server `base` (`http://127.0.0.1:1234`).
    pub(crate) async fn open(base: &str) -> Self {
        let driver = Driver::start();
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // It ends when chromedriver does, however that happens.
            "--remote-debugging-pipe",
            // Small pages of one test: a share of memory that machines without /dev/shm also have.
            "--disable-dev-shm-usage",
            // What the pictures show does not depend on the machine's screen.
            "--force-device-scale-factor=1",
            "--hide-scrollbars",
        ]
        .map(str::to_owned)
        .into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&driver.url())
            .await
            .expect("a session with Debian's chromium");
        let session = client.session_id().await.unwrap().unwrap();
        let browser = Self { driver, client, session, base: base.to_owned(), view: View::WIDE, _profile: profile };
        let mut browser = browser;
        browser.look(View::WIDE).await;
        browser
    }

    /// Pages' scripts do not run from now on.
    pub(crate) fn without_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    }

    /// Looks with another width, or at night.
    pub(crate) async fn look(&mut self, view: View) {
        self.view = view;
        self.size(view.height);
        let scheme = if view.dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    fn size(&self, height: u32) {
        let mobile = self.view.width < 600;
        let metrics = json!({"width": self.view.width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Goes to a path of the server.
    pub(crate) async fn goto(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.base)).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Where it is: path and query.
    pub(crate) async fn place(&self) -> String {
        let url = self.client.current_url().await.unwrap().to_string();
        url.strip_prefix(&self.base).unwrap_or(&url).to_owned()
    }

    /// Waits until it is at a path that fits.
    #[track_caller]
    pub(crate) fn arrives(&self, at: &str) -> impl Future<Output = ()> {
        let begins = at.to_owned();
        self.until(format!("it is at {at}"), async move |browser: &Self| {
            let place = browser.place().await;
            let fits = match begins.strip_suffix('*') {
                Some(begin) => place.starts_with(begin),
                None => place == begins,
            };
            Ok(fits.then_some(())).map_err(|_: CmdError| place)
        })
    }

    /// The element that a CSS selector names, as soon as it is there.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let found = self.client.wait().at_most(DEADLINE).every(Duration::from_millis(20));
        match found.for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("nothing is {css:?} at {}: {error}\n{}", self.place().await, self.text().await),
        }
    }

    /// The element that an XPath names, as soon as it is there.
    pub(crate) async fn find_by_path(&self, path: &str) -> Element {
        self.by_path(path, path).await
    }

    /// How many elements a CSS selector names now.
    pub(crate) async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// The field with this label: what a person reads is what the test goes by.
    pub(crate) async fn field(&self, label: &str) -> Element {
        let path = format!(
            "//*[@id=//label[normalize-space(text()[1])='{label}']/@for] | \
             //label[normalize-space(text()[1])='{label}']//*[self::input or self::select or self::textarea]"
        );
        self.by_path(&path, &format!("a field labelled {label:?}")).await
    }

    /// Writes into the field with this label, in place of what it holds, as the keyboard does.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        let all = format!("{}a{}", Key::Control, Key::Null);
        field.send_keys(&format!("{all}{text}")).await.unwrap_or_else(|error| panic!("{label}: {error}"));
    }

    /// Chooses in the list with this label, as the keyboard does: by the words of the option.
    pub(crate) async fn choose(&self, label: &str, option: &str) {
        let field = self.field(label).await;
        field.send_keys(option).await.unwrap_or_else(|error| panic!("{label}: {error}"));
        let chosen = "return arguments[0].selectedOptions[0]?.textContent.trim()";
        let chosen = self.client.execute(chosen, vec![serde_json::to_value(&field).unwrap()]).await.unwrap();
        assert_eq!(chosen, option, "what is chosen as {label}");
    }

    /// Presses the button with this text, and waits for the page that comes of it.
    pub(crate) async fn press(&self, button: &str) {
        self.press_in("", button).await;
    }

    /// The same for the button within what the XPath names, such as one row of a table.
    pub(crate) async fn press_in(&self, within: &str, button: &str) {
        let path =
            format!("{within}//button[normalize-space()='{button}'] | {within}//summary[normalize-space()='{button}']");
        let button = self.by_path(&path, &format!("a button {button:?}")).await;
        self.click(&button).await;
    }

    /// Follows the link with this text.
    pub(crate) async fn follow(&self, link: &str) {
        self.follow_in("", link).await;
    }

    /// The same for the link within what the XPath names.
    pub(crate) async fn follow_in(&self, within: &str, link: &str) {
        let path = format!("{within}//a[normalize-space()='{link}']");
        let link = self.by_path(&path, &format!("a link {link:?}")).await;
        self.click(&link).await;
    }

    /// Clicks where the element is, with a pointer: what lies above it would be hit in its place.
    pub(crate) async fn click(&self, element: &Element) {
        let shown = vec![serde_json::to_value(element).unwrap()];
        self.client.execute("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", shown).await.unwrap();
        let (element, x, y) = (element.clone(), 0.0, 0.0);
        let click = MouseActions::new("mouse".to_owned())
            .then(PointerAction::MoveToElement { element, duration: None, x, y })
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.client.perform_actions(click).await.unwrap();
    }

    async fn by_path(&self, path: &str, what: &str) -> Element {
        let found = self.client.wait().at_most(DEADLINE).every(Duration::from_millis(20));
        match found.for_element(Locator::XPath(path)).await {
            Ok(element) => element,
            Err(error) => panic!("there is not {what} at {}: {error}\n{}", self.place().await, self.text().await),
        }
    }

    /// All that is to be read on the page.
    pub(crate) async fn text(&self) -> String {
        match self.client.find(Locator::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Waits until the page shows these words.
    #[track_caller]
    pub(crate) fn shows(&self, words: &str) -> impl Future<Output = ()> {
        let wanted = words.to_owned();
        self.until(format!("the page shows {words:?}"), async move |browser: &Self| {
            let text = browser.text().await;
            if text.contains(&wanted) { Ok(Some(())) } else { Err(text) }
        })
    }

    /// Waits until the page shows these words: by itself with scripts, loaded again without.
    pub(crate) async fn comes_to_show(&self, scripts: bool, words: &str) {
        if scripts {
            self.shows(words).await;
        } else {
            self.reloads_until(words).await;
        }
    }

    /// Loads the page again until it shows these words: what there is without scripts.
    pub(crate) async fn reloads_until(&self, words: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.text().await.contains(words) {
            assert!(Instant::now() < deadline, "waited in vain for {words:?}: {}", self.text().await);
            self.client.refresh().await.unwrap();
        }
    }

    /// Loads the page again as long as it shows these words.
    pub(crate) async fn reloads_while(&self, words: &str) {
        let deadline = Instant::now() + DEADLINE;
        while self.text().await.contains(words) {
            assert!(Instant::now() < deadline, "it shows {words:?} for ever: {}", self.text().await);
            self.client.refresh().await.unwrap();
        }
    }

    /// Shows this HTML, which comes from nowhere and may do what it likes.
    pub(crate) async fn write(&self, html: &str) {
        self.client.goto("about:blank").await.unwrap();
        let written =
            self.client.execute("document.open(); document.write(arguments[0]); document.close()", vec![json!(html)]);
        written.await.unwrap();
    }

    /// Waits until the look gives something; its last failure is shown when it never does.
    #[track_caller]
    fn until<T>(
        &self,
        what: String,
        look: impl AsyncFn(&Self) -> Result<Option<T>, String>,
    ) -> impl Future<Output = T> {
        let caller = std::panic::Location::caller();
        async move {
            let deadline = Instant::now() + DEADLINE;
            loop {
                let last = match look(self).await {
                    Ok(Some(value)) => return value,
                    Ok(None) => String::new(),
                    Err(last) => last,
                };
                assert!(
                    Instant::now() < deadline,
                    "{caller}: waited in vain until {what}; at {}: {last}",
                    self.place().await
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Presses keys where the focus is; see [`fantoccini::key::Key`].
    pub(crate) async fn keys(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// What a script of ours says about the page.
    pub(crate) async fn ask(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Everything that a person could not read, reach or tell apart on this page.
    pub(crate) async fn barriers(&self) -> Vec<String> {
        let width = json!(self.view.width);
        let found = self.client.execute(CHECKS, vec![width]).await.unwrap();
        found.as_array().unwrap().iter().map(|line| format!("{} ({:?})", line.as_str().unwrap(), self.view)).collect()
    }

    /// A picture of the page, as far as its first few screens, as `target/screenshots/<name>-<view>.png`.
    pub(crate) async fn picture(&self, name: &str) {
        let height = self.ask("return document.documentElement.scrollHeight").await.as_u64().unwrap();
        self.size(u32::try_from(height.clamp(self.view.height.into(), 2_700)).unwrap());
        let png = self.client.screenshot().await.unwrap();
        self.size(self.view.height);
        let directory = pictures();
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{name}-{}.png", self.view.name())), png).unwrap();
    }

    /// What the browser complained about since the last call: scripts that failed, things that did not load, breaches
    /// of the content security policy.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let entries = self.driver.post(&self.path("se/log"), &json!({"type": "browser"}));
        let entries = entries.as_array().expect("a list").iter();
        let bad = entries.filter(|entry| ["SEVERE", "WARNING"].contains(&entry["level"].as_str().unwrap()));
        bad.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Forgets the complaint that the test provoked: a page that was answered with this status.
    #[track_caller]
    pub(crate) fn was_refused(&self, status: u16) {
        let complaints = self.complaints();
        let expected = format!("responded with a status of {status} ");
        assert!(
            complaints.iter().any(|complaint| complaint.contains(&expected)),
            "no page was answered with {status}: {complaints:?}"
        );
        let others: Vec<_> = complaints.iter().filter(|complaint| !complaint.contains(&expected)).collect();
        assert!(others.is_empty(), "the browser complains: {others:#?}");
    }

    /// The cookies that it keeps for the server, as a request would carry them.
    pub(crate) async fn cookies(&self) -> String {
        let cookies = self.client.get_all_cookies().await.unwrap();
        cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect::<Vec<_>>().join("; ")
    }

    /// Closes it; it must have nothing to complain about.
    pub(crate) async fn close(self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "the browser complains: {complaints:#?}");
        self.client.clone().close().await.unwrap();
    }

    fn devtools(&self, command: &str, parameters: Value) {
        self.driver.post(&self.path("goog/cdp/execute"), &json!({"cmd": command, "params": parameters}));
    }

    fn path(&self, command: &str) -> String {
        format!("/session/{}/{command}", self.session)
    }
}

/// `target/screenshots`.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots")
}

/// chromedriver on a port that it chose.
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// It takes a free port of IPv6 and then wants the same one of IPv4, which another process may have: it ends then, and
    /// another try takes another port.
    fn start() -> Self {
        let mut said = String::new();
        for _ in 0..5 {
            match Self::listen() {
                Ok(driver) => return driver,
                Err(words) => said.push_str(&words),
            }
        }
        panic!("chromedriver ended before it listened, five times: {said}")
    }

    /// Or what it said before it ended.
    fn listen() -> Result<Self, String> {
        let child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's packages chromium and chromium-driver: make setup-test");
        let mut driver = Self { child, port: 0 };
        let mut out = BufReader::new(driver.child.stdout.take().unwrap());
        let mut said = String::new();
        while driver.port == 0 {
            let from = said.len();
            if out.read_line(&mut said).unwrap() == 0 {
                return Err(said);
            }
            if let Some((_, port)) = said[from..].split_once("started successfully on port ") {
                driver.port = port.trim().trim_end_matches('.').parse().unwrap();
            }
        }
        // It writes on, to a pipe that somebody must read.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        Ok(driver)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A command that WebDriver's own vocabulary does not have.
    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n");
        write!(stream, "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
        // chromedriver keeps the connection, whatever is asked of it: the answer ends where its length says.
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{path}: no whole answer: {head}");
        }
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or_else(|| panic!("no length: {head}"))];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}{body}");
        serde_json::from_str::<Value>(&body).unwrap()["value"].clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
