use std::path::PathBuf;
use std::sync::Arc;

use quantum_clm::domain::batch::EventBatch;
use quantum_clm::domain::event::{Decision, EventRef, Level};
use quantum_clm::domain::id::EventId;
use quantum_clm::domain::time::Micros;
use quantum_clm::store::{Store, StoreError};

/// A store, and a journal of numbered lines that fills it.
pub(crate) struct Feed {
    directory: tempfile::TempDir,
    file: PathBuf,
    files: u32,
    store: Option<Arc<Store>>,
    /// What the appliance's clock shows, in milliseconds.
    pub(crate) clock: u64,
    /// The journal's lines that were read so far.
    pub(crate) read: u64,
    /// The lines there are: those beyond `read` come again after a restore.
    pub(crate) written: u64,
}

impl Feed {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("quantum.redb");
        let store = Some(Arc::new(Store::open(&file).expect("a new file")));
        let clock = quantum_clm::observe::now().millis();
        Self { directory, file, files: 0, store, clock, read: 0, written: 0 }
    }

    pub(crate) fn store(&self) -> Arc<Store> {
        self.store.clone().expect("an open store")
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// Writes lines to the journal and reads all there are, in one commit.
    pub(crate) fn append(&mut self, lines: u64) {
        self.written += lines;
        self.clock += 1;
        let mut batch = EventBatch::new();
        for number in self.read..self.written {
            let message = format!("line {number} ");
            batch.push(line(number, &message));
        }
        self.read = self.written;
        let now = Micros::from_millis(self.clock);
        self.store()
            .write::<_, StoreError>(|txn| {
                batch.number(txn.feed().last.first_at(now));
                txn.append(&batch)?;
                txn.finish_feed(None)
            })
            .expect("a commit");
    }

    /// Copies the data file: its path, and how far it had read.
    pub(crate) fn backup(&mut self) -> (PathBuf, u64) {
        self.files += 1;
        let path = self.directory.path().join(format!("backup-{}.redb", self.files));
        self.store().copy_to(&path).expect("a copy");
        (path, self.read)
    }

    /// Puts a backup in the place of the data file. Nobody may hold the store.
    pub(crate) fn restore(&mut self, backup: &(PathBuf, u64)) {
        let store = self.store.take().expect("an open store");
        let mut store = Some(store);
        let store = super::wait_for_some(
            || match Arc::try_unwrap(store.take().expect("it is put back")) {
                Ok(store) => Some(store),
                Err(shared) => {
                    store = Some(shared);
                    None
                }
            },
            || "somebody still holds the store".into(),
        );
        store.close();
        std::fs::copy(&backup.0, &self.file).expect("a copy");
        self.store = Some(Arc::new(Store::open(&self.file).expect("a data file")));
        self.read = backup.1;
    }

    /// All events in the store: id and number of the line.
    pub(crate) fn all(&self) -> Vec<(EventId, u64)> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map_or(EventId::ZERO, |(id, _)| *id);
            let events = self.store().events_after(after, 1).expect("events");
            if events.is_empty() {
                return all;
            }
            all.extend(events.iter().map(|event| (event.id, number_of(event.message))));
        }
    }
}

pub(crate) fn number_of(message: &str) -> u64 {
    message
        .strip_prefix("line ")
        .or(message.strip_prefix("n "))
        .and_then(|text| text.trim().parse().ok())
        .expect("a numbered line")
}

/// Line `number` of the journal: always the same, however often it is read.
pub(crate) fn line(number: u64, message: &str) -> EventRef<'_> {
    EventRef {
        id: EventId::ZERO,
        ts: Micros(1_768_621_479_809_316 + number * 1_000),
        unit: ["quantum-ai-engine.service", "quantum-execution.service"][(number % 2) as usize],
        source: ["ai_engine", "execution"][(number % 2) as usize],
        host: "quantumtrader-prod-1",
        level: if number.is_multiple_of(10) { Level::WARNING } else { Level::INFO },
        message,
        symbol: number.is_multiple_of(3).then_some("INJUSDT"),
        correlation_id: number.is_multiple_of(5).then_some("60965827-3887-45f4-9153-cca5cf1c301f"),
        decision: number.is_multiple_of(7).then_some(Decision::Buy),
        confidence: number.is_multiple_of(7).then_some(0.69),
        fields: None,
    }
}
