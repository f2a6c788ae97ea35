//! The benchmark's service on tonic: a backend that is fast, and lets its transport gather messages.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Request, Response, Status, Streaming};

use crate::event::event;
use crate::pb::bench_service_server::{BenchService, BenchServiceServer};
use crate::pb::{Event, SubscribeRequest, Summary};

/// The service, and reflection for those who ask for its descriptors.
pub(crate) fn routes() -> tonic::service::Routes {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(crate::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the build script compiled this descriptor set");
    tonic::service::Routes::new(BenchServiceServer::new(Service)).add_service(reflection)
}

pub(crate) struct Service;

#[tonic::async_trait]
impl BenchService for Service {
    type SubscribeStream = Events;
    type EchoStream = Streaming<Event>;

    async fn subscribe(&self, request: Request<SubscribeRequest>) -> Result<Response<Events>, Status> {
        Ok(Response::new(Events::new(request.into_inner())))
    }

    async fn collect(&self, request: Request<Streaming<Event>>) -> Result<Response<Summary>, Status> {
        let mut events = request.into_inner();
        let mut count = 0;
        while events.message().await?.is_some() {
            count += 1;
        }
        Ok(Response::new(Summary { count }))
    }

    async fn echo(&self, request: Request<Streaming<Event>>) -> Result<Response<Streaming<Event>>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// The events of one subscription. Without a rate it is always ready, so that the encoder above it fills whole
/// DATA frames.
pub(crate) struct Events {
    template: Event,
    limit: i64,
    rate: f64,
    start: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Events {
    fn new(request: SubscribeRequest) -> Self {
        let start = Instant::now();
        Self {
            template: event(usize::try_from(request.size).unwrap_or(0)),
            limit: if request.count == 0 { i64::MAX } else { request.count },
            rate: request.rate,
            start,
            timer: Box::pin(sleep_until(start)),
        }
    }

    /// Waits for the time of the next event, and stamps it.
    #[expect(clippy::cast_precision_loss, reason = "a paced stream has few events")]
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.start + Duration::from_secs_f64((self.template.sequence + 1) as f64 / self.rate);
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        ready!(self.timer.as_mut().poll(cx));
        self.template.sent_ns = unix_nanoseconds();
        Poll::Ready(())
    }
}

impl Stream for Events {
    type Item = Result<Event, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.template.sequence >= this.limit {
            return Poll::Ready(None);
        }
        if this.rate > 0.0 {
            ready!(this.poll_turn(cx));
        }
        this.template.sequence += 1;
        Poll::Ready(Some(Ok(this.template.clone())))
    }
}

/// The time that both ends of a paced stream go by: they run on one machine.
pub(crate) fn unix_nanoseconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
