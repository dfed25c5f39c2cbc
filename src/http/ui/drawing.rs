//! Small pictures as SVG, drawn by the server: they need no script, and their sizes are attributes, which the policy lets
//! through. What they show stands beside them in words or in a table.

use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;

use crate::domain::performance::CalibrationBin;

/// A line of a few figures as small as a word.
pub(in crate::http) struct Sparkline {
    figures: Vec<f64>,
    /// The figure to mark.
    marked: Option<usize>,
    /// What it says, for those who do not see it.
    label: String,
}

/// Of a sparkline, in pixels.
const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 24.0;
const EDGE: f64 = 3.0;

impl Sparkline {
    /// Of these figures in order; `label` holds no text from outside.
    pub(in crate::http) fn new(figures: Vec<f64>, marked: Option<usize>, label: String) -> Self {
        Self { figures, marked, label }
    }

    fn places(&self) -> Vec<(f64, f64)> {
        let (least, most) =
            self.figures.iter().fold((f64::MAX, f64::MIN), |(a, b), value| (a.min(*value), b.max(*value)));
        let (wide, high) = (WIDTH - 2.0 * EDGE, HEIGHT - 2.0 * EDGE);
        let last = self.figures.len().saturating_sub(1).max(1) as f64;
        let place = |(index, value): (usize, &f64)| {
            let share = if most > least { (value - least) / (most - least) } else { 0.5 };
            (EDGE + wide * index as f64 / last, EDGE + high * (1.0 - share))
        };
        self.figures.iter().enumerate().map(place).collect()
    }
}

// Figures of ours and a label of ours.
impl HtmlSafe for Sparkline {}

impl fmt::Display for Sparkline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places();
        write!(
            f,
            "<svg class=\"spark\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            self.label
        )?;
        if let [_, _, ..] = places.as_slice() {
            f.write_str("<polyline points=\"")?;
            for (x, y) in &places {
                write!(f, "{x:.1},{y:.1} ")?;
            }
            f.write_str("\"/>")?;
        }
        if let Some((x, y)) = self.marked.and_then(|at| places.get(at)) {
            write!(f, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>")?;
        }
        f.write_str("</svg>")
    }
}

/// Stretches of time side by side: what was in production when.
pub(in crate::http) struct Bars(pub(in crate::http) Vec<Bar>);

/// One stretch, as shares of the whole width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::http) struct Bar {
    /// Where it begins, 0 to 1.
    pub(in crate::http) from: f64,
    /// Where it ends.
    pub(in crate::http) until: f64,
    /// Which of the series' colours it has, from 1.
    pub(in crate::http) colour: usize,
}

/// Colours that a chart's lines and bars have, one after the other.
pub(in crate::http) const COLOURS: usize = 7;

// Figures of ours.
impl HtmlSafe for Bars {}

impl fmt::Display for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<svg class=\"terms\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">")?;
        for bar in &self.0 {
            // However short, it was there.
            let (from, width) = (bar.from * 1000.0, ((bar.until - bar.from) * 1000.0).max(1.5));
            write!(f, "<rect class=\"series-{}\" x=\"{from:.1}\" width=\"{width:.1}\" height=\"10\"/>", bar.colour)?;
        }
        f.write_str("</svg>")
    }
}

/// A patch of a colour, before what has that colour in a picture.
pub(in crate::http) struct Key(pub(in crate::http) usize);

impl HtmlSafe for Key {}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<svg class=\"key\" width=\"12\" height=\"12\" aria-hidden=\"true\"><rect class=\"series-{}\" width=\"12\" height=\"12\" rx=\"2\"/></svg>",
            self.0
        )
    }
}

/// How often predictions of a confidence came true, against that confidence: on the diagonal where it was well founded.
pub(in crate::http) struct Calibration<'a>(pub(in crate::http) &'a [CalibrationBin]);

impl HtmlSafe for Calibration<'_> {}

impl fmt::Display for Calibration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SIDE: f64 = 220.0;
        const LEFT: f64 = 44.0;
        const TOP: f64 = 10.0;
        let (x, y) = (|share: f64| LEFT + SIDE * share, |share: f64| TOP + SIDE * (1.0 - share));
        let (width, height) = (LEFT + SIDE + 24.0, TOP + SIDE + 42.0);
        let mut svg = format!(
            "<svg class=\"calibration\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">"
        );
        for step in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let (at_x, at_y, percent) = (x(step), y(step), step * 100.0);
            let (left, right, top, bottom) = (x(0.0), x(1.0), y(1.0), y(0.0));
            write!(svg, "<line class=\"grid\" x1=\"{left}\" x2=\"{right}\" y1=\"{at_y}\" y2=\"{at_y}\"/>")?;
            write!(svg, "<line class=\"grid\" x1=\"{at_x}\" x2=\"{at_x}\" y1=\"{top}\" y2=\"{bottom}\"/>")?;
            write!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{percent} %</text>", left - 6.0, at_y + 4.0)?;
            write!(svg, "<text x=\"{at_x}\" y=\"{}\" text-anchor=\"middle\">{percent} %</text>", bottom + 16.0)?;
        }
        write!(svg, "<line class=\"ideal\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>", x(0.0), y(0.0), x(1.0), y(1.0))?;
        write!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">confidence</text>", x(0.5), y(0.0) + 36.0)?;
        let most = self.0.iter().map(|bin| bin.count).max().unwrap_or(1).max(1) as f64;
        for bin in self.0.iter().filter(|bin| bin.count > 0) {
            // Its area tells how many they are.
            let radius = 3.0 + 7.0 * (bin.count as f64 / most).sqrt();
            write!(
                svg,
                "<circle class=\"point\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"/>",
                x(bin.confidence),
                y(bin.came_true)
            )?;
        }
        svg.push_str("</svg>");
        f.write_str(&svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_stays_within_its_box_also_where_nothing_changes() {
        for figures in [vec![], vec![50.0], vec![50.0, 50.0], vec![-3.0, 100.0, 7.5]] {
            let count = figures.len();
            let spark = Sparkline::new(figures, count.checked_sub(1), "Scores".to_owned());
            for (x, y) in spark.places() {
                assert!((0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y), "{x} {y}");
            }
            assert_eq!(spark.to_string().contains("<polyline"), count > 1);
            assert_eq!(spark.to_string().contains("<circle"), count > 0);
        }
    }

    #[test]
    fn a_term_of_a_second_is_seen() {
        let bars = Bars(vec![Bar { from: 0.5, until: 0.5, colour: 2 }]).to_string();
        assert!(bars.contains("<rect class=\"series-2\" x=\"500.0\" width=\"1.5\""), "{bars}");
    }
}
