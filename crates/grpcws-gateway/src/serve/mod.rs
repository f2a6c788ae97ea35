//! The gateway: any gRPC server, with no code for it, over WebSocket.
//!
//! ```text
//!   app ─▶ bridge ────────────▶ upstream    WebSockets below the prefix
//!       ─▶ grpc (passthrough) ─▶ upstream    gRPC and gRPC-Web
//!       ─▶ fallback ──────────▶ another HTTP server
//! ```

mod app;
mod arguments;
mod config;
mod draining;
mod error;
mod fallback;
mod grpc;
mod headers;
mod settings;
mod upstreams;

use std::time::Duration;

use grpcws::Shutdown;
use grpcws::bridge::Bridge;
use grpcws::server::ServerOptions;
use tokio::net::TcpListener;

use app::App;
pub(crate) use arguments::EXAMPLES;
pub use arguments::ServeArguments;
pub use config::ConfigError;
pub use error::ServeError;
use fallback::Fallback;
pub use fallback::FallbackError;
use grpc::Passthrough;
use settings::Settings;
use upstreams::Upstreams;

/// How long the gateway waits for its first descriptors before it says that it listens.
const FIRST_DESCRIPTORS: Duration = Duration::from_secs(1);

/// Serves the gateway until a signal ends it: SIGTERM or SIGINT begin the shutdown, a second one hurries it.
///
/// # Errors
///
/// What the command line or the configuration file asks for does not exist, or the address is not free.
pub async fn serve(arguments: ServeArguments) -> Result<(), ServeError> {
    let settings = Settings::read(arguments)?;
    crate::open_files::raise_limit();
    let upstreams = Upstreams::new(&settings.upstreams)?;
    let shutdown = Shutdown::new();
    let fallback =
        settings.fallback.as_deref().map(|url| Fallback::new(url, shutdown.clone())).transpose()?;
    let descriptors = upstreams.descriptors(settings.descriptors).await?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| ServeError::System(format!("cannot listen on {}", settings.listen), error))?;
    let address =
        listener.local_addr().map_err(|error| ServeError::System("no address".to_owned(), error))?;
    crate::signals::shut_down_on_signal(&shutdown, settings.grace).map_err(ServeError::signals)?;
    // Where the upstream is there, the first client finds its methods; where it is not, nobody waits for it.
    let _ = tokio::time::timeout(FIRST_DESCRIPTORS, descriptors.loaded()).await;
    crate::announce(&format!("listening ws://{address}\n"));

    let bridge = Bridge::new(upstreams.router.clone())
        .prefix(&settings.prefix)
        .descriptors(descriptors)
        .options(settings.connection.clone())
        .shutdown(shutdown.clone());
    let grpc = Passthrough::new(upstreams.router, settings.connection, shutdown.clone());
    let app = App { prefix: settings.prefix, bridge, grpc, fallback };
    let mut options = ServerOptions::default();
    if let Some(connections) = settings.max_connections {
        options = options.max_connections(connections);
    }
    grpcws::server::serve(listener, app, options, shutdown).await;
    Ok(())
}
