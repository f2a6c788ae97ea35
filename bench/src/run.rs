//! Runs scenarios: all targets of one on the same backend, interleaved, so that what else goes on on the machine
//! meets all of them alike.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::load::Work;
use crate::measure::{Machine, NoiseMeter, raise_file_limit};
use crate::report::{self, Report, Row};
use crate::sample::{self, Sample, Timing};
use crate::scenario::{SCENARIOS, Scenario};
use crate::target::{Program, Programs, Running, TARGETS, Target, find};

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Short samples and few of them: for a look, not for a figure.
    #[arg(long)]
    quick: bool,
    /// Only these scenarios and targets (comma-separated); `echo` means `echo-1`, `echo-10` and so on. The name
    /// of a target chooses targets, any other scenarios.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The target that ratios refer to. Default: the Go package, or its stand-in where that is not built.
    #[arg(long)]
    against: Option<String>,
    /// How many samples of each target. Default: 7, quick 3.
    #[arg(long)]
    rounds: Option<usize>,
    /// Where the report is written.
    #[arg(long, default_value = "target/bench/report")]
    out: PathBuf,
    /// The folder of the Go programs.
    #[arg(long, default_value = "target/bench/go")]
    go: PathBuf,
    /// The gateway's binary.
    #[arg(long, default_value = "target/release/grpcws")]
    gateway: PathBuf,
    /// The binary of an earlier gateway. Each target of the gateway is compared with the same target on that one.
    #[arg(long)]
    earlier: Option<PathBuf>,
    /// Prints the scenarios and targets.
    #[arg(long)]
    list: bool,
}

pub(crate) async fn run(arguments: RunArguments) -> io::Result<()> {
    if arguments.list {
        list();
        return Ok(());
    }
    let programs = Programs {
        go: arguments.go.clone(),
        gateway: arguments.gateway.clone(),
        earlier: arguments.earlier.clone(),
        own: std::env::current_exe()?,
    };
    let plan = Plan::new(&arguments, programs)?;
    let mut noise = NoiseMeter::start();
    let mut rows = Vec::new();
    for scenario in SCENARIOS.iter().filter(|scenario| plan.wants(scenario)) {
        if !plan.programs.has_backend(scenario.backend) {
            println!("-- {}: left out, its backend {} is not built", scenario.name, scenario.backend.name());
            continue;
        }
        let scenario_rows = plan.scenario(scenario, &mut noise).await?;
        report::print(scenario, &scenario_rows);
        rows.extend(scenario_rows);
    }
    let report = Report {
        machine: Machine::read(),
        noise: noise.finish(),
        reference: plan.reference.name,
        quick: arguments.quick,
        rounds: plan.rounds,
        missing: plan.missing(),
        rows,
    };
    report::write(&report, &arguments.out)
}

fn list() {
    println!("scenarios");
    for Scenario { name, about, backend, .. } in SCENARIOS {
        println!("  {name:<16} {about} ({})", backend.name());
    }
    println!("targets");
    for Target { name, about, .. } in TARGETS {
        println!("  {name:<16} {about}");
    }
}

struct Plan {
    programs: Programs,
    reference: &'static Target,
    only_targets: Vec<&'static str>,
    only_scenarios: Vec<String>,
    quick: bool,
    rounds: usize,
    timing: Timing,
}

impl Plan {
    fn new(arguments: &RunArguments, programs: Programs) -> io::Result<Self> {
        raise_file_limit();
        let (only_targets, only_scenarios): (Vec<_>, Vec<_>) =
            arguments.only.iter().cloned().partition(|name| find(name).is_some());
        let by_default = ["go-package", "go-plain"].into_iter().filter_map(find);
        let reference = match &arguments.against {
            Some(name) => {
                find(name).ok_or_else(|| io::Error::other(format!("no target is called {name:?}")))?
            }
            None => by_default
                .into_iter()
                .find(|target| programs.have(target))
                .or_else(|| find("grpcws"))
                .ok_or_else(|| io::Error::other("there is no target"))?,
        };
        let milliseconds = Duration::from_millis;
        let (warm_up, window, rounds) = match arguments.quick {
            true => (milliseconds(200), milliseconds(400), 3),
            false => (milliseconds(500), milliseconds(1_500), 7),
        };
        Ok(Self {
            programs,
            reference,
            only_targets: only_targets
                .iter()
                .filter_map(|name| find(name))
                .map(|target| target.name)
                .collect(),
            only_scenarios,
            quick: arguments.quick,
            rounds: arguments.rounds.unwrap_or(rounds).max(1),
            timing: Timing { warm_up, window },
        })
    }

