//! The gRPC servers behind the gateway, and what they have.

use std::sync::Arc;

use grpcws::services::Descriptors;
use grpcws_upstream::{Router, Upstream};
use tokio::signal::unix::{SignalKind, signal};

use super::ServeError;
use super::settings::UpstreamSettings;
use crate::descriptors::{DescriptorOptions, Loader, Trigger, publish, refresh};

/// The gRPC servers behind the gateway.
pub(super) struct Upstreams {
    /// All of them as one service.
    pub(super) router: Router,
    /// Each with its URL and its services.
    each: Vec<(String, Upstream, Vec<String>)>,
}

impl Upstreams {
    pub(super) fn new(settings: &[UpstreamSettings]) -> Result<Self, ServeError> {
        let mut router = Router::new();
        let mut each = Vec::new();
        let mut has_default = false;
        for UpstreamSettings { url, services, options } in settings {
            let upstream = Upstream::new(url, options.clone())?;
            each.push((url.clone(), upstream.clone(), services.clone()));
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

    /// The descriptors, which are loaded again on SIGHUP and when an upstream comes, goes or moves. Those of files are there at
    /// once, those of upstreams when they come.
    pub(super) async fn descriptors(&self, options: DescriptorOptions) -> Result<Descriptors, ServeError> {
        let descriptors = Descriptors::pending();
        let trigger = Arc::new(Trigger::default());
        let mut hang_up = signal(SignalKind::hangup()).map_err(ServeError::signals)?;
        let on_hang_up = Arc::clone(&trigger);
        tokio::spawn(async move {
            while hang_up.recv().await.is_some() {
                tracing::info!("reading the descriptors anew");
                on_hang_up.now();
            }
        });
        let from_files = !options.uses_reflection();
        let mut loader = Loader::new(options);
        if from_files {
            let mut loaded = loader.load().await?;
            if let Some(error) = loaded.routes.pop() {
                return Err(error.into());
            }
            publish(loaded, &descriptors);
        } else {
            for (url, upstream, services) in &self.each {
                watch(upstream, Arc::clone(&trigger));
                loader = loader.upstream_for(url, upstream.clone(), services);
            }
        }
        tokio::spawn(refresh(loader, descriptors.clone(), trigger));
        Ok(descriptors)
    }
}

/// What answers now may have other descriptors than what answered before.
fn watch(upstream: &Upstream, trigger: Arc<Trigger>) {
    let mut changes = upstream.changes();
    tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            trigger.changed();
        }
    });
}
