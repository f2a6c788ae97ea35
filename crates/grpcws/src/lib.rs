//! gRPC streaming over WebSocket.

mod call;
mod codec;
mod context;
mod driver;
mod hooks;
mod options;
#[cfg(feature = "server")]
pub mod server;
mod shutdown;
mod socket;
mod transport;
#[cfg(feature = "axum")]
pub mod typed;
mod upgrade;

pub use codec::{Codec, UnknownMessage};
pub use context::CallContext;
pub use grpcws_json as json;
pub use grpcws_proto as proto;
pub use grpcws_proto::{Code, MethodKind, Mode, Status};
pub use hooks::{Direction, StreamHooks, StreamInfo, StreamMetrics};
pub use options::ConnectionOptions;
pub use shutdown::Shutdown;
#[cfg(all(feature = "axum", feature = "tonic"))]
pub use typed::PropagateCancel;
#[cfg(feature = "axum")]
pub use typed::{
    BidiStreamHandler, ClientStreamHandler, GrpcWs, ProtoMessage, Requests, ServerStreamHandler,
};
