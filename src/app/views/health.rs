use super::charts::{ChartMemory, Charts, Window};
use super::intents::unresolved;
use crate::app::App;
use crate::domain::disk::{Outlook, Room};
use crate::domain::health::{Component, Health, State};
use crate::domain::intent::Intent;
use crate::domain::time::Micros;
use crate::store::{FeedState, RESERVE_BYTES, Store, StoreError, StoredGap};

/// Intents that the page names.
const WORST: usize = 3;

/// The Health page. What lies in the data file is absent where that cannot be read: the components say why.
#[derive(Clone, Debug)]
pub struct HealthView {
    /// The verdict.
    pub health: Health,
    /// Every component, the worst first.
    pub components: Vec<Component>,
    /// Stored events that Redis does not have yet; none without a mirror.
    pub mirror_lag: Option<u64>,
    /// What is looked up.
    pub file: Option<FileView>,
}

/// What the page shows of the data file.
#[derive(Clone, Debug)]
pub struct FileView {
    /// The feed's state.
    pub feed: FeedState,
    /// Size of the file.
    pub bytes: u64,
    /// Bytes free on its disk; none where the system does not tell.
    pub free: Option<u64>,
    /// How long that will do.
    pub outlook: Option<Outlook>,
    /// Events of the last 24 hours, and errors among them.
    pub a_day: (u64, u64),
    /// The newest gap.
    pub gap: Option<StoredGap>,
    /// Intents that are not resolved: how many, and the worst of them.
    pub intents: (usize, Vec<Intent>),
    /// The charts.
    pub charts: Charts,
}

impl HealthView {
    /// Looks everything up.
    pub fn find(app: &App, window: Window, now: Micros) -> Self {
        let mut components = app.board.all();
        components.sort_by(|one, other| other.state.cmp(&one.state).then_with(|| one.name.cmp(&other.name)));
        let mirror = components.iter().find(|part| part.name == "mirror" && part.state != State::Off);
        Self {
            health: app.health(false),
            mirror_lag: mirror.and_then(|part| part.figures.get("lag_events").copied()),
            // A data file that cannot be read is among the components; it must not keep them from being shown.
            file: FileView::find(app, window, now).ok(),
            components,
        }
    }

    /// The components about which there is something to say, the worst first.
    pub fn concerns(&self) -> impl Iterator<Item = &Component> {
        self.components.iter().filter(|part| part.state >= State::Warn)
    }
}

impl FileView {
    fn find(app: &App, window: Window, now: Micros) -> Result<Self, StoreError> {
        let store = &app.store;
        let charts = Charts::find(store, &app.views.charts, window, now)?;
        let a_day = if window == Window::Day { charts.totals } else { last_day(store, &app.views.charts, now)? };
        let (feed, bytes) = (store.feed(), std::fs::metadata(store.path()).map_or(0, |metadata| metadata.len()));
        let free = store.room().ok().map(|room| room.free);
        let outlook = free.map(|free| {
            let room = Room {
                free: free.saturating_sub(RESERVE_BYTES),
                events_bytes: bytes,
                kept: feed.kept,
                a_day: a_day.0,
                retention_days: app.config.events.retention_days,
                retention_bytes: app.config.events.retention_bytes,
            };
            room.outlook()
        });
        Ok(Self {
            bytes,
            free,
            outlook,
            a_day,
            gap: store.gaps(1)?.into_iter().next(),
            intents: worst(store)?,
            feed,
            charts,
        })
    }
}

fn last_day(store: &Store, memory: &ChartMemory, now: Micros) -> Result<(u64, u64), StoreError> {
    Ok(Charts::find(store, memory, Window::Day, now)?.totals)
}

fn worst(store: &Store) -> Result<(usize, Vec<Intent>), StoreError> {
    let mut open = unresolved(store)?;
    let count = open.len();
    open.truncate(WORST);
    Ok((count, open))
}
