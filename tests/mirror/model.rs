//! The mirror against a model: whatever happens, the stream ends equal to the window of the store.

use std::path::PathBuf;

use quantum_clm::domain::id::EventId;

use super::{Running, STREAM, runtime, settings};
use crate::support::feed::{Feed, number_of};
use crate::support::proxy::{Cut, Proxy};
use crate::support::redis::RedisServer;
use crate::support::{Random, wait_for_some};

const MAXLEN: u64 = 300;

/// What is wrong with the stream, if anything is: our events must be the newest of the store, each once, in order, and
/// as many as the window holds beside what others wrote.
fn difference(redis: &mut RedisServer, feed: &Feed) -> Option<String> {
    let mut own: Vec<(EventId, u64)> = Vec::new();
    let mut foreign = 0;
    if redis.run::<bool>(&["EXISTS", STREAM]) {
        for (entry, value) in redis.entries(STREAM, "event") {
            let json: serde_json::Value = value.and_then(|value| serde_json::from_str(&value).ok()).unwrap_or_default();
            match json.get("id").and_then(|id| id.as_str()) {
                None => foreign += 1,
                Some(id) => {
                    let number = number_of(json["message"].as_str().expect("a message"));
                    own.push((id.parse().unwrap_or_else(|_| panic!("{entry} carries {id}")), number));
                }
            }
        }
    }
    let all = feed.all();
    if let Some(pair) = own.windows(2).find(|pair| pair[0].0 >= pair[1].0 || pair[0].1 >= pair[1].1) {
        return Some(format!("it is out of order: {pair:?}"));
    }
    // `MAXLEN ~` leaves some older ones, and after a long absence they need not join on to the window.
    let own = own.split_off(own.len().saturating_sub(MAXLEN as usize));
    let expected = &all[all.len().saturating_sub(own.len())..];
    if own != expected {
        let numbers = |list: &[(EventId, u64)]| {
            let first = list.first().map(|(id, number)| (id.to_string(), *number));
            (first, list.last().map(|(id, number)| (id.to_string(), *number)), list.len())
        };
        return Some(format!("it holds {:?}, the store ends with {:?}", numbers(&own), numbers(expected)));
    }
    let least = (all.len() as u64).min(MAXLEN.saturating_sub(foreign));
    ((own.len() as u64) < least).then(|| format!("it holds {} of ours, {least} are due", own.len()))
}

struct Run {
    random: Random,
    redis: RedisServer,
    proxy: Proxy,
    feed: Feed,
    mirror: Option<Running>,
    backup: Option<(PathBuf, u64)>,
    log: Vec<String>,
}

impl Run {
    fn start_mirror(&mut self, runtime: &tokio::runtime::Runtime) {
        let mut settings = settings(&self.proxy.url());
        settings.redis.maxlen = MAXLEN;
        self.mirror = Some(Running::start(runtime, self.feed.store(), settings));
    }

    fn end_mirror(&mut self, runtime: &tokio::runtime::Runtime) {
        let in_order = self.random.below(3) == 0;
        self.log.push(format!("mirror ends, in order: {in_order}"));
        match self.mirror.take() {
            Some(mirror) if in_order => mirror.stop(runtime),
            Some(mirror) => mirror.crash(runtime),
            None => {}
        }
    }

    fn step(&mut self, runtime: &tokio::runtime::Runtime) {
        match self.random.below(16) {
            0..=5 => {
                let lines = 1 + self.random.below(150);
                self.log.push(format!("append {lines}"));
                self.feed.append(lines);
            }
            6 => {
                self.end_mirror(runtime);
                self.start_mirror(runtime);
            }
            7 => {
                let how = self.random.below(3);
                self.log.push(format!("redis restarts: {how}"));
                match how {
                    0 => self.redis.stop(true),
                    1 => self.redis.stop(false),
                    _ => self.redis.kill(),
                }
                if self.random.below(2) == 0 {
                    self.feed.append(20);
                }
                self.redis.start();
            }
            8 => {
                self.log.push("flush".into());
                self.redis.run::<()>(&["FLUSHALL"]);
            }
            9 | 10 => {
                // Not an id that nothing can follow: that is shown in health, and tested there.
                let ahead = self.random.below(4) == 0;
                self.log.push(format!("foreign, ahead: {ahead}"));
                let ahead = format!("{}-5", self.feed.clock + 50);
                let id = if self.random.below(4) == 0 { ahead.as_str() } else { "*" };
                for _ in 0..=self.random.below(5) {
                    // Long before the first line: this is no predecessor whose events would not be sent again.
                    let event = r#"{"ts":"1000000","unit":"u","message":"line 1"}"#;
                    // The second one of the same id is refused.
                    let _ = self.redis.try_run(&["XADD", STREAM, id, "event", event]);
                }
            }
            11..=13 => {
                let bytes = self.random.below(40_000);
                let cut = match self.random.below(2) {
                    0 => Cut { answers: Some(bytes / 8), requests: None },
                    _ => Cut { answers: None, requests: Some(bytes) },
                };
                self.log.push(format!("{cut:?}"));
                self.proxy.cut(cut);
            }
            14 => {
                self.log.push("backup".into());
                self.backup = Some(self.feed.backup());
            }
            _ => {
                let Some(backup) = self.backup.take() else { return };
                self.end_mirror(runtime);
                let back = self.random.below(3) == 0;
                self.log.push(format!("restore of {}, clock back: {back}", backup.1));
                self.feed.restore(&backup);
                if back {
                    self.feed.clock -= self.feed.clock.min(100);
                }
                if self.random.below(2) == 0 {
                    self.start_mirror(runtime);
                    self.feed.append(0);
                } else {
                    self.feed.append(0);
                    self.start_mirror(runtime);
                }
            }
        }
        if self.random.below(3) == 0 {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let wrong = std::cell::RefCell::new(None);
        wait_for_some(
            || {
                *wrong.borrow_mut() = difference(&mut self.redis, &self.feed);
                wrong.borrow().is_none().then_some(())
            },
            || format!("{wrong:?}\n{:#?}\n{:#?}", self.log, self.mirror.as_ref().map(Running::status)),
        );
    }
}

#[test]
fn the_stream_ends_equal_to_the_window() {
    let number = |name: &str, otherwise| {
        std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok()).unwrap_or(otherwise)
    };
    let first = number("QUANTUM_MIRROR_SEED", 1);
    for seed in first..first + number("QUANTUM_MIRROR_RUNS", 40) {
        let runtime = runtime();
        let redis = RedisServer::started(&[]);
        let proxy = runtime.block_on(Proxy::start(redis.socket()));
        let log = vec![format!("QUANTUM_MIRROR_SEED={seed}")];
        let mut run = Run { random: Random(seed), redis, proxy, feed: Feed::new(), mirror: None, backup: None, log };
        run.start_mirror(&runtime);
        for _ in 0..20 {
            run.step(&runtime);
        }
        run.proxy.cut(Cut::default());
        run.settle();
        run.mirror.take().expect("a mirror").stop(&runtime);
        assert_eq!(difference(&mut run.redis, &run.feed), None, "after the stop: {:#?}", run.log);
    }
}
