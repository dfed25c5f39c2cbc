//! `/models/compare`: two to four versions beside each other, what they differ in first.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::curve::{Curve, Line};
use super::form::sentence;
use super::{Frame, Tone, links, page, registry, scorecard, show};
use crate::app::App;
use crate::app::registry::{MOST_COMPARED, RegistryError};
use crate::app::views::registry::compare::{Column, CompareView, share_interval, sharpe_interval};
use crate::domain::gates::{GateOutcome, Goal};
use crate::domain::model::{Evaluation, Figure, FigureOrigin, ModelId, Origin, VersionName};
use crate::domain::performance::Interval;
use crate::http::api::blocking;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::peer::{Caller, Role};
use crate::http::routes::Route;
use crate::observe;

pub(super) fn routes() -> Vec<Route<App>> {
    vec![Route::page("/models/compare", Role::Viewer, compare)]
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    frame: Frame,
    view: Option<CompareView>,
    /// What was asked for, as it was written.
    asked: Vec<String>,
    /// By groups: what differs, and what does not.
    differing: Vec<Group>,
    equal: Vec<Group>,
    chart: Option<Curve>,
}

/// Rows about one thing.
struct Group {
    name: &'static str,
    rows: Vec<CompareRow>,
}

struct CompareRow {
    name: String,
    cells: Vec<Cell>,
}

/// One version's word on one thing.
#[derive(PartialEq, Eq)]
struct Cell {
    text: String,
    /// A gate's outcome: the badge's class and its words.
    badge: Option<(&'static str, &'static str)>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, badge: None }
    }
}

async fn compare(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let asked: Vec<String> = query
        .into_iter()
        .filter(|(name, value)| name == "v" && !value.trim().is_empty())
        .map(|(_, value)| value.trim().to_owned())
        .collect();
    let frame = Frame::of("Compare versions", &caller).at("/models");
    let shown = |frame, view| ComparePage::of(frame, asked.clone(), view);
    let say =
        |frame: Frame, why: String| page(StatusCode::UNPROCESSABLE_ENTITY, &shown(frame.notice(Tone::Bad, why), None));
    let names: Result<Vec<_>, &String> = asked.iter().map(|text| pair(text).ok_or(text)).collect();
    let names = match names {
        Ok(names) if names.len() < 2 => return Ok(page(StatusCode::OK, &shown(frame, None))),
        Ok(names) => names,
        Err(text) => return Ok(say(frame, format!("{text:?} is no version: write model/version."))),
    };
    let look = move || Ok::<_, ApiError>(CompareView::find(&app.registry, &names, observe::now()));
    match blocking(look).await? {
        Ok(view) => Ok(page(StatusCode::OK, &shown(frame, Some(view)))),
        Err(RegistryError::Bad { why, .. }) => Ok(say(frame, sentence(why))),
        Err(error @ (RegistryError::NoModel(_) | RegistryError::NoVersion(..))) => Ok(say(frame, sentence(error))),
        Err(error) => Err(error.into()),
    }
}

/// `model/version`; neither has a slash.
fn pair(text: &str) -> Option<(ModelId, VersionName)> {
    let (model, version) = text.split_once('/')?;
    Some((model.parse().ok()?, version.parse().ok()?))
}

impl ComparePage {
    fn of(frame: Frame, asked: Vec<String>, view: Option<CompareView>) -> Self {
        let groups = view.as_ref().map(groups).unwrap_or_default();
        let (mut differing, mut equal) = (Vec::new(), Vec::new());
        for Group { name, rows } in groups {
            let (other, same): (Vec<_>, Vec<_>) = rows.into_iter().partition(CompareRow::differs);
            for (rows, groups) in [(other, &mut differing), (same, &mut equal)] {
                if !rows.is_empty() {
                    groups.push(Group { name, rows });
                }
            }
        }
        Self { frame, chart: view.as_ref().and_then(chart), view, asked, differing, equal }
    }

    fn equal_rows(&self) -> usize {
        self.equal.iter().map(|group| group.rows.len()).sum()
    }

    /// Whether another one can be added.
    fn has_room(&self) -> bool {
        self.asked.len() < MOST_COMPARED
    }

