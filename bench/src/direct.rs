//! A tonic client without a bridge: one of the floors. It runs one scenario and prints what it measured of itself
//! as a line of JSON, as its counterpart in Go does.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clap::Args;
use futures_core::Stream;
use serde::{Deserialize, Serialize};
use tonic::transport::Channel;

use crate::event::event;
use crate::measure::own_cpu;
use crate::pb::bench_service_client::BenchServiceClient;
use crate::pb::{Event, SubscribeRequest};

#[derive(Debug, Clone, Args)]
pub(crate) struct DirectArguments {
    /// Host and port of the gRPC server.
    #[arg(long)]
    upstream: String,
    /// subscribe, echo or collect.
    #[arg(long)]
    scenario: String,
    #[arg(long, default_value_t = 1)]
    streams: usize,
    #[arg(long, default_value_t = 0)]
    size: i32,
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    #[arg(long, default_value_t = 1)]
    in_flight: usize,
    /// In milliseconds, as "300ms".
    #[arg(long, value_parser = milliseconds)]
    warm_up: Duration,
    #[arg(long, value_parser = milliseconds)]
    window: Duration,
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix("ms").and_then(|number| number.parse().ok());
    number.map(Duration::from_millis).ok_or_else(|| "not a number of milliseconds, as 300ms".to_owned())
}

/// What a direct client measured of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) cpu_ns: u64,
    pub(crate) messages: u64,
    pub(crate) elapsed_ns: u64,
    pub(crate) errors: u64,
}

#[derive(Default)]
struct Counters {
    messages: AtomicU64,
    errors: AtomicU64,
}

pub(crate) async fn run(arguments: DirectArguments) -> Result<(), Box<dyn Error>> {
    // With the default windows h2 takes a server that sends small DATA frames for an attacker, and ends the
    // connection (`too_many_data_frames`); grpc-go is such a server.
    let endpoint = Channel::from_shared(format!("http://{}", arguments.upstream))?
        .tcp_nodelay(true)
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(u32::MAX >> 1);
    let channel = endpoint.connect().await?;
    let counters = Arc::new(Counters::default());
    for _ in 0..arguments.streams {
        let (client, counters) = (BenchServiceClient::new(channel.clone()), Arc::clone(&counters));
        let arguments = arguments.clone();
        tokio::spawn(async move {
            if stream(client, &arguments, &counters).await.is_err() {
                counters.errors.fetch_add(1, Relaxed);
            }
        });
    }
    tokio::time::sleep(arguments.warm_up).await;
    let (cpu, messages, start) = (own_cpu(), counters.messages.load(Relaxed), Instant::now());
    tokio::time::sleep(arguments.window).await;
    let nanoseconds = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let measured = Measured {
        cpu_ns: nanoseconds(own_cpu() - cpu),
        messages: counters.messages.load(Relaxed) - messages,
        elapsed_ns: nanoseconds(start.elapsed()),
        errors: counters.errors.load(Relaxed),
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

async fn stream(
    mut client: BenchServiceClient<Channel>,
    arguments: &DirectArguments,
    counters: &Counters,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let count = || counters.messages.fetch_add(1, Relaxed);
    match &*arguments.scenario {
        "subscribe" => {
            let request = SubscribeRequest { count: 0, size: arguments.size, rate: arguments.rate };
            let mut events = client.subscribe(request).await?.into_inner();
            while events.message().await?.is_some() {
                count();
            }
            Err("the stream ended".into())
        }
        "echo" => {
            let (sender, receiver) = tokio::sync::mpsc::channel(arguments.in_flight);
            for _ in 0..arguments.in_flight {
                sender.send(event(0)).await?;
            }
            let mut events = client.echo(Requests(receiver)).await?.into_inner();
            while let Some(event) = events.message().await? {
                count();
                sender.send(event).await?;
            }
            Err("the stream ended".into())
        }
        _ => {
            let (sender, receiver) = tokio::sync::mpsc::channel(64);
            let sending = async {
                loop {
                    sender.send(event(0)).await?;
                    count();
                }
            };
            tokio::select! {
                result = sending => result,
                result = client.collect(Requests(receiver)) => {
                    result?;
                    Err("the stream ended".into())
                }
            }
        }
    }
}

/// The requests of a stream.
struct Requests(tokio::sync::mpsc::Receiver<Event>);

impl Stream for Requests {
    type Item = Event;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Event>> {
        self.0.poll_recv(cx)
    }
}
