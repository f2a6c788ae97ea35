//! The handle by which descriptors are shared and replaced.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::service::Services;

/// The descriptors that are in force now, which may be replaced at run time. Clones share them.
///
/// A call takes what is [`current`](Self::current) when it starts and keeps it to its end.
#[derive(Debug, Clone)]
pub struct Descriptors {
    current: watch::Sender<Option<Services>>,
    requests: Arc<Notify>,
}

impl Descriptors {
    /// A handle without descriptors, for who serves before the first ones are loaded.
    #[must_use]
    pub fn pending() -> Self {
        Self::with(None)
    }

    /// A handle with these descriptors.
    #[must_use]
    pub fn new(services: Services) -> Self {
        Self::with(Some(services))
    }

    fn with(current: Option<Services>) -> Self {
        Self { current: watch::Sender::new(current), requests: Arc::default() }
    }

    /// The present descriptors, or `None` where none have been loaded yet.
    #[must_use]
    pub fn current(&self) -> Option<Services> {
        self.current.borrow().clone()
    }

    /// Puts these descriptors in the place of the present ones; calls that are under way keep theirs.
    pub fn replace(&self, services: Services) {
        self.current.send_replace(Some(services));
    }

    /// Tells whoever loads the descriptors that a call has met none. It costs next to nothing, however often.
    pub fn request(&self) {
        self.requests.notify_one();
    }

    /// Waits until somebody [`request`](Self::request)s descriptors, or has since the last such wait. It is for the
    /// one who loads them.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no request.
    pub async fn requested(&self) {
        self.requests.notified().await;
    }

    /// The present descriptors, or the first ones as soon as they are loaded.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing. It may wait for ever; bound it.
    pub async fn loaded(&self) -> Services {
        let mut receiver = self.current.subscribe();
        let found = receiver.wait_for(Option::is_some).await.expect("a sender outlives the borrow of it");
        found.clone().expect("the condition of the wait")
    }
}

impl From<Services> for Descriptors {
    fn from(services: Services) -> Self {
        Self::new(services)
    }
}
