//! `grpcws list`, `grpcws describe` and `grpcws routes`: what a gRPC server offers, by its descriptors.

mod arguments;
mod comments;
mod describe;
mod error;
mod json;
mod list;
mod load;
mod nearest;
mod proto;
mod routes;
mod style;
mod symbol;

pub(crate) use arguments::{DESCRIBE_EXAMPLES, LIST_EXAMPLES};
pub use arguments::{DescribeArguments, ListArguments};
pub use describe::describe;
pub use error::InspectError;
pub use list::list;
pub(crate) use routes::ROUTES_EXAMPLES;
pub use routes::{RoutesArguments, routes};
