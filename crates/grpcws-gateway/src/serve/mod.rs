//! The gateway: any gRPC server, with no code for it, over WebSocket.
//!
//! ```text
//!   app ─▶ bridge ────────────▶ upstream    WebSockets below the prefix
//!       ─▶ grpc (passthrough) ─▶ upstream    gRPC and gRPC-Web
//!       ─▶ fallback ──────────▶ another HTTP server
//! ```
//!
//! There is one of all that for each thread, with connections to the upstreams of its own, so that a message that passes
//! through wakes no other thread. What the threads share is the descriptors.

mod app;
mod arguments;
mod config;
mod draining;
mod error;
mod fallback;
mod generic_route;
mod grpc;
mod head;
mod headers;
mod proxy_protocol;
mod reflection;
mod settings;
mod threads;
mod unknown_parameters;
mod upstreams;
mod web_body;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use grpcws::Shutdown;
use grpcws::bridge::Bridge;
use grpcws::routes::ExtraRoute;
use grpcws::server::Workers;
use grpcws_upstream::Router;

use app::App;
pub(crate) use arguments::EXAMPLES;
pub use arguments::ServeArguments;
pub use config::ConfigError;
pub use error::ServeError;
use fallback::Fallback;
pub use fallback::FallbackError;
use grpc::Passthrough;
use settings::Settings;
use threads::Threads;
use upstreams::Upstreams;

/// How long the gateway waits for its first descriptors before it says that it listens.
const FIRST_DESCRIPTORS: Duration = Duration::from_secs(1);

/// Serves the gateway until a signal ends it: SIGTERM or SIGINT begin the shutdown, a second one hurries it.
///
/// The caller's runtime is the first of the threads; it costs least where it has one thread itself.
///
/// # Errors
///
/// What the command line or the configuration file asks for does not exist, or the address is not free.
pub async fn serve(arguments: ServeArguments) -> Result<(), ServeError> {
    let settings = Settings::read(arguments)?;
    crate::open_files::raise_limit();
    let shutdown = Shutdown::new();
    let threads = Threads::start(settings.workers)
        .map_err(|error| ServeError::System("cannot start a thread".to_owned(), error))?;
    let upstreams = Upstreams::new(&settings.upstreams, settings.workers)?;
    let descriptors = upstreams.descriptors(settings.descriptors).await?;
    let connection = Arc::new(settings.connection.clone());
    let app = |router: &Router| {
        let bridge = Bridge::new(router.clone())
            .prefix(&settings.prefix)
            .descriptors(descriptors.clone())
            .generic_route(settings.generic_route)
            .options(settings.connection.clone())
            .shutdown(shutdown.clone());
        let grpc = Passthrough::new(router.clone(), settings.connection.clone(), shutdown.clone());
        let fallback = settings.fallback.as_ref();
        let fallback =
            fallback.map(|fallback| Fallback::new(&fallback.url, fallback.timeouts, shutdown.clone()));
        let fallback = fallback.transpose()?;
        let options = Arc::clone(&connection);
        Ok::<_, ServeError>(App { prefix: settings.prefix.clone(), bridge, grpc, fallback, options })
    };
    let mut workers = Workers::here(app(&upstreams.first)?);
    for (runtime, router) in threads.runtimes().iter().zip(&upstreams.others) {
        workers = workers.and(runtime.clone(), app(router)?);
    }
    if settings.check {
        crate::announce("the configuration can work\n");
        return Ok(());
    }
    let listener = crate::listener::bind(settings.listen)
        .map_err(|error| ServeError::System(format!("cannot listen on {}", settings.listen), error))?;
    let address =
        listener.local_addr().map_err(|error| ServeError::System("no address".to_owned(), error))?;
    crate::signals::shut_down_on_signal(&shutdown, settings.grace).map_err(ServeError::signals)?;
    // Where the upstream is there, the first client finds its methods; where it is not, nobody waits for it.
    let _ = tokio::time::timeout(FIRST_DESCRIPTORS, descriptors.loaded()).await;
    crate::announce(&format!("listening ws://{address}\n"));

    grpcws::server::serve_on(listener, workers, settings.server, shutdown).await;
    Ok(())
}

/// The routes of a configuration file.
pub(crate) fn routes_of_file(path: &Path) -> Result<Vec<ExtraRoute>, ServeError> {
    settings::routes(&config::Config::read(path)?.route)
}
