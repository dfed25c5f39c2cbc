use quantum_clm::app::{App, sample};
use quantum_clm::config::Config;
use quantum_clm::domain::time::Micros;
use quantum_clm::observe::metrics::Metrics;
use quantum_clm::observe::status::StatusBoard;
use quantum_clm::store::{Store, StoreError};
use serde_json::json;

use crate::support::Random;
use crate::support::browser::Browser;
use crate::support::bus_in::dead_letter;
use crate::support::daemon::{Bed, Daemon, UNITS};
use crate::support::journal::{JournalWriter, Line};
use crate::support::receiver::{Receiver, Reply, write_secret};
use crate::support::work::Trainer;

/// The unit in trouble.
pub(super) const RISK: &str = "quantum-risk-brain.service";

/// The correlation id of a decision that went all the way.
pub(super) const PATH: &str = "60965827-3887-45f4-9153-cca5cf1c301f";

/// What everybody here signs in with.
pub(super) const PASSWORD: &str = "many words are easy";

/// A daemon that has seen some hours of trading: decisions on their way through four services, some blocked, and so
/// many errors of one unit that an intent is open.
pub(super) struct Scene {
    pub(super) daemon: Daemon,
    pub(super) journal: JournalWriter,
    /// What the webhook `desk` tells.
    receiver: Receiver,
    bed: Bed,
}

