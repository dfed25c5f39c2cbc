//! The odds of the gates, measured: how often a strategy without any edge gets through, and how often one with an edge.
//!
//! `cargo run --profile bench --example gates_table [-- docs/GATES.md]` prints the tables, or writes them into that file
//! between its markers. The seed is fixed.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;

mod strategy;

use strategy::{Returns, Strategy, Through, through};

const BEGIN: &str = "<!-- gates-table begins: `make gates-table` writes what follows -->";
const END: &str = "<!-- gates-table ends -->";

const TRADES: [usize; 8] = [5, 10, 20, 50, 100, 200, 500, 1000];
const DAYS: [usize; 5] = [20, 60, 120, 250, 500];
const KINDS: [(&str, Returns); 6] = [
    ("normal", Returns::Normal),
    ("Student t5", Returns::Student),
    ("90 % win", Returns::RareLosses(0.9)),
    ("95 % win", Returns::RareLosses(0.95)),
    ("98 % win", Returns::RareLosses(0.98)),
    ("90 % lose", Returns::RareWins(0.9)),
];

/// One cell of a table to come.
type Job = (Strategy, usize, usize);

fn main() -> anyhow::Result<()> {
    let text = tables()?;
    let Some(path) = std::env::args().nth(1) else {
        print!("{text}");
        return Ok(());
    };
    let document = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let (before, rest) = document.split_once(BEGIN).with_context(|| format!("{path} has no line {BEGIN:?}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{path} has no line {END:?}"))?;
    std::fs::write(&path, format!("{before}{BEGIN}\n{text}{END}{after}")).with_context(|| format!("writing {path}"))
}

fn tables() -> anyhow::Result<String> {
    let mut text = String::new();
    no_edge(&mut text)?;
    searched(&mut text)?;
    power(&mut text)?;
    unbounded(&mut text)?;
    Ok(text)
}

/// One trial without an edge: the worst over the lengths of record.
fn no_edge(text: &mut String) -> anyhow::Result<()> {
    const REPETITIONS: usize = 20_000;
    let cells: Vec<Job> = TRADES
        .iter()
        .flat_map(|trades| KINDS.iter().map(move |(_, returns)| (trades, returns)))
        .flat_map(|(trades, returns)| DAYS.map(|days| (Strategy::new(*returns, *trades, days), 1, REPETITIONS)))
        .collect();
    let results = run(&cells)?;
    let worst: Vec<Through> = results.chunks(DAYS.len()).map(worst).collect();
    writeln!(
        text,
        "\n### No edge, one trial\n\nPer cent of strategies without any edge that get through, by the number of trades; the \
         worst over records of {} days. Each cell: the five plain gates alone / candidate / **production**. {REPETITIONS} \
         records a length.\n",
        list(&DAYS)
    )?;
    table(text, "trades", &TRADES, &worst, |it| {
        format!("{:.1} / {:.1} / **{:.2}**", it.five, it.candidate, it.production)
    })?;
    writeln!(
        text,
        "\nThe same with the five plain gates off, so that the probabilities stand alone: candidate / **production**.\n"
    )?;
    table(text, "trades", &TRADES, &worst, |it| {
        format!("{:.1} / **{:.2}**", it.evidence_candidate, it.evidence_production)
    })
}

fn worst(results: &[Through]) -> Through {
    let most = |of: fn(&Through) -> f64| results.iter().map(of).fold(0.0, f64::max);
    Through {
        five: most(|it| it.five),
        candidate: most(|it| it.candidate),
        production: most(|it| it.production),
        evidence_candidate: most(|it| it.evidence_candidate),
        evidence_production: most(|it| it.evidence_production),
    }
}

/// The best of several trials without an edge.
fn searched(text: &mut String) -> anyhow::Result<()> {
    const REPETITIONS: usize = 5_000;
    const TRADES: [usize; 3] = [50, 200, 500];
    const DAYS: [usize; 2] = [60, 250];
    let searches = [(2, 0.0), (3, 0.0), (10, 0.0), (10, 0.5), (10, 0.9), (10, 0.98)];
    let mut cells: Vec<Job> = Vec::new();
    for (trials, alike) in searches {
        for trades in TRADES {
            for (_, returns) in KINDS {
                // A mixture of lopsided returns is no longer one: only of normal returns can be alike.
                let returns = if alike > 0.0 { Returns::Normal } else { returns };
                for days in DAYS {
                    cells.push((Strategy { alike, ..Strategy::new(returns, trades, days) }, trials, REPETITIONS));
                }
            }
        }
    }
    let results = run(&cells)?;
    writeln!(
        text,
        "\n### No edge, the best of several trials\n\nThe strategy with the best Sharpe ratio of a search is shown to the \
         gates, and the registry knows of all of them: candidate / **production**, in per cent; the worst over the \
         distributions above and over records of {} days. {} records each.\n\n| trades | {} |\n|---:|{}",
        list(&DAYS),
        REPETITIONS,
        searches
            .map(|(trials, alike)| match alike > 0.0 {
                true => format!("best of {trials}, correlation {alike} (normal)"),
                false => format!("best of {trials}"),
            })
            .join(" | "),
        "---:|".repeat(searches.len())
    )?;
    let of_search = TRADES.len() * KINDS.len() * DAYS.len();
    for (row, trades) in TRADES.iter().enumerate() {
        write!(text, "| {trades} |")?;
        for search in results.chunks(of_search) {
            let size = KINDS.len() * DAYS.len();
            let it = worst(search.get(row * size..(row + 1) * size).unwrap_or_default());
            write!(text, " {:.1} / **{:.2}** |", it.candidate, it.production)?;
        }
        writeln!(text)?;
    }
    Ok(())
}

