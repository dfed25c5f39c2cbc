//! Figures over time: like a [`super::chart::Chart`] a table with a picture that the script draws from it, but of figures
//! that are no counts, at instants that may be any.

use askama::Template;
use askama::filters::HtmlSafe;

use super::show;
use crate::domain::time::Micros;

/// A chart of figures, as the template `curve.html` writes it.
#[derive(Clone, Debug, Template)]
#[template(path = "curve.html")]
pub(in crate::http) struct Curve {
    /// Unique on its page.
    id: &'static str,
    title: String,
    /// What there is to see, for those who see no picture.
    summary: String,
    unit: Unit,
    /// What a row stands for.
    head: &'static str,
    rows: Vec<Row>,
    lines: Vec<Line>,
    /// Whether each figure is marked, because there are few and what lies between them is nothing.
    points: bool,
    threshold: Option<f64>,
}

/// How figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Unit {
    /// `1.45`.
    Ratio,
    /// `12.3 %` of a share.
    Percent,
}

/// Where a row stands.
#[derive(Clone, Debug)]
pub(in crate::http) struct Row {
    /// On the axis.
    pub(in crate::http) at: Micros,
    /// What is there, where it is more than an instant: its words, and where they lead.
    pub(in crate::http) link: Option<(String, String)>,
}

/// One line of the chart.
#[derive(Clone, Debug)]
pub(in crate::http) struct Line {
    /// What it is of.
    pub(in crate::http) name: String,
    /// A figure a row; none where there is a gap.
    pub(in crate::http) figures: Vec<Option<f64>>,
}

// Names that came from outside are escaped by its own template.
impl HtmlSafe for Curve {}

impl Curve {
    /// Figures of days.
    pub(in crate::http) fn of_days(
        id: &'static str,
        title: impl Into<String>,
        summary: String,
        days: impl IntoIterator<Item = Micros>,
        lines: Vec<Line>,
    ) -> Self {
        let rows = days.into_iter().map(|at| Row { at, link: None }).collect();
        let (title, unit, head) = (title.into(), Unit::Percent, "Day (UTC)");
        Self { id, title, summary, unit, head, rows, lines, points: false, threshold: None }
    }

    /// One figure of each of several things, in order of their time.
    pub(in crate::http) fn of_each(
        id: &'static str,
        title: impl Into<String>,
        summary: String,
        unit: Unit,
        head: &'static str,
        rows: Vec<Row>,
        line: Line,
    ) -> Self {
        let (title, lines) = (title.into(), vec![line]);
        Self { id, title, summary, unit, head, rows, lines, points: true, threshold: None }
    }

    /// With the line that it is held against.
    pub(in crate::http) fn threshold(self, threshold: Option<f64>) -> Self {
        Self { threshold, ..self }
    }

    fn unit_name(&self) -> &'static str {
        match self.unit {
            Unit::Ratio => "ratio",
            Unit::Percent => "percent",
        }
    }

    /// The figures of a row, each as it is and as it is written.
    fn figures(&self, row: usize) -> impl Iterator<Item = Option<(f64, String)>> + '_ {
        self.lines.iter().map(move |line| {
            let value = line.figures.get(row).copied().flatten()?;
            Some((
                value,
                match self.unit {
                    Unit::Ratio => show::ratio(value),
                    Unit::Percent => show::percent(value),
                },
            ))
        })
    }

    /// The row's instant: days need no minutes.
    fn at(&self, row: &Row) -> show::Time {
        if self.points { show::minute(row.at) } else { show::day(row.at) }
    }
}
