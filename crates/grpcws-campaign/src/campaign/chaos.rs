//! Stops and kills of the processes while calls go on.

use std::sync::Arc;
use std::time::Duration;

use super::run::Shared;
use super::victims::Victims;
use super::world::World;
use crate::draw::{Draw, numbered};
use crate::failure::Failure;

/// Something that happens to a process.
#[derive(Clone, Copy, Debug)]
enum Event {
    StopUpstream,
    StopGateway,
    StopClients,
    KillUpstream,
    KillGateway,
    KillClients,
}

const EVENTS: [(u32, Event); 6] = [
    (2, Event::StopUpstream),
    (3, Event::StopGateway),
    (3, Event::StopClients),
    (2, Event::KillUpstream),
    (2, Event::KillGateway),
    (2, Event::KillClients),
];

/// Breaks processes one after the other until the run is over. In a calm run nothing happens.
pub(super) async fn run(world: Arc<World>, shared: Arc<Shared>, calm: bool) -> Result<(), Failure> {
    if calm {
        return Ok(());
    }
    let mut draw = numbered(shared.seed, u64::MAX - 1);
    let mut clients = Victims::start(&world, &shared)?;
    loop {
        let wait = Duration::from_millis(draw.between(1_500, 5_000).into());
        for _ in 0..wait.as_millis() / 100 {
            if shared.is_over() {
                return clients.kill().await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let event = draw.weighted(&EVENTS, Event::StopUpstream);
        shared.count(format!("{event:?}"));
        happen(event, &world, &shared, &mut draw, &mut clients).await?;
    }
}

async fn happen(
    event: Event,
    world: &World,
    shared: &Arc<Shared>,
    draw: &mut Draw,
    clients: &mut Victims,
) -> Result<(), Failure> {
    // Short enough that no timer of the default options may end a call for it.
    let time = Duration::from_millis(draw.spread(200, 4_000).into());
    match event {
        Event::StopUpstream => world.stop_upstream(time).await,
        Event::StopGateway => world.stop_gateway(time).await,
        Event::StopClients => clients.stop_for(time).await,
        Event::KillUpstream => world.kill_upstream(time / 8).await,
        Event::KillGateway => {
            world.kill_gateway().await?;
            clients.kill().await?;
            *clients = Victims::start(world, shared)?;
            Ok(())
        }
        Event::KillClients => {
            clients.kill().await?;
            *clients = Victims::start(world, shared)?;
            Ok(())
        }
    }
}
