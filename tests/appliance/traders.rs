//! Services named like the trading units, which say numbered lines to the system's journal.

use std::path::Path;
use std::time::{Duration, Instant};

use super::system::System;
use crate::support::daemon::UNITS;

/// Lists what the services said, a line each and sorted: as the journal has it, the store, and Redis.
pub(super) const LIST: &str = "
told() { grep -o 'signal:[a-z-]*:[0-9a-f]*:[0-9]*' | sort; }
of_journal() { journalctl -q -o cat -u quantum-ai-engine -u quantum-strategy-brain -u quantum-risk-brain -u quantum-execution | told; }
of_store() { quantum-clm --json events --limit 100000 | told; }
of_redis() { redis-cli --raw XRANGE quantum:stream:utf - + | told; }
";

/// They write for as long as the system is up.
#[track_caller]
pub(super) fn start(system: &System) {
    let trader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/appliance/trader");
    system.put(&trader, "/usr/local/bin/trader");
    for unit in UNITS {
        let name = unit.trim_end_matches(".service");
        let text = format!(
            "[Service]\nExecStart=/usr/local/bin/trader {name}\nDynamicUser=yes\nRestart=always\n\
             [Install]\nWantedBy=multi-user.target\n"
        );
        system.write(&format!("/etc/systemd/system/{unit}"), 0o644, &text);
    }
    system.sh(&format!("systemctl daemon-reload; systemctl enable --quiet --now {}", UNITS.join(" ")));
}

#[track_caller]
pub(super) fn stop(system: &System) {
    system.sh(&format!("systemctl stop {}; journalctl --sync", UNITS.join(" ")));
}

/// Waits until everything that the journal has is in the store and in Redis, each once.
#[track_caller]
pub(super) fn wait_for_all(system: &System) {
    let same = format!(
        "{LIST} of=$(of_journal | md5sum); [ \"$of\" = \"$(of_store | md5sum)\" ] && [ \"$of\" = \"$(of_redis | md5sum)\" ]"
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    while system.try_sh(&same).code != Some(0) {
        if Instant::now() > deadline {
            let differ = system.sh(&format!(
                "{LIST} of_journal >/tmp/journal; of_store >/tmp/store; of_redis >/tmp/redis; cd /tmp; wc -l journal store redis; \
                 diff journal store | head -20; diff journal redis | head -20; true"
            ));
            panic!("what the services said is not what was stored and mirrored, each once:\n{differ}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
