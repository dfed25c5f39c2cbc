use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, links, page, show};
use crate::app::App;
use crate::app::views::events::{EventsView, Patience};
use crate::domain::event::{Decision, Level};
use crate::domain::id::EventId;
use crate::domain::instant;
use crate::domain::stage::Stage;
use crate::domain::time::Micros;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;
use crate::store::EventFilter;

/// Events of a page.
const PAGE: usize = 100;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/events", Role::Viewer, events)]
}

/// The filters as the form holds them: what does not fit is shown with what is wrong with it, so they are texts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    since: String,
    until: String,
    unit: String,
    source: String,
    host: String,
    symbol: String,
    level: String,
    decision: String,
    correlation_id: String,
    grep: String,
    cursor: String,
    patience: String,
}

impl Query {
    /// What narrows the list, in the form's order.
    fn filters(&self) -> [(&'static str, &'static str, &str); 10] {
        [
            ("since", "Since", self.since.trim()),
            ("until", "Until", self.until.trim()),
            ("unit", "Unit", self.unit.trim()),
            ("source", "Service", self.source.trim()),
            ("host", "Host", self.host.trim()),
            ("symbol", "Symbol", self.symbol.trim()),
            ("level", "Level", self.level.trim()),
            ("decision", "Decision", self.decision.trim()),
            ("correlation_id", "Correlation id", self.correlation_id.trim()),
            // A text is looked for as it is.
            ("grep", "Text", &self.grep),
        ]
    }

    /// The address of this list, with other parameters besides.
    fn address<'a>(&'a self, more: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        links::events(self.filters().into_iter().map(|(name, _, value)| (name, value)).chain(more))
    }

    fn read(&self, now: Micros) -> Read {
        let mut read = Read { before: EventId::MAX, ..Read::default() };
        for (name, _, value) in self.filters().into_iter().filter(|(.., value)| !value.is_empty()) {
            if let Err(why) = read.take(name, value, now) {
                read.misfits.push((name, why));
            }
        }
        if !self.cursor.is_empty() {
            match self.cursor.parse() {
                Ok(before) => read.before = before,
                Err(_) => read.misfits.push(("cursor", "this is not where a list went on: begin anew".to_owned())),
            }
        }
        if let (Some(since), Some(until)) = (read.filter.since, read.filter.until)
            && since >= until
        {
            read.misfits.push(("until", "not after the beginning".to_owned()));
        }
        read
    }
}

/// What the form says.
#[derive(Debug, Default)]
struct Read {
    filter: EventFilter,
    before: EventId,
    misfits: Vec<(&'static str, String)>,
}

impl Read {
    fn take(&mut self, name: &str, value: &str, now: Micros) -> Result<(), String> {
        let text = || Some(value.to_owned());
        match name {
            "since" => self.filter.since = Some(instant::parse(value, now).map_err(|error| error.to_string())?),
            "until" => self.filter.until = Some(instant::parse(value, now).map_err(|error| error.to_string())?),
            "unit" => self.filter.unit = text(),
            "source" => self.filter.source = text(),
            "host" => self.filter.host = text(),
            "symbol" => self.filter.symbol = text(),
            "level" => self.filter.level = Some(value.parse::<Level>().map_err(|error| error.to_string())?),
            "decision" => self.filter.decision = Some(value.parse::<Decision>().map_err(|error| error.to_string())?),
            "correlation_id" => self.filter.correlation_id = text(),
            _ => self.filter.grep = text(),
        }
        Ok(())
    }
}

/// A filter that is set, and the list without it.
struct Chip {
    name: &'static str,
    value: String,
    without: String,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    frame: Frame,
    query: Query,
    misfits: Vec<(&'static str, String)>,
    units: Vec<String>,
    chips: Vec<Chip>,
    view: EventsView,
    /// Where the live tail comes from; empty where the list is not its beginning.
    stream: String,
    /// The next page; empty at the end.
    older: String,
    further: String,
    first: String,
    now: Micros,
}

impl EventsPage {
    fn misfit(&self, name: &str) -> Option<&String> {
        self.misfits.iter().find(|(at, _)| *at == name).map(|(_, why)| why)
    }

    fn levels(&self) -> impl Iterator<Item = Level> {
        (0..=7).filter_map(Level::new)
    }