    /// The page without the version at this place, where enough are left.
    fn without(&self, at: &usize) -> Option<String> {
        if self.asked.len() <= 2 {
            return None;
        }
        let others = self.asked.iter().enumerate().filter(|(index, _)| index != at);
        Some(links::with_query("/models/compare", others.map(|(_, text)| ("v", text.as_str()))))
    }

    /// Above a column.
    fn head(&self, column: &Column) -> (String, String, String) {
        let (model, version) = (&column.compared.detail.model.id, &column.compared.detail.version.name);
        (model.to_string(), version.to_string(), links::version(model, version))
    }
}

impl CompareRow {
    fn differs(&self) -> bool {
        self.cells.windows(2).any(|pair| pair[0] != pair[1])
    }
}

fn groups(view: &CompareView) -> Vec<Group> {
    let columns = &view.columns;
    let row = |name: &str, cell: &dyn Fn(&Column) -> String| CompareRow {
        name: name.to_owned(),
        cells: columns.iter().map(|column| cell(column).into()).collect(),
    };
    let standing = vec![
        row("Status", &|column| column.compared.detail.status.to_string()),
        row("Score", &|column| or_dash(column.compared.detail.version.score.map(show::score))),
        row("Forced", &|column| match column.compared.detail.version.forced.as_slice() {
            [] => "no".to_owned(),
            forced => forced.iter().map(|mark| format!("by {}: {}", mark.by, mark.why)).collect::<Vec<_>>().join("; "),
        }),
    ];
    let figures = [("Out of sample", false), ("Shadow test", true)].map(|(name, shadow)| {
        let of = move |column: &Column| match shadow {
            false => column.compared.out_of_sample.clone(),
            true => column.compared.shadow.clone(),
        };
        Group { name, rows: figure_rows(columns, &of) }
    });
    let version = |column: &Column| column.compared.detail.version.clone();
    let parameters = view
        .parameters
        .iter()
        .map(|name| row(name, &|column| or_dash(version(column).provenance.parameters.get(name).cloned())));
    let tags = view.tags.iter().map(|name| row(name, &|column| or_dash(version(column).tags.get(name).cloned())));
    let minute = |at: crate::domain::time::Micros| at.datetime().format("%Y-%m-%d %H:%M").to_string();
    let provenance = vec![
        row("Made by", &|column| match version(column).provenance.origin {
            Origin::Job(job) => format!("job {job}"),
            Origin::Import(what) => format!("import of {what}"),
        }),
        row("Made from", &|column| or_dash(version(column).parent.map(|parent| parent.to_string()))),
        row("Registered", &|column| minute(version(column).created_at)),
        row("Data from", &|column| or_dash(version(column).provenance.data.map(|data| minute(data.from)))),
        row("Data to", &|column| or_dash(version(column).provenance.data.map(|data| minute(data.until)))),
        row("Features", &|column| or_dash(version(column).provenance.feature_count.map(|count| count.to_string()))),
        row("Code", &|column| or_dash(version(column).provenance.code_revision)),
        row("Files", &|column| or_dash(version(column).artifacts.map(|files| show::bytes(files.size())))),
    ];
    let mut groups = vec![
        Group { name: "Where it stands", rows: standing },
        Group { name: "Gates to production", rows: gate_rows(columns) },
        Group { name: "Parameters", rows: parameters.collect() },
    ];
    groups.extend(figures);
    groups.push(Group { name: "Tags", rows: tags.collect() });
    groups.push(Group { name: "Where it comes from", rows: provenance });
    groups
}

