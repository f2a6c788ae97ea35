//! What is printed and written: a table while it runs, then JSON, Markdown and a plot.

mod markdown;
mod plot;
mod row;

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::measure::{Machine, Noise};
use crate::scenario::Scenario;
pub(crate) use row::Row;

/// All of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) noise: Noise,
    /// The target that the ratios refer to.
    pub(crate) reference: &'static str,
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    /// Targets whose program was not built.
    pub(crate) missing: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
}

/// Prints the rows of one scenario.
pub(crate) fn print(scenario: &Scenario, rows: &[Row]) {
    println!("\n{}: {} ({})", scenario.name, scenario.about, scenario.backend.name());
    println!("{}", markdown::table(rows));
}

/// Writes the report, next to each other as `report.json`, `report.md` and `report.svg`.
pub(crate) fn write(report: &Report, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let json = serde_json::to_string_pretty(report).map_err(io::Error::other)?;
    fs::write(path.with_extension("json"), json)?;
    fs::write(path.with_extension("md"), markdown::report(report))?;
    fs::write(path.with_extension("svg"), plot::svg(report))?;
    println!("\nthe machine is {}", markdown::noise(&report.noise));
    for name in &report.missing {
        println!("not measured, since it is not built: {name}");
    }
    println!("written: {}.{{json,md,svg}}", path.display());
    Ok(())
}
