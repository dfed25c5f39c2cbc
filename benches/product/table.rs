use std::process::Command;

use crate::Bench;

/// The rows, printed at the end in one piece.
pub(crate) struct Table {
    head: String,
    rows: Vec<String>,
}

impl Table {
    pub(crate) fn new(bench: &Bench) -> Self {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let system = said("uname", &["-sr"]);
        let systemd = said("journalctl", &["--version"]);
        let head = format!(
            "{}; {cores} cores; {system}; {}; {}; load at the start {}; lines {}.",
            chrono::Utc::now().format("%Y-%m-%d %H:%M UTC"),
            model.unwrap_or("unknown processor"),
            systemd.lines().next().unwrap_or_default(),
            std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or_default(),
            bench.lines.origin(),
        );
        Self { head, rows: Vec::new() }
    }

    /// A figure that has to be at most `target`.
    pub(crate) fn at_most(&mut self, what: &str, target: f64, unit: &str, measured: f64, remark: &str) {
        self.row(what, &format!("≤ {target} {unit}"), &figure(measured, unit), Some(measured <= target), remark);
    }

    /// A figure that has to be at least `target`.
    pub(crate) fn at_least(&mut self, what: &str, target: f64, unit: &str, measured: f64, remark: &str) {
        self.row(what, &format!("≥ {target} {unit}"), &figure(measured, unit), Some(measured >= target), remark);
    }

    /// A figure without a target.
    pub(crate) fn known(&mut self, what: &str, unit: &str, measured: f64, remark: &str) {
        self.row(what, "", &figure(measured, unit), None, remark);
    }

    fn row(&mut self, what: &str, target: &str, measured: &str, holds: Option<bool>, remark: &str) {
        let verdict = match holds {
            Some(true) => "holds",
            Some(false) => "**misses**",
            None => "",
        };
        let row = format!("| {what} | {} | {} | {verdict} | {remark} |", target.trim(), measured.trim());
        eprintln!("  {row}");
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        println!("{}\n\n| what | target | measured | verdict | |\n|---|---|---|---|---|", self.head);
        for row in &self.rows {
            println!("{row}");
        }
    }
}

fn figure(number: f64, unit: &str) -> String {
    match number {
        number if number >= 1000.0 => format!("{number:.0} {unit}"),
        number if number >= 10.0 => format!("{number:.1} {unit}"),
        number => format!("{number:.3} {unit}"),
    }
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The middle one.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    percentile(figures, 50)
}

/// So many of a hundred are smaller or equal.
pub(crate) fn percentile(figures: &mut [f64], percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    let at = (figures.len() * percent).div_ceil(100).max(1) - 1;
    figures.get(at).copied().unwrap_or(f64::NAN)
}
