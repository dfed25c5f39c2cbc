//! Hourly counters as keys: `SET key value EX seconds`, so that sending one twice changes nothing.

use std::sync::Arc;

use super::condition::MirrorError;
use super::connection::Connection;
use super::resp::{self, Reply};
use super::stats::MirrorStats;
use crate::domain::counter::Counter;
use crate::domain::time::Micros;
use crate::store::Store;

const CHUNK: usize = 1_000;

/// Sends the counters that changed since the last call. When that fails, all count as changed.
pub(super) async fn send(
    connection: &mut Connection,
    store: &Arc<Store>,
    stats: &MirrorStats,
    now: Micros,
) -> Result<(), MirrorError> {
    let result = try_send(connection, store, stats, now).await;
    if result.is_err() {
        store.counter_changes().all();
    }
    result
}

async fn try_send(
    connection: &mut Connection,
    store: &Arc<Store>,
    stats: &MirrorStats,
    now: Micros,
) -> Result<(), MirrorError> {
    let from = store.clone();
    let counters = tokio::task::spawn_blocking(move || match from.counter_changes().take() {
        Some(keys) if keys.is_empty() => Ok(Vec::new()),
        Some(keys) => from.counters_of(&keys),
        None => from.counters_changed_since(now.minus(Micros::DAY)),
    })
    .await??;
    for counters in counters.chunks(CHUNK) {
        let mut bytes = Vec::new();
        let mut commands = 0;
        for counter in counters {
            commands += usize::from(pack(&mut bytes, counter, now));
        }
        let replies = connection.pipeline(&bytes, commands).await?;
        if let Some(Reply::Error(line)) = replies.into_iter().find(|reply| matches!(reply, Reply::Error(_))) {
            return Err(MirrorError::Refused(line));
        }
        stats.add_counters_sent(commands as u64);
    }
    Ok(())
}

/// The command for one counter, whose key expires 24 h after it last grew; none when that is over.
fn pack(bytes: &mut Vec<u8>, counter: &Counter, now: Micros) -> bool {
    let age = now.seconds().saturating_sub(counter.changed.seconds());
    let seconds = (Micros::DAY / Micros::SECOND).saturating_sub(age);
    if seconds == 0 {
        return false;
    }
    let key = format!("quantum:clm:{}:{}:{}", counter.kind.redis_word(), counter.name, counter.hour);
    let (value, seconds) = (counter.count.to_string(), seconds.to_string());
    resp::command(bytes, &[b"SET", key.as_bytes(), value.as_bytes(), b"EX", seconds.as_bytes()]);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::counter::CounterKind;

    fn check(age_seconds: u64, expected: &str) {
        let now = Micros(1_768_621_479_809_316);
        let counter = Counter {
            hour: now.hour(),
            kind: CounterKind::Errors,
            name: "quantum-execution.service".into(),
            count: 32,
            changed: now.minus(age_seconds * Micros::SECOND),
        };
        let mut bytes = Vec::new();
        pack(&mut bytes, &counter, now);
        let words: Vec<&str> = std::str::from_utf8(&bytes)
            .expect("text")
            .split("\r\n")
            .filter(|line| !line.is_empty() && !line.starts_with(['*', '$']))
            .collect();
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn a_key_lives_a_day_after_its_last_change() {
        check(0, "SET quantum:clm:errors:quantum-execution.service:2026011703 32 EX 86400");
        check(86_399, "SET quantum:clm:errors:quantum-execution.service:2026011703 32 EX 1");
        check(86_400, "");
    }
}
