//! `cargo xtask count`: how many instructions a message takes in each hop, compared with what is recorded.
//!
//! callgrind counts two runs with different numbers of messages; what the difference leaves is the cost of a
//! message, without that of the start. The same code and compiler give the same count on a noisy machine, which no
//! measurement of time does.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::context::{Context, Failure};
use crate::process::{output, run, run_and_read};

/// How far a count may rise above the recorded one.
const TOLERANCE: f64 = 0.05;

/// The numbers of messages of the two runs. Both are multiples of what is gathered into one piece.
const FEW: u64 = 4_800;
const MANY: u64 = 19_200;

const RECORDED: &str = "bench/instructions.txt";
const PROFILES: &str = "bench/profiles";

/// Counts each hop; `record` writes the counts and the profiles down in place of comparing. Returns how many
/// hops were compared.
pub(crate) fn count(context: &Context, record: bool) -> Result<usize, Failure> {
    let compiler = compiler(context)?;
    let recorded =
        if record { Recorded::read(context).unwrap_or_default() } else { Recorded::read(context)? };
    if !record && recorded.compiler != compiler {
        println!("   skipped: recorded with {}, and this is {compiler}", recorded.compiler);
        println!("   compare by hand, then: cargo xtask count --record");
        return Ok(0);
    }
    run(&mut context.cargo(&["build", "--profile", "count", "--locked", "-p", "grpcws-count"]))?;
    let program = context.target.join("count/grpcws-count");
    let hops =
        output(&mut Command::new(&program)).ok_or_else(|| Failure::new("grpcws-count lists no hop"))?;
    let mut counts = Vec::new();
    let mut risen = Vec::new();
    for hop in hops.lines() {
        let count = count_hop(context, &program, hop)?;
        let before = recorded.count(hop);
        println!("   {hop:<20} {count:>7} instructions a message{}", change(count, before));
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        if before.is_some_and(|before| count as f64 > before as f64 * (1.0 + TOLERANCE)) {
            risen.push(hop.to_owned());
        }
        counts.push((hop.to_owned(), count));
    }
    if record {
        return write(context, &compiler, &counts).map(|()| counts.len());
    }
    if risen.is_empty() {
        return Ok(counts.len());
    }
    let text = format!("more than 5 % above {RECORDED}: {}", risen.join(", "));
    Err(Failure::new(text).counted(counts.len() - risen.len(), risen.len()))
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn change(count: u64, before: Option<u64>) -> String {
    match before {
        Some(before) => format!(" ({:+.1} %)", (count as f64 / before as f64 - 1.0) * 100.0),
        None => " (not recorded)".to_owned(),
    }
}

/// What a message costs in this hop.
fn count_hop(context: &Context, program: &PathBuf, hop: &str) -> Result<u64, Failure> {
    let few = callgrind(context, program, hop, FEW)?;
    let many = callgrind(context, program, hop, MANY)?;
    Ok(many.saturating_sub(few) / (MANY - FEW))
}

/// The instructions of a whole run, whose profile stays below the target folder.
fn callgrind(context: &Context, program: &PathBuf, hop: &str, messages: u64) -> Result<u64, Failure> {
    let profile = profile(context, hop);
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet"]);
    command.arg(format!("--callgrind-out-file={}", profile.display()));
    command.arg(program).args([hop, &messages.to_string()]);
    // The allocator gives memory back by the clock, unless it is told not to.
    command.env("_RJEM_MALLOC_CONF", "narenas:1,dirty_decay_ms:-1,muzzy_decay_ms:-1");
    if !run_and_read(&mut command, Duration::from_secs(300))?.success {
        return Err(Failure::new(format!("{hop} did not run under valgrind")));
    }
    let text = fs::read_to_string(&profile).map_err(|error| Failure::new(error.to_string()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("summary: ")?.split(' ').next()?.parse().ok());
    total.ok_or_else(|| Failure::new(format!("{} has no summary", profile.display())))
}

fn profile(context: &Context, hop: &str) -> PathBuf {
    context.target.join(format!("count/{hop}.callgrind"))
}

/// The counts on record.
#[derive(Debug, Default)]
struct Recorded {
    compiler: String,
    counts: Vec<(String, u64)>,
}

impl Recorded {
    fn read(context: &Context) -> Result<Self, Failure> {
        let path = context.root.join(RECORDED);
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        Ok(Self::parse(&text))
    }

    /// Reads `# compiler` and lines of `hop count`.
    fn parse(text: &str) -> Self {
        let compiler = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default().to_owned();
        let counts = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (hop, count) = line.split_once(' ')?;
            Some((hop.to_owned(), count.trim().parse().ok()?))
        });
        Self { compiler, counts: counts.collect() }
    }

    fn count(&self, hop: &str) -> Option<u64> {
        self.counts.iter().find(|(name, _)| name == hop).map(|(_, count)| *count)
    }
}

/// The compiler and the processor's architecture, which make the code what it is.
fn compiler(context: &Context) -> Result<String, Failure> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = output(&mut context.command(rustc, &["--version"]));
    let version = version.ok_or_else(|| Failure::new("rustc does not tell its version"))?;
    Ok(format!("{}, {}", version.trim(), std::env::consts::ARCH))
}

fn write(context: &Context, compiler: &str, counts: &[(String, u64)]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(error.to_string());
    let lines: String = counts.iter().map(|(hop, count)| format!("{hop} {count}\n")).collect();
    fs::write(context.root.join(RECORDED), format!("# {compiler}\n{lines}")).map_err(failed)?;
    let folder = context.root.join(PROFILES);
    fs::create_dir_all(&folder).map_err(failed)?;
    for (hop, count) in counts {
        let profile = profile(context, hop);
        let text = output(Command::new("callgrind_annotate").arg(&profile));
        let text = text.ok_or_else(|| Failure::new("callgrind_annotate did not run"))?;
        let text = format!("{hop}: {count} instructions a message; {compiler}\n\n{}", functions(&text));
        fs::write(folder.join(format!("{hop}.txt")), text).map_err(failed)?;
    }
    Ok(())
}

/// The most expensive functions in what callgrind_annotate prints, without the paths of this machine.
fn functions(annotated: &str) -> String {
    let lines = annotated.lines().skip_while(|line| !line.contains("file:function")).skip(2);
    let lines = lines.take_while(|line| !line.is_empty()).take(30).map(|line| {
        let line = line.split(" [").next().unwrap_or(line);
        match line.split_once(')') {
            Some((count, place)) => {
                let function = place.rsplit_once("/").map_or(place, |(_, rest)| rest);
                let function = function.split_once(':').map_or(function, |(_, function)| function);
                format!("{count}) {}\n", function.trim())
            }
            None => format!("{line}\n"),
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        let recorded = Recorded::parse("# rustc 1.95.0, x86_64\nto-json 800\nstream-json 2100\n");
        assert_eq!(recorded.compiler, "rustc 1.95.0, x86_64");
        assert_eq!(recorded.count("stream-json"), Some(2_100));
        assert_eq!(recorded.count("stream"), None);
    }
}
