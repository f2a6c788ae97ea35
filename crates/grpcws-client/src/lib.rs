#![doc = include_str!("../README.md")]

mod call;
mod client;
mod connect;
mod driver;
mod endpoint;
mod error;
mod options;
mod service;
mod socket;

pub use call::{
    Call, CallEnded, CallEvent, CallRequests, CallResponses, JsonCall, JsonEvent, JsonRequests, JsonResponses,
};
pub use client::Client;
pub use error::ClientError;
pub use grpcws_proto::{Code, Status};
pub use options::{BackoffOptions, CallOptions, ClientOptions, HttpVersion, TlsOptions};
pub use service::{ResponseBody, ResponseFuture};
