//! What the pages show, put together from the data file, the status board and what is kept in memory. One file a page.

/// Hourly figures for charts.
pub mod charts;
/// One event with its neighbours, and the path of one correlation id.
pub mod event;
/// The Events page: a search that says how far it looked.
pub mod events;
/// The Health page.
pub mod health;
/// The Intents pages.
pub mod intents;
/// The Jobs page.
pub mod jobs;
/// The pages of models and their versions.
pub mod registry;
/// The Schedule page.
pub mod schedule;
/// The Trade path page, and what keeps its figures.
pub mod trade_path;

/// What pages keep in memory between one look and the next.
#[derive(Debug, Default)]
pub struct Memory {
    /// Sums for charts.
    pub charts: charts::ChartMemory,
    /// The figures of the Trade path page.
    pub trade_path: trade_path::TradePathMemory,
}