    fn wants(&self, scenario: &Scenario) -> bool {
        self.only_scenarios.is_empty()
            || self.only_scenarios.iter().any(|name| {
                scenario
                    .name
                    .strip_prefix(name.as_str())
                    .is_some_and(|rest| matches!(rest.get(..1), None | Some("-")))
            })
    }

    /// The targets of a scenario that are chosen and built. The reference comes first.
    fn targets(&self, scenario: &Scenario) -> Vec<&'static Target> {
        let mut targets: Vec<_> = scenario
            .targets
            .iter()
            .filter_map(|name| find(name))
            .flat_map(|target| [Some(target), target.earlier()])
            .flatten()
            .filter(|target| {
                self.only_targets.is_empty()
                    || self
                        .only_targets
                        .iter()
                        .any(|name| target.name.trim_start_matches("earlier-") == *name)
                    || **target == *self.reference
            })
            .filter(|target| self.programs.have(target))
            .collect();
        targets.sort_by_key(|target| **target != *self.reference);
        targets
    }

    /// Targets that cannot be measured here.
    fn missing(&self) -> Vec<&'static str> {
        TARGETS.iter().filter(|target| !self.programs.have(target)).map(|target| target.name).collect()
    }

    async fn scenario(&self, scenario: &Scenario, noise: &mut NoiseMeter) -> io::Result<Vec<Row>> {
        let targets = self.targets(scenario);
        let work = scenario.quick.filter(|_| self.quick).unwrap_or(scenario.work);
        let backend = self.programs.start_backend(scenario.backend).await?;
        let mut rows: Vec<Row> = targets.iter().map(|target| Row::new(scenario, target)).collect();
        let mut servers = Vec::new();
        for (target, row) in targets.iter().zip(&mut rows) {
            if matches!(target.program, Program::Direct(_)) {
                servers.push(None);
                continue;
            }
            let running = self.programs.start(target, backend.address).await?;
            if target.program != Program::Echo {
                row.failed = sample::ready(target, &running).await.err().map(|error| error.to_string());
            }
            servers.push(Some(running));
        }
        // Memory that was freed is kept by the process, so idle sockets are counted once.
        let rounds = if matches!(work, Work::Idle { .. } | Work::Order { .. }) { 1 } else { self.rounds };
        for _ in 0..rounds {
            for ((target, server), row) in targets.iter().zip(&servers).zip(&mut rows) {
                if row.failed.is_none() {
                    noise.spin();
                    match self.sample(work, target, server.as_ref(), &backend).await {
                        Ok(sample) => row.add(sample),
                        Err(error) => row.failed = Some(error.to_string()),
                    }
                }
            }
        }
        let cpu = |name| rows.iter().find(|row| row.target == name).map(Row::cpu);
        let compared: Vec<_> = targets
            .iter()
            .map(|target| {
                let earlier = target.earlier().and_then(|earlier| cpu(earlier.name));
                earlier.or_else(|| cpu(self.reference.name)).unwrap_or_default()
            })
            .collect();
        for (row, reference) in rows.iter_mut().zip(&compared) {
            row.compare(reference);
        }
        Ok(rows)
    }

    async fn sample(
        &self,
        work: Work,
        target: &'static Target,
        server: Option<&Running>,
        backend: &Running,
    ) -> io::Result<Sample> {
        match server {
            Some(running) => sample::server(work, target, running, self.timing).await,
            None => sample::direct(work, target, &self.programs, backend.address, self.timing).await,
        }
    }
}