fn figure_rows(columns: &[Column], of: &dyn Fn(&Column) -> Option<Evaluation>) -> Vec<CompareRow> {
    let evaluations: Vec<Option<Evaluation>> = columns.iter().map(of).collect();
    if evaluations.iter().all(Option::is_none) {
        return Vec::new();
    }
    let row = |name: &str, cell: &dyn Fn(&Evaluation) -> Option<String>| CompareRow {
        name: name.to_owned(),
        cells: evaluations.iter().map(|evaluation| or_dash(evaluation.as_ref().and_then(cell)).into()).collect(),
    };
    vec![
        row("How", &|one| Some(format!("{}, no. {}", registry::kind(one.kind), one.id))),
        row("Days", &|one| Some(registry::days(one.period_days))),
        row("Sharpe ratio, annual", &|one| {
            with_interval(one.figures.plain.sharpe_ratio, sharpe_interval(&one.figures), show::ratio)
        }),
        row("… corrected for autocorrelation", &|one| one.figures.sharpe_lo.map(show::ratio)),
        row("Win rate", &|one| {
            let plain = &one.figures.plain;
            with_interval(plain.win_rate, share_interval(plain.win_rate, plain.total_trades), show::percent)
        }),
        row("Profit factor", &|one| with_interval(one.figures.plain.profit_factor, None, show::ratio)),
        row("Largest drawdown", &|one| with_interval(one.figures.plain.max_drawdown, None, show::percent)),
        row("Trades", &|one| {
            with_interval(one.figures.plain.total_trades, None, |count: f64| show::count(count as u64))
        }),
        row("Sortino ratio, annual", &|one| with_interval(one.figures.plain.sortino_ratio, None, show::ratio)),
        row("Calmar ratio", &|one| with_interval(one.figures.plain.calmar_ratio, None, show::ratio)),
        row("Return in all", &|one| with_interval(one.figures.plain.total_pnl, None, show::percent)),
        row("PSR(0)", &|one| one.figures.psr.map(show::probability)),
    ]
}

/// `1.45 (0.71 to 2.19)`; merely reported figures say so.
fn with_interval(figure: Option<Figure>, interval: Option<Interval>, write: impl Fn(f64) -> String) -> Option<String> {
    let figure = figure?;
    let value = write(figure.value);
    let reported = if figure.origin == FigureOrigin::Reported { ", reported" } else { "" };
    Some(match interval {
        Some(Interval { low, high }) => format!("{value} ({} to {}){reported}", write(low), write(high)),
        None => format!("{value}{reported}"),
    })
}

/// Each gate of any of them, with what it says.
fn gate_rows(columns: &[Column]) -> Vec<CompareRow> {
    let verdict = |column: &Column| column.verdicts.iter().find(|verdict| verdict.goal == Goal::Production).cloned();
    let verdicts: Vec<_> = columns.iter().map(verdict).collect();
    let mut gates = Vec::new();
    for answer in verdicts.iter().flatten().flat_map(|verdict| &verdict.gates) {
        if !gates.contains(&answer.gate) {
            gates.push(answer.gate);
        }
    }
    let row = |gate| {
        let cell = |verdict: &Option<crate::domain::gates::Verdict>| {
            let answer = verdict.as_ref().and_then(|verdict| verdict.gates.iter().find(|answer| answer.gate == gate));
            let text = answer.map(|answer| match answer.outcome {
                GateOutcome::NotEnoughData => String::new(),
                _ => scorecard::against(answer),
            });
            let badge = answer.map(|answer| scorecard::outcome(&answer.outcome));
            Cell { text: text.unwrap_or_else(|| "–".to_owned()), badge }
        };
        CompareRow { name: scorecard::name(gate).to_owned(), cells: verdicts.iter().map(cell).collect() }
    };
    gates.into_iter().map(row).collect()
}

fn or_dash(text: Option<String>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "–".to_owned())
}

fn chart(view: &CompareView) -> Option<Curve> {
    if view.days.is_empty() {
        return None;
    }
    let several =
        view.columns.iter().any(|column| column.compared.detail.model.id != view.columns[0].compared.detail.model.id);
    let name = |column: &Column| {
        let detail = &column.compared.detail;
        if several { format!("{} {}", detail.model.id, detail.version.name) } else { detail.version.name.to_string() }
    };
    let lines = view.columns.iter().zip(&view.totals);
    let lines: Vec<Line> =
        lines.map(|(column, figures)| Line { name: name(column), figures: figures.clone() }).collect();
    let last = |line: &Line| {
        let last = line.figures.iter().rev().find_map(|figure| *figure);
        format!("{} {}", line.name, last.map_or_else(|| "has no returns".to_owned(), show::percent))
    };
    let summary = format!(
        "Won or lost since its own first day, out of sample: {}.",
        lines.iter().map(last).collect::<Vec<_>>().join("; ")
    );
    Some(Curve::of_days("equity", "Capital", summary, view.days.clone(), lines))
}
