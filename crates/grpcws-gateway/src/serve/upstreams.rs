//! The gRPC servers behind the gateway, and what they have.

use std::io;
use std::sync::Arc;

use grpcws::services::Descriptors;
use grpcws_upstream::{Router, Upstream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::ServeError;
use super::settings::UpstreamSettings;
use crate::descriptors::{DescriptorOptions, Loader, refresh};

/// The gRPC servers behind the gateway.
pub(super) struct Upstreams {
    /// All of them as one service.
    pub(super) router: Router,
    /// Each with its URL.
    each: Vec<(String, Upstream)>,
}

impl Upstreams {
    pub(super) fn new(settings: &[UpstreamSettings]) -> Result<Self, ServeError> {
        let mut router = Router::new();
        let mut each = Vec::new();
        let mut has_default = false;
        for UpstreamSettings { url, services, options } in settings {
            let upstream = Upstream::new(url, options.clone())?;
            each.push((url.clone(), upstream.clone()));
            if !services.is_empty() {
                router =
                    services.iter().fold(router, |router, prefix| router.route(prefix, upstream.clone()));
            } else if std::mem::replace(&mut has_default, true) {
                let text = format!("upstream {url}: another one has all services; say which are its own");
                return Err(ServeError::Usage(text));
            } else {
                router = router.default_upstream(upstream);
            }
        }
        Ok(Self { router, each })
    }

    /// The descriptors, which are loaded now, and again on SIGHUP and when an upstream comes, goes or moves.
    pub(super) fn descriptors(&self, options: DescriptorOptions) -> io::Result<Descriptors> {
        let descriptors = Descriptors::pending();
        let trigger = Arc::new(Notify::new());
        let mut hang_up = signal(SignalKind::hangup())?;
        let on_hang_up = Arc::clone(&trigger);
        tokio::spawn(async move {
            while hang_up.recv().await.is_some() {
                tracing::info!("reading the descriptors anew");
                on_hang_up.notify_one();
            }
        });
        if options.uses_reflection() {
            self.each.iter().for_each(|(_, upstream)| watch(upstream, Arc::clone(&trigger)));
        }
        let loader = self
            .each
            .iter()
            .fold(Loader::new(options), |loader, (url, upstream)| loader.upstream(url, upstream.clone()));
        tokio::spawn(refresh(loader, descriptors.clone(), trigger));
        Ok(descriptors)
    }
}

/// What answers now may have other descriptors than what answered before.
fn watch(upstream: &Upstream, trigger: Arc<Notify>) {
    let mut changes = upstream.changes();
    tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            trigger.notify_one();
        }
    });
}
