//! What the upstream knows of the calls: how each ended, and what it had read and sent by then.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use grpcws_test::pb::test_service_client::TestServiceClient;
use grpcws_test::pb::{Call, StatsRequest, StatsResponse};
use tonic::transport::{Channel, Endpoint};

use crate::failure::Failure;

/// The ends of calls by their tag, gathered from one upstream after another.
#[derive(Debug, Default)]
pub(crate) struct Books {
    calls: HashMap<String, Call>,
}

/// A reader of one upstream's books.
#[derive(Debug)]
pub(crate) struct Reader {
    client: TestServiceClient<Channel>,
    after: i64,
}

impl Reader {
    /// Connects straight to the upstream.
    pub(crate) fn new(upstream: SocketAddr) -> Result<Self, Failure> {
        let endpoint = Endpoint::from_shared(format!("http://{upstream}"))?;
        let channel = endpoint.timeout(Duration::from_secs(10)).connect_lazy();
        let client = TestServiceClient::new(channel).max_decoding_message_size(64 << 20);
        Ok(Self { client, after: 0 })
    }

    async fn stats(&mut self, recent: u32) -> Result<StatsResponse, Failure> {
        let request = StatsRequest { recent, after_end: self.after, ..Default::default() };
        Ok(self.client.stats(request).await?.into_inner())
    }

    /// Enters what has ended since the last time.
    pub(crate) async fn read(&mut self, books: &mut Books) -> Result<(), Failure> {
        let stats = self.stats(u32::MAX).await?;
        self.after = stats.recent.iter().map(|call| call.end).fold(self.after, i64::max);
        let tagged = stats.recent.into_iter().filter(|call| !call.tag.is_empty());
        books.calls.extend(tagged.map(|call| (call.tag.clone(), call)));
        Ok(())
    }

    /// How many calls are still live when there are none, or the time is up.
    pub(crate) async fn wait_until_idle(&mut self, limit: Duration) -> Result<i64, Failure> {
        let start = Instant::now();
        loop {
            let live = self.stats(0).await?.live;
            if live == 0 || start.elapsed() > limit {
                return Ok(live);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Books {
    /// How the call with this tag ended. A tag is read once.
    pub(crate) fn take(&mut self, tag: &str) -> Option<Call> {
        self.calls.remove(tag)
    }

    /// How the calls with such tags ended. Each is read once.
    pub(crate) fn take_all(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<Call> {
        self.calls.extract_if(|tag, _| wanted(tag)).map(|(_, call)| call).collect()
    }
}
