//! The processes of a campaign, and where they are when they are started again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use super::proxy::{self, Breaks, Target, target};
use crate::draw::numbered;
use crate::failure::Failure;
use crate::process::Process;
use crate::servers::{Programs, Times};

/// Few calls share a connection to the upstream, so that there are many connections to break.
const GATEWAY: &str = "max-streams-per-connection = 6\n";

/// The servers of a campaign.
pub(super) struct World {
    programs: Programs,
    gateway: AsyncMutex<Process>,
    gateway_at: Mutex<SocketAddr>,
    upstream: AsyncMutex<Process>,
    upstream_at: Target,
    /// Where the gateway finds its upstream.
    between: SocketAddr,
    epoch: AtomicU64,
    /// What the processes that were killed had reported.
    panics: Mutex<Vec<String>>,
}

impl World {
    /// Starts them, with a proxy between gateway and upstream that breaks connections if asked to.
    pub(super) async fn start(programs: Programs, seed: u64, broken: bool) -> Result<Self, Failure> {
        let (upstream, address) = programs.upstream().await?;
        let upstream_at = Arc::new(Mutex::new(address));
        let breaks = move |number| match broken {
            true => Breaks::draw(&mut numbered(!seed, number), 0.35),
            false => Breaks::default(),
        };
        let (between, _) = proxy::start(Arc::clone(&upstream_at), breaks)?;
        let (gateway, address) = programs.gateway(between, Times::Default.config(), GATEWAY).await?;
        Ok(Self {
            programs,
            gateway: AsyncMutex::new(gateway),
            gateway_at: Mutex::new(address),
            upstream: AsyncMutex::new(upstream),
            upstream_at,
            between,
            epoch: AtomicU64::new(0),
            panics: Mutex::default(),
        })
    }

    /// The address of the gateway.
    pub(super) fn gateway(&self) -> SocketAddr {
        *self.gateway_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address of the upstream itself.
    pub(super) fn upstream(&self) -> SocketAddr {
        *target(&self.upstream_at)
    }

    /// Changes when a gateway is killed, and when the next one is there; odd in between.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(super) async fn stop_gateway(&self, time: Duration) -> Result<(), Failure> {
        self.gateway.lock().await.stop_for(time).await
    }

    pub(super) async fn stop_upstream(&self, time: Duration) -> Result<(), Failure> {
        self.upstream.lock().await.stop_for(time).await
    }

    /// Kills the gateway and starts another one.
    pub(super) async fn kill_gateway(&self) -> Result<(), Failure> {
        let mut gateway = self.gateway.lock().await;
        self.epoch.fetch_add(1, Ordering::SeqCst);
        gateway.kill().await?;
        self.note_panics(&gateway);
        let (process, address) =
            self.programs.gateway(self.between, Times::Default.config(), GATEWAY).await?;
        *self.gateway_at.lock().unwrap_or_else(PoisonError::into_inner) = address;
        *gateway = process;
        self.epoch.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Kills the upstream and starts another one after a time.
    pub(super) async fn kill_upstream(&self, away: Duration) -> Result<(), Failure> {
        let mut upstream = self.upstream.lock().await;
        upstream.kill().await?;
        self.note_panics(&upstream);
        tokio::time::sleep(away).await;
        let (process, address) = self.programs.upstream().await?;
        *target(&self.upstream_at) = address;
        *upstream = process;
        Ok(())
    }

    fn note_panics(&self, process: &Process) {
        self.panics.lock().unwrap_or_else(PoisonError::into_inner).extend(process.panics());
    }

    /// Resident memory in KB and open files of the gateway.
    pub(super) fn gateway_usage(&self) -> (u64, usize) {
        self.gateway.try_lock().map_or((0, 0), |gateway| (gateway.resident(), gateway.open_files()))
    }

    /// The panics of all processes, those of before included, and processes that have ended by themselves.
    pub(super) fn panics(&self) -> Vec<String> {
        let mut panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, process) in [("gateway", &self.gateway), ("upstream", &self.upstream)] {
            if let Ok(mut process) = process.try_lock() {
                panics.extend(process.panics());
                if !process.is_alive() {
                    panics.push(format!("the {name} has ended"));
                }
            }
        }
        panics
    }
}
