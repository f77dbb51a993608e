//! Charts as inline SVG. Systems differ in colour and in dashes, so that a chart can be read in grey.

use maud::{Markup, html};

use super::family_class;
use crate::figures::{figure, interval};

/// The class that gives a system its colour, and its dashes.
pub(crate) fn system_class(system: usize) -> String {
    // Neighbours in the list of hues are far apart, so systems may share them with the families.
    format!("{} d{}", family_class(system), system % 4)
}

/// A line of a chart; both axes run from 0 to 1.
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) class: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A square chart of lines, with dots where there are few points.
pub(crate) fn lines(title: &str, x: &str, y: &str, diagonal: bool, lines: &[Line<'_>]) -> Markup {
    const SIZE: f64 = 260.0;
    const LEFT: f64 = 44.0;
    const TOP: f64 = 10.0;
    const FEW: usize = 12;
    let at_x = |v: f64| LEFT + SIZE * v.clamp(0.0, 1.0);
    let at_y = |v: f64| TOP + SIZE * (1.0 - v.clamp(0.0, 1.0));
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0];
    html! {
        svg.chart viewBox=(format!("0 0 {} {}", LEFT + SIZE + 14.0, TOP + SIZE + 42.0)) role="img" aria-label=(title) {
            @for tick in ticks {
                line.grid x1=(LEFT) x2=(LEFT + SIZE) y1=(at_y(tick)) y2=(at_y(tick)) {}
                line.grid x1=(at_x(tick)) x2=(at_x(tick)) y1=(TOP) y2=(TOP + SIZE) {}
                text x=(LEFT - 6.0) y=(at_y(tick) + 4.0) text-anchor="end" { (format!("{tick}")) }
                text x=(at_x(tick)) y=(TOP + SIZE + 16.0) text-anchor="middle" { (format!("{tick}")) }
            }
            text x=(LEFT + SIZE / 2.0) y=(TOP + SIZE + 34.0) text-anchor="middle" { (x) }
            text transform=(format!("translate(11 {}) rotate(-90)", TOP + SIZE / 2.0)) text-anchor="middle" { (y) }
            @if diagonal { line.even x1=(at_x(0.0)) y1=(at_y(0.0)) x2=(at_x(1.0)) y2=(at_y(1.0)) {} }
            @for line in lines {
                g.series.(line.class) {
                    title { (line.name) }
                    polyline points=(line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", at_x(*x), at_y(*y))).collect::<Vec<_>>().join(" ")) {}
                    @if line.points.len() <= FEW {
                        @for (x, y) in &line.points {
                            circle cx=(format!("{:.1}", at_x(*x))) cy=(format!("{:.1}", at_y(*y))) r="3" {}
                        }
                    }
                }
            }
        }
    }
}

/// Which line is which system.
pub(crate) fn legend<'a>(names: impl Iterator<Item = &'a str>) -> Markup {
    html! {
        ul.legend {
            @for (i, name) in names.enumerate() {
                li class=(system_class(i)) {
                    svg viewBox="0 0 30 10" width="30" height="10" aria-hidden="true" {
                        g.series { polyline points="0,5 30,5" {} }
                    }
                    (name)
                }
            }
        }
    }
}

/// A figure with its interval.
pub(crate) struct Bar<'a> {
    pub(crate) name: &'a str,
    pub(crate) class: String,
    pub(crate) value: f64,
    pub(crate) ci95: Option<[f64; 2]>,
}

/// Bars with whiskers, and upright marks (name, value) to hold them against.
pub(crate) fn bars(title: &str, bars: &[Bar<'_>], marks: &[(&str, f64)]) -> Markup {
    const ROW: f64 = 26.0;
    const LEFT: f64 = 112.0;
    const WIDTH: f64 = 250.0;
    const RIGHT: f64 = 128.0;
    let at = |v: f64| LEFT + WIDTH * v.clamp(0.0, 1.0);
    let top = if marks.is_empty() { 4.0 } else { 22.0 };
    let bottom = top + ROW * bars.len() as f64;
    html! {
        svg.chart.wide viewBox=(format!("0 0 {} {}", LEFT + WIDTH + RIGHT, bottom + 22.0)) role="img" aria-label=(title) {
            @for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
                line.grid x1=(at(tick)) x2=(at(tick)) y1=(top) y2=(bottom) {}
                text x=(at(tick)) y=(bottom + 16.0) text-anchor="middle" { (format!("{tick}")) }
            }
            @for (i, bar) in bars.iter().enumerate() {
                @let y = top + ROW * i as f64;
                g class=(bar.class) {
                    title { (bar.name) " " (figure(bar.value)) " " (interval(bar.ci95)) }
                    text x=(LEFT - 8.0) y=(y + 17.0) text-anchor="end" { (shortened(bar.name)) }
                    rect x=(LEFT) y=(y + 6.0) width=(format!("{:.1}", at(bar.value) - LEFT)) height=(ROW - 12.0) {}
                    @if let Some([low, high]) = bar.ci95 {
                        path.whisker d=(format!(
                            "M{0:.1} {2:.1}H{1:.1}M{0:.1} {3:.1}v8M{1:.1} {3:.1}v8",
                            at(low), at(high), y + ROW / 2.0, y + ROW / 2.0 - 4.0
                        )) {}
                    }
                    text x=(LEFT + WIDTH + 10.0) y=(y + 17.0) { (figure(bar.value)) " " (interval(bar.ci95)) }
                }
            }
            @for (name, value) in marks {
                line.bound x1=(format!("{:.1}", at(*value))) x2=(format!("{:.1}", at(*value))) y1=(top - 4.0) y2=(bottom) {}
                text x=(format!("{:.1}", at(*value))) y=(top - 8.0) text-anchor="middle" { (name) " " (figure(*value)) }
            }
        }
    }
}

/// A name that fits beside its bar.
fn shortened(name: &str) -> String {
    const MOST: usize = 16;
    if name.chars().count() <= MOST { name.to_owned() } else { name.chars().take(MOST - 1).chain(['…']).collect() }
}

/// How strongly a cell of a heat map is coloured, as a style.
pub(crate) fn heat(value: f64) -> String {
    format!("--o:{:.2}", 0.55 * value.clamp(0.0, 1.0))
}
