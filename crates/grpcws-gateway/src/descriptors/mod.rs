//! Where the descriptors of the services come from, and how they are kept up to date.
//!
//! The path of a descriptor: `reflection` asks the upstreams for it, or `sources` reads descriptor sets and compiles
//! `.proto` files. What comes is gathered in [`FileSet`]s, by the names of the files, one for each source; `merge` says which
//! of them share a table of types; `size` counts what they would cost first. `resolve` adds the types that are always there and leaves out the files whose types are not complete. [`Loader`] makes
//! [`Services`](grpcws::services::Services) of the rest, and [`refresh`] puts them into the handle that the bridge
//! has, again and again.
//!
//! All of this keeps the descriptors as bytes: decoding them would drop the options that the types of `prost_types`
//! do not know, `google.api.http` among them.

mod arguments;
mod builtin;
mod error;
mod files;
mod finish;
mod loader;
mod merge;
mod options;
mod outline;
mod proto_files;
mod reflection;
mod refresh;
mod resolve;
mod size;
mod sources;

pub(crate) use arguments::{LimitArguments, ReflectionHeader, metadata};
pub use error::DescriptorError;
pub(crate) use files::joined;
pub use files::{DescriptorFile, FileSet};
pub use loader::{EncodedSet, Loaded, Loader};
pub use options::{DescriptorOptions, Reflection};
pub use reflection::GrpcUpstream;
pub(crate) use refresh::publish;
pub use refresh::{Trigger, refresh};
pub use resolve::Omitted;
