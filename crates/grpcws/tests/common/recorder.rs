//! Hooks that write down what they are told, and panic where a test asks for it.

use std::time::{Duration, SystemTime};

use grpcws::proto::session::Outcome;
use grpcws::{Direction, Status, StreamHooks, StreamInfo, StreamMetrics};
use tokio::sync::mpsc;

use super::SOON;

/// Hooks that write down what they are told.
pub(crate) struct Recorder {
    events: mpsc::Sender<(String, String)>,
    /// The hook that panics, for streams of a path with this end.
    panics: Option<(&'static str, &'static str)>,
}

/// What the hooks of all streams were told: the path, and the event.
pub(crate) struct Recorded {
    events: mpsc::Receiver<(String, String)>,
}

pub(crate) fn recorder() -> (Recorder, Recorded) {
    let (sender, receiver) = mpsc::channel(100_000);
    (Recorder { events: sender, panics: None }, Recorded { events: receiver })
}

impl Recorder {
    /// The same, with a panic in one hook for streams of a path with this end.
    pub(crate) fn panic_in(mut self, hook: &'static str, path: &'static str) -> Self {
        self.panics = Some((hook, path));
        self
    }

    fn tell(&self, stream: &StreamInfo, event: String) {
        let panics =
            self.panics.is_some_and(|(hook, path)| event.starts_with(hook) && stream.path.ends_with(path));
        self.events.try_send((stream.path.clone(), event)).expect("there is room");
        assert!(!panics, "a panic that the test asks for");
    }
}

impl Recorded {
    /// What the hooks of a stream with this path were told until its end.
    pub(crate) async fn until_close(&mut self, path: &str) -> Vec<String> {
        let mut events = Vec::new();
        while !events.last().is_some_and(|event: &String| event.starts_with("close")) {
            events.push(self.next(path).await);
        }
        events
    }

    /// What the hooks of a stream with this path are told next; those of other streams are passed over.
    pub(crate) async fn next(&mut self, path: &str) -> String {
        loop {
            let next = tokio::time::timeout(SOON, self.events.recv()).await.expect("a hook is called");
            let (of, event) = next.expect("the hooks live");
            if of.ends_with(path) {
                return event;
            }
        }
    }

    /// What is recorded already and was not looked at.
    pub(crate) fn left(&mut self) -> Vec<(String, String)> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}

impl StreamHooks for Recorder {
    fn on_start(&self, stream: &StreamInfo) {
        self.tell(stream, "start".to_owned());
    }

    fn on_message(&self, stream: &StreamInfo, direction: Direction, bytes: usize) {
        let direction = if direction == Direction::Sent { "sent" } else { "received" };
        self.tell(stream, format!("{direction} {bytes}"));
    }

    fn on_ping(&self, stream: &StreamInfo, ping_id: u64) {
        self.tell(stream, format!("ping {ping_id}"));
    }

    fn on_pong(&self, stream: &StreamInfo) {
        self.tell(stream, "pong".to_owned());
    }

    fn on_timeout(&self, stream: &StreamInfo, outcome: &Outcome) {
        self.tell(stream, format!("timeout {}", cause(outcome)));
    }

    fn on_error(&self, stream: &StreamInfo, status: &Status) {
        self.tell(stream, format!("error {}", status.code().number()));
    }

    fn on_close(&self, stream: &StreamInfo, outcome: Option<&Outcome>, metrics: &StreamMetrics) {
        let age = SystemTime::now().duration_since(metrics.connected_at);
        assert!(age.is_ok_and(|age| age < Duration::from_secs(60)), "{metrics:?}");
        let outcome = outcome.map(|outcome| {
            let close = outcome.close.as_ref().map_or(0, |close| close.code.number());
            format!("{} {} {close}", cause(outcome), outcome.status.code().number())
        });
        let StreamMetrics { messages_sent, messages_received, bytes_sent, bytes_received, .. } = metrics;
        self.tell(
            stream,
            format!(
                "close {}; sent {messages_sent}/{bytes_sent}, received {messages_received}/{bytes_received}",
                outcome.as_deref().unwrap_or("without an outcome")
            ),
        );
    }
}

/// The name of the cause.
fn cause(outcome: &Outcome) -> String {
    let text = format!("{:?}", outcome.cause);
    text.split('(').next().unwrap_or_default().to_owned()
}
