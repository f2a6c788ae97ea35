//! The gateway: any gRPC server, with no code for it, over WebSocket.
//!
//! ```text
//!   app ─▶ bridge ────────────▶ upstream    WebSockets below the prefix
//!       ─▶ grpc (passthrough) ─▶ upstream    gRPC and gRPC-Web
//!       ─▶ fallback ──────────▶ another HTTP server
//! ```

mod answering;
mod app;
mod arguments;
mod config;
mod error;
mod fallback;
mod grpc;
mod headers;
mod settings;

use grpcws::Shutdown;
use grpcws::bridge::Bridge;
use grpcws::server::ServerOptions;
use grpcws::services::Descriptors;
use grpcws_upstream::{Router, Upstream};
use tokio::net::TcpListener;

use app::App;
pub(crate) use arguments::EXAMPLES;
pub use arguments::ServeArguments;
pub use config::ConfigError;
pub use error::ServeError;
use fallback::Fallback;
pub use fallback::FallbackError;
use grpc::Passthrough;
use settings::{Settings, UpstreamSettings};

/// Serves the gateway until a signal ends it: SIGTERM or SIGINT begin the shutdown, a second one hurries it.
///
/// # Errors
///
/// What the command line or the configuration file asks for does not exist, or the address is not free.
pub async fn serve(arguments: ServeArguments) -> Result<(), ServeError> {
    let settings = Settings::read(arguments)?;
    let upstream = upstream(&settings.upstreams)?;
    let fallback = settings.fallback.as_deref().map(Fallback::new).transpose()?;
    let extra = settings.routes.iter().map(config::RouteConfig::to_route).collect::<Result<Vec<_>, _>>()?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| ServeError::System(format!("cannot listen on {}", settings.listen), error))?;
    let address =
        listener.local_addr().map_err(|error| ServeError::System("no address".to_owned(), error))?;
    let descriptors = Descriptors::pending();

    let shutdown = Shutdown::new();
    crate::signals::shut_down_on_signal(&shutdown, settings.grace)
        .map_err(|error| ServeError::System("cannot watch signals".to_owned(), error))?;
    crate::announce(&format!("listening ws://{address}\n"));

    let bridge = Bridge::new(upstream.clone())
        .prefix(&settings.prefix)
        .descriptors(descriptors)
        .options(settings.connection)
        .shutdown(shutdown.clone());
    let grpc = Passthrough::new(upstream, &settings.allow_origin);
    let app = App { prefix: settings.prefix, bridge, grpc, fallback };
    let mut options = ServerOptions::default();
    if let Some(connections) = settings.max_connections {
        options = options.max_connections(connections);
    }
    grpcws::server::serve(listener, app, options, shutdown).await;
    Ok(())
}

/// One service in front of all upstreams.
fn upstream(settings: &[UpstreamSettings]) -> Result<Router, ServeError> {
    let mut router = Router::new();
    let mut has_default = false;
    for UpstreamSettings { url, services, options } in settings {
        let upstream = Upstream::new(url, options.clone())?;
        if services.is_empty() {
            if std::mem::replace(&mut has_default, true) {
                let text = format!("upstream {url}: another one has all services; say which are its own");
                return Err(ServeError::Usage(text));
            }
            router = router.default_upstream(upstream);
        } else {
            router = services.iter().fold(router, |router, prefix| router.route(prefix, upstream.clone()));
        }
    }
    Ok(router)
}
