use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, links, page, show};
use crate::app::App;
use crate::app::views::trade_path::{TradePathView, Window};
use crate::domain::event::Decision;
use crate::domain::stage::Stage;
use crate::domain::trade_path::StageFlow;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/trade-path", Role::Viewer, trade_path)]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    window: String,
    symbol: String,
}

/// The decisions of one service.
struct SourceRow {
    name: &'static str,
    counts: [u64; 3],
    /// The events behind each; none for the services that are counted together.
    links: Option<[String; 3]>,
}

#[derive(Template)]
#[template(path = "trade_path.html")]
struct TradePathPage {
    frame: Frame,
    view: TradePathView,
    window: Window,
    symbol: String,
    sources: Vec<SourceRow>,
}

async fn trade_path(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let window = Window::parse(&query.window).unwrap_or(Window::Hour);
    let symbol = query.symbol.trim().to_owned();
    // All of it is in memory.
    let view =
        app.views.trade_path.summary(window, Some(symbol.as_str()).filter(|symbol| !symbol.is_empty()), observe::now());
    let sources = sources(&view, &symbol);
    let frame = Frame::of("Trade path", &caller).at("/trade-path");
    Ok(page(StatusCode::OK, &TradePathPage { frame, view, window, symbol, sources }))
}

fn sources(view: &TradePathView, symbol: &str) -> Vec<SourceRow> {
    let names = Stage::ALL.map(Some).into_iter().chain([None]);
    let since = view.summary.since.rfc3339();
    let rows = names.zip(view.summary.decisions).map(|(stage, counts)| SourceRow {
        name: stage.map_or("Other services", Stage::name),
        counts,
        links: stage.map(|stage| {
            [Decision::Buy, Decision::Sell, Decision::Hold].map(|decision| {
                links::events([
                    ("source", stage.source()),
                    ("decision", decision.as_str()),
                    ("symbol", symbol),
                    ("since", &since),
                ])
            })
        }),
    });
    // Services beside the path are named only where they decide.
    rows.filter(|row| row.links.is_some() || row.total() > 0).collect()
}

impl SourceRow {
    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Widths of the three parts of a bar that is 100 wide, and where each begins.
    fn bar(&self) -> [(f64, f64); 3] {
        let mut from = 0.0;
        self.counts.map(|count| {
            let width = if self.total() == 0 { 0.0 } else { count as f64 * 100.0 / self.total() as f64 };
            from += width;
            (from - width, width)
        })
    }
}

impl TradePathPage {
    fn address(&self, window: &Window) -> String {
        links::with_query("/trade-path", [("window", window.word()), ("symbol", &self.symbol)])
    }

    /// Where most signals stop, in a sentence.
    fn verdict(&self) -> String {
        let flow = &self.view.summary.flow;
        let stopped = flow.iter().filter(|at| at.stage != Stage::Execution).max_by_key(|at| at.stopped);
        let executed = flow.iter().find(|at| at.stage == Stage::Execution).map_or(0, |at| at.seen);
        let all = self.view.summary.to_trade;
        match stopped.filter(|at| at.stopped > 0) {
            _ if all == 0 => "No signal wanted to trade in this window.".to_owned(),
            None if all == 1 => "The one signal to trade reached execution.".to_owned(),
            None => format!("All {} signals to trade reached execution.", show::count(all)),
            Some(at) => format!(
                "Of {} {} to trade, {} ({}) reached execution. Most of the others stop at {}: {}.",
                show::count(all),
                if all == 1 { "signal" } else { "signals" },
                show::count(executed),
                show::share(executed, all),
                at.stage.name(),
                show::count(at.stopped)
            ),
        }
    }

    /// Width of a bar, of 100, that stands for all signals to trade.
    fn width(&self, count: &u64) -> f64 {
        let all = self.view.summary.to_trade;
        if all == 0 { 0.0 } else { *count as f64 * 100.0 / all as f64 }
    }

    fn is_last(&self, at: &StageFlow) -> bool {
        at.stage == Stage::Execution
    }
}
