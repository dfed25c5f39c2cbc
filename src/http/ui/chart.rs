//! A chart: a table with a picture that the script draws from it.

use askama::Template;
use askama::filters::HtmlSafe;

use super::show;
use crate::domain::hourly::{Series, Steps};
use crate::domain::time::Hour;

/// A chart, as the template `chart.html` writes it.
#[derive(Clone, Debug, Template)]
#[template(path = "chart.html")]
pub(in crate::http) struct Chart {
    /// Unique on its page.
    id: &'static str,
    title: String,
    /// What there is to see, for those who see no picture.
    summary: String,
    steps: Steps,
    series: Vec<Series>,
    bars: bool,
    threshold: Option<u64>,
    mark: Option<Hour>,
}

// Names that came from outside are escaped by its own template.
impl HtmlSafe for Chart {}

impl Chart {
    /// Lines, one a series.
    pub(in crate::http) fn lines(id: &'static str, title: String, steps: Steps, series: Vec<Series>) -> Self {
        let summary = summary(&series);
        Self { id, title, summary, steps, series, bars: false, threshold: None, mark: None }
    }

    /// Bars of one series, with the line that they should stay under and the hour that it is about.
    pub(in crate::http) fn bars(
        id: &'static str,
        title: String,
        summary: String,
        steps: Steps,
        series: Series,
        threshold: u64,
        mark: Hour,
    ) -> Self {
        let (series, threshold, mark) = (vec![series], Some(threshold), Some(mark));
        Self { id, title, summary, steps, series, bars: true, threshold, mark }
    }

    fn names(&self) -> impl Iterator<Item = String> + '_ {
        self.series.iter().map(name)
    }

    /// The table's rows: where each step begins, and its figures.
    fn rows(&self) -> impl Iterator<Item = (show::Time, impl Iterator<Item = String> + '_)> + '_ {
        self.steps.starts().enumerate().map(|(row, hour)| {
            let counts = self.series.iter().map(move |series| series.counts.get(row).copied().unwrap_or_default());
            (show::minute(hour.start()), counts.map(show::count))
        })
    }
}

/// The name of a series.
fn name(series: &Series) -> String {
    match &series.name {
        Some(name) => name.strip_suffix(".service").unwrap_or(name).to_owned(),
        None => format!("other ({})", series.names),
    }
}

fn summary(series: &[Series]) -> String {
    let Some(first) = series.first() else { return "Nothing was counted.".to_owned() };
    let total: u64 = series.iter().map(Series::total).sum();
    let most = format!("{} {}", name(first), show::count(first.total()));
    if series.len() == 1 { format!("{}.", most) } else { format!("{} in all; most: {most}.", show::count(total)) }
}