/// What is left for those who have an edge.
fn power(text: &mut String) -> anyhow::Result<()> {
    const REPETITIONS: usize = 5_000;
    const TRADES: [usize; 3] = [50, 200, 500];
    const DAYS: [usize; 3] = [60, 250, 500];
    for sharpe in [2.0, 4.0] {
        let rows: Vec<(usize, usize)> = DAYS.iter().flat_map(|days| TRADES.map(|trades| (*days, trades))).collect();
        let cells: Vec<Job> = rows
            .iter()
            .flat_map(|(days, trades)| {
                KINDS
                    .map(|(_, returns)| (Strategy { sharpe, ..Strategy::new(returns, *trades, *days) }, 1, REPETITIONS))
            })
            .collect();
        let results = run(&cells)?;
        writeln!(
            text,
            "\n### Power at a true annual Sharpe ratio of {sharpe}\n\nPer cent that get through: the five plain gates alone \
             / candidate / **production**. One trial; {REPETITIONS} records a cell.\n"
        )?;
        let rows: Vec<String> = rows.iter().map(|(days, trades)| format!("{days} days, {trades} trades")).collect();
        table(text, "record", &rows, &results, |it| {
            format!("{:.0} / {:.0} / **{:.0}**", it.five, it.candidate, it.production)
        })?;
    }
    Ok(())
}

/// Where no bound can be kept.
fn unbounded(text: &mut String) -> anyhow::Result<()> {
    const REPETITIONS: usize = 20_000;
    const TRADES: [usize; 4] = [50, 100, 200, 500];
    let normal = |echo: f64, trades, days| Strategy { echo, ..Strategy::new(Returns::Normal, trades, days) };
    type Ordinary<'a> = &'a dyn Fn(f64, usize, usize) -> Strategy;
    type Making = fn(usize, usize, Ordinary<'_>) -> Strategy;
    let cases: [(&str, Making); 5] = [
        ("90 % win, wild losses", |trades, days, _| Strategy::new(Returns::WildRareLosses(0.9), trades, days)),
        ("95 % win, wild losses", |trades, days, _| Strategy::new(Returns::WildRareLosses(0.95), trades, days)),
        ("normal, 0.1 of a day comes again", |trades, days, normal| normal(0.1, trades, days)),
        ("normal, 0.2 of a day comes again", |trades, days, normal| normal(0.2, trades, days)),
        ("normal, 0.3 of a day comes again", |trades, days, normal| normal(0.3, trades, days)),
    ];
    let cells: Vec<Job> = cases
        .iter()
        .flat_map(|(_, case)| TRADES.map(|trades| (trades, case)))
        .flat_map(|(trades, case)| [60, 250].map(|days| (case(trades, days, &normal), 1, REPETITIONS)))
        .collect();
    let results = run(&cells)?;
    writeln!(
        text,
        "\n### Where the bounds do not hold\n\nNo edge, one trial: candidate / **production** in per cent, the worse of 60 \
         and 250 days. {REPETITIONS} records a length.\n\n| strategy | {} trades |\n|---|{}",
        TRADES.map(|trades| trades.to_string()).join(" trades | "),
        "---:|".repeat(TRADES.len())
    )?;
    for ((name, _), results) in cases.iter().zip(results.chunks(2 * TRADES.len())) {
        write!(text, "| {name} |")?;
        for pair in results.chunks(2) {
            let it = worst(pair);
            write!(text, " {:.1} / **{:.2}** |", it.candidate, it.production)?;
        }
        writeln!(text)?;
    }
    Ok(())
}

/// Runs the cells on all cores; the results do not depend on how many there are.
fn run(cells: &[Job]) -> anyhow::Result<Vec<Through>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![Through::default(); cells.len()]);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((strategy, trials, repetitions)) = cells.get(at) else { return };
                    let result = through(*strategy, *trials, *repetitions, at as u64);
                    if let Some(slot) = results.lock().ok().as_deref_mut().and_then(|results| results.get_mut(at)) {
                        *slot = result;
                    }
                }
            });
        }
    });
    results.into_inner().map_err(|_| anyhow::anyhow!("a simulation failed"))
}

fn table<R: ToString>(
    text: &mut String,
    corner: &str,
    rows: &[R],
    cells: &[Through],
    show: impl Fn(&Through) -> String,
) -> anyhow::Result<()> {
    let names = KINDS.map(|(name, _)| name).join(" | ");
    writeln!(text, "| {corner} | {names} |\n|---|{}", "---:|".repeat(KINDS.len()))?;
    for (row, cells) in rows.iter().zip(cells.chunks(KINDS.len())) {
        let shown: Vec<String> = cells.iter().map(&show).collect();
        writeln!(text, "| {} | {} |", row.to_string(), shown.join(" | "))?;
    }
    Ok(())
}

fn list(numbers: &[usize]) -> String {
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
