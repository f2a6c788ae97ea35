//! The gRPC servers behind the gateway, and what they have.

use std::num::NonZeroUsize;
use std::sync::Arc;

use grpcws::services::Descriptors;
use grpcws_upstream::{Router, Upstream, UpstreamOptions};
use tokio::signal::unix::{SignalKind, signal};

use super::ServeError;
use super::settings::UpstreamSettings;
use crate::descriptors::{DescriptorOptions, Loader, Trigger, publish, refresh};

/// The gRPC servers behind the gateway: for each thread all of them as one service, with connections of its own.
pub(super) struct Upstreams {
    /// For the thread that loads the descriptors.
    pub(super) first: Router,
    pub(super) others: Vec<Router>,
    /// Those of the first thread.
    each: Each,
}

/// Upstreams with what is said of them.
type Each = Vec<(UpstreamSettings, Upstream)>;

impl Upstreams {
    pub(super) fn new(settings: &[UpstreamSettings], workers: NonZeroUsize) -> Result<Self, ServeError> {
        let (first, each) = router(settings, workers, 0)?;
        let other = |worker| Ok(router(settings, workers, worker)?.0);
        let others = (1..workers.get()).map(other).collect::<Result<_, ServeError>>()?;
        Ok(Self { first, others, each })
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
        let (has_files, asks) = (options.has_files(), options.uses_reflection());
        let mut loader = Loader::new(options);
        if asks {
            for (settings, upstream) in &self.each {
                let UpstreamSettings { url, services, reflection, .. } = settings;
                loader = loader.upstream_for(url, upstream.clone(), services, reflection.clone());
            }
        }
        if has_files {
            let mut loaded = loader.load_files().await?;
            // The method of a route may be one that an upstream has.
            if !asks && let Some(error) = loaded.routes.pop() {
                return Err(error.into());
            }
            let empty = loaded.services.iter().next().is_none();
            publish(loaded, &descriptors);
            // Where upstreams are asked too, they may have what the files lack.
            if empty && !asks {
                let text = "the descriptor files have no service that is complete";
                return Err(ServeError::Usage(text.to_owned()));
            }
        }
        if asks {
            descriptors.enable_lookups();
            for (_, upstream) in std::iter::once(&self.first).chain(&self.others).flat_map(Router::upstreams)
            {
                watch(upstream, Arc::clone(&trigger));
            }
        }
        tokio::spawn(refresh(loader, descriptors.clone(), trigger));
        Ok(descriptors)
    }
}

/// The upstreams of one thread, as one service and one by one.
fn router(
    settings: &[UpstreamSettings],
    workers: NonZeroUsize,
    worker: usize,
) -> Result<(Router, Each), ServeError> {
    let mut router = Router::new();
    let mut each = Vec::new();
    let mut has_default = false;
    for settings in settings {
        let UpstreamSettings { url, services, options, .. } = settings;
        let upstream = Upstream::new(url, share(options, workers, worker)?)?;
        each.push((settings.clone(), upstream.clone()));
        if !services.is_empty() {
            router = services.iter().fold(router, |router, prefix| router.route(prefix, upstream.clone()));
        } else if std::mem::replace(&mut has_default, true) {
            let text = format!("upstream {url}: another one has all services; say which are its own");
            return Err(ServeError::Usage(text));
        } else {
            router = router.default_upstream(upstream);
        }
    }
    Ok((router, each))
}

/// What one of the threads has of the limits that are for all of them. There are no more threads than an upstream may
/// have connections. Each connects to other addresses first.
fn share(
    options: &UpstreamOptions,
    workers: NonZeroUsize,
    worker: usize,
) -> Result<UpstreamOptions, ServeError> {
    let connections = (options.max_connections() / workers).max(1);
    let waiting = options.max_waiting().div_ceil(workers.get());
    let offset = worker.saturating_mul(connections);
    let own = options.to_builder().max_connections(connections).max_waiting(waiting).address_offset(offset);
    Ok(own.build()?)
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
