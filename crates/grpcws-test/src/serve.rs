//! The service on a listener.

use std::future::{Future, pending};

use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Error, Server};

use crate::{FILE_DESCRIPTOR_SET, TestService};

/// The HTTP/2 settings of [`serve`]. Everything left out is hyper's default.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ServeOptions {
    /// How many request bytes a client may send ahead on one stream. Default: 1 MiB.
    pub stream_window: Option<u32>,
    /// How many request bytes a client may send ahead on one connection. Default: 1 MiB.
    pub connection_window: Option<u32>,
    /// How many calls one connection may have. Default: 200.
    pub max_concurrent_streams: Option<u32>,
    /// The largest frame that a client may send. Default: 16 KiB.
    pub max_frame_size: Option<u32>,
}

impl ServeOptions {
    /// Sets [`stream_window`](Self::stream_window).
    #[must_use]
    pub fn stream_window(mut self, bytes: u32) -> Self {
        self.stream_window = Some(bytes);
        self
    }

    /// Sets [`connection_window`](Self::connection_window).
    #[must_use]
    pub fn connection_window(mut self, bytes: u32) -> Self {
        self.connection_window = Some(bytes);
        self
    }

    /// Sets [`max_concurrent_streams`](Self::max_concurrent_streams).
    #[must_use]
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.max_concurrent_streams = Some(streams);
        self
    }

    /// Sets [`max_frame_size`](Self::max_frame_size).
    #[must_use]
    pub fn max_frame_size(mut self, bytes: u32) -> Self {
        self.max_frame_size = Some(bytes);
        self
    }
}

/// The service and server reflection (v1 and v1alpha), to serve or to call in the same process.
#[must_use]
pub fn routes(service: TestService) -> Routes {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
    };
    let own = "the build script compiled this descriptor set";
    Routes::new(service.into_service())
        .add_service(reflection().build_v1().expect(own))
        .add_service(reflection().build_v1alpha().expect(own))
}

/// Serves the service with reflection, for ever.
///
/// # Errors
/// Returns what ended the accept loop.
pub async fn serve(listener: TcpListener, service: TestService, options: ServeOptions) -> Result<(), Error> {
    serve_with_shutdown(listener, service, options, pending()).await
}

/// Serves the service with reflection until the signal, and then until the last call has ended.
///
/// # Errors
/// Returns what ended the accept loop.
pub async fn serve_with_shutdown(
    listener: TcpListener,
    service: TestService,
    options: ServeOptions,
    signal: impl Future<Output = ()>,
) -> Result<(), Error> {
    Server::builder()
        .initial_stream_window_size(options.stream_window)
        .initial_connection_window_size(options.connection_window)
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_frame_size(options.max_frame_size)
        .add_routes(routes(service))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), signal)
        .await
}
