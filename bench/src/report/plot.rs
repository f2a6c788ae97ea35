//! A plot: CPU time per message of every target, one group of bars for each scenario, on a logarithmic axis.

use std::fmt::Write as _;

use super::{Report, Row};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 130.0;
const BAR: f64 = 16.0;
const HEAD: f64 = 26.0;
const GAP: f64 = 14.0;

/// The decades of the axis, in microseconds.
const AXIS: (f64, f64) = (0.01, 10_000.0);

pub(crate) fn svg(report: &Report) -> String {
    let mut body = String::new();
    let mut y = 30.0;
    let groups = || report.rows.chunk_by(|one, other| one.scenario == other.scenario);
    for rows in groups() {
        let Some(first) = rows.first() else { continue };
        y += HEAD;
        let title = escape(&format!("{}: {} ({})", first.scenario, first.about, first.backend));
        let _ = writeln!(body, r#"<text x="4" y="{}" class="title">{title}</text>"#, y - 8.0);
        for row in rows {
            body.push_str(&bar(row, y));
            y += BAR;
        }
        y += GAP;
    }
    let mut axis = String::new();
    let mut decade = AXIS.0;
    while decade <= AXIS.1 {
        let x = position(decade);
        let _ = writeln!(axis, r#"<line x1="{x:.1}" x2="{x:.1}" y1="30" y2="{y:.1}" class="grid"/>"#);
        let _ = writeln!(axis, r#"<text x="{x:.1}" y="22" class="axis">{decade} µs</text>"#);
        decade *= 10.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<style>.title{{font-weight:bold}}.axis{{text-anchor:middle;fill:#666}}.name\
         {{text-anchor:end}}.grid{{stroke:#ddd}}.ours{{fill:#1f77b4}}.theirs{{fill:#b0b0b0}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"4\" y=\"12\">µs CPU per message</text>\n{axis}{body}</svg>\n"
    )
}

fn bar(row: &Row, y: f64) -> String {
    let (name, text_y) = (escape(row.target), y + BAR - 5.0);
    let mut text = format!(r#"<text x="{}" y="{text_y}" class="name">{name}</text>"#, LEFT - 6.0);
    if let Some(cpu) = row.cpu_us.filter(|cpu| *cpu > 0.0) {
        let end = position(cpu);
        let ours = row.target.starts_with("grpcws") || row.target.starts_with("library");
        let class = if ours { "ours" } else { "theirs" };
        let _ = write!(
            text,
            r#"<rect x="{LEFT}" y="{:.1}" width="{:.1}" height="{}" class="{class}"/><text x="{:.1}" y="{text_y}">{cpu:.2}</text>"#,
            y + 2.0,
            (end - LEFT).max(1.0),
            BAR - 4.0,
            end + 4.0,
        );
    }
    text.push('\n');
    text
}

fn position(microseconds: f64) -> f64 {
    let share = (microseconds / AXIS.0).log10() / (AXIS.1 / AXIS.0).log10();
    LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - 60.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
