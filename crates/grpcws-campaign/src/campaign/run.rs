//! The run: units on all hands, the books beside them, and the count.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinSet;

use super::chaos;
use super::ledger::keep_books;
use super::unit::Unit;
use super::world::World;
use crate::ask::Ask;
use crate::books;
use crate::failure::Failure;
use crate::report::Report;
use crate::servers::Programs;

/// The options of `campaign`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CampaignArguments {
    /// Ends after this many calls.
    #[arg(long)]
    calls: Option<u64>,
    /// Ends after this many minutes; by default 1, or never where --calls is given.
    #[arg(long)]
    minutes: Option<f64>,
    /// How many connections of clients are open at a time.
    #[arg(long, default_value_t = 96)]
    at_once: usize,
    /// Nothing is stopped or killed.
    #[arg(long)]
    calm: bool,
    /// Carries out one unit of the draw alone, without anything else that goes wrong.
    #[arg(long, value_name = "NUMBER")]
    only: Option<u64>,
}

/// More than the gateway holds in KB with the calls that are open at a time here, of up to 12 KB a message.
const MEMORY: u64 = 400_000;

/// A call that has ended, until the upstream's books are read.
pub(super) struct Pending {
    pub(super) unit: u64,
    pub(super) plan: String,
    pub(super) ask: Ask,
    /// Whether the client sent everything.
    pub(super) ended: bool,
    /// Whether it saw `stream_end`.
    pub(super) succeeded: bool,
}

/// What the workers share.
pub(super) struct Shared {
    pub(super) seed: u64,
    next: AtomicU64,
    calls: AtomicU64,
    over: AtomicBool,
    found: Mutex<Found>,
}

/// What the workers have found.
#[derive(Default)]
pub(super) struct Found {
    violations: Vec<(u64, String)>,
    /// By the tag of the call.
    pub(super) pending: HashMap<String, Pending>,
    tally: BTreeMap<String, u64>,
    codes: BTreeMap<i32, u64>,
}

impl Shared {
    pub(super) fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn violation(&self, unit: u64, text: String) {
        self.found().violations.push((unit, text));
    }

    /// Enters a call that its client has seen to the end, with the status that the application gets.
    pub(super) fn ended(&self, tag: String, code: i32, pending: Pending) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut found = self.found();
        *found.codes.entry(code).or_default() += 1;
        found.pending.insert(tag, pending);
    }

    pub(super) fn count(&self, what: impl Into<String>) {
        *self.found().tally.entry(what.into()).or_default() += 1;
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Runs the campaign and reports what broke a promise.
pub(crate) async fn run(
    arguments: CampaignArguments,
    seed: u64,
    programs: Programs,
    report: &mut Report,
) -> Result<(), Failure> {
    let calm = arguments.calm || arguments.only.is_some();
    let world = Arc::new(World::start(programs, seed, !calm).await?);
    let shared = Arc::new(Shared {
        seed,
        next: AtomicU64::new(arguments.only.unwrap_or(0)),
        calls: AtomicU64::new(0),
        over: AtomicBool::new(false),
        found: Mutex::default(),
    });
    report.note(format!("campaign: seed {seed}, {} connections at once", arguments.at_once));
    let (resident, files) = world.gateway_usage();
    let start = Instant::now();
    let minutes = arguments.minutes.or(arguments.calls.is_none().then_some(1.0));
    let end = minutes.map(|minutes| start + Duration::from_secs_f64(minutes * 60.0));
    let mut workers = JoinSet::new();
    if arguments.only.is_some() {
        Unit::begin(&world, &shared, shared.next.load(Ordering::Relaxed)).run().await;
    } else {
        for _ in 0..arguments.at_once.max(1) {
            let (world, shared, calls) = (Arc::clone(&world), Arc::clone(&shared), arguments.calls);
            workers.spawn(async move {
                let more = || calls.is_none_or(|calls| shared.calls.load(Ordering::Relaxed) < calls);
                while more() && end.is_none_or(|end| Instant::now() < end) {
                    Unit::begin(&world, &shared, shared.next.fetch_add(1, Ordering::Relaxed)).run().await;
                }
            });
        }
    }
    let chaos = tokio::spawn(chaos::run(Arc::clone(&world), Arc::clone(&shared), calm));
    let reader = tokio::spawn(keep_books(Arc::clone(&world), Arc::clone(&shared)));
    workers.join_all().await;
    let took = start.elapsed();
    shared.over.store(true, Ordering::Relaxed);
    chaos.await??;
    reader.await?;
    conclude(&world, &shared, report, took, (resident, files)).await
}

async fn conclude(
    world: &World,
    shared: &Shared,
    report: &mut Report,
    took: Duration,
    (resident, files): (u64, usize),
) -> Result<(), Failure> {
    let calls = shared.calls.load(Ordering::Relaxed);
    let live = books::Reader::new(world.upstream())?.wait_until_idle(Duration::from_secs(10)).await?;
    // The sockets of the last clients take the gateway's time for reading on.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (resident_after, files_after) = world.gateway_usage();
    let found = std::mem::take(&mut *shared.found());
    let rate = u128::from(calls) * 1_000 / took.as_millis().max(1);
    report.note(format!("{calls} calls in {:.1} s, {rate} calls/s", took.as_secs_f64()));
    report.note(format!("faults {:?}", found.tally));
    report.note(format!("statuses {:?}, {} calls not in the books", found.codes, found.pending.len()));
    report.note(format!(
        "gateway: {resident} → {resident_after} KB, {files} → {files_after} files; {live} calls left upstream"
    ));
    let violations = u64::try_from(found.violations.len()).unwrap_or(u64::MAX);
    report.passed(usize::try_from(calls.saturating_sub(violations)).unwrap_or(usize::MAX));
    for (unit, violation) in found.violations {
        report.fail(violation, format!("grpcws-campaign --seed {} campaign --only {unit}", shared.seed));
    }
    let again = format!("grpcws-campaign --seed {} campaign", shared.seed);
    let mut left = world.panics();
    if live > 0 {
        left.push(format!("{live} calls are live upstream 10 s after the last client has gone"));
    }
    // P5: a leak grows with the calls; what the allocator keeps follows from how many are open at a time.
    if resident_after > MEMORY {
        left.push(format!("the gateway holds {resident_after} KB when all is over, {resident} before"));
    }
    if files_after > files + 100 {
        left.push(format!("the gateway has {files_after} open files, {files} before"));
    }
    report.check("the servers", &left, again);
    Ok(())
}
