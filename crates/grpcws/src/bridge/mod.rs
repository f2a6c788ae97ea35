//! A whole gRPC service over WebSocket, with no code for each method.
//!
//! [`Bridge`] wraps any tower gRPC service: tonic's `Routes` in the same process, a channel to another one, or a
//! pool of connections. Every method of it, of all four kinds, is served at `{prefix}/{package.Service}/{Method}`.
//!
//! ```
//! use axum::Router;
//! use grpcws::bridge::Bridge;
//! use grpcws::services::Services;
//! # use grpcws_test::{FILE_DESCRIPTOR_SET, TestService, pb::test_service_server::TestServiceServer};
//!
//! # fn app() -> Result<Router, Box<dyn std::error::Error>> {
//! let grpc = tonic::service::Routes::new(TestServiceServer::new(TestService::default()));
//! let services = Services::from_file_descriptor_set(FILE_DESCRIPTOR_SET)?;
//! let app: Router = Router::new().nest_service("/ws", Bridge::new(grpc).descriptors(services));
//! # Ok(app)
//! # }
//! # app().unwrap();
//! ```
//!
//! A client then opens `ws://HOST/ws/package.Service/Method`. The messages pass as protobuf bytes: no message
//! object is built, and the service needs no descriptor for `grpcws.v1.proto`. The JSON modes do, which is what
//! [`Bridge::descriptors`] is for; it can be given a handle whose descriptors come later, or change.
//!
//! # Without descriptors
//!
//! The kind of a method is then not known. Any number of request messages passes, and only the client's
//! `end_send` half-closes the call, for unary and server-streaming methods as well.
//!
//! # Who may call
//!
//! What [`typed`](crate::typed) says of origins, headers and credentials holds here too. The bridge itself knows no
//! users: a service that does checks the metadata `authorization` as it would without a bridge, or
//! [`Bridge::authorize`] does before the call starts.
//!
//! A method with a [route](crate::routes) of its own keeps its generic route besides. If a proxy in front authorizes
//! by the path, close the generic route with [`Bridge::generic_route`].

mod generic_route;
mod resolver;
mod service;

pub use crate::grpc::{Encoding, RequestBody};
pub use crate::handshake::ResponseFuture;
pub use generic_route::GenericRoute;
pub use service::Bridge;
#[cfg(feature = "tonic")]
pub use service::TonicChannel;
