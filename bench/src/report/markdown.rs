//! Tables.

use std::fmt::Write as _;

use super::{Report, Row};
use crate::measure::Noise;

const HEAD: &str = "\
| target | µs CPU/msg | msgs/CPU-s | msgs/s | p50 µs | p99 µs | p99.9 µs | peak RSS | generator µs/msg | × reference |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

/// The rows of one scenario.
pub(crate) fn table(rows: &[Row]) -> String {
    rows.iter().fold(HEAD.to_owned(), |mut table, row| {
        table.push_str(&line(row));
        table
    })
}

fn line(row: &Row) -> String {
    let latency = |of: fn(&super::row::Latency) -> f64| value(row.latency_us.as_ref().map(of));
    let memory = match row.rss_per_socket {
        Some(bytes) => format!("{} KB each", kilobytes(bytes)),
        None => row.peak_rss.map_or_else(dash, |bytes| format!("{} MB", kilobytes(bytes / 1024))),
    };
    let mut line = format!(
        "| {} | {} | {} | {} | {} | {} | {} | {memory} | {} | {} |",
        row.target,
        value(row.cpu_us),
        count(row.per_cpu_second),
        count(row.rate),
        latency(|latency| latency.p50),
        latency(|latency| latency.p99),
        latency(|latency| latency.p999),
        value(row.generator_us),
        row.ratio.map_or_else(dash, |ratio| format!("{ratio:.1}")),
    );
    if let Some(failed) = &row.failed {
        let _ = write!(line, " failed: {failed}");
    } else if row.errors > 0 {
        let _ = write!(line, " {} errors: {}", row.errors, row.first_error.as_deref().unwrap_or_default());
    }
    line.push('\n');
    line
}

fn dash() -> String {
    "–".to_owned()
}

/// Three digits.
fn value(value: Option<f64>) -> String {
    match value {
        None => dash(),
        Some(value) if value >= 99.95 => count(Some(value)),
        Some(value) if value >= 9.995 => format!("{value:.1}"),
        Some(value) if value >= 0.9995 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}

/// A whole number with separators.
fn count(value: Option<f64>) -> String {
    let Some(value) = value else { return dash() };
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "no process has a petabyte")]
fn kilobytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1024.0)
}

pub(crate) fn noise(noise: &Noise) -> String {
    format!(
        "{} (stolen {:.1} %, fixed work {:.2} × in its slowest tenth, {:.0} % of its time without a core)",
        noise.verdict(),
        noise.stolen * 100.0,
        noise.cpu_spread,
        noise.waiting * 100.0
    )
}

/// The whole report.
pub(crate) fn report(report: &Report) -> String {
    let Report { machine, reference, rounds, .. } = report;
    let mut text = format!(
        "{} · {} cores · {} · {} · {} · {}\n\nThe machine was {}. Medians of {rounds} samples, \
         interleaved{}; × reference is how many times the CPU of the target {reference} takes, pair by pair.\n",
        machine.processor,
        machine.cores,
        machine.kernel,
        machine.rustc,
        machine.go,
        machine.date,
        noise(&report.noise),
        if report.quick { ", quick run" } else { "" },
    );
    if !report.missing.is_empty() {
        let _ = writeln!(text, "\nNot measured, since it is not built: {}.", report.missing.join(", "));
    }
    for rows in report.rows.chunk_by(|one, other| one.scenario == other.scenario) {
        if let Some(first) = rows.first() {
            let _ = write!(
                text,
                "\n### {}: {} ({})\n\n{}",
                first.scenario,
                first.about,
                first.backend,
                table(rows)
            );
        }
    }
    text
}