impl Scene {
    /// With the users `anna` (admin), `otto` (operator) and `vera` (viewer).
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    /// The same with what `more` does to the models before the daemon starts.
    pub(super) fn with(more: impl FnOnce(&App)) -> Self {
        let bed = story_bed();
        models(&bed, |app| {
            let letter = dead_letter(1, r#"{"model_type": "nits"}"#);
            app.store.write::<_, StoreError>(|txn| txn.put_dead_letter(&letter)).unwrap();
            more(app);
        });
        let mut scene = Self::over(bed);
        let lines = story();
        let count = lines.len() as u64;
        for (at, line) in lines {
            scene.journal.clock = at;
            scene.journal.append([line]);
        }
        scene.daemon.wait_events(count);
        scene.daemon.wait("an intent", |status| status["intents_open"] == 1);
        scene.receiver.next(&[Reply::Say(503, "", "the desk is closed")]);
        for outcome in ["failed", "delivered"] {
            let (status, sent) = scene.daemon.ask("POST", "/api/webhooks/desk/test", &json!({}));
            assert_eq!((status, &sent["outcome"]), (200, &json!(outcome)), "{sent}");
        }
        add_users(&scene.daemon);
        scene
    }

    /// A token's text.
    pub(super) fn token(&self, name: &str, grant: &str) -> String {
        let (status, answer) = self.daemon.ask("POST", "/api/tokens", &json!({"name": name, "grant": grant}));
        assert_eq!(status, 201, "{answer}");
        answer["text"].as_str().unwrap().to_owned()
    }

    /// Who speaks to the daemon as a worker does.
    pub(super) fn trainer(&self) -> Trainer {
        Trainer::new(&self.bed.socket())
    }

    /// With the users and nothing else.
    pub(super) fn without_story() -> Self {
        let scene = Self::over(story_bed());
        add_users(&scene.daemon);
        scene
    }

    /// With the users and the sample of models that the demo has; `settings` are lines of configuration.
    pub(super) fn with_models(settings: &[&str]) -> Self {
        let bed = Bed::new("", &[&["events.commit_interval = \"50ms\""], settings].concat());
        models(&bed, |_| ());
        let scene = Self::over(bed);
        add_users(&scene.daemon);
        scene
    }

    fn over(bed: Bed) -> Self {
        let receiver = Receiver::start();
        let secret = bed.data_file().with_file_name("desk.secret");
        write_secret(&secret, "a secret that is long enough");
        bed.set(&format!("[notify.webhooks.desk]\nurl = \"{}\"\nsecret_file = {secret:?}", receiver.url()));
        let journal = JournalWriter::new(&bed.journal());
        Self { daemon: bed.start(), journal, receiver, bed }
    }

    /// A browser that is signed in.
    pub(super) async fn browser(&self, user: &str) -> Browser {
        let browser = Browser::open(&self.daemon.url()).await;
        sign_in(&browser, user).await;
        browser
    }
}

/// The model of the sample whose versions have gone through everything.
pub(super) const MODEL: &str = "xgboost_btcusdt_1h";

/// The page of a model's newest version of this status.
pub(super) async fn version(browser: &Browser, model: &str, status: &str) -> String {
    browser.goto(&format!("/models/{model}")).await;
    let row = version_row(status);
    let link = browser.find_by_path(&format!("({row})[1]//th/a")).await;
    link.attr("href").await.unwrap().unwrap()
}

/// The rows of a model's page with versions of this status, as an XPath.
pub(super) fn version_row(status: &str) -> String {
    format!("//section[@aria-labelledby='versions']//tr[.//*[normalize-space()='{status}']]")
}

fn story_bed() -> Bed {
    Bed::new("", &["events.commit_interval = \"50ms\""])
}

/// Puts the sample of models and jobs into a bed's data file before a daemon has it, and whatever `more` does to it.
pub(super) fn models(bed: &Bed, more: impl FnOnce(&App)) {
    let config = Config { data_file: bed.data_file().to_owned(), ..Config::default() };
    let store = Store::open(&config.data_file).unwrap();
    let (board, now) = (StatusBoard::new(), quantum_clm::observe::now());
    let app = App::new(config, store, board.clone(), Metrics::new(board, "", "", now), now);
    sample::fill(&app, now).unwrap();
    sample::fill_jobs(&app, now).unwrap();
    more(&app);
    app.close();
}

/// The users `anna` (admin), `otto` (operator) and `vera` (viewer).
pub(super) fn add_users(daemon: &Daemon) {
    for (name, role) in [("anna", "admin"), ("otto", "operator"), ("vera", "viewer")] {
        let user = json!({"name": name, "role": role, "password": PASSWORD});
        let (status, answer) = daemon.ask("POST", "/api/users", &user);
        assert_eq!(status, 201, "{answer}");
    }
}

/// From the sign-in page to where it leads.
pub(super) async fn sign_in(browser: &Browser, user: &str) {
    browser.goto("/sign-in").await;
    browser.fill("User", user).await;
    browser.fill("Password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.arrives("/").await;
}

/// Lines and when they were written.
fn story() -> Vec<(u64, Line)> {
    const SYMBOLS: [&str; 6] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "1000PEPEUSDT", "OPUSDC"];
    const MINUTE: u64 = Micros::HOUR / 60;
    let now = quantum_clm::observe::now().0;
    let mut random = Random(1);
    let mut lines = Vec::new();
    for minute in (1..240).rev() {
        let at = now - minute * MINUTE;
        let symbol = SYMBOLS[random.below(6) as usize];
        let side = ["BUY", "SELL", "HOLD", "HOLD"][random.below(4) as usize];
        let id = format!("00000000-0000-4000-8000-{minute:012x}");
        decision(&mut lines, at, symbol, side, &id, minute % 3 == 0);
    }
    decision(&mut lines, now - MINUTE / 2, "BTCUSDT", "BUY", PATH, false);
    let hour = now - now % Micros::HOUR;
    for number in 0..25 {
        let text =
            format!("[ERROR] [RISK] limit check {number} failed: ConnectionError: exchange did not answer in 5 s");
        lines.push((hour + number * 1_000, Line::new(RISK, text).set("PRIORITY", "3")));
    }
    lines
}

/// A decision's lines, from the engine to the order or to where it died.
fn decision(lines: &mut Vec<(u64, Line)>, at: u64, symbol: &str, side: &str, id: &str, blocked: bool) {
    let [engine, strategy, risk, execution] = UNITS;
    let text = format!("[AI-ENGINE] signal for {symbol}: {side} (confidence=71%)");
    let signal = json!({"level": "INFO", "service": "ai_engine", "correlation_id": id, "msg": text}).to_string();
    let mut line = |after: u64, unit: &str, text: &str| lines.push((at + after, Line::new(unit, text)));
    line(0, engine, &signal);
    if side == "HOLD" {
        return;
    }
    line(2_000, strategy, &format!("[INFO] [STRATEGY] plan accepted: {symbol} {side} conf=0.71 correlation_id={id}"));
    if blocked {
        let text = format!("[WARNING] [RISK] {symbol} {side} blocked: exposure limit reached, correlation_id={id}");
        line(4_000, risk, &text);
        return;
    }
    line(5_000, risk, &format!("[INFO] [RISK] approved: {symbol} {side} correlation_id={id}"));
    line(6_000, execution, &format!("[INFO] [EXEC] order filled: {symbol} {side} qty=12, correlation_id={id}"));
}
