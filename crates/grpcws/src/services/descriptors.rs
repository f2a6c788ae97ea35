//! The handle by which descriptors are shared and replaced.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

use super::lookup::{Lookups, Side, WantedType};
use super::service::Services;

/// The descriptors that are in force now, which may be replaced at run time. Clones share them.
///
/// A call takes what is [`current`](Self::current) when it starts and keeps it to its end.
#[derive(Debug, Clone)]
pub struct Descriptors {
    current: watch::Sender<Option<Services>>,
    requests: Arc<Notify>,
    lookups: Arc<Lookups>,
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
        Self { current: watch::Sender::new(current), requests: Arc::default(), lookups: Arc::default() }
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

    /// Tells whoever loads the descriptors that a call has met none, or has asked for a method that they do not have. It
    /// costs next to nothing, however often.
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

    /// Says that somebody answers [`wanted_types`](Self::wanted_types). From then on a message waits for the types of its
    /// `Any`s, and for its extensions, which the descriptors lack: 5 s at most.
    pub fn enable_lookups(&self) {
        self.lookups.enable();
    }

    /// Waits until messages have types that the descriptors lack, and returns these. Each is answered by
    /// [`looked_up`](Self::looked_up).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn wanted_types(&self) -> Vec<WantedType> {
        self.lookups.wanted().await
    }

    /// Says that these types were looked for, and which of them are nowhere. The others are in the descriptors by now. What
    /// is nowhere is not wanted again for 10 minutes, or until it is [forgotten](Self::forget_absent_types).
    pub fn looked_up(&self, wanted: &[WantedType], absent: &[WantedType]) {
        self.lookups.answer(wanted, absent);
    }

    /// Forgets which types are nowhere, as they may be there by now.
    pub fn forget_absent_types(&self) {
        self.lookups.forget();
    }

    pub(crate) fn looks_types_up(&self) -> bool {
        self.lookups.is_enabled()
    }

    /// Asks for types, and returns those whose answers have to be waited for.
    pub(crate) fn ask_for_types(
        &self,
        wanted: impl IntoIterator<Item = WantedType>,
        side: Side,
    ) -> Vec<WantedType> {
        self.lookups.ask(wanted, side)
    }

    pub(crate) async fn types_answered(&self, awaited: &[WantedType]) -> bool {
        self.lookups.answered(awaited).await
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
