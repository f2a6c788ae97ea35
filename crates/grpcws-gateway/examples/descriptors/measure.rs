//! Gateways as processes, and what they take.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use grpcws::Shutdown;
use grpcws::server::ServerOptions;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, Command};
use tonic::service::Routes;

/// What is waited for at most.
const PATIENCE: Duration = Duration::from_secs(300);
/// After this time the allocator has given back what is free: jemalloc keeps it for 10 s.
const SETTLED: Duration = Duration::from_secs(20);
/// What shows that the descriptors are there.
const LOADED: &str = "descriptors are loaded";

/// What one gateway took.
pub(crate) struct Row {
    name: String,
    start: Option<Duration>,
    memory: Memory,
    refresh: Option<(Duration, Memory)>,
    end: String,
}

/// In MiB.
#[derive(Clone, Copy, Default)]
struct Memory {
    now: u64,
    peak: u64,
}

impl Row {
    pub(crate) const HEAD: &str = "| descriptors | start | memory | peak | refresh | memory then | peak then | |\n\
                                   | --- | --: | --: | --: | --: | --: | --: | --- |";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let Memory { now, peak } = self.memory;
        let start = self.start.map_or_else(|| "–".to_owned(), seconds);
        write!(f, "| {} | {start} | {now} MiB | {peak} MiB |", self.name)?;
        match self.refresh {
            Some((time, Memory { now, peak })) => {
                write!(f, " {} | {now} MiB | {peak} MiB | {} |", seconds(time), self.end)
            }
            None => write!(f, " | | | {} |", self.end),
        }
    }
}

/// Serves server reflection over a descriptor set, and returns the address.
pub(crate) async fn reflection(set: Vec<u8>) -> Result<String, Box<dyn Error>> {
    let set: &'static [u8] = set.leak();
    let service = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(set)
        .build_v1()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let app = Routes::new(service).prepare().into_axum_router();
    tokio::spawn(grpcws::server::serve(listener, app, ServerOptions::default(), Shutdown::new()));
    Ok(address)
}

/// Starts a gateway, and lets it load its descriptors twice where it can.
pub(crate) async fn gateway(
    binary: &Path,
    name: &str,
    arguments: &[&str],
    refreshes: bool,
) -> Result<Row, Box<dyn Error>> {
    let began = Instant::now();
    let mut child = Command::new(binary)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .env("NO_COLOR", "1")
        .kill_on_drop(true)
        .spawn()?;
    let mut log = BufReader::new(child.stderr.take().ok_or("a pipe")?).lines();
    let mut row = Row {
        name: name.to_owned(),
        start: None,
        memory: Memory::default(),
        refresh: None,
        end: String::new(),
    };
    // The peak of a process that refuses its descriptors is known for as long as it runs.
    let watched = watch(&child);
    let (line, peak) = tokio::join!(wait(&mut log, LOADED), watched);
    row.memory = peak;
    match line {
        Ok(line) if line.contains(LOADED) => {
            row.start = Some(began.elapsed());
            tokio::time::sleep(SETTLED).await;
            row.memory = memory(&child).unwrap_or(row.memory);
            if refreshes {
                row.refresh = Some(refresh(&child, &mut log).await?);
            }
        }
        Ok(line) | Err(line) => row.end = line,
    }
    child.kill().await?;
    Ok(row)
}

/// Watches the memory until it has not grown for a second, or the process is gone.
async fn watch(child: &Child) -> Memory {
    let (mut last, mut still) = (Memory::default(), 0);
    while still < 200 {
        match memory(child) {
            Some(found) if found.peak > last.peak => (last, still) = (found, 0),
            Some(_) => still += 1,
            None => break,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    last
}

async fn refresh(
    child: &Child,
    log: &mut Lines<BufReader<ChildStderr>>,
) -> Result<(Duration, Memory), Box<dyn Error>> {
    let id = child.id().ok_or("it has ended")?;
    // What is unchanged is not built again, and nothing is logged then: that it is over is seen by the processor's time.
    let before = cpu(id)?;
    let began = Instant::now();
    let sent = std::process::Command::new("kill").args(["-HUP", &id.to_string()]).status()?;
    assert!(sent.success(), "the process is ours");
    wait(log, "reading the descriptors anew").await?;
    let (mut busy, mut still) = (before, 0);
    let mut took = began.elapsed();
    while still < 20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = cpu(id)?;
        if now == busy {
            still += 1;
        } else {
            (busy, still, took) = (now, 0, began.elapsed());
        }
    }
    tokio::time::sleep(SETTLED).await;
    Ok((took, memory(child).ok_or("it has ended")?))
}

/// Waits for a line of the log with this text, and returns it, or the last line where the log ends.
async fn wait(log: &mut Lines<BufReader<ChildStderr>>, text: &str) -> Result<String, String> {
    let mut last = String::new();
    let reading = async {
        while let Ok(Some(line)) = log.next_line().await {
            last = line;
            if last.contains(text) {
                return true;
            }
        }
        false
    };
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(true) => Ok(last),
        Ok(false) => Err(last),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

fn memory(child: &Child) -> Option<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()?)).ok()?;
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    Some(Memory { now: value("VmRSS:")? / 1024, peak: value("VmHWM:")? / 1024 })
}

/// The ticks of the processor that the process has used.
fn cpu(id: u32) -> Result<u64, Box<dyn Error>> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("stat")?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).ok_or("stat");
    Ok(number(11)? + number(12)?)
}