    fn decisions(&self) -> [Decision; 3] {
        [Decision::Buy, Decision::Sell, Decision::Hold]
    }

    fn is_first(&self) -> bool {
        self.query.cursor.is_empty()
    }
}

async fn events(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    let now = observe::now();
    let Read { filter, before, misfits } = query.read(now);
    let patience = if query.patience == "long" { Patience::Long } else { Patience::Page };
    let units = app.config.journal.units.clone();
    let (fits, wanted) = (misfits.is_empty(), filter.clone());
    // Before the list is read: what is stored meanwhile comes twice, and the script knows by its id that it does.
    let newest = app.store.committed().borrow().last.to_string();
    let view = if fits {
        blocking(move || EventsView::find(&app.store, &wanted, before, PAGE, patience)).await?
    } else {
        EventsView::default()
    };
    let next = view.next.map(|next| next.to_string()).unwrap_or_default();
    // The tail has no use for a window that ends, and goes on from the newest events only.
    let live = fits && filter.until.is_none() && query.cursor.is_empty();
    let shown = EventsPage {
        frame: Frame::of("Events", &caller).at("/events"),
        chips: chips(&query),
        stream: if live { stream(&query, &newest) } else { String::new() },
        older: if next.is_empty() { String::new() } else { query.address([("cursor", next.as_str())]) },
        further: query.address([("cursor", next.as_str()), ("patience", "long")]),
        first: query.address([]),
        query,
        misfits,
        units,
        view,
        now,
    };
    Ok(page(if fits { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }, &shown))
}

fn chips(query: &Query) -> Vec<Chip> {
    let set = query.filters().into_iter().filter(|(.., value)| !value.is_empty());
    set.map(|(field, name, value)| {
        let rest = query.filters().into_iter().filter(|(other, ..)| *other != field);
        let without = links::events(rest.map(|(other, _, value)| (other, value)));
        Chip { name, value: value.to_owned(), without }
    })
    .collect()
}

/// The live tail of what the list shows, behind what was stored when the list was read. That is now, so it needs no
/// beginning in time.
fn stream(query: &Query, newest: &str) -> String {
    let filters = query.filters().into_iter().filter(|(field, ..)| !matches!(*field, "since" | "until"));
    let filters = filters.map(|(field, _, value)| (field, value));
    links::with_query("/api/events/stream", filters.chain([("last_event_id", newest)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        serde_urlencoded::from_str(text).unwrap()
    }

    #[test]
    fn filters_are_read_and_misfits_named() {
        let now = Micros(1_768_621_479_809_316);
        let read = query("since=-1h&unit=+a+&level=warn&decision=buy&grep=+x+&cursor=17-3").read(now);
        assert_eq!((read.misfits, read.before), (vec![], EventId::new(17, 3)));
        let expect = EventFilter {
            since: Some(now.minus(Micros::HOUR)),
            unit: Some("a".into()),
            level: Some(Level::WARNING),
            decision: Some(Decision::Buy),
            grep: Some(" x ".into()),
            ..EventFilter::default()
        };
        assert_eq!(read.filter, expect);
        let bad = query("since=soon&until=-2h&level=loud&decision=MAYBE&cursor=x").read(now);
        assert_eq!(bad.misfits.iter().map(|(at, _)| *at).collect::<Vec<_>>(), ["since", "level", "decision", "cursor"]);
        assert_eq!(query("since=-1h&until=-2h").read(now).misfits[0].0, "until");
    }

    #[test]
    fn each_chip_leads_to_the_list_without_it() {
        let chips = chips(&query("unit=a%26b&symbol=BTCUSDT&cursor=17-3"));
        let shown: Vec<_> = chips.iter().map(|c| (c.name, c.value.as_str(), c.without.as_str())).collect();
        assert_eq!(
            shown,
            [("Unit", "a&b", "/events?symbol=BTCUSDT"), ("Symbol", "BTCUSDT", "/events?unit=a%26b")],
            "and to its beginning"
        );
    }

    #[test]
    fn the_tail_has_the_filters_of_the_list() {
        let stream = stream(&query("since=-1h&unit=a&grep=x+y"), "17-3");
        assert_eq!(stream, "/api/events/stream?unit=a&grep=x%20y&last_event_id=17-3");
    }
}
