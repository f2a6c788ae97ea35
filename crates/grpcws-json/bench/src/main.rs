//! grpcws-json beside the other ways to turn protobuf into JSON and back.
//!
//! `cargo run --release` measures CPU time per message, `cargo run --release -- --instructions` counts instructions
//! with valgrind's callgrind, `cargo run --release -- --floor` measures the numbers alone. `--message LABEL` and `--contender NAME` choose; each prints a table of Markdown.

mod contenders;
mod floor;
mod measure;
mod messages;

use std::process::{Command, ExitCode};

use contenders::{Contender, Transcode, contenders};
use measure::{Case, figures};
use messages::{Input, inputs};

/// Generated code, each in a module of its own.
mod generated {
    #[allow(dead_code, clippy::all)]
    pub mod prost {
        include!(concat!(env!("OUT_DIR"), "/bench.v1.rs"));
        include!(concat!(env!("OUT_DIR"), "/bench.v1.serde.rs"));
    }
    #[allow(dead_code, unused, clippy::all)]
    pub mod buffa {
        include!(concat!(env!("OUT_DIR"), "/buffa/all.rs"));
    }
}

#[derive(Default)]
struct Options {
    instructions: bool,
    /// What the numbers cost without anything around them.
    floor: bool,
    message: Option<String>,
    contender: Option<String>,
    direction: Option<String>,
    /// Run the chosen one this often and print nothing: what callgrind watches.
    times: Option<u32>,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!(
            "usage: [--instructions | --floor] [--message LABEL] [--contender NAME] [--direction to-json|from-json]"
        );
        return ExitCode::from(64);
    };
    if options.floor {
        print_floor();
        return ExitCode::SUCCESS;
    }
    contenders::register_types();
    let names: Vec<&str> = contenders("Small").iter().map(|contender| contender.name).collect();
    for direction in ["to-json", "from-json"] {
        if options.direction.as_deref().is_some_and(|chosen| chosen != direction) {
            continue;
        }
        if options.times.is_none() {
            let unit = if options.instructions { "instructions" } else { "ns of CPU" };
            println!("\n{direction}, {unit} per message\n\n| message | {} |", names.join(" | "));
            println!("| --- |{}", " --: |".repeat(names.len()));
        }
        for input in inputs() {
            if options.message.as_deref().is_none_or(|chosen| chosen == input.label) {
                row(&options, &input, direction);
            }
        }
    }
    ExitCode::SUCCESS
}

fn print_floor() {
    println!("\nns of CPU for the numbers alone\n\n| message | to-json | from-json |\n| --- | --: | --: |");
    for input in inputs().iter().filter(|input| floor::MESSAGES.contains(&input.label)) {
        let cells = ["to-json", "from-json"].map(|direction| {
            let transcode = Some(floor::floor(input, direction));
            let figures = figures(&mut [Case { name: "floor", transcode }], &[]);
            figures.into_iter().flatten().map(measure::cell).collect::<String>()
        });
        println!("| {} | {} |", input.label, cells.join(" | "));
    }
}

fn options() -> Option<Options> {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--instructions" => options.instructions = true,
            "--floor" => options.floor = true,
            "--message" => options.message = Some(arguments.next()?),
            "--contender" => options.contender = Some(arguments.next()?),
            "--direction" => options.direction = Some(arguments.next()?),
            "--times" => options.times = Some(arguments.next()?.parse().ok()?),
            _ => return None,
        }
    }
    Some(options)
}

fn row(options: &Options, input: &Input, direction: &str) {
    let mut all = contenders(input.message);
    let wire = wire_of(&mut all, input);
    let source = if direction == "to-json" { &wire[..] } else { input.json.as_bytes() };
    let mut cases: Vec<Case> = all
        .into_iter()
        .map(|contender| {
            let chosen = options.contender.as_deref().is_none_or(|chosen| chosen == contender.name);
            let transcode = if direction == "to-json" { contender.to_json } else { contender.from_json };
            // A contender that gives something else is not in the race.
            let transcode = transcode.filter(|_| chosen);
            let valid = |mut transcode: Transcode| {
                is_right(&mut transcode, source, input, direction).then_some(transcode)
            };
            Case { name: contender.name, transcode: transcode.and_then(valid) }
        })
        .collect();
    if let Some(times) = options.times {
        for case in &mut cases {
            if let Some(transcode) = &mut case.transcode {
                measure::watched(transcode, source, times);
            }
        }
        return;
    }
    let figures = if options.instructions {
        cases
            .iter()
            .map(|case| case.transcode.as_ref().and_then(|_| instructions(input, direction, case.name)))
            .collect()
    } else {
        figures(&mut cases, source)
    };
    let cells: Vec<String> =
        figures.into_iter().map(|figure| figure.map_or("–".to_owned(), measure::cell)).collect();
    println!("| {} ({} B, JSON {} B) | {} |", input.label, wire.len(), input.json.len(), cells.join(" | "));
}

/// The wire bytes as prost-reflect, which is none of the fast ones, makes them.
fn wire_of(all: &mut [Contender], input: &Input) -> Vec<u8> {
    let mut wire = Vec::new();
    let reference = all.iter_mut().find(|contender| contender.name == "prost-reflect");
    let from_json =
        reference.and_then(|contender| contender.from_json.as_mut()).expect("it has both directions");
    assert!(from_json(input.json.as_bytes(), &mut wire), "{}", input.label);
    wire
}

/// Whether the result means what the input means, compared as JSON.
fn is_right(transcode: &mut Transcode, source: &[u8], input: &Input, direction: &str) -> bool {
    let mut out = Vec::new();
    if !transcode(source, &mut out) {
        return false;
    }
    let mut json = Vec::new();
    if direction == "from-json" {
        let mut reference = contenders(input.message);
        let to_json = reference[0].to_json.as_mut().expect("it has both directions");
        if !to_json(&out, &mut json) {
            return false;
        }
    } else {
        json = out;
    }
    let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).ok().map(normalized);
    value(&json).is_some() && value(&json) == value(input.json.as_bytes())
}

fn normalized(json: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match json {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(elements) => elements.into_iter().map(normalized).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, normalized(value))).collect()
        }
        other => other,
    }
}

/// Has valgrind count what one message costs.
fn instructions(input: &Input, direction: &str, contender: &str) -> Option<f64> {
    let times = if input.json.len() > 100_000 { 2 } else { 100 };
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*watched_loop*"])
        .arg(std::env::current_exe().ok()?)
        .args(["--message", input.label, "--contender", contender, "--direction", direction])
        .args(["--times", &times.to_string()])
        .output()
        .ok()?;
    let report = String::from_utf8_lossy(&output.stderr);
    let collected = report.lines().find_map(|line| line.split("Collected : ").nth(1))?;
    Some(collected.trim().parse::<f64>().ok()? / f64::from(times))
}
