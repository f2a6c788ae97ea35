//! What the upstream saw, compared with what the clients did: the other half of P1, P2 and P4.

use std::sync::Arc;
use std::time::Duration;

use grpcws_test::pb::Call;
use grpcws_test::pb::call::Outcome;

use super::run::{Pending, Shared};
use super::world::World;
use crate::books::{Books, Reader};

/// The tags of calls whose clients never send their end, and are killed and stopped.
pub(super) const VICTIM: &str = "victim";

/// Reads the books of the upstream, of each after the other, until the run is over.
pub(super) async fn keep_books(world: Arc<World>, shared: Arc<Shared>) {
    let mut books = Books::default();
    let mut reader = None;
    let mut last = false;
    loop {
        // What ended just before the run was over is read too.
        let over = shared.is_over();
        let upstream = world.upstream();
        let open = match reader.take() {
            Some((address, reader)) if address == upstream => Some(reader),
            _ => Reader::new(upstream).ok(),
        };
        if let Some(mut open) = open {
            // An upstream that is stopped or gone is asked again.
            let _ = open.read(&mut books).await;
            reader = Some((upstream, open));
        }
        compare(&mut books, &shared);
        if last {
            return;
        }
        last = over;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn compare(books: &mut Books, shared: &Shared) {
    for call in books.take_all(|tag| tag.starts_with(VICTIM)) {
        if call.outcome() == Outcome::Completed {
            shared.violation(0, format!("{}: a half-close that no client sent", call.tag));
        }
        shared.count("calls of clients that are killed");
    }
    let mut faults = Vec::new();
    shared.found().pending.retain(|tag, pending| match books.take(tag) {
        Some(call) => {
            faults.extend(
                fault(&call, pending).map(|fault| (pending.unit, format!("{}: {fault}", pending.plan))),
            );
            false
        }
        None => true,
    });
    for (unit, fault) in faults {
        shared.violation(unit, fault);
    }
}

fn fault(call: &Call, pending: &Pending) -> Option<String> {
    let Pending { ask, ended, succeeded, .. } = pending;
    let completed = call.outcome() == Outcome::Completed;
    if call.gaps > 0 || call.received > i64::from(ask.requests()) {
        return Some(format!("the upstream read {} messages with {} gaps", call.received, call.gaps));
    }
    if *succeeded && !completed {
        return Some(format!("stream_end, and the upstream ended with {:?}", call.outcome()));
    }
    if !completed || !ask.method.takes_many() {
        return None;
    }
    if !ended {
        return Some("the upstream saw a half-close that the client did not send".to_owned());
    }
    (call.received != i64::from(ask.requests())).then(|| {
        format!("the upstream saw a half-close behind {} of {} messages", call.received, ask.requests())
    })
}
