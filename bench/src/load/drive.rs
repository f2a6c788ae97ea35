//! What each socket of a scenario does.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use prost::Message as _;

use super::connection::{Connection, Endpoint};
use super::format::{Format, Method, Received, integer};
use super::{Totals, Work};
use crate::pb::{Event, SubscribeRequest, Summary};
use crate::service::unix_nanoseconds;

/// How many sockets are opened at the same time.
const OPENING: usize = 64;

/// How many events an upload writes at once.
const UPLOAD_BATCH: u64 = 64;

/// Starts the sockets of a scenario, on the local task set of the caller. They end when the set is dropped.
pub(crate) async fn start(work: Work, endpoint: &Endpoint, totals: &Rc<Totals>) -> io::Result<()> {
    let permits = Rc::new(tokio::sync::Semaphore::new(OPENING));
    for _ in 0..work.sockets() {
        let permit = Rc::clone(&permits);
        let (endpoint, totals) = (endpoint.clone(), Rc::clone(totals));
        tokio::task::spawn_local(async move {
            if let Err(error) = socket(work, &endpoint, &totals, &permit).await {
                totals.error(error);
            }
            totals.finished.set(totals.finished.get() + 1);
        });
    }
    let limit = Instant::now() + Duration::from_secs(30);
    while totals.opened.get() < work.sockets() {
        if let Some(error) = totals.first_error.borrow().as_ref() {
            return Err(io::Error::other(error.clone()));
        }
        if Instant::now() > limit {
            return Err(io::Error::other("the sockets did not open"));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

async fn socket(
    work: Work,
    endpoint: &Endpoint,
    totals: &Totals,
    permits: &tokio::sync::Semaphore,
) -> io::Result<()> {
    let open = async |method, request: &SubscribeRequest| {
        let _permit = permits.acquire().await.map_err(io::Error::other)?;
        let connection = Connection::open(endpoint, method, request).await?;
        totals.opened();
        Ok::<_, io::Error>(connection)
    };
    let none = SubscribeRequest::default();
    match work {
        Work::Subscribe { size, rate, .. } => {
            let connection = open(Method::Subscribe, &SubscribeRequest { count: 0, size, rate }).await?;
            subscribe(connection, endpoint.format, rate > 0.0, totals).await
        }
        Work::Echo { in_flight, .. } => {
            echo(open(Method::Echo, &none).await?, endpoint.format, in_flight, totals).await
        }
        Work::Collect { messages, .. } => {
            collect(open(Method::Collect, &none).await?, endpoint.format, messages, totals).await
        }
        Work::Connect { .. } => connect(endpoint, totals).await,
        Work::Idle { .. } => idle(open(Method::Echo, &none).await?, totals).await,
        Work::Order { messages } => {
            let request = SubscribeRequest { count: messages, ..none };
            order(open(Method::Subscribe, &request).await?, endpoint.format, messages, totals).await
        }
    }
}

/// A number in a message.
fn number(format: Format, message: &[u8], member: &str, of: impl Fn(&Event) -> i64) -> Option<i64> {
    match format {
        Format::Proto | Format::GrpcWeb => Event::decode(message).ok().map(|event| of(&event)),
        _ => integer(message, member),
    }
}

/// The end of a stream that was to go on for ever.
fn ended<T>() -> io::Result<T> {
    Err(io::Error::other("the target ended the stream"))
}

async fn subscribe(
    mut connection: Connection,
    format: Format,
    stamped: bool,
    totals: &Totals,
) -> io::Result<()> {
    loop {
        let mut count = 0;
        let mut over = false;
        let more = connection.read(|received| match received {
            Received::Message(message) => {
                count += 1;
                if stamped && let Some(sent) = number(format, message, "sentNs", |event| event.sent_ns) {
                    let late = u64::try_from(unix_nanoseconds() - sent).unwrap_or(0);
                    totals.latency(Duration::from_nanos(late));
                }
            }
            Received::End | Received::Failure => over = true,
            Received::Other => {}
        });
        let more = more.await?;
        totals.messages(count);
        if over || !more {
            return ended();
        }
    }
}

async fn echo(
    mut connection: Connection,
    format: Format,
    in_flight: usize,
    totals: &Totals,
) -> io::Result<()> {
    let event = format.event(123_456);
    let mut output = event.repeat(in_flight);
    let mut sent: VecDeque<Instant> = VecDeque::with_capacity(in_flight);
    loop {
        sent.resize(in_flight, Instant::now());
        connection.write(&output).await?;
        output.clear();
        let mut over = false;
        let mut now = None;
        let more = connection.read(|received| match received {
            Received::Message(_) => {
                let now = *now.get_or_insert_with(Instant::now);
                if let Some(then) = sent.pop_front() {
                    totals.latency(now - then);
                }
                output.extend_from_slice(&event);
                totals.messages(1);
            }
            Received::End | Received::Failure => over = true,
            Received::Other => {}
        });
        if !more.await? || over {
            return ended();
        }
    }
}

/// Sends a number of messages and waits until the service says that it has them all: what lies in the buffers of
/// sockets in between is megabytes, and would blur a window of time.
async fn collect(
    mut connection: Connection,
    format: Format,
    messages: u64,
    totals: &Totals,
) -> io::Result<()> {
    let events: Vec<u8> = (1..=UPLOAD_BATCH).flat_map(|number| format.event(number.cast_signed())).collect();
    let batches = messages / UPLOAD_BATCH;
    let mut counted = None;
    let sink = |received: Received<'_>| match received {
        Received::Message(message) => {
            counted = match format {
                Format::Proto | Format::GrpcWeb => Summary::decode(message).ok().map(|summary| summary.count),
                _ => integer(message, "count"),
            };
            true
        }
        Received::Failure | Received::End => true,
        Received::Other => false,
    };
    connection.upload(&events, batches, &format.half_close(), sink).await?;
    let sent = batches * UPLOAD_BATCH;
    if counted != Some(sent.cast_signed()) {
        return Err(io::Error::other(format!("of {sent} messages {counted:?} arrived")));
    }
    totals.messages(sent);
    Ok(())
}

async fn connect(endpoint: &Endpoint, totals: &Totals) -> io::Result<()> {
    totals.opened();
    let request = SubscribeRequest { count: 1, ..Default::default() };
    loop {
        let start = Instant::now();
        let mut connection = Connection::open(endpoint, Method::Subscribe, &request).await?;
        let (mut arrived, mut over) = (false, false);
        while !arrived {
            let more = connection.read(|received| match received {
                Received::Message(_) => arrived = true,
                Received::End | Received::Failure => over = true,
                Received::Other => {}
            });
            if (!more.await? || over) && !arrived {
                return ended();
            }
        }
        totals.latency(start.elapsed());
        totals.messages(1);
    }
}

async fn idle(mut connection: Connection, totals: &Totals) -> io::Result<()> {
    loop {
        let mut over = false;
        let more = connection.read(|received| over |= matches!(received, Received::End | Received::Failure));
        if !more.await? || over {
            return ended();
        }
        totals.messages(1);
    }
}

async fn order(mut connection: Connection, format: Format, messages: i64, totals: &Totals) -> io::Result<()> {
    let mut next = 1;
    let (mut over, mut wrong) = (false, None);
    while next <= messages && !over {
        let more = connection.read(|received| match received {
            Received::Message(message) => {
                let sequence = number(format, message, "sequence", |event| event.sequence);
                if sequence != Some(next) && wrong.is_none() {
                    wrong = Some(format!("message {next} has the number {sequence:?}"));
                }
                next += 1;
                totals.messages(1);
            }
            Received::End | Received::Failure => over = true,
            Received::Other => {}
        });
        over |= !more.await?;
    }
    match wrong {
        Some(wrong) => Err(io::Error::other(wrong)),
        None if next <= messages => {
            Err(io::Error::other(format!("{} of {messages} messages came", next - 1)))
        }
        None => Ok(()),
    }
}
